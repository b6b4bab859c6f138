//! The decoder and the map to its latents: weights and how they are applied.

use pddflow_host::{Init, InputShape, WeightRole, WeightSpec};
use pddflow_tensor::{Conv2d, Tensor, TensorError};

use super::params::GeneratorParams;

/// Sides are halved until none is longer than this.
const SMALLEST: usize = 8;
/// Side of a kernel.
const KERNEL: usize = 3;
/// Weights in front of the convolutions: `classes`, `dense.weight`, `dense.bias`.
const FRONT: usize = 3;

/// Sizes of a generator of some images.
pub(super) struct Decoder {
    shape: InputShape,
    classes: usize,
    latent: usize,
    width: usize,
    /// Rows and columns in front of each convolution.
    sizes: Vec<(usize, usize)>,
}

impl Decoder {
    pub(super) fn new(shape: InputShape, classes: usize, params: &GeneratorParams) -> Self {
        let mut sizes = vec![(shape.height, shape.width)];
        while let Some(&(height, width)) = sizes.last().filter(|(height, width)| *height.max(width) > SMALLEST) {
            sizes.push((height.div_ceil(2), width.div_ceil(2)));
        }
        sizes.reverse();
        Self { shape, classes, latent: params.latent, width: params.width, sizes }
    }

    /// The weights: those of the decoder, and then `encoder.weight` and `encoder.bias` of the map to the latents.
    pub(super) fn specs(&self) -> Vec<WeightSpec> {
        let Self { shape, classes, latent, width, sizes } = self;
        let (height, columns) = sizes[0];
        let planes = width * height * columns;
        let learnable = |name: String, shape: &[usize], variance: f64| WeightSpec {
            name,
            shape: shape.to_vec(),
            init: if variance > 0.0 { Init::Normal { std: variance.sqrt() } } else { Init::Constant(0.0) },
            role: WeightRole::Learnable,
        };
        let (latent_f, pixels) = (*latent as f64, shape.elements());
        let mut specs = vec![
            learnable("classes".to_owned(), &[*classes, *latent], 1.0 / latent_f),
            learnable("dense.weight".to_owned(), &[planes, *latent], 1.0),
            learnable("dense.bias".to_owned(), &[planes], 0.0),
        ];
        for layer in 0..sizes.len() {
            let out = if layer + 1 == sizes.len() { shape.channels } else { *width };
            let kernel = [out, *width, KERNEL, KERNEL];
            let variance = 2.0 / (width * KERNEL * KERNEL) as f64;
            specs.push(learnable(format!("conv{layer}.weight"), &kernel, variance));
            specs.push(learnable(format!("conv{layer}.bias"), &[out], 0.0));
        }
        specs.push(learnable("encoder.weight".to_owned(), &[*latent, pixels], 1.0 / (latent_f * pixels as f64)));
        specs.push(learnable("encoder.bias".to_owned(), &[*latent], 0.0));
        specs
    }

    /// How many of the weights are the decoder's.
    pub(super) fn kept(&self) -> usize {
        FRONT + 2 * self.sizes.len()
    }

    /// Latents of images: `[row, latent]`, in the unit ball.
    pub(super) fn latents(&self, weights: &[Tensor], images: &Tensor) -> Result<Tensor, TensorError> {
        let (weight, bias) = (&weights[self.kept()], &weights[self.kept() + 1]);
        let rows = images.shape()[0];
        let u = images.reshape(&[rows, self.shape.elements()])?.linear(weight, Some(bias))?;
        let length = u.norm2(&[1], true)?.clamp(1.0, f64::INFINITY)?;
        u.div(&length)
    }

    /// Images of latents and classes, I64 `[row]`.
    pub(super) fn images(&self, weights: &[Tensor], latents: &Tensor, classes: &Tensor) -> Result<Tensor, TensorError> {
        let (rows, (height, width)) = (latents.shape()[0], self.sizes[0]);
        let with_class = latents.add(&weights[0].gather(0, classes)?)?;
        let mut x = with_class.linear(&weights[1], Some(&weights[2]))?.reshape(&[rows, self.width, height, width])?;
        let conv = Conv2d { padding: [1, 1], ..Conv2d::default() };
        for (layer, &(height, width)) in self.sizes.iter().enumerate() {
            x = x.relu()?;
            if layer > 0 {
                x = x.bilinear_resize(height, width)?;
            }
            let place = FRONT + 2 * layer;
            x = x.conv2d(&weights[place], Some(&weights[place + 1]), conv)?;
        }
        Ok(x)
    }
}
