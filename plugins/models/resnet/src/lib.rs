//! ResNet-10 and ResNet-18 for small images as a plugin: the nets of the cross-architecture tables.
//!
//! Stem of convolution 3x3, normalisation, ReLU; four layers of 1 (depth 10) or 2 (depth 18) basic blocks with `width`, 2, 4 and 8
//! times `width` channels, the first block of layers 1, 2 and 3 with stride 2; mean over the map; linear layer (He et al., "Deep
//! Residual Learning for Image Recognition", CVPR 2016). A basic block: convolution 3x3, normalisation, ReLU, convolution 3x3,
//! normalisation, plus its input, then ReLU. Where stride or channels change, the input goes through a convolution 1x1 and a
//! normalisation. Convolutions have no bias; paddings keep the size but for the stride.
//!
//! Two published files differ, and both are here:
//!
//! | file | `width` | `init` |
//! |---|---|---|
//! | of DC, DSA, DM, MTT and PDD with MTT | 64 | `uniform` |
//! | of IDC and PDD with IDC: CIFAR | 32 | `normal` |
//! | of IDC: other small images | 64 | `normal` |
//!
//! The first file pools 4x4 at the end, which is the mean over the map for images of 28 and 32 pixels, and fits no other size.
//!
//! | weights, in order | shape |
//! |---|---|
//! | `stem.conv.weight`, `stem.norm.*` | `[width, in, 3, 3]`, `[width]` |
//! | `layer{l}.block{b}.conv1.weight`, `.norm1.*`, `.conv2.weight`, `.norm2.*`, `.shortcut.conv.weight`, `.shortcut.norm.*` (the last two where needed) | `[out, in, 3, 3]`, `[out]`, .., `[out, in, 1, 1]`, `[out]` |
//! | `linear.weight`, `linear.bias` | `[classes, 8 width]`, `[classes]` |
//! | for `batch`, after those: `running_mean`, `running_var` of each normalisation | `[out]`, statistics |
//!
//! Intermediate maps: `stem`, then `layer0` to `layer3`, each after its last ReLU. The features are the means of the last map.

use pddflow_sdk::{Batch, Conv, Error, Init, Input, Layers, Model, Norm, Output, Result, Weights};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Layers of blocks.
const LAYERS: usize = 4;

pddflow_sdk::parameters! {
    /// Parameters of ResNet.
    struct ResNet {
        /// Layers with weights: 10 or 18.
        #[schemars(extend("enum" = [10, 18]))]
        depth: usize = 18,
        /// Channels of the stem and of the first layer of blocks.
        #[schemars(range(min = 1, max = 1024))]
        width: usize = 64,
        /// Normalisation: the nets of MTT's papers use `instance`, those of IDC's `batch`.
        norm: Norm = Norm::Instance,
        /// How the convolutions start.
        init: Start = Start::Uniform,
    }
}

/// How the convolutions start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Start {
    /// Uniform in +-1/sqrt(fan in), the framework's default.
    Uniform,
    /// Normal with variance 2 / (kernel rows * kernel columns * out).
    Normal,
}

/// A basic block.
struct Block {
    layer: usize,
    /// Within its layer.
    number: usize,
    from: usize,
    to: usize,
    stride: usize,
}

impl Block {
    /// Whether the input is changed on its way around.
    fn has_shortcut(&self) -> bool {
        self.stride != 1 || self.from != self.to
    }
}

impl ResNet {
    /// Blocks in a layer.
    fn count(&self) -> usize {
        (self.depth - 2) / 8
    }

    fn blocks(&self) -> impl Iterator<Item = Block> {
        let block = |place: usize| {
            let (layer, number) = (place / self.count(), place % self.count());
            let to = self.width << layer;
            let first = number == 0 && layer > 0;
            Block { layer, number, from: if first { to / 2 } else { to }, to, stride: if first { 2 } else { 1 } }
        };
        (0..LAYERS * self.count()).map(block)
    }

    fn layers(&self, channels: usize) -> Layers {
        let conv = |conv: String, norm: String, (from, to): (usize, usize), kernel: usize, stride: usize| Conv {
            conv,
            norm,
            from,
            to,
            kernel,
            stride,
            padding: kernel / 2,
            bias: false,
        };
        let mut convs = vec![conv("stem.conv".to_owned(), "stem.norm".to_owned(), (channels, self.width), 3, 1)];
        for block in self.blocks() {
            let Block { layer, number, from, to, stride } = block;
            let name = |part: &str| format!("layer{layer}.block{number}.{part}");
            convs.push(conv(name("conv1"), name("norm1"), (from, to), 3, stride));
            convs.push(conv(name("conv2"), name("norm2"), (to, to), 3, 1));
            if block.has_shortcut() {
                convs.push(conv(name("shortcut.conv"), name("shortcut.norm"), (from, to), 1, stride));
            }
        }
        Layers { convs, norm: self.norm }
    }

    fn init(&self, conv: &Conv) -> Init {
        let area = conv.kernel * conv.kernel;
        match self.init {
            Start::Uniform => Init::fan_in(conv.from * area),
            Start::Normal => Init::Normal((2.0 / (conv.to * area) as f64).sqrt()),
        }
    }
}

impl Model for ResNet {
    const ID: &'static str = "resnet";
    const SUMMARY: &'static str = "ResNet-10 and ResNet-18 for small images";
    const REVISION: u32 = 1;

    fn check(&self) -> Result<()> {
        match self.depth {
            10 | 18 => Ok(()),
            depth => Err(Error::new(format!("`depth` is {depth}; it can be 10 or 18"))),
        }
    }

    fn weights(&self, input: Input, weights: &mut Weights<'_>) -> Result<()> {
        let features = self.width << (LAYERS - 1);
        self.layers(input.channels).declare(weights, |conv| self.init(conv), (features, input.classes))
    }

    fn forward<'call>(&self, batch: &Batch<'call>) -> Result<Output<'call>> {
        let layers = self.layers(batch.channels()?);
        let mut pass = layers.pass(batch)?;
        let mut x = pass.next(&batch.images)?.relu()?;
        let mut maps = vec![("stem".to_owned(), x.clone())];
        for block in self.blocks() {
            let inner = pass.next(&x)?.relu()?;
            let inner = pass.next(&inner)?;
            let around = if block.has_shortcut() { pass.next(&x)? } else { x };
            x = (&inner + &around)?.relu()?;
            if block.number + 1 == self.count() {
                maps.push((format!("layer{}", block.layer), x.clone()));
            }
        }
        let features = x.mean(&[2, 3], false)?;
        pass.finish(features, maps)
    }
}

pddflow_sdk::plugin!(model ResNet);
