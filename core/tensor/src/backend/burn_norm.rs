//! Instance and batch normalisation with what follows, and its first and second derivative, through burn's dispatch: the formulas of
//! [`pddflow_kernels::norm`], whose letters are used here, over `[image, channel, pixel]`.

use burn_backend::{Scalar, Shape};

use super::burn_array::{closed, empty, physical, zeros};
use super::burn_layout::part_of;
use super::calls::{Calls as B, Tensor, dims};
use crate::op::{Epilogue, Over, Window};

const CLOSED: f64 = 0.0;

/// What planes are made with, and their gradient.
pub(super) struct Saved {
    pub(super) x: Tensor,
    pub(super) weight: Tensor,
    pub(super) bias: Tensor,
    /// Mean and r of each plane or channel.
    pub(super) statistics: Tensor,
    /// Gradient of the result.
    pub(super) g: Tensor,
}

/// Numbers of planes.
struct Planes {
    /// x̂
    standard: Tensor,
    r: Tensor,
    /// `r weight`
    scale: Tensor,
    u: Tensor,
    /// Numbers that ReLU closes.
    closed: Option<Tensor>,
}

/// The result of instance normalisation, and for each plane mean and r.
pub(super) fn forward([x, weight, bias]: [Tensor; 3], eps: f64, epilogue: Epilogue) -> (Tensor, Tensor) {
    let shape = dims(&x);
    let (centred, mean, r) = centred(planes(x), eps, Over::Plane);
    (line([centred, weight, bias], r.clone(), &shape, epilogue), pair(mean, r))
}

/// Mean and r of each channel.
pub(super) fn statistics(x: Tensor, eps: f64) -> Tensor {
    let (_, mean, r) = centred(planes(x), eps, Over::Channel);
    pair(mean, r)
}

/// The result of batch normalisation by given statistics.
pub(super) fn forward_by([x, weight, bias]: [Tensor; 3], statistics: &Tensor, epilogue: Epilogue) -> Tensor {
    let (shape, [mean, r]) = (dims(&x), halves(statistics));
    line([B::float_sub(planes(x), mean), weight, bias], r, &shape, epilogue)
}

/// x - mean, the mean, and r.
fn centred(x: Tensor, eps: f64, over: Over) -> (Tensor, Tensor, Tensor) {
    let mean = mean_of(x.clone(), over);
    let centred = B::float_sub(x, mean.clone());
    let variance = mean_of(B::float_mul(centred.clone(), centred.clone()), over);
    let r = B::float_powf_scalar(B::float_add_scalar(variance, Scalar::from(eps)), Scalar::from(-0.5));
    (centred, mean, r)
}

fn line([centred, weight, bias]: [Tensor; 3], r: Tensor, shape: &[usize], epilogue: Epilogue) -> Tensor {
    let y = B::float_add(B::float_mul(centred, B::float_mul(r, per_channel(weight))), per_channel(bias));
    let y = if epilogue == Epilogue::Identity { y } else { B::relu(y) };
    pooled(B::float_reshape(y, physical(shape)), epilogue)
}

/// The gradient by x; for each plane or channel the sums of u and of u x̂; and the sum of the first for each plane that is normalised
/// by itself.
pub(super) fn gradient(saved: Saved, over: Over, epilogue: Epilogue) -> Vec<Tensor> {
    let shape = dims(&saved.x);
    let Planes { standard, scale, u, .. } = opened(saved, epilogue);
    let sum = sum_of(u.clone(), over);
    let along = sum_of(B::float_mul(u.clone(), standard.clone()), over);
    let sums = pair(sum.clone(), along.clone());
    let [mean, along] = [sum, along].map(|sum| B::float_mul_scalar(sum, Scalar::from(share(&shape, over))));
    let by_x = B::float_sub(B::float_sub(u, mean), B::float_mul(standard, along));
    let by_x = B::float_mul(by_x, scale);
    // Of a plane that is normalised by itself it is 0; of others it is not worth a launch.
    let totals = (over == Over::Plane).then(|| zeros(&by_x, &shape[..2]));
    [B::float_reshape(by_x, physical(&shape)), sums].into_iter().chain(totals).collect()
}

