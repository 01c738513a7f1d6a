use std::path::PathBuf;

use crate::cli::context::Context;
use crate::cli::place::Place;
use crate::config::Config;
use crate::constants::DEFAULT_PREFIX;
use crate::host::AccelerationChoice;
use crate::spec::InitFile;
use crate::{InitOptions, Prefix};

/// The init file that is taken when none is named.
const DEFAULT_INIT_FILES: [&str; 3] = ["LagoInitFile", "LagoInitFile.yaml", "LagoInitFile.json"];

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The init file; without it, `LagoInitFile` here, with or without `.yaml` or `.json`.
    #[arg(value_name = "INIT_FILE")]
    init_file: Option<PathBuf>,

    /// The manifest of a template repository, besides those of the settings. May be given several times.
    #[arg(long, value_name = "FILE")]
    template_repo_path: Vec<PathBuf>,

    /// Where template images are kept.
    #[arg(long, value_name = "DIR")]
    template_store: Option<PathBuf>,

    /// How the VMs run: auto, kvm (hardware virtualization) or tcg (emulation).
    #[arg(long, value_name = "HOW")]
    accel: Option<AccelerationChoice>,

    /// Where the VMs run: `private`, a libvirt of the prefix's own, or a libvirt URI.
    #[arg(long, value_name = "HOST")]
    host: Option<String>,

    /// Make the new prefix the current one of its workdir.
    #[arg(long)]
    set_current: bool,
}

impl Arguments {
    pub(in crate::cli) fn run(self, context: &Context) -> anyhow::Result<()> {
        let init_file = InitFile::load(&init_file_path(self.init_file)?)?;
        let mut config = Config::load()?;
        config.template_repo_path =
            [self.template_repo_path, config.template_repo_path.clone()].concat();
        config.store = self.template_store.or(config.store);
        config.accel = self.accel.unwrap_or(config.accel);
        config.libvirt_uri = self.host.or(config.libvirt_uri);
        let place = Place::of(context, context.prefix_path.clone(), DEFAULT_PREFIX)?;
        let options = InitOptions::new(place.path()?, init_file).with_settings(&config)?;
        let prefix = Prefix::init(&options).inspect_err(|_| place.give_up())?;
        context.log_into(prefix.paths());
        place.made(self.set_current)?;
        tracing::info!(
            "made the prefix {}; `lago start` brings it up",
            prefix.paths().prefix().display()
        );
        Ok(())
    }
}

fn init_file_path(named: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    let found = || DEFAULT_INIT_FILES.iter().map(PathBuf::from).find(|path| path.is_file());
    named.or_else(found).ok_or_else(|| {
        anyhow::anyhow!("there is no {} here; name an init file", DEFAULT_INIT_FILES.join(", no "))
    })
}
