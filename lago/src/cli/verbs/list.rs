use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cli::context::Context;
use crate::workdir::Workdir;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// What to list: `prefixes` (of the workdir), `vms`, `networks` (of the prefix) or `templates` (of the repositories). A
    /// path is that of the workdir whose prefixes are listed.
    #[arg(value_name = "WHAT", default_value = "prefixes")]
    what: PathBuf,

    /// Of prefixes, say which is the current one too.
    #[arg(long)]
    details: bool,
}

impl Arguments {
    pub(in crate::cli) fn run(self, context: &Context) -> anyhow::Result<()> {
        let value = match self.what.to_str() {
            Some("prefixes") => self.prefixes(&context.which.workdir()?)?,
            Some("vms") => names(context.prefix()?.vms().map(crate::Vm::name)),
            Some("networks") => names(context.prefix()?.networks().map(crate::virt::Network::name)),
            Some("templates") => templates()?,
            _ => self.prefixes(&workdir_at(&self.what)?)?,
        };
        context.print(&value)
    }

    fn prefixes(&self, workdir: &Workdir) -> anyhow::Result<Value> {
        let all = workdir.list()?;
        if !self.details {
            return Ok(json!(all));
        }
        Ok(json!({ "Prefixes": { "current": workdir.current().ok(), "all": all } }))
    }
}

/// A word that is no path of a workdir was probably meant as another one.
fn workdir_at(path: &Path) -> anyhow::Result<Workdir> {
    anyhow::ensure!(
        path.is_dir(),
        "{} is neither a workdir nor one of: prefixes, vms, networks, templates",
        path.display()
    );
    Ok(Workdir::open(path)?)
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> Value {
    names.collect()
}

fn templates() -> anyhow::Result<Value> {
    let mut listing = serde_json::Map::new();
    for repository in Context::template_repositories()? {
        for template in repository.templates() {
            listing.insert(
                template.name().to_owned(),
                json!({ "repository": repository.name(), "versions": template.versions().collect::<Vec<_>>() }),
            );
        }
    }
    Ok(json!({ "Templates": listing }))
}
