//! Distances between two lists of gradients by the weights of convolutions.

use pddflow_sdk::{Result, Tensor, cosine_distance, total};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Distance of gradients, summed over the convolutions.
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
        total(real.iter().zip(synthetic).map(|(real, synthetic)| match self {
            Self::Mse => synthetic.squared_distance(real),
            Self::L1 => (synthetic - real)?.abs()?.sum(&[], false),
            Self::L1Mean => (synthetic - real)?.abs()?.flatten_rows()?.mean(&[1], false)?.sum(&[], false),
            Self::Cos => cosine_distance(real, synthetic),
        }))
    }
}
