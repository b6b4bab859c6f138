//! VGG11 for small images as a plugin: one of the nets of the cross-architecture tables (Simonyan and Zisserman, "Very Deep
//! Convolutional Networks for Large-Scale Image Recognition", ICLR 2015, without its hidden linear layers, as in the code of DC, DSA, DM
//! and MTT).
//!
//! Convolutions 3x3 with 1, 2, 4, 4, 8, 8, 8 and 8 times `width` channels, each with normalisation and ReLU; max pooling 2x2
//! after the first, second, fourth, sixth and eighth; a linear layer. **The first convolution pads by 3 when the images have one
//! channel**, which makes 28x28 into 32x32. The published file takes images of 28 and 32 pixels only; here the linear layer
//! follows the size, from 32 pixels on. Weights and maps are those of `pddflow_sdk::Stack`.

use pddflow_sdk::{Activation, Block, Norm, Pooling, Stack, StackModel};

/// Channels of each convolution in units of `width`, and the pooling that follows.
const PLAN: [(usize, Pooling); 8] = {
    use Pooling::{Max, None};
    [(1, Max), (2, Max), (4, None), (4, Max), (8, None), (8, Max), (8, None), (8, Max)]
};

pddflow_sdk::parameters! {
    /// Parameters of VGG11.
    struct Vgg {
        /// Channels of the first convolution; the others have 2, 4 and 8 times as many.
        #[schemars(range(min = 1, max = 1024))]
        width: usize = 64,
        /// Normalisation: the nets of MTT's papers use `instance`, those of IDC's `batch`.
        norm: Norm = Norm::Instance,
    }
}

impl StackModel for Vgg {
    const ID: &'static str = "vgg";
    const SUMMARY: &'static str = "VGG11 for small images";
    const REVISION: u32 = 1;

    fn stack(&self, channels: usize) -> Stack {
        let block = |(place, (times, pooling)): (usize, &(usize, Pooling))| Block {
            channels: times * self.width,
            kernel: 3,
            padding: if place == 0 && channels == 1 { 3 } else { 1 },
            pooling: *pooling,
        };
        let blocks = PLAN.iter().enumerate().map(block).collect();
        Stack { blocks, norm: self.norm, activation: Activation::Relu }
    }
}

pddflow_sdk::plugin!(model Vgg);
