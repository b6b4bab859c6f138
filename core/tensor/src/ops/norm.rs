//! Normalisations.

use crate::Tensor;
use crate::error::{Result, shape_error};
use crate::op::{Epilogue, OVER_CHANNELS, Op};
use crate::tensor::apply;

/// Normalisations of `[image, channel, row, column]`. Variances are divided by the count.
impl Tensor {
    /// `(x - mean) / sqrt(var + eps)` over `axes`, any rank.
    ///
    /// # Errors
    /// When an axis does not exist or there is nothing to take the mean of.
    pub fn standardize(&self, axes: &[usize], eps: f64) -> Result<Self> {
        match *self.shape() {
            [_, channels, _, _] if axes == [2, 3] => {
                let affine = |value| Self::full(value, &[channels], self.dtype(), &self.device());
                self.instance_norm(&affine(1.0)?, &affine(0.0)?, eps)
            }
            [_, _, _, _] if axes == OVER_CHANNELS => apply(Op::Standardize { eps }, &[self]),
            _ => self.standardize_step_by_step(axes, eps),
        }
    }

    /// The same by operations that have rules of any order.
    pub(crate) fn standardize_step_by_step(&self, axes: &[usize], eps: f64) -> Result<Self> {
        let centred = self.sub(&self.mean(axes, true)?)?;
        let variance = centred.square()?.mean(axes, true)?;
        centred.div(&variance.add_scalar(eps)?.sqrt()?)
    }

    /// Every plane of every image standardised, then `weight` and `bias` (both `[channel]`) applied.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn instance_norm(&self, weight: &Self, bias: &Self, eps: f64) -> Result<Self> {
        apply(Op::Norm { eps, epilogue: Epilogue::Identity }, &[self, weight, bias])
    }

    /// Every channel standardised over images, rows and columns, then `weight` and `bias` (both `[channel]`)
    /// applied. Also mean and variance of the batch (divided by the count), `[channel]`, as constants.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn batch_norm_train(&self, weight: &Self, bias: &Self, eps: f64) -> Result<(Self, Self, Self)> {
        let y = self.standardize(&[0, 2, 3], eps)?.affine("batch_norm_train", weight, bias)?;
        let x = self.detach();
        let mean = x.mean(&[0, 2, 3], true)?;
        let variance = x.sub(&mean)?.square()?.mean(&[0, 2, 3], false)?;
        let mean = mean.reshape(variance.shape())?;
        Ok((y, mean, variance))
    }

    /// `(x - mean) / sqrt(var + eps) weight + bias` with given statistics, all `[channel]`.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn batch_norm_eval(&self, weight: &Self, bias: &Self, statistics: (&Self, &Self), eps: f64) -> Result<Self> {
        let (mean, variance) = statistics;
        let scale = weight.mul(&variance.add_scalar(eps)?.sqrt()?.recip()?)?;
        let shift = bias.sub(&mean.mul(&scale)?)?;
        self.affine("batch_norm_eval", &scale, &shift)
    }

    /// `x weight + bias` channel by channel.
    fn affine(&self, op: &'static str, weight: &Self, bias: &Self) -> Result<Self> {
        let shapes = [self.shape(), weight.shape(), bias.shape()];
        let [_, channels, _, _] = *self.shape() else {
            return shape_error(op, &shapes, "the axes are [image, channel, row, column]");
        };
        if weight.shape() != [channels] || bias.shape() != [channels] {
            return shape_error(op, &shapes, "weight and bias have one number for each channel");
        }
        let per_channel = [1, channels, 1, 1];
        self.mul(&weight.reshape(&per_channel)?)?.add(&bias.reshape(&per_channel)?)
    }
}
