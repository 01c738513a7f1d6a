use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::{Value, json};
use ssh_key::rand_core::OsRng;

use super::*;
use crate::sysprep::values::is_unprintable;
use crate::utils::HostCommand;

/// One key for all: making one takes longer than anything else here.
fn key() -> PrivateKey {
    static KEY: LazyLock<PrivateKey> =
        LazyLock::new(|| PrivateKey::random(&mut OsRng, Algorithm::Ed25519).unwrap());
    KEY.clone()
}

fn seed() -> Seed {
    let nic = |mac: &str, management| SeedNic {
        mac: mac.to_owned(),
        management,
        ip6: None,
        domain: None,
    };
    let mut login = key().public_key().clone();
    login.set_comment("lago");
    Seed {
        instance_id: Uuid::new_v4(),
        hostname: "client".to_owned(),
        nics: vec![nic("54:52:C0:A8:C8:02", true), nic("54:52:c0:a8:c9:02", false)],
        authorized_keys: vec![login],
        host_key: key(),
        root_password: "123456".to_owned(),
        iscsi_initiator_name: "iqn.2014-07.org.lago:client".to_owned(),
        selinux: None,
    }
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

#[test]
fn the_files_have_the_fixed_form() {
    let mut seed = seed();
    seed.hostname = "server-1".to_owned();
    let files = seed.files().unwrap();
    let mut public = seed.host_key.public_key().clone();
    public.set_comment("server-1");
    let private = seed.host_key.to_openssh(ssh_key::LineEnding::LF).unwrap();
    assert_eq!(
        files.meta_data,
        format!("instance-id: {}\nlocal-hostname: server-1\n", seed.instance_id)
    );
    let expected = [
        "#cloud-config\n\
         hostname: server-1\n\
         disable_root: false\n\
         ssh_pwauth: true\n\
         users:\n  - name: root\n    ssh_authorized_keys:\n      - ",
        &seed.authorized_keys[0].to_openssh().unwrap(),
        "\nchpasswd:\n  expire: false\n  users:\n    \
         - {name: root, password: \"123456\", type: text}\n\
         write_files:\n  - path: /etc/iscsi/initiatorname.iscsi\n    permissions: \"0600\"\n    \
         content: \"InitiatorName=iqn.2014-07.org.lago:client\\n\"\n\
         ssh_deletekeys: true\n\
         ssh_genkeytypes: [ed25519]\n\
         ssh_keys:\n  ed25519_private: |\n    ",
        &private.trim_end().replace('\n', "\n    "),
        "\n  ed25519_public: ",
        &public.to_openssh().unwrap(),
        "\n",
    ];
    assert_eq!(files.user_data, expected.concat());
    assert_eq!(
        files.network_config,
        "version: 2\nethernets:\n  \
         eth0:\n    match: {macaddress: \"54:52:c0:a8:c8:02\"}\n    set-name: eth0\n    dhcp4: true\n  \
         eth1:\n    match: {macaddress: \"54:52:c0:a8:c9:02\"}\n    set-name: eth1\n    dhcp4: true\n    \
         dhcp4-overrides: {use-routes: false}\n"
    );
}

#[test]
fn the_files_are_yaml_with_the_right_values() {
    let seed = seed();
    let files = seed.files().unwrap();
    let user = yaml(&files.user_data);
    let private = user["ssh_keys"]["ed25519_private"].as_str().unwrap();
    let read_back = PrivateKey::from_openssh(private).unwrap();
    assert_eq!(read_back.key_data(), seed.host_key.key_data());
    let public = user["ssh_keys"]["ed25519_public"].as_str().unwrap();
    assert_eq!(
        PublicKey::from_openssh(public).unwrap().key_data(),
        seed.host_key.public_key().key_data()
    );
    assert_eq!(
        user["users"],
        json!([{"name": "root", "ssh_authorized_keys": [seed.authorized_keys[0].to_openssh().unwrap()]}])
    );
    assert_eq!(user["disable_root"], json!(false));
    assert_eq!(user["write_files"][0]["content"], "InitiatorName=iqn.2014-07.org.lago:client\n");
    assert_eq!(user.get("bootcmd"), None);
    let network = yaml(&files.network_config);
    assert_eq!(network["ethernets"]["eth1"]["dhcp4-overrides"], json!({"use-routes": false}));
    assert_eq!(network["ethernets"]["eth0"].get("dhcp4-overrides"), None);
}

#[test]
fn the_selinux_mode_is_set_before_services_start() {
    let seed = Seed { selinux: Some(SelinuxMode::Permissive), ..seed() };
    let user = yaml(&seed.files().unwrap().user_data);
    assert_eq!(
        user["bootcmd"],
        json!([
            ["sed", "-i", "s/^SELINUX=.*/SELINUX=permissive/", "/etc/selinux/config"],
            ["setenforce", "0"]
        ])
    );
}

#[test]
fn an_ipv6_address_is_static_with_one_route_and_names_have_their_domain() {
    let mut seed = seed();
    let ip6 = |address: &str, gateway: Option<&str>| {
        let gateway = gateway.map(|gateway| gateway.parse().unwrap());
        Some(SeedIp6 { address: address.parse().unwrap(), gateway })
    };
    seed.nics[0].ip6 = ip6("fd00:1::2/64", Some("fd00:1::1"));
    seed.nics[1].ip6 = ip6("fd00:2::2/64", None);
    seed.nics[0].domain = Some("lago.local".into());
    let files = seed.files().unwrap();
    assert_eq!(
        files.network_config,
        "version: 2\nethernets:\n  \
         eth0:\n    match: {macaddress: \"54:52:c0:a8:c8:02\"}\n    set-name: eth0\n    dhcp4: true\n    \
         nameservers: {search: [\"lago.local\"]}\n    addresses: [\"fd00:1::2/64\"]\n    gateway6: \"fd00:1::1\"\n    accept-ra: false\n  \
         eth1:\n    match: {macaddress: \"54:52:c0:a8:c9:02\"}\n    set-name: eth1\n    dhcp4: true\n    \
         dhcp4-overrides: {use-routes: false}\n    addresses: [\"fd00:2::2/64\"]\n    accept-ra: false\n"
    );
    let network = yaml(&files.network_config);
    assert_eq!(network["ethernets"]["eth0"]["addresses"], json!(["fd00:1::2/64"]));
    assert_eq!(network["ethernets"]["eth0"]["gateway6"], json!("fd00:1::1"));
}

#[test]
fn names_that_yaml_takes_for_something_else_stay_names() {
    for name in [
        "no",
        "On",
        "null",
        "true",
        "0123",
        "1e3",
        "1.5",
        "0x1f",
        "y",
        "NaN",
        "1_000",
        "2001-01-01",
    ] {
        let mut seed = seed();
        seed.hostname = name.to_owned();
        let files = seed.files().unwrap();
        assert_eq!(yaml(&files.meta_data)["local-hostname"], json!(name));
        assert_eq!(yaml(&files.user_data)["hostname"], json!(name));
    }
}

#[test]
fn a_key_with_a_strange_comment_still_logs_in() {
    for comment in ["me: you", "a # b", "x\ny: z", "\"", ""] {
        let mut seed = seed();
        seed.authorized_keys[0].set_comment(comment);
        let user = yaml(&seed.files().unwrap().user_data);
        let line = user["users"][0]["ssh_authorized_keys"][0].as_str().unwrap();
        let parsed = PublicKey::from_openssh(line).unwrap();
        assert_eq!(parsed.key_data(), seed.authorized_keys[0].key_data());
    }
}

#[test]
fn no_keys_and_no_nics_are_valid_too() {
    let seed = Seed { authorized_keys: Vec::new(), nics: Vec::new(), ..seed() };
    let files = seed.files().unwrap();
    assert_eq!(yaml(&files.user_data)["users"], json!([{"name": "root"}]));
    assert_eq!(yaml(&files.network_config)["ethernets"], json!({}));
}

proptest! {
    #[test]
    fn any_password_arrives_or_is_refused(password in "\\PC{0,40}|[\"\\\\{}:#,'\\[\\] %&*!|>@`~-]{0,20}|(?s:.{0,20})") {
        let seed = Seed { root_password: password.clone(), ..seed() };
        match seed.files() {
            Ok(files) => {
                let user = yaml(&files.user_data);
                let entry = &user["chpasswd"]["users"][0];
                prop_assert_eq!(entry, &json!({"name": "root", "password": password, "type": "text"}));
                let lines = files.user_data.lines().filter(|line| line.contains("name: root, password: "));
                prop_assert_eq!(lines.count(), 1, "the entry is one line");
            }
            Err(SysprepError::Password { .. }) => {
                prop_assert!(password.is_empty() || password.contains(is_unprintable));
            }
            Err(error) => prop_assert!(false, "{error}"),
        }
    }

    #[test]
    fn any_host_name_arrives_or_is_refused(name in "\\PC{0,70}|[a-z0-9._-]{1,64}|[0-9eE._+-]{1,8}") {
        let seed = Seed { hostname: name.clone(), ..seed() };
        match seed.files() {
            Ok(files) => prop_assert_eq!(&yaml(&files.meta_data)["local-hostname"], &json!(name)),
            Err(error) => prop_assert!(matches!(error, SysprepError::Hostname { .. }), "{error}"),
        }
    }
}

#[test]
fn bad_values_are_refused_with_what_to_change() {
    let error_of = |seed: Seed| seed.files().unwrap_err().to_string();
    let text = error_of(Seed { hostname: "a\nroot: x".into(), ..seed() });
    assert!(
        text.starts_with("`a\\nroot: x` cannot be a host name") && text.contains("init file"),
        "{text}"
    );
    let text = error_of(Seed { root_password: "a\nb".into(), ..seed() });
    assert!(text.contains("`root-password`") && !text.contains("a\nb"), "{text}");
    let nics =
        vec![SeedNic { mac: "54:52:00:\"}".into(), management: true, ip6: None, domain: None }];
    assert!(error_of(Seed { nics, ..seed() }).contains("NIC 0 of client"));
}

#[test]
fn secrets_are_not_in_the_debug_output() {
    let seed = Seed { root_password: "s3cret".into(), ..seed() };
    let text = format!("{seed:?} {:?}", seed.files().unwrap());
    assert!(!text.contains("s3cret") && !text.contains("PRIVATE"), "{text}");
}

#[test]
fn other_programs_read_the_volume() {
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("seed.img");
    let seed = seed();
    seed.write(&image).unwrap();
    assert_eq!(fs::metadata(&image).unwrap().permissions().mode() & 0o7777, 0o600);
    for (name, content) in seed.files().unwrap().named() {
        let read =
            HostCommand::new("mtype").arg("-i").arg(&image).arg(format!("::{name}")).run().unwrap();
        assert_eq!(read.stdout_text(), content, "{name}");
    }
    let blkid = HostCommand::new("blkid").args(["-p", "-o", "export"]).arg(&image);
    let known = blkid.env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin").run().unwrap().stdout_text();
    let facts: Vec<&str> = known.lines().collect();
    assert!(facts.contains(&"LABEL=cidata") && facts.contains(&"TYPE=vfat"), "{known}");
    let check = HostCommand::new("fsck.vfat").arg("-n").arg(&image);
    check.env("PATH", "/usr/sbin:/sbin:/usr/bin:/bin").run().unwrap();
}

#[test]
fn a_seed_that_needs_more_room_gets_it() {
    let dir = tempfile::tempdir().unwrap();
    let image = dir.path().join("seed.img");
    let login = key().public_key().clone();
    let seed = Seed { authorized_keys: vec![login; 20_000], ..seed() };
    seed.write(&image).unwrap();
    let read = HostCommand::new("mtype").arg("-i").arg(&image).arg("::user-data").run().unwrap();
    assert!(read.stdout_text() == seed.files().unwrap().user_data);
}
