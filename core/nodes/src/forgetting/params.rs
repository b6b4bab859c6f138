//! Parameters of the kind `forgetting`.

use pddflow_artifact::failure::{During, NodeResult};
use pddflow_artifact::params::{problem, resolve_and_read};
use pddflow_host::Role;
use pddflow_runner::pipeline::ParamProblem;
use pddflow_tensor::augment::Policy;
use pddflow_training::choice::{PluginChoice, check_choice};
use pddflow_training::trainer::{Hyperparameters, Loss, LrSchedule, Optimizer};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::surroundings::Surroundings;

/// How the nets are trained. The defaults are those of the scores' authors.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ForgettingParams {
    /// The net that is trained: a model plugin with its parameters. The authors use ResNet-18.
    pub(super) model: PluginChoice,
    /// Epochs of each run; also the score of an example that a run never learns.
    #[serde(default = "epochs")]
    #[schemars(range(min = 1))]
    pub(super) epochs: u64,
    /// Nets that are trained, each from its own first weights; their counts are added.
    #[serde(default = "runs")]
    #[schemars(range(min = 1))]
    pub(super) runs: usize,
    /// Learning rate at the start.
    #[serde(default = "lr")]
    pub(super) lr: f64,
    /// Momentum, 0 to 1.
    #[serde(default = "momentum")]
    pub(super) momentum: f64,
    /// Nesterov's momentum: the step looks ahead by the momentum.
    #[serde(default = "nesterov")]
    pub(super) nesterov: bool,
    /// Weight decay.
    #[serde(default = "weight_decay")]
    pub(super) weight_decay: f64,
    /// Images in a step.
    #[serde(default = "batch")]
    #[schemars(range(min = 1))]
    pub(super) batch: usize,
    /// Augmentation, such as `none` or `idc:crop_flip` (both a random crop and a random flip).
    #[serde(default = "augment")]
    pub(super) augment: String,
    /// Shares of the epochs after which the learning rate falls; ascending, each between 0 and 1.
    #[serde(default = "drops")]
    pub(super) drops: Vec<f64>,
    /// What the learning rate is multiplied by at each of them.
    #[serde(default = "drop_factor")]
    pub(super) drop_factor: f64,
    /// Root of the node's randomness.
    #[serde(default)]
    pub(super) seed: u64,
}

fn epochs() -> u64 {
    200
}

fn runs() -> usize {
    5
}

fn lr() -> f64 {
    0.1
}

fn momentum() -> f64 {
    0.9
}

fn nesterov() -> bool {
    true
}

fn weight_decay() -> f64 {
    5e-4
}

fn batch() -> usize {
    128
}

fn augment() -> String {
    "idc:crop_flip".to_owned()
}

fn drops() -> Vec<f64> {
    vec![0.3, 0.6, 0.8]
}

fn drop_factor() -> f64 {
    0.2
}

impl ForgettingParams {
    /// How each net is trained.
    pub(super) fn settings(&self) -> NodeResult<Hyperparameters> {
        Ok(Hyperparameters {
            schedule: LrSchedule::Drops { epochs: self.epochs, shares: self.drops.clone(), factor: self.drop_factor },
            loss: Loss::default(),
            optimizer: Optimizer::default(),
            momentum: self.momentum,
            nesterov: self.nesterov,
            weight_decay: self.weight_decay,
            batch: self.batch,
            augment: Policy::parse(&self.augment).during("reading `augment`")?,
            cutmix: None,
            carry_momentum: false,
            average: None,
            flat: None,
        })
    }
}

/// Checks `with` and fills in the defaults, also those of the plugin.
pub(super) fn check(surroundings: &Surroundings, with: &Value) -> Result<Value, Vec<ParamProblem>> {
    let (mut resolved, params) = resolve_and_read::<ForgettingParams>(with)?;
    let mut problems = params.problems();
    match Policy::parse(&params.augment) {
        Ok(policy) => resolved["augment"] = policy.canonical().into(),
        Err(error) => problems.push(problem("/augment", error.to_string(), None)),
    }
    if let Err(found) = check_choice(surroundings.plugins(), Role::Model, "model", &mut resolved) {
        problems.extend(found);
    }
    if problems.is_empty() { Ok(resolved) } else { Err(problems) }
}

impl ForgettingParams {
    fn problems(&self) -> Vec<ParamProblem> {
        let counts = [("epochs", self.epochs), ("runs", self.runs as u64), ("batch", self.batch as u64)];
        let none = counts.into_iter().filter(|(_, count)| *count == 0);
        let none = none.map(|(name, _)| problem(format!("/{name}"), format!("`{name}` must be at least 1"), None));
        let numbers = [
            ("lr", self.lr > 0.0 && self.lr.is_finite(), "greater than 0"),
            ("momentum", (0.0..1.0).contains(&self.momentum), "from 0 to below 1"),
            ("weight_decay", self.weight_decay >= 0.0 && self.weight_decay.is_finite(), "at least 0"),
            ("drop_factor", self.drop_factor > 0.0 && self.drop_factor <= 1.0, "greater than 0, at most 1"),
            (
                "drops",
                self.drops.iter().all(|share| (0.0..=1.0).contains(share)) && self.drops.is_sorted(),
                "ascending shares of the epochs, from 0 to 1",
            ),
        ];
        let wrong = numbers.into_iter().filter(|(_, right, _)| !right);
        let wrong =
            wrong.map(|(name, _, range)| problem(format!("/{name}"), format!("`{name}` must be {range}"), None));
        none.chain(wrong).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_learning_rate_falls_where_the_authors_have_it() {
        let params: ForgettingParams =
            serde_json::from_value(json!({ "model": "resnet18", "augment": "none" })).unwrap();
        let schedule = params.settings().unwrap().schedule;
        let shown = [0, 59, 60, 119, 120, 159, 160, 199].map(|epoch| schedule.lr(params.lr, epoch));
        let (a, b, c, d) = (0.1, 0.1 * 0.2, 0.1 * 0.2 * 0.2, 0.1 * 0.2 * 0.2 * 0.2);
        assert_eq!(shown, [a, a, b, b, c, c, d, d]);
    }
}
