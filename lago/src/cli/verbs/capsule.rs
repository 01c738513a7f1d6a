use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime};

use anyhow::bail;
use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};

use crate::capsule::{self, EXTENSION, Manifest, OpenOptions, SNAPSHOT, SaveOptions};
use crate::cli::context::Context;
use crate::cli::place::Place;
use crate::cli::units::mebibytes;
use crate::config::Config;
use crate::constants::CURRENT_LINK;
use crate::paths::Paths;
use crate::prefix::PrefixError;
use crate::snapshot::SnapshotKind;
use crate::spec::PlannedVm;
use crate::{Error, Prefix};

#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Command {
    /// Pack disks, memory, keys and logs as they are at this moment. VMs that run go on.
    Save {
        /// The file; without it, `<prefix>-<time>.lago-capsule` here. A directory gets one of that name.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,

        /// Pack the templates that disks stand on as well, for a machine that cannot get them.
        #[arg(long)]
        with_templates: bool,

        /// Why it is saved, for whoever opens it.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Make a prefix of a capsule: the VMs stand still at the moment at which it was saved, until `lago resume`.
    Open {
        /// The capsule.
        #[arg(value_name = "FILE")]
        file: PathBuf,

        /// The directory of the prefix, which must not exist yet; without it, a new prefix of the workdir, named after the
        /// file.
        #[arg(value_name = "DIR")]
        directory: Option<PathBuf>,

        /// Let the VMs run on at once.
        #[arg(long)]
        run: bool,

        /// Leave the memory out: the VMs are down, and `lago start` boots them from their disks.
        #[arg(long, conflicts_with = "run")]
        no_memory: bool,

        /// The manifest of a template repository, besides those of the settings. May be given several times.
        #[arg(long, value_name = "FILE")]
        template_repo_path: Vec<PathBuf>,

        /// Where template images are kept.
        #[arg(long, value_name = "DIR")]
        template_store: Option<PathBuf>,
    },
    /// Show what a capsule says about itself.
    Info {
        /// The capsule.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

impl Command {
    pub(in crate::cli) fn run(self, context: &Context) -> anyhow::Result<()> {
        match self {
            Self::Save { file, with_templates, reason } => {
                let options = SaveOptions { with_templates, reason, ..SaveOptions::default() };
                save(&context.prefix()?, file, &options)
            }
            Self::Open { file, directory, run, no_memory, template_repo_path, template_store } => {
                let mut config = Config::load()?;
                config.template_repo_path =
                    [template_repo_path, config.template_repo_path.clone()].concat();
                config.store = template_store.or(config.store);
                let options =
                    OpenOptions { run, no_memory, ..OpenOptions::new("").with_settings(&config)? };
                open(context, &file, directory, &options)
            }
            Self::Info { file } => context.print(&info(&capsule::manifest(&file)?)),
        }
    }
}

fn save(prefix: &Prefix, file: Option<PathBuf>, options: &SaveOptions) -> anyhow::Result<()> {
    let name = default_name(prefix.paths().prefix());
    let path = match file {
        None => name,
        Some(directory) if directory.is_dir() => directory.join(name),
        Some(path) => path,
    };
    if path.exists() {
        bail!("{} exists; remove it, or choose another file", path.display());
    }
    let saved = prefix.save_capsule(&path, options)?;
    tracing::info!(
        "saved {} in {:.1?}, the VMs stood still for {:.1?}; it takes {}",
        saved.path.display(),
        saved.took,
        saved.pause,
        mebibytes(saved.bytes)
    );
    tracing::info!("it has the keys of the VMs, and all that was in their memory");
    Ok(())
}

/// A name that a later one of the same prefix does not have.
fn default_name(prefix: &Path) -> PathBuf {
    let name = prefix.file_name().unwrap_or_default().display().to_string();
    let now = DateTime::<Utc>::from(SystemTime::now());
    let time: String = now
        .to_rfc3339_opts(SecondsFormat::Secs, true)
        .chars()
        .filter(|c| !matches!(c, '-' | ':'))
        .collect();
    PathBuf::from(format!("{name}-{time}.{EXTENSION}"))
}

fn open(
    context: &Context,
    file: &Path,
    directory: Option<PathBuf>,
    options: &OpenOptions,
) -> anyhow::Result<()> {
    let began = Instant::now();
    let prefix = match directory.or_else(|| context.which.prefix_path.clone()) {
        Some(path) => capsule::open(file, &OpenOptions { path, ..options.clone() })?,
        None => open_in_workdir(context, file, options)?,
    };
    context.log_into(prefix.paths());
    let manifest = capsule::manifest(file)?;
    let path = prefix.paths().prefix();
    tracing::info!("opened as {} after {:.1?}", path.display(), began.elapsed());
    if let Some(reason) = &manifest.reason {
        tracing::info!("why it was saved: {reason}");
    }
    tracing::info!("{}", how_to_go_on(context, &prefix, &manifest, options));
    Ok(())
}

/// Opens it under the first name that is free, unless one was asked for.
fn open_in_workdir(
    context: &Context,
    file: &Path,
    options: &OpenOptions,
) -> anyhow::Result<Prefix> {
    let base = prefix_name(file);
    let numbered = (2_u32..).map(|number| format!("{base}-{number}"));
    for name in std::iter::once(base.clone()).chain(numbered) {
        let place = Place::of(context, None, None, &name)?;
        let path = place.path()?;
        let is_asked_for = context.which.prefix_name.is_some();
        if !is_asked_for && Paths::new(&path).is_prefix() {
            continue;
        }
        match capsule::open(file, &OpenOptions { path, ..options.clone() }) {
            Ok(prefix) => {
                place.made(false)?;
                return Ok(prefix);
            }
            // Somebody else was faster.
            Err(Error::Prefix(PrefixError::Exists { .. })) if !is_asked_for => {}
            Err(error) => {
                place.give_up();
                return Err(error.into());
            }
        }
    }
    unreachable!("there are more numbers than prefixes")
}

/// The name of a capsule's file as that of a prefix.
fn prefix_name(file: &Path) -> String {
    /// Leaves room for a number.
    const LONGEST: usize = 50;
    let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let name: String = stem
        .chars()
        .map(|c| if is_allowed(c) { c } else { '-' })
        .skip_while(|c| !c.is_ascii_alphanumeric())
        .take(LONGEST)
        .collect();
    if name.is_empty() || name == CURRENT_LINK { SNAPSHOT.to_owned() } else { name }
}

fn how_to_go_on(
    context: &Context,
    prefix: &Prefix,
    manifest: &Manifest,
    options: &OpenOptions,
) -> String {
    let lago = match option(context, prefix) {
        Some(option) => format!("lago {option}"),
        None => "lago".to_owned(),
    };
    let vm = prefix.vms().next().map_or("VM", crate::Vm::name);
    let shell = format!("`{lago} shell {vm}` gets into one");
    let back = format!("{lago} revert {SNAPSHOT}");
    if options.no_memory || manifest.snapshot.kind == SnapshotKind::Stopped {
        format!("its VMs are down: `{lago} start` boots them from their disks, then {shell}")
    } else if options.run {
        format!("its VMs run: {shell}, `{back}` goes back to the moment")
    } else {
        format!(
            "its VMs stand still: `{lago} resume` lets them run on, then {shell}; `{back} --paused` goes back to the moment"
        )
    }
}

/// How the prefix is named on a command line, if it has to be.
fn option(context: &Context, prefix: &Prefix) -> Option<String> {
    let path = prefix.paths().prefix();
    let name = path.file_name()?.to_str()?;
    let workdir =
        context.which.workdir().ok().filter(|workdir| Some(workdir.path()) == path.parent());
    let Some(workdir) = workdir else { return Some(format!("--prefix {}", shown(path))) };
    let is_current = workdir.current().is_ok_and(|current| current == name);
    (!is_current).then(|| format!("-P {name}"))
}

/// A path as a shell takes it.
fn shown(path: &Path) -> String {
    let text = path.to_string_lossy();
    shlex::try_quote(&text).map_or_else(|_| text.to_string(), Into::into)
}

fn info(manifest: &Manifest) -> Value {
    let saved = DateTime::<Utc>::from(manifest.snapshot.created);
    let vms = manifest.snapshot.vms.iter().map(|(name, vm)| {
        let planned = manifest.record.plan.vm(name).and_then(PlannedVm::management_ip);
        let machine_type = manifest.machine.machine_types.get(name);
        let about = json!({ "status": vm.state, "ip": planned, "machine type": machine_type });
        (name.clone(), about)
    });
    let templates = manifest.templates.iter().map(|template| {
        let about = json!({ "digest": template.digest, "packed": template.file.is_some() });
        (template.name.clone(), about)
    });
    json!({
        "Capsule": {
            "saved": saved.to_rfc3339_opts(SecondsFormat::Secs, true),
            "reason": manifest.reason,
            "memory": manifest.snapshot.kind == SnapshotKind::Memory,
            "lago": manifest.lago,
            "QEMU": manifest.machine.qemu,
            "libvirt": manifest.machine.libvirt,
            "acceleration": manifest.record.acceleration.to_string(),
            "unpacked": mebibytes(manifest.data_size()),
            "templates": templates.collect::<Map<_, _>>(),
            "VMs": vms.collect::<Map<_, _>>(),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_has_the_name_of_the_file() {
        let name = |file: &str| prefix_name(Path::new(file));
        assert_eq!(name("/tmp/serve.fetch_page.lago-capsule"), "serve.fetch_page");
        assert_eq!(name("a b.lago-capsule"), "a-b");
        assert_eq!(name("..lago-capsule"), "capsule");
        assert_eq!(name("current.lago-capsule"), "capsule");
        assert_eq!(name(&"x".repeat(200)).len(), 50);
    }
}
