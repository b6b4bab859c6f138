//! The gradient rule of every differentiable primitive, in the public operations: rules therefore have rules.
//!
//! `x` is the (first) input, `y` the result, `g` the cotangent of the result. Linear families are closed:
//! the transpose of each member is again a member. At a kink the rule takes one side: see each method.

use crate::Tensor;
use crate::error::Result;
use crate::op::elementwise::{binary_table, unary_table};
use crate::op::{Binary, OVER_CHANNELS, Op, Unary};
use crate::tensor::apply;

use super::norm;
use super::site::{Parts, Site, missing};

/// Cotangents of the inputs, given the cotangent `g` of the result.
pub(super) fn rule(site: &Site<'_>, g: &Tensor) -> Parts {
    let (x, y) = (&site.inputs[0], site.output);
    match site.op {
        Op::Unary(op) => unary(*op, site, g),
        Op::Binary(op) => binary(*op, site, g),
        Op::Gate => one(g.gate(&site.inputs[1])),
        Op::Select => select(site, g),
        // Spread when it meets the node: adding it to another cotangent needs no copy of it at full length.
        Op::Sum { .. } => one(Ok(g.clone())),
        Op::Max { .. } => one(shared(&x.greater_equal(y)?, g, y)),
        Op::Min { .. } => one(shared(&x.less_equal(y)?, g, y)),
        Op::Cast { .. } => one(g.cast(x.dtype())),
        Op::Reshape { .. } => one(g.reshape(x.shape())),
        Op::Permute { axes } => one(g.permute(&inverse(axes))),
        Op::BroadcastTo { .. } => one(g.sum_to(x.shape())),
        Op::Slice { axis, start, step, .. } => {
            one(apply(Op::Place { axis: *axis, start: *start, step: *step, size: x.shape()[*axis] }, &[g]))
        }
        Op::Place { axis, start, step, .. } => one(strided(g, *axis, (*start, *step), x.shape()[*axis])),
        Op::Pad { widths } => one(cropped(g, widths, x.shape())),
        Op::Flip { axes } => one(g.flip(axes)),
        Op::Concat { axis } => split(site, g, *axis),
        Op::Gather { axis } => one(g.scatter_add(*axis, &site.inputs[1], x.shape()[*axis])),
        Op::ScatterAdd { axis, .. } => one(g.gather(*axis, &site.inputs[1])),
        Op::Take => one(apply(Op::Put { size: x.shape()[1] }, &[g, &site.inputs[1]])),
        Op::Put { .. } => one(apply(Op::Take, &[g, &site.inputs[1]])),
        Op::Matmul { transpose } => matmul(site, g, *transpose),
        Op::Solve => solve(site, g),
        Op::Conv { .. } | Op::ConvInput { .. } | Op::ConvWeight { .. } => convolution(site, g),
        Op::AvgPool { window } => one(apply(Op::AvgPoolTranspose { window: *window, size: plane(x) }, &[g])),
        Op::AvgPoolTranspose { window, .. } => one(apply(Op::AvgPool { window: *window }, &[g])),
        Op::Resample { map } => one(apply(Op::ResampleTranspose { map: map.clone() }, &[g])),
        Op::ResampleTranspose { map } => one(apply(Op::Resample { map: map.clone() }, &[g])),
        Op::Norm { eps, over, epilogue } => norm::gradient(site, g, (*eps, *over), *epilogue),
        Op::NormGradient { eps, over, epilogue } => norm::curvature(site, g, (*eps, *over), *epilogue),
        Op::NormCurvature { eps, over, epilogue } => norm::third(site, g, (*eps, *over), *epilogue),
        Op::ChannelStatistics { .. } => one(statistics(site, g)),
        Op::ArgMax { .. } | Op::ArgSort { .. } | Op::MaxPoolIndex { .. } | Op::OneHot { .. } | Op::Cholesky => {
            none(site)
        }
        // Its cotangent goes to the rule of what made it, before any rule is asked.
        Op::Saved { .. } => missing(site.op),
    }
}

