//! Sets of some classes, made ready for training with the class numbers of the full data.

use pddflow_artifact::DistilledSet;
use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_host::{Decoded, Labels};
use pddflow_runner::{Artifact, NodeContext};
use pddflow_tensor::{Device, Tensor};
use pddflow_training::splits::Prepared;
use serde_json::Value;

use crate::surroundings::Surroundings;

/// A set whose labels are class numbers of the full data.
#[derive(Clone, Debug)]
pub(super) struct PartSet {
    /// The node it comes from, for messages.
    pub(super) from: String,
    /// Images, and labels over all classes of the data.
    pub(super) decoded: Decoded,
    /// The learning rate that was learned with it.
    pub(super) step_size: Option<f64>,
    /// Name of its method in tables.
    pub(super) method: String,
    /// Images per class.
    pub(super) ipc: usize,
    /// The classes it has, in the order of its own labels.
    pub(super) ids: Vec<usize>,
    /// What it says of how to train on it.
    pub(super) recipe: Value,
    /// What made it, with its parameters.
    pub(super) made_by: Value,
}

/// Reads sets and checks that each was made from a part of this data.
pub(super) fn load_parts(
    surroundings: &Surroundings,
    context: &NodeContext<'_>,
    artifacts: &[Artifact],
    data: &Prepared,
) -> NodeResult<Vec<PartSet>> {
    artifacts.iter().map(|artifact| load_part(surroundings, context, artifact, data)).collect()
}

fn load_part(
    surroundings: &Surroundings,
    context: &NodeContext<'_>,
    artifact: &Artifact,
    data: &Prepared,
) -> NodeResult<PartSet> {
    let doing = "reading a set";
    let set = DistilledSet::decode(&context.get(&artifact.digest).during(doing)?)?;
    let ids = class_ids(&set, data).map_err(|problem| mismatch(artifact, problem))?;
    check_images(&set, data).map_err(|problem| mismatch(artifact, problem))?;
    let images = set.images.cast(surroundings.dtype()).and_then(|images| images.to_device(surroundings.device()));
    let labels = match full_labels(&set.labels, &ids, data.classes)? {
        Labels::Hard(labels) => Labels::Hard(labels.to_device(surroundings.device()).during(doing)?),
        Labels::Soft(labels) => {
            let labels = labels.cast(surroundings.dtype()).and_then(|labels| labels.to_device(surroundings.device()));
            Labels::Soft(labels.during(doing)?)
        }
    };
    Ok(PartSet {
        from: artifact.from.to_string(),
        decoded: Decoded { images: images.during(doing)?, labels },
        step_size: set.step_size,
        method: set.info.method,
        ipc: set.info.ipc,
        recipe: set.info.recipe,
        made_by: set.info.made_by,
        ids,
    })
}

/// What is wrong with a set, and what to do about it.
type Unfit = (String, &'static str);

fn mismatch(artifact: &Artifact, (message, help): Unfit) -> pddflow_runner::NodeError {
    fail("set_mismatch", format!("the set of `{}` {message}", artifact.from)).with_help(help)
}

const OTHER_DATA: &str = "wire as `data` the full data set from which the `classes` nodes take their classes";

/// The class numbers in the full data of a set's classes.
fn class_ids(set: &DistilledSet, data: &Prepared) -> Result<Vec<usize>, Unfit> {
    if data.dataset.class_ids().is_some() {
        let message =
            "is evaluated on a part of a data set, and the classes of several parts are numbered in the full one";
        return Err((message.into(), OTHER_DATA));
    }
    let (ids, of) = match &set.info.class_ids {
        Some(part) => (part.ids.clone(), part.of),
        None => ((0..set.classes()).collect(), set.classes()),
    };
    if of != data.classes {
        return Err((format!("was made from data of {of} classes, and `data` has {}", data.classes), OTHER_DATA));
    }
    let names = data.dataset.class_names();
    let strange = ids.iter().zip(&set.info.class_names).find(|(id, name)| names.get(**id) != Some(name));
    match strange {
        Some((id, name)) => Err((format!("calls class {id} `{name}`, and `data` does not"), OTHER_DATA)),
        None => Ok(ids),
    }
}

fn check_images(set: &DistilledSet, data: &Prepared) -> Result<(), Unfit> {
    let (size, other) = (set.size(), data.dataset.size());
    if size != other {
        let shown = |of: pddflow_artifact::ImageSize| format!("{}x{}x{}", of.channels, of.height, of.width);
        return Err((format!("has images of {}, the data has {}", shown(size), shown(other)), OTHER_DATA));
    }
    if set.info.preprocessing.digest() != data.dataset.preprocessing_digest() {
        let help = "let the `classes` nodes take their classes from the normalised `dataset` node that is wired here";
        return Err(("was made for another normalisation of the pixels than the data has".into(), help));
    }
    Ok(())
}

/// Labels over the classes of a part as labels over all classes.
fn full_labels(labels: &Labels, ids: &[usize], classes: usize) -> NodeResult<Labels> {
    let doing = "numbering the labels of a set";
    let cpu = Device::Cpu;
    Ok(match labels {
        Labels::Hard(own) => {
            let own = own.to_i64_vec().during(doing)?;
            let full = own.iter().map(|label| {
                let id = usize::try_from(*label).ok().and_then(|label| ids.get(label));
                id.and_then(|id| i64::try_from(*id).ok())
                    .ok_or_else(|| fail("label", format!("a set has the label {label} of {} classes", ids.len())))
            });
            let full = full.collect::<NodeResult<Vec<i64>>>()?;
            let rows = full.len();
            Labels::Hard(Tensor::from_i64(full, &[rows], &cpu).during(doing)?)
        }
        Labels::Soft(own) => {
            let rows = own.shape().first().copied().unwrap_or(0);
            let values = own.to_f64_vec().during(doing)?;
            let mut full = vec![0.0; rows * classes];
            for (own, full) in values.chunks(ids.len().max(1)).zip(full.chunks_mut(classes.max(1))) {
                ids.iter().zip(own).for_each(|(id, value)| full[*id] = *value);
            }
            Labels::Soft(Tensor::from_values(full, &[rows, classes], own.dtype(), &cpu).during(doing)?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_get_the_numbers_of_the_full_data() {
        let hard = Labels::Hard(Tensor::from_i64(vec![0, 1, 1], &[3], &Device::Cpu).unwrap());
        assert_eq!(full_labels(&hard, &[3, 1], 4).unwrap().tensor().to_i64_vec().unwrap(), [3, 1, 1]);
        let soft = Labels::Soft(Tensor::from_f32(vec![0.25, 0.75], &[1, 2], &Device::Cpu).unwrap());
        let full = full_labels(&soft, &[3, 1], 4).unwrap();
        assert_eq!(full.tensor().to_f64_vec().unwrap(), [0.0, 0.75, 0.0, 0.25]);
        let outside = Labels::Hard(Tensor::from_i64(vec![2], &[1], &Device::Cpu).unwrap());
        assert_eq!(full_labels(&outside, &[3, 1], 4).unwrap_err().code, "pddflow::nodes::label");
    }
}
