//! The names of the tap devices by which VMs are plugged into their networks.
//!
//! They follow from the VM, so that a rule about its traffic holds also when it is started anew.

use uuid::Uuid;

/// How much of a VM's name its devices show. With the six digits of its identity, two dashes and a number of three digits
/// that makes 15, the most that Linux takes for a network device.
const READABLE: usize = 4;

/// How all of a VM's devices begin.
pub(crate) fn stem(vm: &str, domain: Uuid) -> String {
    let readable: String = vm.chars().filter(char::is_ascii_alphanumeric).take(READABLE).collect();
    format!("{}-{}-", readable.to_lowercase(), &domain.simple().to_string()[..6])
}

/// The device of a VM's card of this number.
pub(crate) fn name(vm: &str, domain: Uuid, number: usize) -> String {
    format!("{}{number}", stem(vm, domain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_short_and_says_whose_it_is() {
        let domain = Uuid::from_u128(0x1f00_a2ff_u128 << 96);
        assert_eq!(name("Web-Server.example", domain, 0), "webs-1f00a2-0");
        assert_eq!(name("a", domain, 999).len(), "a-1f00a2-999".len());
        assert!(name(&"x".repeat(63), domain, 999).len() <= 15);
    }
}
