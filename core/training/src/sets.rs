//! Sets on their way in and out of nodes.

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_artifact::{Dataset, DistilledSet, NetData, RealImages, Scores};
use pddflow_cache::Digest;
use pddflow_host::{Decoded, Labels};
use pddflow_runner::{Artifact, Inputs, NodeContext, NodeError};
use pddflow_tensor::{Device, Tensor};
use serde_json::Value;

use crate::recipe::Script;
use crate::splits::{Prepared, TensorOptions};

/// A set ready for work: on the node's device and in its number type.
#[derive(Clone, Debug)]
pub struct LoadedSet {
    /// Images and labels.
    pub decoded: Decoded,
    /// The learning rate that was learned with it.
    pub step_size: Option<f64>,
    /// Name of its method in tables.
    pub method: String,
    /// Images per class.
    pub ipc: usize,
    /// What it says of how to train on it.
    pub recipe: Value,
    /// The steps in which it is of use, where it says so.
    pub script: Option<Script>,
    /// The real images that it was made from, where they are known.
    pub real_images: Option<RealImages>,
    /// What made it, with its parameters.
    pub made_by: Value,
}

impl LoadedSet {
    /// Number of images.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.decoded.images.shape().first().copied().unwrap_or(0)
    }

    /// Whether labels are probabilities.
    #[must_use]
    pub fn is_soft(&self) -> bool {
        matches!(self.decoded.labels, Labels::Soft(_))
    }

    /// The steps in which it is of use.
    ///
    /// # Errors
    /// It does not say so.
    pub fn script(&self) -> NodeResult<&Script> {
        Script::needed(self.script.as_ref(), &self.method)
    }

    /// Gives each image the class that is most probable.
    ///
    /// # Errors
    /// When the labels cannot be read.
    pub fn harden(&mut self) -> NodeResult<()> {
        if let Labels::Soft(labels) = &self.decoded.labels {
            self.decoded.labels = Labels::Hard(labels.argmax(1).during("reading soft labels")?);
        }
        Ok(())
    }
}

/// The artifact at a port that takes exactly one.
pub fn one_artifact<'a>(inputs: &'a Inputs, port: &str) -> NodeResult<&'a Artifact> {
    match inputs.port(port) {
        [one] => Ok(one),
        other => Err(NodeError::internal(format!("port `{port}` takes one artifact and was given {}", other.len()))),
    }
}

/// Reads sets and checks that each was made for this data.
pub fn load_sets(
    tensors: &TensorOptions,
    context: &NodeContext<'_>,
    artifacts: &[Artifact],
    data: &Prepared,
) -> NodeResult<Vec<LoadedSet>> {
    let load = |artifact: &Artifact| {
        let set = read_set(context, artifact)?;
        check_fits(&set, artifact, data)?;
        loaded(tensors, set)
    };
    artifacts.iter().map(load).collect()
}

/// Reads sets where there is no data set beside them, and checks that all were made for the same data, which are told
/// too. `None` when there is no set.
pub fn load_sets_alone(
    tensors: &TensorOptions,
    context: &NodeContext<'_>,
    artifacts: &[Artifact],
) -> NodeResult<Option<(Vec<LoadedSet>, NetData)>> {
    let mut about: Option<NetData> = None;
    let mut sets = Vec::with_capacity(artifacts.len());
    for artifact in artifacts {
        let set = read_set(context, artifact)?;
        let own = data_of(&set);
        match &about {
            None => about = Some(own),
            Some(first) => check_alike(first, &own, (artifact, &artifacts[0]))?,
        }
        sets.push(loaded(tensors, set)?);
    }
    Ok(about.map(|about| (sets, about)))
}

fn data_of(set: &DistilledSet) -> NetData {
    let size = set.size();
    NetData {
        source: set.info.source.clone(),
        class_names: set.info.class_names.clone(),
        shape: [size.channels, size.height, size.width],
        preprocessing: set.info.preprocessing.digest(),
    }
}

fn check_alike(first: &NetData, other: &NetData, (artifact, reference): (&Artifact, &Artifact)) -> NodeResult<()> {
    let what = if first.shape != other.shape {
        "images of another size"
    } else if first.class_names != other.class_names {
        "other classes"
    } else if first.preprocessing != other.preprocessing {
        "another normalisation of the pixels"
    } else {
        return Ok(());
    };
    let message = format!("the set of `{}` has {what} than that of `{}`", artifact.from, reference.from);
    Err(fail("set_mismatch", message).with_help("wire sets that were made from one data set"))
}

fn read_set(context: &NodeContext<'_>, artifact: &Artifact) -> NodeResult<DistilledSet> {
    Ok(DistilledSet::decode(&context.get(&artifact.digest).during("reading a set")?)?)
}

