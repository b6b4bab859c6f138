//! LeNet as a plugin, as the release of Dataset Distillation has it: two convolutions 5x5 with ReLU and max pooling 2x2, and three linear
//! layers.
//!
//! | weights, in order | shape |
//! |---|---|
//! | `conv1.weight`, `conv1.bias` | `[6, channels, 5, 5]`, `[6]` |
//! | `conv2.weight`, `conv2.bias` | `[16, 6, 5, 5]`, `[16]` |
//! | `fc1.weight`, `fc1.bias` | `[120, feature]`, `[120]`; 400 features of images of 28x28 and of 32x32 |
//! | `fc2.weight`, `fc2.bias` | `[84, 120]`, `[84]` |
//! | `fc3.weight`, `fc3.bias` | `[classes, 84]`, `[classes]` |
//!
//! Images of up to 28 pixels are padded by 2. Weights start normal with Xavier's variance, 2 over inputs plus outputs, biases at 0.
//! Features are those before the last layer; intermediate maps `conv1` and `conv2` are behind their ReLU.

use pddflow_sdk::{Batch, Error, Init, Input, Model, Output, Result, Tensor, Weights};

/// Side of the kernels.
const KERNEL: usize = 5;
/// Channels of the two convolutions, and widths of the hidden linear layers.
const SIZES: [usize; 4] = [6, 16, 120, 84];

pddflow_sdk::parameters! {
    /// Parameters of LeNet: none.
    struct LeNet {}
}

fn padding(height: usize) -> usize {
    if height <= 28 { 2 } else { 0 }
}

/// Side of the last map of images of this side; `None` if they are too small.
fn side(image: usize, padding: usize) -> Option<usize> {
    let first = (image + 2 * padding + 1).checked_sub(KERNEL)? / 2;
    let second = (first + 1).checked_sub(KERNEL)? / 2;
    (second > 0).then_some(second)
}

impl Model for LeNet {
    const ID: &'static str = "lenet";
    const SUMMARY: &'static str = "LeNet, of the release of Dataset Distillation";
    const REVISION: u32 = 1;

    fn weights(&self, input: Input, weights: &mut Weights<'_>) -> Result<()> {
        let pad = padding(input.height);
        let (Some(height), Some(width)) = (side(input.height, pad), side(input.width, pad)) else {
            let message =
                format!("images of {}x{} are too small for LeNet: 12x12 is the least", input.height, input.width);
            return Err(Error::shape(message));
        };
        let [first, second, third, fourth] = SIZES;
        for (name, to, from) in [("conv1", first, input.channels), ("conv2", second, first)] {
            let area = KERNEL * KERNEL;
            let xavier = Init::Normal((2.0 / ((from + to) * area) as f64).sqrt());
            weights.learnable(&format!("{name}.weight"), &[to, from, KERNEL, KERNEL], xavier)?;
            weights.learnable(&format!("{name}.bias"), &[to], Init::Constant(0.0))?;
        }
        let layers = [("fc1", third, second * height * width), ("fc2", fourth, third), ("fc3", input.classes, fourth)];
        for (name, to, from) in layers {
            let xavier = Init::Normal((2.0 / (from + to) as f64).sqrt());
            weights.learnable(&format!("{name}.weight"), &[to, from], xavier)?;
            weights.learnable(&format!("{name}.bias"), &[to], Init::Constant(0.0))?;
        }
        Ok(())
    }

    fn forward<'call>(&self, batch: &Batch<'call>) -> Result<Output<'call>> {
        let w = batch.weights(10)?;
        let conv =
            |x: &Tensor<'call>, at: usize, padding: usize| x.conv2d(&w[at], Some(&w[at + 1]), 1, padding)?.relu();
        let height = batch.images.shape()?.get(2).copied().unwrap_or(0);
        let first = conv(&batch.images, 0, padding(height))?;
        let second = conv(&first.max_pool2d(2, 2)?, 2, 0)?;
        let flat = second.max_pool2d(2, 2)?.flatten_rows()?;
        let hidden = flat.affine(&w[4], Some(&w[5]))?.relu()?;
        let features = hidden.affine(&w[6], Some(&w[7]))?.relu()?;
        let logits = features.affine(&w[8], Some(&w[9]))?;
        let maps = vec![("conv1".to_owned(), first), ("conv2".to_owned(), second)];
        Ok(Output { logits, features, maps, statistics: Vec::new(), moments: Vec::new() })
    }
}

pddflow_sdk::plugin!(model LeNet);
