//! What can be said of an exported folder.

use pddflow_artifact::params::{Part, problem, resolve_parts};
use pddflow_runner::pipeline::ParamProblem;
use pddflow_training::recipe::{ProtocolParams, check_protocol};
use pddflow_training::segments::Training;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What can be said of a folder, besides how nets are trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportParams {
    /// Whether each image is also written as a PNG; with `layout: hugging_face` pictures are always there.
    #[serde(default = "yes")]
    pub(super) pictures: bool,
    /// How several sets are to be used: `progressive`, `union` or `sequential`.
    #[serde(default)]
    pub training: Training,
    /// Whether the folder is also a data set of Hugging Face, to be uploaded as it is.
    #[serde(default, skip_serializing_if = "Layout::is_folder")]
    pub(super) layout: Layout,
}

/// Where pictures and labels are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Layout {
    /// In a folder for each class.
    #[default]
    Folder,
    /// In a Parquet file that `datasets` loads by itself, beside a card.
    HuggingFace,
}

impl Layout {
    /// The default does not enter keys.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
    fn is_folder(&self) -> bool {
        *self == Self::Folder
    }
}

/// The structs that hold the parameters.
#[must_use]
pub fn parts() -> [Part; 2] {
    [Part::of::<ProtocolParams>(), Part::of::<ExportParams>()]
}

fn yes() -> bool {
    true
}

/// Checks the parameters; defaults are filled in.
///
/// # Errors
/// Every parameter that is wrong.
pub fn check(with: &Value) -> Result<Value, Vec<ParamProblem>> {
    let mut resolved = resolve_parts(with, &parts())?;
    let mut problems = check_protocol(&mut resolved, "");
    if resolved["training"] == "full" {
        let help = "give `progressive`, `union` or `sequential`";
        problems.push(problem("/training", "what is exported is trained on", Some(help.into())));
    }
    if problems.is_empty() { Ok(resolved) } else { Err(problems) }
}
