//! Distances between two lists of gradients, in the order of the weights.

use pddflow_sdk::{Error, Result, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Added to products of lengths, as in the official code.
const EPSILON: f64 = 1e-6;

/// Which distance.
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
        match self {
            Self::Ours => total(real, synthetic, rows),
            Self::Mse => total(real, synthetic, |a, b| b.squared_distance(a).map(Some)),
            Self::Cos => cosine(real, synthetic),
        }
    }
}

fn total<'call>(
    real: &[Tensor<'call>],
    synthetic: &[Tensor<'call>],
    term: impl Fn(&Tensor<'call>, &Tensor<'call>) -> Result<Option<Tensor<'call>>>,
) -> Result<Tensor<'call>> {
    let mut sum: Option<Tensor<'call>> = None;
    for (a, b) in real.iter().zip(synthetic) {
        if let Some(term) = term(a, b)? {
            sum = Some(match sum {
                Some(sum) => (&sum + &term)?,
                None => term,
            });
        }
    }
    sum.ok_or_else(|| Error::shape("no weight of the model has two or more axes, so there is nothing to match"))
}

/// Sum over the rows of 1 - cosine; nothing for tensors of one axis.
fn rows<'call>(real: &Tensor<'call>, synthetic: &Tensor<'call>) -> Result<Option<Tensor<'call>>> {
    if real.shape()?.len() < 2 {
        return Ok(None);
    }
    let cosine = synthetic.flatten_rows()?.cosine(&real.flatten_rows()?, EPSILON)?;
    Ok(Some((&cosine.negated()? + 1.0)?.sum(&[], false)?))
}

fn cosine<'call>(real: &[Tensor<'call>], synthetic: &[Tensor<'call>]) -> Result<Tensor<'call>> {
    let product = total(real, synthetic, |a, b| a.dot(b).map(Some))?;
    let length = |list: &[Tensor<'call>]| total(list, list, |a, _| a.square()?.sum(&[], false).map(Some))?.sqrt();
    let lengths = (&length(real)? * &length(synthetic)?)?;
    &(&product / &(&lengths + EPSILON)?)?.negated()? + 1.0
}
