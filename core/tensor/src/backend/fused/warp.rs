//! Where warped images are sampled, on a GPU: see [`tables`](super::warp_tables).

use burn_backend::Shape;
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use burn_cubecl::{CubeRuntime, cubecl};
use cubecl::calculate_cube_count_elemwise;
use cubecl::prelude::*;

const UNITS: u32 = 256;

/// Pixels and weights.
pub(super) fn launch<R: CubeRuntime>(lines: CubeTensor<R>, size: [usize; 2], shape: [usize; 3]) -> [CubeTensor<R>; 2] {
    let lines = into_contiguous(lines);
    let client = lines.client.clone();
    let length = shape.iter().product();
    let empty = || empty_device_contiguous_dtype(client.clone(), lines.device.clone(), Shape::from(shape), lines.dtype);
    let results = [empty(), empty()];
    let dim = CubeDim::new_1d(UNITS);
    sample::launch::<R>(
        &client,
        calculate_cube_count_elemwise(&client, length, dim),
        dim,
        lines.into_array_arg(),
        results[0].clone().into_array_arg(),
        results[1].clone().into_array_arg(),
        size[0],
        size[1],
        length,
    );
    results
}

#[cube(launch)]
fn sample(
    lines: &Array<f32>,
    pixel: &mut Array<f32>,
    weight: &mut Array<f32>,
    rows: usize,
    columns: usize,
    length: usize,
) {
    let at = ABSOLUTE_POS;
    if at >= length {
        terminate!();
    }
    let line = at / (rows * columns * 4) * 6;
    let place = at / 4 % (rows * columns);
    let row = f32::cast_from((place / columns) as u32);
    let column = f32::cast_from((place % columns) as u32);
    let from_row = row * lines[line + 1] + column * lines[line + 2] + lines[line];
    let from_column = column * lines[line + 4] + row * lines[line + 5] + lines[line + 3];
    let near_row = f32::floor(from_row) + f32::cast_from((at % 4 / 2) as u32);
    let near_column = f32::floor(from_column) + f32::cast_from((at % 2) as u32);
    let last_row = f32::cast_from(rows as u32) - 1.0f32;
    let last_column = f32::cast_from(columns as u32) - 1.0f32;
    let inside_row = f32::max(f32::min(near_row, last_row), 0.0f32);
    let inside_column = f32::max(f32::min(near_column, last_column), 0.0f32);
    let mut share = (1.0f32 - f32::abs(from_row - near_row)) * (1.0f32 - f32::abs(from_column - near_column));
    if inside_row != near_row || inside_column != near_column {
        share = 0.0f32;
    }
    pixel[at] = inside_row * f32::cast_from(columns as u32) + inside_column;
    weight[at] = share;
}
