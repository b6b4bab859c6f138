//! The angle of a cosine on a GPU: Vulkan's own is right to four digits only.

use burn_backend::TensorMetadata;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{CubeRuntime, cubecl};
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

const UNITS: u32 = 256;

pub(crate) fn launch<R: CubeRuntime>(x: CubeTensor<R>) -> CubeTensor<R> {
    let x = into_contiguous(x);
    let (client, shape) = (x.client.clone(), x.shape());
    let length = shape.iter().product();
    let y = empty_device_contiguous_dtype(client.clone(), x.device.clone(), shape, x.dtype);
    let dim = CubeDim::new_1d(UNITS);
    let count = calculate_cube_count_elemwise(&client, length, dim);
    acos::launch::<R>(&client, count, dim, x.into_array_arg(), y.clone().into_array_arg(), length);
    y
}

/// With the angle `v` of the sine `s`: `v = s + s^3 P(s^2) / Q(s^2)` for `s` up to 1/2, by the numbers of FreeBSD's `acosf`. Larger ones are
/// half angles.
#[cube(launch)]
fn acos(x: &Array<f32>, y: &mut Array<f32>, length: usize) {
    if ABSOLUTE_POS >= length {
        terminate!();
    }
    let x = x[ABSOLUTE_POS];
    let mut s = x;
    let mut z = x * x;
    let is_large = f32::abs(x) > 0.5f32;
    if is_large {
        z = (1.0f32 - f32::abs(x)) * 0.5f32;
        s = f32::sqrt(z);
    }
    let p = z * (0.166_665_87f32 + z * (-0.042_743_422f32 + z * -0.008_656_363f32));
    let v = s + s * (p / (1.0f32 + z * -0.706_629_6f32));
    let mut angle = comptime!(std::f32::consts::FRAC_PI_2) - v;
    if is_large {
        angle = v + v;
        if x < 0.0f32 {
            angle = comptime!(std::f32::consts::PI) - angle;
        }
    }
    y[ABSOLUTE_POS] = angle;
}
