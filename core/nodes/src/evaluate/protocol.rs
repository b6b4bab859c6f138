//! Trains several nets through the stages and tests them.
//!
//! Nets share nothing but the data, so they are trained side by side on the cores; the result is the same in any order. The
//! loop goes in short steps of whole epochs, between which it can stop, report and checkpoint.
//!
//! | randomness | key below `(seed, "evaluate", net)` |
//! |---|---|
//! | first weights | `weights` |
//! | order of images, augmentation | `stage`, stage, epoch |

use std::time::Instant;

use pddflow_host::{Model, Net, Sgd, WeightSpec};
use pddflow_runner::{NodeContext, NodeError, Progress};
use pddflow_tensor::augment::Policy;
use pddflow_tensor::{DType, Device, RandomKey, Tensor};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::stages::Stage;
use crate::failure::{During, NodeResult, fail};
use crate::nets::{Epoch, Schedule, Trainee, accuracy, initial_weights, train_epoch};
use crate::tensor_file::{Named, decode, encode};

/// Time between two looks at cancellation; a setting, since epochs are whole and independent of it.
const LOOK_SECONDS: f64 = 0.2;
/// Version of the checkpoint's form; a checkpoint of another version is not continued.
const VERSION: u32 = 1;

/// Images with their classes to test on.
pub(super) struct Test<'a> {
    pub(super) images: &'a Tensor,
    pub(super) labels: &'a [i64],
}

/// What all nets share.
pub(super) struct Protocol<'a> {
    pub(super) model: &'a Model,
    pub(super) specs: &'a [WeightSpec],
    pub(super) dtype: DType,
    pub(super) device: &'a Device,
    pub(super) stages: &'a [Stage],
    pub(super) epochs: u64,
    pub(super) schedule: Schedule,
    pub(super) momentum: f64,
    pub(super) weight_decay: f64,
    pub(super) batch: usize,
    pub(super) augment: Policy,
    pub(super) cutmix: Option<f64>,
    pub(super) carry_momentum: bool,
    pub(super) curve_every: u64,
    pub(super) seed: u64,
    pub(super) test: Test<'a>,
    pub(super) held_out: Option<Test<'a>>,
}

/// Accuracy at one moment of a net's training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Point {
    /// Stage, from 1.
    pub(super) stage: usize,
    /// Epochs of the stage that are done.
    pub(super) epoch: u64,
    /// Share of the test images that are right, 0 to 1.
    pub(super) test: f64,
    /// The same of the held-out real images.
    pub(super) held_out: Option<f64>,
}

/// One net with what was measured on it.
#[derive(Clone)]
pub(super) struct Trained {
    net: Net,
    /// In the order of time; the last point of each stage is its end.
    pub(super) points: Vec<Point>,
}

#[derive(Clone)]
struct State {
    stage: usize,
    epoch: u64,
    nets: Vec<Trained>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    version: u32,
    stage: usize,
    epoch: u64,
    points: Vec<Vec<Point>>,
}

