//! What is seen in the guest, and of it.

use std::fs;

use lago::guest::keys::KeyPair;
use lago::guest::{Cmd, ServiceState};
use lago::spec::ServiceProvider;
use lago::{Prefix, Vm};
use lago_system_tests::{Environment, Place, in_guest, wait_until};

use super::SELINUX;

fn server(prefix: &Prefix) -> &Vm {
    prefix.vm("server").expect("it is there")
}

fn said(prefix: &Prefix, script: &str) -> String {
    in_guest(prefix, "server", script).trim().to_owned()
}

pub(super) fn it_has_what_was_built(prefix: &Prefix, key: &KeyPair) {
    assert_eq!(said(prefix, "cat /srv/files/motd /srv/built"), "built\nx86_64");
    let hash = hash_is("daemon", "built-in");
    assert_eq!(said(prefix, &hash), "True");
    let keys = said(prefix, "cat /root/.ssh/authorized_keys");
    let line = key.public_line().expect("a line");
    assert!(keys.contains(line.trim()) && keys.lines().count() == 2, "{keys}");
}

/// A script that says whether this is a user's password.
fn hash_is(user: &str, password: &str) -> String {
    format!(
        "python3 -W ignore -c \"import crypt, spwd; h = spwd.getspnam('{user}').sp_pwdp; \
         print(crypt.crypt('{password}', h) == h)\""
    )
}

pub(super) fn it_has_its_identity(prefix: &Prefix) {
    let said = |script: &str| said(prefix, script);
    assert_eq!(said("hostname; cat /etc/hostname"), "server\nserver");
    let name = server(prefix).iscsi_name();
    assert_eq!(
        said("cat /etc/iscsi/initiatorname.iscsi; stat -c %a%u /etc/iscsi/initiatorname.iscsi"),
        format!("InitiatorName={name}\n6000")
    );
    assert_eq!(
        said("cd /etc/ssh && ls ssh_host_*"),
        "ssh_host_ed25519_key\nssh_host_ed25519_key.pub"
    );
    assert_eq!(said("stat -c %a%u /etc/ssh/ssh_host_ed25519_key"), "6000");
    assert_eq!(said(&hash_is("root", "geheim")), "True");
    assert_eq!(said("test -e /.lago-sysprep || wc -c < /etc/machine-id"), "33");
    let selinux = SELINUX.replace("SELINUX=enforcing", "SELINUX=permissive");
    assert_eq!(said("cat /etc/selinux/config"), selinux.trim());
}

pub(super) fn its_networks_are_configured(prefix: &Prefix) {
    let said = |script: &str| said(prefix, script);
    let nics = server(prefix).nics();
    // The guest answers before all of its cards are set up.
    let has = |nic: &str, address: String| {
        let show = format!("ip -o address show {nic} scope global");
        wait_until(&format!("{nic} to have {address}"), || said(&show).contains(&address));
    };
    has("eth0", format!("inet {}/24", nics[0].ip));
    has("eth1", format!("inet {}/24", nics[1].ip));
    let address6 = nics[0].ip6.expect("the net has IPv6");
    has("eth0", format!("inet6 {address6}/64"));
    let routes = said("ip -4 route show default");
    assert!(routes.lines().all(|route| route.contains("dev eth0")), "{routes}");

    // Who writes for netplan too has netplan do it; here nobody reads that.
    let files = "/etc/netplan/90-lago-eth?.yaml";
    assert_eq!(said(&format!("stat -c %a%u {files}")), "6000\n6000");
    let gateway6 = &prefix.record().plan.nets[0].ipv6.as_ref().expect("it has IPv6").gateway;
    let (mac0, mac1) = (&nics[0].mac, &nics[1].mac);
    let expected = format!(
        r#"network:
  version: 2
  ethernets:
    eth0:
      match: {{macaddress: "{mac0}"}}
      set-name: eth0
      dhcp4: true
      dhcp4-overrides: {{use-routes: true}}
      nameservers: {{search: ["lago.local"]}}
      addresses: ["{address6}/64"]
      accept-ra: false
      routes: [{{to: "::/0", via: "{gateway6}"}}]
network:
  version: 2
  ethernets:
    eth1:
      match: {{macaddress: "{mac1}"}}
      set-name: eth1
      dhcp4: true
      dhcp4-overrides: {{use-routes: false}}"#
    );
    assert_eq!(said(&format!("grep -hv '^ *$' {files}")), expected);
}

pub(super) fn its_services_are_those_of_systemd(prefix: &Prefix) {
    let vm = server(prefix);
    let release = vm.os_release().expect("it has one");
    assert_eq!(release.id, "debian", "{release:?}");
    assert_eq!(vm.distro().expect("the guest says it"), "debian 12");
    assert_eq!(prefix.record().distro("server"), Some("bookworm"), "the template says it");
    // Both may be later than the ssh server.
    let agent = vm.guest_agent().expect("the guest can be asked");
    wait_until("the agent's service", || agent.alive().expect("the guest can be asked"));
    let cron = vm.service("cron").expect("the guest can be asked");
    assert_eq!(cron.provider().expect("it is there"), ServiceProvider::Systemd);
    wait_until("cron", || cron.state().expect("it is there") == ServiceState::Active);
    cron.stop().expect("it stops");
    assert_eq!(cron.state().expect("it is there"), ServiceState::Inactive);
    cron.start().expect("it starts");
    assert!(cron.alive().expect("it is there"));
    let none = vm.service("no-such-service").expect("the guest can be asked");
    assert_eq!(none.state().expect("systemd knows"), ServiceState::Missing);

    // A stand-in for docker, with a container whose systemd is that of the guest: what is asked goes through `docker exec`.
    let docker = "#!/bin/sh\nverb=$1; shift; case $verb in ps) echo box ;; \
                  exec) [ $1 = box ] && shift && exec \"$@\" ;; esac\n";
    let install = Cmd::sh("cat >/usr/bin/docker && chmod +x /usr/bin/docker").stdin(docker);
    vm.run(install).expect("it can be written");
    let cron = vm.service("cron").expect("the guest can be asked");
    assert_eq!(cron.provider().expect("it is there"), ServiceProvider::SystemdContainer);
    cron.stop().expect("it stops");
    assert!(!cron.alive().expect("it is there"));
}

/// Its disk stands on what was built, and that on the template.
pub(super) fn files_come_off_its_disk_when_it_is_down(prefix: &Environment, place: &Place) {
    prefix.stop().expect("it stops");
    let (release, motd) = (place.join("os-release"), place.join("from-the-disk"));
    let paths = [("/usr/lib/os-release", &release), ("/srv/files/motd", &motd)];
    server(prefix).extract_paths(paths).expect("its disk can be read");
    assert_eq!(fs::read_to_string(motd).expect("it reads"), "built\n");
    assert!(fs::read_to_string(release).expect("it reads").contains("\nID=debian\n"));
}
