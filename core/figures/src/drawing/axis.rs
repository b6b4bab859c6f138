//! Ranges and ticks.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::bar::Bar;

/// At most so many ticks stand on an axis.
const MOST_TICKS: usize = 8;
/// Share of its range that an axis reaches beyond the values.
const MARGIN: f64 = 0.05;
/// Half the range around a single value.
const LONELY: f64 = 0.5;

/// How values are spread over an axis.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Scale {
    /// Equal differences are equally far apart.
    #[default]
    Linear,
    /// Equal ratios are equally far apart; values must be above 0.
    Log,
}

/// One axis: places are values, or their decimal logarithms.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Axis {
    pub(crate) scale: Scale,
    /// First and last place.
    pub(crate) from: f64,
    pub(crate) to: f64,
    /// Places with a number below.
    pub(crate) ticks: Vec<f64>,
}

impl Axis {
    /// An axis over `values`, with a tick at each if they are few.
    pub(crate) fn over(values: &[f64], scale: Scale) -> Self {
        let mut places: Vec<f64> = values.iter().map(|value| place(*value, scale)).collect();
        places.sort_by(f64::total_cmp);
        places.dedup();
        let (from, to) = widened(&places);
        let apart = places.windows(2).all(|pair| (pair[1] - pair[0]) * 20.0 > to - from);
        let few = (1..=MOST_TICKS).contains(&places.len());
        let ticks = if few && apart { places } else { round_ticks(from, to) };
        Self { scale, from, to, ticks }
    }

    /// An axis from the first edge of bars to the last.
    pub(crate) fn of_bars(bars: &[Bar]) -> Self {
        let edges: Vec<f64> = bars.iter().flat_map(|bar| [bar.from, bar.to]).collect();
        let (from, to) = (edges.first().copied().unwrap_or(0.0), edges.last().copied().unwrap_or(1.0));
        Self { from, to, ..Self::over(&edges, Scale::Linear) }
    }

    /// An axis over percentages, with round ticks and inside 0 to 100.
    pub(crate) fn percent(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (from, to) = widened(&sorted);
        let (from, to) = (from.max(0.0), to.min(100.0));
        Self { scale: Scale::Linear, from, to, ticks: round_ticks(from, to) }
    }

    /// An axis from 0 to a count.
    pub(crate) fn count(most: f64) -> Self {
        let to = (most * (1.0 + MARGIN)).max(1.0);
        Self { scale: Scale::Linear, from: 0.0, to, ticks: round_ticks(0.0, to) }
    }

    /// Where a value stands.
    pub(crate) fn place(&self, value: f64) -> f64 {
        place(value, self.scale)
    }

    /// The number at a place.
    pub(crate) fn text(&self, place: f64) -> String {
        let value = match self.scale {
            Scale::Linear => place,
            Scale::Log => libm::pow(10.0, place),
        };
        // Ten digits hide what the logarithm rounds away.
        let rounded = format!("{value:.6}");
        rounded.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

fn place(value: f64, scale: Scale) -> f64 {
    match scale {
        Scale::Linear => value,
        Scale::Log => libm::log10(value),
    }
}

/// The range of ascending places with a margin.
fn widened(places: &[f64]) -> (f64, f64) {
    let (Some(first), Some(last)) = (places.first(), places.last()) else { return (0.0, 1.0) };
    let margin = if first == last { LONELY } else { MARGIN * (last - first) };
    (first - margin, last + margin)
}

/// Multiples of 1, 2 or 5 times a power of ten inside of a range.
fn round_ticks(from: f64, to: f64) -> Vec<f64> {
    let span = to - from;
    if span <= 0.0 || !span.is_finite() {
        return vec![from];
    }
    let power = libm::pow(10.0, libm::log10(span / MOST_TICKS as f64).floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].into_iter().map(|times| times * power).find(|step| span / step <= MOST_TICKS as f64);
    let step = step.unwrap_or(span);
    #[expect(clippy::cast_possible_truncation, reason = "a handful of steps")]
    let (first, last) = ((from / step).ceil() as i64, (to / step).floor() as i64);
    (first..=last).map(|times| times as f64 * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_have_a_tick_each() {
        let axis = Axis::over(&[10.0, 1.0, 50.0, 10.0], Scale::Log);
        assert_eq!(axis.ticks.iter().map(|place| axis.text(*place)).collect::<Vec<_>>(), ["1", "10", "50"]);
        assert!(axis.from < 0.0 && axis.to > libm::log10(50.0));
    }

    #[test]
    fn many_values_have_round_ticks() {
        let values: Vec<f64> = (1..=300).map(f64::from).collect();
        let axis = Axis::over(&values, Scale::Linear);
        assert_eq!(axis.ticks, [0.0, 50.0, 100.0, 150.0, 200.0, 250.0, 300.0]);
        assert_eq!(Axis::percent(&[41.0, 58.5]).ticks, [45.0, 50.0, 55.0]);
    }

    #[test]
    fn percentages_stay_percentages() {
        let axis = Axis::percent(&[0.0, 100.0]);
        assert_eq!((axis.from, axis.to), (0.0, 100.0));
    }

    #[test]
    fn one_value_and_none_have_an_axis() {
        assert_eq!(Axis::over(&[3.0], Scale::Linear).ticks, [3.0]);
        assert!(!Axis::over(&[], Scale::Linear).ticks.is_empty());
    }
}
