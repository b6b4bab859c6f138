//! What a pipeline file can say of the training of nets on sets.

use std::collections::BTreeMap;

use pddflow_artifact::TIME_LABELS;
use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_artifact::params::{check_numbers, check_policy, problem};
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
use crate::trainer::{Loss, Optimizer, Schedule};

/// Which nets are trained, and what their results are called.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NetsParams {
    /// The net that is trained on the sets: a model plugin with its parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<PluginChoice>,
    /// Nets that are trained, each from its own first weights.
    #[serde(default = "five")]
    pub nets: usize,
    /// Whether all nets begin with the same weights, as in PDD's release; they differ in the order of images then.
    #[serde(default)]
    pub same_start: bool,
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

/// How nets are trained on sets. What is not given comes from `recipe`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProtocolParams {
    /// `own`, what the sets say of themselves, or a published protocol; the parameters below override parts of it.
    #[serde(default)]
    pub recipe: Preset,
    /// Epochs of each stage. Schedules `dc` and `pdd` run one more, as the scripts do.
    #[serde(default)]
    pub epochs: Option<u64>,
    /// In place of `epochs`: how many images are presented in all stages together, in epochs over the union of all sets. Ways to
    /// train and numbers of stages with the same `presented` present equally many images, to within one such epoch.
    #[serde(default)]
    pub presented: Option<f64>,
    /// In place of `epochs`: steps of each stage at least. Stages have whole epochs, the fewest that have so many steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// What a step makes smaller; by default the cross-entropy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<Loss>,
    /// How a step follows from the gradient; by default gradient descent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub optimizer: Option<Optimizer>,
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
    /// Epochs of a stage in which the learning rate rises first; the schedule is that of the others. By default none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm_up: Option<u64>,
    /// Nets are tested by the average of their weights over all steps, of which a step leaves this much, such as 0.9995 (an exponential moving average); 0
    /// for no average, by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average: Option<f64>,
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
}

/// More than any training lasts; keeps products of epochs and images within 64 bits.
const MOST_PRESENTED: f64 = 1e9;

/// What says how long a training is; one of them is given.
const LENGTHS: [&str; 3] = ["epochs", "steps", "presented"];

fn five() -> usize {
    5
}

impl NetsParams {
    /// The net that is trained.
    ///
    /// # Errors
    /// None is named.
    pub fn net(&self) -> NodeResult<&PluginChoice> {
        self.model.as_ref().ok_or_else(|| fail("no_model", NO_MODEL).with_help(MODEL_HELP))
    }
}

const NO_MODEL: &str = "no `model` is named";
const MODEL_HELP: &str = "for example `model: convnet`";

/// Checks the parameters of the nets and fills in the model's defaults; `needed` says whether there must be a model.
pub fn check_nets(plugins: &Plugins, resolved: &mut Value, needed: bool) -> Vec<ParamProblem> {
    let mut problems = check_labels(resolved);
    if needed && resolved["model"].is_null() {
        problems.push(problem("", NO_MODEL, Some(MODEL_HELP.into())));
    }
    if resolved["nets"] == 0 {
        problems.push(problem("/nets", "`nets` must be at least 1", None));
    }
    if let Err(found) = check_choice(plugins, Role::Model, "model", resolved) {
        problems.extend(found);
    }
    problems
}

/// Checks the parameters of a protocol at a JSON pointer, and fills in the numbers of its preset; those of `own` come with the
/// sets. Nothing to do where there is nothing.
pub fn check_protocol(with: &mut Value, pointer: &str) -> Vec<ParamProblem> {
    let Some(protocol) = with.pointer_mut(pointer).filter(|protocol| protocol.is_object()) else { return Vec::new() };
    let placed = |found: ParamProblem| ParamProblem { pointer: format!("{pointer}{}", found.pointer), ..found };
    let mut problems: Vec<ParamProblem> = check_epochs(protocol).into_iter().collect();
    match fill_from_preset(protocol) {
        Ok(()) => {
            problems.extend(check_numbers(protocol, &["epochs", "steps", "batch"]));
            if !protocol["augment"].is_null() {
                problems.extend(check_policy(protocol, "augment"));
            }
        }
        Err(found) => problems.push(found),
    }
    problems.into_iter().map(placed).collect()
}

/// An augmentation's canonical text, or why it is none.
pub(super) fn canonical_policy(text: &str) -> Result<String, String> {
    Policy::parse(text).map(|policy| policy.canonical()).map_err(|error| error.to_string())
}

/// Fills what is not given from `defaults`; only one of `epochs`, `steps` and `presented` says how long a training is.
pub(super) fn fill(with: &mut Value, defaults: &Value) {
    let given = LENGTHS.iter().any(|name| !with[name].is_null());
    let steps = !defaults["steps"].is_null();
    let needless = |name: &str| LENGTHS.contains(&name) && (given || (steps && name == "epochs"));
    for (name, value) in defaults.as_object().into_iter().flatten() {
        if with[name].is_null() && !needless(name) {
            with[name] = value.clone();
        }
    }
}

fn fill_from_preset(with: &mut Value) -> Result<(), ParamProblem> {
    let preset: Preset =
        serde_json::from_value(with["recipe"].clone()).map_err(|error| problem("/recipe", error.to_string(), None))?;
    if let Some(published) = preset.published() {
        fill(with, &published.parameters());
    }
    Ok(())
}

fn check_epochs(with: &Value) -> Option<ParamProblem> {
    let mut given = LENGTHS.iter().filter(|name| !with[**name].is_null());
    if let (Some(first), Some(second)) = (given.next(), given.next()) {
        let help = "give `epochs` or `steps` of each stage, or `presented` for all stages together";
        let message = format!("`{first}` and `{second}` exclude each other");
        return Some(problem(format!("/{second}"), message, Some(help.into())));
    }
    let presented = with["presented"].as_f64()?;
    if !(presented > 0.0 && presented <= MOST_PRESENTED) {
        let message = format!("`presented` is {presented} and must be above 0 and at most {MOST_PRESENTED}");
        let help = "it counts epochs over the union of all sets: the epochs of a training on all of them at once";
        return Some(problem("/presented", message, Some(help.into())));
    }
    None
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
