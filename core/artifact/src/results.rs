//! How well nets do that were trained on sets: what `evaluate` gives.

use std::collections::BTreeMap;

use serde_json::Value;

use super::container::read_note;
use super::error::ArtifactError;
use super::results_format::{ARTIFACT, PhaseWire, PointWire, ReadingWire, ResultsWire, VERSION};
use super::statistics::{mean, sample_deviation};

/// What a result can be arranged by besides its labels: when in its training. No label may have such a name.
pub const TIME_LABELS: [&str; 4] = ["phase", "classes_seen", "stage", "epoch"];

/// Readings that are no accuracies but differences and scores of them, from -1 to 1 (the kind `rank`).
pub const SCORE_READINGS: [&str; 4] = ["hlr", "ior", "lrs", "ars"];

/// The reading that is the share of the real training images that the sets were made from, 0 to 1.
pub const DATA_USED: &str = "data_used";

/// The reading that results report themselves.
const REPORTED: &str = "reported";

/// Test accuracy of every net at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// Stage of progressive training, from 1.
    pub stage: usize,
    /// Epochs of the stage that were done.
    pub epoch: u64,
    /// Of each net, 0 to 1; of a reading of [`SCORE_READINGS`] -1 to 1.
    pub accuracies: Vec<f64>,
}

impl Reading {
    /// Mean over the nets, 0 to 1.
    #[must_use]
    pub fn mean(&self) -> f64 {
        mean(&self.accuracies)
    }
}

/// One point of the accuracy over time.
#[derive(Clone, Debug, PartialEq)]
pub struct CurvePoint {
    /// Test accuracies at that moment.
    pub reading: Reading,
    /// Mean accuracy on held-out real training images, where there are some.
    pub held_out: Option<f64>,
    /// Where it is in class-incremental learning; `None` elsewhere.
    pub phase: Option<Phase>,
}

/// A phase of class-incremental learning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase {
    /// From 1.
    pub number: usize,
    /// Number of classes of this phase and all before it: those that are tested.
    pub classes_seen: usize,
}

/// The result of an evaluation.
#[derive(Clone, Debug, PartialEq)]
pub struct Results {
    /// Label for tables.
    pub method: String,
    /// What tables can be arranged by besides the method: `model`, `ipc`, `source`, `training`, `sets`, ...
    pub labels: BTreeMap<String, Value>,
    /// Which moment is reported: `last`, `best_on_held_out` or `best_on_test`.
    pub rule: String,
    /// The accuracies at that moment.
    pub reported: Reading,
    /// The moments of the other rules by their names, and other readings, such as [`DATA_USED`]. They never replace the reported one.
    pub others: BTreeMap<String, Reading>,
    /// All moments that were measured, in the order of time.
    pub curve: Vec<CurvePoint>,
    /// Every parameter of the evaluation.
    pub protocol: Value,
}

impl Results {
    /// The bytes of the artifact: JSON.
    ///
    /// # Errors
    /// When there is no net, or an accuracy is not between 0 and 1.
    pub fn encode(&self) -> Result<Vec<u8>, ArtifactError> {
        self.check()?;
        let wire = ResultsWire {
            artifact: ARTIFACT.to_owned(),
            version: VERSION,
            method: self.method.clone(),
            labels: self.labels.clone(),
            rule: self.rule.clone(),
            reported: reading_wire(&self.reported),
            others: self.others.iter().map(|(rule, reading)| (rule.clone(), reading_wire(reading))).collect(),
            curve: self.curve.iter().map(point_wire).collect(),
            protocol: self.protocol.clone(),
        };
        serde_json::to_vec(&wire).map_err(|source| ArtifactError::Note { artifact: ARTIFACT, source })
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// When the bytes are damaged, of another artifact or version, or contradict themselves.
    pub fn decode(bytes: &[u8]) -> Result<Self, ArtifactError> {
        let text = std::str::from_utf8(bytes).map_err(|_| ArtifactError::content(ARTIFACT, "it is not text"))?;
        let wire: ResultsWire = read_note(ARTIFACT, VERSION, text)?;
        let results = Self {
            method: wire.method,
            labels: wire.labels,
            rule: wire.rule,
            reported: reading(wire.reported),
            others: wire.others.into_iter().map(|(rule, wire)| (rule, reading(wire))).collect(),
            curve: wire.curve.into_iter().map(point).collect(),
            protocol: wire.protocol,
        };
        results.check()?;
        Ok(results)
    }

    /// The accuracies by the rule of this name, with the rule; `reported` stands for the rule that is reported.
    #[must_use]
    pub fn reading(&self, name: &str) -> Option<(&str, &Reading)> {
        if name == REPORTED || name == self.rule {
            return Some((&self.rule, &self.reported));
        }
        self.others.get_key_value(name).map(|(rule, reading)| (rule.as_str(), reading))
    }

    /// The names that [`Self::reading`] knows.
    #[must_use]
    pub fn reading_names(&self) -> Vec<&str> {
        let others = self.others.keys().map(String::as_str);
        [REPORTED, self.rule.as_str()].into_iter().chain(others).collect()
    }

    /// A value to arrange tables by: `method`, one of the labels, or a parameter of the protocol.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<Value> {
        if name == "method" {
            return Some(self.method.clone().into());
        }
        self.labels.get(name).or_else(|| self.protocol.get(name)).cloned()
    }

