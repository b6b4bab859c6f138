//! Parameters of the kind `evaluate`, besides those of the recipe.

use pddflow_artifact::params::{Part, problem, resolve_parts};
use pddflow_host::Role;
use pddflow_runner::pipeline::ParamProblem;
use pddflow_training::choice::{PluginChoice, check_choice};
use pddflow_training::recipe::{NetsParams, Preset, ProtocolParams, Taught, check_nets, check_protocol, points_every};
use pddflow_training::regression::Kernel;
use pddflow_training::segments::Training;
use pddflow_training::summary::Report;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::surroundings::Surroundings;

/// What a pipeline file can say of an evaluation besides the recipe.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EvaluateParams {
    /// How several sets are used; `full` for the real data itself, without sets.
    #[serde(default)]
    pub(super) training: Training,
    /// Which moment is reported. The other ones stand beside it in the results under their own names. `best_on_held_out` needs
    /// a data set with `held_out`.
    #[serde(default)]
    pub(super) report: Report,
    /// Epochs between two points of the accuracy curve; 0 for the end of each stage only. By default 0, and with
    /// `report: best_...` the distance of the recipe's script where it has one (10 for IDC).
    #[serde(default)]
    pub(super) curve_every: Option<u64>,
    /// Whether images with soft labels are trained on by their most probable class instead.
    #[serde(default, skip_serializing_if = "is_false")]
    pub(super) hard_labels: bool,
    /// Kernel ridge regression on the union of the sets of each stage, in place of training nets. What is not given is as the last set says:
    /// `regression: {}` for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) regression: Option<RegressionParams>,
    /// A trained net at the port `trajectories` or `weights` labels every batch anew, as augmentation and CutMix leave it, in place of the labels of
    /// the sets: `teacher: {}` as RDED's release. Sets of `select` with `method: crops` ask for it themselves, where no recipe is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) teacher: Option<TeacherParams>,
    /// Further points of the accuracy curve, by the number of epochs of a stage that are done.
    #[serde(default)]
    pub(super) curve_at: Vec<u64>,
}

/// The net that labels batches.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TeacherParams {
    /// Its model; by default that of the nets in training.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) model: Option<PluginChoice>,
    /// What the scores of both nets are divided by before they become probabilities; RDED has 20 with CutMix and 4 without.
    #[serde(default = "Taught::default_temperature")]
    pub(super) temperature: f64,
}

impl From<Taught> for TeacherParams {
    fn from(Taught { temperature }: Taught) -> Self {
        Self { model: None, temperature }
    }
}

/// How sets are read by kernel regression.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RegressionParams {
    /// How alike two images are.
    #[serde(default)]
    pub(super) kernel: Option<Kernel>,
    /// What is added to the diagonal of the kernel, as a part of its mean.
    #[serde(default)]
    pub(super) ridge: Option<f64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_false(value: &bool) -> bool {
    !value
}

/// All of the kind's parameters.
pub(super) fn parts() -> [Part; 3] {
    [Part::of::<NetsParams>(), Part::of::<ProtocolParams>(), Part::of::<EvaluateParams>()]
}

/// Checks the parameters; the recipe's numbers and the plugin's defaults are filled in.
pub(super) fn check(surroundings: &Surroundings, with: &Value) -> Result<Value, Vec<ParamProblem>> {
    let mut resolved = resolve_parts(with, &parts())?;
    let regresses = resolved["regression"].is_object();
    let mut problems = check_nets(surroundings.plugins(), &mut resolved, !regresses);
    // Without sets there is nobody to ask but the default.
    let full = resolved["training"] == "full" && resolved["recipe"] == json!(Preset::Own);
    if full {
        resolved["recipe"] = json!(Preset::Dsa);
    }
    problems.extend(check_protocol(&mut resolved, ""));
    if resolved["curve_every"].is_null() {
        let best = resolved["report"] != Report::Last.name();
        let points = if best { points_every(&resolved["recipe"]) } else { None };
        resolved["curve_every"] = points.unwrap_or(0).into();
    }
    problems.extend(check_teacher(surroundings, &mut resolved));
    problems.extend(if regresses { check_regression(&resolved) } else { check_readings(&resolved) });
    if resolved["training"] == "full" && resolved["lr"] == "learned" {
        let help = "give a number as `lr`: real images have no learned learning rate";
        problems.push(problem("/training", "`full` has no learned learning rate", Some(help.into())));
    }
    if problems.is_empty() { Ok(resolved) } else { Err(problems) }
}

