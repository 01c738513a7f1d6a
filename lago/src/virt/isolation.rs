//! Who may pass between the networks of a private host, and to what is beyond it.
//!
//! On a private host libvirt makes no rules of its own: it would run `iptables` some twenty times for each network. All
//! rules together are one table of nftables, which is put in place as a whole.

use std::fmt::Write as _;

use crate::Result;
use crate::host::{Host, UPLINK_DEVICE};
use crate::utils::HostCommand;

/// The table that holds the rules.
const TABLE: &str = "inet lago";

/// A network as the rules see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member<'a> {
    /// Its bridge.
    pub(super) bridge: &'a str,
    /// Whether its guests reach what is beyond the host.
    pub(super) uplink: bool,
}

/// Puts the rules for these networks in place of those that were there.
pub(super) fn put(host: &Host, networks: &[Member<'_>]) -> Result<()> {
    let nft = HostCommand::new("nft").args(["-f", "-"]).stdin(script(networks));
    host.run(nft)?;
    Ok(())
}

/// Guests of one network reach each other and the addresses of the host, not the guests of another one. From beyond the
/// host only answers come in.
fn script(networks: &[Member<'_>]) -> String {
    // A table that is named alone is made if it is not there, so that it can be deleted.
    let mut script = format!("table {TABLE}\ndelete table {TABLE}\ntable {TABLE} {{\n");
    script.push_str(
        "  chain forward {\n    type filter hook forward priority filter; policy accept;\n",
    );
    let mut rule = |text: std::fmt::Arguments<'_>| {
        writeln!(script, "    {text}").expect("writing to a string cannot fail");
    };
    for Member { bridge, uplink } in networks {
        // Where the kernel shows what a bridge passes on to those rules too.
        rule(format_args!("iifname \"{bridge}\" oifname \"{bridge}\" accept"));
        if *uplink {
            rule(format_args!("iifname \"{bridge}\" oifname \"{UPLINK_DEVICE}\" accept"));
            rule(format_args!(
                "iifname \"{UPLINK_DEVICE}\" oifname \"{bridge}\" ct state established,related accept"
            ));
        }
    }
    for Member { bridge, .. } in networks {
        rule(format_args!("iifname \"{bridge}\" reject with icmpx type port-unreachable"));
        rule(format_args!("oifname \"{bridge}\" reject with icmpx type port-unreachable"));
    }
    script.push_str("  }\n");
    if networks.iter().any(|network| network.uplink) {
        writeln!(
            script,
            "  chain postrouting {{\n    type nat hook postrouting priority srcnat; policy accept;\n    \
             oifname \"{UPLINK_DEVICE}\" masquerade\n  }}"
        )
        .expect("writing to a string cannot fail");
    }
    script + "}\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_kept_apart_and_only_those_with_an_uplink_get_out() {
        let networks = [
            Member { bridge: "lan-1f00a2b3", uplink: true },
            Member { bridge: "storag-00c0ffee", uplink: false },
        ];
        insta::assert_snapshot!(script(&networks), @r#"
        table inet lago
        delete table inet lago
        table inet lago {
          chain forward {
            type filter hook forward priority filter; policy accept;
            iifname "lan-1f00a2b3" oifname "lan-1f00a2b3" accept
            iifname "lan-1f00a2b3" oifname "uplink" accept
            iifname "uplink" oifname "lan-1f00a2b3" ct state established,related accept
            iifname "storag-00c0ffee" oifname "storag-00c0ffee" accept
            iifname "lan-1f00a2b3" reject with icmpx type port-unreachable
            oifname "lan-1f00a2b3" reject with icmpx type port-unreachable
            iifname "storag-00c0ffee" reject with icmpx type port-unreachable
            oifname "storag-00c0ffee" reject with icmpx type port-unreachable
          }
          chain postrouting {
            type nat hook postrouting priority srcnat; policy accept;
            oifname "uplink" masquerade
          }
        }
        "#);
    }

    #[test]
    fn without_an_uplink_no_address_is_translated() {
        let script = script(&[Member { bridge: "lan-1f00a2b3", uplink: false }]);
        assert!(!script.contains("postrouting") && !script.contains("uplink"), "{script}");
    }
}
