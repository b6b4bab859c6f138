//! The gradient rule of every differentiable primitive, in the public operations: rules therefore have rules.
//!
//! `x` is the (first) input, `y` the result, `g` the cotangent of the result. Linear families are closed:
//! the transpose of each member is again a member. At a kink the rule takes one side: see each method.

use crate::error::Result;
use crate::op::{NormAxes, Op};
use crate::ops::primitive;
use crate::tensor::with_value;
use crate::{Tensor, TensorError};

use super::{Keep, norm};

/// One recorded operation, as its rule sees it.
pub(super) struct Site<'a> {
    pub(super) op: &'a Op,
    pub(super) inputs: &'a [Tensor],
    pub(super) output: &'a Tensor,
    /// Which inputs a requested tensor lies behind; the others need no cotangent.
    pub(super) wanted: &'a [bool],
    /// Cotangents of the by-products.
    pub(super) by_products: &'a [Option<Tensor>],
    pub(super) keep: Keep,
}

impl Site<'_> {
    /// A by-product of the operation, as a constant.
    pub(super) fn by_product(&self, index: usize) -> Result<Tensor> {
        let shapes: Vec<&[usize]> = self.inputs.iter().map(Tensor::shape).collect();
        Ok(self.output.by_product(index, self.op.by_product_shape(index, &shapes))?.detach())
    }
}

pub(super) type Parts = Result<Vec<Option<Tensor>>>;

/// Cotangents of the inputs, given the cotangent `g` of the result.
pub(super) fn rule(site: &Site<'_>, g: &Tensor) -> Parts {
    let (x, y) = (&site.inputs[0], site.output);
    match site.op {
        Op::Neg => one(g.neg()),
        Op::Exp => one(g.mul(y)),
        Op::Log => one(g.div(x)),
        Op::Sqrt => one(g.div(y)?.mul_scalar(0.5)),
        Op::Recip => one(g.mul(&y.square()?)?.neg()),
        Op::Square => one(g.mul(x)?.mul_scalar(2.0)),
        Op::Abs => one(g.mul(&x.sign()?)),
        Op::Relu => one(primitive(Op::Gate, &[g, x])),
        Op::Gate => one(primitive(Op::Gate, &[g, &site.inputs[1]])),
        Op::Sin => one(g.mul(&x.cos()?)),
        Op::Cos => one(g.mul(&x.sin()?.neg()?)),
        Op::Tanh => one(g.mul(&y.square()?.neg()?.add_scalar(1.0)?)),
        Op::Sigmoid => one(g.mul(&y.sub(&y.square()?)?)),
        Op::Powf { exponent } => one(g.mul(&x.powf(exponent - 1.0)?.mul_scalar(*exponent)?)),
        Op::Clamp { low, high } => one(g.mul(&primitive(Op::Within { low: *low, high: *high }, &[x])?)),
        Op::AddScalar { .. } => one(Ok(g.clone())),
        Op::MulScalar { value } => one(g.mul_scalar(*value)),
        Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Maximum | Op::Minimum | Op::Select => elementwise(site, g),
        // Spread when it meets the node: adding it to another cotangent needs no copy of it at full length.
        Op::Sum { .. } => one(Ok(g.clone())),
        Op::Max { .. } => one(shared(&x.greater_equal(y)?, g, y)),
        Op::Min { .. } => one(shared(&x.less_equal(y)?, g, y)),
        Op::Cast { .. } => one(g.cast(x.dtype())),
        Op::Reshape { .. } => one(g.reshape(x.shape())),
        Op::Permute { axes } => one(g.permute(&inverse(axes))),
        Op::BroadcastTo { .. } => one(g.sum_to(x.shape())),
        Op::Slice { axis, start, step, .. } => {
            one(primitive(Op::Place { axis: *axis, start: *start, step: *step, size: x.shape()[*axis] }, &[g]))
        }
        Op::Place { axis, start, step, .. } => one(strided(g, *axis, (*start, *step), x.shape()[*axis])),
        Op::Pad { widths } => one(cropped(g, widths, x.shape())),
        Op::Flip { axes } => one(g.flip(axes)),
        Op::Concat { axis } => split(site, g, *axis),
        Op::Gather { axis } => one(g.scatter_add(*axis, &site.inputs[1], x.shape()[*axis])),
        Op::ScatterAdd { axis, .. } => one(g.gather(*axis, &site.inputs[1])),
        Op::Take => one(primitive(Op::Put { size: x.shape()[1] }, &[g, &site.inputs[1]])),
        Op::Put { .. } => one(primitive(Op::Take, &[g, &site.inputs[1]])),
        Op::Matmul { transpose } => matmul(site, g, *transpose),
        Op::Conv { .. } | Op::ConvInput { .. } | Op::ConvWeight { .. } => convolution(site, g),
        Op::AvgPool { window } => one(primitive(Op::AvgPoolTranspose { window: *window, size: plane(x) }, &[g])),
        Op::AvgPoolTranspose { window, .. } => one(primitive(Op::AvgPool { window: *window }, &[g])),
        Op::Resample { map } => one(primitive(Op::ResampleTranspose { map: map.clone() }, &[g])),
        Op::ResampleTranspose { map } => one(primitive(Op::Resample { map: map.clone() }, &[g])),
        Op::Standardize { axes, eps } => one(standardize(site, g, *axes, *eps)),
        Op::InverseStd { axes, .. } => one(inverse_std(site, g, *axes)),
        Op::StandardizeGradient { axes } => standardize_gradient(site, g, *axes),
        Op::Norm { eps, finish } => norm::gradient(site, g, *eps, *finish),
        Op::NormGradient { eps, finish } => norm::curvature(site, g, *eps, *finish),
        Op::NormCurvature { eps, finish } => norm::third(site, g, *eps, *finish),
        Op::Sign | Op::Step | Op::Within { .. } | Op::Greater | Op::GreaterEqual | Op::Less | Op::LessEqual => {
            none(site)
        }
        Op::ArgMax { .. } | Op::MaxPoolIndex { .. } | Op::OneHot { .. } => none(site),
        // Its cotangent goes to the rule of what made it, before any rule is asked.
        Op::ByProduct { .. } => missing(site.op),
    }
}

