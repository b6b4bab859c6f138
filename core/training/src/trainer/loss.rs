//! What a net is trained to make small, and the labels that it takes.

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_host::Labels;
use pddflow_tensor::{Tensor, TensorError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How far below 0 a probability may lie, and how far from 1 their sum: what rounding does to labels of half precision.
const ROUNDING: (f64, f64) = (1e-3, 1e-2);

/// The loss of a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Mean cross-entropy against class numbers or probabilities.
    #[default]
    CrossEntropy,
    /// Mean over the images of half the squared distance of the scores from the labels, summed over the classes. Labels are any
    /// numbers, from which 1 over the number of classes is subtracted: class numbers are centred one-hot vectors.
    Mse,
}

impl Loss {
    /// Whether it is the one that nearly all recipes have, which their records do not name.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Of logits `[row, class]`.
    pub(super) fn of(self, logits: &Tensor, labels: &Labels) -> Result<Tensor, TensorError> {
        match (self, labels) {
            (Self::CrossEntropy, Labels::Hard(labels)) => logits.cross_entropy(labels),
            (Self::CrossEntropy, Labels::Soft(labels)) => logits.cross_entropy_soft(labels),
            (Self::Mse, labels) => {
                let (rows, classes) = (logits.shape()[0], logits.shape()[1]);
                let wanted = match labels {
                    Labels::Hard(labels) => labels.one_hot(classes, logits.dtype())?,
                    Labels::Soft(labels) => labels.clone(),
                };
                let wanted = wanted.add_scalar(-1.0 / classes as f64)?;
                logits.sub(&wanted)?.square()?.sum_all()?.mul_scalar(0.5 / rows.max(1) as f64)
            }
        }
    }

    /// Checks that labels can be trained on.
    ///
    /// # Errors
    /// They are no probabilities, and the cross-entropy needs such.
    pub fn check(self, labels: &Labels) -> NodeResult<()> {
        let (Self::CrossEntropy, Labels::Soft(labels)) = (self, labels) else { return Ok(()) };
        let classes = labels.shape().get(1).copied().unwrap_or(1).max(1);
        let values = labels.to_f64_vec().during("reading soft labels")?;
        let wrong = |row: &&[f64]| {
            let sum: f64 = row.iter().sum();
            row.iter().any(|value| *value < -ROUNDING.0) || (sum - 1.0).abs() > ROUNDING.1
        };
        let Some((number, row)) = values.chunks_exact(classes).enumerate().find(|(_, row)| wrong(row)) else {
            return Ok(());
        };
        let (low, sum) = (row.iter().copied().fold(f64::INFINITY, f64::min), row.iter().sum::<f64>());
        let message = format!(
            "the labels of image {number} are no probabilities, which the loss `cross_entropy` needs: the least is {low:.3}, and they add up to {sum:.3}"
        );
        Err(fail("labels", message)
            .with_help("write `loss: mse`, which takes any labels, or in `evaluate` `hard_labels: true`"))
    }
}

#[cfg(test)]
mod tests {
    use pddflow_tensor::Device;

    use super::*;

    fn real(values: &[f64]) -> Tensor {
        Tensor::from_f64(values.to_vec(), &[values.len() / 2, 2], &Device::Cpu).unwrap()
    }

    #[test]
    fn the_squared_distance_is_from_centred_labels() {
        let logits = real(&[1.0, 0.0, -0.5, 2.0]);
        // Centred, the labels are (0.5, -0.5) and (-0.5, 0.5).
        let expected = 0.5 * (0.25 + 0.25 + 0.0 + 2.25) / 2.0;
        let hard = Labels::Hard(Tensor::from_i64(vec![0, 1], &[2], &Device::Cpu).unwrap());
        for labels in [hard, Labels::Soft(real(&[1.0, 0.0, 0.0, 1.0]))] {
            assert_eq!(Loss::Mse.of(&logits, &labels).unwrap().item().unwrap(), expected);
        }
    }

    #[test]
    fn cross_entropy_takes_probabilities_only() {
        for good in [real(&[0.25, 0.75]), real(&[-1e-4, 1.0]), real(&[0.503, 0.503])] {
            Loss::CrossEntropy.check(&Labels::Soft(good)).unwrap();
        }
        for (wrong, sum) in [(real(&[0.5, 0.5, 1.25, -0.25]), "1.000"), (real(&[0.0, 1.0, 0.5, 1.0]), "1.500")] {
            let error = Loss::CrossEntropy.check(&Labels::Soft(wrong.clone())).unwrap_err();
            assert!(error.message.contains("image 1") && error.message.contains(sum), "{}", error.message);
            Loss::Mse.check(&Labels::Soft(wrong)).unwrap();
        }
    }
}
