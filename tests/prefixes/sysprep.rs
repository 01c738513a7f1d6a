//! A guest whose disk libguestfs has changed: by `build` steps, which several prefixes have in common, and by giving it its
//! identity. libguestfs starts its machine twice for that, which takes half a minute each time under emulation.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use lago::host::{self, Status};
use lago::spec::SysprepBackend;
use lago::templates::{StorePrune, TemplateStore};
use lago::{InitFile, InitOptions, Prefix};
use lago_system_tests::{Environment, Place, in_guest, repository};

const INIT_FILE: &str = r"
domains:
  server:
    memory: 512
    sysprep: libguestfs
    root-password: geheim
    nics: [{net: lan}, {net: storage}]
    disks:
      - type: template
        template_name: debian
        build:
          - virt-customize:
              ssh-inject: ''
              mkdir: /srv/files
              upload: motd:/srv/files/motd
              run-command: uname -m > /srv/built
nets:
  lan: {management: true, ipv6: true}
  storage: {}
";

fn options(place: &Place, prefix: &str, backend: SysprepBackend) -> InitOptions {
    let mut init_file = InitFile::parse(INIT_FILE, &place.join("LagoInitFile.yaml"))
        .expect("the init file is right");
    init_file.domains["server"].sysprep = Some(backend);
    InitOptions::new(place.join(prefix), init_file)
        .repository(repository())
        .store(place.join("store"))
}

/// The one image of the store that was built, and what tells it from another one in its place.
fn built(store: &Path) -> (PathBuf, u64) {
    let files = fs::read_dir(store).expect("it lists").map(|entry| entry.expect("it reads").path());
    let is_layer =
        |path: &PathBuf| path.to_string_lossy().contains('@') && path.extension().is_none();
    let layers: Vec<PathBuf> = files.filter(is_layer).collect();
    let [layer] = &layers[..] else { panic!("{layers:?}") };
    (layer.clone(), fs::metadata(layer).expect("it is there").ino())
}

#[test]
fn an_image_is_built_once_and_libguestfs_gives_a_guest_all_that_a_seed_gives() {
    let checks = host::doctor();
    let libguestfs =
        checks.iter().find(|check| check.name == "libguestfs").expect("it is looked at");
    assert_eq!(libguestfs.status, Status::Ok, "{libguestfs}");
    let place = Place::new("sysprep");
    fs::write(place.join("motd"), "built\n").expect("it writes");
    let prefix = Prefix::init(&options(&place, "prefix", SysprepBackend::Libguestfs));
    let prefix = Environment::from(prefix.expect("the prefix can be made"));
    let layer = built(&place.join("store"));

    let seeded = Prefix::init(&options(&place, "seeded", SysprepBackend::Seed));
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
    let said = |script: &str| in_guest(&prefix, "server", script).trim().to_owned();
    assert_eq!(said("hostname; cat /etc/hostname"), "server\nserver");
    assert_eq!(said("cat /srv/files/motd /srv/built"), "built\nx86_64");
    assert_eq!(
        said("cat /etc/iscsi/initiatorname.iscsi; stat -c %a%u /etc/iscsi/initiatorname.iscsi"),
        "InitiatorName=iqn.2014-07.org.lago:server\n6000"
    );
    assert_eq!(
        said("cd /etc/ssh && ls ssh_host_*"),
        "ssh_host_ed25519_key\nssh_host_ed25519_key.pub"
    );
    assert_eq!(said("stat -c %a%u /etc/ssh/ssh_host_ed25519_key"), "6000");
    let hash = "import crypt, spwd; h = spwd.getspnam('root').sp_pwdp; print(crypt.crypt('geheim', h) == h)";
    assert_eq!(said(&format!("python3 -W ignore -c \"{hash}\"")), "True");
    let vm = prefix.vm("server").expect("it is there");
    let addresses: Vec<String> = vm.nics().iter().map(|nic| nic.ip.to_string()).collect();
    let address = |nic: &str| said(&format!("ip -4 -o address show {nic} | awk '{{ print $4 }}'"));
    assert_eq!(address("eth0"), format!("{}/24", addresses[0]));
    assert_eq!(address("eth1"), format!("{}/24", addresses[1]));
    let address6 = vm.nics()[0].ip6.expect("the net has IPv6");
    let addresses6 = said("ip -6 -o address show eth0 scope global");
    assert!(addresses6.contains(&format!("{address6}/64")), "{addresses6}");
    let routes = said("ip -4 route show default");
    assert!(routes.lines().all(|route| route.contains("dev eth0")), "{routes}");
    assert_eq!(said("test -e /.lago-sysprep || wc -c < /etc/machine-id"), "33");

    // What was built stays for the next one; then it goes, and only then what it stands on.
    drop(prefix);
    let removed = store.prune(StorePrune::All).expect("it prunes");
    let names: Vec<&str> = removed.iter().map(|entry| entry.name.as_str()).collect();
    let [base, above] = names[..] else { panic!("{names:?}") };
    assert!(above.starts_with(&format!("{base}@")), "{names:?}");
}
