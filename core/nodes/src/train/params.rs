//! Parameters of the kind `train`.

use pddflow_artifact::params::{check_numbers, check_policy, problem, read, resolve};
use pddflow_host::Role;
use pddflow_runner::pipeline::ParamProblem;
use pddflow_training::choice::{PluginChoice, check_choice};
use pddflow_training::stored::NetRange;
use pddflow_training::trainer::{Flat, Schedule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::snapshots::Snapshots;
use crate::surroundings::Surroundings;

/// What a pipeline file can say about training on real data. The defaults are those of MTT's experts.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TrainParams {
    /// The net that learns: a model plugin with its parameters.
    pub(super) model: PluginChoice,
    /// How many nets; or `{ first, count }` for a shard of them.
    #[serde(default = "hundred")]
    pub(super) nets: NetRange,
    /// Epochs.
    #[serde(default = "fifty")]
    pub(super) epochs: u64,
    /// After which epochs the weights are kept.
    #[serde(default)]
    pub(super) snapshots: Snapshots,
    /// Learning rate.
    #[serde(default = "hundredth")]
    pub(super) lr: f64,
    /// Momentum.
    #[serde(default)]
    pub(super) momentum: f64,
    /// Weight decay.
    #[serde(default)]
    pub(super) weight_decay: f64,
    /// How the learning rate falls over the epochs.
    #[serde(default = "constant")]
    pub(super) schedule: Schedule,
    /// Seeks flat minima, by steps along the gradient at weights that lie a bit up the first one; such experts are easier to match. By default plain
    /// gradients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) flat: Option<Flat>,
    /// Images in a step.
    #[serde(default = "batch")]
    pub(super) batch: usize,
    /// Augmentation: `none`, `dsa` with all its kinds, or for instance `dsa:crop_flip`.
    #[serde(default = "dsa")]
    pub(super) augment: String,
    /// Epochs between two points of the accuracy curve; 0 for the end only.
    #[serde(default)]
    pub(super) curve_every: u64,
    /// Root of the node's randomness.
    #[serde(default)]
    pub(super) seed: u64,
    /// Name in tables and figures.
    #[serde(default)]
    pub(super) method: Option<String>,
}

fn hundred() -> NetRange {
    NetRange::first(100)
}

fn fifty() -> u64 {
    50
}

fn hundredth() -> f64 {
    0.01
}

fn constant() -> Schedule {
    Schedule::Constant
}

fn batch() -> usize {
    256
}

fn dsa() -> String {
    "dsa".to_owned()
}

/// Checks the parameters and fills in all defaults, also the plugin's.
pub(super) fn check(surroundings: &Surroundings, with: &Value) -> Result<Value, Vec<ParamProblem>> {
    let mut resolved = resolve::<TrainParams>(with)?;
    let mut problems = check_numbers(&resolved, &["epochs", "batch", "nets/count"]);
    problems.extend(check_policy(&mut resolved, "augment"));
    if let Err(found) = check_choice(surroundings.plugins(), Role::Model, "model", &mut resolved) {
        problems.extend(found);
    }
    let params: TrainParams = read(&resolved).map_err(|error| vec![problem("", error.message, error.help)])?;
    if let Some(Flat { rho, alpha }) = params.flat
        && !(rho >= 0.0 && alpha >= 0.0)
    {
        problems.push(problem("/flat", format!("`rho` {rho} and `alpha` {alpha} must be at least 0"), None));
    }
    if let Err(message) = params.snapshots.epochs(params.schedule.epochs_run(params.epochs)) {
        let help = "train longer, or keep fewer snapshots";
        problems.push(problem("/snapshots", message, Some(help.to_owned())));
    }
    if problems.is_empty() { Ok(resolved) } else { Err(problems) }
}

impl TrainParams {
    /// Whether accuracy is measured when so many of all epochs are done.
    pub(super) fn measures_at(&self, done: u64, epochs: u64) -> bool {
        done == epochs || (self.curve_every > 0 && done > 0 && done.is_multiple_of(self.curve_every))
    }

    /// Whether no epoch depends on how many there are: the drops of all other schedules lie at shares of the epochs.
    pub(super) fn extends(&self) -> bool {
        self.schedule == Schedule::Constant
    }
}
