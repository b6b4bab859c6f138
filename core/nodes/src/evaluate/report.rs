//! The results of an evaluation as an artifact.

use std::collections::BTreeMap;

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_artifact::{CurvePoint, DATA_USED, Reading, RealImages, Results};
use pddflow_runner::{NodeContext, NodeError, Outputs};
use pddflow_training::made_of::{MADE_OF, made_of};
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
    mut protocol: Value,
    made: &Made<'_>,
    context: &NodeContext<'_>,
) -> NodeResult<Outputs> {
    protocol[MADE_OF] = made_of(made.data, made.sets.iter().map(|set| &set.made_by));
    let reported = summary.moment(params.report).ok_or_else(|| {
        fail("no_reading", format!("there is nothing to choose `{}` from", params.report.name()))
            .with_help("give `curve_every`")
    })?;
    let others = Report::ALL.into_iter().filter(|rule| *rule != params.report);
    let mut others: BTreeMap<String, Reading> =
        others.filter_map(|rule| Some((rule.name().to_owned(), reading(summary.moment(rule)?)))).collect();
    if let Some(share) = data_used(made) {
        let accuracies = vec![share; reported.test.len()];
        others.insert(DATA_USED.to_owned(), Reading { accuracies, ..reading(reported) });
    }
    let method = nets.method.clone().or_else(|| made.sets.last().map(|set| set.method.clone()));
    let results = Results {
        method: method.unwrap_or_else(|| FULL.to_owned()),
        labels: labels(nets, params.training, &protocol, made),
        rule: params.report.name().to_owned(),
        reported: reading(reported),
        others,
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
    let kernel = &protocol["regression"]["kernel"];
    let reader = match &nets.model {
        // A kernel of its own formula is what reads the set, whatever net is named beside it.
        Some(model) if kernel.is_null() || kernel["features"].is_object() => json!(model),
        _ => kernel.clone(),
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

/// The share of the training images that the sets were made from, where all of them say so. Sets of one data set share its images; two
/// data sets are taken to have none in common, as the parts of one have none. None where they have more than there are: then they are
/// no parts of these data.
fn data_used(Made { data, sets }: &Made<'_>) -> Option<f64> {
    let real: Option<Vec<&RealImages>> = sets.iter().map(|set| set.real_images.as_ref()).collect();
    let counts: BTreeMap<&str, usize> = real?.into_iter().map(|real| (real.data.as_str(), real.count)).collect();
    let (used, all) = (counts.values().sum::<usize>(), data.train.rows());
    (!counts.is_empty() && used <= all).then(|| used as f64 / all as f64)
}

fn reading(moment: &Moment) -> Reading {
    Reading { stage: moment.stage, epoch: moment.epoch, accuracies: moment.test.clone() }
}

fn point(moment: &Moment) -> CurvePoint {
    CurvePoint { reading: reading(moment), held_out: moment.held_out, phase: None }
}
