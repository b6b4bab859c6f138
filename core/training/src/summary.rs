//! From the points of several nets to the readings that are reported.

use std::collections::BTreeMap;

use pddflow_artifact::statistics::{accuracy_metrics, mean};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::evaluation::Point;
use crate::trainer::Segment;

/// Which moment of the training counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// The end of the last stage.
    #[default]
    Last,
    /// The moment at which the nets were best, on average, on held-out real training images.
    BestOnHeldOut,
    /// The moment at which the nets were best, on average, on the test images: what several papers report, and too good to
    /// be true.
    BestOnTest,
}

impl Report {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 3] = [Self::Last, Self::BestOnHeldOut, Self::BestOnTest];

    /// Its name in pipeline files and results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Last => "last",
            Self::BestOnHeldOut => "best_on_held_out",
            Self::BestOnTest => "best_on_test",
        }
    }

    /// Name of its accuracy in a record. `accuracy` alone is always the last epoch's.
    fn metric(self) -> String {
        match self {
            Self::Last => "accuracy".to_owned(),
            other => format!("accuracy_{}", other.name()),
        }
    }
}

/// All nets at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// Phase of class-incremental learning, from 1.
    pub phase: usize,
    /// Stage, from 1.
    pub stage: usize,
    /// Epochs of the stage that are done.
    pub epoch: u64,
    /// Test accuracy of each net, 0 to 1.
    pub test: Vec<f64>,
    /// Their mean accuracy on the held-out images.
    pub held_out: Option<f64>,
}

impl Moment {
    /// Mean test accuracy over the nets.
    #[must_use]
    pub fn mean(&self) -> f64 {
        mean(&self.test)
    }

    /// Mean and, for several nets, standard deviation of the test accuracy in percent, as metrics of a record.
    pub fn metrics(&self, name: &str) -> impl Iterator<Item = (String, f64)> + use<> {
        accuracy_metrics(name, &self.test)
    }
}

/// What several nets did.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// In the order of time.
    pub moments: Vec<Moment>,
}

impl Summary {
    /// Puts the nets' points side by side; every net was measured at the same moments.
    pub fn of(nets: &[Vec<Point>], segments: &[Segment]) -> Self {
        let first = nets.first().map(Vec::as_slice).unwrap_or_default();
        let moment = |(number, point): (usize, &Point)| {
            let all: Vec<Point> = nets.iter().filter_map(|points| points.get(number).copied()).collect();
            let held_out: Option<Vec<f64>> = all.iter().map(|point| point.held_out).collect();
            Moment {
                phase: segments[point.segment].phase,
                stage: segments[point.segment].stage,
                epoch: point.epoch,
                test: all.iter().map(|point| point.test).collect(),
                held_out: held_out.map(|values| mean(&values)),
            }
        };
        Self { moments: first.iter().enumerate().map(moment).collect() }
    }

    /// The moment that a rule picks, the earliest among equals; `None` where the rule has nothing to choose from.
    pub fn moment(&self, rule: Report) -> Option<&Moment> {
        match rule {
            Report::Last => self.moments.last(),
            Report::BestOnHeldOut => best(&self.moments, |moment| moment.held_out),
            Report::BestOnTest if self.moments.len() < 2 => None,
            Report::BestOnTest => best(&self.moments, |moment| Some(moment.mean())),
        }
    }

    /// Named numbers for the record, in percent: the accuracy on the test images at the moment of each rule, and that on the
    /// held-out images at the end.
    pub fn metrics(&self) -> BTreeMap<String, f64> {
        let of = |rule: Report| self.moment(rule).into_iter().flat_map(move |moment| moment.metrics(&rule.metric()));
        let held_out = self.moments.last().and_then(|moment| moment.held_out);
        let held_out = held_out.map(|share| ("accuracy_on_held_out".to_owned(), 100.0 * share));
        Report::ALL.into_iter().flat_map(of).chain(held_out).collect()
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
    use pddflow_host::Labels;
    use pddflow_tensor::{DType, Device, Tensor};

    use super::*;
    use crate::samples::Samples;

    fn moment(epoch: u64, test: &[f64], held_out: Option<f64>) -> Moment {
        Moment { phase: 1, stage: 1, epoch, test: test.to_vec(), held_out }
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
        assert_eq!(metrics["accuracy_on_held_out"], 30.0, "of the last epoch: to choose a learning rate by");
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
        assert_eq!(summary.metrics().len(), 1);
    }

    #[test]
    fn the_deviation_is_that_of_a_sample_of_nets() {
        let images = Tensor::zeros(&[1, 1, 1, 1], DType::F32, &Device::Cpu).unwrap();
        let labels = Labels::Hard(Tensor::from_i64(vec![0], &[1], &Device::Cpu).unwrap());
        let segment = Segment { phase: 2, stage: 3, ..Segment::new(Samples { images, labels }, 0.1) };
        let net = |test: f64| vec![Point { segment: 0, epoch: 4, test, held_out: None }];
        let summary = Summary::of(&[net(0.25), net(0.75)], &[segment]);
        assert_eq!(summary.moments, [Moment { phase: 2, stage: 3, epoch: 4, test: vec![0.25, 0.75], held_out: None }]);
        assert_eq!(summary.metrics()["accuracy_std"], 25.0 * 2.0_f64.sqrt());
    }
}
