//! Several nets, each through the same course by itself: some side by side, in slices of time, with checkpoints.
//!
//! Nets share nothing, and a course in parts is the course in one, so that neither the number of nets side by side nor
//! the moments of the stops change a result.

use std::time::{Duration, Instant};

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_host::Net;
use pddflow_runner::{NodeContext, NodeError, Progress};
use pddflow_tensor::{Device, RandomKey, Tensor, trace};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::course::{Course, Pupil};
use crate::tensor_file::{Named, decode, encode};

/// Time between two looks at cancellation and checkpoints.
const SLICE: Duration = Duration::from_millis(300);
/// Values of the images of all batches that are in work at once: what bounds the memory of nets side by side.
const VALUES_AT_ONCE: usize = 1 << 19;
/// Version of the checkpoint's form; a checkpoint of another version is not continued.
const VERSION: u32 = 1;

/// How many nets may be in work at once: as many as threads while their batches are small. One large batch keeps all cores
/// busy by itself, and so does a device of its own.
pub fn side_by_side(batch: usize, image: usize, device: &Device) -> usize {
    if *device != Device::Cpu {
        return 1;
    }
    (VALUES_AT_ONCE / (batch * image).max(1)).clamp(1, rayon::current_num_threads())
}

/// One net with what was kept of it.
#[derive(Clone)]
pub struct Work {
    /// Its number.
    pub number: usize,
    pub pupil: Pupil,
    /// Snapshots, in the order of time.
    pub kept: Vec<Vec<Tensor>>,
    /// Accuracies: epochs of the course that were done, share that was right.
    pub points: Vec<(u64, f64)>,
    loss: f64,
}

impl Work {
    /// A net that begins, or goes on from somewhere.
    pub fn new(number: usize, pupil: Pupil) -> Self {
        Self { number, pupil, kept: Vec::new(), points: Vec::new(), loss: 0.0 }
    }
}

/// What of a net is still needed when it is done, besides its snapshots; each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keeps {
    Nothing,
    Weights,
    Momentum,
}

/// The first weights of a net, by its number.
type Begin<'a> = &'a (dyn Fn(usize) -> NodeResult<Net> + Sync);
/// Called with the number of epochs of the course that are done, at the start (0) too.
type AtEpoch<'a> = &'a (dyn Fn(&mut Work, u64) -> NodeResult<()> + Sync);

/// Nets that have gone part of the way under another key, from the bytes that they were kept in, or none.
type Resume<'a> = &'a (dyn Fn(&[u8]) -> NodeResult<Option<Vec<Work>>> + Sync);

/// Trains nets.
pub struct Crew<'a> {
    pub course: Course<'a>,
    /// Root of the nets' keys.
    pub key: RandomKey,
    pub begin: Begin<'a>,
    pub at_epoch: AtEpoch<'a>,
    /// Nets side by side.
    pub width: usize,
    /// What is still needed of a net when it is done.
    pub keeps: Keeps,
    /// Asked for a checkpoint that is not the node's own.
    pub resume: Option<Resume<'a>>,
    pub device: &'a Device,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    version: u32,
    works: Vec<WorkNote>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WorkNote {
    number: usize,
    stage: usize,
    epoch: u64,
    batch: usize,
    kept: usize,
    points: Vec<(u64, f64)>,
}

