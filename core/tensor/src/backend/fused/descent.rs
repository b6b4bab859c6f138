//! A step of gradient descent on a GPU.

use burn_backend::{Shape, TensorMetadata};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{CubeRuntime, cubecl};
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

use crate::op::Descent;

const UNITS: u32 = 256;

/// What a step has; kernels are compiled for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Form {
    decays: bool,
    /// Whether there is a buffer to be read.
    buffered: bool,
    nesterov: bool,
}

/// The weight after the step, and the buffer.
pub(super) fn launch<R: CubeRuntime>(
    rule: &Descent,
    weight: CubeTensor<R>,
    gradient: CubeTensor<R>,
    buffer: Option<CubeTensor<R>>,
) -> [CubeTensor<R>; 2] {
    let form = Form { decays: rule.weight_decay != 0.0, buffered: buffer.is_some(), nesterov: rule.nesterov };
    let (weight, gradient) = (into_contiguous(weight), into_contiguous(gradient));
    let buffer = buffer.map_or_else(|| gradient.clone(), into_contiguous);
    let (client, shape) = (weight.client.clone(), weight.shape());
    let length = shape.iter().product();
    let empty =
        |shape: Shape| empty_device_contiguous_dtype(client.clone(), weight.device.clone(), shape, weight.dtype);
    let results = [empty(shape.clone()), empty(shape)];
    let dim = CubeDim::new_1d(UNITS);
    #[expect(clippy::cast_possible_truncation, reason = "in the type of the numbers")]
    let [lr, momentum, decay] = [rule.lr, rule.momentum, rule.weight_decay].map(|number| number as f32);
    step::launch::<R>(
        &client,
        calculate_cube_count_elemwise(&client, length, dim),
        dim,
        weight.into_array_arg(),
        gradient.into_array_arg(),
        buffer.into_array_arg(),
        results[0].clone().into_array_arg(),
        results[1].clone().into_array_arg(),
        lr,
        momentum,
        decay,
        length,
        form,
    );
    results
}

#[cube(launch)]
fn step(
    weight: &Array<f32>,
    gradient: &Array<f32>,
    buffer: &Array<f32>,
    moved_weight: &mut Array<f32>,
    moved_buffer: &mut Array<f32>,
    lr: f32,
    momentum: f32,
    decay: f32,
    length: usize,
    #[comptime] form: Form,
) {
    let at = ABSOLUTE_POS;
    if at >= length {
        terminate!();
    }
    let mut slope = gradient[at];
    if comptime!(form.decays) {
        slope += weight[at] * decay;
    }
    let mut moved = slope;
    if comptime!(form.buffered) {
        moved = buffer[at] * momentum + slope;
    }
    let mut along = moved;
    if comptime!(form.nesterov) {
        along = slope + moved * momentum;
    }
    moved_weight[at] = weight[at] - along * lr;
    moved_buffer[at] = moved;
}
