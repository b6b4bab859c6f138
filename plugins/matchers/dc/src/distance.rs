//! Distances between two lists of gradients, in the order of the weights.

use pddflow_sdk::{Result, Tensor, gradient_distance, total};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Added to products of lengths, as in the official code.
const EPSILON: f64 = 1e-6;

/// Distance of gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Distance {
    /// The paper's: 1 - cosine, for each output row of every tensor with two or more axes, summed. Biases and norms add nothing.
    Ours,
    /// Squared length of the difference of everything.
    Mse,
    /// 1 - cosine of everything in one vector.
    Cos,
}

impl Distance {
    /// A scalar; differentiable in `synthetic`, and in `real` if that is on the tape.
    pub(crate) fn between<'call>(self, real: &[Tensor<'call>], synthetic: &[Tensor<'call>]) -> Result<Tensor<'call>> {
        let pairs = || real.iter().zip(synthetic);
        match self {
            Self::Ours => gradient_distance(real, synthetic),
            Self::Mse => total(pairs().map(|(a, b)| b.squared_distance(a))),
            Self::Cos => {
                let product = total(pairs().map(|(a, b)| a.dot(b)))?;
                let length = |list: &[Tensor<'call>]| total(list.iter().map(|a| a.square()?.sum(&[], false)))?.sqrt();
                let lengths = (&length(real)? * &length(synthetic)?)?;
                &(&product / &(&lengths + EPSILON)?)?.negated()? + 1.0
            }
        }
    }
}
