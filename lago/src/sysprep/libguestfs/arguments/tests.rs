use std::process::Command;

use super::*;
use crate::spec::SelinuxMode;
use crate::sysprep::{
    SeedIp6, add_ssh_key, config_net_interface_dhcp, set_hostname, set_iscsi_initiator_name,
    set_root_password, set_selinux_mode, set_ssh_host_key, upload_file, write_file,
};

/// A key of these tests.
const KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----
b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW
QyNTUxOQAAACBkxbcSiYnFV/QpkMqWgdKk7/D5LG1N6ebk9rmJ/+A6kgAAAJhBTc5gQU3O
YAAAAAtzc2gtZWQyNTUxOQAAACBkxbcSiYnFV/QpkMqWgdKk7/D5LG1N6ebk9rmJ/+A6kg
AAAEDYiBmhItXzV9nn3ldp6KljHdVKLoTDd3pXYn484xMnsWTFtxKJicVX9CmQypaB0qTv
8PksbU3p5uT2uYn/4DqSAAAAEHVzZXJAZXhhbXBsZS5jb20BAgMEBQ==
-----END OPENSSH PRIVATE KEY-----
";

fn key() -> PrivateKey {
    PrivateKey::from_openssh(KEY).unwrap()
}

/// The arguments, one a line, and the files that they name.
fn shown(modifications: &[Modification]) -> String {
    let scratch = tempfile::tempdir().unwrap();
    let mut staging = Staging::new_in(scratch.path()).unwrap();
    let arguments = Arguments::of(modifications, &mut staging).unwrap().into_vec();
    let mut text = arguments.join("\n");
    for number in 0.. {
        let path = staging.path().join(number.to_string());
        let Ok(content) = fs::read_to_string(&path) else { break };
        let mode = fs::symlink_metadata(&path).unwrap().permissions().mode() & 0o777;
        assert!(path.is_symlink() || mode == 0o600, "{mode:o}");
        let content = if content == SCRIPT { "the script\n".to_owned() } else { content };
        write!(text, "\n\n{number}:\n{}", content.trim_end()).unwrap();
    }
    text
}

#[test]
fn the_arguments_of_an_identity_have_no_secret_in_them() {
    let text = shown(&[
        set_hostname("server"),
        set_root_password("geheim"),
        add_ssh_key(key().public_key().clone()),
        set_iscsi_initiator_name("iqn.2014-07.org.lago:server"),
        set_selinux_mode(SelinuxMode::Permissive),
        config_net_interface_dhcp("eth0", "54:52:C0:A8:C8:02"),
        Modification::DhcpInterface(DhcpInterface {
            name: "eth1".into(),
            mac: "54:52:c0:a8:c9:02".into(),
            default_route: false,
            ip6: None,
            domain: None,
        }),
    ]);
    insta::assert_snapshot!("identity", text);
}

#[test]
fn the_host_key_becomes_the_only_one() {
    let text = shown(&[set_ssh_host_key(key())]);
    insta::assert_snapshot!("host_key", text);
}

#[test]
fn files_belong_to_root_and_keep_their_permissions() {
    let dir = tempfile::tempdir().unwrap();
    let local = dir.path().join("a:b");
    fs::write(&local, "uploaded").unwrap();
    fs::set_permissions(&local, fs::Permissions::from_mode(0o750)).unwrap();
    let text = shown(&[upload_file(&local, "/opt/my tools/run"), write_file("/motd", "welcome\n")]);
    insta::assert_snapshot!("files", text);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let scratch = tempfile::tempdir().unwrap();
    let mut staging = Staging::new_in(scratch.path()).unwrap();
    let missing = [upload_file("/nowhere/file", "/a")];
    let error = Arguments::of(&missing, &mut staging).err().unwrap().to_string();
    assert!(error.starts_with("cannot find /nowhere/file"), "{error}");
}

