//! From files to the bytes of an artifact.

use pddflow_artifact::failure::{NodeResult, fail, from_plugin};
use pddflow_artifact::{Dataset, NamedTensors, NetsInfo, Scores};
use pddflow_data::foreign::{self, Foreign, GivenFiles};
use pddflow_runner::{NodeContext, NodeError};
use pddflow_training::plugins::Plugins;
use pddflow_training::splits::TensorOptions;
use pddflow_training::stored::{NetRange, Wanted, info, net_data_of, specs_of};
use serde_json::Value;

use super::nets;
use super::params::{ImportParams, What};
use super::parts::Parts;
use super::scores::scores;
use super::set::{of_pictures, own_set, set};

/// The artifact that the files become, for the data that they are for; `made_by` is kept in it.
///
/// # Errors
/// A file is not what the parameters say, or does not fit the data or the model.
pub fn imported(
    files: &GivenFiles,
    params: &ImportParams,
    (data, made_by): (&Dataset, Value),
    (plugins, tensors): (&Plugins, &TensorOptions),
    context: &NodeContext<'_>,
) -> NodeResult<Vec<u8>> {
    match params.what {
        What::Set => set_bytes(files, params, data, made_by, context),
        What::Scores => scores_bytes(files, params, data, made_by),
        What::Tensors => tensors_bytes(files, data, made_by),
        What::Trajectories | What::Weights => {
            nets_bytes(files, nets_info((plugins, tensors), params, data, made_by)?, params.what, context)
        }
    }
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

/// Tensors of another program count as made for the data; those of this one say what they were made for.
fn tensors_bytes(files: &GivenFiles, data: &Dataset, made_by: Value) -> NodeResult<Vec<u8>> {
    let mut read = files.read();
    let (Some(file), None) = (read.next(), read.next()) else {
        return Err(fail("import_content", "tensors are in one file").with_help("name one file in `from`"));
    };
    let (name, bytes) = file?;
    let found = NamedTensors::read(&bytes).map_err(|error| {
        fail("import_content", format!("{name}: {error}")).with_help("write the tensors into a safetensors file")
    })?;
    let made_for = found.data.unwrap_or_else(|| net_data_of(data));
    Ok(NamedTensors { data: Some(made_for), made_by, ..found }.encode()?)
}

/// What nets of these data and this model are told to be; their number is not known yet.
fn nets_info(
    (plugins, tensors): (&Plugins, &TensorOptions),
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
    let registry = plugins.open()?;
    let model = registry.model(&choice.id, &choice.config).map_err(|error| from_plugin(&error))?;
    let about = net_data_of(data);
    let specs = specs_of(&model, &about)?;
    let (device, dtype) = (&tensors.device, tensors.dtype);
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
