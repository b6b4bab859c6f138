//! VGG11 for small images as a plugin: one of the nets of the cross-architecture tables (Simonyan and Zisserman, "Very Deep
//! Convolutional Networks for Large-Scale Image Recognition", ICLR 2015, without its hidden linear layers, as in the code of DC, DSA, DM
//! and MTT).
//!
//! Convolutions 3x3 with 1, 2, 4, 4, 8, 8, 8 and 8 times `width` channels, each with normalisation and ReLU; max pooling 2x2
//! after the first, second, fourth, sixth and eighth; a linear layer. **The first convolution pads by 3 when the images have one
//! channel**, which makes 28x28 into 32x32. The published file takes images of 28 and 32 pixels only; here the linear layer
//! follows the size, from 32 pixels on. Weights and maps are those of `pddflow_sdk::Stack`.

use pddflow_sdk::{Batch, Block, Input, Model, Norm, Output, Result, Stack, Weights};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Channels of each convolution in units of `width`, and whether a pooling follows.
const PLAN: [(usize, bool); 8] =
    [(1, true), (2, true), (4, false), (4, true), (8, false), (8, true), (8, false), (8, true)];

/// Parameters of the network.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// Channels of the first convolution; the others have 2, 4 and 8 times as many.
    #[schemars(range(min = 1, max = 1024))]
    width: usize,
    /// Normalisation: the nets of MTT's papers use `instance`, those of IDC's `batch`.
    norm: Norm,
}

impl Default for Config {
    fn default() -> Self {
        Self { width: 64, norm: Norm::Instance }
    }
}

struct Vgg(Config);

impl Vgg {
    fn stack(&self, channels: usize) -> Stack {
        let block = |(place, (times, pooled)): (usize, &(usize, bool))| Block {
            channels: times * self.0.width,
            kernel: 3,
            padding: if place == 0 && channels == 1 { 3 } else { 1 },
            pooled: *pooled,
        };
        Stack { blocks: PLAN.iter().enumerate().map(block).collect(), norm: self.0.norm }
    }
}

impl Model for Vgg {
    const ID: &'static str = "vgg";
    const SUMMARY: &'static str = "VGG11 for small images";
    const REVISION: u32 = 1;
    type Config = Config;

    fn create(config: Config) -> Result<Self> {
        Ok(Self(config))
    }

    fn weights(&self, input: Input, weights: &mut Weights<'_>) -> Result<()> {
        self.stack(input.channels).weights(input, weights)
    }

    fn forward<'call>(&self, batch: &Batch<'call>) -> Result<Output<'call>> {
        let channels = batch.images.shape()?.get(1).copied().unwrap_or(0);
        self.stack(channels).forward(batch)
    }
}

pddflow_sdk::plugin!(model Vgg);
