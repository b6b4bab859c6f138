//! What can be said about files of others.

use pddflow_artifact::Names;
use pddflow_artifact::params::{problem, resolve};
use pddflow_host::Role;
use pddflow_runner::pipeline::ParamProblem;
use pddflow_training::choice::{PluginChoice, check_choice};
use pddflow_training::plugins::Plugins;
use pddflow_training::recipe::{TrainingParams, check_training};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Most cells of an image along each side.
const MOST_CELLS: usize = 16;

/// What is imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Images to train on, with their labels.
    Set,
    /// Weights of experts at every epoch, for matchers of trajectories.
    Trajectories,
    /// Weights of nets, to start from.
    Weights,
    /// How difficult each training image is.
    Scores,
    /// Tensors by name, such as those of a generator.
    Tensors,
}

impl What {
    /// Its name in pipeline files, which is that of its output and its artifact too.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Set => "set",
            Self::Trajectories => "trajectories",
            Self::Weights => "weights",
            Self::Scores => "scores",
            Self::Tensors => "tensors",
        }
    }
}

/// What the numbers of images are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Values {
    /// Pixels from 0 to 1.
    Pixels,
    /// What nets see: pixels normalised (or whitened) as the data at `data` are.
    Normalised,
    /// Pixels normalised otherwise, `(pixel - mean) / std` for each channel; they are brought to the data's normalisation.
    Standard {
        /// Mean of each channel.
        mean: Vec<f64>,
        /// Standard deviation of each channel.
        std: Vec<f64>,
    },
}

/// What the numbers of soft labels are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SoftLabels {
    /// They are at least 0, and those of an image have the sum 1.
    #[default]
    Probabilities,
    /// Their softmax is what is trained on, as in DATM.
    Logits,
}

/// Parameters of the kind `import`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImportParams {
    /// A file, a list of files, or a folder: safetensors, `.npz`, `.npy`, `.pt` of `torch.save`, or a folder of pictures for each
    /// class. Paths start at the pipeline file, or else at a data folder. What is in the files enters the key.
    pub from: Names,
    /// What the files hold.
    #[serde(rename = "as")]
    pub what: What,
    /// What the numbers of images are; needed for a set, unless its images are bytes.
    #[serde(default)]
    pub values: Option<Values>,
    /// IDC's factor, where each image of the file holds `factor * factor` smaller ones, as in the files of its release: they are cut
    /// out and enlarged. Sets that were exported by this program are decoded already.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    #[schemars(range(min = 1, max = 16))]
    pub factor: usize,
    /// Names of the classes in the order of the file's labels: labels are numbered as in the data then. By default those in the
    /// file; where there are none, the file's labels are the data's.
    #[serde(default)]
    pub classes: Option<Vec<String>>,
    /// What the numbers of soft labels are.
    #[serde(default)]
    pub soft_labels: SoftLabels,
    /// Which of the sets in a file that has several, as those of DC, from 0.
    #[serde(default)]
    pub entry: usize,
    /// Place of a set in a progressive sequence, from 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub stage: usize,
    /// How to train on a set; kept in it. A learning rate that comes with it is used unless another is given.
    #[serde(default)]
    pub recipe: TrainingParams,
    /// The net whose weights these are: a model plugin with its parameters. Needed for `trajectories` and `weights`.
    #[serde(default)]
    pub model: Option<PluginChoice>,
    /// Number of the first net, for one of several nodes with a part of the nets each.
    #[serde(default)]
    pub first: usize,
    /// Name of the method in tables; by default that in the file, or `imported`.
    #[serde(default)]
    pub method: Option<String>,
}

fn one() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_one(value: &usize) -> bool {
    *value == 1
}

/// Checks `with` and fills in the defaults, also those of the model.
///
/// # Errors
/// Every parameter that is wrong, or says nothing of what is imported.
pub fn check(plugins: &Plugins, with: &Value) -> Result<Value, Vec<ParamProblem>> {
    let mut resolved = resolve::<ImportParams>(with)?;
    let mut problems = check_training(&mut resolved, "/recipe", &Value::Null);
    let params: ImportParams =
        serde_json::from_value(resolved.clone()).map_err(|error| vec![problem("", error.to_string(), None)])?;
    let mut wrong = |pointer: &str, message: String, help: &str| {
        problems.push(problem(pointer, message, Some(help.to_owned())));
    };
    if let Some(Values::Standard { mean, std }) = &params.values
        && (mean.len() != std.len() || mean.is_empty() || std.iter().any(|std| *std <= 0.0))
    {
        let message = "mean and std need one number for each channel, std above 0".to_owned();
        wrong("/values/standard", message, "for example `{ standard: { mean: [0.5], std: [0.25] } }`");
    }
    let is_set = params.what == What::Set;
    let is_nets = matches!(params.what, What::Trajectories | What::Weights);
    let name = params.what.name();
    if is_nets && params.model.is_none() {
        wrong(
            "/as",
            format!("`{name}` are those of a model, and none is given"),
            "give `model:`, as in the node that uses them",
        );
    }
    for (field, of_set, given) in [
        ("values", true, params.values.is_some()),
        ("recipe", true, params.recipe != TrainingParams::default()),
        ("soft_labels", true, params.soft_labels != SoftLabels::default()),
        ("factor", true, params.factor != 1),
        ("entry", true, params.entry != 0),
        ("stage", true, params.stage != 1),
        ("model", false, params.model.is_some()),
        ("first", false, params.first != 0),
    ] {
        if given && !(if of_set { is_set } else { is_nets }) {
            wrong(&format!("/{field}"), format!("`{field}` says nothing of {name}"), "leave it out");
        }
    }
    if !(1..=MOST_CELLS).contains(&params.factor) {
        wrong("/factor", format!("an image is cut into 1 to {MOST_CELLS} cells a side"), "IDC's releases have 2 or 3");
    } else if params.factor > 1 && params.values == Some(Values::Normalised) {
        wrong("/factor", "undecoded images of IDC are pixels, and not normalised".to_owned(), "write `values: pixels`");
    }
    if params.stage == 0 {
        wrong("/stage", "stages count from 1".to_owned(), "give 1 or more");
    }
    if let Err(found) = check_choice(plugins, Role::Model, "model", &mut resolved) {
        problems.extend(found);
    }
    if problems.is_empty() { Ok(resolved) } else { Err(problems) }
}

/// The parameters without what only says where the files are.
#[must_use]
pub fn without_places(with: &Value) -> Value {
    let mut with = with.clone();
    if let Some(with) = with.as_object_mut() {
        with.remove("from");
    }
    with
}
