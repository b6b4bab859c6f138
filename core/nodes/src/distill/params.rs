//! Parameters of the kind `distill`.

use pddflow_host::Role;
use pddflow_runner::pipeline::ParamProblem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Library;
use crate::choice::{PluginChoice, check_choice};
use crate::params::{problem, resolve};

/// What a pipeline file can say about a distillation.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DistillParams {
    /// How synthetic images are made to mimic real ones: a matcher plugin with its parameters.
    pub(super) matcher: PluginChoice,
    /// The net that both are seen through: a model plugin with its parameters.
    #[serde(default)]
    pub(super) model: Option<PluginChoice>,
    /// New synthetic images per class.
    pub(super) ipc: usize,
    /// Outer iterations.
    pub(super) iterations: u64,
    /// Root of the node's randomness.
    #[serde(default)]
    pub(super) seed: u64,
    /// Name of the method in tables; the matcher's id if it is not given.
    #[serde(default)]
    pub(super) method: Option<String>,
}

impl DistillParams {
    /// Name of the method in tables.
    pub(super) fn label(&self) -> &str {
        self.method.as_deref().unwrap_or(&self.matcher.id)
    }
}

/// Checks the parameters and fills in all defaults, also the plugins'.
pub(super) fn check(library: &Library, with: &Value) -> Result<Value, Vec<ParamProblem>> {
    let mut resolved = resolve::<DistillParams>(with)?;
    let mut problems = Vec::new();
    for field in ["ipc", "iterations"] {
        if resolved[field] == 0 {
            problems.push(problem(format!("/{field}"), format!("`{field}` must be at least 1"), None));
        }
    }
    for (role, field) in [(Role::Matcher, "matcher"), (Role::Model, "model")] {
        if let Err(found) = check_choice(library, role, field, &mut resolved) {
            problems.extend(found);
        }
    }
    if problems.is_empty() { Ok(resolved) } else { Err(problems) }
}
