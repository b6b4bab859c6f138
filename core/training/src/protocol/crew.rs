//! Trains several nets through the legs and tests them.
//!
//! Nets share nothing but the data. While there are at least as many unfinished nets as threads, each net has one thread
//! to itself, which wastes nothing on sharing kernels; the last few share all threads. The result is the same in any order
//! and at any number of threads. A net stops for a look every now and then: there the node can end, report and checkpoint,
//! and it continues from there bit for bit.
//!
//! | randomness | key below `(seed, purpose, net)` |
//! |---|---|
//! | first weights | `weights`; the phase for every phase after the first |
//! | order of images, augmentation | `stage`, leg, epoch |

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pddflow_artifact::failure::{During, NodeResult};
use pddflow_host::{Model, Net, Sgd, WeightSpec};
use pddflow_runner::{NodeContext, NodeError, Progress};
use pddflow_tensor::{DType, Device, RandomKey, Tensor, on_one_thread, trace};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::checkpoint;
use super::legs::Leg;
use super::numbers::Numbers;
use crate::nets::{Epoch, Samples, Trainee, accuracy_unless, initial_weights, train_rows};

/// Time between two looks at cancellation and checkpoints; results do not depend on it.
const LOOK: Duration = Duration::from_millis(200);
/// Values of the images of all batches in work at once; it bounds the memory of several nets side by side. Four batches of
/// 256 images of CIFAR: about 2 GB with ConvNet-3 of width 128.
const VALUES_AT_ONCE: usize = 1 << 22;

/// Images with their classes to test on; there may be more images than labels, which are left out then.
pub struct Test<'a> {
    pub images: &'a Tensor,
    pub labels: &'a [i64],
}

/// When nets are tested besides at the end of each leg.
#[derive(Clone, Debug, Default)]
pub struct Curve {
    /// After every so many epochs; 0 for never.
    pub every: u64,
    /// After these numbers of epochs of each stage.
    pub at: Vec<u64>,
}

/// First weights of a net, by its number.
pub type Start<'a> = &'a (dyn Fn(usize) -> NodeResult<Vec<Tensor>> + Sync);

/// What all nets share.
pub struct Protocol<'a> {
    /// Word that sets the node's randomness apart from that of other kinds.
    pub purpose: &'static str,
    pub model: &'a Model,
    pub specs: &'a [WeightSpec],
    pub dtype: DType,
    pub device: &'a Device,
    pub pool: &'a Samples,
    pub legs: &'a [Leg],
    pub numbers: &'a Numbers,
    pub same_start: bool,
    /// Where nets begin, by their number; at random where there is nothing.
    pub start: Option<Start<'a>>,
    pub curve: Curve,
    pub seed: u64,
    pub test: Test<'a>,
    pub held_out: Option<Test<'a>>,
}

/// Accuracy at one moment of a net's training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// Leg, from 0.
    pub(super) leg: usize,
    /// Epochs of the leg that are done.
    pub(super) epoch: u64,
    /// Share of the test images that are right, 0 to 1.
    pub(super) test: f64,
    /// The same of the held-out real images.
    pub(super) held_out: Option<f64>,
}

/// One net on its way.
#[derive(Clone)]
pub(crate) struct Trainable {
    /// Without weights before its first leg and after its last.
    pub(super) net: Net,
    /// Where it is: this leg, with so many epochs done, and so many batches of the next.
    pub(super) leg: usize,
    pub(super) epoch: u64,
    pub(super) batch: usize,
    /// In the order of time; the last point of each leg is its end.
    pub(super) points: Vec<Point>,
}

impl Trainable {
    pub(super) fn new() -> Self {
        Self { net: Net::new(Vec::new()), leg: 0, epoch: 0, batch: 0, points: Vec::new() }
    }
}

