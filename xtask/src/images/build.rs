//! Building one image: packages by mmdebstrap, then the recipe's own script.

use super::cache::Cache;
use super::mirror::{self, Mirror};
use super::recipe::Recipe;
use super::{repository, tools};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Begins the names of directories in which images are built.
const SCRATCH: &str = ".build-";

/// Builds the image of a recipe into the cache. The caller holds the cache's lock.
pub(super) fn build(recipe: &Recipe, cache: &Cache) -> Result<()> {
    tools::check()?;
    remove_scratch(cache)?;
    let scratch = cache.dir().join(format!("{SCRATCH}{}", recipe.name));
    let work = scratch.join("work");
    fs::create_dir_all(&work).with_context(|| format!("making {}", work.display()))?;

    let built = assemble(recipe, cache, &scratch, &work);
    let removed = remove_scratch(cache);
    built.and(removed)
}

fn assemble(recipe: &Recipe, cache: &Cache, scratch: &Path, work: &Path) -> Result<()> {
    let packages = fetch_packages(recipe, scratch)?;
    let image = scratch.join("image.qcow2");
    let start = Instant::now();
    println!("images: {}: assembling the disk", recipe.name);
    let mut script = tools::as_root("sh");
    script.arg(recipe.dir.join("build.sh")).arg(&packages).arg(&image).current_dir(work);
    tools::run(&mut script, &format!("assembling {}", recipe.name), &scratch.join("build.log"))?;
    println!("images: {}: assembled in {:.1} s", recipe.name, start.elapsed().as_secs_f64());

    repository::describe(recipe, cache, &image, &list_of_packages(&packages)?)?;
    publish_artifacts(recipe, cache, &scratch.join("artifacts"))?;
    let path = cache.image(recipe);
    cache.publish(&image, &path.file_name().unwrap_or_default().to_string_lossy())?;
    Ok(())
}

/// What else the script wrote goes beside the image: it comes first, as an image that exists counts as complete.
fn publish_artifacts(recipe: &Recipe, cache: &Cache, dir: &Path) -> Result<()> {
    if !dir.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(dir).with_context(|| format!("reading {}", dir.display()))? {
        let path = entry.with_context(|| format!("reading {}", dir.display()))?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        let target = cache.artifact(recipe, &name);
        let target_name = target.file_name().unwrap_or_default().to_string_lossy();
        let published = cache.publish(&path, &target_name)?;
        println!("images: {}: wrote {}", recipe.name, published.display());
    }
    Ok(())
}

/// Downloads and unpacks the packages; the result is a tar file of a root directory.
fn fetch_packages(recipe: &Recipe, scratch: &Path) -> Result<PathBuf> {
    let start = Instant::now();
    let mirror = Mirror::find(&scratch.join("lists"))?;
    let sources = mirror.sources(&recipe.suite);
    println!("images: {}: packages come {}: {}", recipe.name, mirror.reason, sources.join("; "));
    let tar = scratch.join("packages.tar");
    let mut mmdebstrap = tools::command("mmdebstrap");
    for option in mirror::apt_options()? {
        mmdebstrap.arg(format!("--aptopt={option}"));
    }
    mmdebstrap
        .args(["--architectures=amd64", "--format=tar"])
        .args(&recipe.mmdebstrap)
        .arg(&recipe.suite)
        .arg(&tar)
        .args(&sources);
    tools::run(&mut mmdebstrap, "mmdebstrap", &scratch.join("mmdebstrap.log"))?;
    let seconds = start.elapsed().as_secs_f64();
    println!("images: {}: fetched and unpacked packages in {seconds:.1} s", recipe.name);
    Ok(tar)
}

/// Names and versions of the packages, which the recipe writes down.
fn list_of_packages(tar: &Path) -> Result<Vec<String>> {
    let output = tools::command("tar").arg("-xOf").arg(tar).arg("./packages.list").output();
    let output = output.context("running tar")?;
    if !output.status.success() {
        bail!("{} has no list of packages", tar.display());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.lines().map(str::to_owned).collect())
}

/// Removes what builds leave behind, those too that were killed. Files in there can belong to subordinate ids, so root
/// of a user namespace has to do it.
fn remove_scratch(cache: &Cache) -> Result<()> {
    let entries =
        fs::read_dir(cache.dir()).with_context(|| format!("reading {}", cache.dir().display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("reading {}", cache.dir().display()))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(SCRATCH) {
            let status = tools::as_root("rm").arg("-rf").arg(&path).status();
            let status = status.with_context(|| format!("removing {}", path.display()))?;
            if !status.success() {
                bail!("cannot remove {}: rm ended with {status}", path.display());
            }
        }
    }
    Ok(())
}
