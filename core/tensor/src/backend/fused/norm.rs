//! Normalisation with what follows it, and its first and second derivative, on a GPU: the formulas of [`pddflow_kernels::norm`], whose
//! letters are used here. A cube computes a group, which is a plane or all planes of a channel: its units take numbers in turn, and the
//! sums over the group are added up in an order that its size gives.

use burn_backend::{Shape, TensorMetadata};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{CubeRuntime, cubecl};
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

use super::super::burn_tensor::{Lower, Tensor as OfAny};
use super::super::failure::internal;
use crate::error::Result;
use crate::op::{Epilogue, Op, Over};

/// Most units of a cube.
const MOST_UNITS: usize = 256;
/// A quarter: of the mean of a window of 2x2.
const QUARTER: f32 = 0.25;

/// Planes, and what follows the normalisation; kernels are compiled for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Form {
    rows: usize,
    columns: usize,
    /// Whether a group is a channel.
    channels: bool,
    relu: bool,
    pool: bool,
}

/// Launches the kernel of an operation: its value and its saved values.
pub(super) fn launch<R: CubeRuntime>(op: &Op, inputs: &[OfAny], shape: &[usize]) -> Result<Vec<OfAny>>
where
    OfAny: Lower<CubeTensor<R>> + From<CubeTensor<R>>,
{
    let inputs: Vec<CubeTensor<R>> = inputs.iter().map(|input| into_contiguous(input.clone().lower())).collect();
    let (over, epilogue) = match op {
        Op::Norm { over, epilogue, .. }
        | Op::NormGradient { over, epilogue, .. }
        | Op::NormCurvature { over, epilogue, .. } => (*over, *epilogue),
        Op::ChannelStatistics { .. } => (Over::Channel, Epilogue::Identity),
        _ => return internal(op.name(), "no normalisation"),
    };
    let [images, channels, rows, columns] = inputs[0].shape().to_vec()[..] else {
        return internal(op.name(), "no planes");
    };
    let form = Form {
        rows,
        columns,
        channels: over == Over::Channel,
        relu: epilogue != Epilogue::Identity,
        pool: epilogue == Epilogue::ReluPool,
    };
    let like = &inputs[0];
    // Groups, and the planes of each.
    let (groups, planes) = match over {
        Over::Plane => (images * channels, 1),
        Over::Channel => (channels, images),
    };
    let empty = |shape: &[usize]| {
        empty_device_contiguous_dtype(like.client.clone(), like.device.clone(), Shape::from(shape), like.dtype)
    };
    let client = like.client.clone();
    let units = (planes * rows * columns).next_power_of_two().clamp(1, MOST_UNITS);
    #[expect(clippy::cast_possible_truncation, reason = "at most 256")]
    let dim = CubeDim::new_1d(units as u32);
    let count = calculate_cube_count_elemwise(&client, groups, CubeDim::new_single());
    let array = |tensor: &CubeTensor<R>| tensor.clone().into_array_arg();
    let given = |index: usize| array(&inputs[index]);
    let pairs = [over.rows(images), channels, 2];
    #[expect(clippy::cast_possible_truncation, reason = "in the type of the numbers")]
    let results = match (op, inputs.len()) {
        (Op::ChannelStatistics { eps }, 1) => {
            let results = vec![empty(&pairs)];
            let (statistics, eps) = (array(&results[0]), *eps as f32);
            moments::launch::<R>(&client, count, dim, given(0), statistics, eps, groups, channels, planes, form, units);
            results
        }
        (Op::Norm { eps, .. }, 3 | 4) => {
            let own = inputs.len() == 3;
            let results = if own { vec![empty(shape), empty(&pairs)] } else { vec![empty(shape)] };
            forward::launch::<R>(
                &client,
                count,
                dim,
                given(0),
                given(1),
                given(2),
                if own { array(&results[1]) } else { given(3) },
                array(&results[0]),
                *eps as f32,
                groups,
                channels,
                planes,
                own,
                form,
                units,
            );
            results
        }
        (Op::NormGradient { .. }, 5) => {
            let results = vec![empty(shape), empty(&pairs)];
            gradient::launch::<R>(
                &client,
                count,
                dim,
                given(0),
                given(1),
                given(2),
                given(3),
                given(4),
                array(&results[0]),
                array(&results[1]),
                groups,
                channels,
                planes,
                form,
                units,
            );
            results
        }
        (Op::NormCurvature { .. }, 8) => {
            let results = vec![empty(shape), empty(&inputs[4].shape().to_vec()), empty(&pairs[..2])];
            curvature::launch::<R>(
                &client,
                count,
                dim,
                given(0),
                given(1),
                given(2),
                given(3),
                given(4),
                given(5),
                given(6),
                given(7),
                array(&results[0]),
                array(&results[1]),
                array(&results[2]),
                groups,
                channels,
                planes,
                form,
                units,
            );
            results
        }
        _ => return internal(op.name(), "other inputs than it has"),
    };
    Ok(results.into_iter().map(OfAny::from).collect())
}

