//! ConvNet-D, the standard network of dataset distillation, as a plugin.
//!
//! `depth` blocks of convolution 3x3 (stride 1, padding 1, with bias), normalisation, activation, pooling 2x2 with stride 2; then a
//! linear layer on the flattened last map. **The first block pads by 3 when the images have one channel**, which makes 28x28
//! into 32x32 as in the official code (Zhao et al., "Dataset Condensation with Gradient Matching", ICLR 2021, released code).
//! Weights, and the maps for methods that match them (CAFE), are those of `pddflow_sdk::Stack`.

use pddflow_sdk::{Activation, Block, Norm, Pooling, Stack, StackModel};

pddflow_sdk::parameters! {
    /// Parameters of ConvNet-D.
    struct ConvNet {
        /// Channels of every block.
        #[schemars(range(min = 1, max = 4096))]
        width: usize = 128,
        /// Blocks (D): 3 for 28 and 32 pixels, 4 for 64, 5 for 128.
        #[schemars(range(min = 1, max = 16))]
        depth: usize = 3,
        /// Normalisation.
        norm: Norm = Norm::Instance,
        /// Activation.
        activation: Activation = Activation::Relu,
        /// Pooling at the end of a block.
        pooling: Pooling = Pooling::Average,
    }
}

impl StackModel for ConvNet {
    const ID: &'static str = "convnet";
    const SUMMARY: &'static str = "ConvNet-D, the standard network of dataset distillation";
    const REVISION: u32 = 1;

    fn stack(&self, channels: usize) -> Stack {
        let block = |place| Block {
            channels: self.width,
            kernel: 3,
            padding: if place == 0 && channels == 1 { 3 } else { 1 },
            pooling: self.pooling,
        };
        Stack { blocks: (0..self.depth).map(block).collect(), norm: self.norm, activation: self.activation }
    }
}

pddflow_sdk::plugin!(model ConvNet);
