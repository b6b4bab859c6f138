//! Going on where a node ended that trained for fewer epochs.
//!
//! What is kept is each net's weights and momentum. The snapshots lie in that node's trajectories, which the state names;
//! when they are gone from the store, training starts over.

use pddflow_artifact::Trajectories;
use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_cache::Digest;
use pddflow_host::Net;
use pddflow_runner::NodeContext;
use pddflow_tensor::{Device, Tensor};
use pddflow_training::nets::{Pupil, Work};
use pddflow_training::tensor_file::{Named, decode, encode};
use serde::{Deserialize, Serialize};

use super::params::TrainParams;

/// Version of the state's form; one of another version is not continued.
const VERSION: u32 = 1;

/// What a state says; `end_of_training` tells it from a checkpoint.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    end_of_training: u32,
    epochs: u64,
    trajectories: Digest,
    /// Accuracies of each net.
    points: Vec<Vec<(u64, f64)>>,
}

pub(super) struct Extending<'a> {
    pub(super) params: &'a TrainParams,
    pub(super) context: &'a NodeContext<'a>,
    pub(super) device: &'a Device,
}

fn name(number: usize, what: &str, place: usize) -> String {
    format!("net{number}.{what}{place}")
}

impl Extending<'_> {
    /// The state of nets that are done; their snapshots are in `trajectories`.
    pub(super) fn state(&self, works: &[Work], epochs: u64, trajectories: Digest) -> NodeResult<Vec<u8>> {
        let mut tensors = Named::new();
        for Work { number, pupil, .. } in works {
            let momentum = pupil.net.momentum.as_deref().unwrap_or_default();
            for (what, list) in [("weight", &pupil.net.weights[..]), ("momentum", momentum)] {
                let named = list.iter().enumerate().map(|(place, tensor)| (name(*number, what, place), tensor.clone()));
                tensors.extend(named);
            }
        }
        let points = works.iter().map(|work| work.points.clone()).collect();
        encode(&tensors, &Note { end_of_training: VERSION, epochs, trajectories, points })
    }

    /// The nets as they were then, for training of so many epochs in all; none when the bytes are no such state.
    pub(super) fn resume(&self, bytes: &[u8], epochs: u64) -> NodeResult<Option<Vec<Work>>> {
        let Ok((tensors, note)) = decode::<Note>(bytes, self.device) else { return Ok(None) };
        if note.end_of_training != VERSION || note.epochs > epochs {
            return Err(fail("checkpoint", "the state is of another version"));
        }
        let blob = self.context.get(&note.trajectories).during("reading the snapshots of the epochs before")?;
        let snapshots = Trajectories::decode(&blob)?;
        let nets = note.points.into_iter().enumerate();
        let work = |(place, points): (usize, Vec<(u64, f64)>)| {
            let number = self.params.nets.first + place;
            let net = net(&tensors, number)?;
            let read = |epoch: &u64| snapshots.snapshot(place, *epoch);
            let over = note.epochs == epochs;
            let (stage, epoch) = if over { (1, 0) } else { (0, note.epochs) };
            let mut work = Work::new(number, Pupil { net, stage, epoch, batch: 0 });
            work.kept = snapshots.epochs().iter().map(read).collect::<Result<_, _>>()?;
            work.points = points.into_iter().filter(|(done, _)| self.params.measures_at(*done, epochs)).collect();
            Ok(work)
        };
        nets.map(work).collect::<NodeResult<_>>().map(Some)
    }
}

fn net(tensors: &Named, number: usize) -> NodeResult<Net> {
    let series = |what: &str| -> Vec<Tensor> {
        (0..).map_while(|place| tensors.get(&name(number, what, place)).cloned()).collect()
    };
    let (weights, momentum) = (series("weight"), series("momentum"));
    if weights.is_empty() {
        return Err(fail("checkpoint", format!("the state has nothing of net {number}")));
    }
    Ok(Net { weights, momentum: (!momentum.is_empty()).then_some(momentum) })
}
