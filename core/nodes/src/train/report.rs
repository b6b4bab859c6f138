//! How accurate the nets became, as results.

use std::collections::BTreeMap;

use pddflow_artifact::{CurvePoint, Reading, Results};
use serde_json::{Value, json};

use super::experts::Expert;
use super::params::TrainParams;

/// Which moment counts.
const RULE: &str = "last epoch";
/// Label of nets that learned from the real data.
const METHOD: &str = "real data";

/// The results of all nets; every one was measured at the same epochs. `on` says on which images.
pub(super) fn results(nets: &[Expert], params: &TrainParams, protocol: &Value, source: &str, on: &str) -> Results {
    let epochs = nets.first().map_or(&[][..], |net| &net.notes);
    let reading = |(place, (epoch, _)): (usize, &(u64, f64))| {
        let accuracies = nets.iter().filter_map(|net| net.notes.get(place)).map(|point| point.1).collect();
        Reading { stage: 1, epoch: *epoch, accuracies }
    };
    let readings: Vec<Reading> = epochs.iter().enumerate().map(reading).collect();
    let last = readings.last().cloned();
    Results {
        method: params.method.clone().unwrap_or_else(|| METHOD.to_owned()),
        labels: BTreeMap::from([
            ("model".to_owned(), json!(params.model.id)),
            ("source".to_owned(), json!(source)),
            ("measured_on".to_owned(), json!(on)),
        ]),
        rule: RULE.to_owned(),
        reported: last.unwrap_or(Reading { stage: 1, epoch: 0, accuracies: Vec::new() }),
        others: BTreeMap::new(),
        curve: readings.into_iter().map(|reading| CurvePoint { reading, held_out: None, phase: None }).collect(),
        protocol: protocol.clone(),
    }
}
