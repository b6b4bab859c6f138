//! Trains nets through segments and tests them.
//!
//! | randomness | key below `(seed, purpose, net)` |
//! |---|---|
//! | first weights | `weights`; the phase for every phase after the first |
//! | order of images, augmentation | `stage`, segment, epoch |

use std::ops::Range;

use pddflow_artifact::failure::{During, NodeResult};
use pddflow_cache::Blob;
use pddflow_host::Net;
use pddflow_runner::NodeContext;
use pddflow_tensor::{RandomKey, Tensor};
use serde::{Deserialize, Serialize};

use crate::accuracy::accuracy_unless;
use crate::init::initial_weights;
use crate::splits::{Split, TensorOptions};
use crate::trainer::{Architecture, EpochKeys, Hyperparameters, Job, Keeps, NetState, Observer, Segment, Trainer};

/// Images with their classes to test on; there may be more images than labels, which are left out then.
pub struct Test<'a> {
    /// `[row, channel, height, width]`.
    pub images: &'a Tensor,
    /// Class of each of the first rows.
    pub labels: &'a [i64],
}

impl<'a> Test<'a> {
    /// All images of a split.
    #[must_use]
    pub fn of(split: &'a Split) -> Self {
        Self { images: &split.samples().images, labels: split.classes_of_rows() }
    }
}

/// When nets are tested besides at the end of each segment.
#[derive(Clone, Debug, Default)]
pub struct Curve {
    /// After every so many epochs; 0 for never.
    pub every: u64,
    /// After these numbers of epochs of each segment.
    pub at: Vec<u64>,
}

/// First weights of a net, by its number.
pub type Start<'a> = &'a (dyn Fn(usize) -> NodeResult<Vec<Tensor>> + Sync);

/// What all nets share.
pub struct Evaluation<'a> {
    /// Word that sets the node's randomness apart from that of other kinds.
    pub purpose: &'static str,
    /// The model.
    pub architecture: Architecture<'a>,
    /// Where nets live.
    pub tensors: &'a TensorOptions,
    /// What nets train on.
    pub segments: &'a [Segment],
    /// How.
    pub settings: &'a Hyperparameters,
    /// Whether all nets begin with the weights of net 0.
    pub same_start: bool,
    /// Where nets begin, by their number; at random where there is nothing.
    pub start: Option<Start<'a>>,
    /// When they are tested.
    pub curve: Curve,
    /// Root of the randomness.
    pub seed: u64,
    /// On what.
    pub test: Test<'a>,
    /// How many of the test images count in each phase, from the first on.
    pub test_rows: &'a [usize],
    /// Real images to choose an epoch by.
    pub held_out: Option<Test<'a>>,
}

/// Accuracy at one moment of a net's training.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// Segment, from 0.
    pub segment: usize,
    /// Epochs of the segment that are done.
    pub epoch: u64,
    /// Share of the test images that are right, 0 to 1.
    pub test: f64,
    /// The same of the held-out real images.
    pub held_out: Option<f64>,
}

impl Evaluation<'_> {
    /// Trains and tests `count` nets and gives the points of each, in the order of time; the last point of each segment is
    /// its end. Continues from the node's checkpoint if there is one.
    ///
    /// # Errors
    /// As those of [`Job::run`].
    pub fn run(&self, count: usize, context: &NodeContext<'_>) -> NodeResult<Vec<Vec<Point>>> {
        Ok(self.train(0..count, &[], context)?.into_iter().map(|net| net.notes).collect())
    }

    /// Trains these nets, or takes them from the shards in which they were trained.
    ///
    /// # Errors
    /// As those of [`Job::run`].
    pub fn train(
        &self,
        nets: Range<usize>,
        shards: &[Blob],
        context: &NodeContext<'_>,
    ) -> NodeResult<Vec<NetState<Vec<Point>>>> {
        let job = Job {
            trainer: Trainer {
                architecture: self.architecture,
                segments: self.segments,
                settings: self.settings,
                keys: EpochKeys::ByStage { before: 0 },
            },
            observer: self,
            nets,
            key: &|number| self.key(number),
            keeps: Keeps::Nothing,
            device: &self.tensors.device,
            shards,
        };
        job.run(context)
    }

    fn key(&self, number: usize) -> RandomKey {
        RandomKey::new(self.seed).fold(self.purpose).fold_u64(number as u64)
    }
}

impl Observer for Evaluation<'_> {
    type Notes = Vec<Point>;

    fn begin(&self, state: &mut NetState<Vec<Point>>, phase: usize) -> NodeResult<()> {
        let number = if self.same_start { 0 } else { state.number };
        let weights = match self.start {
            Some(start) => start(number)?,
            None => {
                let key = self.key(number).fold("weights");
                let key = if phase > 1 { key.fold_u64(phase as u64) } else { key };
                let TensorOptions { device, dtype } = self.tensors;
                initial_weights(self.architecture.specs, key, *dtype, device).during("drawing first weights")?
            }
        };
        state.net = Net::new(weights);
        Ok(())
    }

    fn epoch(&self, state: &mut NetState<Vec<Point>>, done: u64, stop: &dyn Fn() -> bool) -> NodeResult<()> {
        let Curve { every, at } = &self.curve;
        let segment = &self.segments[state.at.segment];
        let due = (segment.tested && done == segment.schedule(self.settings).epochs())
            || (*every > 0 && done.is_multiple_of(*every))
            || at.contains(&done);
        if !due {
            return Ok(());
        }
        let share = |on: &Test<'_>, rows: usize| {
            let model = self.architecture.model;
            accuracy_unless(stop, model, state.tested(), on.images, &on.labels[..rows])
        };
        let held_out = self.held_out.as_ref().map(|on| share(on, on.labels.len())).transpose()?;
        let test = share(&self.test, self.test_rows[self.segments[state.at.segment].phase - 1])?;
        state.notes.push(Point { segment: state.at.segment, epoch: done, test, held_out });
        Ok(())
    }
}
