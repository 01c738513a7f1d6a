use std::path::PathBuf;

use serde_json::json;

use crate::cli::context::Context;
use crate::cli::output::OutFormat;
use crate::export::{ExportForm, ExportOptions, INIT_FILE_NAME, InitFileFormat};

#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The VMs; all of them without names.
    #[arg(short = 'n', long, value_name = "VM", num_args = 0..)]
    vm_names: Vec<String>,

    /// Export disks that stand on no template. Otherwise a disk is what differs from its template, and names that.
    #[arg(short, long)]
    standalone: bool,

    /// Compress the disks with xz.
    #[arg(short, long)]
    compress: bool,

    /// The directory that takes the files; it is made if it does not exist.
    #[arg(short, long, value_name = "DIR", default_value = ".")]
    dst_dir: PathBuf,

    /// The name of the init file, which `lago init` takes. It is JSON with `--out-format json`, else YAML.
    #[arg(long, value_name = "NAME", default_value = INIT_FILE_NAME)]
    init_file_name: String,

    /// Only print the images that would be exported.
    #[arg(long)]
    collect_only: bool,

    /// Export one disk after the other.
    #[arg(long)]
    without_threads: bool,

    /// Export VMs that run: their disks at one instant, brought to rest by the guest agents.
    #[arg(long)]
    live: bool,
}

impl Arguments {
    pub(in crate::cli) fn run(self, context: &Context) -> anyhow::Result<()> {
        let prefix = context.prefix()?;
        let collect_only = self.collect_only;
        let options = self.options(context.out_format);
        if collect_only {
            return context.print_as_lago(&json!(prefix.export_sources(&options)?));
        }
        let exported = prefix.export(&options)?;
        let disks: usize = exported.disks.values().map(Vec::len).sum();
        tracing::info!(
            "exported {disks} disks; `lago init {}` makes an environment of them",
            exported.init_file.display()
        );
        Ok(())
    }

    fn options(self, format: OutFormat) -> ExportOptions {
        let form = if self.standalone { ExportForm::Standalone } else { ExportForm::Layered };
        ExportOptions {
            form,
            vms: self.vm_names,
            compress: self.compress,
            init_file_name: self.init_file_name,
            init_file_format: match format {
                OutFormat::Json => InitFileFormat::Json,
                _ => InitFileFormat::Yaml,
            },
            live: self.live,
            one_by_one: self.without_threads,
            ..ExportOptions::new(self.dst_dir)
        }
    }
}
