//! The template repository: a manifest in Lago's form that lists the newest image of each recipe, with a hash and
//! metadata beside each image. Each checkout has a manifest of its own, as another one may have other recipes; the one beside
//! the images is of whichever built last.

use super::cache::{self, Cache};
use super::recipe::Recipe;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::time::UNIX_EPOCH;

#[derive(Serialize, Deserialize)]
struct Manifest {
    name: String,
    templates: BTreeMap<String, Template>,
    sources: BTreeMap<String, serde_json::Value>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Template {
    versions: BTreeMap<String, Version>,
}

#[derive(Clone, Serialize, Deserialize)]
struct Version {
    source: String,
    handle: String,
    timestamp: String,
}

/// Lists the image of this recipe as the template of its name in both manifests. Other templates stay as they are.
pub(super) fn list(recipe: &Recipe, cache: &Cache) -> Result<()> {
    let image = cache.image(recipe);
    let modified = fs::metadata(&image).and_then(|metadata| metadata.modified());
    let modified = modified.with_context(|| format!("looking at {}", image.display()))?;
    let version = Version {
        source: "local".to_owned(),
        handle: file_name(&image),
        timestamp: modified.duration_since(UNIX_EPOCH)?.as_secs().to_string(),
    };

    let template = Template { versions: BTreeMap::from([(recipe.hash.clone(), version)]) };
    for path in [cache.manifest(), cache::checkout_manifest()?] {
        let mut manifest = read(&path, cache)?;
        manifest.templates.insert(recipe.name.clone(), template.clone());
        cache::write(&path, &serde_json::to_vec_pretty(&manifest)?)?;
    }
    Ok(())
}

/// The manifest as it is, without the templates whose images were removed.
fn read(path: &Path, cache: &Cache) -> Result<Manifest> {
    let root = json!({ "type": "file", "args": { "root": cache.dir() } });
    let mut manifest = Manifest {
        name: "fixtures".to_owned(),
        templates: BTreeMap::new(),
        sources: BTreeMap::from([("local".to_owned(), root)]),
    };
    if path.exists() {
        let text = fs::read(path).with_context(|| format!("reading {}", path.display()))?;
        let old: Manifest = serde_json::from_slice(&text).with_context(|| {
            format!("{} is no manifest: remove it, it will be written again", path.display())
        })?;
        manifest.templates = old.templates;
    }
    manifest.templates.retain(|_, template| {
        template.versions.values().all(|version| cache.dir().join(&version.handle).exists())
    });
    Ok(manifest)
}

/// Writes what lago reads beside an image named `name`: its SHA-256, and what is known about it.
pub(super) fn describe(
    recipe: &Recipe,
    cache: &Cache,
    image: &Path,
    packages: &[String],
) -> Result<()> {
    let name = file_name(&cache.image(recipe));
    cache.write(&format!("{name}.hash"), format!("{}  {name}\n", sha256(image)?).as_bytes())?;
    let metadata = json!({
        "arch": "x86_64",
        "distro": if recipe.name == "mini" { "mini".to_owned() } else { recipe.suite.clone() },
        "root-password": "123456",
        "recipe": recipe.hash,
        "packages": packages,
    });
    cache.write(&format!("{name}.metadata"), &serde_json::to_vec_pretty(&metadata)?)
}

fn sha256(path: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    let copied = File::open(path).and_then(|mut file| io::copy(&mut file, &mut hash));
    copied.with_context(|| format!("reading {}", path.display()))?;
    Ok(format!("{:x}", hash.finalize()))
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
