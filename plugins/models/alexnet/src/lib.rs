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

use pddflow_sdk::{Activation, Block, Norm, Pooling, Stack, StackModel};

/// Channels of each convolution in halves of `width`, kernel side, and the pooling that follows.
const PLAN: [(usize, usize, Pooling); 5] = {
    use Pooling::{Max, None};
    [(2, 5, Max), (3, 5, Max), (4, 3, None), (3, 3, None), (3, 3, Max)]
};

pddflow_sdk::parameters! {
    /// Parameters of AlexNet.
    struct AlexNet {
        /// Channels of the first convolution; the others have 1.5, 2, 1.5 and 1.5 times as many, rounded down.
        #[schemars(range(min = 2, max = 2048))]
        width: usize = 128,
        /// Normalisation.
        norm: Norm = Norm::Instance,
    }
}

impl StackModel for AlexNet {
    const ID: &'static str = "alexnet";
    const SUMMARY: &'static str = "AlexNet for small images";
    const REVISION: u32 = 1;

    fn stack(&self, channels: usize) -> Stack {
        let block = |(place, (halves, kernel, pooling)): (usize, &(usize, usize, Pooling))| Block {
            channels: self.width * halves / 2,
            kernel: *kernel,
            padding: if place == 0 && channels == 1 { 4 } else { kernel / 2 },
            pooling: *pooling,
        };
        let blocks = PLAN.iter().enumerate().map(block).collect();
        Stack { blocks, norm: self.norm, activation: Activation::Relu }
    }
}

pddflow_sdk::plugin!(model AlexNet);
