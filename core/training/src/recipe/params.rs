//! What a pipeline file can say of the training of nets on sets.

use std::collections::BTreeMap;

use pddflow_artifact::TIME_LABELS;
use pddflow_artifact::params::problem;
use pddflow_host::Role;
use pddflow_runner::pipeline::ParamProblem;
use pddflow_tensor::augment::Policy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::learning_rate::LearningRate;
use super::preset::Preset;
use crate::choice::{PluginChoice, check_choice};
use crate::plugins::Plugins;
use crate::trainer::Schedule;

/// How nets are trained on sets. What is not given comes from `recipe`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecipeParams {
    /// The net that is trained on the sets: a model plugin with its parameters.
    pub model: PluginChoice,
    /// A published protocol; the parameters below override parts of it.
    #[serde(default)]
    pub recipe: Preset,
    /// Nets that are trained, each from its own first weights.
    #[serde(default = "five")]
    pub nets: usize,
    /// Whether all nets begin with the same weights, as in PDD's release; they differ in the order of images then.
    #[serde(default)]
    pub same_start: bool,
    /// Epochs of each stage. Schedules `dc` and `pdd` run one more, as the scripts do.
    #[serde(default)]
    pub epochs: Option<u64>,
    /// Learning rate, a list with one for each stage, or `learned`.
    #[serde(default)]
    pub lr: Option<LearningRate>,
    /// The learning rate is half from the stage after this many sets on.
    #[serde(default)]
    pub halve_lr_after_sets: Option<usize>,
    /// Momentum.
    #[serde(default)]
    pub momentum: Option<f64>,
    /// Weight decay.
    #[serde(default)]
    pub weight_decay: Option<f64>,
    /// How the learning rate falls within a stage.
    #[serde(default)]
    pub schedule: Option<Schedule>,
    /// Images in a step.
    #[serde(default)]
    pub batch: Option<usize>,
    /// Augmentation, such as `none` or `dsa:color_crop_cutout_flip_scale_rotate`.
    #[serde(default)]
    pub augment: Option<String>,
    /// Probability of CutMix in a batch; 0 for none.
    #[serde(default)]
    pub cutmix: Option<f64>,
    /// Whether the momentum is kept from one stage to the next.
    #[serde(default)]
    pub carry_momentum: Option<bool>,
    /// Root of the node's randomness.
    #[serde(default)]
    pub seed: u64,
    /// Name of the method in tables; by default that of the last set.
    #[serde(default)]
    pub method: Option<String>,
    /// Further labels by which tables and figures can be arranged, each a text, a number or a truth value.
    #[serde(default)]
    pub labels: BTreeMap<String, Value>,
}

fn five() -> usize {
    5
}

/// Fills the recipe's numbers and the model's defaults into resolved parameters; gives what is wrong with them.
pub fn check_recipe(plugins: &Plugins, resolved: &mut Value) -> Vec<ParamProblem> {
    if let Err(found) = fill_from_preset(resolved) {
        return found;
    }
    let mut problems = check_ranges(resolved);
    problems.extend(check_labels(resolved));
    match canonical_policy(resolved["augment"].as_str().unwrap_or_default()) {
        Ok(policy) => resolved["augment"] = policy.into(),
        Err(message) => problems.push(problem("/augment", message, None)),
    }
    if let Err(found) = check_choice(plugins, Role::Model, "model", resolved) {
        problems.extend(found);
    }
    problems
}

/// An augmentation's canonical text, or why it is none.
pub(super) fn canonical_policy(text: &str) -> Result<String, String> {
    Policy::parse(text).map(|policy| policy.canonical()).map_err(|error| error.to_string())
}

fn fill_from_preset(with: &mut Value) -> Result<(), Vec<ParamProblem>> {
    let preset: Preset = serde_json::from_value(with["recipe"].clone())
        .map_err(|error| vec![problem("/recipe", error.to_string(), None)])?;
    if let (Value::Object(with), Value::Object(defaults)) = (with, preset.published().parameters()) {
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
    for (field, upper) in [("momentum", 1.0), ("cutmix", 1.0), ("weight_decay", f64::MAX)] {
        let Some(value) = with[field].as_f64() else { continue };
        if !(0.0..=upper).contains(&value) {
            let range = if upper == 1.0 { "from 0 to 1" } else { "at least 0" };
            problems.push(problem(format!("/{field}"), format!("{value} must be {range}"), None));
        }
    }
    problems
}

fn check_labels(with: &Value) -> Vec<ParamProblem> {
    let labels = with["labels"].as_object().into_iter().flatten();
    let mut problems = Vec::new();
    for (name, value) in labels {
        let mut wrong = |message: String, help: &str| {
            problems.push(problem(format!("/labels/{name}"), message, Some(help.to_owned())));
        };
        if name == "method" {
            wrong("the method is no label".to_owned(), "write `method: ...` beside `labels`");
        } else if TIME_LABELS.contains(&name.as_str()) {
            wrong(format!("`{name}` names a moment of the training"), "choose another name");
        }
        if value.is_null() || value.is_array() || value.is_object() {
            wrong(format!("`{name}` has no plain value"), "give a text, a number, `true` or `false`");
        }
    }
    problems
}
