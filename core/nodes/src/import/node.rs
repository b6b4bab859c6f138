//! The node of kind `import`.

use std::collections::BTreeMap;

use pddflow_artifact::failure::{During, NodeResult, fail, from_plugin};
use pddflow_artifact::params::{read, schema};
use pddflow_artifact::{Dataset, NetsInfo, Scores};
use pddflow_cache::{Digest, KeyPart};
use pddflow_data::Places;
use pddflow_data::foreign::{self, Foreign, GivenFiles};
use pddflow_host::Role;
use pddflow_runner::pipeline::{Arity, KindSpec, ParamProblem};
use pddflow_runner::{Expected, Inputs, NodeContext, NodeError, Outputs, Task};
use pddflow_training::sets::one_artifact;
use pddflow_training::stored::{NetRange, Wanted, info, net_data_of, specs_of};
use serde_json::{Value, json};

use super::nets;
use super::params::{ImportParams, What, check, without_places};
use super::parts::Parts;
use super::scores::scores;
use super::set::{of_pictures, own_set, set};
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
            summary: "Takes a set, trajectories, weights or scores that other programs made.".into(),
            inputs: vec![port("data", "dataset", Arity::One, "the real data that they are for")],
            outputs: vec![
                output(What::Set, "with `as: set`: the set, with the classes and the normalisation of the data"),
                output(What::Trajectories, "with `as: trajectories`: experts at epochs 0, 1, ..."),
                output(What::Weights, "with `as: weights`: nets to start from"),
                output(What::Scores, "with `as: scores`: the difficulty of each training image"),
            ],
            parameters: schema::<ImportParams>,
            seeded: false,
        }
    }

    fn check(&self, surroundings: &Surroundings, with: &Value) -> Result<Value, Vec<ParamProblem>> {
        check(surroundings, with)
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
        let bytes = match params.what {
            What::Set => set_bytes(&files, &params, &data, made_by, context)?,
            What::Scores => scores_bytes(&files, &params, &data, made_by)?,
            What::Trajectories | What::Weights => {
                let expected = nets_info(surroundings, &params, &data, made_by)?;
                nets_bytes(&files, expected, params.what, context)?
            }
        };
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

fn set_bytes(
    files: &GivenFiles,
    params: &ImportParams,
    data: &Dataset,
    made_by: Value,
    context: &NodeContext<'_>,
) -> NodeResult<Vec<u8>> {
    if let Some(pictures) = files.pictures(context)? {
        return Ok(set(of_pictures(pictures)?, params, data, made_by, context)?.encode()?);
    }
    let mut parts = Parts::default();
    for file in files.read() {
        let (name, bytes) = file?;
        if foreign::is_own(&bytes) {
            check_alone(files, &name)?;
            return Ok(own_set(&bytes, params, data, &made_by, context)?.encode()?);
        }
        parts.add(&name, foreign::read(&name, &bytes)?, params.entry)?;
    }
    Ok(set(parts, params, data, made_by, context)?.encode()?)
}

fn scores_bytes(files: &GivenFiles, params: &ImportParams, data: &Dataset, made_by: Value) -> NodeResult<Vec<u8>> {
    let mut read = files.read();
    let (Some(file), None) = (read.next(), read.next()) else {
        return Err(fail("import_content", "scores are in one file").with_help("name one file in `from`"));
    };
    let (name, bytes) = file?;
    let method = params.method.as_deref();
    if !foreign::is_own(&bytes) {
        return Ok(scores((&name, foreign::read(&name, &bytes)?), data, method, made_by)?.encode()?);
    }
    let own = Scores::decode(&bytes)?;
    if own.belong_to(data) {
        return Ok(Scores { method: method.map_or(own.method.clone(), str::to_owned), ..own }.encode()?);
    }
    Err(fail("scores_mismatch", format!("{name} has scores of other training images than those of the data"))
        .with_help("wire the data that the scores were made from"))
}

/// What nets of these data and this model are told to be; their number is not known yet.
fn nets_info(
    surroundings: &Surroundings,
    params: &ImportParams,
    data: &Dataset,
    made_by: Value,
) -> NodeResult<NetsInfo> {
    if params.classes.as_ref().is_some_and(|classes| classes != data.class_names()) {
        return Err(fail(
            "import_classes",
            "the nets have the classes in another order than the data, and cannot be renumbered",
        )
        .with_help("give the `dataset` node that order with its parameter `classes:`"));
    }
    let choice = params.model.as_ref().ok_or_else(|| NodeError::internal("nets without a model"))?;
    let registry = surroundings.plugins().open()?;
    let model = registry.model(&choice.id, &choice.config).map_err(|error| from_plugin(&error))?;
    let about = net_data_of(data);
    let specs = specs_of(&model, &about)?;
    let (device, dtype) = (surroundings.device(), surroundings.dtype());
    let wanted = Wanted { choice, specs: &specs, data: &about, device, dtype };
    Ok(info(&wanted, NetRange { first: params.first, count: 0 }, Vec::new(), made_by))
}

fn nets_bytes(files: &GivenFiles, expected: NetsInfo, what: What, context: &NodeContext<'_>) -> NodeResult<Vec<u8>> {
    let mut found: Vec<(String, Foreign)> = Vec::new();
    for file in files.read() {
        if context.cancelled() {
            return Err(NodeError::cancelled());
        }
        let (name, bytes) = file?;
        if foreign::is_own(&bytes) {
            check_alone(files, &name)?;
            return nets::own(bytes, &expected, what == What::Trajectories);
        }
        found.push((name.clone(), foreign::read(&name, &bytes)?));
    }
    if what == What::Trajectories { nets::trajectories(found, expected) } else { nets::weights(found, expected) }
}

/// An artifact of this program is a whole import: other files beside it would be ignored.
fn check_alone(files: &GivenFiles, name: &str) -> NodeResult<()> {
    if files.count() == 1 {
        return Ok(());
    }
    Err(fail("import_content", format!("{name} was written by pddflow and is complete: the other files have no use"))
        .with_help("name it alone in `from`, or leave it out"))
}
