//! From the points of several nets to the readings that are reported.

use std::collections::BTreeMap;

use super::protocol::{Point, Trained};
use crate::artifact::population_spread;

/// All nets at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Moment {
    /// Stage, from 1.
    pub(super) stage: usize,
    /// Epochs of the stage that are done.
    pub(super) epoch: u64,
    /// Test accuracy of each net, 0 to 1.
    pub(super) test: Vec<f64>,
    /// Their mean accuracy on the held-out images.
    pub(super) held_out: Option<f64>,
}

/// What several nets did.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Summary {
    /// In the order of time.
    pub(super) moments: Vec<Moment>,
}

impl Summary {
    /// Puts the nets' points side by side; every net was measured at the same moments.
    pub(super) fn of(nets: &[Trained]) -> Self {
        let points: Vec<&[Point]> = nets.iter().map(|net| net.points.as_slice()).collect();
        let first = points.first().copied().unwrap_or_default();
        let moment = |(number, point): (usize, &Point)| {
            let at = |points: &&[Point]| points.get(number).copied();
            let all: Vec<Point> = points.iter().filter_map(at).collect();
            let held_out: Option<Vec<f64>> = all.iter().map(|point| point.held_out).collect();
            Moment {
                stage: point.stage,
                epoch: point.epoch,
                test: all.iter().map(|point| point.test).collect(),
                held_out: held_out.map(|values| population_spread(&values).0),
            }
        };
        Self { moments: first.iter().enumerate().map(moment).collect() }
    }

    /// The end of the last stage: what is reported.
    pub(super) fn last(&self) -> Option<&Moment> {
        self.moments.last()
    }

    /// The moment that was best on the held-out images; the earliest among equals.
    pub(super) fn best_on_held_out(&self) -> Option<&Moment> {
        best(&self.moments, |moment| moment.held_out)
    }

    /// The moment that was best on the test images: the protocol of several papers, and too good to be true.
    pub(super) fn best_on_test(&self) -> Option<&Moment> {
        if self.moments.len() < 2 {
            return None;
        }
        best(&self.moments, |moment| Some(population_spread(&moment.test).0))
    }

    /// Named numbers for the record, in percent.
    pub(super) fn metrics(&self) -> BTreeMap<String, f64> {
        let mut metrics = BTreeMap::new();
        let mut put = |name: &str, moment: Option<&Moment>| {
            if let Some(moment) = moment {
                let (mean, std) = population_spread(&moment.test);
                metrics.insert(name.to_owned(), 100.0 * mean);
                metrics.insert(format!("{name}_std"), 100.0 * std);
            }
        };
        put("accuracy", self.last());
        put("accuracy_best_on_held_out", self.best_on_held_out());
        put("accuracy_best_on_test", self.best_on_test());
        metrics
    }
}

fn best(moments: &[Moment], score: impl Fn(&Moment) -> Option<f64>) -> Option<&Moment> {
    let mut found: Option<(f64, &Moment)> = None;
    for moment in moments {
        let Some(value) = score(moment) else { continue };
        if found.is_none_or(|(best, _)| value > best) {
            found = Some((value, moment));
        }
    }
    found.map(|(_, moment)| moment)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(epoch: u64, test: &[f64], held_out: Option<f64>) -> Moment {
        Moment { stage: 1, epoch, test: test.to_vec(), held_out }
    }

    #[test]
    fn the_three_readings_are_kept_apart() {
        let summary = Summary {
            moments: vec![
                moment(1, &[0.5, 0.7], Some(0.9)),
                moment(2, &[0.8, 0.8], Some(0.2)),
                moment(3, &[0.3, 0.3], Some(0.3)),
            ],
        };
        let metrics = summary.metrics();
        assert_eq!(metrics["accuracy"], 30.0);
        assert_eq!(metrics["accuracy_best_on_held_out"], 60.0);
        assert_eq!(metrics["accuracy_best_on_test"], 80.0);
    }

    #[test]
    fn without_held_out_images_there_is_no_such_reading() {
        let summary = Summary { moments: vec![moment(1, &[0.5], None), moment(2, &[0.4], None)] };
        assert!(!summary.metrics().contains_key("accuracy_best_on_held_out"));
    }

    #[test]
    fn one_moment_has_no_best() {
        let summary = Summary { moments: vec![moment(1, &[0.5], None)] };
        assert_eq!(summary.metrics().len(), 2);
    }
}
