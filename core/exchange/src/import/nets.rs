//! Weights of nets of others, as experts and as nets to start from.
//!
//! Weights are matched with those of the model in the order in which PyTorch lists parameters (which is that of the models
//! here), and every shape is compared; running statistics, which state dictionaries have in between, by their names.

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_artifact::{NetWeights, NetsInfo, StoredWeight, Trajectories};
use pddflow_cache::Blob;
use pddflow_data::foreign::{Array, Foreign};
use pddflow_runner::NodeError;
use pddflow_tensor::{Device, Tensor};

/// What PyTorch's state dictionaries count besides the weights.
const COUNTER: &str = "num_batches_tracked";
const STATISTICS: [&str; 2] = ["running_mean", "running_var"];

/// Experts out of what files hold: the bytes of the artifact. `info` has the model's weights; its number of nets is set here.
pub(super) fn trajectories(found: Vec<(String, Foreign)>, mut info: NetsInfo) -> NodeResult<Vec<u8>> {
    let weights: Vec<StoredWeight> = info.weights.iter().filter(|weight| !weight.statistic).cloned().collect();
    let mut nets: Vec<Vec<Vec<Tensor>>> = Vec::new();
    for (name, found) in found {
        match found {
            Foreign::Map(entries) => nets.extend(by_name(&name, &entries, &weights)?),
            other => {
                for expert in experts(&name, other)? {
                    nets.push(expert_of(&format!("{name}, expert {}", nets.len()), expert, &weights)?);
                }
            }
        }
    }
    let epochs = nets.first().map_or(0, Vec::len);
    if let Some(expert) = nets.iter().position(|net| net.len() != epochs) {
        let message = format!("expert {expert} has {} epochs, the first one {epochs}", nets[expert].len());
        return Err(fail("import_shape", message).with_help("import experts of other lengths with nodes of their own"));
    }
    if epochs == 0 {
        return Err(fail("import_content", "there is no expert in the files").with_help("name files with trajectories"));
    }
    info.count = nets.len();
    let epochs: Vec<u64> = (0..epochs as u64).collect();
    Ok(Trajectories::encode(&info, &epochs, &nets)?)
}

/// Nets to start from out of what files hold.
pub(super) fn weights(found: Vec<(String, Foreign)>, mut info: NetsInfo) -> NodeResult<Vec<u8>> {
    let mut nets = Vec::new();
    for (name, found) in found {
        let several = match found {
            Foreign::List(items) if items.iter().all(|item| matches!(item, Foreign::List(_) | Foreign::Map(_))) => {
                items
            }
            one => vec![one],
        };
        for net in several {
            nets.push(net_of(&format!("{name}, net {}", nets.len()), net, &info.weights)?);
        }
    }
    info.count = nets.len();
    Ok(NetWeights::encode(&info, &nets)?)
}

/// Trajectories or weights that this program wrote: as they are, where they are for these data.
pub(super) fn own(bytes: Vec<u8>, expected: &NetsInfo, as_trajectories: bool) -> NodeResult<Vec<u8>> {
    let blob = Blob::from(bytes);
    let info = match as_trajectories {
        true => Trajectories::decode(&blob)?.info().clone(),
        false => NetWeights::decode(&blob)?.info().clone(),
    };
    let same = info.model == expected.model && (info.data.is_none() || info.data == expected.data);
    if same {
        return Ok(blob.to_vec());
    }
    let message = format!(
        "the file has nets of the model {} for other data or of another model than {}",
        info.model, expected.model
    );
    Err(fail("import_nets", message).with_help("wire the data, and give the model, that they were trained with"))
}

/// One expert for each entry; a file may also hold one alone.
fn experts(name: &str, found: Foreign) -> NodeResult<Vec<Foreign>> {
    let depth = |mut item: &Foreign| {
        let mut depth = 0;
        while let Foreign::List(items) = item {
            depth += 1;
            let Some(first) = items.first() else { break };
            item = first;
        }
        depth
    };
    match (depth(&found), found) {
        (3, Foreign::List(items)) => Ok(items),
        (2, one) => Ok(vec![one]),
        (_, other) => Err(fail("import_content", format!("{name} holds {}, which is no trajectory", other.shown()))
            .with_help("experts are lists of epochs, which are lists of weights, as in `replay_buffer_0.pt`")),
    }
}

fn expert_of(place: &str, expert: Foreign, weights: &[StoredWeight]) -> NodeResult<Vec<Vec<Tensor>>> {
    let Foreign::List(epochs) = expert else {
        return Err(fail("import_content", format!("{place} is {}, and no list of epochs", expert.shown()))
            .with_help("experts are lists of epochs, which are lists of weights"));
    };
    let snapshot = |(epoch, found): (usize, Foreign)| ordered(&format!("{place}, epoch {epoch}"), found, weights);
    epochs.into_iter().enumerate().map(snapshot).collect()
}