/// Derivatives of `<c, weight S(u)> + s0 sum(u) + s1 sum(u x̂)` by x, by g, and for each plane or channel by the
/// weight.
pub(super) fn curvature(saved: Saved, [sums, c, s]: [Tensor; 3], over: Over, epilogue: Epilogue) -> [Tensor; 3] {
    let (shape, out) = (dims(&saved.x), dims(&saved.g));
    let Planes { standard, r, scale, u, closed } = opened(saved, epilogue);
    let c = planes(c);
    let [sum, product] = halves(&B::float_mul_scalar(sums, Scalar::from(share(&shape, over))));
    let [s0, s1] = halves(&s);
    let mul = |a: &Tensor, b: &Tensor| B::float_mul(a.clone(), b.clone());
    let mean = |x: Tensor| mean_of(x, over);
    let (c_sum, c_product) = (mean(c.clone()), mean(mul(&c, &standard)));
    let inner = B::float_sub(B::float_sub(mean(mul(&u, &c)), mul(&c_sum, &sum)), mul(&c_product, &product));
    let inner = B::float_mul(inner, r.clone());
    let by_weight = B::float_mul_scalar(inner.clone(), Scalar::from(1.0 / share(&shape, over)));

    // weight S(c) + s0 + s1 x̂ where it is open.
    let of_u = B::float_sub(s1, mul(&scale, &c_product));
    let rest = B::float_sub(s0, mul(&scale, &c_sum));
    let slope = B::float_add(mul(&c, &scale), B::float_add(mul(&standard, &of_u), rest));
    let slope = match closed {
        Some(closed) => B::float_mask_fill(slope, closed, Scalar::from(CLOSED)),
        None => slope,
    };
    let by_g = pooled(B::float_reshape(slope, physical(&shape)), epilogue);

    // By x, the sum of multiples of u, c, x̂ and 1, with the sign of c's turned.
    let of_c = mul(&scale, &product);
    let across = |u: &Tensor, c: &Tensor| B::float_sub(mul(&of_u, u), mul(&of_c, c));
    let of_x = B::float_add(mul(&scale, &inner), mul(&r, &across(&product, &c_product)));
    let rest = mul(&r, &across(&sum, &c_sum));
    let first = B::float_sub(mul(&u, &mul(&of_u, &r)), mul(&c, &mul(&of_c, &r)));
    let by_x = B::float_sub(first, B::float_add(mul(&standard, &of_x), rest));
    [B::float_reshape(by_x, physical(&shape)), B::float_reshape(by_g, physical(&out)), by_weight]
}

fn opened(Saved { x, weight, bias, statistics, g }: Saved, epilogue: Epilogue) -> Planes {
    let u = match epilogue {
        Epilogue::Identity | Epilogue::Relu => planes(g),
        Epilogue::ReluPool => {
            let Window { kernel, stride } = Window::HALVING;
            planes(B::avg_pool2d_backward(empty(&x, &dims(&x)), g, kernel, stride, [0, 0], true, false))
        }
    };
    let [mean, r] = halves(&statistics);
    let centred = B::float_sub(planes(x), mean);
    let scale = B::float_mul(r.clone(), per_channel(weight));
    let closed = (epilogue != Epilogue::Identity).then(|| {
        let line = B::float_add(B::float_mul(centred.clone(), scale.clone()), per_channel(bias));
        closed(line)
    });
    let u = match closed.clone() {
        Some(closed) => B::float_mask_fill(u, closed, Scalar::from(CLOSED)),
        None => u,
    };
    Planes { standard: B::float_mul(centred, r.clone()), r, scale, u, closed }
}

/// `[image, channel, pixel]`
fn planes(x: Tensor) -> Tensor {
    let [images, channels, rows, columns] = dims(&x)[..] else { return x };
    B::float_reshape(x, Shape::from([images, channels, rows * columns]))
}

fn per_channel(x: Tensor) -> Tensor {
    let channels = dims(&x).iter().product();
    B::float_reshape(x, Shape::from([1, channels, 1]))
}

fn pooled(y: Tensor, epilogue: Epilogue) -> Tensor {
    let Window { kernel, stride } = Window::HALVING;
    match epilogue {
        Epilogue::Identity | Epilogue::Relu => y,
        Epilogue::ReluPool => B::avg_pool2d(y, kernel, stride, [0, 0], true, false),
    }
}

/// Two numbers of each plane, together.
fn pair(a: Tensor, b: Tensor) -> Tensor {
    B::float_cat(vec![a, b], 2)
}

fn halves(both: &Tensor) -> [Tensor; 2] {
    [0, 1].map(|half| B::float_slice(both.clone(), &part_of(3, 2, [half, half + 1, 1])))
}

fn sum_of(x: Tensor, over: Over) -> Tensor {
    let sum = B::float_sum_dim(x, 2);
    if over == Over::Plane { sum } else { B::float_sum_dim(sum, 0) }
}

fn mean_of(x: Tensor, over: Over) -> Tensor {
    let mean = B::float_mean_dim(x, 2);
    if over == Over::Plane { mean } else { B::float_mean_dim(mean, 0) }
}

/// 1 / n
#[expect(clippy::cast_precision_loss, reason = "counts lie below 2^53")]
fn share(shape: &[usize], over: Over) -> f64 {
    let planes = if over == Over::Plane { 1 } else { shape[0] };
    1.0 / (planes * shape[2] * shape[3]) as f64
}
