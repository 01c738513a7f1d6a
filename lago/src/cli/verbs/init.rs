use std::path::{Path, PathBuf};

use crate::cli::context::Context;
use crate::cli::place::Place;
use crate::constants::DEFAULT_PREFIX;
use crate::host::AccelerationChoice;
use crate::spec::InitFile;
use crate::templates::find_repo_by_name;
use crate::{InitOptions, Prefix};

/// The init file that is taken when none is named.
const DEFAULT_INIT_FILES: [&str; 3] = ["LagoInitFile", "LagoInitFile.yaml", "LagoInitFile.json"];

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The init file, with the workdir before it if one is to be named; without it, `LagoInitFile` here, with or without
    /// `.yaml` or `.json`.
    #[arg(value_name = "[WORKDIR] INIT_FILE", num_args = 0..=2)]
    places: Vec<PathBuf>,

    /// The manifest of a template repository, or its address, besides those of the settings. May be given several times.
    #[arg(long, value_name = "FILE")]
    template_repo_path: Vec<PathBuf>,

    /// A template repository by its name, among those that were added. A path is preferred to it.
    #[arg(long, value_name = "NAME")]
    template_repo_name: Option<String>,

    /// Where template images are kept.
    #[arg(long, value_name = "DIR")]
    template_store: Option<PathBuf>,

    /// Where template repositories that were added are kept.
    #[arg(long, value_name = "DIR")]
    template_repos: Option<PathBuf>,

    /// How the VMs run: auto, kvm (hardware virtualization) or tcg (emulation).
    #[arg(long, value_name = "HOW")]
    accel: Option<AccelerationChoice>,

    /// Where the VMs run: `private`, a libvirt of the prefix's own, or a libvirt URI.
    #[arg(long, value_name = "HOST")]
    host: Option<String>,

    /// Make the new prefix the current one of its workdir.
    #[arg(long)]
    set_current: bool,

    /// Leave the images as they are: guests get no keys, no names and no passwords, and a start does not wait for them.
    /// They are let in by `id_rsa` in the prefix, which may be replaced, or else by `ssh-password`.
    #[arg(long)]
    skip_bootstrap: bool,

    /// Leave out the `build` steps of all disks.
    #[arg(long)]
    skip_build: bool,
}

impl Arguments {
    pub(in crate::cli) fn run(mut self, context: &Context) -> anyhow::Result<()> {
        let (workdir, init_file) = self.places();
        let init_file = self.init_file(context, &init_file_path(init_file)?)?;
        let place = Place::of(context, context.which.prefix_path.clone(), workdir, DEFAULT_PREFIX)?;
        let options = self.options(context, place.path()?, init_file);
        let options = options.inspect_err(|_| place.give_up())?;
        let prefix = Prefix::init(&options).inspect_err(|_| place.give_up())?;
        context.log_into(prefix.paths());
        place.made(self.set_current)?;
        tracing::info!(
            "made the prefix {}; `lago start` brings it up",
            prefix.paths().prefix().display()
        );
        Ok(())
    }

    /// The workdir and the init file. A single one is the init file.
    fn places(&mut self) -> (Option<PathBuf>, Option<PathBuf>) {
        let init_file = self.places.pop();
        (self.places.pop(), init_file)
    }

    fn init_file(&self, context: &Context, path: &Path) -> anyhow::Result<InitFile> {
        let mut file =
            InitFile::load_with(path, &context.lago.domain_defaults(&context.config()?))?;
        for domain in file.domains.values_mut() {
            domain.bootstrap &= !self.skip_bootstrap;
            if self.skip_build {
                domain.disks.iter_mut().for_each(|disk| disk.build.clear());
            }
        }
        Ok(file)
    }

    fn options(
        &self,
        context: &Context,
        path: PathBuf,
        init_file: InitFile,
    ) -> anyhow::Result<InitOptions> {
        let mut config = context.config()?;
        config.template_repo_path =
            [self.template_repo_path.clone(), config.template_repo_path.clone()].concat();
        config.template_repos = self.template_repos.clone().or(config.template_repos);
        config.store = self.template_store.clone().or(config.store);
        config.accel = self.accel.unwrap_or(config.accel);
        config.libvirt_uri = self.host.clone().or(config.libvirt_uri);
        let mut options = InitOptions::new(path, init_file);
        if let Some(name) =
            self.template_repo_name.as_ref().filter(|_| self.template_repo_path.is_empty())
        {
            let places: Vec<_> = config.template_repos.clone().into_iter().collect();
            options = options.repository(find_repo_by_name(name, &places)?);
        }
        Ok(options.with_settings(&config)?)
    }
}

fn init_file_path(named: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let found = || DEFAULT_INIT_FILES.iter().map(PathBuf::from).find(|path| path.is_file());
    named.or_else(found).ok_or_else(|| {
        anyhow::anyhow!("there is no {} here; name an init file", DEFAULT_INIT_FILES.join(", no "))
    })
}
