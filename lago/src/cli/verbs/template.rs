use anyhow::Context as _;
use serde_json::json;

use crate::cli::context::Context;
use crate::config::Config;
use crate::templates::{
    Digest, NewTemplate, TemplateRepos, TemplateStore, Transfer, find_template, repositories,
};

#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Command {
    /// Add an image by its address to your own templates; under a name that exists, as its newest version.
    Add {
        /// Where the image is: an address with https, http or oci (`oci://REGISTRY/REPOSITORY[:TAG][@sha256:DIGEST]`).
        url: String,
        /// What init files call it; without it, the last part of the address.
        #[arg(long)]
        name: Option<String>,
        /// Its SHA-256 or SHA-512; of an image in a registry, that of its manifest.
        #[arg(
            long,
            visible_alias = "sha512",
            value_name = "DIGEST",
            conflicts_with = "checksum_url"
        )]
        sha256: Option<Digest>,
        /// Where its digest is listed; without it, the usual places are tried.
        #[arg(long, value_name = "URL")]
        checksum_url: Option<String>,
    },
    /// Remove one of your own templates; its image stays in the store.
    Remove {
        /// The template.
        name: String,
    },
    /// Bring templates into the store, and replace unused images for which their source has newer ones.
    Fetch {
        /// The templates, each with or without its version, as NAME or NAME:VERSION.
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
}

impl Command {
    pub(in crate::cli) fn run(self, context: &Context) -> anyhow::Result<()> {
        let config = Config::load()?;
        match self {
            Self::Add { url, name, sha256, checksum_url } => {
                let new = NewTemplate { url, name, hash: sha256, checksum_url };
                let added = repos(&config)?.add_template(&new, &Transfer::shared())?;
                context.print(&json!({
                    "Template": {
                        "name": added.name,
                        "version": added.version,
                        "verified by": added.verified_by,
                        "manifest": added.manifest,
                    }
                }))
            }
            Self::Remove { name } => Ok(repos(&config)?.remove_template(&name)?),
            Self::Fetch { names } => fetch(context, &config, &names),
        }
    }
}

/// The directory of the repositories that were added.
pub(super) fn repos(config: &Config) -> anyhow::Result<TemplateRepos> {
    let directory = config.template_repos.as_deref();
    let directory = directory.context(
        "there is no place for template repositories; name one with the setting `template_repos`",
    )?;
    Ok(TemplateRepos::new(directory))
}

fn fetch(context: &Context, config: &Config, names: &[String]) -> anyhow::Result<()> {
    let repositories = repositories(config)?;
    let store = TemplateStore::open(&config.store()?)?;
    let mut stored = serde_json::Map::new();
    for name in names {
        let (name, version) = match name.split_once(':') {
            Some((name, version)) => (name, Some(version)),
            None => (name.as_str(), None),
        };
        let version = find_template(&repositories, name, version)?;
        let image = store.refresh(version)?;
        let shown = json!({ "path": image.path, "format": image.format.as_str(), "digest": image.digest.with_algorithm() });
        stored.insert(version.name().to_owned(), shown);
    }
    context.print(&json!({ "Stored": stored }))
}
