//! The gradient with respect to the filters: 36 products `[input, tile] [tile, output]`, added over
//! blocks of tiles one block after the other, so that the sum has one order at any thread count.

use super::pack::{self, View};
use super::plan::{GAP, Plan, Segment};
use super::transform::{self, PRODUCTS, TILE};
use super::{Geometry, Tiles, load_inputs, transform_inputs};
use crate::buffer::{Scratch, Shared, build};
use crate::parallel::for_each;
use crate::product::{self, Product};
use crate::vector::{MAX_LANES, Vector, VectorKernel, dispatch, load_square};

/// Numbers that the transformed inputs and gradients of one block of tiles may take: 4 MiB, a part
/// of the last-level cache.
const BLOCK_NUMBERS: usize = 1 << 20;
/// Multiplications that pay for waking other threads.
const PARALLEL_WORK: usize = 1 << 20;

/// The gradient with respect to `w`, given the input `x` and the gradient `g` of the output.
pub(crate) fn weight_gradient(x: &[f32], g: &[f32], geometry: &Geometry) -> Vec<f32> {
    let plan = Plan::forward(geometry);
    let rows = rows_per_block(&plan).min(plan.tile_rows());
    let tiles = rows * plan.tiles[1];
    let outputs_padded = plan.panels() * plan.panel_width();
    let inputs = Tiles { step: tiles * plan.inputs_padded() + GAP, row: plan.inputs_padded() };
    let outputs = Tiles { step: tiles * outputs_padded + GAP, row: outputs_padded };
    let sums = Tiles { step: plan.inputs * outputs_padded + GAP, row: outputs_padded };
    let mut scratch = Scratch::new(PRODUCTS * (inputs.step + outputs.step + sums.step));
    let start = Shared::new(scratch.start());
    let work = Work { plan: &plan, x, g, start, inputs, outputs, sums };
    let blocks = [plan.inputs_padded() / plan.lanes, outputs_padded / plan.lanes];
    for first in (0..plan.tile_rows()).step_by(rows) {
        let rows = first..(first + rows).min(plan.tile_rows());
        let tiles = rows.len() * plan.tiles[1];
        let parallel = PRODUCTS * tiles * plan.inputs * plan.outputs > PARALLEL_WORK;
        for_each(blocks[0] + blocks[1], parallel, |index| {
            // Blocks of inputs cost more and come first.
            let rows = rows.clone();
            match index.checked_sub(blocks[0]) {
                None => dispatch(TransformInputs { work: &work, rows, block: index }),
                Some(block) => dispatch(TransformOutputs { work: &work, rows, block }),
            }
        });
        for_each(PRODUCTS, parallel, |index| {
            dispatch(Multiply { work: &work, tiles, index, add: first > 0 });
        });
    }
    // SAFETY: every block of output channels is written by its own task.
    unsafe {
        build(plan.outputs * plan.inputs * 9, |out| {
            let out = Shared::new(out.as_mut_ptr().cast::<f32>());
            for_each(plan.outputs.div_ceil(plan.lanes), plan.inputs * plan.outputs > 1 << 12, |block| {
                dispatch(Finish { work: &work, block, out });
            });
        })
    }
}

fn rows_per_block(plan: &Plan) -> usize {
    let numbers = PRODUCTS * (plan.inputs_padded() + plan.panels() * plan.panel_width());
    plan.align((BLOCK_NUMBERS / numbers / plan.tiles[1]).max(1))
}

/// What all tasks share: three sets of 36 matrices one after the other at `start`.
#[derive(Clone, Copy)]
struct Work<'a> {
    plan: &'a Plan,
    x: &'a [f32],
    g: &'a [f32],
    start: Shared<f32>,
    /// `[tile, input]`
    inputs: Tiles,
    /// `[tile, output]`
    outputs: Tiles,
    /// `[input, output]`
    sums: Tiles,
}

impl Work<'_> {
    unsafe fn outputs(&self) -> *mut f32 {
        // SAFETY: inside the memory.
        unsafe { self.start.at(PRODUCTS * self.inputs.step) }
    }

    unsafe fn sums(&self) -> *mut f32 {
        // SAFETY: inside the memory.
        unsafe { self.start.at(PRODUCTS * (self.inputs.step + self.outputs.step)) }
    }

    fn buffer_len(&self, rows: usize, lanes: usize) -> usize {
        let [most, columns] = self.plan.tiles;
        (TILE * rows.min(most) + 2) * (TILE * columns + 2) * lanes
    }
}

struct TransformInputs<'a> {
    work: &'a Work<'a>,
    rows: std::ops::Range<usize>,
    block: usize,
}

impl VectorKernel for TransformInputs<'_> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Work { plan, x, start, inputs, .. } = *self.work;
        let mut scratch = Scratch::new(self.work.buffer_len(self.rows.len(), V::LANES));
        for segment in plan.segments(self.rows.clone()) {
            // SAFETY: this block's channels of the segment's tiles are written by this task only.
            unsafe {
                load_inputs::<V>(plan, x, self.block, segment, scratch.start());
                let v = start.at(self.block * V::LANES);
                transform_inputs::<V>(plan, segment, scratch.start(), v, inputs);
            }
        }
    }
}

