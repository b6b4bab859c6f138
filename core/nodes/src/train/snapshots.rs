//! After which epochs weights are kept.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which snapshots are kept; epoch 0 is before training.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Snapshots {
    /// Before training and after every epoch.
    #[default]
    Epoch,
    /// Before training and after every so many epochs.
    Every(u64),
    /// After these numbers of epochs.
    List(Vec<u64>),
    /// Those that segments of trajectory matching need, and no others.
    Segments(Segments),
}

/// Segments that start at `min_start` to `max_start - 1` and are `length` epochs long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Segments {
    /// First epoch at which a segment starts.
    #[serde(default)]
    pub(super) min_start: u64,
    /// The epoch after the last one at which a segment starts.
    pub(super) max_start: u64,
    /// Epochs of a segment.
    pub(super) length: u64,
}

impl Snapshots {
    /// The epochs, ascending; or why there are none within `epochs` epochs of training.
    pub(super) fn epochs(&self, epochs: u64) -> Result<Vec<u64>, String> {
        let found: BTreeSet<u64> = match self {
            Self::Epoch => (0..=epochs).collect(),
            Self::Every(0) => return Err("a stride of 0 epochs never ends: give at least 1".to_owned()),
            Self::Every(stride) => (0..=epochs / stride).map(|at| at * stride).collect(),
            Self::List(list) => list.iter().copied().collect(),
            Self::Segments(Segments { min_start, max_start, length }) => {
                if min_start >= max_start || *length == 0 {
                    return Err(format!("there is no segment of {length} epochs from {min_start}..{max_start}"));
                }
                let last = max_start.saturating_add(*length) - 1;
                if last > epochs {
                    return Err(format!(
                        "segments of {length} epochs from epoch {} on end after epoch {last}, training after {epochs}",
                        max_start - 1
                    ));
                }
                (*min_start..*max_start).flat_map(|start| [start, start + length]).collect()
            }
        };
        match found.last() {
            None => Err("the list is empty".to_owned()),
            Some(last) if *last > epochs => Err(format!("epoch {last} is after the end of training, epoch {epochs}")),
            Some(_) => Ok(found.into_iter().collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(written: serde_json::Value, epochs: u64, expected: Result<&[u64], &str>) {
        let snapshots: Snapshots = serde_json::from_value(written).unwrap();
        match (snapshots.epochs(epochs), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected),
            (Err(found), Err(expected)) => assert!(found.contains(expected), "{found}"),
            (found, _) => panic!("{found:?}"),
        }
    }

    #[test]
    fn only_what_is_needed_is_kept() {
        check(json!("epoch"), 3, Ok(&[0, 1, 2, 3]));
        check(json!({ "every": 2 }), 5, Ok(&[0, 2, 4]));
        check(json!({ "list": [4, 0, 4] }), 5, Ok(&[0, 4]));
        check(json!({ "segments": { "max_start": 2, "length": 2 } }), 3, Ok(&[0, 1, 2, 3]));
        check(json!({ "segments": { "min_start": 3, "max_start": 5, "length": 4 } }), 9, Ok(&[3, 4, 7, 8]));
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        check(json!({ "every": 0 }), 3, Err("stride of 0"));
        check(json!({ "list": [] }), 3, Err("empty"));
        check(json!({ "list": [7] }), 3, Err("epoch 7 is after"));
        check(json!({ "segments": { "max_start": 3, "length": 2 } }), 3, Err("end after epoch 4"));
        check(json!({ "segments": { "min_start": 3, "max_start": 3, "length": 2 } }), 9, Err("no segment"));
    }
}