/// The sum over the units of a cube, in every unit.
#[cube]
fn total(value: f32, shared: &mut SharedMemory<f32>) -> f32 {
    let unit = UNIT_POS as usize;
    shared[unit] = value;
    sync_cube();
    let mut half = CUBE_DIM as usize / 2;
    while half > 0 {
        if unit < half {
            let other = shared[unit + half];
            shared[unit] += other;
        }
        sync_cube();
        half /= 2;
    }
    let sum = shared[0];
    // Before the next sum is begun.
    sync_cube();
    sum
}

/// Where a number of a group lies.
#[cube]
fn place(at: usize, group: usize, channels: usize, #[comptime] form: Form) -> usize {
    let length = comptime!(form.rows * form.columns);
    if comptime!(form.channels) { (at / length * channels + group) * length + at % length } else { group * length + at }
}

/// Where the result of a window of a group lies, and the first number of that window.
#[cube]
fn window(at: usize, group: usize, channels: usize, #[comptime] form: Form) -> (usize, usize) {
    let columns = comptime!(form.columns / 2);
    let results = comptime!(form.rows / 2 * columns);
    let mut plane = group;
    let mut within = at;
    if comptime!(form.channels) {
        plane = at / results * channels + group;
        within = at % results;
    }
    let corner = within / columns * comptime!(2 * form.columns) + within % columns * 2;
    (plane * results + within, plane * comptime!(form.rows * form.columns) + corner)
}

/// The gradient of the result by the number at a place, as if ReLU were open everywhere.
#[cube]
fn spread(g: &Array<f32>, place: usize, #[comptime] form: Form) -> f32 {
    if comptime!(form.pool) {
        let plane = place / comptime!(form.rows * form.columns);
        let at = place % comptime!(form.rows * form.columns);
        let rows = comptime!(form.rows / 2);
        let columns = comptime!(form.columns / 2);
        let row = at / comptime!(form.columns) / 2;
        let column = at % comptime!(form.columns) / 2;
        let mut u = 0.0f32;
        // The last row and column of an odd plane are in no window.
        if row < rows && column < columns {
            u = g[plane * comptime!(rows * columns) + row * columns + column] * comptime!(QUARTER);
        }
        u
    } else {
        g[place]
    }
}

/// What ReLU makes of `value` where the line is at `line`.
#[cube]
fn gated(value: f32, line: f32, #[comptime] form: Form) -> f32 {
    let mut value = value;
    if comptime!(form.relu) {
        if line <= 0.0f32 {
            value = 0.0f32;
        }
    }
    value
}

/// Mean and r of a group of so many numbers.
#[cube]
fn statistics_of(
    x: &Array<f32>,
    group: usize,
    channels: usize,
    count: usize,
    eps: f32,
    #[comptime] form: Form,
    #[comptime] units: usize,
) -> (f32, f32) {
    let mut shared = SharedMemory::<f32>::new(units);
    let share = 1.0f32 / f32::cast_from(count as u32);
    let mut sum = 0.0f32;
    let mut at = UNIT_POS as usize;
    while at < count {
        sum += x[place(at, group, channels, form)];
        at += units;
    }
    let mean = total(sum, &mut shared) * share;
    let mut squares = 0.0f32;
    let mut at = UNIT_POS as usize;
    while at < count {
        let centred = x[place(at, group, channels, form)] - mean;
        squares += centred * centred;
        at += units;
    }
    let variance = total(squares, &mut shared) * share;
    (mean, 1.0f32 / f32::sqrt(variance + eps))
}

