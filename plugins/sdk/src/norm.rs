//! Normalisation layers, as most nets offer them: one choice, its weights, and what it does.

use crate::call::host;
use crate::error::{Error, Result};
use crate::model::{Init, Weights};
use crate::tensor::Tensor;
use pddflow_abi::{self as abi, Mode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Added to variances, as every published net of the field does.
const EPSILON: f64 = 1e-5;
/// Share of the batch's statistics in the new running ones.
const STATISTICS_RATE: f64 = 0.1;

/// Normalisation of maps `[image, channel, row, column]` per channel: `(x - mean) / sqrt(variance + 1e-5) * weight + bias`.
///
/// | choice | mean and variance over | weights | statistics |
/// |---|---|---|---|
/// | `instance` | the plane of each image | `weight` (1), `bias` (0) | |
/// | `batch` | images and plane; in evaluation the running ones | `weight` (1), `bias` (0) | `running_mean` (0), `running_var` (1) |
/// | `none` | nothing is done | | |
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// Per image and channel.
    Instance,
    /// Per channel over the batch, with running statistics.
    Batch,
    /// None.
    None,
}

/// What a normalisation gives.
#[derive(Clone, Debug)]
pub struct Normalised<'call> {
    /// The maps.
    pub y: Tensor<'call>,
    /// For `batch` in training the new running mean and variance, `[channels]`, constant.
    pub statistics: Vec<Tensor<'call>>,
    /// For `batch` in training mean and variance (divided by the count) of the batch, `[channels]`, on the tape.
    pub moments: Vec<Tensor<'call>>,
}

impl Norm {
    /// How many weights a layer of `channels` has that an optimiser moves: 2, or 0 for `none`.
    #[must_use]
    pub fn weights(self) -> usize {
        if self == Self::None { 0 } else { 2 }
    }

    /// How many running statistics a layer has: 2 for `batch`, else 0.
    #[must_use]
    pub fn statistics(self) -> usize {
        if self == Self::Batch { 2 } else { 0 }
    }

    /// Declares `<name>.weight` and `<name>.bias`, `[channels]`, if there are any.
    ///
    /// # Errors
    /// The names were used before.
    #[track_caller]
    pub fn declare(self, weights: &mut Weights<'_>, name: &str, channels: usize) -> Result<()> {
        if self == Self::None {
            return Ok(());
        }
        weights.learnable(&format!("{name}.weight"), &[channels], Init::Constant(1.0))?;
        weights.learnable(&format!("{name}.bias"), &[channels], Init::Constant(0.0))
    }

    /// Declares `<name>.running_mean` and `<name>.running_var`, `[channels]`, if there are any.
    ///
    /// # Errors
    /// The names were used before.
    #[track_caller]
    pub fn declare_statistics(self, weights: &mut Weights<'_>, name: &str, channels: usize) -> Result<()> {
        if self != Self::Batch {
            return Ok(());
        }
        weights.statistic(&format!("{name}.running_mean"), &[channels], Init::Constant(0.0))?;
        weights.statistic(&format!("{name}.running_var"), &[channels], Init::Constant(1.0))
    }

