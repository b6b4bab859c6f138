//! AlexNet for small images as a plugin: one of the nets of the cross-architecture tables (Krizhevsky, Sutskever and Hinton, "ImageNet
//! Classification with Deep Convolutional Neural Networks", NeurIPS 2012, cut down as in the code of DC, DSA, DM and MTT).
//!
//! | convolution | channels at `width` 128 | kernel | pooling after it |
//! |---|---|---|---|
//! | 0 | 128 | 5 | max 2x2 |
//! | 1 | 192 | 5 | max 2x2 |
//! | 2 | 256 | 3 | |
//! | 3 | 192 | 3 | |
//! | 4 | 192 | 3 | max 2x2 |
//!
//! each with normalisation and ReLU and with paddings that keep the size, then a linear layer. **The first convolution pads by 4 when the
//! images have one channel**, which makes 28x28 into 32x32. The published file takes images of 28 and 32 pixels only and does not
//! normalise (`norm: none`); the tables of the papers name instance normalisation. Weights and maps are those of `pddflow_sdk::Stack`.

use pddflow_sdk::{Batch, Block, Input, Model, Norm, Output, Result, Stack, Weights};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Channels of each convolution in halves of `width`, kernel side, and whether a pooling follows.
const PLAN: [(usize, usize, bool); 5] = [(2, 5, true), (3, 5, true), (4, 3, false), (3, 3, false), (3, 3, true)];

/// Parameters of the network.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// Channels of the first convolution; the others have 1.5, 2, 1.5 and 1.5 times as many, rounded down.
    #[schemars(range(min = 2, max = 2048))]
    width: usize,
    /// Normalisation.
    norm: Norm,
}

impl Default for Config {
    fn default() -> Self {
        Self { width: 128, norm: Norm::Instance }
    }
}

struct AlexNet(Config);

impl AlexNet {
    fn stack(&self, channels: usize) -> Stack {
        let block = |(place, (halves, kernel, pooled)): (usize, &(usize, usize, bool))| Block {
            channels: self.0.width * halves / 2,
            kernel: *kernel,
            padding: if place == 0 && channels == 1 { 4 } else { kernel / 2 },
            pooled: *pooled,
        };
        Stack { blocks: PLAN.iter().enumerate().map(block).collect(), norm: self.0.norm }
    }
}

impl Model for AlexNet {
    const ID: &'static str = "alexnet";
    const SUMMARY: &'static str = "AlexNet for small images";
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

pddflow_sdk::plugin!(model AlexNet);