#[cube(launch)]
fn moments(
    x: &Array<f32>,
    statistics: &mut Array<f32>,
    eps: f32,
    groups: usize,
    channels: usize,
    planes: usize,
    #[comptime] form: Form,
    #[comptime] units: usize,
) {
    let group = CUBE_POS;
    if group >= groups {
        terminate!();
    }
    let count = planes * comptime!(form.rows * form.columns);
    let (mean, r) = statistics_of(x, group, channels, count, eps, form, units);
    if UNIT_POS == 0 {
        statistics[2 * group] = mean;
        statistics[2 * group + 1] = r;
    }
}

/// The statistics are its `own`, which it writes, or given.
#[cube(launch)]
fn forward(
    x: &Array<f32>,
    weight: &Array<f32>,
    bias: &Array<f32>,
    statistics: &mut Array<f32>,
    y: &mut Array<f32>,
    eps: f32,
    groups: usize,
    channels: usize,
    planes: usize,
    #[comptime] own: bool,
    #[comptime] form: Form,
    #[comptime] units: usize,
) {
    let group = CUBE_POS;
    if group >= groups {
        terminate!();
    }
    let count = planes * comptime!(form.rows * form.columns);
    let channel = group % channels;
    if comptime!(own) {
        let (mean, r) = statistics_of(x, group, channels, count, eps, form, units);
        if UNIT_POS == 0 {
            statistics[2 * group] = mean;
            statistics[2 * group + 1] = r;
        }
        lines(x, weight[channel], bias[channel], mean, r, y, group, channels, planes, form, units);
    } else {
        let (mean, r) = (statistics[2 * group], statistics[2 * group + 1]);
        lines(x, weight[channel], bias[channel], mean, r, y, group, channels, planes, form, units);
    }
}

/// What is made of a group by its line.
#[cube]
fn lines(
    x: &Array<f32>,
    weight: f32,
    bias: f32,
    mean: f32,
    r: f32,
    y: &mut Array<f32>,
    group: usize,
    channels: usize,
    planes: usize,
    #[comptime] form: Form,
    #[comptime] units: usize,
) {
    let count = planes * comptime!(form.rows * form.columns);
    let (scale, shift) = (r * weight, bias);
    if comptime!(form.pool) {
        let results = planes * comptime!((form.rows / 2) * (form.columns / 2));
        let mut at = UNIT_POS as usize;
        while at < results {
            let (result, corner) = window(at, group, channels, form);
            let below = corner + comptime!(form.columns);
            let a = (x[corner] - mean) * scale + shift;
            let b = (x[corner + 1] - mean) * scale + shift;
            let c = (x[below] - mean) * scale + shift;
            let d = (x[below + 1] - mean) * scale + shift;
            let upper = gated(a, a, form) + gated(b, b, form);
            let lower = gated(c, c, form) + gated(d, d, form);
            y[result] = (upper + lower) * comptime!(QUARTER);
            at += units;
        }
    } else {
        let mut at = UNIT_POS as usize;
        while at < count {
            let here = place(at, group, channels, form);
            let line = (x[here] - mean) * scale + shift;
            y[here] = gated(line, line, form);
            at += units;
        }
    }
}

#[cube(launch)]
fn gradient(
    x: &Array<f32>,
    weight: &Array<f32>,
    bias: &Array<f32>,
    statistics: &Array<f32>,
    g: &Array<f32>,
    by_x: &mut Array<f32>,
    sums: &mut Array<f32>,
    groups: usize,
    channels: usize,
    planes: usize,
    #[comptime] form: Form,
    #[comptime] units: usize,
) {
    let group = CUBE_POS;
    if group >= groups {
        terminate!();
    }
    let count = planes * comptime!(form.rows * form.columns);
    let share = 1.0f32 / f32::cast_from(count as u32);
    let channel = group % channels;
    let (mean, r) = (statistics[2 * group], statistics[2 * group + 1]);
    let (scale, shift) = (r * weight[channel], bias[channel]);
    let mut shared = SharedMemory::<f32>::new(units);

    let mut sum = 0.0f32;
    let mut along = 0.0f32;
    let mut at = UNIT_POS as usize;
    while at < count {
        let here = place(at, group, channels, form);
        let centred = x[here] - mean;
        let u = gated(spread(g, here, form), centred * scale + shift, form);
        sum += u;
        along += u * (centred * r);
        at += units;
    }
    let sum = total(sum, &mut shared);
    let along = total(along, &mut shared);
    if UNIT_POS == 0 {
        sums[2 * group] = sum;
        sums[2 * group + 1] = along;
    }

    let mut at = UNIT_POS as usize;
    while at < count {
        let here = place(at, group, channels, form);
        let centred = x[here] - mean;
        let u = gated(spread(g, here, form), centred * scale + shift, form);
        by_x[here] = (u - sum * share - centred * r * (along * share)) * scale;
        at += units;
    }
}

