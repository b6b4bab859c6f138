//! Nets on their way as bytes, and back bit for bit.

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_host::Net;
use pddflow_tensor::{Device, Tensor};
use serde::{Deserialize, Serialize};

use super::crew::{Point, Trainable};
use crate::tensor_file::{self, Named};

/// Version of the form; a checkpoint of another version is not continued.
const VERSION: u32 = 2;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    version: u32,
    nets: Vec<NetNote>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct NetNote {
    leg: usize,
    epoch: u64,
    batch: usize,
    points: Vec<Point>,
    /// Whether it has weights: not before its first batch, and not when it is finished.
    weights: bool,
}

pub(super) fn encode(nets: &[Trainable]) -> NodeResult<Vec<u8>> {
    let mut tensors = Named::new();
    for (number, trainable) in nets.iter().enumerate() {
        for (place, weight) in trainable.net.weights.iter().enumerate() {
            tensors.insert(format!("net{number}.weight{place}"), weight.clone());
        }
        for (place, buffer) in trainable.net.momentum.iter().flatten().enumerate() {
            tensors.insert(format!("net{number}.momentum{place}"), buffer.clone());
        }
    }
    let note = |trainable: &Trainable| NetNote {
        leg: trainable.leg,
        epoch: trainable.epoch,
        batch: trainable.batch,
        points: trainable.points.clone(),
        weights: !trainable.net.weights.is_empty(),
    };
    tensor_file::encode(&tensors, &Note { version: VERSION, nets: nets.iter().map(note).collect() })
}

/// What [`encode`] wrote, of nets with `weights` weights.
pub(super) fn decode(bytes: &[u8], weights: usize, device: &Device) -> NodeResult<Vec<Trainable>> {
    let (tensors, note) = tensor_file::decode::<Note>(bytes, device)?;
    if note.version != VERSION {
        return Err(fail("checkpoint", format!("the checkpoint has version {}, not {VERSION}", note.version)));
    }
    let series = |prefix: String| -> Vec<Tensor> {
        (0..).map_while(|place| tensors.get(&format!("{prefix}{place}")).cloned()).collect()
    };
    let net = |(number, note): (usize, NetNote)| {
        let found = series(format!("net{number}.weight"));
        if found.len() != if note.weights { weights } else { 0 } {
            return Err(fail("checkpoint", format!("the checkpoint has not all weights of net {number}")));
        }
        let momentum = series(format!("net{number}.momentum"));
        let momentum = (!momentum.is_empty()).then_some(momentum);
        let NetNote { leg, epoch, batch, points, .. } = note;
        Ok(Trainable { net: Net { weights: found, momentum }, leg, epoch, batch, points })
    };
    note.nets.into_iter().enumerate().map(net).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nets_come_back_bit_for_bit() {
        let tensor = |values: Vec<f32>| Tensor::from_f32(values, &[2], &Device::Cpu).unwrap();
        let mut halfway = Trainable::new();
        halfway.net = Net { weights: vec![tensor(vec![0.1, -0.0])], momentum: Some(vec![tensor(vec![1e-30, 3.0])]) };
        (halfway.leg, halfway.epoch, halfway.batch) = (1, 7, 3);
        halfway.points.push(Point { leg: 0, epoch: 9, test: 0.1 + 0.2, held_out: Some(1.0 / 3.0) });
        let bytes = encode(&[Trainable::new(), halfway]).unwrap();
        let back = decode(&bytes, 1, &Device::Cpu).unwrap();
        assert_eq!(encode(&back).unwrap(), bytes);
        assert_eq!((back[1].leg, back[1].epoch, back[1].batch), (1, 7, 3));
        assert!(back[0].net.weights.is_empty() && back[0].net.momentum.is_none());
        assert!(decode(&bytes, 2, &Device::Cpu).is_err(), "a net of another model");
    }
}
