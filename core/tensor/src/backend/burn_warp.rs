//! Where warped images are sampled, computed on the device from a few numbers for each image: the bilinear mix of the four neighbours of
//! every position, neighbours outside the plane counting as zero.

use std::sync::{Mutex, PoisonError};

use burn_backend::{FloatDType, Scalar, Shape, TensorData};

use super::burn_array::{differs, float_type, int_type};
use super::calls::{Calls as B, Tensor};
use crate::device::BurnDevice;
use crate::resample_map::Lines;

const TAPS: usize = 4;

/// For the pixels of a plane with their four neighbours, `[1, 1, pixel and tap]`: row, column, and which neighbour in both directions.
#[derive(Clone)]
struct Plane {
    of: (BurnDevice, FloatDType, [usize; 2]),
    row: Tensor,
    column: Tensor,
    down: Tensor,
    right: Tensor,
}

/// Those of planes that have been used; there are as many as sizes of images.
static PLANES: Mutex<Vec<Plane>> = Mutex::new(Vec::new());

/// Indices and weights, `[image, 1, pixel and tap]`; `lines` gives source row and column as the map does.
pub(super) fn tables(size: [usize; 2], lines: &[Lines], like: &Tensor) -> (Tensor, Tensor) {
    let Plane { row, column, down, right, .. } = plane(size, like);
    let [rows, row_weight] = axis(size[0], [&row, &column, &down], |part| of_images(lines, like, |line| line[0][part]));
    let [columns, column_weight] =
        axis(size[1], [&column, &row, &right], |part| of_images(lines, like, |line| line[1][part]));
    let pixel = B::float_add(B::float_mul_scalar(rows, number(size[1])), columns);
    let index = B::float_into_int(pixel, int_type(&B::float_device(like)));
    (index, B::float_mul(row_weight, column_weight))
}

/// The neighbour along one axis, within the plane, and its weight.
fn axis(side: usize, [own, other, offset]: [&Tensor; 3], part: impl Fn(usize) -> Tensor) -> [Tensor; 2] {
    let mul = |a: &Tensor, b: Tensor| B::float_mul(a.clone(), b);
    let position = B::float_add(B::float_add(mul(own, part(1)), mul(other, part(2))), part(0));
    let neighbour = B::float_add(B::float_floor(position.clone()), offset.clone());
    let distance = B::float_abs(B::float_sub(position, neighbour.clone()));
    let weight = B::float_add_scalar(B::float_neg(distance), Scalar::from(1.0));
    let within = B::float_clamp(neighbour.clone(), Scalar::from(0.0), number(side - 1));
    let outside = differs(neighbour, within.clone());
    [within, B::float_mask_fill(weight, outside, Scalar::from(0.0))]
}

/// A number for each image, `[image, 1, 1]`.
fn of_images(lines: &[Lines], like: &Tensor, part: impl Fn(&Lines) -> f64) -> Tensor {
    given(lines.iter().map(part).collect(), [lines.len(), 1, 1], like)
}

fn plane([rows, columns]: [usize; 2], like: &Tensor) -> Plane {
    let of = (B::float_device(like), float_type(like), [rows, columns]);
    let mut known = PLANES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(plane) = known.iter().find(|plane| plane.of == of) {
        return plane.clone();
    }
    let count = rows * columns * TAPS;
    let each = |number: fn(usize, usize) -> usize| {
        #[expect(clippy::cast_precision_loss, reason = "sides of images are small")]
        let numbers = (0..count).map(|entry| number(entry, columns) as f64).collect();
        given(numbers, [1, 1, count], like)
    };
    let plane = Plane {
        row: each(|entry, columns| entry / TAPS / columns),
        column: each(|entry, columns| entry / TAPS % columns),
        down: each(|entry, _| entry % TAPS / 2),
        right: each(|entry, _| entry % 2),
        of,
    };
    known.push(plane.clone());
    plane
}

fn given(numbers: Vec<f64>, shape: [usize; 3], like: &Tensor) -> Tensor {
    let data = TensorData::new(numbers, Shape::from(shape)).convert_dtype(float_type(like).into());
    B::float_from_data(data, &B::float_device(like))
}

#[expect(clippy::cast_precision_loss, reason = "sides of images are small")]
fn number(side: usize) -> Scalar {
    Scalar::from(side as f64)
}