    /// The names that [`Self::label`] knows.
    #[must_use]
    pub fn label_names(&self) -> Vec<String> {
        let protocol = self.protocol.as_object().into_iter().flatten().map(|(name, _)| name);
        let mut names: Vec<String> = self.labels.keys().chain(protocol).cloned().collect();
        names.push("method".to_owned());
        names.sort();
        names.dedup();
        names
    }

    fn check(&self) -> Result<(), ArtifactError> {
        let curve = self.curve.iter().map(|point| (0.0, &point.reading));
        let least = |name: &String| if SCORE_READINGS.contains(&name.as_str()) { -1.0 } else { 0.0 };
        let others = self.others.iter().map(|(name, reading)| (least(name), reading));
        for (least, reading) in std::iter::once((0.0, &self.reported)).chain(others).chain(curve) {
            let (nets, expected) = (reading.accuracies.len(), self.reported.accuracies.len());
            if nets == 0 || nets != expected {
                let message =
                    format!("{nets} accuracies at stage {}, epoch {} of {expected} nets", reading.stage, reading.epoch);
                return Err(ArtifactError::content(ARTIFACT, message));
            }
            if let Some(accuracy) = reading.accuracies.iter().find(|accuracy| !(least..=1.0).contains(*accuracy)) {
                let message = format!("an accuracy is {accuracy}, not between {least} and 1");
                return Err(ArtifactError::content(ARTIFACT, message));
            }
        }
        Ok(())
    }
}

fn reading_wire(reading: &Reading) -> ReadingWire {
    let accuracies = reading.accuracies.clone();
    let (mean, std) = (mean(&accuracies), sample_deviation(&accuracies));
    ReadingWire { stage: reading.stage, epoch: reading.epoch, accuracies, mean, std }
}

fn reading(wire: ReadingWire) -> Reading {
    Reading { stage: wire.stage, epoch: wire.epoch, accuracies: wire.accuracies }
}

fn point_wire(point: &CurvePoint) -> PointWire {
    let Reading { stage, epoch, accuracies } = point.reading.clone();
    let phase = point.phase.map(|Phase { number, classes_seen }| PhaseWire { number, classes_seen });
    PointWire { stage, epoch, accuracies, held_out: point.held_out, phase }
}

fn point(wire: PointWire) -> CurvePoint {
    let reading = Reading { stage: wire.stage, epoch: wire.epoch, accuracies: wire.accuracies };
    let phase = wire.phase.map(|PhaseWire { number, classes_seen }| Phase { number, classes_seen });
    CurvePoint { reading, held_out: wire.held_out, phase }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample() -> Results {
        let reading = |epoch, accuracies: &[f64]| Reading { stage: 1, epoch, accuracies: accuracies.to_vec() };
        Results {
            method: "dm".into(),
            labels: BTreeMap::from([("ipc".into(), json!(10))]),
            rule: "last".into(),
            reported: reading(20, &[0.5, 0.1 + 0.2]),
            others: BTreeMap::from([("best_on_test".into(), reading(10, &[0.75, 0.5]))]),
            curve: vec![CurvePoint {
                reading: reading(10, &[0.75, 0.5]),
                held_out: Some(1.0 / 3.0),
                phase: Some(Phase { number: 1, classes_seen: 20 }),
            }],
            protocol: json!({ "epochs": 20, "lr": 0.01 }),
        }
    }

    #[test]
    fn results_come_back_bit_for_bit() {
        let results = sample();
        assert_eq!(Results::decode(&results.encode().unwrap()).unwrap(), results);
    }

    #[test]
    fn unknown_fields_versions_and_nonsense_are_refused() {
        let text = String::from_utf8(sample().encode().unwrap()).unwrap();
        let check = |from: &str, to: &str, expected: &str| {
            let changed = text.replacen(from, to, 1);
            assert_ne!(changed, text, "{from} is not in the text");
            let error = Results::decode(changed.as_bytes()).unwrap_err();
            let shown = format!("{error} {:?}", std::error::Error::source(&error));
            assert!(shown.contains(expected), "{shown}");
        };
        check("\"version\":3", "\"version\":4", "format version 4");
        check("\"version\":3", "\"version\":3,\"extra\":0", "extra");
        check("\"artifact\":\"results\"", "\"artifact\":\"set\"", "found `set`");
        check("[0.5,", "[1.5,", "an accuracy is 1.5");
        check("[0.5,", "[", "of 1 nets");
        check("{", "", "cannot be read");
    }

    #[test]
    fn only_scores_may_be_negative() {
        let with = |name: &str| {
            let mut results = sample();
            results.others.insert(name.to_owned(), Reading { stage: 1, epoch: 20, accuracies: vec![-0.25, 0.5] });
            results.encode()
        };
        assert!(with("hlr").is_ok());
        assert!(with("best_on_held_out").unwrap_err().to_string().contains("-0.25"));
    }

    #[test]
    fn labels_are_found_by_name() {
        let results = sample();
        assert_eq!(results.label("ipc"), Some(json!(10)));
        assert_eq!(results.label("epochs"), Some(json!(20)));
        assert_eq!(results.label("method"), Some(json!("dm")));
        assert_eq!(results.label_names(), ["epochs", "ipc", "lr", "method"]);
    }
}
