//! The results of class-incremental learning as an artifact.

use std::collections::BTreeMap;

use pddflow_artifact::failure::{During, NodeResult};
use pddflow_artifact::{CurvePoint, Phase, Reading, Results};
use pddflow_runner::{NodeContext, NodeError, Outputs};
use pddflow_training::recipe::NetsParams;
use pddflow_training::splits::Prepared;
use pddflow_training::summary::{Moment, Report, Summary};
use serde_json::{Value, json};

use super::load::PartSet;
use super::params::ContinualParams;
use super::phases::PhaseSets;

/// What the nets were trained on.
pub(super) struct Made<'a> {
    pub(super) data: &'a Prepared,
    pub(super) sets: &'a [PartSet],
    pub(super) phases: &'a [PhaseSets],
    /// Number of classes after each phase.
    pub(super) seen: &'a [usize],
}

/// Stores the results; the record gets the accuracies after each phase in percent.
pub(super) fn report(
    summary: &Summary,
    (nets, params): (&NetsParams, &ContinualParams),
    protocol: Value,
    made: &Made<'_>,
    context: &NodeContext<'_>,
) -> NodeResult<Outputs> {
    let last = summary.moments.last().ok_or_else(|| NodeError::internal("no accuracy was measured"))?;
    let method = nets.method.clone().or_else(|| made.sets.last().map(|set| set.method.clone()));
    let results = Results {
        method: method.unwrap_or_default(),
        labels: labels(nets, params, made),
        rule: Report::Last.name().to_owned(),
        reported: reading(last),
        others: BTreeMap::new(),
        curve: summary.moments.iter().map(|moment| point(moment, made.seen)).collect(),
        protocol,
    };
    let digest = context.put(&results.encode()?).during("storing the results")?;
    let mut metrics = metrics(summary, made.phases.len());
    metrics.extend(results.protocol["presented_images"].as_f64().map(|images| ("presented_images".to_owned(), images)));
    Ok(Outputs { artifacts: BTreeMap::from([("results".to_owned(), digest)]), metrics })
}

/// The mean and spread after each phase, and the mean over the phases.
fn metrics(summary: &Summary, phases: usize) -> BTreeMap<String, f64> {
    let mut metrics = summary.metrics();
    // The moment of the best accuracy over several phases says nothing: the first phase has the fewest classes.
    metrics.retain(|name, _| name == "accuracy" || name == "accuracy_std");
    let ends = ends(&summary.moments);
    for moment in &ends {
        metrics.extend(moment.metrics(&format!("accuracy_phase{}", moment.phase)));
    }
    let mean = ends.iter().map(|moment| moment.mean()).sum::<f64>() / phases.max(1) as f64;
    metrics.insert("accuracy_mean_of_phases".to_owned(), 100.0 * mean);
    metrics
}

/// The last moment of each phase.
fn ends(moments: &[Moment]) -> Vec<&Moment> {
    let ends = |(at, moment): &(usize, &Moment)| moments.get(at + 1).is_none_or(|next| next.phase != moment.phase);
    moments.iter().enumerate().filter(ends).map(|(_, moment)| moment).collect()
}

/// What tables can be arranged by; the node's own `labels` come first.
fn labels(nets: &NetsParams, params: &ContinualParams, made: &Made<'_>) -> BTreeMap<String, Value> {
    let ipc = |phase: &PhaseSets| phase.sets.iter().map(|set| made.sets[*set].ipc).sum::<usize>();
    let mut labels = BTreeMap::from([
        ("model".to_owned(), json!(nets.model)),
        ("ipc".to_owned(), json!(made.phases.iter().map(ipc).max())),
        ("sets".to_owned(), json!(made.sets.len())),
        ("phases".to_owned(), json!(made.phases.len())),
        ("source".to_owned(), json!(made.data.dataset.source())),
        ("training".to_owned(), json!(params.training)),
        ("mode".to_owned(), json!(params.mode)),
    ]);
    labels.extend(nets.labels.clone());
    labels
}

fn reading(moment: &Moment) -> Reading {
    Reading { stage: moment.stage, epoch: moment.epoch, accuracies: moment.test.clone() }
}

fn point(moment: &Moment, seen: &[usize]) -> CurvePoint {
    let classes_seen = seen.get(moment.phase - 1).copied().unwrap_or(0);
    let phase = Some(Phase { number: moment.phase, classes_seen });
    CurvePoint { reading: reading(moment), held_out: moment.held_out, phase }
}
