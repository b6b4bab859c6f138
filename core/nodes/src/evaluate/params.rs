//! Parameters of the kind `evaluate`, besides those of the recipe.

use pddflow_artifact::params::{problem, resolve_both};
use pddflow_runner::pipeline::ParamProblem;
use pddflow_training::recipe::{RecipeParams, check_recipe, points_every};
use pddflow_training::segments::Training;
use pddflow_training::summary::Report;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::surroundings::Surroundings;

/// Real images kept aside to choose an epoch by, without looking at the test split.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Holdout {
    /// Share of each class of the training split, between 0 and 1.
    pub(crate) fraction: f64,
}

/// What a pipeline file can say of an evaluation besides the recipe.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EvaluateParams {
    /// How several sets are used; `full` for the real data itself, without sets.
    #[serde(default)]
    pub(super) training: Training,
    /// Which moment is reported. The other ones stand beside it in the results under their own names.
    #[serde(default)]
    pub(super) report: Report,
    /// Epochs between two points of the accuracy curve; 0 for the end of each stage only. By default 0, and with
    /// `report: best_...` the distance of the recipe's script where it has one (10 for IDC).
    #[serde(default)]
    pub(super) curve_every: Option<u64>,
    /// Further points of the accuracy curve, by the number of epochs of a stage that are done.
    #[serde(default)]
    pub(super) curve_at: Vec<u64>,
    /// Real images kept aside to report the epoch that was best on them.
    #[serde(default)]
    pub(super) holdout: Option<Holdout>,
}

/// Checks the parameters; the recipe's numbers and the plugin's defaults are filled in.
pub(super) fn check(surroundings: &Surroundings, with: &Value) -> Result<Value, Vec<ParamProblem>> {
    let mut resolved = resolve_both::<RecipeParams, EvaluateParams>(with)?;
    let mut problems = check_recipe(surroundings.plugins(), &mut resolved);
    if resolved["curve_every"].is_null() {
        let best = resolved["report"] != Report::Last.name();
        let points = if best { points_every(&resolved["recipe"]) } else { None };
        resolved["curve_every"] = points.unwrap_or(0).into();
    }
    problems.extend(check_readings(&resolved));
    if resolved["training"] == "full" && resolved["lr"] == "learned" {
        let help = "give a number as `lr`: real images have no learned learning rate";
        problems.push(problem("/training", "`full` has no learned learning rate", Some(help.into())));
    }
    if problems.is_empty() { Ok(resolved) } else { Err(problems) }
}

fn check_readings(with: &Value) -> Vec<ParamProblem> {
    let mut problems = Vec::new();
    let fraction = with.pointer("/holdout/fraction").and_then(Value::as_f64);
    if let Some(fraction) = fraction.filter(|fraction| *fraction <= 0.0 || *fraction >= 1.0) {
        problems.push(problem("/holdout/fraction", format!("{fraction} must be between 0 and 1"), None));
    }
    let report = with["report"].as_str().unwrap_or_default();
    if report == Report::BestOnHeldOut.name() && fraction.is_none() {
        let help = "add `holdout: { fraction: 0.1 }`";
        problems.push(problem("/report", "no real images are held out to choose by", Some(help.into())));
    }
    let at = with["curve_at"].as_array().map(Vec::as_slice).unwrap_or_default();
    if report != Report::Last.name() && with["curve_every"] == 0 && at.is_empty() {
        let help = "add `curve_every: 10`, or another number of epochs";
        problems.push(problem("/report", "there is one moment only, nothing to choose the best of", Some(help.into())));
    }
    // The scripts run one epoch more than their budget.
    let last = with["epochs"].as_u64().unwrap_or(0) + 1;
    for (place, epoch) in at.iter().enumerate() {
        if epoch.as_u64().is_none_or(|epoch| epoch == 0 || epoch > last) {
            let message = format!("a stage has no epoch {epoch}");
            problems.push(problem(format!("/curve_at/{place}"), message, Some(format!("give 1 to {last}"))));
        }
    }
    problems
}