/// On the node's device and in its number type.
fn loaded(tensors: &TensorOptions, set: DistilledSet) -> NodeResult<LoadedSet> {
    let here = |tensor: &Tensor| tensor.cast(tensors.dtype).and_then(|tensor| tensor.to_device(&tensors.device));
    let labels = match &set.labels {
        Labels::Hard(labels) => Labels::Hard(labels.to_device(&tensors.device).during("reading a set")?),
        Labels::Soft(labels) => Labels::Soft(here(labels).during("reading a set")?),
    };
    Ok(LoadedSet {
        decoded: Decoded { images: here(&set.images).during("reading a set")?, labels },
        script: Script::of(&set.info.recipe, &set.learnables, set.rows())?,
        step_size: set.step_size,
        method: set.info.method,
        ipc: set.info.ipc,
        recipe: set.info.recipe,
        real_images: set.info.real_images,
        made_by: set.info.made_by,
    })
}

fn check_fits(set: &DistilledSet, artifact: &Artifact, data: &Prepared) -> NodeResult<()> {
    let mismatch = |message: String, help: &str| {
        Err(fail("set_mismatch", format!("the set of `{}` {message}", artifact.from)).with_help(help))
    };
    let (size, other) = (set.size(), data.dataset.size());
    if size != other {
        let shown = |of: pddflow_artifact::ImageSize| format!("{}x{}x{}", of.channels, of.height, of.width);
        let message = format!("has images of {}, the data has {}", shown(size), shown(other));
        return mismatch(message, "wire the data set that the set was made from");
    }
    if set.info.class_names != data.dataset.class_names() {
        let message = format!("has {} classes that are not the {} of the data", set.classes(), data.classes);
        return mismatch(
            message,
            "wire the data set that the set was made from; names and order of classes must agree",
        );
    }
    if set.info.class_ids.as_ref() != data.dataset.class_ids() {
        let help = "wire the `classes` node that the set was made from, or evaluate parts with `continual`";
        return mismatch("has other classes of the full data set than the data has".into(), help);
    }
    if set.info.preprocessing.digest() != data.dataset.preprocessing_digest() {
        let help = "wire the `dataset` node that the set was made from, or give both the same `normalize`";
        return mismatch("was made for another normalisation of the pixels than the data has".into(), help);
    }
    Ok(())
}

/// The scores of the training examples of `data`.
pub fn load_scores(context: &NodeContext<'_>, artifact: &Artifact, data: &Dataset) -> NodeResult<Vec<f64>> {
    let scores = Scores::decode(&context.get(&artifact.digest).during("reading the scores")?)?;
    if scores.belong_to(data) {
        return Ok(scores.scores);
    }
    let message = format!("the scores of `{}` are not those of this data's training images", artifact.from);
    Err(fail("scores_mismatch", message).with_help(
        "wire the data that the scores were made from; `classes` comes before both or after `filter`, not between",
    ))
}

/// Labels on the CPU, where sets live.
pub fn to_cpu(labels: &Labels) -> NodeResult<Labels> {
    let here = |tensor: &Tensor| tensor.to_device(&Device::Cpu).during("reading labels");
    Ok(match labels {
        Labels::Hard(labels) => Labels::Hard(here(labels)?),
        Labels::Soft(labels) => Labels::Soft(here(labels)?),
    })
}

/// Stores a set.
pub fn store_set(set: &DistilledSet, context: &NodeContext<'_>) -> NodeResult<Digest> {
    context.put(&set.encode()?).during("storing the set")
}

/// All earlier sets as one, in their order; `None` where there is none. Hard labels become probabilities if any set has such.
pub fn join_sets(sets: &[Decoded], classes: usize) -> NodeResult<Option<Decoded>> {
    let doing = "joining the earlier sets";
    let Some(first) = sets.first() else { return Ok(None) };
    if sets.len() == 1 {
        return Ok(Some(first.clone()));
    }
    let images: Vec<Tensor> = sets.iter().map(|set| set.images.clone()).collect();
    let soft = sets.iter().any(|set| matches!(set.labels, Labels::Soft(_)));
    let mut labels = Vec::with_capacity(sets.len());
    for set in sets {
        labels.push(match &set.labels {
            Labels::Hard(hard) if soft => hard.one_hot(classes, set.images.dtype()).during(doing)?,
            labels => labels.tensor().clone(),
        });
    }
    let labels = Tensor::concat(&labels, 0).during(doing)?;
    let labels = if soft { Labels::Soft(labels) } else { Labels::Hard(labels) };
    Ok(Some(Decoded { images: Tensor::concat(&images, 0).during(doing)?, labels }))
}
