//! The decoder: what its tensors must be, and how images are made.
//!
//! | tensor | shape | step |
//! |---|---|---|
//! | `classes` | `[class, latent]` | the row of an image's class is added to its latent |
//! | `dense.weight`, `dense.bias` | `[channels * h * w, latent]`, `[channels * h * w]` | the first map, `[channels, h, w]` |
//! | `conv0.weight`, `conv0.bias`, .. | `[out, in, k, k]` with k odd, `[out]` | rectified; enlarged to twice the size, but not in front of `conv0`; convolution |
//!
//! The last map is the image. `h` and `w` are its size halved, rounded up, once less than there are convolutions; without any the first map
//! is the image. Layer 0 receives latents, layer 1 the first map, layer k + 1 the map that `conv`k receives.

use pddflow_sdk::{Description, Error, Kind, Learnable, Learnables, Problem, Result, Start, Tensor, Tensors};

/// The name of a convolution's tensor.
fn conv(layer: usize, of: &str) -> String {
    format!("conv{layer}.{of}")
}

/// Rows and columns of the map in front of each of `count` convolutions.
fn sizes(problem: &Problem, count: usize) -> Vec<(usize, usize)> {
    let mut sizes = vec![(problem.height, problem.width)];
    for _ in 1..count {
        let (height, width) = sizes[sizes.len() - 1];
        sizes.push((height.div_ceil(2), width.div_ceil(2)));
    }
    sizes.reverse();
    sizes
}

/// A decoder that is wired, and fits the problem.
pub(crate) struct Decoder<'a, 'call> {
    tensors: &'a Tensors<'call>,
    /// Convolutions.
    pub(crate) convs: usize,
    /// Values of a latent.
    pub(crate) latent: usize,
    /// Channels, rows and columns of the first map.
    first: [usize; 3],
}

impl<'a, 'call> Decoder<'a, 'call> {
    /// Checks every tensor.
    pub(crate) fn new(tensors: &'a Tensors<'call>, problem: &Problem) -> Result<Self> {
        let wrong = |message: String| Err(Error::config(message));
        let axes = |name: &str, rank: usize| -> Result<Vec<usize>> {
            let axes = tensors.get(name)?.shape()?;
            match axes.len() == rank {
                true => Ok(axes),
                false => {
                    Err(Error::config(format!("the generator's `{name}` has shape {axes:?}, and needs {rank} axes")))
                }
            }
        };
        let (classes, dense) = (axes("classes", 2)?, axes("dense.weight", 2)?);
        if classes[0] != problem.classes {
            let (theirs, ours) = (classes[0], problem.classes);
            return wrong(format!("the generator makes images of {theirs} classes, and the data have {ours}"));
        }
        if dense[1] != classes[1] || axes("dense.bias", 1)?[0] != dense[0] {
            return wrong(format!(
                "the generator's `dense` {dense:?} does not fit its latents of {} values",
                classes[1]
            ));
        }
        let convs = (0..).take_while(|layer| tensors.find(&conv(*layer, "weight")).is_some()).count();
        let (mut channels, mut first) = (problem.channels, problem.channels);
        for layer in 0..convs {
            let name = conv(layer, "weight");
            let kernel = axes(&name, 4)?;
            let fits = (layer == 0 || kernel[1] == channels) && kernel[2] == kernel[3] && kernel[2] % 2 == 1;
            if !fits || axes(&conv(layer, "bias"), 1)?[0] != kernel[0] {
                return wrong(format!(
                    "the generator's `{name}` {kernel:?} does not fit what comes before it, or its bias"
                ));
            }
            if layer == 0 {
                first = kernel[1];
            }
            channels = kernel[0];
        }
        let (height, width) = sizes(problem, convs)[0];
        if channels != problem.channels || dense[0] != first * height * width {
            let image = [problem.channels, problem.height, problem.width];
            return wrong(format!("the generator does not make images of {image:?} (channels, rows, columns)"));
        }
        Ok(Self { tensors, convs, latent: classes[1], first: [first, height, width] })
    }

    /// Declares what the layers from this one on need as constants of the set.
    pub(crate) fn keep(&self, layer: usize, description: &mut Description<'call>) -> Result<()> {
        let mut names = Vec::new();
        if layer == 0 {
            names.extend(["classes", "dense.weight", "dense.bias"].map(str::to_owned));
        }
        for number in layer.saturating_sub(1)..self.convs {
            names.extend([conv(number, "weight"), conv(number, "bias")]);
        }
        names.iter().try_for_each(|name| {
            let tensor = self.tensors.get(name)?;
            let constant = Learnable::new(Kind::Other, name, &tensor.shape()?, Start::Given, 0.0);
            description.learnable_from(&constant, tensor)
        })
    }

    /// What a layer receives where these latents are those of images of these classes, I64 `[row]`.
    pub(crate) fn received(
        &self,
        layer: usize,
        latents: &Tensor<'call>,
        labels: &Tensor<'call>,
        problem: &Problem,
    ) -> Result<Tensor<'call>> {
        let find = |name: &str| self.tensors.get(name).cloned();
        let steps = Steps { find: &find, convs: self.convs, sizes: sizes(problem, self.convs) };
        steps.between((0, layer), latents, labels, self.first[0])
    }
}

/// The images of what a layer receives, by the constants of a set.
pub(crate) fn images<'call>(
    learnables: &Learnables<'call>,
    layer: usize,
    received: &Tensor<'call>,
    labels: &Tensor<'call>,
    problem: &Problem,
) -> Result<Tensor<'call>> {
    let find = |name: &str| learnables.get(name).cloned();
    let before = layer.saturating_sub(1);
    let convs = before + (before..).take_while(|number| find(&conv(*number, "weight")).is_ok()).count();
    let first = match layer {
        0 if convs > 0 => find(&conv(0, "weight"))?.shape()?[1],
        _ => problem.channels,
    };
    let steps = Steps { find: &find, convs, sizes: sizes(problem, convs) };
    steps.between((layer, convs + 1), received, labels, first)
}

/// The layers of a decoder, wherever its tensors are.
struct Steps<'a, 'call> {
    find: &'a dyn Fn(&str) -> Result<Tensor<'call>>,
    convs: usize,
    sizes: Vec<(usize, usize)>,
}

impl<'call> Steps<'_, 'call> {
    /// From what one layer receives to what another one does; behind the last is the image.
    fn between(
        &self,
        (from, to): (usize, usize),
        received: &Tensor<'call>,
        labels: &Tensor<'call>,
        first: usize,
    ) -> Result<Tensor<'call>> {
        let (find, mut x) = (self.find, received.clone());
        for layer in from..to.min(self.convs + 1) {
            x = if layer == 0 {
                let (rows, (height, width)) = (x.shape()?[0], self.sizes[0]);
                let with_class = (&x + &find("classes")?.gather(0, labels)?)?;
                let map = with_class.affine(&find("dense.weight")?, Some(&find("dense.bias")?))?;
                map.reshape(&[rows, first, height, width])?
            } else {
                let (number, (height, width)) = (layer - 1, self.sizes[layer - 1]);
                let weight = find(&conv(number, "weight"))?;
                let mut map = x.relu()?;
                if number > 0 {
                    map = map.resize(height, width)?;
                }
                map.conv2d(&weight, Some(&find(&conv(number, "bias"))?), 1, weight.shape()?[2] / 2)?
            };
        }
        Ok(x)
    }
}
