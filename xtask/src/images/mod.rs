//! The guest images of the fixtures: built from their recipes, kept until a recipe changes, and listed in the
//! template repository that lago reads.

mod build;
mod cache;
mod mirror;
mod recipe;
mod repository;
mod tools;

use anyhow::Result;
use cache::Cache;
use clap::ValueEnum;
use recipe::Recipe;
use std::path::PathBuf;

/// Arguments of `cargo xtask images`.
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The images to build; all of them if none is named.
    #[arg(value_enum)]
    images: Vec<Image>,
    /// Builds again even if an image of this very recipe exists, to take newer packages.
    #[arg(long)]
    rebuild: bool,
}

/// An image of the fixtures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Image {
    /// Debian's kernel and busybox with an ssh server and the QEMU guest agent.
    Mini,
    /// Debian as its cloud images have it.
    Debian,
    /// The same with NFS and iSCSI, both sides of them.
    Ovirt,
}

impl Image {
    /// The name of the template and of the recipe's directory.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Mini => "mini",
            Self::Debian => "debian",
            Self::Ovirt => "ovirt",
        }
    }
}

/// Runs `cargo xtask images`.
pub(crate) fn run(args: &Args) -> Result<()> {
    let images = if args.images.is_empty() { Image::value_variants() } else { &args.images };
    build_all(images, args.rebuild)
}

/// Sees to it that the images exist and that the template repository lists them. Images of unchanged recipes are
/// reused.
pub(crate) fn build(images: &[Image]) -> Result<()> {
    build_all(images, false)
}

/// Where the manifest of the template repository lies that lists the images of this checkout's recipes.
pub(crate) fn repository() -> Result<PathBuf> {
    cache::checkout_manifest()
}

/// Where the packages of a web server lie that `dpkg -i` installs in the image `debian`, a tar file.
pub(crate) fn webserver() -> Result<PathBuf> {
    Ok(Cache::locate()?.artifact(&Recipe::read(Image::Debian.name())?, "webserver"))
}

fn build_all(images: &[Image], rebuild: bool) -> Result<()> {
    let cache = Cache::locate()?;
    let _lock = cache.lock()?;
    for &image in images {
        let recipe = Recipe::read(image.name())?;
        let path = cache.image(&recipe);
        if path.exists() && !rebuild {
            println!(
                "images: {}: reusing {}, its recipe is unchanged",
                recipe.name,
                path.display()
            );
        } else {
            let why = if rebuild { "as asked" } else { "no image of this recipe exists" };
            println!("images: {}: building recipe {}: {why}", recipe.name, recipe.hash);
            build::build(&recipe, &cache)?;
            println!("images: {}: wrote {}", recipe.name, path.display());
        }
        repository::list(&recipe, &cache)?;
    }
    println!("images: the template repository is {}", repository()?.display());
    Ok(())
}
