//! A chain of convolution blocks with a linear layer at its end, as plain nets are.

use crate::error::{Error, Result};
use crate::layers::{Conv, Layers};
use crate::model::{Batch, Init, Input, Model, Output, Weights};
use crate::norm::Norm;
use crate::tensor::Tensor;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Activation of the blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// max(x, 0).
    Relu,
    /// x, or 0.01 x below 0.
    Leaky,
    /// 1 / (1 + e^-x).
    Sigmoid,
}

/// Pooling 2x2 with stride 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Pooling {
    /// Mean.
    Average,
    /// Largest.
    Max,
    /// None.
    None,
}

/// One block: convolution (stride 1, with bias), normalisation, activation, pooling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Channels of its result.
    pub channels: usize,
    /// Side of its kernels.
    pub kernel: usize,
    /// Zeros around its input.
    pub padding: usize,
    /// At its end.
    pub pooling: Pooling,
}

/// Blocks, then a linear layer on the last map, flattened in channel, row, column order. Convolutions and the linear layer start uniform
/// in `+-1/sqrt(fan_in)`, weights and biases.
///
/// | weights, in order | shape |
/// |---|---|
/// | `block{d}.conv.weight`, `block{d}.conv.bias` | `[channels, in, kernel, kernel]`, `[channels]` |
/// | `block{d}.norm.weight`, `block{d}.norm.bias` (not for `none`) | `[channels]` |
/// | `linear.weight`, `linear.bias` | `[classes, feature]`, `[classes]` |
/// | for `batch`, after those: `block{d}.norm.running_mean`, `block{d}.norm.running_var` | `[channels]`, statistics |
///
/// Intermediate maps: `block{d}` after each activation, then `pooled`, the last one after its pooling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// From the image on.
    pub blocks: Vec<Block>,
    /// Of every block.
    pub norm: Norm,
    /// Of every block.
    pub activation: Activation,
}

impl Activation {
    #[track_caller]
    fn apply<'call>(self, x: &Tensor<'call>) -> Result<Tensor<'call>> {
        /// Slope of the leaky activation below 0.
        const LEAK: f64 = 0.01;
        match self {
            Self::Relu => x.relu(),
            Self::Leaky => x.maximum(&(x * LEAK)?),
            Self::Sigmoid => x.sigmoid(),
        }
    }
}

impl Pooling {
    #[track_caller]
    fn apply<'call>(self, x: &Tensor<'call>) -> Result<Tensor<'call>> {
        match self {
            Self::Average => x.avg_pool2d(2, 2),
            Self::Max => x.max_pool2d(2, 2),
            Self::None => Ok(x.clone()),
        }
    }
}

impl Stack {
    /// Number of features for images of this size.
    #[track_caller]
    fn features(&self, input: Input) -> Result<usize> {
        let side = |start: usize| {
            self.blocks.iter().try_fold(start, |side, block| {
                let side = (side + 2 * block.padding + 1).checked_sub(block.kernel)?;
                let side = if block.pooling == Pooling::None { side } else { side / 2 };
                (side > 0).then_some(side)
            })
        };
        let channels = self.blocks.last().map_or(input.channels, |block| block.channels);
        match (side(input.height), side(input.width)) {
            (Some(height), Some(width)) => Ok(channels * height * width),
            _ => Err(Error::shape(format!(
                "images of {}x{} are too small for the {} poolings of this network; lower `depth` if it has that parameter, or take \
                 larger images",
                input.height,
                input.width,
                self.blocks.iter().filter(|block| block.pooling != Pooling::None).count()
            ))),
        }
    }

    fn layers(&self, channels: usize) -> Layers {
        let mut from = channels;
        let conv = |(place, block): (usize, &Block)| Conv {
            conv: format!("block{place}.conv"),
            norm: format!("block{place}.norm"),
            from: std::mem::replace(&mut from, block.channels),
            to: block.channels,
            kernel: block.kernel,
            stride: 1,
            padding: block.padding,
            bias: true,
        };
        Layers { convs: self.blocks.iter().enumerate().map(conv).collect(), norm: self.norm }
    }

    /// Declares the weights in order.
    ///
    /// # Errors
    /// The images are too small.
    #[track_caller]
    pub fn weights(&self, input: Input, weights: &mut Weights<'_>) -> Result<()> {
        let init = |conv: &Conv| Init::fan_in(conv.from * conv.kernel * conv.kernel);
        self.layers(input.channels).declare(weights, init, (self.features(input)?, input.classes))
    }

    /// Runs a batch.
    ///
    /// # Errors
    /// The weights are not those of [`weights`](Self::weights), or what the host refuses.
    #[track_caller]
    pub fn forward<'call>(&self, batch: &Batch<'call>) -> Result<Output<'call>> {
        let layers = self.layers(batch.channels()?);
        let (mut pass, mut x, mut maps) = (layers.pass(batch)?, batch.images.clone(), Vec::new());
        for (place, block) in self.blocks.iter().enumerate() {
            let activated = self.activation.apply(&pass.next(&x)?)?;
            x = block.pooling.apply(&activated)?;
            maps.push((format!("block{place}"), activated));
        }
        maps.push(("pooled".to_owned(), x.clone()));
        pass.finish(x.flatten_rows()?, maps)
    }
}

/// A model that is a [`Stack`].
pub trait StackModel: DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// As [`Model::ID`].
    const ID: &'static str;
    /// As [`Model::SUMMARY`].
    const SUMMARY: &'static str;
    /// As [`Model::REVISION`].
    const REVISION: u32 = 0;

    /// The stack for images of so many channels.
    fn stack(&self, channels: usize) -> Stack;
}

impl<T: StackModel> Model for T {
    const ID: &'static str = <T as StackModel>::ID;
    const SUMMARY: &'static str = <T as StackModel>::SUMMARY;
    const REVISION: u32 = <T as StackModel>::REVISION;

    fn weights(&self, input: Input, weights: &mut Weights<'_>) -> Result<()> {
        self.stack(input.channels).weights(input, weights)
    }

    fn forward<'call>(&self, batch: &Batch<'call>) -> Result<Output<'call>> {
        self.stack(batch.channels()?).forward(batch)
    }
}
