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

use pddflow_sdk::{Batch, Input, Model, Output, Result, Weights};

pddflow_sdk::parameters! {
    /// Parameters of the multilayer perceptron.
    struct Mlp {
        /// Outputs of the hidden layers.
        #[schemars(range(min = 1, max = 65536))]
        width: usize = 128,
        /// Linear layers, the last one included.
        #[schemars(range(min = 1, max = 16))]
        depth: usize = 3,
    }
}

impl Model for Mlp {
    const ID: &'static str = "mlp";
    const SUMMARY: &'static str = "Multilayer perceptron";
    const REVISION: u32 = 1;

    fn weights(&self, input: Input, weights: &mut Weights<'_>) -> Result<()> {
        let mut from = input.channels * input.height * input.width;
        for place in 0..self.depth - 1 {
            weights.linear(&format!("layer{place}"), from, self.width)?;
            from = self.width;
        }
        weights.linear("linear", from, input.classes)
    }

    fn forward<'call>(&self, batch: &Batch<'call>) -> Result<Output<'call>> {
        let (hidden, last) = batch.weights(2 * self.depth)?.split_at(2 * (self.depth - 1));
        let (mut x, mut maps) = (batch.images.flatten_rows()?, Vec::new());
        for (place, layer) in hidden.chunks(2).enumerate() {
            x = x.affine(&layer[0], Some(&layer[1]))?.relu()?;
            maps.push((format!("layer{place}"), x.clone()));
        }
        let logits = x.affine(&last[0], Some(&last[1]))?;
        Ok(Output { logits, features: x, maps, statistics: Vec::new(), moments: Vec::new() })
    }
}

pddflow_sdk::plugin!(model Mlp);
