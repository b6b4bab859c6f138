//! Steps that stay on the tape, as far as memory goes.

use crate::student::{Student, Taped};
use pddflow_sdk::{Iteration, Result, Tensor};
use std::collections::VecDeque;

/// The tapes of a student's last steps: as many as fit the host's budget, and always the last one's. What was dropped is computed
/// again when it is needed, by the same operations, so that no bit depends on the budget.
#[derive(Debug)]
pub struct Tapes<'a, 'call> {
    student: &'a Student<'a, 'call>,
    budget: u64,
    kept: VecDeque<Kept<'call>>,
}

#[derive(Debug)]
struct Kept<'call> {
    step: usize,
    bytes: u64,
    taped: Taped<'call>,
}

impl<'a, 'call> Tapes<'a, 'call> {
    /// None yet.
    ///
    /// # Errors
    /// The run was cancelled.
    pub fn new(run: &Iteration<'call>, student: &'a Student<'a, 'call>) -> Result<Self> {
        Ok(Self { student, budget: run.call().tape_budget()?, kept: VecDeque::new() })
    }

    /// The gradient of the next step, as values. Its tape is kept; the oldest ones go if there is no room for another like the last.
    ///
    /// # Errors
    /// What the host refuses.
    pub fn gradient(&mut self, step: usize, theta: &[Tensor<'call>]) -> Result<Vec<Tensor<'call>>> {
        let next = self.kept.back().map_or(0, |last| last.bytes);
        while !self.kept.is_empty() && self.bytes() + next >= self.budget {
            self.kept.pop_front();
        }
        let taped = self.student.taped(step, theta)?;
        let (values, bytes) = (taped.values()?, if self.budget == 0 { 0 } else { taped.bytes()? });
        self.kept.push_back(Kept { step, bytes, taped });
        Ok(values)
    }

    /// The step on the tape: as it was kept, or computed again.
    ///
    /// # Errors
    /// What the host refuses.
    pub fn take(&mut self, step: usize, theta: &[Tensor<'call>]) -> Result<Taped<'call>> {
        let place = self.kept.iter().position(|kept| kept.step == step);
        match place.and_then(|place| self.kept.remove(place)) {
            Some(kept) => Ok(kept.taped),
            None => self.student.taped(step, theta),
        }
    }

    fn bytes(&self) -> u64 {
        self.kept.iter().map(|kept| kept.bytes).sum()
    }
}