impl Protocol<'_> {
    /// Trains and tests `count` nets and gives the points of each; continues from the node's checkpoint if there is one.
    pub fn run(&self, count: usize, context: &NodeContext<'_>) -> NodeResult<Vec<Vec<Point>>> {
        let begin = || (0..count).map(|_| Trainable::new()).collect();
        let nets = match context.checkpoint()? {
            Some(bytes) => checkpoint::decode(&bytes, self.specs.len(), self.device).unwrap_or_else(|error| {
                context.warn(format!("starting over: {}", error.message));
                begin()
            }),
            None => begin(),
        };
        let crew = Crew {
            protocol: self,
            context,
            threads: rayon::current_num_threads(),
            width: self.width(),
            left: AtomicUsize::new(nets.iter().filter(|net| net.leg < self.legs.len()).count()),
            nets: nets.into_iter().map(Mutex::new).collect(),
            next: AtomicUsize::new(0),
            failure: Mutex::new(None),
            saving: Mutex::new(()),
        };
        (0..crew.width.min(count)).into_par_iter().for_each(|_| crew.work());
        if let Some((_, error)) = lock(&crew.failure).take() {
            return Err(error);
        }
        if crew.left.load(Ordering::Relaxed) > 0 {
            crew.save_if_due()?;
            return Err(NodeError::cancelled());
        }
        let points = |net: Mutex<Trainable>| net.into_inner().unwrap_or_else(PoisonError::into_inner).points;
        Ok(crew.nets.into_iter().map(points).collect())
    }

    /// How many nets may be in work at once: one for each thread, unless their batches are large.
    fn width(&self) -> usize {
        let rows = self.legs.iter().map(|leg| leg.rows.len()).max().unwrap_or(0);
        let values = self.pool.images.shape().iter().skip(1).product::<usize>() * rows.min(self.numbers.batch);
        (VALUES_AT_ONCE / values.max(1)).clamp(1, rayon::current_num_threads())
    }

    fn net_key(&self, number: usize) -> RandomKey {
        RandomKey::new(self.seed).fold(self.purpose).fold_u64(number as u64)
    }

    fn first_weights(&self, number: usize, phase: usize) -> NodeResult<Vec<Tensor>> {
        let number = if self.same_start { 0 } else { number };
        if let Some(start) = self.start {
            return start(number);
        }
        let key = self.net_key(number).fold("weights");
        let key = if phase > 1 { key.fold_u64(phase as u64) } else { key };
        initial_weights(self.specs, key, self.dtype, self.device).during("drawing first weights")
    }

    /// Goes on with a net until `look` says so after a batch, at most to the end of an epoch; `stop` ends a test half way.
    fn advance(
        &self,
        number: usize,
        net: &mut Trainable,
        look: &dyn Fn() -> bool,
        stop: &dyn Fn() -> bool,
    ) -> NodeResult<()> {
        let leg = &self.legs[net.leg];
        let _span = trace::span(format!("net {number}, stage {}, epoch {}", leg.stage, net.epoch));
        self.begin_epoch(number, net)?;
        let key = self.net_key(number).fold("stage").fold_u64(net.leg as u64).fold_u64(net.epoch);
        let places = key.fold("order").permutation(leg.rows.len());
        let order: Vec<usize> = places.into_iter().map(|place| leg.rows[place]).collect();
        let trainee = Trainee { model: self.model, specs: self.specs };
        let epoch = self.epoch(leg.lr, net.epoch);
        let part = train_rows(&trainee, &mut net.net, (self.pool, &order), &epoch, key, (net.batch, look))?;
        match part.next {
            Some(batch) => {
                net.batch = batch;
                Ok(())
            }
            None => self.end_epoch(net, stop),
        }
    }

    fn begin_epoch(&self, number: usize, net: &mut Trainable) -> NodeResult<()> {
        if net.batch > 0 {
            return Ok(());
        }
        let leg = &self.legs[net.leg];
        if net.epoch == 0 && leg.fresh {
            net.net = Net::new(self.first_weights(number, leg.phase)?);
        }
        let anew = net.epoch == 0 && !self.numbers.carry_momentum;
        if anew || self.numbers.schedule.empties_momentum(self.numbers.epochs, net.epoch) {
            net.net.momentum = None;
        }
        Ok(())
    }

    fn epoch(&self, lr: f64, epoch: u64) -> Epoch {
        let Numbers { momentum, weight_decay, batch, cutmix, .. } = *self.numbers;
        let lr = lr * self.numbers.schedule.factor(self.numbers.epochs, epoch);
        Epoch { batch, rule: Sgd { lr, momentum, weight_decay }, augment: self.numbers.augment.clone(), cutmix }
    }

    fn epochs_of_leg(&self) -> u64 {
        self.numbers.schedule.epochs_run(self.numbers.epochs)
    }

    fn end_epoch(&self, net: &mut Trainable, stop: &dyn Fn() -> bool) -> NodeResult<()> {
        let done = net.epoch + 1;
        let ends = done == self.epochs_of_leg();
        let every = self.curve.every;
        if ends || (every > 0 && done.is_multiple_of(every)) || self.curve.at.contains(&done) {
            let point = self.measure(net, done, stop)?;
            net.points.push(point);
        }
        (net.epoch, net.batch) = (done, 0);
        if ends {
            (net.leg, net.epoch) = (net.leg + 1, 0);
        }
        if net.leg == self.legs.len() {
            net.net = Net::new(Vec::new());
        }
        Ok(())
    }

    fn measure(&self, net: &Trainable, epoch: u64, stop: &dyn Fn() -> bool) -> NodeResult<Point> {
        let share = |on: &Test<'_>, rows: usize| {
            accuracy_unless(stop, self.model, &net.net.weights, on.images, &on.labels[..rows])
        };
        let held_out = self.held_out.as_ref().map(|on| share(on, on.labels.len())).transpose()?;
        let test = share(&self.test, self.legs[net.leg].test_rows)?;
        Ok(Point { leg: net.leg, epoch, test, held_out })
    }
}

