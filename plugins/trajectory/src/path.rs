//! The student's weights before each step.

use crate::student::Student;
use pddflow_sdk::{Result, Tensor};

/// Steps up to which the weights before every one are kept.
const ALL: usize = 128;

/// `theta_{t+1} = theta_t - rate g_t` from a start, to be gone back over. Of few steps the weights before every one are kept; of more only
/// those before every s-th, s the root of their number, and the others are computed again, s at a time: memory grows with that root.
#[derive(Debug)]
pub struct Path<'call> {
    rate: f64,
    stride: usize,
    /// Steps that were not gone back over.
    left: usize,
    /// Weights before every `stride`-th step.
    kept: Vec<Vec<Tensor<'call>>>,
    /// Weights before the steps of the last stretch.
    stretch: Vec<Vec<Tensor<'call>>>,
}

impl<'call> Path<'call> {
    /// Takes the steps; gives the weights after the last too.
    ///
    /// # Errors
    /// What the host refuses.
    pub fn walk(
        student: &mut Student<'_, 'call>,
        start: &[Tensor<'call>],
        (steps, rate): (usize, f64),
    ) -> Result<(Self, Vec<Tensor<'call>>)> {
        let stride = if steps <= ALL { 1 } else { steps.isqrt() };
        let (mut kept, mut theta) = (Vec::new(), start.to_vec());
        for step in 0..steps {
            let next = student.next(step, &theta, rate)?;
            let before = std::mem::replace(&mut theta, next);
            if step % stride == 0 {
                kept.push(before);
            }
        }
        Ok((Self { rate, stride, left: steps, kept, stretch: Vec::new() }, theta))
    }

    /// The last step that was not gone back over, and the weights before it.
    ///
    /// # Errors
    /// What the host refuses.
    pub fn back(&mut self, student: &mut Student<'_, 'call>) -> Result<Option<(usize, Vec<Tensor<'call>>)>> {
        if self.stretch.is_empty()
            && let Some(mut theta) = self.kept.pop()
        {
            for step in self.kept.len() * self.stride..self.left - 1 {
                let next = student.next(step, &theta, self.rate)?;
                self.stretch.push(std::mem::replace(&mut theta, next));
            }
            self.stretch.push(theta);
        }
        let theta = self.stretch.pop();
        self.left -= usize::from(theta.is_some());
        Ok(theta.map(|theta| (self.left, theta)))
    }
}
