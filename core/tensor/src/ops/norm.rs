//! Normalisations.

use crate::Tensor;
use crate::error::{Result, shape_error};
use crate::op::{Epilogue, OVER_CHANNELS, Op, Over};
use crate::tensor::apply;

/// Normalisations of `[image, channel, row, column]`. Variances are divided by the count.
impl Tensor {
    /// `(x - mean) / sqrt(var + eps)` over `axes`, any rank.
    ///
    /// # Errors
    /// When an axis does not exist or there is nothing to take the mean of.
    pub fn standardize(&self, axes: &[usize], eps: f64) -> Result<Self> {
        let unit = |channels| {
            let affine = |value| Self::full(value, &[channels], self.dtype(), &self.device());
            Ok((affine(1.0)?, affine(0.0)?))
        };
        match *self.shape() {
            [_, channels, _, _] if axes == [2, 3] => {
                let (weight, bias) = unit(channels)?;
                self.instance_norm(&weight, &bias, eps)
            }
            [_, channels, _, _] if axes == OVER_CHANNELS => {
                let (weight, bias) = unit(channels)?;
                Ok(self.batch_norm(&weight, &bias, eps)?.0)
            }
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
        apply(Op::Norm { eps, over: Over::Plane, epilogue: Epilogue::Identity }, &[self, weight, bias])
    }

    /// Every channel standardised over images, rows and columns, then `weight` and `bias` (both `[channel]`)
    /// applied. Also mean and variance of the batch (divided by the count), `[channel]`, differentiable as well.
    ///
    /// # Errors
    /// When shapes do not fit.
    pub fn batch_norm_train(&self, weight: &Self, bias: &Self, eps: f64) -> Result<(Self, Self, Self)> {
        self.check_affine("batch_norm_train", weight, bias)?;
        let (y, statistics) = self.batch_norm(weight, bias, eps)?;
        let part = |index: usize| statistics.slice(2, index, index + 1, 1)?.reshape(weight.shape());
        // r = 1 / sqrt(var + eps)
        let variance = part(1)?.square()?.recip()?.add_scalar(-eps)?;
        Ok((y, part(0)?, variance))
    }

    /// The result, and mean and 1 / sqrt(var + eps) of each channel.
    fn batch_norm(&self, weight: &Self, bias: &Self, eps: f64) -> Result<(Self, Self)> {
        let statistics = apply(Op::ChannelStatistics { eps }, &[self])?;
        let op = Op::Norm { eps, over: Over::Channel, epilogue: Epilogue::Identity };
        Ok((apply(op, &[self, weight, bias, &statistics])?, statistics))
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
        let channels = self.check_affine(op, weight, bias)?;
        let per_channel = [1, channels, 1, 1];
        self.mul(&weight.reshape(&per_channel)?)?.add(&bias.reshape(&per_channel)?)
    }

    /// Number of channels.
    fn check_affine(&self, op: &'static str, weight: &Self, bias: &Self) -> Result<usize> {
        let shapes = [self.shape(), weight.shape(), bias.shape()];
        let [_, channels, _, _] = *self.shape() else {
            return shape_error(op, &shapes, "the axes are [image, channel, row, column]");
        };
        if weight.shape() != [channels] || bias.shape() != [channels] {
            return shape_error(op, &shapes, "weight and bias have one number for each channel");
        }
        Ok(channels)
    }
}