impl Crew<'_> {
    /// Trains `count` nets from number `first` on; goes on from the node's checkpoint if there is one.
    pub fn run(&self, first: usize, count: usize, context: &NodeContext<'_>) -> NodeResult<Vec<Work>> {
        let mut works = match context.checkpoint()? {
            Some(bytes) => self.resumed(&bytes, first).unwrap_or_else(|error| {
                context.warn(format!("starting over: {}", error.message));
                Vec::new()
            }),
            None => Vec::new(),
        };
        loop {
            if context.cancelled() {
                if context.checkpoint_due() {
                    context.save_checkpoint(&self.to_checkpoint(&works)?)?;
                }
                return Err(NodeError::cancelled());
            }
            self.take_on(&mut works, first, count)?;
            if works.iter().all(|work| self.course.is_over(&work.pupil)) {
                return Ok(works);
            }
            let started = Instant::now();
            let stop = || context.cancelled() || started.elapsed() >= SLICE;
            let open = works.par_iter_mut().filter(|work| !self.course.is_over(&work.pupil));
            open.try_for_each(|work| self.slice(work, &stop))?;
            self.report(&works, count, context);
            if context.checkpoint_due() {
                context.save_checkpoint(&self.to_checkpoint(&works)?)?;
            }
        }
    }

    /// Lets new nets begin until as many are in work as may be.
    fn take_on(&self, works: &mut Vec<Work>, first: usize, count: usize) -> NodeResult<()> {
        let mut open = works.iter().filter(|work| !self.course.is_over(&work.pupil)).count();
        while open < self.width.max(1) && works.len() < count {
            let number = first + works.len();
            let pupil = Pupil::new((self.begin)(number)?);
            let mut work = Work::new(number, pupil);
            (self.at_epoch)(&mut work, 0)?;
            works.push(work);
            open += 1;
        }
        Ok(())
    }

    fn slice(&self, work: &mut Work, stop: &(dyn Fn() -> bool + Sync)) -> NodeResult<()> {
        let key = self.key.fold_u64(work.number as u64);
        while !self.course.is_over(&work.pupil) {
            let before = (work.pupil.stage, work.pupil.epoch);
            let _span = trace::span(format!("net {}, stage {}, epoch {}", work.number, before.0, before.1));
            let loss = self.course.proceed(&mut work.pupil, key, stop).map_err(|error| {
                let message = format!("net {}, {}", work.number, error.message);
                NodeError { message, ..error }
            })?;
            work.loss = loss;
            if (work.pupil.stage, work.pupil.epoch) != before {
                let done = self.done(&work.pupil);
                (self.at_epoch)(work, done)?;
            }
            if stop() {
                break;
            }
        }
        if self.course.is_over(&work.pupil) {
            if self.keeps < Keeps::Momentum {
                work.pupil.net.momentum = None;
            }
            if self.keeps < Keeps::Weights {
                work.pupil.net.weights.clear();
            }
        }
        Ok(())
    }

    /// Epochs of the course that a net has done.
    fn done(&self, pupil: &Pupil) -> u64 {
        pupil.stage as u64 * self.course.epochs() + pupil.epoch
    }

    fn report(&self, works: &[Work], count: usize, context: &NodeContext<'_>) {
        let all = self.course.stages.len() as u64 * self.course.epochs();
        context.progress(Progress {
            done: works.iter().map(|work| self.done(&work.pupil)).sum(),
            total: all * count as u64,
            unit: "epochs",
            loss: works.last().map(|work| work.loss),
        });
    }

    fn to_checkpoint(&self, works: &[Work]) -> NodeResult<Vec<u8>> {
        let mut tensors = Named::new();
        let mut put = |prefix: String, list: &[Tensor]| {
            tensors.extend(list.iter().enumerate().map(|(place, t)| (format!("{prefix}{place}"), t.clone())));
        };
        for Work { number, pupil, kept, .. } in works {
            put(format!("net{number}.weight"), &pupil.net.weights);
            put(format!("net{number}.momentum"), pupil.net.momentum.as_deref().unwrap_or_default());
            for (at, snapshot) in kept.iter().enumerate() {
                put(format!("net{number}.kept{at}."), snapshot);
            }
        }
        let note = |work: &Work| WorkNote {
            number: work.number,
            stage: work.pupil.stage,
            epoch: work.pupil.epoch,
            batch: work.pupil.batch,
            kept: work.kept.len(),
            points: work.points.clone(),
        };
        encode(&tensors, &Note { version: VERSION, works: works.iter().map(note).collect() })
    }

    fn resumed(&self, bytes: &[u8], first: usize) -> NodeResult<Vec<Work>> {
        match self.resume.map_or(Ok(None), |resume| resume(bytes))? {
            Some(works) => Ok(works),
            None => self.restore(bytes, first),
        }
    }

    fn restore(&self, bytes: &[u8], first: usize) -> NodeResult<Vec<Work>> {
        let (tensors, note) = decode::<Note>(bytes, self.device)?;
        if note.version != VERSION {
            return Err(fail("checkpoint", format!("the checkpoint has version {}, not {VERSION}", note.version)));
        }
        let series = |prefix: String| -> Vec<Tensor> {
            (0..).map_while(|place| tensors.get(&format!("{prefix}{place}")).cloned()).collect()
        };
        let work = |(place, note): (usize, WorkNote)| {
            let number = note.number;
            let weights = series(format!("net{number}.weight"));
            let momentum = series(format!("net{number}.momentum"));
            let momentum = (!momentum.is_empty()).then_some(momentum);
            let kept = (0..note.kept).map(|at| series(format!("net{number}.kept{at}."))).collect();
            let net = Net { weights, momentum };
            let pupil = Pupil { net, stage: note.stage, epoch: note.epoch, batch: note.batch };
            let needed = self.keeps >= Keeps::Weights || !self.course.is_over(&pupil);
            if number != first + place || (needed && pupil.net.weights.len() != self.course.trainee.specs.len()) {
                return Err(fail("checkpoint", format!("the checkpoint has not all of net {}", first + place)));
            }
            Ok(Work { kept, points: note.points, ..Work::new(number, pupil) })
        };
        note.works.into_iter().enumerate().map(work).collect()
    }
}
