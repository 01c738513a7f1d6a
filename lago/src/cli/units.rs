//! Times and sizes as people read them.

use std::time::{Duration, SystemTime};

/// A size, rounded up.
pub(super) fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes.div_ceil(1 << 20))
}

/// How long ago something was, in its largest whole unit.
pub(super) fn ago(time: SystemTime) -> String {
    let passed = SystemTime::now().duration_since(time).unwrap_or(Duration::ZERO).as_secs();
    let (count, unit) = match passed {
        0..60 => (passed, "s"),
        60..3600 => (passed / 60, "min"),
        3600..86400 => (passed / 3600, "h"),
        _ => (passed / 86400, "days"),
    };
    format!("{count} {unit} ago")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_told_in_its_largest_unit() {
        let shown = |seconds| ago(SystemTime::now() - Duration::from_secs(seconds));
        assert_eq!(shown(5), "5 s ago");
        assert_eq!(shown(119), "1 min ago");
        assert_eq!(shown(7200), "2 h ago");
        assert_eq!(shown(3 * 86400), "3 days ago");
        assert_eq!(ago(SystemTime::now() + Duration::from_secs(9)), "0 s ago");
    }
}
