//! Parameters of the kind `evaluate`.

use pddflow_host::Role;
use pddflow_runner::pipeline::ParamProblem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::recipe::{Preset, StepSize, canonical_policy};
use crate::Library;
use crate::choice::{PluginChoice, check_choice};
use crate::nets::Schedule;
use crate::params::{problem, resolve};

/// How several sets are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Training {
    /// Stage i trains on the union of the first i sets.
    #[default]
    Progressive,
    /// One stage on the union of all sets.
    Union,
    /// Stage i trains on set i alone.
    Sequential,
}

/// Real images kept aside to choose an epoch by, without looking at the test split.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Holdout {
    /// Share of each class of the training split, from 0 to 1.
    pub(crate) fraction: f64,
}

/// What a pipeline file can say about an evaluation. What is not given comes from `recipe`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EvaluateParams {
    /// The net that is trained on the sets: a model plugin with its parameters.
    pub(super) model: PluginChoice,
    /// How several sets are used.
    #[serde(default)]
    pub(super) training: Training,
    /// A published protocol; the parameters below override parts of it.
    #[serde(default)]
    pub(super) recipe: Preset,
    /// Nets that are trained, each from its own first weights.
    #[serde(default = "five")]
    pub(super) nets: usize,
    /// Epochs of each stage. Schedules `dc` and `pdd` run one more, as the scripts do.
    #[serde(default)]
    pub(super) epochs: Option<u64>,
    /// Step size, or `learned`.
    #[serde(default)]
    pub(super) lr: Option<StepSize>,
    /// Momentum.
    #[serde(default)]
    pub(super) momentum: Option<f64>,
    /// Weight decay.
    #[serde(default)]
    pub(super) weight_decay: Option<f64>,
    /// How the step size falls within a stage.
    #[serde(default)]
    pub(super) schedule: Option<Schedule>,
    /// Images in a step.
    #[serde(default)]
    pub(super) batch: Option<usize>,
    /// Augmentation, such as `none` or `dsa:color_crop_cutout_flip_scale_rotate`.
    #[serde(default)]
    pub(super) augment: Option<String>,
    /// Probability of CutMix in a batch; 0 for none.
    #[serde(default)]
    pub(super) cutmix: Option<f64>,
    /// Whether the momentum is kept from one stage to the next.
    #[serde(default)]
    pub(super) carry_momentum: Option<bool>,
    /// Epochs between two points of the accuracy curve; 0 for the end of each stage only.
    #[serde(default)]
    pub(super) curve_every: u64,
    /// Real images kept aside to report the epoch that was best on them.
    #[serde(default)]
    pub(super) holdout: Option<Holdout>,
    /// Root of the node's randomness.
    #[serde(default)]
    pub(super) seed: u64,
    /// Name of the method in tables; by default that of the last set.
    #[serde(default)]
    pub(super) method: Option<String>,
}

fn five() -> usize {
    5
}

/// Checks the parameters; the recipe's numbers and the plugin's defaults are filled in.
pub(super) fn check(library: &Library, with: &Value) -> Result<Value, Vec<ParamProblem>> {
    let mut resolved = resolve::<EvaluateParams>(with)?;
    fill_from_preset(&mut resolved)?;
    let mut problems = check_ranges(&resolved);
    match canonical_policy(resolved["augment"].as_str().unwrap_or_default()) {
        Ok(policy) => resolved["augment"] = policy.into(),
        Err(message) => problems.push(problem("/augment", message, None)),
    }
    if let Err(found) = check_choice(library, Role::Model, "model", &mut resolved) {
        problems.extend(found);
    }
    if problems.is_empty() { Ok(resolved) } else { Err(problems) }
}

fn fill_from_preset(with: &mut Value) -> Result<(), Vec<ParamProblem>> {
    let preset: Preset = serde_json::from_value(with["recipe"].clone())
        .map_err(|error| vec![problem("/recipe", error.to_string(), None)])?;
    let recipe = preset.recipe();
    let defaults = json!({
        "epochs": recipe.epochs, "lr": recipe.lr, "momentum": recipe.momentum, "weight_decay": recipe.weight_decay,
        "schedule": recipe.schedule, "batch": recipe.batch, "augment": recipe.augment, "cutmix": recipe.cutmix,
        "carry_momentum": recipe.carry_momentum,
    });
    if let (Value::Object(with), Value::Object(defaults)) = (with, defaults) {
        for (name, value) in defaults {
            let place = with.entry(name).or_insert(Value::Null);
            if place.is_null() {
                *place = value;
            }
        }
    }
    Ok(())
}

fn check_ranges(with: &Value) -> Vec<ParamProblem> {
    let mut problems = Vec::new();
    for field in ["nets", "epochs", "batch"] {
        if with[field] == 0 {
            problems.push(problem(format!("/{field}"), format!("`{field}` must be at least 1"), None));
        }
    }
    for (pointer, upper) in
        [("/momentum", 1.0), ("/cutmix", 1.0), ("/weight_decay", f64::MAX), ("/holdout/fraction", 1.0)]
    {
        let Some(value) = with.pointer(pointer).and_then(Value::as_f64) else { continue };
        if !(0.0..=upper).contains(&value) {
            let range = if upper == 1.0 { "from 0 to 1" } else { "at least 0" };
            problems.push(problem(pointer, format!("{value} must be {range}"), None));
        }
    }
    problems
}
