//! Images that `build` steps have made, in the store.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use lago::templates::{StorePrune, TemplateStore};
use lago::{InitFile, InitOptions, Prefix};
use lago_system_tests::{Environment, Place};

/// The images of the store that were built, and what tells each from another one in its place.
pub(crate) fn built(store: &Path) -> Vec<(PathBuf, u64)> {
    let files = fs::read_dir(store).expect("it lists").map(|entry| entry.expect("it reads").path());
    let is_layer = |path: &PathBuf| {
        let name = path.to_string_lossy().into_owned();
        name.rsplit_once('@').is_some_and(|(_, key)| !key.contains('.'))
    };
    let inode = |path: &Path| fs::metadata(path).expect("it is there").ino();
    let layers = files.filter(is_layer).map(|path| (path.clone(), inode(&path)));
    layers.collect()
}

/// The only step asks for the key of the prefix, which is none of what is built, so libguestfs has nothing to do.
const ON_A_FILE: &str = "
domains:
  server:
    nics: [{net: lan}]
    disks:
      - type: template
        template_type: qcow2
        path: image.qcow2
        build: [{virt-customize: {ssh-inject: ''}}]
      - type: file
        path: image.qcow2
        make_a_copy: true
        build: [{virt-customize: {ssh-inject: ''}}]
nets: {lan: {management: true}}
";

#[test]
fn what_is_built_on_an_image_of_ones_own_is_built_once_until_that_changes() {
    let place = Place::new("built-on-a-file");
    let image = place.join("image.qcow2");
    let qemu_img = |args: &[&str]| {
        let mut command = Command::new("qemu-img");
        assert!(command.args(args).arg(&image).status().expect("qemu-img runs").success());
    };
    let resize = |size: &str| {
        let mut command = Command::new("qemu-img");
        let command = command.args(["resize", "-q"]).arg(&image).arg(size);
        assert!(command.status().expect("qemu-img runs").success());
    };
    qemu_img(&["create", "-q", "-f", "qcow2", "-o", "size=1M"]);
    let store = place.join("store");
    let init = |prefix: &str| {
        let file = InitFile::parse(ON_A_FILE, &place.join("LagoInitFile.yaml"));
        let file = file.expect("the init file is right");
        let options = InitOptions::new(place.join(prefix), file).store(&store);
        Environment::from(Prefix::init(&options).expect("the prefix can be made"))
    };
    let first = init("first");
    let layers = built(&store);
    assert_eq!(layers.len(), 1, "both disks have the same image and steps: {layers:?}");
    let second = init("second");
    assert_eq!(built(&store), layers, "it was built again");
    let disk = first.paths().prefix().join(&first.record().disks["server"][0].path);
    let info = Command::new("qemu-img").arg("info").arg(disk).output();
    let info = String::from_utf8(info.expect("qemu-img runs").stdout).expect("it is text");
    assert!(info.contains(&*layers[0].0.to_string_lossy()), "{info}");

    resize("2M");
    let third = init("third");
    assert_eq!(built(&store).len(), 2, "the image is another one now");
    let templates = TemplateStore::open(&store).expect("it opens");
    assert_eq!(templates.prune(StorePrune::All).expect("it prunes"), []);
    drop((first, second, third));
    assert_eq!(templates.prune(StorePrune::All).expect("it prunes").len(), 2);
    assert!(image.is_file());
}
