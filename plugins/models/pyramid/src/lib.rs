//! A ConvNet whose widths double from block to block as a plugin, as FRePo's release has it (Zhou, Nezhadarya and Ba, NeurIPS 2022).
//!
//! A block is a normalisation (not in the first block), a convolution 3x3 with bias, ReLU and average pooling 2x2; then one linear layer on the last
//! map, flattened in channel, row, column order. The first convolution pads by 3 where images have one channel, all others by 1.
//!
//! | weights, in order | shape |
//! |---|---|
//! | `block{d}.norm.weight`, `block{d}.norm.bias` (from block 1 on, not for `none`) | `[in]` |
//! | `block{d}.conv.weight`, `block{d}.conv.bias` | `[width 2^d, in, 3, 3]`, `[width 2^d]` |
//! | `linear.weight`, `linear.bias` | `[classes, feature]`, `[classes]` |
//! | for `batch`, after those: `block{d}.norm.running_mean`, `block{d}.norm.running_var` | `[in]`, statistics |
//!
//! Weights start normal with variance 1 over the inputs (LeCun's; the release cuts the tails off), biases at 0. Intermediate maps `block{d}` are behind
//! the ReLU. The release distils with `norm: batch` and evaluates with `norm: none`.

use pddflow_sdk::{Batch, Error, Init, Input, Model, Norm, Output, Result, Weights};

pddflow_sdk::parameters! {
    /// Parameters of the pyramid.
    struct Pyramid {
        /// Channels of the first block.
        #[schemars(range(min = 1, max = 1024))]
        width: usize = 128,
        /// Blocks.
        #[schemars(range(min = 1, max = 8))]
        depth: usize = 3,
        /// Normalisation before the convolutions of all blocks but the first.
        norm: Norm = Norm::None,
    }
}

fn padding(block: usize, channels: usize) -> usize {
    if block == 0 && channels == 1 { 3 } else { 1 }
}

impl Pyramid {
    fn channels(&self, block: usize, of_images: usize) -> [usize; 2] {
        let out = |block: usize| self.width << block;
        [if block == 0 { of_images } else { out(block - 1) }, out(block)]
    }

    fn is_normalised(&self, block: usize) -> bool {
        block > 0 && self.norm != Norm::None
    }
}

impl Model for Pyramid {
    const ID: &'static str = "pyramid";
    const SUMMARY: &'static str = "ConvNet with widths that double, of FRePo's release";
    const REVISION: u32 = 1;

    fn weights(&self, input: Input, weights: &mut Weights<'_>) -> Result<()> {
        let (mut height, mut width) = (input.height, input.width);
        for block in 0..self.depth {
            let [from, to] = self.channels(block, input.channels);
            if self.is_normalised(block) {
                self.norm.declare(weights, &format!("block{block}.norm"), from)?;
            }
            let normal = Init::Normal(1.0 / ((from * 9) as f64).sqrt());
            weights.learnable(&format!("block{block}.conv.weight"), &[to, from, 3, 3], normal)?;
            weights.learnable(&format!("block{block}.conv.bias"), &[to], Init::Constant(0.0))?;
            let pooled = |side: usize| (side + 2 * padding(block, input.channels) - 2) / 2;
            (height, width) = (pooled(height), pooled(width));
        }
        let features = self.channels(self.depth - 1, input.channels)[1] * height * width;
        if features == 0 {
            let message = format!(
                "images of {}x{} are too small for {} poolings; lower `depth`",
                input.height, input.width, self.depth
            );
            return Err(Error::shape(message));
        }
        weights.learnable("linear.weight", &[input.classes, features], Init::Normal(1.0 / (features as f64).sqrt()))?;
        weights.learnable("linear.bias", &[input.classes], Init::Constant(0.0))?;
        for block in (0..self.depth).filter(|block| self.is_normalised(*block)) {
            self.norm.declare_statistics(
                weights,
                &format!("block{block}.norm"),
                self.channels(block, input.channels)[0],
            )?;
        }
        Ok(())
    }

    fn forward<'call>(&self, batch: &Batch<'call>) -> Result<Output<'call>> {
        let channels = batch.channels()?;
        let normalised = (0..self.depth).filter(|block| self.is_normalised(*block)).count();
        let moved = 2 * self.depth + 2 + 2 * normalised;
        let all = batch.weights(moved + normalised * self.norm.statistics())?;
        let (mut own, mut running) = all.split_at(moved);
        let mut x = batch.images.clone();
        let (mut maps, mut statistics, mut moments) = (Vec::new(), Vec::new(), Vec::new());
        for block in 0..self.depth {
            if self.is_normalised(block) {
                let (affine, rest) = own.split_at(2);
                let (kept, other) = running.split_at(self.norm.statistics());
                (own, running) = (rest, other);
                let normalised = self.norm.apply(&x, affine, kept, batch.mode)?;
                statistics.extend(normalised.statistics);
                moments.extend(normalised.moments);
                x = normalised.y;
            }
            let (conv, rest) = own.split_at(2);
            own = rest;
            let activated = x.conv2d(&conv[0], Some(&conv[1]), 1, padding(block, channels))?.relu()?;
            x = activated.avg_pool2d(2, 2)?;
            maps.push((format!("block{block}"), activated));
        }
        let features = x.flatten_rows()?;
        let logits = features.affine(&own[0], Some(&own[1]))?;
        Ok(Output { logits, features, maps, statistics, moments })
    }
}

pddflow_sdk::plugin!(model Pyramid);
