//! Parameters of a generator.

use pddflow_artifact::params::{problem, resolve_and_read};
use pddflow_runner::pipeline::ParamProblem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Most latent values and planes.
const MOST: usize = 4096;

/// What can be said of a generator.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GeneratorParams {
    /// Values of a latent.
    #[serde(default = "latent")]
    #[schemars(range(min = 1, max = 4096))]
    pub latent: usize,
    /// Planes of each layer but the last.
    #[serde(default = "width")]
    #[schemars(range(min = 1, max = 4096))]
    pub width: usize,
    /// Epochs of its training.
    #[serde(default = "epochs")]
    #[schemars(range(min = 1))]
    pub epochs: u64,
    /// Images in a step.
    #[serde(default = "batch")]
    #[schemars(range(min = 1))]
    pub batch: usize,
    /// Learning rate of Adam; it falls to 0 along half a cosine.
    #[serde(default = "lr")]
    pub lr: f64,
    /// Root of the node's randomness.
    #[serde(default)]
    pub seed: u64,
}

fn latent() -> usize {
    64
}

fn width() -> usize {
    32
}

fn epochs() -> u64 {
    20
}

fn batch() -> usize {
    128
}

fn lr() -> f64 {
    2e-3
}

/// Checks `with` and fills in the defaults.
///
/// # Errors
/// Every parameter that is out of range.
pub fn check(with: &Value) -> Result<Value, Vec<ParamProblem>> {
    let (resolved, params) = resolve_and_read::<GeneratorParams>(with)?;
    let range = |right: bool, name: &str, range: &str| {
        (!right).then(|| problem(format!("/{name}"), format!("`{name}` must be {range}"), None))
    };
    let wrong = [
        range((1..=MOST).contains(&params.latent), "latent", "from 1 to 4096"),
        range((1..=MOST).contains(&params.width), "width", "from 1 to 4096"),
        range(params.epochs > 0, "epochs", "at least 1"),
        range(params.batch > 0, "batch", "at least 1"),
        range(params.lr > 0.0 && params.lr.is_finite(), "lr", "greater than 0"),
    ];
    let problems: Vec<ParamProblem> = wrong.into_iter().flatten().collect();
    if problems.is_empty() { Ok(resolved) } else { Err(problems) }
}
