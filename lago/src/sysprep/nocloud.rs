//! The three files of a `NoCloud` seed, in the one form that images without cloud-init can read line by line.

use std::fmt::Write as _;

use ssh_key::{LineEnding, PublicKey};

use super::scalar::{quoted, scalar};
use super::seed::{Seed, SeedNic};
use crate::spec::SelinuxMode;

/// The comment of authorized keys whose own comment would need quotes.
const KEY_COMMENT: &str = "lago";

/// The contents of a seed.
#[derive(Clone, PartialEq, Eq)]
pub struct SeedFiles {
    /// Who the guest is.
    pub meta_data: String,
    /// Its keys and password.
    pub user_data: String,
    /// Its NICs.
    pub network_config: String,
}

impl std::fmt::Debug for SeedFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The user data hold a private key.
        f.debug_struct("SeedFiles").field("meta_data", &self.meta_data).finish_non_exhaustive()
    }
}

impl SeedFiles {
    /// The files by the names that they have on the volume.
    pub fn named(&self) -> [(&'static str, &str); 3] {
        [
            ("meta-data", &self.meta_data),
            ("user-data", &self.user_data),
            ("network-config", &self.network_config),
        ]
    }

    pub(super) fn of(seed: &Seed) -> Result<Self, ssh_key::Error> {
        Ok(Self {
            meta_data: meta_data(seed),
            user_data: user_data(seed)?,
            network_config: network_config(&seed.nics),
        })
    }
}

fn meta_data(seed: &Seed) -> String {
    format!("instance-id: {}\nlocal-hostname: {}\n", seed.instance_id, scalar(&seed.hostname))
}

fn user_data(seed: &Seed) -> Result<String, ssh_key::Error> {
    let hostname = scalar(&seed.hostname);
    let keys = authorized_keys(&seed.authorized_keys)?;
    let password = quoted(&seed.root_password);
    let initiator = quoted(&format!("InitiatorName={}\n", seed.iscsi_initiator_name));
    let host_key = host_key(seed)?;
    let selinux = seed.selinux.map(selinux).unwrap_or_default();
    Ok(format!(
        "\
#cloud-config
hostname: {hostname}
disable_root: false
ssh_pwauth: true
users:
  - name: root
{keys}chpasswd:
  expire: false
  users:
    - {{name: root, password: {password}, type: text}}
write_files:
  - path: /etc/iscsi/initiatorname.iscsi
    permissions: \"0600\"
    content: {initiator}
{selinux}ssh_deletekeys: true
ssh_genkeytypes: [ed25519]
{host_key}"
    ))
}

/// cloud-init has no word for it. A guest whose SELinux is off, or is to be, changes with its next start.
fn selinux(mode: SelinuxMode) -> String {
    let (word, enforce) = (mode.as_str(), u8::from(mode == SelinuxMode::Enforcing));
    format!(
        "bootcmd:\n  - [sed, -i, \"s/^SELINUX=.*/SELINUX={word}/\", /etc/selinux/config]\n  - [setenforce, \"{enforce}\"]\n"
    )
}

fn authorized_keys(keys: &[PublicKey]) -> Result<String, ssh_key::Error> {
    if keys.is_empty() {
        return Ok(String::new());
    }
    let mut text = String::from("    ssh_authorized_keys:\n");
    for key in keys {
        let mut key = key.clone();
        if scalar(key.comment()) != key.comment() {
            key.set_comment(KEY_COMMENT);
        }
        push(&mut text, format_args!("      - {}\n", key.to_openssh()?));
    }
    Ok(text)
}

fn host_key(seed: &Seed) -> Result<String, ssh_key::Error> {
    let mut public = seed.host_key.public_key().clone();
    public.set_comment(&seed.hostname);
    let private = seed.host_key.to_openssh(LineEnding::LF)?;
    let mut text = String::from("ssh_keys:\n  ed25519_private: |\n");
    for line in private.lines() {
        push(&mut text, format_args!("    {line}\n"));
    }
    push(&mut text, format_args!("  ed25519_public: {}\n", public.to_openssh()?));
    Ok(text)
}

fn network_config(nics: &[SeedNic]) -> String {
    let mut text = String::from("version: 2\nethernets:");
    if nics.is_empty() {
        text.push_str(" {}");
    }
    text.push('\n');
    for (number, nic) in nics.iter().enumerate() {
        let name = format!("eth{number}");
        let mac = quoted(&nic.mac.to_ascii_lowercase());
        push(
            &mut text,
            format_args!(
                "  {name}:\n    match: {{macaddress: {mac}}}\n    set-name: {name}\n    dhcp4: true\n"
            ),
        );
        if !nic.management {
            text.push_str("    dhcp4-overrides: {use-routes: false}\n");
        }
        if let Some(domain) = &nic.domain {
            push(&mut text, format_args!("    nameservers: {{search: [{}]}}\n", quoted(domain)));
        }
        if let Some(ip6) = &nic.ip6 {
            push(&mut text, format_args!("    addresses: [\"{}\"]\n", ip6.address));
            if let Some(gateway) = ip6.gateway {
                // Of a route to ::/0 cloud-init 22 makes one to ::/64.
                push(&mut text, format_args!("    gateway6: \"{gateway}\"\n"));
            }
            // The network's router says the same to guests that nobody knows.
            text.push_str("    accept-ra: false\n");
        }
    }
    text
}

fn push(text: &mut String, line: std::fmt::Arguments<'_>) {
    text.write_fmt(line).expect("writing to a string cannot fail");
}
