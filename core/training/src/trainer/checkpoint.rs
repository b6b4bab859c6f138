//! Nets in training as bytes, and back bit for bit.

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_host::Net;
use pddflow_tensor::Device;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::net::{NetState, Position};
use super::train::Trainer;
use crate::tensor_file::{self, Named, extend, series};

/// Version of the form; a checkpoint of another version is not continued, and a shard of another version has another key.
pub(super) const VERSION: u32 = 3;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note<N> {
    version: u32,
    nets: Vec<NetNote<N>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NetNote<N> {
    number: usize,
    at: Position,
    /// Snapshots.
    kept: usize,
    notes: N,
    loss: f64,
}

pub(super) fn encode<N: Serialize + Clone>(nets: &[NetState<N>]) -> NodeResult<Vec<u8>> {
    let mut tensors = Named::new();
    for NetState { number, net, average, kept, .. } in nets {
        extend(&mut tensors, &format!("net{number}.average"), average);
        extend(&mut tensors, &format!("net{number}.weight"), &net.weights);
        extend(&mut tensors, &format!("net{number}.momentum"), net.momentum.as_deref().unwrap_or_default());
        for (at, snapshot) in kept.iter().enumerate() {
            extend(&mut tensors, &format!("net{number}.kept{at}."), snapshot);
        }
    }
    let note = |net: &NetState<N>| NetNote {
        number: net.number,
        at: net.at,
        kept: net.kept.len(),
        notes: net.notes.clone(),
        loss: net.loss,
    };
    tensor_file::encode(&tensors, &Note { version: VERSION, nets: nets.iter().map(note).collect() })
}

/// What [`encode`] wrote. A net that is done has weights if they are `kept`.
pub(super) fn decode<N: DeserializeOwned>(
    bytes: &[u8],
    (trainer, device): (&Trainer<'_>, &Device),
    kept: bool,
) -> NodeResult<Vec<NetState<N>>> {
    let (tensors, note) = tensor_file::decode::<Note<N>>(bytes, device)?;
    if note.version != VERSION {
        return Err(fail("checkpoint", format!("the checkpoint has version {}, not {VERSION}", note.version)));
    }
    let needed = |at: &Position| *at != Position::default() && (kept || !trainer.is_over(at));
    let weights = |net: &NetNote<N>| if needed(&net.at) { trainer.architecture.specs.len() } else { 0 };
    note.nets.into_iter().map(|net| restored(weights(&net), net, &tensors)).collect()
}

fn restored<N>(weights: usize, note: NetNote<N>, tensors: &Named) -> NodeResult<NetState<N>> {
    let NetNote { number, at, kept, notes, loss } = note;
    let found = series(tensors, &format!("net{number}.weight"));
    if found.len() != weights {
        return Err(fail("checkpoint", format!("the checkpoint has not all weights of net {number}")));
    }
    let momentum = series(tensors, &format!("net{number}.momentum"));
    let kept = (0..kept).map(|at| series(tensors, &format!("net{number}.kept{at}."))).collect();
    let net = Net { weights: found, momentum: (!momentum.is_empty()).then_some(momentum) };
    let average = series(tensors, &format!("net{number}.average"));
    Ok(NetState { number, net, average, at, kept, notes, loss })
}

#[cfg(test)]
mod tests {
    use pddflow_tensor::{DType, Tensor};

    use super::*;

    #[test]
    fn nets_come_back_bit_for_bit() {
        let tensor = |values: Vec<f32>| Tensor::from_f32(values, &[2], &Device::Cpu).unwrap();
        let mut halfway = NetState::<Vec<f64>>::new(1);
        halfway.net = Net { weights: vec![tensor(vec![0.1, -0.0])], momentum: Some(vec![tensor(vec![1e-30, 3.0])]) };
        halfway.average = vec![tensor(vec![0.75, -1.5])];
        halfway.at = Position { segment: 1, epoch: 7, batch: 3 };
        halfway.kept = vec![vec![tensor(vec![0.5, 0.25])], vec![]];
        halfway.notes = vec![0.1 + 0.2, 1.0 / 3.0];
        let bytes = encode(&[NetState::new(0), halfway]).unwrap();
        let (tensors, note) = tensor_file::decode::<Note<Vec<f64>>>(&bytes, &Device::Cpu).unwrap();
        let back = |weights: [usize; 2]| {
            let nets = tensor_file::decode::<Note<Vec<f64>>>(&bytes, &Device::Cpu).unwrap().1.nets;
            nets.into_iter().zip(weights).map(|(net, weights)| restored(weights, net, &tensors)).collect::<Vec<_>>()
        };
        assert_eq!(note.version, VERSION);
        let whole: Vec<_> = back([0, 1]).into_iter().map(Result::unwrap).collect();
        assert_eq!(encode(&whole).unwrap(), bytes);
        assert_eq!((whole[1].kept.len(), whole[1].average.len()), (2, 1));
        assert_eq!(whole[1].kept[0][0].dtype(), DType::F32);
        assert!(back([0, 2])[1].is_err(), "a net of another model");
        assert!(back([1, 1])[0].is_err(), "a net that should have begun");
    }
}
