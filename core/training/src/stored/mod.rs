//! Stored nets on their way into nodes: pools of weights and trajectories of experts, in one or several shards.
//!
//! Every shard is checked before any work: all of one model with one configuration, made for the data at hand (image size,
//! classes, normalisation), trained through the same sets, no net twice.

mod experts;
mod pool;
mod range;

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_artifact::{Dataset, NetData, NetsInfo, StoredWeight};
use pddflow_cache::Digest;
use pddflow_host::{InputShape, Model, WeightRole, WeightSpec};
use pddflow_runner::{Artifact, NodeError};
use pddflow_tensor::{DType, Device, Tensor, TensorError};
use serde_json::json;

use crate::choice::PluginChoice;
use crate::splits::Prepared;

pub use experts::Experts;
pub use pool::Pool;
pub use range::NetRange;

/// What stored nets must fit.
pub struct Wanted<'a> {
    /// The model as the node names it, with all defaults filled in.
    pub choice: &'a PluginChoice,
    /// Its weights.
    pub specs: &'a [WeightSpec],
    /// What the nets will see.
    pub data: &'a NetData,
    /// Where their tensors shall live.
    pub device: &'a Device,
    /// And in which number type.
    pub dtype: DType,
}

/// What nets are made for that see these data.
pub fn net_data(data: &Prepared) -> NetData {
    net_data_of(&data.dataset)
}

/// The same of a data set whose images nobody needs.
#[must_use]
pub fn net_data_of(data: &Dataset) -> NetData {
    let size = data.size();
    NetData {
        source: data.source().to_owned(),
        class_names: data.class_names().to_vec(),
        shape: [size.channels, size.height, size.width],
        preprocessing: data.preprocessing_digest(),
    }
}

/// The shape of images of these data.
pub fn input_shape(data: &NetData) -> InputShape {
    let [channels, height, width] = data.shape;
    InputShape { channels, height, width }
}

/// The nets of a node as an artifact tells of them.
///
/// Nothing of the machine or of the build enters: the record of the node says with which plugin they were made.
pub fn info(wanted: &Wanted<'_>, nets: NetRange, sets: Vec<Digest>, made_by: serde_json::Value) -> NetsInfo {
    let weight = |spec: &WeightSpec| StoredWeight {
        name: spec.name.clone(),
        shape: spec.shape.clone(),
        statistic: spec.role == WeightRole::Statistic,
    };
    NetsInfo {
        data: Some(wanted.data.clone()),
        weights: wanted.specs.iter().map(weight).collect(),
        ..fresh_info(wanted.choice, nets, sets, made_by)
    }
}

/// The same of nets that have seen nothing.
pub fn fresh_info(choice: &PluginChoice, nets: NetRange, sets: Vec<Digest>, made_by: serde_json::Value) -> NetsInfo {
    NetsInfo {
        model: model_value(choice),
        first: nets.first,
        count: nets.count,
        sets,
        data: None,
        weights: Vec::new(),
        made_by,
    }
}

/// A model as artifacts tell of it: `{ id: { ... } }`.
#[must_use]
pub fn model_value(choice: &PluginChoice) -> serde_json::Value {
    json!({ &choice.id: choice.config })
}

/// The weights of a model for these data.
pub fn specs_of(model: &Model, data: &NetData) -> NodeResult<Vec<WeightSpec>> {
    model.weights(input_shape(data), data.class_names.len()).during("asking the model for its weights")
}

fn mismatch(artifact: &Artifact, message: &str, help: &str) -> NodeError {
    mismatch_of("nets", artifact, message, help)
}

fn mismatch_of(what: &str, artifact: &Artifact, message: &str, help: &str) -> NodeError {
    fail("net_mismatch", format!("the {what} of `{}` {message}", artifact.from)).with_help(help)
}

/// Checks one shard against what is wanted.
fn check(info: &NetsInfo, wanted: &Wanted<'_>, artifact: &Artifact) -> NodeResult<()> {
    let model = model_value(wanted.choice);
    if info.model != model {
        let message = format!("are of the model {}, this node's model is {model}", info.model);
        return Err(mismatch(artifact, &message, "give both nodes the same `model`, with the same parameters"));
    }
    let Some(data) = &info.data else { return Ok(()) };
    check_data(data, wanted.data, ("nets", artifact))?;
    let same = |(stored, spec): (&StoredWeight, &WeightSpec)| {
        stored.name == spec.name
            && stored.shape == spec.shape
            && stored.statistic == (spec.role == WeightRole::Statistic)
    };
    if info.weights.len() == wanted.specs.len() && info.weights.iter().zip(wanted.specs).all(same) {
        return Ok(());
    }
    Err(mismatch(artifact, "have other weights than the model has now", "run the pipeline that made them again"))
}

/// Checks that what was made for some data, `what` in words, is for the data that are wanted.
///
/// # Errors
/// Shape, classes or normalisation are others.
pub fn check_data(data: &NetData, wanted: &NetData, (what, artifact): (&str, &Artifact)) -> NodeResult<()> {
    let mismatch = |message: &str, help: &str| mismatch_of(what, artifact, message, help);
    if data.shape != wanted.shape {
        let message =
            format!("are for images of {:?} (channels, rows, columns), here they are {:?}", data.shape, wanted.shape);
        return Err(mismatch(&message, "wire nodes of one data set"));
    }
    if data.class_names != wanted.class_names {
        let (theirs, ours) = (data.class_names.len(), wanted.class_names.len());
        let message = format!("are for {theirs} classes that are not the {ours} of this node's data");
        return Err(mismatch(&message, "names and order of the classes must agree"));
    }
    if data.preprocessing != wanted.preprocessing {
        let help = "wire the `dataset` node that they were trained on, or give both the same `normalize`";
        return Err(mismatch("were trained under another normalisation of the pixels", help));
    }
    Ok(())
}

/// Checks that the shards are parts of one whole: trained through the same sets, no net in two of them.
fn check_shards(shards: &[(&NetsInfo, &Artifact)]) -> NodeResult<()> {
    let Some(((first, _), others)) = shards.split_first() else { return Ok(()) };
    for (info, artifact) in others {
        if info.sets != first.sets || info.data.is_some() != first.data.is_some() {
            let message = format!(
                "were trained through {} earlier sets and those of the first shard through {}, or through others",
                info.sets.len(),
                first.sets.len()
            );
            return Err(mismatch(artifact, &message, "wire shards of one and the same stage"));
        }
    }
    let mut ranges: Vec<(usize, usize, &Artifact)> =
        shards.iter().map(|(info, artifact)| (info.first, info.count, *artifact)).collect();
    ranges.sort_by_key(|(first, ..)| *first);
    for pair in ranges.windows(2) {
        let ((first, count, _), (next, _, artifact)) = (pair[0], pair[1]);
        if first + count > next {
            let help = "give each shard its own nets: `nets: { first: 10, count: 10 }`";
            return Err(mismatch(artifact, &format!("begin with net {next}, which another shard has too"), help));
        }
    }
    Ok(())
}

/// A tensor of an artifact, ready for work.
fn ready(tensor: &Tensor, dtype: DType, device: &Device) -> Result<Tensor, TensorError> {
    tensor.cast(dtype)?.to_device(device)
}