#[test]
fn changes_that_make_no_sense_are_refused_with_what_does() {
    for (modification, said) in [
        (set_hostname("a b"), "cannot be a host name"),
        (set_root_password("a\nb"), "a root password"),
        (set_iscsi_initiator_name("me"), "iqn.2014-07"),
        (config_net_interface_dhcp("eth0; reboot", "54:52:c0:a8:c8:02"), "such as eth0"),
        (config_net_interface_dhcp("eth0", "x"), "54:52:c0:a8:c8:02"),
        (of_domain("a; reboot"), "such as lago.local"),
        (write_file("/etc/../a", ""), "no absolute path"),
        (upload_file("/a", "/b\nown 777 /etc/shadow"), "no absolute path"),
    ] {
        let error = modification.check().unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}

/// An interface whose names are of this domain.
fn of_domain(domain: &str) -> Modification {
    Modification::DhcpInterface(DhcpInterface {
        name: "eth0".into(),
        mac: "54:52:c0:a8:c8:02".into(),
        default_route: true,
        ip6: None,
        domain: Some(domain.into()),
    })
}

/// A directory that stands for a guest's root.
struct Guest(tempfile::TempDir);

impl Guest {
    fn with(files: &[&str]) -> Self {
        let guest = Self(tempfile::tempdir().unwrap());
        for file in files {
            let path = guest.0.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, "").unwrap();
        }
        guest
    }

    /// Runs the script, and returns whether it was content and what it said.
    fn run(&self, changes: &str) -> (bool, String) {
        fs::write(self.0.path().join(".lago-sysprep"), changes).unwrap();
        let output = Command::new("sh")
            .args(["-c", SCRIPT])
            .env("LAGO_SYSPREP_ROOT", self.0.path())
            .output()
            .unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.0.path().join(file))
            .unwrap_or_else(|error| panic!("{file}: {error}"))
    }
}

#[test]
fn each_program_that_configures_networks_gets_what_it_reads() {
    const MAC: &str = "54:52:c0:a8:c8:02";
    for (there, written, line) in [
        ("etc/netplan/x", "etc/netplan/90-lago-eth1.yaml", "use-routes: false}"),
        (
            "etc/sysconfig/network-scripts/ifup",
            "etc/sysconfig/network-scripts/ifcfg-eth1",
            "DEFROUTE=no",
        ),
        (
            "etc/NetworkManager/NetworkManager.conf",
            "etc/NetworkManager/system-connections/lago-eth1.nmconnection",
            "never-default=true",
        ),
        ("etc/sysconfig/network/config", "etc/sysconfig/network/ifcfg-eth1", "BOOTPROTO='dhcp4'"),
        ("etc/network/interfaces", "etc/network/interfaces", "iface eth1 inet dhcp"),
        (
            "etc/systemd/system/multi-user.target.wants/systemd-networkd.service",
            "etc/systemd/network/10-lago-eth1.network",
            "UseRoutes=no",
        ),
    ] {
        let guest = Guest::with(&[there]);
        let (content, said) = guest.run(&format!("nic eth1 {MAC} no - - -\n"));
        assert!(content, "{there}: {said}");
        let text = guest.read(written);
        assert!(text.contains(line) && !text.contains('$'), "{written}: {text}");
        if there.contains("systemd") {
            assert!(guest.read("etc/systemd/network/10-lago-eth1.link").contains(MAC));
        }
        assert!(!guest.0.path().join(".lago-sysprep").exists());
    }
}