fn check_teacher(surroundings: &Surroundings, with: &mut Value) -> Vec<ParamProblem> {
    if !with["teacher"].is_object() {
        return Vec::new();
    }
    let mut problems = Vec::new();
    let mut wrong = |at: &str, message: &str, help: &str| problems.push(problem(at, message, Some(help.to_owned())));
    if with["regression"].is_object() || with["hard_labels"] == true {
        wrong("/teacher", "a teacher's labels are trained on as they are", "leave out `regression` and `hard_labels`");
    }
    if with["loss"] == "mse" {
        wrong("/loss", "a teacher's labels are probabilities", "give `cross_entropy`");
    }
    let temperature = with.pointer("/teacher/temperature").and_then(Value::as_f64);
    if temperature.is_none_or(|value| !(value > 0.0 && value.is_finite())) {
        wrong("/teacher/temperature", "`temperature` must be above 0", "RDED's release has 20");
    }
    let mut teacher = with["teacher"].take();
    if let Err(found) = check_choice(surroundings.plugins(), Role::Model, "model", &mut teacher) {
        let inside = |found: ParamProblem| ParamProblem { pointer: format!("/teacher{}", found.pointer), ..found };
        problems.extend(found.into_iter().map(inside));
    }
    with["teacher"] = teacher;
    problems
}

fn check_regression(with: &Value) -> Vec<ParamProblem> {
    let mut problems = Vec::new();
    let mut wrong = |at: &str, message: &str, help: &str| problems.push(problem(at, message, Some(help.to_owned())));
    if with["training"] == "full" || with["training"] == "sequential" {
        wrong("/training", "a regression is on the union of sets", "give `progressive` or `union`");
    }
    if with["report"] != Report::Last.name() || with["curve_every"] != 0 || with["curve_at"] != json!([]) {
        wrong(
            "/regression",
            "a regression has no epochs to choose from",
            "leave out `report` and the points of the curve",
        );
    }
    if with.pointer("/regression/ridge").and_then(Value::as_f64).is_some_and(|ridge| ridge < 0.0) {
        wrong("/regression/ridge", "`ridge` must be at least 0", "the methods have 1e-6 to 5e-3");
    }
    match serde_json::from_value::<Option<Kernel>>(with["regression"]["kernel"].clone()) {
        Ok(Some(Kernel::FullyConnected { depth, .. })) if !(1..=64).contains(&depth) => {
            wrong("/regression/kernel", "`depth` must be from 1 to 64", "the release has 1");
        }
        Ok(Some(Kernel::Features { nets, bias, .. })) if !(1..=4096).contains(&nets) || bias < 0.0 => {
            wrong(
                "/regression/kernel",
                "`nets` must be from 1 to 4096 and `bias` at least 0",
                "the releases have 8 to 16 nets",
            );
        }
        Ok(Some(Kernel::Features { .. })) if with["model"].is_null() => {
            wrong("/regression/kernel", "features need a net", "for example `model: convnet`");
        }
        _ => {}
    }
    problems
}

fn check_readings(with: &Value) -> Vec<ParamProblem> {
    let mut problems = Vec::new();
    let report = with["report"].as_str().unwrap_or_default();
    let at = with["curve_at"].as_array().map(Vec::as_slice).unwrap_or_default();
    if report != Report::Last.name() && with["curve_every"] == 0 && at.is_empty() {
        let help = "add `curve_every: 10`, or another number of epochs";
        problems.push(problem("/report", "there is one moment only, nothing to choose the best of", Some(help.into())));
    }
    // The scripts run one epoch more than their budget; where that is not known yet, no number is too large.
    let last = with["epochs"].as_u64().map_or(u64::MAX, |epochs| epochs.saturating_add(1));
    for (place, epoch) in at.iter().enumerate() {
        if epoch.as_u64().is_none_or(|epoch| epoch == 0 || epoch > last) {
            let message = format!("a stage has no epoch {epoch}");
            problems.push(problem(format!("/curve_at/{place}"), message, Some(format!("give 1 to {last}"))));
        }
    }
    problems
}
