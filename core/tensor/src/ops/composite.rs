//! Losses and norms, composed of other operations.

use crate::Tensor;
use crate::error::{Result, shape_error};

/// Losses and norms.
impl Tensor {
    /// log(softmax(x)) along `axis`: `x - log_sum_exp(x)`.
    ///
    /// # Errors
    /// When the axis does not exist.
    pub fn log_softmax(&self, axis: usize) -> Result<Self> {
        self.sub(&self.log_sum_exp(axis, true)?)
    }

    /// e^x / sum of e^x along `axis`.
    ///
    /// # Errors
    /// When the axis does not exist.
    pub fn softmax(&self, axis: usize) -> Result<Self> {
        self.log_softmax(axis)?.exp()
    }

    /// Mean cross-entropy of logits `[image, class]` and class numbers (i64, `[image]`):
    /// the mean of `log_sum_exp(z) - z[label]`, shape `[]`.
    ///
    /// # Errors
    /// When shapes do not fit or a label is no class.
    pub fn cross_entropy(&self, labels: &Self) -> Result<Self> {
        match *self.shape() {
            [images, classes] if labels.shape() == [images] => {
                self.cross_entropy_soft(&labels.one_hot(classes, self.dtype())?)
            }
            _ => shape_error(
                "cross_entropy",
                &[self.shape(), labels.shape()],
                "logits are [image, class], labels [image]",
            ),
        }
    }

    /// Mean cross-entropy of logits `[image, class]` and label probabilities q of the same shape: the mean of
    /// `log_sum_exp(z) - sum of q z`, shape `[]`. Differentiable by both.
    ///
    /// # Errors
    /// When shapes differ.
    pub fn cross_entropy_soft(&self, labels: &Self) -> Result<Self> {
        if self.rank() != 2 || self.shape() != labels.shape() {
            return shape_error("cross_entropy_soft", &[self.shape(), labels.shape()], "both are [image, class]");
        }
        let chosen = self.mul(labels)?.sum(&[1], false)?;
        self.log_sum_exp(1, false)?.sub(&chosen)?.mean_all()
    }

    /// Sum of a b over all elements, shape `[]`.
    ///
    /// # Errors
    /// When shapes differ.
    pub fn dot(&self, other: &Self) -> Result<Self> {
        if self.shape() != other.shape() {
            return shape_error("dot", &[self.shape(), other.shape()], "they must be equal");
        }
        self.mul(other)?.sum_all()
    }

    /// Euclidean length over `axes`; the gradient of length 0 is 0, at every order.
    ///
    /// # Errors
    /// When an axis does not exist.
    pub fn norm2(&self, axes: &[usize], keep: bool) -> Result<Self> {
        let squares = self.square()?.sum(axes, keep)?;
        let positive = squares.detach().step()?;
        let one = Self::ones(&[], self.dtype(), &self.device())?;
        positive.select(&squares, &one)?.sqrt()?.mul(&positive)
    }
}
