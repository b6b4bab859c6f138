//! `dw[o, tap] = sum over images, rows, columns of g[o, row, column] * x[tap shifted to row, column]`:
//! sums in registers along the columns, their lanes added at the end.

use super::{Frame, Geometry, TASK_WORK, registers};
use crate::buffer::{Scratch, items_per_task};
use crate::conv::im2col::add_in_order;
use crate::parallel::map;
use crate::vector::{Vector, VectorKernel, dispatch, lanes};

/// Taps of a block of sums: a row of a 3x3 kernel. Output channels fill the registers up: their gradients are read where they
/// lie, while most taps straddle two cache lines.
const TAPS: usize = 3;
/// Images whose frames are made at a time.
const IMAGES: usize = 4;
/// Partial results at most: fixed, so that their sum is.
const MAX_PARTIALS: usize = 64;

/// The gradient with respect to `w`.
pub(crate) fn weight_gradient(x: &[f32], g: &[f32], geometry: &Geometry) -> Vec<f32> {
    let images = items_per_task(geometry.flops() / 2, TASK_WORK).max(geometry.images.div_ceil(MAX_PARTIALS));
    add_in_order(map(geometry.images.div_ceil(images), |task| {
        let images = task * images..((task + 1) * images).min(geometry.images);
        dispatch(WeightGradient { x, g, geometry, images })
    }))
}

#[expect(clippy::cast_possible_wrap, reason = "paddings are small")]
fn frame(geometry: &Geometry) -> Frame {
    Frame {
        height: geometry.height,
        width: geometry.width,
        before: geometry.padding.map(|padding| padding as isize),
        rows: geometry.out_height + geometry.kernel[0] - 1,
        columns: geometry.out_width.next_multiple_of(lanes()) + geometry.kernel[1] - 1,
    }
}

struct WeightGradient<'a> {
    x: &'a [f32],
    g: &'a [f32],
    geometry: &'a Geometry,
    images: std::ops::Range<usize>,
}

impl VectorKernel for WeightGradient<'_> {
    type Output = Vec<f32>;
    #[inline(always)]
    unsafe fn run<V: Vector>(self) -> Vec<f32> {
        // SAFETY: passed on.
        unsafe { if V::SUMS >= 24 { self.total::<V, 8>() } else { self.total::<V, 4>() } }
    }
}

impl WeightGradient<'_> {
    /// `C` output channels at a time.
    #[inline(always)]
    unsafe fn total<V: Vector, const C: usize>(self) -> Vec<f32> {
        let Self { x, g, geometry, images } = self;
        let frame = frame(geometry);
        let [kh, kw] = geometry.kernel;
        let offset = |tap: usize| tap / (kh * kw) * frame.len() + tap / kw % kh * frame.columns + tap % kw;
        let registers: Vec<[usize; 3]> = registers(geometry.out_height, geometry.out_width, V::LANES).collect();
        let mut scratch = Scratch::new(IMAGES * geometry.inputs * frame.len());
        let mut total = vec![0.0; geometry.outputs * geometry.taps()];
        for first in images.clone().step_by(IMAGES) {
            let count = IMAGES.min(images.end - first);
            // SAFETY: the frames fit the scratch memory.
            unsafe { frame.fill(&x[first * geometry.image()..], count * geometry.inputs, scratch.start()) };
            let part = Part {
                g: &g[first * geometry.out_image()..][..count * geometry.out_image()],
                geometry,
                frame: &frame,
                frames: scratch.start(),
                registers: &registers,
            };
            for output in (0..geometry.outputs).step_by(C) {
                // Channels and taps beyond the last are computed twice and not kept.
                let mut outputs = [output; C];
                for (index, place) in outputs.iter_mut().enumerate() {
                    *place = (output + index).min(geometry.outputs - 1);
                }
                for tap in (0..geometry.taps()).step_by(TAPS) {
                    let mut offsets = [0; TAPS];
                    for (index, place) in offsets.iter_mut().enumerate() {
                        *place = offset((tap + index).min(geometry.taps() - 1));
                    }
                    // SAFETY: taps and registers stay within the frames.
                    let sums = unsafe { sums::<V, C>(part, outputs, offsets) };
                    let channels = C.min(geometry.outputs - output);
                    for (output, sums) in (output..).zip(&sums[..channels]) {
                        let total = &mut total[output * geometry.taps()..][tap..geometry.taps()];
                        for (total, sum) in total.iter_mut().zip(sums) {
                            *total += sum;
                        }
                    }
                }
            }
        }
        total
    }
}

/// Some images with their frames.
#[derive(Clone, Copy)]
struct Part<'a> {
    g: &'a [f32],
    geometry: &'a Geometry,
    frame: &'a Frame,
    frames: *const f32,
    registers: &'a [[usize; 3]],
}

#[inline(always)]
unsafe fn sums<V: Vector, const C: usize>(
    part: Part<'_>,
    outputs: [usize; C],
    offsets: [usize; TAPS],
) -> [[f32; TAPS]; C] {
    let Part { geometry, frame, .. } = part;
    // SAFETY: taps and registers stay within the frames and the planes of `g`.
    unsafe {
        let mut sums = [[V::splat(0.0); TAPS]; C];
        for (image, g) in part.g.chunks_exact(geometry.out_image()).enumerate() {
            let frames = part.frames.add(image * geometry.inputs * frame.len());
            for &[row, column, columns] in part.registers {
                let from = frames.add(row * frame.columns + column);
                let mut gradients = [V::splat(0.0); C];
                for (gradient, output) in gradients.iter_mut().zip(outputs) {
                    let g = g.as_ptr().add(output * geometry.out_plane() + row * geometry.out_width + column);
                    *gradient = if columns == V::LANES { V::load(g) } else { V::load_first(g, columns) };
                }
                for (tap, offset) in offsets.into_iter().enumerate() {
                    let x = V::load(from.add(offset));
                    for (sums, gradient) in sums.iter_mut().zip(gradients) {
                        sums[tap] = sums[tap].add_product(gradient, x);
                    }
                }
            }
        }
        let mut totals = [[0.0; TAPS]; C];
        for (totals, sums) in totals.iter_mut().zip(sums) {
            for (total, sum) in totals.iter_mut().zip(sums) {
                *total = sum.total();
            }
        }
        totals
    }
}