impl Protocol<'_> {
    /// Trains and tests `count` nets; continues from the node's checkpoint if there is one.
    pub(super) fn run(&self, count: usize, context: &NodeContext<'_>) -> NodeResult<Vec<Trained>> {
        let mut state = match context.checkpoint()? {
            Some(bytes) => self.restore(&bytes).or_else(|error| {
                context.warn(format!("starting over: {}", error.message));
                self.begin(count)
            })?,
            None => self.begin(count)?,
        };
        let epochs = self.schedule.epochs_run(self.epochs);
        let mut step = 1;
        while state.stage < self.stages.len() {
            if context.cancelled() {
                if context.checkpoint_due() {
                    context.save_checkpoint(&self.to_checkpoint(&state)?)?;
                }
                return Err(NodeError::cancelled());
            }
            let started = Instant::now();
            let until = epochs.min(state.epoch + step);
            let (stage, from) = (state.stage, state.epoch);
            state.nets.par_iter_mut().enumerate().try_for_each(|(number, net)| {
                (from..until).try_for_each(|epoch| self.epoch(number, net, stage, epoch, epochs))
            })?;
            step = next_step(step, started.elapsed().as_secs_f64());
            state.epoch = until;
            self.report(&state, epochs, context);
            if until == epochs {
                state.stage += 1;
                state.epoch = 0;
            }
            if context.checkpoint_due() {
                context.save_checkpoint(&self.to_checkpoint(&state)?)?;
            }
        }
        Ok(state.nets)
    }

    fn begin(&self, count: usize) -> NodeResult<State> {
        let first = |number: usize| {
            let key = self.net_key(number).fold("weights");
            let weights = initial_weights(self.specs, key, self.dtype, self.device).during("drawing first weights")?;
            Ok(Trained { net: Net::new(weights), points: Vec::new() })
        };
        Ok(State { stage: 0, epoch: 0, nets: (0..count).map(first).collect::<NodeResult<_>>()? })
    }

    fn net_key(&self, number: usize) -> RandomKey {
        RandomKey::new(self.seed).fold("evaluate").fold_u64(number as u64)
    }

    fn epoch(&self, number: usize, trained: &mut Trained, stage: usize, epoch: u64, epochs: u64) -> NodeResult<()> {
        let starts_anew = epoch == 0 && !self.carry_momentum;
        if starts_anew || self.schedule.empties_momentum(self.epochs, epoch) {
            trained.net.momentum = None;
        }
        let lr = self.stages[stage].lr * self.schedule.factor(self.epochs, epoch);
        let rule = Epoch {
            batch: self.batch,
            rule: Sgd { lr, momentum: self.momentum, weight_decay: self.weight_decay },
            augment: self.augment.clone(),
            cutmix: self.cutmix,
        };
        let trainee = Trainee { model: self.model, specs: self.specs };
        let key = self.net_key(number).fold("stage").fold_u64(stage as u64).fold_u64(epoch);
        train_epoch(&trainee, &mut trained.net, &self.stages[stage].samples, &rule, key).map_err(|error| {
            let message = format!("net {number}, stage {}, epoch {epoch}: {}", stage + 1, error.message);
            NodeError { message, ..error }
        })?;
        let done = epoch + 1;
        if done == epochs || (self.curve_every > 0 && done.is_multiple_of(self.curve_every)) {
            trained.points.push(self.measure(&trained.net, stage, done)?);
        }
        Ok(())
    }

    fn measure(&self, net: &Net, stage: usize, epoch: u64) -> NodeResult<Point> {
        let share = |on: &Test<'_>| accuracy(self.model, &net.weights, on.images, on.labels);
        let held_out = self.held_out.as_ref().map(share).transpose()?;
        Ok(Point { stage: stage + 1, epoch, test: share(&self.test)?, held_out })
    }

    fn report(&self, state: &State, epochs: u64, context: &NodeContext<'_>) {
        let nets = state.nets.len() as u64;
        context.progress(Progress {
            done: nets * (state.stage as u64 * epochs + state.epoch),
            total: nets * self.stages.len() as u64 * epochs,
            unit: "epochs",
            loss: None,
        });
    }

    fn to_checkpoint(&self, state: &State) -> NodeResult<Vec<u8>> {
        let mut tensors = Named::new();
        for (number, trained) in state.nets.iter().enumerate() {
            for (place, weight) in trained.net.weights.iter().enumerate() {
                tensors.insert(format!("net{number}.weight{place}"), weight.clone());
            }
            for (place, buffer) in trained.net.momentum.iter().flatten().enumerate() {
                tensors.insert(format!("net{number}.momentum{place}"), buffer.clone());
            }
        }
        let points = state.nets.iter().map(|trained| trained.points.clone()).collect();
        encode(&tensors, &Note { version: VERSION, stage: state.stage, epoch: state.epoch, points })
    }

    fn restore(&self, bytes: &[u8]) -> NodeResult<State> {
        let (tensors, note) = decode::<Note>(bytes, self.device)?;
        if note.version != VERSION {
            return Err(fail("checkpoint", format!("the checkpoint has version {}, not {VERSION}", note.version)));
        }
        let series = |prefix: String| -> Vec<Tensor> {
            (0..).map_while(|place| tensors.get(&format!("{prefix}{place}")).cloned()).collect()
        };
        let net = |(number, points): (usize, Vec<Point>)| {
            let weights = series(format!("net{number}.weight"));
            if weights.len() != self.specs.len() {
                return Err(fail("checkpoint", format!("the checkpoint has not all weights of net {number}")));
            }
            let momentum = series(format!("net{number}.momentum"));
            let momentum = (!momentum.is_empty()).then_some(momentum);
            Ok(Trained { net: Net { weights, momentum }, points })
        };
        let nets = note.points.into_iter().enumerate().map(net).collect::<NodeResult<_>>()?;
        Ok(State { stage: note.stage, epoch: note.epoch, nets })
    }
}

/// Epochs of the next step, so that it takes about as long as [`LOOK_SECONDS`].
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to a small positive range")]
fn next_step(step: u64, seconds: f64) -> u64 {
    let wanted = step as f64 * LOOK_SECONDS / seconds.max(1e-6);
    wanted.clamp(1.0, (4 * step).min(1000) as f64) as u64
}
