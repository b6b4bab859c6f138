//! Parameters of the kind `advance`, and how nets are trained through earlier sets.

use pddflow_artifact::failure::{During, NodeResult};
use pddflow_artifact::params::{check_numbers, check_policy, resolve};
use pddflow_host::Role;
use pddflow_runner::pipeline::ParamProblem;
use pddflow_tensor::augment::Policy;
use pddflow_training::choice::{PluginChoice, check_choice};
use pddflow_training::recipe::{LearningRate, ProtocolParams, Recipe};
use pddflow_training::sets::LoadedSet;
use pddflow_training::stored::NetRange;
use pddflow_training::trainer::{Hyperparameters, Loss, LrSchedule, Optimizer, Schedule};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::surroundings::Surroundings;

/// What a pipeline file can say about progressive training on sets. The defaults are those of PDD's transition with MTT:
/// 1001 epochs per stage, a tenth of the learning rate after epoch 501. Sets that carry a script of steps are followed step by step, as
/// their own recipes say and nothing else here does, unless `epochs` or `lr` is given; sets that ask for a trained net as a teacher are trained
/// on by their labels where `epochs` is given, and else refused.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AdvanceParams {
    /// The net that learns: a model plugin with its parameters.
    pub(super) model: PluginChoice,
    /// How many nets; or `{ first, count }` for a shard of them.
    #[serde(default = "hundred")]
    pub(super) nets: NetRange,
    /// Epochs of each stage, by default 1000, unless sets carry a script. Schedules `dc` and `pdd` run one more, as the scripts of the releases do.
    #[serde(default)]
    pub(super) epochs: Option<u64>,
    /// Learning rate, a list with one for each stage, or `learned`; by default what each stage's newest set says of itself: the
    /// one that it was learned with, else that of its recipe.
    #[serde(default)]
    pub(super) lr: Option<LearningRate>,
    /// What a step makes smaller; by default the cross-entropy.
    #[serde(default, skip_serializing_if = "Loss::is_default")]
    pub(super) loss: Loss,
    /// How a step follows from the gradient; by default gradient descent.
    #[serde(default, skip_serializing_if = "Optimizer::is_default")]
    pub(super) optimizer: Optimizer,
    /// Momentum.
    #[serde(default = "momentum")]
    pub(super) momentum: f64,
    /// Weight decay.
    #[serde(default = "weight_decay")]
    pub(super) weight_decay: f64,
    /// How the learning rate falls within a stage.
    #[serde(default = "schedule")]
    pub(super) schedule: Schedule,
    /// Images in a step.
    #[serde(default = "batch")]
    pub(super) batch: usize,
    /// Augmentation: `none`, `dsa` with all its kinds, or for instance `dsa:crop_flip`.
    #[serde(default = "augment")]
    pub(super) augment: String,
    /// Probability of CutMix in a batch; 0 for none.
    #[serde(default)]
    pub(super) cutmix: f64,
    /// Root of the node's randomness.
    #[serde(default)]
    pub(super) seed: u64,
}

fn hundred() -> NetRange {
    NetRange::first(100)
}

/// Epochs of a stage where nothing says how many.
const EPOCHS: u64 = 1000;

fn momentum() -> f64 {
    0.9
}

fn weight_decay() -> f64 {
    5e-4
}

fn schedule() -> Schedule {
    Schedule::Pdd
}

fn batch() -> usize {
    256
}

fn augment() -> String {
    "dsa".to_owned()
}

impl AdvanceParams {
    /// What is said of how long and at which learning rate.
    pub(super) fn given(&self) -> ProtocolParams {
        ProtocolParams { lr: self.lr.clone(), epochs: self.epochs, ..ProtocolParams::default() }
    }

    /// Learning rate of a stage, from 0, whose newest set is this one.
    pub(super) fn lr(&self, stage: usize, newest: &LoadedSet) -> NodeResult<f64> {
        let given = ProtocolParams { lr: self.lr.clone(), ..ProtocolParams::default() };
        Recipe::taught(&given, &[&newest.recipe], 1)?.0.lr.of_early_stage(stage, &[(stage, newest.step_size)])
    }

    /// How every stage trains.
    pub(super) fn settings(&self) -> NodeResult<Hyperparameters> {
        Ok(Hyperparameters {
            schedule: LrSchedule::Script { schedule: self.schedule, epochs: self.epochs.unwrap_or(EPOCHS), warm_up: 0 },
            loss: self.loss,
            optimizer: self.optimizer,
            momentum: self.momentum,
            nesterov: false,
            weight_decay: self.weight_decay,
            batch: self.batch,
            augment: Policy::parse(&self.augment).during("reading `augment`")?,
            cutmix: (self.cutmix > 0.0).then_some(self.cutmix),
            carry_momentum: false,
            average: None,
            flat: None,
        })
    }
}

/// Checks the parameters and fills in all defaults, also the plugin's.
pub(super) fn check(surroundings: &Surroundings, with: &Value) -> Result<Value, Vec<ParamProblem>> {
    let mut resolved = resolve::<AdvanceParams>(with)?;
    let mut problems = check_numbers(&resolved, &["epochs", "batch", "nets/count"]);
    problems.extend(check_policy(&mut resolved, "augment"));
    if let Err(found) = check_choice(surroundings.plugins(), Role::Model, "model", &mut resolved) {
        problems.extend(found);
    }
    if problems.is_empty() { Ok(resolved) } else { Err(problems) }
}
