//! Several nets, each through the same segments by itself: some side by side, with checkpoints.
//!
//! Nets share nothing, and a training in parts is the training in one, so that neither the number of nets side by side nor
//! the moments of the stops change a result.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_cache::Blob;
use pddflow_runner::{NodeContext, NodeError, Progress};
use pddflow_tensor::{Device, RandomKey, trace};
use serde::Serialize;

use super::checkpoint;
use super::net::{NetState, Observer};
use super::threads::{Workers, each};
use super::train::Trainer;

/// Time between two looks at cancellation and checkpoints; results do not depend on it.
const SLICE: Duration = Duration::from_millis(200);
/// What of a net is still needed when it is done, besides its notes and snapshots; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keeps {
    /// Nothing.
    Nothing,
    /// Its weights.
    Weights,
    /// Its weights and momentum.
    Momentum,
}

/// The training of several nets by a node.
pub struct Job<'a, O> {
    /// What each of them does.
    pub trainer: Trainer<'a>,
    /// Who watches.
    pub observer: &'a O,
    /// Their numbers.
    pub nets: Range<usize>,
    /// The random key of a net, by its number.
    pub key: &'a (dyn Fn(usize) -> RandomKey + Sync),
    /// What is still needed of a net when it is done.
    pub keeps: Keeps,
    /// Where they live.
    pub device: &'a Device,
    /// What [`shard`] made of these nets where others have trained them; empty where they are trained here.
    pub shards: &'a [Blob],
}

impl<O: Observer> Job<'_, O> {
    /// Trains all nets; goes on from the node's checkpoint if there is one.
    ///
    /// # Errors
    /// That of the first net that fails, with its number and place; cancelled when the node is asked to stop.
    pub fn run(&self, context: &NodeContext<'_>) -> NodeResult<Vec<NetState<O::Notes>>> {
        let nets: Vec<_> = self.begin(context)?.into_iter().map(Mutex::new).collect();
        let run = Run { job: self, context, nets: &nets, saving: Mutex::new(()) };
        match each(nets.len(), self.trainer.width(self.device), |place, workers| run.train(place, workers)) {
            Ok(_) => Ok(nets.into_iter().map(|net| net.into_inner().unwrap_or_else(PoisonError::into_inner)).collect()),
            Err(error) => {
                if error.cancelled {
                    run.save_if_due()?;
                }
                Err(error)
            }
        }
    }

    fn begin(&self, context: &NodeContext<'_>) -> NodeResult<Vec<NetState<O::Notes>>> {
        if !self.shards.is_empty() {
            return self.join();
        }
        let fresh = || self.nets.clone().map(NetState::new).collect();
        let Some(bytes) = context.checkpoint()? else { return Ok(fresh()) };
        let found = match self.observer.resume(&bytes) {
            Ok(None) => self.decode(&bytes).and_then(|nets| match self.are_all(&nets) {
                true => Ok(nets),
                false => Err(fail("checkpoint", "the checkpoint is of other nets")),
            }),
            Ok(Some(nets)) => Ok(nets),
            Err(error) => Err(error),
        };
        Ok(found.unwrap_or_else(|error| {
            context.warn(format!("starting over: {}", error.message));
            fresh()
        }))
    }

    /// The nets of all shards.
    fn join(&self) -> NodeResult<Vec<NetState<O::Notes>>> {
        let shards = self.shards.iter().map(|bytes| self.decode(bytes));
        let nets: Vec<_> = shards.collect::<NodeResult<Vec<_>>>()?.into_iter().flatten().collect();
        match self.are_all(&nets) && nets.iter().all(|net| self.trainer.is_over(&net.at)) {
            true => Ok(nets),
            false => Err(fail("shards", "the shards are not those of this node's nets")
                .with_help("wire nothing to `shards`: `shards: 4` beside `with` does it")),
        }
    }

    fn decode(&self, bytes: &[u8]) -> NodeResult<Vec<NetState<O::Notes>>> {
        checkpoint::decode(bytes, (&self.trainer, self.device), self.keeps >= Keeps::Weights)
    }

    fn are_all(&self, nets: &[NetState<O::Notes>]) -> bool {
        nets.iter().map(|net| net.number).eq(self.nets.clone())
    }
}

/// The form of [`shard`]. It belongs into keys.
pub const SHARD_FORMAT: u32 = checkpoint::VERSION;

/// Trained nets as bytes, for the job that joins them.
///
/// # Errors
/// A tensor cannot be read from its device.
pub fn shard<N: Serialize + Clone>(nets: &[NetState<N>]) -> NodeResult<Vec<u8>> {
    checkpoint::encode(nets)
}

/// A job at work.
struct Run<'a, 'b, O: Observer> {
    job: &'a Job<'b, O>,
    context: &'a NodeContext<'a>,
    /// As they were when their thread last looked up.
    nets: &'a [Mutex<NetState<O::Notes>>],
    saving: Mutex<()>,
}

impl<O: Observer> Run<'_, '_, O> {
    /// Trains one net to its end, or until the node stops.
    fn train(&self, place: usize, workers: &Workers) -> NodeResult<()> {
        let (trainer, context) = (&self.job.trainer, self.context);
        let mut net = lock(&self.nets[place]).clone();
        let key = (self.job.key)(net.number);
        if trainer.is_over(&net.at) && self.job.keeps >= Keeps::Weights && net.net.weights.is_empty() {
            self.job.observer.begin(&mut net, 1)?;
            *lock(&self.nets[place]) = net.clone();
        }
        while !trainer.is_over(&net.at) {
            if context.cancelled() || workers.failed() {
                return Err(NodeError::cancelled());
            }
            let label = trainer.segments[net.at.segment].label();
            let _span = trace::span(format!("net {}, {label}, epoch {}", net.number, net.at.epoch));
            let started = Instant::now();
            let stop = || context.cancelled();
            let pause = || started.elapsed() >= SLICE || stop() || context.checkpoint_due();
            let number = net.number;
            let work = || trainer.advance(&mut net, key, self.job.observer, (&pause, &stop));
            workers.compute(work).map_err(|error| {
                let message = format!("net {number}, {}", error.message);
                NodeError { message, ..error }
            })?;
            if trainer.is_over(&net.at) {
                self.drop_unneeded(&mut net);
            }
            *lock(&self.nets[place]) = net.clone();
            self.report(net.loss);
            if !context.cancelled() {
                self.save_if_due()?;
            }
        }
        Ok(())
    }

    fn drop_unneeded(&self, net: &mut NetState<O::Notes>) {
        if self.job.keeps < Keeps::Momentum {
            net.net.momentum = None;
        }
        if self.job.keeps < Keeps::Weights {
            net.net.weights.clear();
            net.average.clear();
        }
    }

    fn report(&self, loss: f64) {
        let trainer = &self.job.trainer;
        self.context.progress(Progress {
            done: self.nets.iter().map(|net| trainer.done(&lock(net).at)).sum(),
            total: self.nets.len() as u64 * trainer.epochs(),
            unit: "epochs",
            loss: Some(loss),
        });
    }

    fn save_if_due(&self) -> NodeResult<()> {
        if !self.context.checkpoint_due() {
            return Ok(());
        }
        let _saving = lock(&self.saving);
        // Another thread may have saved while this one waited for its turn.
        if !self.context.checkpoint_due() {
            return Ok(());
        }
        let nets: Vec<_> = self.nets.iter().map(|net| lock(net).clone()).collect();
        self.context.save_checkpoint(&checkpoint::encode(&nets)?)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
