//! Parameters of the kind `dataset`.

use pddflow_artifact::params::{problem, resolve};
use pddflow_data::{ClassRef, Normalize, SourceChoice};
use pddflow_runner::pipeline::ParamProblem;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Parameters of the kind `dataset`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DatasetParams {
    /// Where the images come from.
    pub(super) source: SourceChoice,
    /// What is done to pixels (in [0, 1]) before a net sees them.
    #[serde(default)]
    pub(super) normalize: Normalize,
    /// Only these classes, by name or number, numbered anew in this order; default: all.
    #[serde(default)]
    pub(super) classes: Option<Vec<ClassRef>>,
    /// Only the first this many training images of each class.
    #[serde(default)]
    pub(super) train_per_class: Option<usize>,
    /// Only the first this many test images of each class.
    #[serde(default)]
    pub(super) test_per_class: Option<usize>,
    /// Fraction of the training images of each class that is set aside to choose by (learning rates, iterations, epochs):
    /// no node trains on them, and whitening is fitted without them. 0 for none.
    #[serde(default)]
    #[schemars(range(min = 0, max = 1))]
    pub(super) held_out: f64,
    /// Which images these are is drawn by this number, whatever the seed of the pipeline.
    #[serde(default)]
    pub(super) held_out_seed: u64,
}

/// Checks `with` and fills in the defaults, also those of the source.
pub(super) fn check(with: &Value) -> Result<Value, Vec<ParamProblem>> {
    let mut resolved = resolve::<DatasetParams>(with)?;
    let params: DatasetParams =
        serde_json::from_value(resolved.clone()).map_err(|error| vec![problem("", error.to_string(), None)])?;
    let mut problems = Vec::new();
    match params.source.check() {
        Ok(source) => resolved["source"] = serde_json::json!({ source.name: source.config }),
        Err(found) => problems.extend(found),
    }
    problems.extend(params.normalize.problem());
    if params.classes.as_ref().is_some_and(Vec::is_empty) {
        problems.push(problem(
            "/classes",
            "a data set without classes",
            Some("leave it out to have all classes".into()),
        ));
    }
    for (name, count) in [("train_per_class", params.train_per_class), ("test_per_class", params.test_per_class)] {
        if count == Some(0) {
            problems.push(problem(
                format!("/{name}"),
                "it must be at least 1",
                Some("leave it out to have all".into()),
            ));
        }
    }
    if !(0.0..1.0).contains(&params.held_out) {
        let message = format!("`held_out` is {} and must be at least 0 and below 1", params.held_out);
        problems.push(problem("/held_out", message, Some("for example `held_out: 0.1`; 0 sets nothing aside".into())));
    }
    if problems.is_empty() { Ok(resolved) } else { Err(problems) }
}
