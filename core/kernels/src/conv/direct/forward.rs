//! `out[o, row, column] = sum over taps of w[o, tap] * x[tap shifted to row, column]`.

use super::{Frame, Geometry, TASK_WORK, registers};
use crate::buffer::{Scratch, Shared, build, items_per_task};
use crate::parallel::for_each;
use crate::vector::{Vector, VectorKernel, block_rows, dispatch, lanes};

/// Registers of the plane that a block of sums covers.
const PLACES: usize = 2;

/// The convolution of `x` with `w`, plus `bias`.
pub(crate) fn forward(x: &[f32], w: &[f32], bias: Option<&[f32]>, geometry: &Geometry) -> Vec<f32> {
    let images = items_per_task(geometry.flops() / 2, TASK_WORK);
    // SAFETY: the tasks cover all images, and each fills its own.
    unsafe {
        build(geometry.images * geometry.out_image(), |out| {
            let out = Shared::new(out.as_mut_ptr().cast::<f32>());
            for_each(geometry.images.div_ceil(images), true, |task| {
                let images = task * images..((task + 1) * images).min(geometry.images);
                dispatch(Forward { x, w, bias, geometry, images, out });
            });
        })
    }
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

/// Offsets of the taps within the frames of an image.
fn taps(geometry: &Geometry, frame: &Frame) -> Vec<usize> {
    let [kh, kw] = geometry.kernel;
    (0..geometry.taps()).map(|tap| tap / (kh * kw) * frame.len() + tap / kw % kh * frame.columns + tap % kw).collect()
}

struct Forward<'a> {
    x: &'a [f32],
    w: &'a [f32],
    bias: Option<&'a [f32]>,
    geometry: &'a Geometry,
    images: std::ops::Range<usize>,
    out: Shared<f32>,
}

impl VectorKernel for Forward<'_> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { x, w, bias, geometry, images, out } = self;
        let frame = frame(geometry);
        let taps = taps(geometry, &frame);
        let registers: Vec<[usize; 3]> = registers(geometry.out_height, geometry.out_width, V::LANES).collect();
        let mut scratch = Scratch::new(geometry.inputs * frame.len());
        for image in images {
            // SAFETY: the frames of an image fit the scratch memory; offsets of taps stay in them; the
            // image's outputs are written by this task only.
            unsafe {
                frame.fill(&x[image * geometry.image()..], geometry.inputs, scratch.start());
                let mut first = 0;
                while first < geometry.outputs {
                    let count = block_rows(geometry.outputs - first, V::SUMS / PLACES);
                    let part = Part {
                        w: &w[first * taps.len()..],
                        bias: bias.map(|bias| &bias[first..]),
                        taps: &taps,
                        plane: geometry.out_plane(),
                        out: out.at((image * geometry.outputs + first) * geometry.out_plane()),
                    };
                    for places in registers.chunks(PLACES) {
                        let spot = Spot::new(places, &frame, geometry.out_width, scratch.start());
                        some_rows::<V>(part, spot, count);
                    }
                    first += count;
                }
            }
        }
    }
}

/// Some output channels of an image.
#[derive(Clone, Copy)]
struct Part<'a> {
    w: &'a [f32],
    bias: Option<&'a [f32]>,
    taps: &'a [usize],
    plane: usize,
    out: *mut f32,
}

/// Where a block of sums reads and writes; the second place repeats the first when there is none.
#[derive(Clone, Copy)]
struct Spot {
    from: [*const f32; PLACES],
    to: [usize; PLACES],
    columns: [usize; PLACES],
}

impl Spot {
    fn new(places: &[[usize; 3]], frame: &Frame, width: usize, frames: *const f32) -> Self {
        let mut spot = Self { from: [frames; PLACES], to: [0; PLACES], columns: [0; PLACES] };
        for (index, &[row, column, columns]) in places.iter().enumerate() {
            spot.from[index] = frames.wrapping_add(row * frame.columns + column);
            spot.to[index] = row * width + column;
            spot.columns[index] = columns;
        }
        spot
    }
}

#[inline(always)]
unsafe fn some_rows<V: Vector>(part: Part<'_>, spot: Spot, count: usize) {
    // SAFETY: passed on.
    unsafe {
        match count {
            12 => sums::<V, 12>(part, spot),
            8 => sums::<V, 8>(part, spot),
            6 => sums::<V, 6>(part, spot),
            4 => sums::<V, 4>(part, spot),
            2 => sums::<V, 2>(part, spot),
            _ => sums::<V, 1>(part, spot),
        }
    }
}

#[inline(always)]
unsafe fn sums<V: Vector, const R: usize>(part: Part<'_>, spot: Spot) {
    // SAFETY: offsets of taps stay within the frames, rows within the weights, places within the
    // planes of outputs.
    unsafe {
        let mut sums = [[V::splat(0.0); PLACES]; R];
        if let Some(bias) = part.bias {
            for (sums, &bias) in sums.iter_mut().zip(bias) {
                *sums = [V::splat(bias); PLACES];
            }
        }
        let w = part.w.as_ptr();
        for (tap, &offset) in part.taps.iter().enumerate() {
            let x = [V::load(spot.from[0].add(offset)), V::load(spot.from[1].add(offset))];
            for (row, sums) in sums.iter_mut().enumerate() {
                let weight = V::splat(*w.add(row * part.taps.len() + tap));
                sums[0] = sums[0].add_product(weight, x[0]);
                sums[1] = sums[1].add_product(weight, x[1]);
            }
        }
        for (row, sums) in sums.into_iter().enumerate() {
            for (place, sum) in sums.into_iter().enumerate() {
                let to = part.out.add(row * part.plane + spot.to[place]);
                if spot.columns[place] == V::LANES {
                    sum.store(to);
                } else {
                    sum.store_first(to, spot.columns[place]);
                }
            }
        }
    }
}
