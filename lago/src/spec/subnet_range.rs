//! The subnets from which those are chosen that an init file leaves open.

use std::fmt;
use std::net::Ipv4Addr;
use std::ops::RangeInclusive;
use std::str::FromStr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use super::net::{PREFIX_LENGTH, unusable};

/// A range of subnets of 24 bits, both ends included.
///
/// ```
/// use lago::spec::SubnetRange;
///
/// let range: SubnetRange = "10.64.0.0/16".parse().unwrap();
/// assert_eq!(range.to_string(), "10.64.0.0/24-10.64.255.0/24");
/// assert_eq!(range.len(), 256);
/// assert_eq!(SubnetRange::default().to_string(), "192.168.200.0/24-192.168.255.0/24");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SubnetRange {
    /// The first three bytes of the first and of the last subnet.
    first: u32,
    last: u32,
}

/// A text that is no range of subnets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "it should be two subnets such as 192.168.200.0/24-192.168.255.0/24, or one to be divided such as 10.64.0.0/16, \
     of addresses that guests can have"
)]
pub struct NoSubnetRange;

/// How far the last byte is from the others.
const SHIFT: u8 = 32 - PREFIX_LENGTH;

impl SubnetRange {
    /// From the subnet of one address to that of another.
    fn between(first: Ipv4Addr, last: Ipv4Addr) -> Result<Self, NoSubnetRange> {
        let range = Self { first: u32::from(first) >> SHIFT, last: u32::from(last) >> SHIFT };
        let usable = |number: u32| unusable(subnet(number).network()).is_none();
        let is_good = range.first <= range.last && range.numbers().all(usable);
        is_good.then_some(range).ok_or(NoSubnetRange)
    }

    fn numbers(self) -> RangeInclusive<u32> {
        self.first..=self.last
    }

    /// The subnets, in order.
    pub fn iter(self) -> impl Iterator<Item = Ipv4Net> {
        self.numbers().map(subnet)
    }

    /// How many subnets there are: at least one.
    #[expect(clippy::len_without_is_empty, reason = "a range is never empty")]
    pub fn len(self) -> usize {
        self.numbers().count()
    }

    /// Whether a subnet is one of these.
    pub fn contains(self, subnet: Ipv4Net) -> bool {
        subnet.prefix_len() == PREFIX_LENGTH
            && self.numbers().contains(&(u32::from(subnet.network()) >> SHIFT))
    }
}

fn subnet(number: u32) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::from(number << SHIFT), PREFIX_LENGTH)
}

impl Default for SubnetRange {
    /// As Lago's, which ended at 192.168.209.0/24.
    fn default() -> Self {
        Self {
            first: u32::from_be_bytes([0, 192, 168, 200]),
            last: u32::from_be_bytes([0, 192, 168, 255]),
        }
    }
}

impl fmt::Display for SubnetRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", subnet(self.first), subnet(self.last))
    }
}

impl FromStr for SubnetRange {
    type Err = NoSubnetRange;

    fn from_str(text: &str) -> Result<Self, NoSubnetRange> {
        let net = |text: &str| text.trim().parse::<Ipv4Net>().map_err(|_| NoSubnetRange);
        match text.split_once('-') {
            None => {
                let whole = net(text)?;
                let (first, last) = (whole.network(), whole.broadcast());
                if whole.prefix_len() > PREFIX_LENGTH {
                    Err(NoSubnetRange)
                } else {
                    Self::between(first, last)
                }
            }
            Some((first, last)) => {
                let (first, last) = (net(first)?, net(last)?);
                let is_subnet =
                    |net: Ipv4Net| net.prefix_len() == PREFIX_LENGTH && net.trunc() == net;
                if !is_subnet(first) || !is_subnet(last) {
                    return Err(NoSubnetRange);
                }
                Self::between(first.network(), last.network())
            }
        }
    }
}

impl TryFrom<String> for SubnetRange {
    type Error = NoSubnetRange;

    fn try_from(text: String) -> Result<Self, NoSubnetRange> {
        text.parse()
    }
}

impl From<SubnetRange> for String {
    fn from(range: SubnetRange) -> Self {
        range.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_what_it_says() {
        let range: SubnetRange = "192.168.254.0/24 - 192.169.1.0/24".parse().unwrap();
        let subnets: Vec<String> = range.iter().map(|subnet| subnet.to_string()).collect();
        assert_eq!(
            subnets,
            ["192.168.254.0/24", "192.168.255.0/24", "192.169.0.0/24", "192.169.1.0/24"]
        );
        assert_eq!(range.len(), 4);
        assert!(range.contains("192.169.0.0/24".parse().unwrap()));
        assert!(!range.contains("192.169.2.0/24".parse().unwrap()));
        assert!(!range.contains("192.169.0.0/25".parse().unwrap()));
        let one: SubnetRange = "10.1.2.0/24".parse().unwrap();
        assert_eq!((one.len(), one.to_string().as_str()), (1, "10.1.2.0/24-10.1.2.0/24"));
    }

    #[test]
    fn what_is_no_range_is_refused() {
        for text in [
            "",
            "10.0.0.0",
            "10.0.0.0/25",
            "10.0.0.1/24-10.0.1.0/24",
            "10.0.1.0/24-10.0.0.0/24",
            "10.0.0.0/16-10.1.0.0/16",
            "10.0.0.0/24-",
            "0.0.0.0/0",
            "127.0.0.0/16",
            "10.0.0.0/24-224.0.0.0/24",
            "fd00::/64",
        ] {
            assert_eq!(text.parse::<SubnetRange>(), Err(NoSubnetRange), "{text}");
        }
    }

    #[test]
    fn a_range_comes_back_from_where_it_was_stored() {
        let range: SubnetRange = "10.64.0.0/12".parse().unwrap();
        let stored = serde_json::to_string(&range).unwrap();
        assert_eq!(serde_json::from_str::<SubnetRange>(&stored).unwrap(), range);
        assert!(serde_json::from_str::<SubnetRange>("\"x\"").is_err());
    }
}
