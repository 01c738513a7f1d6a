//! Durations that read well in a suite and in a message.

use std::time::Duration;

/// `n` seconds.
pub const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// `n` minutes.
pub const fn minutes(n: u64) -> Duration {
    Duration::from_secs(n * 60)
}

/// A duration as a person says it: `1.5 s`, `3 min`, `2 min 30 s`.
pub(crate) fn spoken(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        let text = format!("{:.1}", duration.as_secs_f64());
        return format!("{} s", text.strip_suffix(".0").unwrap_or(&text));
    }
    match seconds % 60 {
        0 => format!("{} min", seconds / 60),
        rest => format!("{} min {rest} s", seconds / 60),
    }
}

/// An age as a person says it.
pub(crate) fn spoken_age(age: Duration) -> String {
    let minutes = age.as_secs() / 60;
    match minutes {
        0 => format!("{} s", age.as_secs()),
        1..60 => format!("{minutes} min"),
        60..2880 => format!("{} h", minutes / 60),
        _ => format!("{} days", minutes / 1440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_spoken() {
        let spoken = [1500, 2000, 180_000, 150_000].map(Duration::from_millis).map(spoken);
        assert_eq!(spoken, ["1.5 s", "2 s", "3 min", "2 min 30 s"]);
    }

    #[test]
    fn ages_are_coarse() {
        let spoken = |seconds| spoken_age(Duration::from_secs(seconds));
        assert_eq!([spoken(5), spoken(3599), spoken(7300)], ["5 s", "59 min", "2 h"]);
        assert_eq!(spoken(3 * 86_400), "3 days");
    }
}
