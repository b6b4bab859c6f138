//! AlexCifarNet as a plugin, as the release of Dataset Distillation has it: two convolutions 5x5 with 64 channels, max pooling 3x3 with stride 2
//! and normalisation across channels, and three linear layers.
//!
//! | weights, in order | shape |
//! |---|---|
//! | `conv1.weight`, `conv1.bias` | `[64, channels, 5, 5]`, `[64]` |
//! | `conv2.weight`, `conv2.bias` | `[64, 64, 5, 5]`, `[64]` |
//! | `fc1.weight`, `fc1.bias` | `[384, feature]`, `[384]`; 4096 features of images of 32x32 |
//! | `fc2.weight`, `fc2.bias` | `[192, 384]`, `[192]` |
//! | `fc3.weight`, `fc3.bias` | `[classes, 192]`, `[classes]` |
//!
//! Weights start normal with Xavier's variance, 2 over inputs plus outputs, biases at 0. Features are those before the last layer;
//! intermediate maps `conv1` and `conv2` are behind their ReLU.

use pddflow_sdk::{Batch, Init, Input, Model, Output, Result, Tensor, Weights, total};

/// Side of the kernels.
const KERNEL: usize = 5;
/// Channels of both convolutions.
const CHANNELS: usize = 64;
/// Widths of the hidden linear layers.
const HIDDEN: [usize; 2] = [384, 192];
/// Of the normalisation across channels: how many, factor of their mean square, power.
const ACROSS: (usize, f64, f64) = (4, 0.001 / 9.0, 0.75);

pddflow_sdk::parameters! {
    /// Parameters of AlexCifarNet: none.
    struct AlexCifarNet {}
}

/// x / (1 + alpha m)^beta, m being the mean of squares over four channels: two before, the own one and one behind, zeros outside.
fn across_channels<'call>(x: &Tensor<'call>) -> Result<Tensor<'call>> {
    let (count, alpha, beta) = ACROSS;
    let around = x.square()?.pad(&[(0, 0), (count / 2, (count - 1) / 2), (0, 0), (0, 0)])?;
    let sum = total((0..count).map(|shift| around.slice(1, shift, shift + CHANNELS, 1)))?;
    x * &(&(&sum * (alpha / count as f64))? + 1.0)?.powf(-beta)?
}

/// Max pooling 3x3 with stride 2 and padding 1 of numbers that are not below 0, so that zeros around change nothing.
fn pooled<'call>(x: &Tensor<'call>) -> Result<Tensor<'call>> {
    x.pad(&[(0, 0), (0, 0), (1, 1), (1, 1)])?.max_pool2d(3, 2)
}

impl Model for AlexCifarNet {
    const ID: &'static str = "alexcifarnet";
    const SUMMARY: &'static str = "AlexCifarNet, of the release of Dataset Distillation";
    const REVISION: u32 = 1;

    fn weights(&self, input: Input, weights: &mut Weights<'_>) -> Result<()> {
        // A pooling gives half of a side, rounded up.
        let side = |image: usize| image.div_ceil(2).div_ceil(2);
        for (name, from) in [("conv1", input.channels), ("conv2", CHANNELS)] {
            let xavier = Init::Normal((2.0 / ((from + CHANNELS) * KERNEL * KERNEL) as f64).sqrt());
            weights.learnable(&format!("{name}.weight"), &[CHANNELS, from, KERNEL, KERNEL], xavier)?;
            weights.learnable(&format!("{name}.bias"), &[CHANNELS], Init::Constant(0.0))?;
        }
        let (features, [first, second]) = (CHANNELS * side(input.height) * side(input.width), HIDDEN);
        for (name, to, from) in [("fc1", first, features), ("fc2", second, first), ("fc3", input.classes, second)] {
            let xavier = Init::Normal((2.0 / (from + to) as f64).sqrt());
            weights.learnable(&format!("{name}.weight"), &[to, from], xavier)?;
            weights.learnable(&format!("{name}.bias"), &[to], Init::Constant(0.0))?;
        }
        Ok(())
    }

    fn forward<'call>(&self, batch: &Batch<'call>) -> Result<Output<'call>> {
        let w = batch.weights(10)?;
        let conv = |x: &Tensor<'call>, at: usize| x.conv2d(&w[at], Some(&w[at + 1]), 1, KERNEL / 2)?.relu();
        let first = conv(&batch.images, 0)?;
        let second = conv(&across_channels(&pooled(&first)?)?, 2)?;
        let flat = pooled(&across_channels(&second)?)?.flatten_rows()?;
        let hidden = flat.affine(&w[4], Some(&w[5]))?.relu()?;
        let features = hidden.affine(&w[6], Some(&w[7]))?.relu()?;
        let logits = features.affine(&w[8], Some(&w[9]))?;
        let maps = vec![("conv1".to_owned(), first), ("conv2".to_owned(), second)];
        Ok(Output { logits, features, maps, statistics: Vec::new(), moments: Vec::new() })
    }
}

pddflow_sdk::plugin!(model AlexCifarNet);
