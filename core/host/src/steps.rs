//! The gradients that learnables were stepped by: that they are finite, and how long they are.
//!
//! Both follow from the squared length, a number of the device. On the processor it is read before the step; elsewhere a step does not
//! wait for the device: the lengths of all steps come with the next number that the plugin reads, or at the end of the call.

use crate::error::Fault;
use pddflow_abi::Status;
use pddflow_tensor::{DType, Tensor};
use std::collections::BTreeMap;

/// The steps of a call.
#[derive(Default)]
pub(crate) struct Steps {
    waiting: Vec<Step>,
    /// By learnable, the squared lengths of its gradients, summed, and their number.
    squares: BTreeMap<String, (f64, u64)>,
}

struct Step {
    name: String,
    gradient: Tensor,
    square: Tensor,
}

impl Steps {
    /// A step of a learnable, whose length is not known yet.
    pub(crate) fn add(&mut self, name: String, gradient: Tensor) -> Result<(), Fault> {
        let square = gradient.dot(&gradient)?;
        self.waiting.push(Step { name, gradient, square });
        Ok(())
    }

    /// Reads the lengths that wait.
    pub(crate) fn settle(&mut self) -> Result<(), Fault> {
        match self.waiting.as_slice() {
            [] => Ok(()),
            [only] => {
                let square = only.square.item()?;
                self.take(&[square])
            }
            several => {
                let squares: Vec<Tensor> = several.iter().map(|step| step.square.clone()).collect();
                let squares = Tensor::stack(&squares, 0)?.to_f64_vec()?;
                self.take(&squares)
            }
        }
    }

    /// The numbers of a tensor, read together with the lengths that wait.
    pub(crate) fn read_with(&mut self, tensor: &Tensor) -> Result<Vec<f64>, Fault> {
        let joins = |step: &Step| step.square.dtype() == tensor.dtype() && step.square.device() == tensor.device();
        if self.waiting.is_empty()
            || tensor.dtype() == DType::I64
            || tensor.is_at_hand()
            || !self.waiting.iter().all(joins)
        {
            return Ok(tensor.to_f64_vec()?);
        }
        let mut parts = vec![tensor.reshape(&[tensor.elements()])?];
        for step in &self.waiting {
            parts.push(step.square.reshape(&[1])?);
        }
        let mut numbers = Tensor::concat(&parts, 0)?.to_f64_vec()?;
        let squares = numbers.split_off(tensor.elements());
        self.take(&squares)?;
        Ok(numbers)
    }

    fn take(&mut self, squares: &[f64]) -> Result<(), Fault> {
        for (step, square) in std::mem::take(&mut self.waiting).into_iter().zip(squares) {
            // The square of a long gradient may be infinite. Zero times a number is zero exactly if the number is finite.
            if !square.is_finite() && !step.gradient.mul_scalar(0.0)?.sum_all()?.item()?.is_finite() {
                return Err(Fault::new(Status::Numeric, format!("the gradient of `{}` is not finite", step.name)));
            }
            let found = self.squares.entry(step.name).or_default();
            *found = (found.0 + square, found.1 + 1);
        }
        Ok(())
    }

    /// The root mean square of the lengths of each learnable's gradients, as a metric: `gradient_norm` for `images`, `gradient_norm_NAME`
    /// for another.
    pub(crate) fn norms(&self) -> impl Iterator<Item = (String, f64)> {
        self.squares.iter().map(|(name, (squares, steps))| {
            let metric = if name == "images" { "gradient_norm".to_owned() } else { format!("gradient_norm_{name}") };
            (metric, (squares / *steps as f64).sqrt())
        })
    }
}
