use std::path::PathBuf;

use lago::collect::CollectOptions;
use lago::utils::{error_chain, parallel};
use ovirt_suite::OvirtPrefix;
use ovirt_suite::virt::TestVm;

/// Where the files of an engine or a host are, in the directory of its VM.
const OVIRT: &str = "ovirt";

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// A directory, new or empty, that takes all of it.
    #[arg(short, long, value_name = "DIR")]
    output: PathBuf,
}

impl Arguments {
    pub(crate) fn run(&self, prefix: &OvirtPrefix) -> anyhow::Result<()> {
        let options = CollectOptions::new("What lago ovirt collect found.");
        let collected = prefix.collect(&self.output, &options)?;
        let logs = parallel(prefix.virt_env().vms(), |vm| self.logs(vm));
        // Of a guest that does not have them all, all the rest is there.
        if let Err(failures) = logs {
            tracing::warn!("not all logs of oVirt's are there: {}", error_chain(&failures));
        }
        tracing::info!("{} files in {}", collected.files.len(), collected.directory.display());
        Ok(())
    }

    /// What the init file names is there already.
    fn logs(&self, vm: &TestVm) -> lago::Result<()> {
        let known = &vm.spec().artifacts;
        let paths = vm.artifact_paths().into_iter().filter(|path| !known.contains(path));
        let place = self.output.join(vm.name()).join(OVIRT);
        vm.extract_paths(paths.map(|path| {
            let local = place.join(path.trim_start_matches('/'));
            (path, local)
        }))
    }
}
