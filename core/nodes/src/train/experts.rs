//! What is kept of experts on their way: snapshots and accuracies; and going on where a node ended that trained for fewer
//! epochs.
//!
//! For the latter each net's weights and momentum are kept. The snapshots lie in that node's trajectories, which the state
//! names; when they are gone from the store, training starts over.

use pddflow_artifact::Trajectories;
use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_cache::Digest;
use pddflow_host::{Model, Net, WeightRole};
use pddflow_runner::NodeContext;
use pddflow_tensor::{Device, Tensor};
use pddflow_training::accuracy::accuracy_unless;
use pddflow_training::splits::Split;
use pddflow_training::stored::{Pool, Wanted};
use pddflow_training::tensor_file::{Named, decode, encode, extend, series};
use pddflow_training::trainer::{NetState, Observer, Position};
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

/// A net with its accuracies: epochs that were done, share that was right.
pub(super) type Expert = NetState<Points>;
type Points = Vec<(u64, f64)>;

/// What all experts share.
pub(super) struct Experts<'a> {
    pub(super) params: &'a TrainParams,
    /// Epochs that are run.
    pub(super) epochs: u64,
    /// Epochs at which weights are kept, ascending.
    pub(super) snapshots: &'a [u64],
    pub(super) start: &'a Pool,
    pub(super) wanted: &'a Wanted<'a>,
    pub(super) model: &'a Model,
    /// Accuracy is measured on these.
    pub(super) measured: &'a Split,
    pub(super) context: &'a NodeContext<'a>,
}

impl Observer for Experts<'_> {
    type Notes = Points;

    fn begin(&self, state: &mut Expert, _: usize) -> NodeResult<()> {
        state.net = Net::new(self.start.net(state.number, self.params.seed, self.wanted)?);
        self.keep(state, 0)
    }

    fn epoch(&self, state: &mut Expert, done: u64, stop: &dyn Fn() -> bool) -> NodeResult<()> {
        if self.params.measures_at(done, self.epochs) {
            let (images, labels) = (&self.measured.samples().images, self.measured.classes_of_rows());
            let share = accuracy_unless(stop, self.model, &state.net.weights, images, labels)?;
            state.notes.push((done, share));
        }
        self.keep(state, done)
    }

    fn resume(&self, bytes: &[u8]) -> NodeResult<Option<Vec<Expert>>> {
        let Ok((tensors, note)) = decode::<Note>(bytes, self.wanted.device) else { return Ok(None) };
        if note.end_of_training != VERSION || note.epochs > self.epochs {
            return Err(fail("checkpoint", "the state is of another version"));
        }
        let blob = self.context.get(&note.trajectories).during("reading the snapshots of the epochs before")?;
        let snapshots = Trajectories::decode(&blob)?;
        let over = note.epochs == self.epochs;
        let (segment, epoch) = if over { (1, 0) } else { (0, note.epochs) };
        let net = |(place, points): (usize, Points)| {
            let mut state = Expert::new(self.params.nets.first + place);
            state.net = net(&tensors, state.number)?;
            state.at = Position { segment, epoch, batch: 0 };
            let read = |epoch: &u64| snapshots.snapshot(place, *epoch);
            state.kept = snapshots.epochs().iter().map(read).collect::<Result<_, _>>()?;
            state.notes = points.into_iter().filter(|(done, _)| self.params.measures_at(*done, self.epochs)).collect();
            Ok(state)
        };
        note.points.into_iter().enumerate().map(net).collect::<NodeResult<_>>().map(Some)
    }
}

impl Experts<'_> {
    /// Keeps the learnable weights, where artifacts are made.
    fn keep(&self, state: &mut Expert, done: u64) -> NodeResult<()> {
        if self.snapshots.binary_search(&done).is_ok() {
            let weights = state.net.weights.iter().zip(self.wanted.specs);
            let learnable = weights.filter(|(_, spec)| spec.role == WeightRole::Learnable);
            let here = |weight: &Tensor| weight.to_device(&Device::Cpu).during("keeping a snapshot");
            state.kept.push(learnable.map(|(weight, _)| here(weight)).collect::<NodeResult<_>>()?);
        }
        Ok(())
    }

    /// The state of nets that are done; their snapshots are in `trajectories`.
    pub(super) fn state(&self, nets: &[Expert], trajectories: Digest) -> NodeResult<Vec<u8>> {
        let mut tensors = Named::new();
        for NetState { number, net, .. } in nets {
            extend(&mut tensors, &name(*number, "weight"), &net.weights);
            extend(&mut tensors, &name(*number, "momentum"), net.momentum.as_deref().unwrap_or_default());
        }
        let points = nets.iter().map(|net| net.notes.clone()).collect();
        encode(&tensors, &Note { end_of_training: VERSION, epochs: self.epochs, trajectories, points })
    }
}

fn name(number: usize, what: &str) -> String {
    format!("net{number}.{what}")
}

fn net(tensors: &Named, number: usize) -> NodeResult<Net> {
    let (weights, momentum) = (series(tensors, &name(number, "weight")), series(tensors, &name(number, "momentum")));
    if weights.is_empty() {
        return Err(fail("checkpoint", format!("the state has nothing of net {number}")));
    }
    Ok(Net { weights, momentum: (!momentum.is_empty()).then_some(momentum) })
}
