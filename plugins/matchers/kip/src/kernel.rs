//! Kernels of infinitely wide fully connected nets with ReLU, in closed form (Cho and Saul, "Kernel Methods for Deep Learning", 2009;
//! Jacot, Gabriel and Hongler, "Neural Tangent Kernel", 2018).

use pddflow_sdk::{Result, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::f64::consts::FRAC_1_PI;

/// Variance of the weights times their number of inputs: `W_std = sqrt 2`.
const WEIGHTS: f64 = 2.0;
/// Variance of the biases: `b_std = 0.1`.
const BIASES: f64 = 0.01;
/// How near cosines come to -1 and 1, where the slope of the arc cosine is infinite.
const EDGE: f64 = 1e-7;

/// Which kernel of the net.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kernel {
    /// Neural tangent kernel: all layers are trained.
    Ntk,
    /// Of the net as a Gaussian process: only the last layer is trained.
    Nngp,
}

/// A kernel of a net with so many hidden layers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OfNet {
    pub(crate) kernel: Kernel,
    pub(crate) depth: usize,
}

impl OfNet {
    /// Of each image of `a` with each of `b`, both `[image, ..]`: `[image of a, image of b]`.
    pub(crate) fn between<'call>(self, a: &Tensor<'call>, b: &Tensor<'call>) -> Result<Tensor<'call>> {
        self.of([&a.flatten_rows()?, &b.flatten_rows()?], None)
    }

    /// Of images with each other; `identity` is the unit matrix of their number.
    pub(crate) fn within<'call>(self, images: &Tensor<'call>, identity: &Tensor<'call>) -> Result<Tensor<'call>> {
        let rows = images.flatten_rows()?;
        self.of([&rows, &rows], Some(identity))
    }

    /// With `S = 2 <x, x'> / d + 0.01` and, layer by layer, the angle `t` of two images, `cos t = S / sqrt(S(x, x) S(x', x'))`:
    /// `S := 2 K1 + 0.01` and `N := S + 2 N K0`, N starting as S, with `K1 = sqrt(S(x, x) S(x', x')) (sin t + (pi - t) cos t) / 2 pi`
    /// and `K0 = (pi - t) / 2 pi`. An image's own S grows by 0.01 in each layer, since its angle is 0.
    fn of<'call>(self, [a, b]: [&Tensor<'call>; 2], identity: Option<&Tensor<'call>>) -> Result<Tensor<'call>> {
        let inputs = a.shape()?[1] as f64;
        let first = |products: Tensor<'call>| &(&products * (WEIGHTS / inputs))? + BIASES;
        let own = |x: &Tensor<'call>| first(x.square()?.sum(&[1], true)?);
        let (mut of_a, mut of_b) = (own(a)?, own(b)?.permute(&[1, 0])?);
        let mut process = first(a.affine(b, None)?)?;
        let mut tangent = process.clone();
        for _ in 0..self.depth {
            let scale = (&of_a * &of_b)?.sqrt()?;
            let angle = angle(&(&process / &scale)?, identity)?;
            let beyond = (&angle.negated()? + std::f64::consts::PI)?;
            let arc = (&angle.sin()? + &(&beyond * &angle.cos()?)?)?;
            process = (&(&(&scale * &arc)? * FRAC_1_PI)? + BIASES)?;
            if self.kernel == Kernel::Ntk {
                tangent = (&process + &(&(&tangent * &beyond)? * FRAC_1_PI)?)?;
            }
            (of_a, of_b) = ((&of_a + BIASES)?, (&of_b + BIASES)?);
        }
        Ok(if self.kernel == Kernel::Ntk { tangent } else { process })
    }
}

/// Angles of cosines. Where the mask is 1 they are 0 and constant: an image's angle with itself is, but the slope of the arc
/// cosine there is infinite, so that the cosine is replaced before and the angle behind.
fn angle<'call>(cosine: &Tensor<'call>, mask: Option<&Tensor<'call>>) -> Result<Tensor<'call>> {
    let limited = |cosine: &Tensor<'call>| cosine.clamp(-1.0 + EDGE, 1.0 - EDGE)?.acos();
    let Some(mask) = mask else { return limited(cosine) };
    let zero = (mask * 0.0)?;
    Tensor::select(mask, &zero, &limited(&Tensor::select(mask, &zero, cosine)?)?)
}
