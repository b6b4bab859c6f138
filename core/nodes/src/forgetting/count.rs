//! Counts events while nets are trained.

use pddflow_artifact::failure::{During, NodeResult};
use pddflow_host::Net;
use pddflow_runner::NodeContext;
use pddflow_tensor::{RandomKey, Tensor};
use pddflow_training::init::initial_weights;
use pddflow_training::selection::Tally;
use pddflow_training::splits::{Split, TensorOptions};
use pddflow_training::trainer::{
    Architecture, EpochKeys, Hyperparameters, Job, Keeps, NetState, Observer, Segment, Trainer,
};
use serde::{Deserialize, Serialize};

use super::params::ForgettingParams;

/// What all runs share.
pub(super) struct Counter<'a> {
    pub(super) params: &'a ForgettingParams,
    pub(super) architecture: Architecture<'a>,
    pub(super) settings: Hyperparameters,
    pub(super) train: &'a Split,
    pub(super) tensors: &'a TensorOptions,
    pub(super) context: &'a NodeContext<'a>,
}

/// What was counted over all runs.
pub(super) struct Counted {
    /// Of each training example.
    pub(super) scores: Vec<u64>,
    /// Runs in which each example was never right.
    pub(super) never: Vec<u64>,
}

/// Of one run.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Notes {
    tally: Tally,
    /// Whether each example was right in this epoch, as far as it was presented.
    correct: Vec<bool>,
}

impl Counter<'_> {
    /// Trains all runs; continues from the node's checkpoint if there is one.
    pub(super) fn run(&self) -> NodeResult<Counted> {
        let job = Job {
            trainer: Trainer {
                architecture: self.architecture,
                segments: &[Segment::new(self.train.samples().clone(), self.params.lr)],
                settings: &self.settings,
                keys: EpochKeys::ByEpoch,
            },
            observer: self,
            nets: 0..self.params.runs,
            key: &|run| self.key(run),
            keeps: Keeps::Nothing,
            device: &self.tensors.device,
            shards: &[],
        };
        let rows = self.train.rows();
        let mut counted = Counted { scores: vec![0; rows], never: vec![0; rows] };
        for run in job.run(self.context)? {
            let tally = run.notes.tally;
            counted.scores.iter_mut().zip(tally.scores()).for_each(|(sum, score)| *sum += score);
            counted.never.iter_mut().zip(tally.learned).for_each(|(sum, learned)| *sum += u64::from(!learned));
        }
        Ok(counted)
    }

    fn key(&self, run: usize) -> RandomKey {
        RandomKey::new(self.params.seed).fold("forgetting").fold_u64(run as u64)
    }
}

impl Observer for Counter<'_> {
    type Notes = Notes;

    fn begin(&self, state: &mut NetState<Notes>, _: usize) -> NodeResult<()> {
        let key = self.key(state.number).fold("weights");
        let TensorOptions { device, dtype } = self.tensors;
        let weights = initial_weights(self.architecture.specs, key, *dtype, device);
        state.net = Net::new(weights.during("drawing first weights")?);
        let rows = self.train.rows();
        state.notes = Notes { tally: Tally::new(rows), correct: vec![false; rows] };
        Ok(())
    }

    /// Ties between logits go to the lower class, as in every accuracy.
    fn batch(&self, notes: &mut Notes, rows: &[usize], logits: &Tensor) -> NodeResult<()> {
        let doing = "reading the predictions";
        let predicted = logits.argmax(1).during(doing)?.to_i64_vec().during(doing)?;
        for (row, class) in rows.iter().zip(predicted) {
            notes.correct[*row] = class == self.train.classes_of_rows()[*row];
        }
        Ok(())
    }

    fn epoch(&self, state: &mut NetState<Notes>, done: u64, _: &dyn Fn() -> bool) -> NodeResult<()> {
        let Notes { tally, correct } = &mut state.notes;
        tally.note(correct);
        let right = correct.iter().filter(|right| **right).count() as f64 / correct.len().max(1) as f64;
        let step = state.number as u64 * self.params.epochs + done - 1;
        self.context.metric("train_accuracy", step, 100.0 * right);
        Ok(())
    }
}