#[test]
fn each_of_them_gets_the_ipv6_address_that_nobody_hands_out() {
    let interface = Modification::DhcpInterface(DhcpInterface {
        name: "eth0".into(),
        mac: "54:52:c0:a8:c8:02".into(),
        default_route: true,
        ip6: Some(SeedIp6 {
            address: "fd00:1::2/64".parse().unwrap(),
            gateway: Some("fd00:1::1".parse().unwrap()),
        }),
        domain: Some("lago.local".into()),
    });
    let change = "nic eth0 54:52:c0:a8:c8:02 yes fd00:1::2/64 fd00:1::1 lago.local";
    assert!(shown(&[interface]).contains(change));
    for (there, written, lines) in [
        (
            "etc/netplan/x",
            "etc/netplan/90-lago-eth0.yaml",
            "nameservers: {search: [\"lago.local\"]}\n      addresses: [\"fd00:1::2/64\"]\n      accept-ra: false\n      routes: [{to: \"::/0\", via: \"fd00:1::1\"}]\n",
        ),
        (
            "etc/sysconfig/network-scripts/ifup",
            "etc/sysconfig/network-scripts/ifcfg-eth0",
            "IPV6INIT=yes\nIPV6_AUTOCONF=no\nIPV6ADDR=fd00:1::2/64\nIPV6_DEFAULTGW=fd00:1::1\n",
        ),
        (
            "etc/NetworkManager/NetworkManager.conf",
            "etc/NetworkManager/system-connections/lago-eth0.nmconnection",
            "method=manual\naddress1=fd00:1::2/64,fd00:1::1\n",
        ),
        (
            "etc/sysconfig/network/config",
            "etc/sysconfig/network/ifcfg-eth0",
            "IPADDR_6='fd00:1::2/64'\n",
        ),
        (
            "etc/sysconfig/network/config",
            "etc/sysconfig/network/ifroute-eth0",
            "default fd00:1::1 - eth0\n",
        ),
        (
            "etc/network/interfaces",
            "etc/network/interfaces",
            "iface eth0 inet6 static\n    address fd00:1::2/64\n    gateway fd00:1::1\n",
        ),
        (
            "etc/systemd/system/multi-user.target.wants/systemd-networkd.service",
            "etc/systemd/network/10-lago-eth0.network",
            "DHCP=ipv4\nDomains=lago.local\nAddress=fd00:1::2/64\nIPv6AcceptRA=no\nGateway=fd00:1::1\n",
        ),
    ] {
        let guest = Guest::with(&[there]);
        let (content, said) = guest.run(&format!("{change}\n"));
        assert!(content, "{there}: {said}");
        let text = guest.read(written);
        assert!(text.contains(lines), "{written}: {text}");
        let without = Guest::with(&[there]);
        assert!(without.run("nic eth0 54:52:c0:a8:c8:02 yes - - -\n").0);
        assert!(
            !std::fs::read_to_string(without.0.path().join(written))
                .is_ok_and(|text| text.contains("fd00") || text.contains("lago.local"))
        );
    }
}

#[test]
fn a_system_without_networks_is_refused() {
    let (content, said) = Guest::with(&[]).run("nic eth0 54:52:c0:a8:c8:02 yes - - -\n");
    assert!(!content && said.contains("nothing here configures networks"), "{said}");
}

#[test]
fn the_selinux_mode_is_that_of_the_file() {
    let guest = Guest::with(&[]);
    assert!(guest.run("selinux disabled\n").0);
    let (content, said) = guest.run("selinux enforcing\n");
    assert!(!content && said.contains("no SELinux"), "{said}");
    let guest = Guest::with(&["etc/selinux/config"]);
    let config = "# SELINUX= can take one of these\nSELINUX=enforcing\nSELINUXTYPE=targeted\n";
    fs::write(guest.0.path().join("etc/selinux/config"), config).unwrap();
    assert!(guest.run("selinux permissive\n").0);
    let expected = config.replace("SELINUX=enforcing", "SELINUX=permissive");
    assert_eq!(guest.read("etc/selinux/config"), expected);
}

#[test]
fn cloud_init_is_switched_off() {
    let guest = Guest::with(&[]);
    assert!(guest.run("no-cloud-init\n").0);
    assert_eq!(guest.read("etc/cloud/cloud-init.disabled"), "");
}