struct TransformOutputs<'a> {
    work: &'a Work<'a>,
    rows: std::ops::Range<usize>,
    block: usize,
}

impl VectorKernel for TransformOutputs<'_> {
    type Output = ();
    #[inline(always)]
    #[expect(clippy::cast_possible_wrap, reason = "rows of a plane")]
    unsafe fn run<V: Vector>(self) {
        let Work { plan, g, outputs, .. } = *self.work;
        let mut scratch = Scratch::new(self.work.buffer_len(self.rows.len(), V::LANES));
        let first = self.block * V::LANES;
        let count = plan.outputs.saturating_sub(first);
        for segment in plan.segments(self.rows.clone()) {
            let view = View {
                plane: plan.to,
                start: [(TILE * segment.top) as isize, 0],
                size: [TILE * segment.rows(), TILE * plan.tiles[1]],
            };
            // SAFETY: this block's channels of the segment's tiles are written by this task only;
            // with no channel left, `load` reads nothing.
            unsafe {
                let g = g.as_ptr().wrapping_add((segment.image * plan.outputs + first) * plan.to.len());
                pack::load::<V>(g, count, view, scratch.start());
                let z = self.work.outputs().add(first);
                transform_gradients::<V>(plan, segment, scratch.start(), z, outputs);
            }
        }
    }
}

#[inline(always)]
unsafe fn transform_gradients<V: Vector>(plan: &Plan, segment: Segment, buffer: *const f32, z: *mut f32, tiles: Tiles) {
    let width = TILE * plan.tiles[1];
    for row in 0..segment.rows() {
        for column in 0..plan.tiles[1] {
            // SAFETY: the buffer holds every tile; `z` has a row for every tile.
            unsafe {
                let from = buffer.add((row * TILE * width + column * TILE) * V::LANES);
                let tile = load_square::<V, TILE>(from, width * V::LANES, V::LANES);
                let done = transform::output_transposed_square(&tile);
                let to = z.add((segment.tile + row * plan.tiles[1] + column) * tiles.row);
                for (index, value) in done.as_flattened().iter().enumerate() {
                    value.store(to.add(index * tiles.step));
                }
            }
        }
    }
}

/// One of the 36 products, added to its sum.
struct Multiply<'a> {
    work: &'a Work<'a>,
    tiles: usize,
    index: usize,
    add: bool,
}

impl VectorKernel for Multiply<'_> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Work { plan, start, inputs, outputs, sums, .. } = *self.work;
        for panel in 0..plan.panels() {
            let column = panel * plan.panel_width();
            // SAFETY: matrix `index` of each of the three; its sum belongs to this task.
            unsafe {
                let product = Product {
                    a: start.at(self.index * inputs.step),
                    a_row: 1,
                    a_depth: inputs.row,
                    b: self.work.outputs().add(self.index * outputs.step + column),
                    b_depth: outputs.row,
                    out: self.work.sums().add(self.index * sums.step + column),
                    out_row: sums.row,
                    depth: self.tiles,
                    add: self.add,
                };
                if plan.panel == 2 {
                    product::rows::<f32, V, 2>(product, plan.inputs);
                } else {
                    product::rows::<f32, V, 1>(product, plan.inputs);
                }
            }
        }
    }
}

/// Transforms the sums of one register of output channels back and writes their filters.
struct Finish<'a> {
    work: &'a Work<'a>,
    block: usize,
    out: Shared<f32>,
}

impl VectorKernel for Finish<'_> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Work { plan, sums, .. } = *self.work;
        let first = self.block * V::LANES;
        let count = plan.outputs.saturating_sub(first).min(V::LANES);
        for input in 0..plan.inputs {
            // SAFETY: the sums of this block; its filters are written by this task only.
            unsafe {
                let from = self.work.sums().add(input * sums.row + first);
                let square = load_square::<V, 6>(from, 6 * sums.step, sums.step);
                let done = transform::filter_transposed_square(&square);
                let out = self.out.at((first * plan.inputs + input) * 9);
                store_taps::<V>(done.as_flattened(), out, plan.inputs * 9, count);
            }
        }
    }
}

/// Writes the nine taps of `count` filters that lie `stride` apart, a filter per lane.
#[inline(always)]
unsafe fn store_taps<V: Vector>(taps: &[V], start: *mut f32, stride: usize, count: usize) {
    for (index, taps) in taps.chunks(V::LANES).enumerate() {
        // SAFETY: every lane below `count` is a filter of nine numbers.
        unsafe {
            let mut block = [V::splat(0.0); MAX_LANES];
            block[..taps.len()].copy_from_slice(taps);
            V::transpose(&mut block);
            for (lane, row) in block.into_iter().enumerate().take(count) {
                row.store_first(start.add(lane * stride + index * V::LANES), taps.len());
            }
        }
    }
}
