//! A guest whose disk libguestfs has changed: by `build` steps, which several prefixes have in common, and by giving it its
//! identity. libguestfs starts its machine twice for that, which takes half a minute each time under emulation; so all that
//! it does is seen on one guest, which is also the one that shows what lago knows of a guest with systemd.

mod guest;
mod killed;

use std::fs;

use lago::guest::keys::KeyPair;
use lago::host::{self, Status};
use lago::spec::SysprepBackend;
use lago::templates::{StorePrune, TemplateStore};
use lago::{InitFile, InitOptions, Prefix};
use lago_system_tests::{Environment, Place, repository};

use crate::built::built;

/// The directories and files that `mkdir` and `upload` make are found by what gives the guest its identity.
const INIT_FILE: &str = r"
domains:
  server:
    memory: 512
    sysprep: libguestfs
    selinux: permissive
    root-password: geheim
    nics: [{net: lan}, {net: storage}]
    disks:
      - type: template
        template_name: debian
        build:
          - virt-customize:
              ssh-inject: root:file:guest.pub
              password: 'daemon:password:built-in'
              mkdir: [/srv/files, /etc/netplan, /etc/selinux]
              upload: ['motd:/srv/files/motd', 'selinux:/etc/selinux/config']
              run-command: uname -m > /srv/built
nets:
  lan: {management: true, ipv6: true}
  storage: {}
";

const SELINUX: &str = "# SELINUX= can take one of these\nSELINUX=enforcing\nSELINUXTYPE=targeted\n";

fn options(place: &Place, prefix: &str, backend: SysprepBackend) -> InitOptions {
    let mut init_file = InitFile::parse(INIT_FILE, &place.join("LagoInitFile.yaml"))
        .expect("the init file is right");
    init_file.domains["server"].sysprep = Some(backend);
    InitOptions::new(place.join(prefix), init_file)
        .repository(repository())
        .store(place.join("store"))
}

#[test]
fn an_image_is_built_once_and_libguestfs_gives_a_guest_all_that_a_seed_gives() {
    let checks = host::doctor();
    let libguestfs =
        checks.iter().find(|check| check.name == "libguestfs").expect("it is looked at");
    assert_eq!(libguestfs.status, Status::Ok, "{libguestfs}");
    let place = Place::new("sysprep");
    fs::write(place.join("motd"), "built\n").expect("it writes");
    fs::write(place.join("selinux"), SELINUX).expect("it writes");
    let key = KeyPair::generate("somebody").expect("a key can be made");
    fs::write(place.join("guest.pub"), key.public_line().expect("a line")).expect("it writes");

    let options = |prefix, backend| options(&place, prefix, backend);
    killed::a_killed_build_leaves_no_secret_behind(&place, INIT_FILE);
    let prefix = Prefix::init(&options("prefix", SysprepBackend::Libguestfs));
    let prefix = Environment::from(prefix.expect("what the killed one has begun is taken over"));
    killed::nothing_is_left(&place);
    let layer = built(&place.join("store"));
    assert_eq!(layer.len(), 1, "{layer:?}");

    let seeded = Prefix::init(&options("seeded", SysprepBackend::Seed));
    let seeded = Environment::from(seeded.expect("the prefix can be made"));
    assert_eq!(built(&place.join("store")), layer, "it was built again");
    assert_eq!(
        (prefix.record().disks["server"].len(), seeded.record().disks["server"].len()),
        (1, 2)
    );
    drop(seeded);
    let store = TemplateStore::open(&place.join("store")).expect("it opens");
    assert_eq!(store.prune(StorePrune::All).expect("it prunes"), []);

    prefix.start().expect("ssh lets us in, and the host key is the one that was made for it");
    guest::it_has_what_was_built(&prefix, &key);
    guest::it_has_its_identity(&prefix);
    guest::its_networks_are_configured(&prefix);
    guest::its_services_are_those_of_systemd(&prefix);
    guest::files_come_off_its_disk_when_it_is_down(&prefix, &place);

    // What was built stays for the next one; then it goes, and only then what it stands on.
    drop(prefix);
    let removed = store.prune(StorePrune::All).expect("it prunes");
    let names: Vec<&str> = removed.iter().map(|entry| entry.name.as_str()).collect();
    let [base, above] = names[..] else { panic!("{names:?}") };
    assert!(above.starts_with(&format!("{base}@")), "{names:?}");
}
