//! `dx[i, row, column] = sum over o, taps of w[o, i, tap] * g[o, row and column shifted back by the tap]`.

use super::{Frame, Geometry, TASK_WORK, registers};
use crate::buffer::{Scratch, Shared, build, items_per_task};
use crate::parallel::for_each;
use crate::vector::{Vector, VectorKernel, dispatch, lanes};

/// Output channels whose frames are made at a time: they stay in the second-level cache.
const CHANNELS: usize = 16;
/// Registers of the plane that a block of sums covers, for one to four input channels and 24 sums.
const PLACES: [usize; 4] = [16, 12, 8, 6];

/// The gradient with respect to the input.
pub(crate) fn input_gradient(g: &[f32], w: &[f32], geometry: &Geometry) -> Vec<f32> {
    let images = items_per_task(geometry.flops() / 2, TASK_WORK);
    // SAFETY: the tasks cover all images, and each fills its own.
    unsafe {
        build(geometry.images * geometry.image(), |out| {
            let out = Shared::new(out.as_mut_ptr().cast::<f32>());
            for_each(geometry.images.div_ceil(images), true, |task| {
                let images = task * images..((task + 1) * images).min(geometry.images);
                dispatch(InputGradient { g, w, geometry, images, out });
            });
        })
    }
}

#[expect(clippy::cast_possible_wrap, reason = "kernels and paddings are small")]
fn frame(geometry: &Geometry) -> Frame {
    let before = |axis: usize| geometry.kernel[axis] as isize - 1 - geometry.padding[axis] as isize;
    Frame {
        height: geometry.out_height,
        width: geometry.out_width,
        before: [before(0), before(1)],
        rows: geometry.height + geometry.kernel[0] - 1,
        columns: geometry.width.next_multiple_of(lanes()) + geometry.kernel[1] - 1,
    }
}

struct InputGradient<'a> {
    g: &'a [f32],
    w: &'a [f32],
    geometry: &'a Geometry,
    images: std::ops::Range<usize>,
    out: Shared<f32>,
}

impl VectorKernel for InputGradient<'_> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        // SAFETY: passed on.
        unsafe {
            match (self.geometry.inputs, V::SUMS >= 24) {
                (1, true) => self.images_of::<V, 1, { PLACES[0] }>(),
                (2, true) => self.images_of::<V, 2, { PLACES[1] }>(),
                (3, true) => self.images_of::<V, 3, { PLACES[2] }>(),
                (_, true) => self.images_of::<V, 4, { PLACES[3] }>(),
                (1, false) => self.images_of::<V, 1, { PLACES[0] / 2 }>(),
                (2, false) => self.images_of::<V, 2, { PLACES[1] / 2 }>(),
                (3, false) => self.images_of::<V, 3, { PLACES[2] / 2 }>(),
                (_, false) => self.images_of::<V, 4, { PLACES[3] / 2 }>(),
            }
        }
    }
}

impl InputGradient<'_> {
    #[inline(always)]
    unsafe fn images_of<V: Vector, const I: usize, const P: usize>(self) {
        let geometry = self.geometry;
        let frame = frame(geometry);
        let registers: Vec<[usize; 3]> = registers(geometry.height, geometry.width, V::LANES).collect();
        let mut scratch = Scratch::new(CHANNELS * frame.len());
        for image in self.images.clone() {
            for first in (0..geometry.outputs).step_by(CHANNELS) {
                let count = CHANNELS.min(geometry.outputs - first);
                // SAFETY: the frames fit the scratch memory; the image is written by this task only.
                unsafe {
                    let g = &self.g[image * geometry.out_image() + first * geometry.out_plane()..];
                    frame.fill(g, count, scratch.start());
                    let part = Part {
                        w: &self.w[first * geometry.taps()..][..count * geometry.taps()],
                        geometry,
                        frame: &frame,
                        frames: scratch.start(),
                        out: self.out.at(image * geometry.image()),
                        add: first > 0,
                    };
                    for places in registers.chunks(P) {
                        sums::<V, I, P>(part, places);
                    }
                }
            }
        }
    }
}

/// Some output channels of an image.
#[derive(Clone, Copy)]
struct Part<'a> {
    w: &'a [f32],
    geometry: &'a Geometry,
    frame: &'a Frame,
    frames: *const f32,
    out: *mut f32,
    /// Adds to the result instead of writing it.
    add: bool,
}

#[inline(always)]
unsafe fn sums<V: Vector, const I: usize, const P: usize>(part: Part<'_>, places: &[[usize; 3]]) {
    let Part { geometry, frame, .. } = part;
    let [kh, kw] = geometry.kernel;
    // SAFETY: places and taps stay within the frames and the planes of the result; places that do
    // not exist read the first one and are not written.
    unsafe {
        let mut from = [part.frames; P];
        for (from, &[row, column, _]) in from.iter_mut().zip(places) {
            *from = part.frames.add(row * frame.columns + column);
        }
        let mut sums = [[V::splat(0.0); I]; P];
        for (channel, w) in part.w.chunks_exact(geometry.taps()).enumerate() {
            for tap in 0..kh * kw {
                let mut weights = [V::splat(0.0); I];
                for (input, weight) in weights.iter_mut().enumerate() {
                    *weight = V::splat(*w.get_unchecked(input * kh * kw + tap));
                }
                let (row, column) = (kh - 1 - tap / kw, kw - 1 - tap % kw);
                let offset = channel * frame.len() + row * frame.columns + column;
                for (sums, from) in sums.iter_mut().zip(from) {
                    let g = V::load(from.add(offset));
                    for (sum, weight) in sums.iter_mut().zip(weights) {
                        *sum = sum.add_product(weight, g);
                    }
                }
            }
        }
        for (sums, &[row, column, columns]) in sums.into_iter().zip(places) {
            for (input, sum) in sums.into_iter().enumerate() {
                let to = part.out.add(input * geometry.plane() + row * geometry.width + column);
                let before = if part.add { V::load_first(to, columns) } else { V::splat(0.0) };
                before.add(sum).store_first(to, columns);
            }
        }
    }
}