macro_rules! unary_rule {
    ($site:ident, $g:ident) => {
        none($site)
    };
    ($site:ident, $g:ident, $rule:expr) => {
        one(of_one($rule, $g, &$site.inputs[0], $site.output))
    };
}

macro_rules! unary {
    ($($(#[$doc:meta])* $variant:ident $({ $($field:ident),* })? $name:ident = $number:literal,
        $kernel:expr, $device:expr $(, $rule:expr)?;)*) => {
        fn unary(op: Unary, site: &Site<'_>, g: &Tensor) -> Parts {
            match op {
                $(Unary::$variant $({ $($field),* })? => {
                    // Not every rule needs them.
                    $($(let _ = $field;)*)?
                    unary_rule!(site, g $(, $rule)?)
                })*
            }
        }
    };
}

macro_rules! binary {
    ($($(#[$doc:meta])* $variant:ident $name:ident = $number:literal,
        $kernel:expr, $device:expr $(, $by_a:expr, $by_b:expr)?;)*) => {
        fn binary(op: Binary, site: &Site<'_>, g: &Tensor) -> Parts {
            let operands = [&site.inputs[0], &site.inputs[1], site.output];
            match op {
                $($(Binary::$variant => two(site, || of_two($by_a, g, operands), || of_two($by_b, g, operands)),)?)*
                _ => none(site),
            }
        }
    };
}

unary_table!(unary);
binary_table!(binary);

fn of_one(
    rule: impl FnOnce(&Tensor, &Tensor, &Tensor) -> Result<Tensor>,
    g: &Tensor,
    x: &Tensor,
    y: &Tensor,
) -> Result<Tensor> {
    rule(g, x, y)
}

fn of_two(
    rule: impl FnOnce(&Tensor, &Tensor, &Tensor, &Tensor) -> Result<Tensor>,
    g: &Tensor,
    [a, b, y]: [&Tensor; 3],
) -> Result<Tensor> {
    rule(g, a, b, y)
}

fn select(site: &Site<'_>, g: &Tensor) -> Parts {
    let (mask, zero) = (&site.inputs[0], Tensor::zeros(&[], g.dtype(), &g.device())?);
    Ok(vec![
        None,
        site.part(1, || mask.select(g, &zero)?.sum_to(site.inputs[1].shape()))?,
        site.part(2, || mask.select(&zero, g)?.sum_to(site.inputs[2].shape()))?,
    ])
}

/// A b: dA = g B^T, dB = A^T g; for a factor that is stored transposed, the transpose of that.
fn matmul(site: &Site<'_>, g: &Tensor, [ta, tb]: [bool; 2]) -> Parts {
    let (a, b) = (&site.inputs[0], &site.inputs[1]);
    let product = |x, y, transpose| apply(Op::Matmul { transpose }, &[x, y]);
    two(
        site,
        || if ta { product(b, g, [tb, true]) } else { product(g, b, [false, !tb]) },
        || if tb { product(g, a, [true, ta]) } else { product(a, g, [!ta, false]) },
    )
}

/// A x = b with A the symmetric part of `a`: db = A^-1 g, da = -(db x^T + x db^T) / 2. The factor serves every order.
fn solve(site: &Site<'_>, g: &Tensor) -> Parts {
    let (a, factor, x) = (&site.inputs[0], &site.inputs[2], site.output);
    let by_b = apply(Op::Solve, &[a, g, factor])?;
    let by_a = || {
        let half = by_b.matmul_transposed(x)?;
        half.add(&half.permute(&[1, 0])?)?.mul_scalar(-0.5)
    };
    Ok(vec![site.part(0, by_a)?, site.part(1, || Ok(by_b.clone()))?, None])
}

/// For m, the mean of n elements, and r = 1 / sqrt(var + eps): dm = 1 / n, dr = -r^3 (x - m) / n.
fn statistics(site: &Site<'_>, g: &Tensor) -> Result<Tensor> {
    let x = &site.inputs[0];
    let part = |of: &Tensor, index: usize| of.slice(2, index, index + 1, 1)?.reshape(&[1, x.shape()[1], 1, 1]);
    let (mean, root) = (part(site.output, 0)?, part(site.output, 1)?);
    let by_variance = part(g, 1)?.mul(&root.square()?.mul(&root)?)?;
    let by_x = part(g, 0)?.sub(&x.sub(&mean)?.mul(&by_variance)?)?;
    let count = x.elements() / x.shape()[1];
    #[expect(clippy::cast_precision_loss, reason = "far fewer elements than 2^52")]
    by_x.mul_scalar(1.0 / count as f64)
}

/// conv(x, w), its gradient by x, input(g, w), and its gradient by w, weight(x, g), are the three ways to fix
/// two arguments of one trilinear form, so the derivatives of each are the other two.
fn convolution(site: &Site<'_>, g: &Tensor) -> Parts {
    let (a, b) = (&site.inputs[0], &site.inputs[1]);
    let kernel = |w: &Tensor| [w.shape()[2], w.shape()[3]];
    match site.op {
        Op::Conv { conv } => Ok(vec![
            site.part(0, || apply(Op::ConvInput { conv: *conv, size: plane(a) }, &[g, b]))?,
            site.part(1, || apply(Op::ConvWeight { conv: *conv, kernel: kernel(b) }, &[a, g]))?,
            site.part(2, || g.sum(OVER_CHANNELS, false))?,
        ]),
        Op::ConvInput { conv, .. } => two(
            site,
            || apply(Op::Conv { conv: *conv }, &[g, b]),
            || apply(Op::ConvWeight { conv: *conv, kernel: kernel(b) }, &[g, a]),
        ),
        Op::ConvWeight { conv, .. } => two(
            site,
            || apply(Op::ConvInput { conv: *conv, size: plane(a) }, &[b, g]),
            || apply(Op::Conv { conv: *conv }, &[a, g]),
        ),
        op => missing(op),
    }
}

/// Equal extremes share the cotangent.
fn shared(mask: &Tensor, g: &Tensor, y: &Tensor) -> Result<Tensor> {
    mask.mul(&g.div(&mask.sum_to(y.shape())?)?)
}

fn strided(g: &Tensor, axis: usize, (start, step): (usize, usize), count: usize) -> Result<Tensor> {
    let end = if count == 0 { start } else { start + (count - 1) * step + 1 };
    g.slice(axis, start, end, step)
}

fn cropped(g: &Tensor, widths: &[(usize, usize)], shape: &[usize]) -> Result<Tensor> {
    let mut out = g.clone();
    for (axis, &(before, after)) in widths.iter().enumerate() {
        if before + after > 0 {
            out = out.slice(axis, before, before + shape[axis], 1)?;
        }
    }
    Ok(out)
}

fn split(site: &Site<'_>, g: &Tensor, axis: usize) -> Parts {
    let mut start = 0;
    site.inputs
        .iter()
        .enumerate()
        .map(|(index, input)| {
            let range = start..start + input.shape()[axis];
            start = range.end;
            site.part(index, || g.slice(axis, range.start, range.end, 1))
        })
        .collect()
}

fn inverse(axes: &[usize]) -> Vec<usize> {
    let mut out = vec![0; axes.len()];
    for (to, &from) in axes.iter().enumerate() {
        out[from] = to;
    }
    out
}

fn plane(x: &Tensor) -> [usize; 2] {
    [x.shape()[2], x.shape()[3]]
}

/// The first input's cotangent; further inputs, if any, have none.
fn one(part: Result<Tensor>) -> Parts {
    Ok(vec![Some(part?)])
}

fn two(site: &Site<'_>, a: impl FnOnce() -> Result<Tensor>, b: impl FnOnce() -> Result<Tensor>) -> Parts {
    Ok(vec![site.part(0, a)?, site.part(1, b)?])
}

fn none(site: &Site<'_>) -> Parts {
    Ok(vec![None; site.inputs.len()])
}
