//! The kind `import`: sets, trajectories, weights, scores and tensors that other programs made; see `pddflow_exchange::import`.

use std::collections::BTreeMap;

use pddflow_artifact::Dataset;
use pddflow_artifact::failure::During;
use pddflow_artifact::params::{read, schema};
use pddflow_cache::{Digest, KeyPart};
use pddflow_data::Places;
use pddflow_data::foreign::GivenFiles;
use pddflow_exchange::import::{ImportParams, What, check, imported, without_places};
use pddflow_host::Role;
use pddflow_runner::pipeline::{Arity, KindSpec, ParamProblem};
use pddflow_runner::{Expected, Inputs, NodeContext, NodeError, Outputs, Task};
use pddflow_training::sets::one_artifact;
use serde_json::{Value, json};

use crate::kind::{Kind, port};
use crate::surroundings::{Surroundings, kernel_parts, part};

/// Raised when the artifact changes for the same files and parameters.
const REVISION: u32 = 1;

/// See the module.
pub(crate) struct ImportKind;

impl Kind for ImportKind {
    fn expects(&self) -> Expected {
        Expected { memory_bytes: 1 << 30, gpus: 0 }
    }

    fn spec(&self) -> KindSpec {
        let output = |what: What, summary| port(what.name(), what.name(), Arity::One, summary);
        KindSpec {
            name: "import".into(),
            summary: "Takes a set, trajectories, weights, scores or tensors that other programs made.".into(),
            inputs: vec![port("data", "dataset", Arity::One, "the real data that they are for")],
            outputs: vec![
                output(What::Set, "with `as: set`: the set, with the classes and the normalisation of the data"),
                output(What::Trajectories, "with `as: trajectories`: experts at epochs 0, 1, ..."),
                output(What::Weights, "with `as: weights`: nets to start from"),
                output(What::Scores, "with `as: scores`: the difficulty of each training image"),
                output(What::Tensors, "with `as: tensors`: what a matcher works from, such as a generator"),
            ],
            parameters: schema::<ImportParams>,
            seeded: false,
        }
    }

    fn check(&self, surroundings: &Surroundings, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        check(surroundings.plugins(), with)
    }

    fn gives(&self, with: &Value, output: &str) -> bool {
        with["as"] == output
    }

    fn key_parts(&self, surroundings: &Surroundings, node: Task<'_>) -> Result<Vec<KeyPart>, NodeError> {
        let params: ImportParams = read(node.with)?;
        let places = places(surroundings, node);
        // Whitening, and nothing else, is done by kernels.
        let mut parts = kernel_parts(REVISION);
        parts.push(part("files", GivenFiles::find(&places, &params.from.0)?.digest(&places)?.to_string()));
        if let Some(model) = &params.model {
            parts.push(part("model", surroundings.plugins().key(Role::Model, &model.id)?));
        }
        Ok(parts)
    }

    fn key_with(&self, with: &Value) -> Option<Value> {
        Some(without_places(with))
    }

    fn run(
        &self,
        surroundings: &Surroundings,
        node: Task<'_>,
        inputs: &Inputs,
        context: &NodeContext<'_>,
    ) -> Result<Outputs, NodeError> {
        let params: ImportParams = read(node.with)?;
        let places = places(surroundings, node);
        let files = GivenFiles::find(&places, &params.from.0)?;
        let made_by = json!({
            "kind": "import",
            "files": files.digest(&places)?,
            "parameters": without_places(node.with),
        });
        let data =
            Dataset::decode(&context.get(&one_artifact(inputs, "data")?.digest).during("reading the data set")?)?;
        let bytes = imported(&files, &params, (&data, made_by), surroundings.for_nets(), context)?;
        let digest: Digest = context.put(&bytes).during("storing what was imported")?;
        let artifacts = BTreeMap::from([(params.what.name().to_owned(), digest)]);
        Ok(Outputs { artifacts, metrics: BTreeMap::new() })
    }
}

/// Where files of others are looked for.
fn places(surroundings: &Surroundings, node: Task<'_>) -> Places {
    let options = surroundings.options();
    Places::new(node.folder, &options.data_dirs, &options.downloads)
}
