//! The results of an evaluation as an artifact.

use std::collections::BTreeMap;

use pddflow_cache::Store;
use pddflow_runner::{NodeError, Outputs};
use serde_json::{Value, json};

use super::params::EvaluateParams;
use super::summary::{Moment, Summary};
use crate::artifact::{CurvePoint, Reading, Results};
use crate::failure::{During, NodeResult};
use crate::sets::LoadedSet;
use crate::splits::Prepared;

/// Which moment counts.
const RULE: &str = "last epoch";

/// Stores the results; the record gets the accuracies in percent.
pub(super) fn report(
    summary: &Summary,
    params: &EvaluateParams,
    protocol: &Value,
    data: (&Prepared, &[LoadedSet]),
    store: &dyn Store,
) -> NodeResult<Outputs> {
    let (data, sets) = data;
    let last = summary.last().ok_or_else(|| NodeError::internal("no accuracy was measured"))?;
    let others = [("best_on_held_out", summary.best_on_held_out()), ("best_on_test", summary.best_on_test())];
    let method = params.method.clone().or_else(|| sets.last().map(|set| set.method.clone()));
    let results = Results {
        method: method.unwrap_or_default(),
        labels: BTreeMap::from([
            ("model".to_owned(), json!(params.model.id)),
            ("ipc".to_owned(), json!(sets.iter().map(|set| set.ipc).sum::<usize>())),
            ("sets".to_owned(), json!(sets.len())),
            ("source".to_owned(), json!(data.dataset.source())),
            ("training".to_owned(), json!(params.training)),
        ]),
        rule: RULE.to_owned(),
        reported: reading(last),
        others: others.into_iter().filter_map(|(rule, moment)| Some((rule.to_owned(), reading(moment?)))).collect(),
        curve: summary.moments.iter().map(point).collect(),
        protocol: protocol.clone(),
    };
    let digest = store.put(&results.encode()?).during("storing the results")?;
    Ok(Outputs { artifacts: BTreeMap::from([("results".to_owned(), digest)]), metrics: summary.metrics() })
}

fn reading(moment: &Moment) -> Reading {
    Reading { stage: moment.stage, epoch: moment.epoch, accuracies: moment.test.clone() }
}

fn point(moment: &Moment) -> CurvePoint {
    CurvePoint { reading: reading(moment), held_out: moment.held_out }
}
