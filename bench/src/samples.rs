//! Several runs of the same thing.

use std::time::Instant;

use crate::figure::Unit;

/// What the runs of one thing took.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples(Vec<f64>);

impl Samples {
    /// Adds a run.
    pub(crate) fn push(&mut self, value: f64) {
        self.0.push(value);
    }

    /// The value in the middle, or the mean of the two there. Not a number when nothing was measured.
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match sorted.len() {
            0 => f64::NAN,
            len if len % 2 == 1 => sorted[middle],
            _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
        }
    }

    /// The least and the greatest value, for a note.
    pub(crate) fn spread(&self, unit: Unit) -> String {
        let least = self.0.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        format!("{} to {}", unit.show(least), unit.show(greatest))
    }
}

/// Does something and says how many seconds it took.
pub(crate) fn seconds<T>(work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, f64)> {
    let started = Instant::now();
    let done = work()?;
    Ok((done, started.elapsed().as_secs_f64()))
}

/// Does something and says how many milliseconds it took.
pub(crate) fn milliseconds(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    Ok(seconds(work)?.1 * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(values: &[f64]) -> Samples {
        Samples(values.to_vec())
    }

    #[test]
    fn the_median_ignores_one_that_is_far_off() {
        assert!((samples(&[2.0, 90.0, 1.0]).median() - 2.0).abs() < f64::EPSILON);
        assert!((samples(&[4.0, 1.0, 2.0, 90.0]).median() - 3.0).abs() < f64::EPSILON);
        assert!(samples(&[]).median().is_nan());
    }

    #[test]
    fn the_spread_is_from_the_least_to_the_greatest() {
        assert_eq!(samples(&[2.0, 9.5, 1.0]).spread(Unit::Milliseconds), "1.0 ms to 9.5 ms");
    }
}
