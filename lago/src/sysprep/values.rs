//! What names, addresses and passwords have to look like.

/// The longest host name that Linux takes.
pub(super) const HOSTNAME_LENGTH: usize = 64;

/// The longest name of a network interface, as the kernel has a byte less than its `IFNAMSIZ`.
const INTERFACE_LENGTH: usize = 15;

/// The longest name of an iSCSI node (RFC 7143).
const ISCSI_NAME_LENGTH: usize = 223;

pub(super) fn is_hostname(name: &str) -> bool {
    let ends_well = |c: char| c.is_ascii_alphanumeric();
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.len() <= HOSTNAME_LENGTH
        && name.starts_with(ends_well)
        && name.ends_with(ends_well)
        && name.chars().all(inner)
        && !name.contains("..")
}

/// A DNS domain; what no resolver can hold is for the resolver to refuse.
pub(super) fn is_domain(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(inner)
}

pub(super) fn is_password(password: &str) -> bool {
    !password.is_empty() && !password.contains(is_unprintable)
}

/// Characters that no keyboard types, and that YAML readers refuse or take for line breaks.
pub(super) fn is_unprintable(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

pub(super) fn is_mac(text: &str) -> bool {
    let octets: Vec<&str> = text.split(':').collect();
    let is_octet = |octet: &&str| octet.len() == 2 && octet.chars().all(|c| c.is_ascii_hexdigit());
    octets.len() == 6 && octets.iter().all(is_octet)
}

pub(super) fn is_interface(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=INTERFACE_LENGTH).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(inner)
}

/// One of the three forms of an iSCSI name (RFC 7143): `iqn.`, `eui.` and `naa.`.
pub(super) fn is_iscsi_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    let rest = ["iqn.", "eui.", "naa."].into_iter().find_map(|form| name.strip_prefix(form));
    name.len() <= ISCSI_NAME_LENGTH
        && rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(inner))
}

/// The absolute path of a file in a guest, which stays there: no `..`.
pub(super) fn is_guest_file(path: &str) -> bool {
    let parts = path.strip_prefix('/').map(|path| path.split('/'));
    parts.is_some_and(|mut parts| parts.all(|part| !matches!(part, "" | "." | "..")))
        && !path.contains(char::is_control)
        && path.trim_end() == path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_and_wrong_values() {
        assert!(is_interface("eth0") && is_interface("enp0s31f6.100"));
        for wrong in ["", "eth0 eth1", "a/b", "a-name-too-long-1", "-a", "eth0\n"] {
            assert!(!is_interface(wrong), "{wrong}");
        }
        assert!(
            is_iscsi_name("iqn.2014-07.org.lago:client") && is_iscsi_name("eui.02004567A425678D")
        );
        for wrong in ["", "iqn.", "client", "iqn.2014-07.org:a b", "iqn.2014-07.org:a\nb"] {
            assert!(!is_iscsi_name(wrong), "{wrong}");
        }
        assert!(is_guest_file("/etc/a b:c"));
        for wrong in ["", "/", "etc/a", "/etc/", "/etc/../a", "/a\nb", "//a", "/a "] {
            assert!(!is_guest_file(wrong), "{wrong}");
        }
        assert!(
            is_mac("54:52:C0:a8:c8:02")
                && !is_mac("54:52:c0:a8:c8")
                && !is_mac("54-52-c0-a8-c8-02")
        );
    }
}
