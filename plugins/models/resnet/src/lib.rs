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

use pddflow_sdk::{Batch, Error, Init, Input, Mode, Model, Norm, Output, Result, Tensor, Weights};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Layers of blocks.
const LAYERS: usize = 4;

/// Parameters of the network.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// Layers with weights: 10 or 18.
    #[schemars(extend("enum" = [10, 18]))]
    depth: usize,
    /// Channels of the stem and of the first layer of blocks.
    #[schemars(range(min = 1, max = 1024))]
    width: usize,
    /// Normalisation: the nets of MTT's papers use `instance`, those of IDC's `batch`.
    norm: Norm,
    /// How the convolutions start.
    init: Start,
}

impl Default for Config {
    fn default() -> Self {
        Self { depth: 18, width: 64, norm: Norm::Instance, init: Start::Uniform }
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

struct ResNet(Config);

/// A convolution with its normalisation.
struct Part {
    conv: String,
    norm: String,
    from: usize,
    to: usize,
    kernel: usize,
    stride: usize,
}

/// A basic block.
struct Block {
    name: String,
    from: usize,
    to: usize,
    stride: usize,
}

impl Block {
    /// Whether the input is changed on its way around.
    fn has_shortcut(&self) -> bool {
        self.stride != 1 || self.from != self.to
    }

    fn parts(&self) -> Vec<Part> {
        let Self { name, from, to, stride } = self;
        let part = |conv: &str, norm: &str, from: usize, kernel: usize, stride: usize| Part {
            conv: format!("{name}.{conv}.weight"),
            norm: format!("{name}.{norm}"),
            from,
            to: *to,
            kernel,
            stride,
        };
        let mut parts = vec![part("conv1", "norm1", *from, 3, *stride), part("conv2", "norm2", *to, 3, 1)];
        if self.has_shortcut() {
            parts.push(part("shortcut.conv", "shortcut.norm", *from, 1, *stride));
        }
        parts
    }
}

impl ResNet {
    /// The blocks of each layer.
    fn layers(&self) -> Vec<Vec<Block>> {
        let count = (self.0.depth - 2) / 8;
        let block = |layer: usize, number: usize| {
            let to = self.0.width << layer;
            let from = if number > 0 || layer == 0 { to } else { to / 2 };
            let stride = if number == 0 && layer > 0 { 2 } else { 1 };
            Block { name: format!("layer{layer}.block{number}"), from, to, stride }
        };
        (0..LAYERS).map(|layer| (0..count).map(|number| block(layer, number)).collect()).collect()
    }

    /// All convolutions, in the order of the weights.
    fn parts(&self, channels: usize) -> Vec<Part> {
        let stem = Part {
            conv: "stem.conv.weight".to_owned(),
            norm: "stem.norm".to_owned(),
            from: channels,
            to: self.0.width,
            kernel: 3,
            stride: 1,
        };
        let blocks = self.layers().into_iter().flatten();
        std::iter::once(stem).chain(blocks.flat_map(|block| block.parts())).collect()
    }

    fn init(&self, part: &Part) -> Init {
        let area = part.kernel * part.kernel;
        match self.0.init {
            Start::Uniform => Init::Uniform(1.0 / ((part.from * area) as f64).sqrt()),
            Start::Normal => Init::Normal((2.0 / (part.to * area) as f64).sqrt()),
        }
    }
}

/// Goes through the convolutions of a forward pass in the order of the weights.
struct Walk<'a, 'call> {
    parts: std::vec::IntoIter<Part>,
    weights: &'a [Tensor<'call>],
    running: &'a [Tensor<'call>],
    norm: Norm,
    mode: Mode,
    statistics: Vec<Tensor<'call>>,
}

impl<'a, 'call> Walk<'a, 'call> {
    /// The next convolution and its normalisation.
    fn next(&mut self, x: &Tensor<'call>) -> Result<Tensor<'call>> {
        let short = || Error::shape("there are fewer weights than this network has");
        let part = self.parts.next().ok_or_else(short)?;
        let [conv, affine @ ..] = take(&mut self.weights, 1 + self.norm.weights()).ok_or_else(short)? else {
            return Err(short());
        };
        let running = take(&mut self.running, self.norm.statistics()).ok_or_else(short)?;
        let convolved = x.conv2d(conv, None, part.stride, part.kernel / 2)?;
        let (y, new) = self.norm.apply(&convolved, affine, running, self.mode)?;
        self.statistics.extend(new);
        Ok(y)
    }

    fn block(&mut self, x: &Tensor<'call>, block: &Block) -> Result<Tensor<'call>> {
        let inner = self.next(x)?.relu()?;
        let inner = self.next(&inner)?;
        let around = if block.has_shortcut() { self.next(x)? } else { x.clone() };
        (&inner + &around)?.relu()
    }
}

fn take<'a, T>(from: &mut &'a [T], count: usize) -> Option<&'a [T]> {
    let (first, rest) = from.split_at_checked(count)?;
    *from = rest;
    Some(first)
}

impl Model for ResNet {
    const ID: &'static str = "resnet";
    const SUMMARY: &'static str = "ResNet-10 and ResNet-18 for small images";
    const REVISION: u32 = 1;
    type Config = Config;

    fn create(config: Config) -> Result<Self> {
        match config.depth {
            10 | 18 => Ok(Self(config)),
            depth => Err(Error::new(format!("`depth` is {depth}; it can be 10 or 18"))),
        }
    }

    fn weights(&self, input: Input, weights: &mut Weights<'_>) -> Result<()> {
        let parts = self.parts(input.channels);
        for part in &parts {
            weights.learnable(&part.conv, &[part.to, part.from, part.kernel, part.kernel], self.init(part))?;
            self.0.norm.declare(weights, &part.norm, part.to)?;
        }
        let features = self.0.width << (LAYERS - 1);
        let init = Init::Uniform(1.0 / (features as f64).sqrt());
        weights.learnable("linear.weight", &[input.classes, features], init)?;
        weights.learnable("linear.bias", &[input.classes], init)?;
        parts.iter().try_for_each(|part| self.0.norm.declare_statistics(weights, &part.norm, part.to))
    }

    fn forward<'call>(&self, batch: &Batch<'call>) -> Result<Output<'call>> {
        let parts = self.parts(batch.images.shape()?.get(1).copied().unwrap_or(0));
        let (count, norm) = (parts.len(), self.0.norm);
        let (moved, running) = (count * (1 + norm.weights()), count * norm.statistics());
        let given = batch.weights.len();
        if given != moved + 2 + running {
            let wanted = moved + 2 + running;
            return Err(Error::shape(format!("{given} weights were given, but this network has {wanted}")));
        }
        let mut walk = Walk {
            parts: parts.into_iter(),
            weights: &batch.weights[..moved],
            running: &batch.weights[moved + 2..],
            norm,
            mode: batch.mode,
            statistics: Vec::new(),
        };
        let mut x = walk.next(&batch.images)?.relu()?;
        let mut maps = vec![("stem".to_owned(), x.clone())];
        for (number, layer) in self.layers().iter().enumerate() {
            for block in layer {
                x = walk.block(&x, block)?;
            }
            maps.push((format!("layer{number}"), x.clone()));
        }
        let features = x.mean(&[2, 3], false)?;
        let logits = features.affine(&batch.weights[moved], Some(&batch.weights[moved + 1]))?;
        Ok(Output { logits, features, maps, statistics: walk.statistics })
    }
}

pddflow_sdk::plugin!(model ResNet);
