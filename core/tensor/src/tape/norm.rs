//! Rules of the normalisation that is computed together with what follows it.
//!
//! Two orders have kernels of their own. The third is differentiated through the single operations, whose rules have any order.

use super::site::{Keep, Parts, Site, missing};
use crate::Tensor;
use crate::error::Result;
use crate::op::{Epilogue, OVER_CHANNELS, Op, Over, Unary, Window};
use crate::tensor::{Record, apply};

/// A normalisation with the ReLU and the pooling that follow it on the tape.
pub(super) struct Fused<'a> {
    pub(super) op: Op,
    /// Of the normalisation.
    pub(super) inputs: &'a [Tensor],
    /// Of the tensors on the way the one that was computed with the saved values of the normalisation.
    pub(super) saved: &'a Tensor,
}

/// The operations up to `last` that one kernel pulls back, when the gradients by the tensors between them are `intermediate`. The
/// numbers are those of the rules one by one.
pub(super) fn fused(last: &Tensor, intermediate: impl Fn(&Tensor) -> bool) -> Option<Fused<'_>> {
    let (relu, epilogue) = match last.record()? {
        Record { op: Op::AvgPool { window: Window::HALVING }, inputs } => (&inputs[0], Epilogue::ReluPool),
        _ => (last, Epilogue::Relu),
    };
    let Record { op: Op::Unary(Unary::Relu), inputs } = relu.record()? else { return None };
    let norm = &inputs[0];
    let Record { op: Op::Norm { eps, over, .. }, inputs } = norm.record()? else { return None };
    if !intermediate(norm) || (relu.id() != last.id() && !intermediate(relu)) {
        return None;
    }
    let saved = [last, relu].into_iter().find(|tensor| tensor.has_saved()).unwrap_or(norm);
    Some(Fused { op: Op::Norm { eps: *eps, over: *over, epilogue }, inputs, saved })
}

/// x, weight, bias, and over channels the statistics.
pub(super) fn gradient(site: &Site<'_>, g: &Tensor, (eps, over): (f64, Over), epilogue: Epilogue) -> Parts {
    let [x, weight, bias, given @ ..] = site.inputs else { return missing(site.op) };
    let statistics = given.first().map_or_else(|| site.saved(0), |given| Ok(given.clone()))?;
    let by_x = apply(Op::NormGradient { eps, over, epilogue }, &[x, weight, bias, &statistics, g])?;
    // The gradient by the bias of a convolution before.
    by_x.keep_plane_sums(1)?;
    let over_images = |sums: &Tensor, index: usize| sums.slice(1, index, index + 1, 1)?.reshape(weight.shape());
    let sums = by_x.saved(0, statistics.shape().to_vec())?.sum(&[0], false)?;
    let parts =
        [site.part(0, || Ok(by_x))?, site.part(1, || over_images(&sums, 1))?, site.part(2, || over_images(&sums, 0))?];
    Ok(parts.into_iter().chain(given.iter().map(|_| None)).collect())
}

/// x, weight, bias, statistics, g. The bias only decides where ReLU is open.
pub(super) fn curvature(site: &Site<'_>, c: &Tensor, (eps, over): (f64, Over), epilogue: Epilogue) -> Parts {
    let [x, weight, bias, statistics, g] = site.inputs else { return missing(site.op) };
    let sums = site.saved(0)?;
    let s = match site.saved {
        [Some(s)] => s.clone(),
        _ => Tensor::zeros(sums.shape(), sums.dtype(), &sums.device())?,
    };
    let op = Op::NormCurvature { eps, over, epilogue };
    let by_x = apply(op, &[x, weight, bias, statistics, g, &sums, c, &s])?;
    let by_weight = || by_x.saved(1, sums.shape()[..2].to_vec())?.sum(&[0], false);
    Ok(vec![
        site.part(0, || Ok(by_x.clone()))?,
        site.part(1, by_weight)?,
        None,
        None,
        site.part(4, || by_x.saved(0, g.shape().to_vec()))?,
    ])
}

/// x, weight, bias, statistics, g, sums, c, s.
pub(super) fn third(site: &Site<'_>, d: &Tensor, (eps, over): (f64, Over), epilogue: Epilogue) -> Parts {
    // Copies, so that what one input owes to another is not counted for both.
    let copy = |x: &Tensor| match site.keep {
        Keep::OnTape if x.is_on_tape() => x.add_scalar(0.0),
        _ => x.variable(),
    };
    let inputs = site.inputs.iter().map(copy).collect::<Result<Vec<_>>>()?;
    let [x, weight, bias, _, g, _, c, s] = inputs.as_slice() else { return missing(site.op) };
    let (planes, channels) = ([over.rows(x.shape()[0]), x.shape()[1], 1, 1], [1, x.shape()[1], 1, 1]);
    // For each plane or channel, as the saved values are.
    let spread = |affine: &Tensor| affine.reshape(&channels)?.broadcast_to(&planes);
    let (weights, biases) = (spread(weight)?, spread(bias)?);
    let part = |index: usize| s.slice(2, index, index + 1, 1)?.reshape(&planes);
    let y = one_by_one(x, (&weights, &biases), (eps, over), epilogue)?;
    let first = [x, &biases, &weights].map(Clone::clone);
    let first = (site.grad)(&[y], &first, Some(std::slice::from_ref(g)), Keep::OnTape)?;
    let second = [x, g, &weights].map(Clone::clone);
    let second = (site.grad)(&first, &second, Some(&[c.clone(), part(0)?, part(1)?]), Keep::OnTape)?;
    let zeros = |like: &Tensor| Tensor::zeros(like.shape(), like.dtype(), &like.device());
    let seed = |index: usize, like: &Tensor| match site.saved.get(index) {
        Some(Some(seed)) => seed.reshape(like.shape()),
        _ => zeros(like),
    };
    let seeds = [d.clone(), seed(0, &second[1])?, seed(1, &second[2])?];
    let found = (site.grad)(&second, &inputs, Some(&seeds), site.keep)?;
    Ok(found.into_iter().zip(site.wanted).map(|(part, &wanted)| wanted.then_some(part)).collect())
}

fn one_by_one(
    x: &Tensor,
    (weight, bias): (&Tensor, &Tensor),
    (eps, over): (f64, Over),
    epilogue: Epilogue,
) -> Result<Tensor> {
    let axes = if over == Over::Plane { &[2, 3] } else { OVER_CHANNELS };
    let y = x.standardize_step_by_step(axes, eps)?.mul(weight)?.add(bias)?;
    match epilogue {
        Epilogue::Identity => Ok(y),
        Epilogue::Relu => y.relu(),
        Epilogue::ReluPool => y.relu()?.avg_pool2d([2, 2], [2, 2]),
    }
}
