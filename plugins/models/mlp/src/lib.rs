//! A multilayer perceptron as a plugin: the smallest net of the cross-architecture tables of DC, DSA and DM.
//!
//! The image, flattened in channel, row, column order; linear layers with `width` outputs and ReLU; a last linear layer without. The
//! published net has three layers of width 128. Weights and biases start uniform in `+-1/sqrt(fan_in)`.
//!
//! | weights, in order | shape |
//! |---|---|
//! | `layer{d}.weight`, `layer{d}.bias` | `[width, in]`, `[width]` |
//! | `linear.weight`, `linear.bias` | `[classes, width]`, `[classes]` |
//!
//! Intermediate maps: `layer{d}` after each ReLU; the last is also the features.

use pddflow_sdk::{Batch, Error, Init, Input, Model, Output, Result, Weights};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters of the network.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// Outputs of the hidden layers.
    #[schemars(range(min = 1, max = 65536))]
    width: usize,
    /// Linear layers, the last one included.
    #[schemars(range(min = 1, max = 16))]
    depth: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { width: 128, depth: 3 }
    }
}

struct Mlp(Config);

impl Model for Mlp {
    const ID: &'static str = "mlp";
    const SUMMARY: &'static str = "Multilayer perceptron";
    const REVISION: u32 = 1;
    type Config = Config;

    fn create(config: Config) -> Result<Self> {
        Ok(Self(config))
    }

    fn weights(&self, input: Input, weights: &mut Weights<'_>) -> Result<()> {
        let mut from = input.channels * input.height * input.width;
        let mut layer = |name: &str, to: usize| {
            let init = Init::Uniform(1.0 / (from as f64).sqrt());
            weights.learnable(&format!("{name}.weight"), &[to, from], init)?;
            from = to;
            weights.learnable(&format!("{name}.bias"), &[to], init)
        };
        (0..self.0.depth - 1).try_for_each(|place| layer(&format!("layer{place}"), self.0.width))?;
        layer("linear", input.classes)
    }

    fn forward<'call>(&self, batch: &Batch<'call>) -> Result<Output<'call>> {
        let (wanted, given) = (2 * self.0.depth, batch.weights.len());
        if given != wanted {
            return Err(Error::shape(format!("{given} weights were given, but this network has {wanted}")));
        }
        let (mut x, mut maps) = (batch.images.flatten_rows()?, Vec::new());
        let (hidden, last) = batch.weights.split_at(wanted - 2);
        for (place, layer) in hidden.chunks(2).enumerate() {
            x = x.affine(&layer[0], Some(&layer[1]))?.relu()?;
            maps.push((format!("layer{place}"), x.clone()));
        }
        let logits = x.affine(&last[0], Some(&last[1]))?;
        Ok(Output { logits, features: x, maps, statistics: Vec::new() })
    }
}

pddflow_sdk::plugin!(model Mlp);
