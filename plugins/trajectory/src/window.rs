//! Where segments may start.

use pddflow_sdk::{Error, Result};
use std::ops::Range;

/// Start epochs of segments: uniform in `min..max`. With `expand_from` the end of the range grows linearly from that to `max` over
/// the first `expand_iterations` outer iterations (all of them if not given), so that easy, early segments come first
/// (Guo et al., "Towards Lossless Dataset Distillation via Difficulty-Aligned Trajectory Matching", ICLR 2024).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First start epoch.
    pub min: u64,
    /// End of the range, exclusive.
    pub max: u64,
    /// End of the range at the first iteration.
    pub expand_from: Option<u64>,
    /// Iterations until the end is `max`.
    pub expand_iterations: Option<u64>,
}

impl Window {
    /// Whether the numbers make sense together.
    ///
    /// # Errors
    /// The range is empty at some iteration.
    pub fn check(&self) -> Result<()> {
        let Self { min, max, .. } = *self;
        if min >= max {
            return Err(Error::config(format!("`min_start` {min} must lie below `max_start` {max}")));
        }
        match self.expand_from {
            Some(from) if from <= min || from > max => Err(Error::config(format!(
                "`expand_from` {from} must lie above `min_start` {min}, up to `max_start` {max}"
            ))),
            None if self.expand_iterations.is_some() => {
                Err(Error::config("`expand_iterations` is given without `expand_from`"))
            }
            _ => Ok(()),
        }
    }

    /// Whether it depends on the number of outer iterations.
    #[must_use]
    pub fn needs_horizon(&self) -> bool {
        self.expand_from.is_some() && self.expand_iterations.is_none()
    }

    /// Start epochs at an outer iteration of `horizon`, which only matters where it is [needed](Self::needs_horizon).
    #[must_use]
    pub fn at(&self, iteration: u64, horizon: u64) -> Range<u64> {
        let from = self.expand_from.unwrap_or(self.max);
        let over = self.expand_iterations.unwrap_or(horizon).max(1);
        let grown = u128::from(self.max - from) * u128::from(iteration.min(over)) / u128::from(over);
        self.min..from + u64::try_from(grown).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::Window;

    #[test]
    fn the_window_widens_to_its_end_and_stays() {
        let window = Window { min: 2, max: 12, expand_from: Some(4), expand_iterations: Some(100) };
        assert!(window.check().is_ok());
        let end = |iteration| window.at(iteration, 1000).end;
        assert_eq!([0, 12, 13, 50, 99, 100, 999].map(end), [4, 4, 5, 8, 11, 12, 12]);
        let whole = Window { expand_iterations: None, ..window };
        assert_eq!([0, 500, 1000].map(|iteration| whole.at(iteration, 1000).end), [4, 8, 12]);
        let fixed = Window { expand_from: None, expand_iterations: None, ..window };
        assert_eq!(fixed.at(0, 1000), 2..12);
    }

    #[test]
    fn empty_windows_are_refused() {
        let window = Window { min: 2, max: 12, expand_from: None, expand_iterations: None };
        assert!(Window { min: 12, ..window }.check().is_err());
        assert!(Window { expand_from: Some(2), ..window }.check().is_err());
        assert!(Window { expand_from: Some(13), ..window }.check().is_err());
        assert!(Window { expand_iterations: Some(5), ..window }.check().is_err());
    }
}
