//! Parameters of the kind `rank`.

use pddflow_artifact::params::{problem, resolve};
use pddflow_runner::pipeline::ParamProblem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a pipeline file can say of the scores.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RankParams {
    /// Weight of IOR in LRS, 0 to 1; HLR has the rest.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 1))]
    pub(super) lrs_weight: f64,
    /// Weight of the training with augmentation in ARS, 0 to 1; the one without has the rest.
    #[serde(default = "half")]
    #[schemars(range(min = 0, max = 1))]
    pub(super) ars_weight: f64,
    /// Which accuracy counts, in all results: `reported`, `last`, `best_on_held_out` or `best_on_test` (the release's, which
    /// chooses on the test images).
    #[serde(default = "reported")]
    pub(super) reading: String,
}

fn half() -> f64 {
    0.5
}

fn reported() -> String {
    "reported".to_owned()
}

/// Checks `with` and fills in the defaults.
pub(super) fn check(with: &Value) -> Result<Value, Vec<ParamProblem>> {
    let resolved = resolve::<RankParams>(with)?;
    let outside = |name: &&str| resolved[*name].as_f64().is_none_or(|weight| !(0.0..=1.0).contains(&weight));
    let problems: Vec<ParamProblem> = ["lrs_weight", "ars_weight"]
        .into_iter()
        .filter(|name| outside(name))
        .map(|name| {
            problem(format!("/{name}"), format!("`{name}` must be from 0 to 1"), Some("DD-Ranking takes 0.5".into()))
        })
        .collect();
    if problems.is_empty() { Ok(resolved) } else { Err(problems) }
}
