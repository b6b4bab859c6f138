//! Rules of the normalisation that is computed together with what follows it.
//!
//! Two orders have kernels of their own. The third goes back to the operations one by one, whose rules have any order.

use super::rules::{Parts, Site, when};
use super::{Keep, grad};
use crate::Tensor;
use crate::error::Result;
use crate::op::{Finish, NormAxes, Op};
use crate::ops::primitive;
use crate::tensor::apply;

/// x, weight, bias.
pub(super) fn gradient(site: &Site<'_>, g: &Tensor, eps: f64, finish: Finish) -> Parts {
    let [x, weight, bias] = site.inputs else { return super::rules::missing(site.op) };
    let statistics = site.by_product(0)?;
    let by_x = primitive(Op::NormGradient { eps, finish }, &[x, weight, bias, &statistics, g])?;
    // The gradient by the bias of a convolution before.
    by_x.keep_plane_sums(1)?;
    let over_images = |sums: &Tensor, index: usize| sums.slice(1, index, index + 1, 1)?.reshape(weight.shape());
    let sums = by_x.by_product(0, statistics.shape().to_vec())?.sum(&[0], false)?;
    Ok(vec![
        when(site.wanted[0], || Ok(by_x))?,
        when(site.wanted[1], || over_images(&sums, 1))?,
        when(site.wanted[2], || over_images(&sums, 0))?,
    ])
}

/// x, weight, bias, statistics, g. The bias only decides where ReLU is open.
pub(super) fn curvature(site: &Site<'_>, c: &Tensor, eps: f64, finish: Finish) -> Parts {
    let [x, weight, bias, statistics, g] = site.inputs else { return super::rules::missing(site.op) };
    let sums = site.by_product(0)?;
    let s = match site.by_products {
        [Some(s)] => s.clone(),
        _ => Tensor::zeros(sums.shape(), sums.dtype(), &sums.device())?,
    };
    let op = Op::NormCurvature { eps, finish };
    let by_x = primitive(op, &[x, weight, bias, statistics, g, &sums, c, &s])?;
    let by_weight = || by_x.by_product(1, x.shape()[..2].to_vec())?.sum(&[0], false);
    Ok(vec![
        when(site.wanted[0], || Ok(by_x.clone()))?,
        when(site.wanted[1], by_weight)?,
        None,
        None,
        when(site.wanted[4], || by_x.by_product(0, g.shape().to_vec()))?,
    ])
}

/// x, weight, bias, statistics, g, sums, c, s.
pub(super) fn third(site: &Site<'_>, d: &Tensor, eps: f64, finish: Finish) -> Parts {
    // Copies, so that what one input owes to another is not counted for both.
    let copy = |x: &Tensor| match site.keep {
        Keep::OnTape if x.is_on_tape() => x.add_scalar(0.0),
        _ => x.variable(),
    };
    let inputs = site.inputs.iter().map(copy).collect::<Result<Vec<_>>>()?;
    let [x, weight, bias, _, g, _, c, s] = inputs.as_slice() else { return super::rules::missing(site.op) };
    let (planes, channels) = ([x.shape()[0], x.shape()[1], 1, 1], [1, x.shape()[1], 1, 1]);
    // For each plane, as the by-products are.
    let spread = |affine: &Tensor| affine.reshape(&channels)?.broadcast_to(&planes);
    let (weights, biases) = (spread(weight)?, spread(bias)?);
    let part = |index: usize| s.slice(2, index, index + 1, 1)?.reshape(&planes);
    let y = one_by_one(x, &weights, &biases, eps, finish)?;
    let first = [x, &biases, &weights].map(Clone::clone);
    let first = grad(&[y], &first, Some(std::slice::from_ref(g)), Keep::OnTape)?;
    let second = [x, g, &weights].map(Clone::clone);
    let second = grad(&first, &second, Some(&[c.clone(), part(0)?, part(1)?]), Keep::OnTape)?;
    let zeros = |like: &Tensor| Tensor::zeros(like.shape(), like.dtype(), &like.device());
    let seed = |index: usize, like: &Tensor| match site.by_products.get(index) {
        Some(Some(seed)) => seed.reshape(like.shape()),
        _ => zeros(like),
    };
    let seeds = [d.clone(), seed(0, &second[1])?, seed(1, &second[2])?];
    let found = grad(&second, &inputs, Some(&seeds), site.keep)?;
    Ok(found.into_iter().zip(site.wanted).map(|(part, &wanted)| wanted.then_some(part)).collect())
}

fn one_by_one(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64, finish: Finish) -> Result<Tensor> {
    let y = apply(Op::Standardize { axes: NormAxes::Instance, eps }, &[x])?.mul(weight)?.add(bias)?;
    match finish {
        Finish::Nothing => Ok(y),
        Finish::Relu => y.relu(),
        Finish::ReluPool => y.relu()?.avg_pool2d([2, 2], [2, 2]),
    }
}
