use serde_json::{Value, json};

use crate::cli::context::Context;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// What to list.
    #[arg(value_enum, default_value_t = What::Prefixes)]
    what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// The prefixes of the workdir.
    Prefixes,
    /// The VMs of the prefix.
    Vms,
    /// The networks of the prefix.
    Networks,
    /// The templates of the template repositories.
    Templates,
}

impl Arguments {
    pub(in crate::cli) fn run(self, context: &Context) -> anyhow::Result<()> {
        let value = match self.what {
            What::Prefixes => prefixes(context)?,
            What::Vms => names(context.prefix()?.vms().map(crate::Vm::name)),
            What::Networks => names(context.prefix()?.networks().map(crate::virt::Network::name)),
            What::Templates => templates()?,
        };
        context.print(&value)
    }
}

fn prefixes(context: &Context) -> anyhow::Result<Value> {
    let workdir = context.workdir()?;
    Ok(json!({
        "Prefixes": {
            "current": workdir.current().ok(),
            "all": workdir.list()?,
        }
    }))
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