/// The threads that train the nets, and what they share.
struct Crew<'a, 'b> {
    protocol: &'a Protocol<'b>,
    context: &'a NodeContext<'a>,
    threads: usize,
    /// Nets in work at once.
    width: usize,
    /// Nets that are not finished.
    left: AtomicUsize,
    nets: Vec<Mutex<Trainable>>,
    /// The net that nobody has begun with.
    next: AtomicUsize,
    failure: Mutex<Option<(usize, NodeError)>>,
    saving: Mutex<()>,
}

impl Crew<'_, '_> {
    /// One thread: takes one net after the other.
    fn work(&self) {
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.nets.len() || self.stops() {
                return;
            }
            if let Err(error) = self.train(number) {
                self.note_failure(number, error);
            }
        }
    }

    fn stops(&self) -> bool {
        self.context.cancelled() || lock(&self.failure).is_some()
    }

    /// Trains one net to its end, or until the node stops.
    fn train(&self, number: usize) -> NodeResult<()> {
        let mut net = lock(&self.nets[number]).clone();
        let legs = self.protocol.legs.len();
        if net.leg >= legs {
            return Ok(());
        }
        while net.leg < legs {
            if self.stops() {
                return Ok(());
            }
            let started = Instant::now();
            let stop = || self.context.cancelled();
            let look = || started.elapsed() >= LOOK || stop() || self.context.checkpoint_due();
            let mut work = || self.protocol.advance(number, &mut net, &look, &stop);
            let alone = self.left.load(Ordering::Relaxed).min(self.width) >= self.threads;
            let advanced = if alone { on_one_thread(work) } else { work() };
            advanced.map_err(|error| self.placed(number, &net, error))?;
            *lock(&self.nets[number]) = net.clone();
            if net.leg == legs {
                self.left.fetch_sub(1, Ordering::Relaxed);
            }
            self.report();
            self.save_if_due()?;
        }
        Ok(())
    }

    fn placed(&self, number: usize, net: &Trainable, error: NodeError) -> NodeError {
        let leg = &self.protocol.legs[net.leg];
        let phase = if leg.phase > 1 { format!("phase {}, ", leg.phase) } else { String::new() };
        let message = format!("net {number}, {phase}stage {}, epoch {}: {}", leg.stage, net.epoch, error.message);
        NodeError { message, ..error }
    }

    /// Keeps the failure of the first net, whichever thread came first; being stopped is none.
    fn note_failure(&self, number: usize, error: NodeError) {
        let mut failure = lock(&self.failure);
        if !error.cancelled && failure.as_ref().is_none_or(|(known, _)| number < *known) {
            *failure = Some((number, error));
        }
    }

    fn report(&self) {
        let epochs = self.protocol.epochs_of_leg();
        let done = |net: &Mutex<Trainable>| {
            let net = lock(net);
            net.leg as u64 * epochs + net.epoch
        };
        self.context.progress(Progress {
            done: self.nets.iter().map(done).sum(),
            total: self.nets.len() as u64 * self.protocol.legs.len() as u64 * epochs,
            unit: "epochs",
            loss: None,
        });
    }

    fn save_if_due(&self) -> NodeResult<()> {
        if !self.context.checkpoint_due() {
            return Ok(());
        }
        let _saving = lock(&self.saving);
        // Another thread may have saved while this one waited for its turn; when the node stops, each adds its own.
        if !self.context.checkpoint_due() {
            return Ok(());
        }
        let nets: Vec<Trainable> = self.nets.iter().map(|net| lock(net).clone()).collect();
        self.context.save_checkpoint(&checkpoint::encode(&nets)?)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