    /// Normalises. For `batch` in training the new running mean and variance are 0.9 of the old ones and 0.1 of the batch's, whose variance
    /// is the unbiased one (a single value has none, and counts as it is).
    ///
    /// # Errors
    /// `affine` and `running` are not as many tensors as [`weights`](Self::weights) and [`statistics`](Self::statistics) say,
    /// or the shapes do not fit.
    #[track_caller]
    pub fn apply<'call>(
        self,
        x: &Tensor<'call>,
        affine: &[Tensor<'call>],
        running: &[Tensor<'call>],
        mode: Mode,
    ) -> Result<Normalised<'call>> {
        let plain = |y: Tensor<'call>| Normalised { y, statistics: Vec::new(), moments: Vec::new() };
        match (self, affine, running) {
            (Self::None, [], []) => Ok(plain(x.clone())),
            (Self::Instance, [weight, bias], []) => x.instance_norm(weight, bias, EPSILON).map(plain),
            (Self::Batch, [weight, bias], [mean, variance]) if mode == Mode::Eval => {
                x.batch_norm_eval([weight, bias], [mean, variance], EPSILON).map(plain)
            }
            (Self::Batch, [weight, bias], [mean, variance]) => {
                let [y, new_mean, new_variance] = x.batch_norm_train(weight, bias, EPSILON)?;
                let shape = x.shape()?;
                let count = (shape[0] * shape[2] * shape[3]) as f64;
                let unbiased = (&new_variance.detach()? * (count / (count - 1.0).max(1.0)))?;
                let statistics = vec![blend(mean, &new_mean.detach()?)?, blend(variance, &unbiased)?];
                Ok(Normalised { y, statistics, moments: vec![new_mean, new_variance] })
            }
            _ => Err(Error::shape(format!(
                "a normalisation of this kind takes {} weights and {} statistics, not {} and {}",
                self.weights(),
                self.statistics(),
                affine.len(),
                running.len()
            ))),
        }
    }
}

#[track_caller]
fn blend<'call>(old: &Tensor<'call>, new: &Tensor<'call>) -> Result<Tensor<'call>> {
    &(old * (1.0 - STATISTICS_RATE))? + &(new * STATISTICS_RATE)?
}

/// Normalisations.
impl Tensor<'_> {
    fn norm_arguments(&self, kind: abi::Norm, affine: [&Self; 2], epsilon: f64) -> abi::NormArguments {
        abi::NormArguments {
            size: size_of::<abi::NormArguments>() as u32,
            kind: kind as u32,
            x: self.handle(),
            weight: affine[0].handle(),
            bias: affine[1].handle(),
            mean: 0,
            variance: 0,
            epsilon,
        }
    }

    /// `(x - mean) / sqrt(variance + epsilon) * weight + bias` over the plane of each image and channel.
    ///
    /// # Errors
    /// The shapes do not fit.
    #[track_caller]
    pub fn instance_norm(&self, weight: &Self, bias: &Self, epsilon: f64) -> Result<Self> {
        let arguments = self.norm_arguments(abi::Norm::Instance, [weight, bias], epsilon);
        let none = std::ptr::null_mut();
        Self::made(
            self.call(),
            |out| host!(self.call(), linear: LinearGroup, norm(&raw const arguments, out, none, none)),
        )
    }

    /// The same over the batch and the plane; also gives mean and variance (divided by the count), `[channel]`, on the tape since 0.8.
    ///
    /// # Errors
    /// The shapes do not fit.
    #[track_caller]
    pub fn batch_norm_train(&self, weight: &Self, bias: &Self, epsilon: f64) -> Result<[Self; 3]> {
        let arguments = self.norm_arguments(abi::Norm::BatchTrain, [weight, bias], epsilon);
        let (mut mean, mut variance) = (0, 0);
        let result = Self::made(
            self.call(),
            |out| host!(self.call(), linear: LinearGroup, norm(&raw const arguments, out, &raw mut mean, &raw mut variance)),
        )?;
        Ok([result, Self::own(self.call(), mean), Self::own(self.call(), variance)])
    }

    /// The same with the given mean and variance, `[channel]`.
    ///
    /// # Errors
    /// The shapes do not fit.
    #[track_caller]
    pub fn batch_norm_eval(&self, affine: [&Self; 2], statistics: [&Self; 2], epsilon: f64) -> Result<Self> {
        let mut arguments = self.norm_arguments(abi::Norm::BatchEval, affine, epsilon);
        arguments.mean = statistics[0].handle();
        arguments.variance = statistics[1].handle();
        let none = std::ptr::null_mut();
        Self::made(
            self.call(),
            |out| host!(self.call(), linear: LinearGroup, norm(&raw const arguments, out, none, none)),
        )
    }
}
