//! A net in training, and what an observer is told of it.

use pddflow_artifact::failure::NodeResult;
use pddflow_host::Net;
use pddflow_runner::NodeError;
use pddflow_tensor::{Tensor, TensorError};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// How far a net is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Position {
    /// The present segment, from 0.
    pub segment: usize,
    /// Epochs of it that are done.
    pub epoch: u64,
    /// Batches of the present epoch that are done.
    pub batch: usize,
}

/// A net in training.
#[derive(Clone, Debug)]
pub struct NetState<N> {
    /// Its number.
    pub number: usize,
    /// Without weights before its first batch, and after its last one where nobody needs them.
    pub net: Net,
    /// The average of its weights over all steps; empty where none is asked for.
    pub average: Vec<Tensor>,
    /// How far it is.
    pub at: Position,
    /// Snapshots that the observer keeps, in the order of time.
    pub kept: Vec<Vec<Tensor>>,
    /// What the observer notes.
    pub notes: N,
    /// Mean loss of the latest batches.
    pub loss: f64,
}

impl<N: Default> NetState<N> {
    /// A net that has not begun.
    pub fn new(number: usize) -> Self {
        let net = Net::new(Vec::new());
        let (at, kept, average) = (Position::default(), Vec::new(), Vec::new());
        Self { number, net, average, at, kept, notes: N::default(), loss: 0.0 }
    }
}

impl<N> NetState<N> {
    /// What is tested: the average of its weights, else the weights.
    pub fn tested(&self) -> &[Tensor] {
        if self.average.is_empty() { &self.net.weights } else { &self.average }
    }

    /// Takes the present weights into the average, of which a step leaves `left`. Without one they are it.
    pub(super) fn take_in(&mut self, left: f64) -> Result<(), TensorError> {
        if self.average.is_empty() {
            self.average.clone_from(&self.net.weights);
            return Ok(());
        }
        for (average, weight) in self.average.iter_mut().zip(&self.net.weights) {
            *average = average.mul_scalar(left)?.add(&weight.mul_scalar(1.0 - left)?)?;
        }
        Ok(())
    }
}

/// What follows the training of nets; one observer serves all nets of a job.
pub trait Observer: Sync {
    /// What is noted of a net; checkpoints hold it.
    type Notes: Clone + Default + Send + Serialize + DeserializeOwned;

    /// Gives the net the first weights with which it begins, in this phase of class-incremental learning (1 where there are
    /// none).
    ///
    /// # Errors
    /// The weights cannot be read or drawn.
    fn begin(&self, state: &mut NetState<Self::Notes>, phase: usize) -> NodeResult<()>;

    /// Called after each step with the rows of the batch and the logits before the step (`[row, class]`).
    ///
    /// # Errors
    /// The logits cannot be read.
    fn batch(&self, notes: &mut Self::Notes, rows: &[usize], logits: &Tensor) -> NodeResult<()> {
        let _ = (notes, rows, logits);
        Ok(())
    }

    /// Called when `done` epochs of the net's segment are done. `stop` ends it half way, as cancelled; it will be called again.
    ///
    /// # Errors
    /// As those of what it does.
    fn epoch(&self, state: &mut NetState<Self::Notes>, done: u64, stop: &dyn Fn() -> bool) -> NodeResult<()>;

    /// The nets from a state that is no checkpoint of this job, such as the end of a shorter training; none where the bytes
    /// are no such state.
    ///
    /// # Errors
    /// They are one that cannot be continued.
    fn resume(&self, bytes: &[u8]) -> NodeResult<Option<Vec<NetState<Self::Notes>>>> {
        let _ = bytes;
        Ok(None)
    }
}

/// An observer of a net that is there already.
pub struct Unobserved;

impl Observer for Unobserved {
    type Notes = ();

    fn begin(&self, state: &mut NetState<()>, _: usize) -> NodeResult<()> {
        match state.net.weights.is_empty() {
            true => Err(NodeError::internal("a net without weights is trained")),
            false => Ok(()),
        }
    }

    fn epoch(&self, _: &mut NetState<()>, _: u64, _: &dyn Fn() -> bool) -> NodeResult<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use pddflow_tensor::Device;

    use super::*;

    #[test]
    fn averages_leave_a_part_of_what_was() {
        let one = |value: f64| vec![Tensor::from_f64(vec![value], &[1], &Device::Cpu).unwrap()];
        let mut state = NetState::<()>::new(0);
        state.net = Net::new(one(8.0));
        assert_eq!(state.tested()[0].item().unwrap(), 8.0);
        for (weight, expected) in [(8.0, 8.0), (4.0, 7.0), (3.0, 6.0)] {
            state.net = Net::new(one(weight));
            state.take_in(0.75).unwrap();
            assert_eq!(state.tested()[0].item().unwrap(), expected);
        }
    }
}
