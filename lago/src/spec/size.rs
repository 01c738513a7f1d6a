//! Sizes of disks, written as `qemu-img` takes them.

/// What to write for a size.
pub(super) const HELP: &str =
    "write a number with one of the suffixes K, M, G or T, such as 512M or 6G";

/// Disks consist of sectors of 512 bytes.
const SECTOR: u64 = 512;

/// Reads a size: a number, possibly with a fraction, and a suffix that is a power of 1024, or none for bytes.
///
/// Returns the bytes rounded up to whole sectors, or what is wrong.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let unit = unit(suffix).ok_or_else(|| format!("{text:?} is not a size"))?;
    let bytes = scale(number, unit).ok_or_else(|| format!("{text:?} is not a size"))?;
    whole_sectors(bytes).map_err(|reason| format!("the size {text} is {reason}"))
}

/// Checks a size in bytes and rounds it up to whole sectors.
pub(super) fn whole_sectors(bytes: u128) -> Result<u64, &'static str> {
    if bytes == 0 {
        return Err("nothing");
    }
    // Offsets in files are signed 64-bit numbers, for QEMU as for the kernel.
    let largest = u128::from(i64::MAX.unsigned_abs() / SECTOR * SECTOR);
    if bytes > largest {
        return Err("larger than any disk can be (8 EiB)");
    }
    u64::try_from(bytes.next_multiple_of(SECTOR.into())).map_err(|_| "larger than any disk can be")
}

fn unit(suffix: &str) -> Option<u128> {
    let power = match suffix {
        "" | "b" | "B" => 0,
        "k" | "K" => 1,
        "m" | "M" => 2,
        "g" | "G" => 3,
        "t" | "T" => 4,
        "p" | "P" => 5,
        "e" | "E" => 6,
        _ => return None,
    };
    Some(1024_u128.pow(power))
}

/// `number` times `unit`, in whole numbers, so that no size is off by a rounding of floats.
fn scale(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.contains('.') || (number.contains('.') && fraction.is_empty()) {
        return None;
    }
    let mut bytes = whole.parse::<u128>().ok()?.checked_mul(unit)?;
    if !fraction.is_empty() {
        let parts = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let numerator = fraction.parse::<u128>().ok()?.checked_mul(unit)?;
        bytes = bytes.checked_add(numerator / parts)?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(parse("6G"), Ok(6 << 30));
        assert_eq!(parse("512m"), Ok(512 << 20));
        assert_eq!(parse("1.5K"), Ok(1536));
        assert_eq!(parse("1024"), Ok(1024));
        assert_eq!(parse("2048b"), Ok(2048));
    }

    #[test]
    fn sizes_are_rounded_up_to_sectors() {
        assert_eq!(parse("1"), Ok(512));
        assert_eq!(parse("513"), Ok(1024));
    }

    #[test]
    fn nonsense_is_no_size() {
        for text in ["", "G", "6GB", "6 G", "-1G", "1.G", ".5G", "1.2.3G", "six", "1e9"] {
            assert!(parse(text).is_err(), "{text:?} was taken for a size");
        }
    }

    #[test]
    fn impossible_sizes_are_refused() {
        assert_eq!(parse("0"), Err("the size 0 is nothing".to_owned()));
        assert_eq!(
            parse("8E"),
            Err("the size 8E is larger than any disk can be (8 EiB)".to_owned())
        );
        assert!(parse("99999999999999999999999999999999999999999999E").is_err());
    }
}
