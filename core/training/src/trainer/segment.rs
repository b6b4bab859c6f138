//! What a net trains on, one segment after the other.

use std::borrow::Cow;
use std::sync::Arc;

use pddflow_tensor::RandomKey;

use super::schedule::LrSchedule;
use super::settings::Hyperparameters;
use super::teacher::Teacher;
use crate::samples::Samples;

/// A part of a net's training with images and an initial learning rate of its own, such as a stage of progressive training.
#[derive(Clone, Debug)]
pub struct Segment {
    /// The images; cheap to clone.
    pub samples: Samples,
    /// Rows of them that it trains on; all where none are named.
    pub rows: Option<Vec<usize>>,
    /// Who labels each batch in place of the labels of the images.
    pub teacher: Option<Arc<Teacher>>,
    /// In which order an epoch sees them.
    pub order: Order,
    /// Learning rate before the schedule's drops.
    pub lr: f64,
    /// Budget of epochs of the schedule; that of the hyperparameters where there is none.
    pub epochs: Option<u64>,
    /// Whether the net begins anew, with first weights.
    pub fresh: bool,
    /// Whether nets are tested at its end; not in the middle of a script.
    pub tested: bool,
    /// Phase of class-incremental learning, from 1; 1 where there are none.
    pub phase: usize,
    /// Stage of progressive training within the phase, from 1.
    pub stage: usize,
}

/// In which order an epoch sees the images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Each once, shuffled.
    Shuffled,
    /// At least so many, in full batches, without replacement until all were seen.
    Draws(usize),
}

impl Segment {
    /// A net's first segment, on all of these images.
    pub fn new(samples: Samples, lr: f64) -> Self {
        Self {
            samples,
            rows: None,
            teacher: None,
            order: Order::Shuffled,
            lr,
            epochs: None,
            fresh: true,
            tested: true,
            phase: 1,
            stage: 1,
        }
    }

    /// Learning rate over its epochs, and how many there are, with the hyperparameters of all segments.
    #[must_use]
    pub fn schedule<'a>(&self, settings: &'a Hyperparameters) -> Cow<'a, LrSchedule> {
        match self.epochs {
            Some(epochs) => Cow::Owned(settings.schedule.with_epochs(epochs)),
            None => Cow::Borrowed(&settings.schedule),
        }
    }

    /// Number of images.
    pub(super) fn count(&self) -> usize {
        self.rows.as_ref().map_or_else(|| self.samples.rows(), Vec::len)
    }

    /// The rows of one epoch, in its order.
    pub(super) fn order(&self, batch: usize, key: RandomKey) -> Vec<usize> {
        let (key, count) = (key.fold("order"), self.count());
        let places = match self.order {
            Order::Shuffled => key.permutation(count),
            Order::Draws(_) if count == 0 => Vec::new(),
            Order::Draws(wanted) => {
                let total = wanted.div_ceil(batch) * batch;
                let mut places = Vec::with_capacity(total);
                for round in 0.. {
                    let left = total - places.len();
                    if left == 0 {
                        break;
                    }
                    places.extend(key.fold_u64(round).choose(count, left.min(count)));
                }
                places
            }
        };
        match &self.rows {
            Some(rows) => places.into_iter().map(|place| rows[place]).collect(),
            None => places,
        }
    }

    /// Where it is, for messages.
    pub(super) fn label(&self) -> String {
        match self.phase {
            0 | 1 => format!("stage {}", self.stage),
            phase => format!("phase {phase}, stage {}", self.stage),
        }
    }
}