/// Weights in the order of the model.
fn ordered(place: &str, found: Foreign, weights: &[StoredWeight]) -> NodeResult<Vec<Tensor>> {
    let items = match found {
        Foreign::List(items) => items,
        Foreign::Map(entries) => entries.into_iter().map(|(_, value)| value).collect(),
        other => vec![other],
    };
    let arrays = items.iter().map(|item| match item {
        Foreign::Array(array) => Ok(array),
        other => Err(fail("import_content", format!("{place} has {} among its weights", other.shown()))
            .with_help("weights are arrays of numbers")),
    });
    let arrays = arrays.collect::<NodeResult<Vec<&Array>>>()?;
    if arrays.len() != weights.len() {
        let message = format!("{place} has {} weights, and the model {}", arrays.len(), weights.len());
        return Err(fail("import_shape", message).with_help(MODEL_HELP));
    }
    arrays.into_iter().zip(weights).map(|(array, weight)| tensor(place, array, weight)).collect()
}

const MODEL_HELP: &str = "give `model:` with the parameters of the net that they are of, for example `{ convnet: { width: 128, \
                          depth: 3, norm: instance } }`, and wire the data that it was trained on";

fn tensor(place: &str, array: &Array, weight: &StoredWeight) -> NodeResult<Tensor> {
    if array.shape() != weight.shape {
        let (found, expected) = (array.shape(), &weight.shape);
        let message =
            format!("{place}: the weight in the place of `{}` is {found:?}, in the model {expected:?}", weight.name);
        return Err(fail("import_shape", message).with_help(MODEL_HELP));
    }
    let values = array.to_f32();
    if !values.iter().all(|value| value.is_finite()) {
        return Err(fail(
            "import_values",
            format!("{place}: the weight `{}` has numbers that are not finite", weight.name),
        )
        .with_help("the file is damaged, or the net diverged"));
    }
    Tensor::from_f32(values, &weight.shape, &Device::Cpu).during("reading weights")
}

/// A state dictionary, or a list of weights in the order of the model (without statistics, which start as they do).
fn net_of(place: &str, net: Foreign, weights: &[StoredWeight]) -> NodeResult<Vec<Tensor>> {
    let entries = match net {
        Foreign::Map(entries) => entries,
        list => return ordered(place, list, weights),
    };
    let is_statistic = |name: &str| STATISTICS.iter().any(|statistic| name.ends_with(statistic));
    let (statistics, learnable): (Vec<_>, Vec<_>) =
        entries.into_iter().filter(|(name, _)| !name.ends_with(COUNTER)).partition(|(name, _)| is_statistic(name));
    let (expected, wanted): (Vec<_>, Vec<_>) = weights.iter().cloned().partition(|weight| weight.statistic);
    let mut learnable = ordered(place, Foreign::Map(learnable), &wanted)?.into_iter();
    let mut statistics = ordered(place, Foreign::Map(statistics), &expected)?.into_iter();
    let next = |weight: &StoredWeight| if weight.statistic { statistics.next() } else { learnable.next() };
    let all: Option<Vec<Tensor>> = weights.iter().map(next).collect();
    all.ok_or_else(|| NodeError::internal("weights were counted wrong"))
}

/// Arrays `[net, epoch, ...]` by the weights' names, with or without `weight.` before it.
fn by_name(name: &str, entries: &[(String, Foreign)], weights: &[StoredWeight]) -> NodeResult<Vec<Vec<Vec<Tensor>>>> {
    let mut nets: Vec<Vec<Vec<Tensor>>> = Vec::new();
    for weight in weights {
        let is = |key: &str| key == weight.name || key.strip_prefix("weight.") == Some(&weight.name);
        let Some(Foreign::Array(array)) = entries.iter().find(|(key, _)| is(key)).map(|(_, value)| value) else {
            let known: Vec<&str> = weights.iter().map(|weight| weight.name.as_str()).collect();
            let message = format!("{name} has no array `{}`", weight.name);
            return Err(fail("import_content", message).with_help(format!(
                "the model's weights are {}, each as an array [net, epoch, ...]",
                known.join(", ")
            )));
        };
        let [count, epochs, ..] = *array.shape() else {
            return Err(fail("import_shape", format!("{name}: the array `{}` is {:?}", weight.name, array.shape()))
                .with_help("arrays of trajectories are [net, epoch, ...]"));
        };
        if nets.is_empty() {
            nets = vec![vec![Vec::new(); epochs]; count];
        }
        if nets.len() != count || nets.iter().any(|net| net.len() != epochs) {
            let message = format!(
                "{name}: the array `{}` has {count} nets and {epochs} epochs, others have other numbers",
                weight.name
            );
            return Err(fail("import_shape", message).with_help("arrays of trajectories are [net, epoch, ...]"));
        }
        for (number, net) in nets.iter_mut().enumerate() {
            for (epoch, snapshot) in net.iter_mut().enumerate() {
                let place = format!("{name}, net {number}, epoch {epoch}");
                let part = array.part(number).and_then(|net| net.part(epoch));
                let part = part.ok_or_else(|| NodeError::internal("an array is smaller than its shape"))?;
                snapshot.push(tensor(&place, &part, weight)?);
            }
        }
    }
    Ok(nets)
}