fn elementwise(site: &Site<'_>, g: &Tensor) -> Parts {
    let (a, b, y) = (&site.inputs[0], &site.inputs[1], site.output);
    match site.op {
        Op::Add => two(site, || g.sum_to(a.shape()), || g.sum_to(b.shape())),
        Op::Sub => two(site, || g.sum_to(a.shape()), || g.sum_to(b.shape())?.neg()),
        Op::Mul => two(site, || g.mul(b)?.sum_to(a.shape()), || g.mul(a)?.sum_to(b.shape())),
        Op::Div => two(site, || g.div(b)?.sum_to(a.shape()), || g.mul(y)?.div(b)?.sum_to(b.shape())?.neg()),
        Op::Maximum => {
            two(site, || g.mul(&a.greater_equal(b)?)?.sum_to(a.shape()), || g.mul(&a.less(b)?)?.sum_to(b.shape()))
        }
        Op::Minimum => {
            two(site, || g.mul(&a.less_equal(b)?)?.sum_to(a.shape()), || g.mul(&a.greater(b)?)?.sum_to(b.shape()))
        }
        _ => {
            let (mask, a, b) = (a, b, &site.inputs[2]);
            let zero = Tensor::zeros(&[], g.dtype(), &g.device())?;
            Ok(vec![
                None,
                when(site.wanted[1], || mask.select(g, &zero)?.sum_to(a.shape()))?,
                when(site.wanted[2], || mask.select(&zero, g)?.sum_to(b.shape()))?,
            ])
        }
    }
}

/// A b: dA = g B^T, dB = A^T g; for a factor that is stored transposed, the transpose of that.
fn matmul(site: &Site<'_>, g: &Tensor, [ta, tb]: [bool; 2]) -> Parts {
    let (a, b) = (&site.inputs[0], &site.inputs[1]);
    let product = |x, y, transpose| primitive(Op::Matmul { transpose }, &[x, y]);
    two(
        site,
        || if ta { product(b, g, [tb, true]) } else { product(g, b, [false, !tb]) },
        || if tb { product(g, a, [true, ta]) } else { product(a, g, [!ta, false]) },
    )
}

