//! Convolution of any geometry: patches of an image as a matrix, and one product per image.

use super::geometry::Geometry;
use crate::Real;
use crate::buffer::{build, items_per_task};
use crate::matmul::{Matrix, gemm_add, gemm_into, product};
use crate::parallel::{chunks, map};

/// Floating point operations of one parallel task, about 20 us on a core.
const TASK_FLOPS: usize = 1 << 21;
/// Partial weight gradients at most: bounds their memory, and is fixed so that their sum is.
const MAX_PARTIALS: usize = 32;

pub(super) fn forward<T: Real>(x: &[T], w: &[T], bias: Option<&[T]>, geometry: &Geometry) -> Vec<T> {
    let (out_plane, taps) = (geometry.out_plane(), geometry.taps());
    let images = items_per_task(geometry.flops(), TASK_FLOPS);
    // SAFETY: the chunks cover the result in whole images, and every image is filled by its product.
    unsafe {
        build(geometry.images * geometry.out_image(), |out| {
            chunks(out, images * geometry.out_image(), |index, out| {
                let mut patches = vec![T::ZERO; taps * out_plane];
                for (i, out) in out.chunks_mut(geometry.out_image()).enumerate() {
                    let x = &x[(index * images + i) * geometry.image()..][..geometry.image()];
                    unfold(x, geometry, &mut patches);
                    gemm_into(
                        [geometry.outputs, taps, out_plane],
                        Matrix::rows(w, taps),
                        Matrix::rows(&patches, out_plane),
                        out,
                    );
                    if let Some(bias) = bias {
                        for (out, &bias) in out.chunks_mut(out_plane).zip(bias) {
                            for out in out {
                                // SAFETY: written by the product above.
                                let value = out.assume_init_read();
                                out.write(value + bias);
                            }
                        }
                    }
                }
            });
        })
    }
}

pub(super) fn input_gradient<T: Real>(g: &[T], w: &[T], geometry: &Geometry) -> Vec<T> {
    let (out_plane, taps) = (geometry.out_plane(), geometry.taps());
    let images = items_per_task(geometry.flops(), TASK_FLOPS);
    let mut out = vec![T::ZERO; geometry.images * geometry.image()];
    chunks(&mut out, images * geometry.image(), |index, out| {
        for (i, out) in out.chunks_mut(geometry.image()).enumerate() {
            let g = &g[(index * images + i) * geometry.out_image()..][..geometry.out_image()];
            let patches =
                product([taps, geometry.outputs, out_plane], Matrix::columns(w, taps), Matrix::rows(g, out_plane));
            fold(&patches, geometry, out);
        }
    });
    out
}

pub(super) fn weight_gradient<T: Real>(x: &[T], g: &[T], geometry: &Geometry) -> Vec<T> {
    let (out_plane, taps) = (geometry.out_plane(), geometry.taps());
    let images = items_per_task(geometry.flops(), TASK_FLOPS).max(geometry.images.div_ceil(MAX_PARTIALS));
    let partials = map(geometry.images.div_ceil(images), |task| {
        let mut sum = vec![T::ZERO; geometry.outputs * taps];
        let mut patches = vec![T::ZERO; taps * out_plane];
        for image in task * images..((task + 1) * images).min(geometry.images) {
            unfold(&x[image * geometry.image()..][..geometry.image()], geometry, &mut patches);
            gemm_add(
                [geometry.outputs, out_plane, taps],
                Matrix::rows(&g[image * geometry.out_image()..][..geometry.out_image()], out_plane),
                Matrix::columns(&patches, out_plane),
                &mut sum,
            );
        }
        sum
    });
    add_in_order(partials)
}

/// The sum of equally long vectors, in their order.
pub(super) fn add_in_order<T: Real>(partials: Vec<Vec<T>>) -> Vec<T> {
    let mut partials = partials.into_iter();
    let mut total = partials.next().unwrap_or_default();
    for partial in partials {
        for (total, value) in total.iter_mut().zip(partial) {
            *total += value;
        }
    }
    total
}

/// Calls `visit(tap, kernel row, kernel column, channel)` in the order of the weights.
fn for_taps(geometry: &Geometry, mut visit: impl FnMut(usize, usize, usize, usize)) {
    let [kh, kw] = geometry.kernel;
    for tap in 0..geometry.taps() {
        visit(tap, tap / kw % kh, tap % kw, tap / (kh * kw));
    }
}

/// First and last-but-one output position whose input `position * stride + tap - padding` exists.
fn inside(tap: usize, padding: usize, stride: usize, size: usize, out_size: usize) -> (usize, usize) {
    let start = padding.saturating_sub(tap).div_ceil(stride);
    let end = (size + padding).saturating_sub(tap).div_ceil(stride).min(out_size);
    (start.min(end), end)
}

/// One image as a matrix `[tap, output position]`.
fn unfold<T: Real>(x: &[T], geometry: &Geometry, patches: &mut [T]) {
    let out_plane = geometry.out_plane();
    for_taps(geometry, |tap, r, c, channel| {
        let x = &x[channel * geometry.plane()..][..geometry.plane()];
        let patches = &mut patches[tap * out_plane..][..out_plane];
        let (top, bottom) = inside(r, geometry.padding[0], geometry.stride[0], geometry.height, geometry.out_height);
        let (left, right) = inside(c, geometry.padding[1], geometry.stride[1], geometry.width, geometry.out_width);
        for (row, out) in patches.chunks_mut(geometry.out_width).enumerate() {
            if row < top || row >= bottom || left == right {
                out.fill(T::ZERO);
                continue;
            }
            let from = (row * geometry.stride[0] + r - geometry.padding[0]) * geometry.width;
            let first = from + left * geometry.stride[1] + c - geometry.padding[1];
            out[..left].fill(T::ZERO);
            out[right..].fill(T::ZERO);
            if geometry.stride[1] == 1 {
                out[left..right].copy_from_slice(&x[first..first + right - left]);
            } else {
                for (out, &x) in out[left..right].iter_mut().zip(x[first..].iter().step_by(geometry.stride[1])) {
                    *out = x;
                }
            }
        }
    });
}

/// The transpose of [`unfold`]: adds a matrix `[tap, output position]` into an image.
fn fold<T: Real>(patches: &[T], geometry: &Geometry, x: &mut [T]) {
    let out_plane = geometry.out_plane();
    for_taps(geometry, |tap, r, c, channel| {
        let x = &mut x[channel * geometry.plane()..][..geometry.plane()];
        let patches = &patches[tap * out_plane..][..out_plane];
        let (top, bottom) = inside(r, geometry.padding[0], geometry.stride[0], geometry.height, geometry.out_height);
        let (left, right) = inside(c, geometry.padding[1], geometry.stride[1], geometry.width, geometry.out_width);
        if left == right {
            return;
        }
        for row in top..bottom {
            let patch = &patches[row * geometry.out_width..][left..right];
            let from = (row * geometry.stride[0] + r - geometry.padding[0]) * geometry.width;
            let first = from + left * geometry.stride[1] + c - geometry.padding[1];
            for (x, &value) in x[first..].iter_mut().step_by(geometry.stride[1]).zip(patch) {
                *x += value;
            }
        }
    });
}
