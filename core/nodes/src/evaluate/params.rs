//! Parameters of the kind `evaluate`, besides those of the recipe.

use pddflow_artifact::params::{Part, problem, resolve_parts};
use pddflow_runner::pipeline::ParamProblem;
use pddflow_training::recipe::{NetsParams, Preset, ProtocolParams, check_nets, check_protocol, points_every};
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
    /// Further points of the accuracy curve, by the number of epochs of a stage that are done.
    #[serde(default)]
    pub(super) curve_at: Vec<u64>,
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
    let mut problems = check_nets(surroundings.plugins(), &mut resolved);
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
    problems.extend(check_readings(&resolved));
    if resolved["training"] == "full" && resolved["lr"] == "learned" {
        let help = "give a number as `lr`: real images have no learned learning rate";
        problems.push(problem("/training", "`full` has no learned learning rate", Some(help.into())));
    }
    if problems.is_empty() { Ok(resolved) } else { Err(problems) }
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