/// `weight S(c) + s0 + s1 x̂` where it is open.
#[cube]
fn slope(
    x: f32,
    c: f32,
    mean: f32,
    r: f32,
    scale: f32,
    shift: f32,
    of_u: f32,
    rest: f32,
    #[comptime] form: Form,
) -> f32 {
    let centred = x - mean;
    gated(c * scale + (centred * r * of_u + rest), centred * scale + shift, form)
}

#[cube(launch)]
fn curvature(
    x: &Array<f32>,
    weight: &Array<f32>,
    bias: &Array<f32>,
    statistics: &Array<f32>,
    g: &Array<f32>,
    sums: &Array<f32>,
    c: &Array<f32>,
    s: &Array<f32>,
    by_x: &mut Array<f32>,
    by_g: &mut Array<f32>,
    by_weight: &mut Array<f32>,
    groups: usize,
    channels: usize,
    planes: usize,
    #[comptime] form: Form,
    #[comptime] units: usize,
) {
    let group = CUBE_POS;
    if group >= groups {
        terminate!();
    }
    let count = planes * comptime!(form.rows * form.columns);
    let share = 1.0f32 / f32::cast_from(count as u32);
    let channel = group % channels;
    let (mean, r) = (statistics[2 * group], statistics[2 * group + 1]);
    let (scale, shift) = (r * weight[channel], bias[channel]);
    let (sum, product) = (sums[2 * group] * share, sums[2 * group + 1] * share);
    let mut shared = SharedMemory::<f32>::new(units);

    let mut of_c = 0.0f32;
    let mut of_c_standard = 0.0f32;
    let mut of_both = 0.0f32;
    let mut at = UNIT_POS as usize;
    while at < count {
        let here = place(at, group, channels, form);
        let centred = x[here] - mean;
        let u = gated(spread(g, here, form), centred * scale + shift, form);
        let c = c[here];
        of_c += c;
        of_c_standard += c * (centred * r);
        of_both += u * c;
        at += units;
    }
    let c_sum = total(of_c, &mut shared) * share;
    let c_product = total(of_c_standard, &mut shared) * share;
    let both = total(of_both, &mut shared) * share;
    let inner = (both - c_sum * sum - c_product * product) * r;
    if UNIT_POS == 0 {
        by_weight[group] = inner * f32::cast_from(count as u32);
    }

    let of_u = s[2 * group + 1] - scale * c_product;
    let rest = s[2 * group] - scale * c_sum;
    if comptime!(form.pool) {
        let results = planes * comptime!((form.rows / 2) * (form.columns / 2));
        let mut at = UNIT_POS as usize;
        while at < results {
            let (result, corner) = window(at, group, channels, form);
            let below = corner + comptime!(form.columns);
            let upper = slope(x[corner], c[corner], mean, r, scale, shift, of_u, rest, form)
                + slope(x[corner + 1], c[corner + 1], mean, r, scale, shift, of_u, rest, form);
            let lower = slope(x[below], c[below], mean, r, scale, shift, of_u, rest, form)
                + slope(x[below + 1], c[below + 1], mean, r, scale, shift, of_u, rest, form);
            by_g[result] = (upper + lower) * comptime!(QUARTER);
            at += units;
        }
    } else {
        let mut at = UNIT_POS as usize;
        while at < count {
            let here = place(at, group, channels, form);
            by_g[here] = slope(x[here], c[here], mean, r, scale, shift, of_u, rest, form);
            at += units;
        }
    }

    // By x, the sum of multiples of u, c, x̂ and 1, with the sign of c's turned.
    let times_c = scale * product;
    let of_x = scale * inner + r * (of_u * product - times_c * c_product);
    let constant = r * (of_u * sum - times_c * c_sum);
    let mut at = UNIT_POS as usize;
    while at < count {
        let here = place(at, group, channels, form);
        let centred = x[here] - mean;
        let u = gated(spread(g, here, form), centred * scale + shift, form);
        let first = u * (of_u * r) - c[here] * (times_c * r);
        by_x[here] = first - (centred * r * of_x + constant);
        at += units;
    }
}
