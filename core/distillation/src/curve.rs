//! Numbers over the iterations, in bounded space.

use std::collections::BTreeMap;

use pddflow_artifact::{ArtifactError, Curve};
use serde::{Deserialize, Serialize};

/// The metric that progress shows.
pub(crate) const LOSS: &str = "loss";
/// Points kept per name; when there are more, every second one goes.
const MOST_POINTS: usize = 1024;

/// Metrics by name, each as points `(iteration, value)` at a regular distance.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Curves {
    series: BTreeMap<String, Series>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Series {
    stride: u64,
    points: Vec<(u64, f64)>,
    last: (u64, f64),
}

impl Curves {
    /// Notes one value; later values of the same name and iteration replace earlier ones.
    pub(crate) fn push(&mut self, name: &str, iteration: u64, value: f64) {
        let series = self.series.entry(name.to_owned()).or_insert_with(|| Series {
            stride: 1,
            points: Vec::new(),
            last: (iteration, value),
        });
        series.last = (iteration, value);
        if !iteration.is_multiple_of(series.stride) {
            return;
        }
        match series.points.last_mut() {
            Some(point) if point.0 == iteration => point.1 = value,
            _ => series.points.push((iteration, value)),
        }
        if series.points.len() > MOST_POINTS {
            series.stride *= 2;
            let stride = series.stride;
            series.points.retain(|(iteration, _)| iteration.is_multiple_of(stride));
        }
    }

    /// The latest value of a name.
    pub(crate) fn last(&self, name: &str) -> Option<f64> {
        self.series.get(name).map(|series| series.last.1)
    }

    /// The value of a name if every one of its points has it, and there are at least so many.
    pub(crate) fn constant(&self, name: &str, least: usize) -> Option<f64> {
        let series = self.series.get(name).filter(|series| series.points.len() >= least)?;
        let value = series.last.1;
        series.points.iter().all(|point| point.1 == value).then_some(value)
    }

    /// The latest value of every name.
    pub(crate) fn latest(&self) -> BTreeMap<String, f64> {
        self.series.iter().map(|(name, series)| (name.clone(), series.last.1)).collect()
    }

    /// The bytes of the artifact `curve`.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, ArtifactError> {
        Curve { series: self.points() }.encode()
    }

    /// Every name with its points; the latest point is always among them.
    fn points(&self) -> BTreeMap<String, Vec<(u64, f64)>> {
        let with_last = |series: &Series| {
            let mut points = series.points.clone();
            if points.last().is_none_or(|point| point.0 != series.last.0) {
                points.push(series.last);
            }
            points
        };
        self.series.iter().map(|(name, series)| (name.clone(), with_last(series))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_constant_when_all_its_values_are_one() {
        let mut curves = Curves::default();
        (0..3).for_each(|iteration| curves.push("loss", iteration, 0.5));
        assert_eq!(
            (curves.constant("loss", 3), curves.constant("loss", 4), curves.constant("other", 1)),
            (Some(0.5), None, None)
        );
        curves.push("loss", 3, 0.25);
        assert_eq!(curves.constant("loss", 3), None);
    }

    #[test]
    fn a_long_curve_stays_bounded_and_regular() {
        let mut curves = Curves::default();
        for iteration in 0..10_000 {
            curves.push("loss", iteration, iteration as f64);
        }
        let points = &curves.points()["loss"];
        assert!(points.len() <= MOST_POINTS + 1, "{}", points.len());
        assert_eq!(points[1].0 - points[0].0, points[2].0 - points[1].0);
        assert_eq!(points.last(), Some(&(9_999, 9_999.0)));
    }

    #[test]
    fn a_second_value_of_an_iteration_replaces_the_first() {
        let mut curves = Curves::default();
        curves.push("loss", 0, 1.0);
        curves.push("loss", 0, 2.0);
        assert_eq!(curves.points()["loss"], [(0, 2.0)]);
    }
}
