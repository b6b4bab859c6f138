//! The results of an evaluation as an artifact.

use std::collections::BTreeMap;

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_artifact::{CurvePoint, Reading, Results};
use pddflow_runner::{NodeContext, NodeError, Outputs};
use pddflow_training::recipe::NetsParams;
use pddflow_training::segments::Training;
use pddflow_training::sets::LoadedSet;
use pddflow_training::splits::Prepared;
use pddflow_training::summary::{Moment, Report, Summary};
use serde_json::{Value, json};

use super::params::EvaluateParams;

/// Label `ipc` and name of the method of nets that were trained on all of the data.
const FULL: &str = "full";

/// What the nets were trained on.
pub(super) struct Made<'a> {
    pub(super) data: &'a Prepared,
    pub(super) sets: &'a [LoadedSet],
}

/// Stores the results; the record gets the accuracies in percent, and how many images each net was shown.
pub(super) fn report(
    summary: &Summary,
    (nets, params): (&NetsParams, &EvaluateParams),
    protocol: Value,
    made: &Made<'_>,
    context: &NodeContext<'_>,
) -> NodeResult<Outputs> {
    let reported = summary.moment(params.report).ok_or_else(|| {
        fail("no_reading", format!("there is nothing to choose `{}` from", params.report.name()))
            .with_help("give `curve_every`")
    })?;
    let others = Report::ALL.into_iter().filter(|rule| *rule != params.report);
    let method = nets.method.clone().or_else(|| made.sets.last().map(|set| set.method.clone()));
    let results = Results {
        method: method.unwrap_or_else(|| FULL.to_owned()),
        labels: labels(nets, params.training, &protocol, made),
        rule: params.report.name().to_owned(),
        reported: reading(reported),
        others: others.filter_map(|rule| Some((rule.name().to_owned(), reading(summary.moment(rule)?)))).collect(),
        curve: summary.moments.iter().map(point).collect(),
        protocol,
    };
    if results.curve.is_empty() {
        return Err(NodeError::internal("no accuracy was measured"));
    }
    let digest = context.put(&results.encode()?).during("storing the results")?;
    let mut metrics = summary.metrics();
    metrics.extend(results.protocol["presented_images"].as_f64().map(|images| ("presented_images".to_owned(), images)));
    Ok(Outputs { artifacts: BTreeMap::from([("results".to_owned(), digest)]), metrics })
}

/// What tables can be arranged by; the node's own `labels` come first.
fn labels(
    nets: &NetsParams,
    training: Training,
    protocol: &Value,
    Made { data, sets }: &Made<'_>,
) -> BTreeMap<String, Value> {
    let ipc = if sets.is_empty() { json!(FULL) } else { json!(sets.iter().map(|set| set.ipc).sum::<usize>()) };
    let reader = match (&nets.model, &protocol["regression"]["kernel"]) {
        (None, kernel) => kernel.clone(),
        (Some(model), _) => json!(model),
    };
    let mut labels = BTreeMap::from([
        ("model".to_owned(), reader),
        ("ipc".to_owned(), ipc),
        ("sets".to_owned(), json!(sets.len())),
        ("source".to_owned(), json!(data.dataset.source())),
        ("training".to_owned(), json!(training)),
    ]);
    if sets.iter().any(LoadedSet::is_soft) {
        labels.insert("soft_labels".to_owned(), json!(true));
    }
    labels.extend(nets.labels.clone());
    labels
}

fn reading(moment: &Moment) -> Reading {
    Reading { stage: moment.stage, epoch: moment.epoch, accuracies: moment.test.clone() }
}

fn point(moment: &Moment) -> CurvePoint {
    CurvePoint { reading: reading(moment), held_out: moment.held_out, phase: None }
}
