//! Distances between two lists of gradients by the weights of convolutions.

use pddflow_sdk::{Error, Result, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Added to products of lengths, as in the official code.
const EPSILON: f64 = 1e-6;

/// Which distance; each is summed over the tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Metric {
    /// Sum of squared differences.
    Mse,
    /// Sum of absolute differences.
    L1,
    /// Mean absolute difference of each output row, summed.
    L1Mean,
    /// 1 - cosine of each output row, summed.
    Cos,
}

impl Metric {
    /// A scalar, differentiable in `synthetic`.
    pub(crate) fn between<'call>(self, real: &[Tensor<'call>], synthetic: &[Tensor<'call>]) -> Result<Tensor<'call>> {
        let mut sum: Option<Tensor<'call>> = None;
        for (wanted, found) in real.iter().zip(synthetic) {
            let term = self.of_tensor(wanted, found)?;
            sum = Some(match sum {
                Some(sum) => (&sum + &term)?,
                None => term,
            });
        }
        sum.ok_or_else(|| Error::shape("there is no gradient to match"))
    }

    fn of_tensor<'call>(self, real: &Tensor<'call>, synthetic: &Tensor<'call>) -> Result<Tensor<'call>> {
        match self {
            Self::Mse => synthetic.squared_distance(real),
            Self::L1 => (synthetic - real)?.abs()?.sum(&[], false),
            Self::L1Mean => (synthetic - real)?.abs()?.flatten_rows()?.mean(&[1], false)?.sum(&[], false),
            Self::Cos => {
                let cosine = synthetic.flatten_rows()?.cosine(&real.flatten_rows()?, EPSILON)?;
                (&cosine.negated()? + 1.0)?.sum(&[], false)
            }
        }
    }
}
