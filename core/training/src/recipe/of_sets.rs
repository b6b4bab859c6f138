//! How nets are trained on sets inside a distillation: parameters with defaults that depend on what it is for.

use crate::trainer::{Hyperparameters, Loss, LrSchedule, Optimizer, Schedule};
use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_artifact::params::{check_numbers, check_policy};
use pddflow_runner::pipeline::ParamProblem;
use pddflow_tensor::augment::Policy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::learning_rate::LearningRate;

/// How nets are trained on sets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TrainingParams {
    /// Epochs of each stage. Schedules `dc` and `pdd` run one more, as the scripts do.
    #[serde(default)]
    pub epochs: Option<u64>,
    /// Learning rate, or `learned` for that of each stage's newest set.
    #[serde(default)]
    pub lr: Option<LearningRate>,
    /// What a step makes smaller: `cross_entropy` or `mse`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    loss: Option<Loss>,
    /// How a step follows from the gradient: `sgd`, `adam` or `adamw`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    optimizer: Option<Optimizer>,
    /// Momentum.
    #[serde(default)]
    momentum: Option<f64>,
    /// Weight decay.
    #[serde(default)]
    weight_decay: Option<f64>,
    /// How the learning rate falls within a stage.
    #[serde(default)]
    schedule: Option<Schedule>,
    /// Epochs of a stage in which the learning rate rises first; the schedule is that of the others. By default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    warm_up: Option<u64>,
    /// Nets are tested by the average of their weights over all steps, of which a step leaves this much, such as 0.9995. Only a set's
    /// recipe has it, because only evaluations test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    average: Option<f64>,
    /// Images in a step.
    #[serde(default)]
    batch: Option<usize>,
    /// Augmentation: `none`, `dsa` with all its kinds, or for instance `dsa:crop_flip`.
    #[serde(default)]
    augment: Option<String>,
    /// Probability of CutMix in a batch; 0 for none.
    #[serde(default)]
    cutmix: Option<f64>,
    /// Whether the momentum is kept from one stage to the next.
    #[serde(default)]
    carry_momentum: Option<bool>,
}

/// As PDD with IDC brings every net through the earlier sets (`methods.md` 8.3).
pub fn pretrain_defaults() -> Value {
    json!({
        "epochs": 200, "lr": 0.01, "momentum": 0.9, "weight_decay": 5e-4, "schedule": "idc", "batch": 64,
        "augment": "idc:color_crop_flip_scale_rotate", "cutmix": 0.5, "carry_momentum": false,
    })
}

impl TrainingParams {
    /// What is given, by name.
    pub fn given(&self) -> NodeResult<serde_json::Map<String, Value>> {
        match serde_json::to_value(self).during("writing a recipe")? {
            Value::Object(all) => Ok(all.into_iter().filter(|(_, value)| !value.is_null()).collect()),
            _ => Ok(serde_json::Map::new()),
        }
    }

    /// How every stage trains; `check` has filled all in.
    pub fn settings(&self) -> NodeResult<Hyperparameters> {
        let missing = || fail("parameters", "the parameters of a training are not complete");
        let cutmix = self.cutmix.ok_or_else(missing)?;
        Ok(Hyperparameters {
            schedule: LrSchedule::Script {
                schedule: self.schedule.ok_or_else(missing)?,
                epochs: self.epochs.ok_or_else(missing)?,
                warm_up: self.warm_up.unwrap_or(0),
            },
            loss: self.loss.unwrap_or_default(),
            optimizer: self.optimizer.unwrap_or_default(),
            momentum: self.momentum.ok_or_else(missing)?,
            nesterov: false,
            weight_decay: self.weight_decay.ok_or_else(missing)?,
            batch: self.batch.ok_or_else(missing)?,
            augment: Policy::parse(self.augment.as_deref().ok_or_else(missing)?).during("reading `augment`")?,
            cutmix: (cutmix > 0.0).then_some(cutmix),
            carry_momentum: self.carry_momentum.ok_or_else(missing)?,
            average: None,
            flat: None,
        })
    }
}

/// Fills what is not given at `pointer` from `defaults` and checks it; nothing to do where there is nothing.
pub fn check_training(with: &mut Value, pointer: &str, defaults: &Value) -> Vec<ParamProblem> {
    let Some(training) = with.pointer_mut(pointer).filter(|training| training.is_object()) else { return Vec::new() };
    for (name, default) in defaults.as_object().into_iter().flatten() {
        if training[name].is_null() {
            training[name] = default.clone();
        }
    }
    let mut problems = check_numbers(training, &["epochs", "batch"]);
    if !training["augment"].is_null() {
        problems.extend(check_policy(training, "augment"));
    }
    let placed = |found: ParamProblem| ParamProblem { pointer: format!("{pointer}{}", found.pointer), ..found };
    problems.into_iter().map(placed).collect()
}
