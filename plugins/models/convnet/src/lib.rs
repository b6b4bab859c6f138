//! ConvNet-D, the standard network of dataset distillation, as a plugin.
//!
//! `depth` blocks of convolution 3x3 (stride 1, padding 1, with bias), normalisation, activation, pooling 2x2 with stride 2; then a
//! linear layer on the flattened last map. **The first block pads by 3 when the images have one channel**, which makes 28x28
//! into 32x32 as in the official code (Zhao et al., "Dataset Condensation with Gradient Matching", ICLR 2021, released code).
//!
//! | weights, in order | shape |
//! |---|---|
//! | `block{d}.conv.weight`, `block{d}.conv.bias` | `[width, in, 3, 3]`, `[width]` |
//! | `block{d}.norm.weight`, `block{d}.norm.bias` (not for `none`) | `[width]` |
//! | `linear.weight`, `linear.bias` | `[classes, feature]`, `[classes]` |
//! | for `batch`, after those: `block{d}.norm.running_mean`, `block{d}.norm.running_var` | `[width]`, statistics |
//!
//! Intermediate maps, for methods that match them (CAFE): `block{d}` after each activation, then `pooled`, the last one after its
//! pooling. The features are `pooled`, flattened in channel, row, column order.

use pddflow_sdk::{Batch, Error, Init, Input, Model, Norm, Output, Result, Tensor, Weights};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Side of the kernels.
const KERNEL: usize = 3;
/// Slope of the leaky activation below 0.
const LEAK: f64 = 0.01;

/// Parameters of the network.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// Channels of every block.
    #[schemars(range(min = 1, max = 4096))]
    width: usize,
    /// Blocks: 3 for 28 and 32 pixels, 4 for 64, 5 for 128.
    #[schemars(range(min = 1, max = 16))]
    depth: usize,
    /// Normalisation.
    norm: Norm,
    /// Activation.
    activation: Activation,
    /// Pooling at the end of a block.
    pooling: Pooling,
}

impl Default for Config {
    fn default() -> Self {
        Self { width: 128, depth: 3, norm: Norm::Instance, activation: Activation::Relu, pooling: Pooling::Average }
    }
}

/// Activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Activation {
    /// max(x, 0).
    Relu,
    /// x, or 0.01 x below 0.
    Leaky,
    /// 1 / (1 + e^-x).
    Sigmoid,
}

/// Pooling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Pooling {
    /// Mean.
    Average,
    /// Largest.
    Max,
    /// None.
    None,
}

struct ConvNet(Config);

/// Padding of a block's convolution.
fn padding(block: usize, channels: usize) -> usize {
    if block == 0 && channels == 1 { 3 } else { 1 }
}

/// Bound of the framework's default initialiser: uniform in +-1/sqrt(fan_in), for weights and biases.
fn uniform(fan_in: usize) -> Init {
    Init::Uniform(1.0 / (fan_in as f64).sqrt())
}

impl ConvNet {
    /// Number of features for images of this size.
    fn features(&self, input: Input) -> Result<usize> {
        let (mut height, mut width) = (input.height, input.width);
        for block in 0..self.0.depth {
            let grow = 2 * padding(block, input.channels) + 1 - KERNEL;
            (height, width) = (height + grow, width + grow);
            if self.0.pooling != Pooling::None {
                (height, width) = (height / 2, width / 2);
            }
        }
        if height == 0 || width == 0 {
            let (rows, columns, depth) = (input.height, input.width, self.0.depth);
            return Err(Error::shape(format!(
                "images of {rows}x{columns} are too small for depth {depth}; lower `depth`"
            )));
        }
        Ok(self.0.width * height * width)
    }

    fn activate<'call>(&self, x: &Tensor<'call>) -> Result<Tensor<'call>> {
        match self.0.activation {
            Activation::Relu => x.relu(),
            Activation::Leaky => x.maximum(&(x * LEAK)?),
            Activation::Sigmoid => x.sigmoid(),
        }
    }

    fn pool<'call>(&self, x: &Tensor<'call>) -> Result<Tensor<'call>> {
        match self.0.pooling {
            Pooling::Average => x.avg_pool2d(2, 2),
            Pooling::Max => x.max_pool2d(2, 2),
            Pooling::None => Ok(x.clone()),
        }
    }
}

impl Model for ConvNet {
    const ID: &'static str = "convnet";
    const SUMMARY: &'static str = "ConvNet-D, the standard network of dataset distillation";
    const REVISION: u32 = 1;
    type Config = Config;

    fn create(config: Config) -> Result<Self> {
        Ok(Self(config))
    }

    fn weights(&self, input: Input, weights: &mut Weights<'_>) -> Result<()> {
        let features = self.features(input)?;
        let width = self.0.width;
        for block in 0..self.0.depth {
            let from = if block == 0 { input.channels } else { width };
            let init = uniform(from * KERNEL * KERNEL);
            weights.learnable(&format!("block{block}.conv.weight"), &[width, from, KERNEL, KERNEL], init)?;
            weights.learnable(&format!("block{block}.conv.bias"), &[width], init)?;
            self.0.norm.declare(weights, &format!("block{block}.norm"), width)?;
        }
        weights.learnable("linear.weight", &[input.classes, features], uniform(features))?;
        weights.learnable("linear.bias", &[input.classes], uniform(features))?;
        (0..self.0.depth)
            .try_for_each(|block| self.0.norm.declare_statistics(weights, &format!("block{block}.norm"), width))
    }

    fn forward<'call>(&self, batch: &Batch<'call>) -> Result<Output<'call>> {
        let depth = self.0.depth;
        let running = self.0.norm.statistics();
        let (stride, weights) = (2 + self.0.norm.weights(), &batch.weights);
        let wanted = depth * (stride + running) + 2;
        if weights.len() != wanted {
            return Err(Error::shape(format!("{} weights were given, but this network has {wanted}", weights.len())));
        }
        let channels = batch.images.shape()?.get(1).copied().unwrap_or(0);
        let (mut x, mut maps, mut statistics) = (batch.images.clone(), Vec::new(), Vec::new());
        for block in 0..depth {
            let own = &weights[block * stride..(block + 1) * stride];
            let at = depth * stride + 2 + block * running;
            let convolved = x.conv2d(&own[0], Some(&own[1]), 1, padding(block, channels))?;
            let (y, new) = self.0.norm.apply(&convolved, &own[2..], &weights[at..at + running], batch.mode)?;
            statistics.extend(new);
            let activated = self.activate(&y)?;
            x = self.pool(&activated)?;
            maps.push((format!("block{block}"), activated));
        }
        maps.push(("pooled".to_owned(), x.clone()));
        let features = x.flatten_rows()?;
        let logits = features.affine(&weights[depth * stride], Some(&weights[depth * stride + 1]))?;
        Ok(Output { logits, features, maps, statistics })
    }
}

pddflow_sdk::plugin!(model ConvNet);
