//! Parameters of the kind `continual`, besides those of the recipe.

use pddflow_artifact::params::{Part, problem, resolve_parts};
use pddflow_runner::pipeline::ParamProblem;
use pddflow_training::recipe::{NetsParams, ProtocolParams, check_nets, check_protocol};
use pddflow_training::segments::Training;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::surroundings::Surroundings;

/// What becomes of a net at the end of a phase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mode {
    /// Each phase trains a new net on the whole memory.
    #[default]
    Fresh,
    /// The net goes on from the phase before.
    Continue,
}

/// What a pipeline file can say of class-incremental learning besides the recipe.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ContinualParams {
    /// Whether each phase trains a new net, or the net goes on.
    #[serde(default)]
    pub(super) mode: Mode,
    /// How several sets of a phase are used: `progressive`, `union` or `sequential`.
    #[serde(default)]
    pub(super) training: Training,
}

/// All of the kind's parameters.
pub(super) fn parts() -> [Part; 3] {
    [Part::of::<NetsParams>(), Part::of::<ProtocolParams>(), Part::of::<ContinualParams>()]
}

/// Checks the parameters; the recipe's numbers and the plugin's defaults are filled in.
pub(super) fn check(surroundings: &Surroundings, with: &Value) -> Result<Value, Vec<ParamProblem>> {
    let mut resolved = resolve_parts(with, &parts())?;
    let mut problems = check_nets(surroundings.plugins(), &mut resolved, true);
    problems.extend(check_protocol(&mut resolved, ""));
    if resolved["training"] == "full" {
        let help = "give `progressive`, `union` or `sequential`";
        problems.push(problem("/training", "nets of `continual` train on sets", Some(help.into())));
    }
    if problems.is_empty() { Ok(resolved) } else { Err(problems) }
}
