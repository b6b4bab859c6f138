//! A chain of convolution blocks with a linear layer at its end, as plain nets are.

use crate::error::{Error, Result};
use crate::model::{Batch, Init, Input, Output, Weights};
use crate::norm::Norm;

/// One block: convolution (stride 1, with bias), normalisation, ReLU, and perhaps a max pooling 2x2 with stride 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Channels of its result.
    pub channels: usize,
    /// Side of its kernels.
    pub kernel: usize,
    /// Zeros around its input.
    pub padding: usize,
    /// Whether it ends with a pooling.
    pub pooled: bool,
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
/// Intermediate maps: `block{d}` after each ReLU, then `pooled`, the last one after its pooling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stack {
    /// From the image on.
    pub blocks: Vec<Block>,
    /// Of every block.
    pub norm: Norm,
}

/// The framework's default: uniform in +-1/sqrt(fan_in).
fn uniform(fan_in: usize) -> Init {
    Init::Uniform(1.0 / (fan_in as f64).sqrt())
}

impl Stack {
    /// Number of features for images of this size.
    fn features(&self, input: Input) -> Result<usize> {
        let side = |start: usize| {
            self.blocks.iter().try_fold(start, |side, block| {
                let side = (side + 2 * block.padding + 1).checked_sub(block.kernel)?;
                let side = if block.pooled { side / 2 } else { side };
                (side > 0).then_some(side)
            })
        };
        let channels = self.blocks.last().map_or(input.channels, |block| block.channels);
        match (side(input.height), side(input.width)) {
            (Some(height), Some(width)) => Ok(channels * height * width),
            _ => Err(Error::shape(format!(
                "images of {}x{} are too small for the {} poolings of this network",
                input.height,
                input.width,
                self.blocks.iter().filter(|block| block.pooled).count()
            ))),
        }
    }

    /// Declares the weights in order.
    ///
    /// # Errors
    /// The images are too small.
    pub fn weights(&self, input: Input, weights: &mut Weights<'_>) -> Result<()> {
        let features = self.features(input)?;
        let mut from = input.channels;
        for (place, block) in self.blocks.iter().enumerate() {
            let (to, kernel) = (block.channels, block.kernel);
            let init = uniform(from * kernel * kernel);
            weights.learnable(&format!("block{place}.conv.weight"), &[to, from, kernel, kernel], init)?;
            weights.learnable(&format!("block{place}.conv.bias"), &[to], init)?;
            self.norm.declare(weights, &format!("block{place}.norm"), to)?;
            from = to;
        }
        weights.learnable("linear.weight", &[input.classes, features], uniform(features))?;
        weights.learnable("linear.bias", &[input.classes], uniform(features))?;
        let mut places = self.blocks.iter().enumerate();
        places.try_for_each(|(place, block)| {
            self.norm.declare_statistics(weights, &format!("block{place}.norm"), block.channels)
        })
    }

    /// Runs a batch.
    ///
    /// # Errors
    /// The weights are not those of [`weights`](Self::weights), or what the host refuses.
    pub fn forward<'call>(&self, batch: &Batch<'call>) -> Result<Output<'call>> {
        let (count, running, all) = (self.blocks.len(), self.norm.statistics(), &batch.weights);
        let stride = 2 + self.norm.weights();
        let wanted = count * (stride + running) + 2;
        if all.len() != wanted {
            return Err(Error::shape(format!("{} weights were given, but this network has {wanted}", all.len())));
        }
        let (mut x, mut maps, mut statistics) = (batch.images.clone(), Vec::new(), Vec::new());
        for (place, block) in self.blocks.iter().enumerate() {
            let own = &all[place * stride..(place + 1) * stride];
            let at = count * stride + 2 + place * running;
            let convolved = x.conv2d(&own[0], Some(&own[1]), 1, block.padding)?;
            let (y, new) = self.norm.apply(&convolved, &own[2..], &all[at..at + running], batch.mode)?;
            statistics.extend(new);
            let activated = y.relu()?;
            x = if block.pooled { activated.max_pool2d(2, 2)? } else { activated.clone() };
            maps.push((format!("block{place}"), activated));
        }
        maps.push(("pooled".to_owned(), x.clone()));
        let features = x.flatten_rows()?;
        let logits = features.affine(&all[count * stride], Some(&all[count * stride + 1]))?;
        Ok(Output { logits, features, maps, statistics })
    }
}