/// conv(x, w), its gradient by x, input(g, w), and its gradient by w, weight(x, g), are the three ways to fix
/// two arguments of one trilinear form, so the derivatives of each are the other two.
fn convolution(site: &Site<'_>, g: &Tensor) -> Parts {
    let (a, b) = (&site.inputs[0], &site.inputs[1]);
    let kernel = |w: &Tensor| [w.shape()[2], w.shape()[3]];
    match site.op {
        Op::Conv { sweep } => Ok(vec![
            when(site.wanted[0], || primitive(Op::ConvInput { sweep: *sweep, size: plane(a) }, &[g, b]))?,
            when(site.wanted[1], || primitive(Op::ConvWeight { sweep: *sweep, kernel: kernel(b) }, &[a, g]))?,
            when(site.wanted.get(2) == Some(&true), || g.sum(&[0, 2, 3], false))?,
        ]),
        Op::ConvInput { sweep, .. } => two(
            site,
            || primitive(Op::Conv { sweep: *sweep }, &[g, b]),
            || primitive(Op::ConvWeight { sweep: *sweep, kernel: kernel(b) }, &[g, a]),
        ),
        Op::ConvWeight { sweep, .. } => two(
            site,
            || primitive(Op::ConvInput { sweep: *sweep, size: plane(a) }, &[b, g]),
            || primitive(Op::Conv { sweep: *sweep }, &[a, g]),
        ),
        op => missing(op),
    }
}

/// With r = 1 / sqrt(var + eps): dx = r (g - mean(g) - y mean(g y)).
fn standardize(site: &Site<'_>, g: &Tensor, axes: NormAxes, eps: f64) -> Result<Tensor> {
    let (x, y) = (&site.inputs[0], site.output);
    let op = Op::InverseStd { axes, eps };
    let r = site.by_product(0)?;
    let r = with_value(op, &[x, y], r.value()?.clone(), (axes.reduced(x.shape()), x.dtype()));
    primitive(Op::StandardizeGradient { axes }, &[y, &r, g])
}

/// dr/dx = -r^2 y / n, since d var/dx = 2 (x - mean) / n and y = r (x - mean).
fn inverse_std(site: &Site<'_>, g: &Tensor, axes: NormAxes) -> Result<Tensor> {
    let (x, y, r) = (&site.inputs[0], &site.inputs[1], site.output);
    #[expect(clippy::cast_precision_loss, reason = "counts lie below 2^53")]
    let count = axes.count(x.shape()) as f64;
    y.mul(&g.mul(&r.square()?)?.mul_scalar(-1.0 / count)?)
}

/// z = r (g - mean(g) - y mean(g y)), with c the cotangent of z. The map from g to z is symmetric.
/// By y: -r (c mean(g y) + g mean(c y)). By r: sum of c z / r.
fn standardize_gradient(site: &Site<'_>, c: &Tensor, axes: NormAxes) -> Parts {
    let (y, r, g, z) = (&site.inputs[0], &site.inputs[1], &site.inputs[2], site.output);
    let mean = |t: Tensor| t.mean(axes.axes(), true);
    let by_y = || {
        let both = c.mul(&mean(g.mul(y)?)?)?.add(&g.mul(&mean(c.mul(y)?)?)?)?;
        both.mul(&r.neg()?)
    };
    Ok(vec![
        when(site.wanted[0], by_y)?,
        when(site.wanted[1], || c.mul(z)?.sum(axes.axes(), true)?.div(r))?,
        when(site.wanted[2], || primitive(Op::StandardizeGradient { axes }, &[y, r, c]))?,
    ])
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
        .zip(site.wanted)
        .map(|(input, &wanted)| {
            let range = start..start + input.shape()[axis];
            start = range.end;
            when(wanted, || g.slice(axis, range.start, range.end, 1))
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
    Ok(vec![when(site.wanted[0], a)?, when(site.wanted[1], b)?])
}

pub(super) fn when(wanted: bool, part: impl FnOnce() -> Result<Tensor>) -> Result<Option<Tensor>> {
    wanted.then(part).transpose()
}

fn none(site: &Site<'_>) -> Parts {
    Ok(vec![None; site.inputs.len()])
}

pub(super) fn missing<T>(op: &Op) -> Result<T> {
    Err(TensorError::Internal { op: op.name(), message: "no gradient rule".to_owned() })
}
