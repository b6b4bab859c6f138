//! 3x3 convolutions with stride 1 by Winograd's F(4x4, 3x3): 36 products for 16 outputs instead
//! of 144, at the price of about one decimal digit (see the tests' tolerance).
//!
//! Planes are read a register of channels at a time into `[row, column, lane]`, transformed into
//! 36 matrices `[tile, channel]`, multiplied with the 36 matrices of transformed filters, and
//! transformed back. A task does all of this for some tile rows, so that its numbers stay in the
//! second-level cache.

mod gradient;
mod pack;
mod plan;
mod transform;

pub(super) use gradient::weight_gradient;

use super::geometry::Geometry;
use crate::buffer::{Scratch, Shared, build};
use crate::parallel::for_each;
use crate::product::{self, Product};
use crate::vector::{MAX_LANES, Vector, VectorKernel, dispatch, load_square};
use pack::View;
use plan::{GAP, Plan, Segment};
use transform::{POINTS, PRODUCTS, TILE};

/// Whether this is a convolution of the kind.
pub(super) fn fits(geometry: &Geometry) -> bool {
    geometry.kernel == [3, 3] && geometry.stride == [1, 1]
}

/// The convolution of `x` with `w`, plus `bias`.
pub(super) fn forward(x: &[f32], w: &[f32], bias: Option<&[f32]>, geometry: &Geometry) -> Vec<f32> {
    let plan = Plan::forward(geometry);
    let order = Filters { output: geometry.inputs * 9, input: 9, turned: false };
    convolve(&plan, x, w, order, bias)
}

/// The gradient with respect to the input.
pub(super) fn input_gradient(g: &[f32], w: &[f32], geometry: &Geometry) -> Vec<f32> {
    let plan = Plan::backward(geometry);
    let order = Filters { output: 9, input: geometry.inputs * 9, turned: true };
    convolve(&plan, g, w, order, None)
}

fn convolve(plan: &Plan, x: &[f32], w: &[f32], order: Filters, bias: Option<&[f32]>) -> Vec<f32> {
    let mut filters = Scratch::new(PRODUCTS * plan.filter_step());
    let place = Shared::new(filters.start());
    let blocks = plan.panels() * plan.panel;
    for_each(blocks, plan.inputs * blocks > 512, |block| {
        dispatch(TransformFilters { plan, w, order, block, out: place });
    });
    let rows = plan.rows_per_task();
    let tasks = plan.tile_rows().div_ceil(rows);
    // SAFETY: the tasks cover all tile rows, and every task writes the rows of outputs of its own.
    unsafe {
        build(plan.images * plan.outputs * plan.to.len(), |out| {
            let out = Shared::new(out.as_mut_ptr().cast::<f32>());
            for_each(tasks, true, |task| {
                let rows = task * rows..((task + 1) * rows).min(plan.tile_rows());
                dispatch(Convolve { plan, x, filters: place, bias, out, rows });
            });
        })
    }
}

/// How the filters lie: numbers from one output channel, or input channel, to the next.
#[derive(Clone, Copy)]
struct Filters {
    output: usize,
    input: usize,
    /// Turned by 180 degrees.
    turned: bool,
}

/// Transforms the filters of one register of output channels into `[product, panel, input, lane]`.
struct TransformFilters<'a> {
    plan: &'a Plan,
    w: &'a [f32],
    order: Filters,
    block: usize,
    out: Shared<f32>,
}

impl VectorKernel for TransformFilters<'_> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let Self { plan, w, order, block, out } = self;
        let first = block * V::LANES;
        let count = plan.outputs.saturating_sub(first).min(V::LANES);
        let (panel, within) = (block / plan.panel, block % plan.panel);
        let step = plan.filter_step();
        for input in 0..plan.inputs {
            // SAFETY: offsets are those of existing filters; the block's part of `out` is its own.
            unsafe {
                let start = w.as_ptr().wrapping_add(first * order.output + input * order.input);
                let taps = load_taps::<V>(start, order.output, count);
                let mut square = [[V::splat(0.0); 3]; 3];
                for (index, tap) in taps.into_iter().enumerate() {
                    let index = if order.turned { 8 - index } else { index };
                    square[index / 3][index % 3] = tap;
                }
                let done = transform::filter_square(&square);
                let place = (panel * plan.inputs + input) * plan.panel_width() + within * V::LANES;
                for (index, value) in done.as_flattened().iter().enumerate() {
                    value.store(out.at(index * step + place));
                }
            }
        }
    }
}

/// The nine taps of `count` filters that lie `stride` apart, a filter per lane.
#[inline(always)]
unsafe fn load_taps<V: Vector>(start: *const f32, stride: usize, count: usize) -> [V; 9] {
    // SAFETY: every lane below `count` is a filter of nine numbers.
    unsafe {
        let mut taps = [V::splat(0.0); 9];
        let mut first = 0;
        while first < 9 {
            let width = V::LANES.min(9 - first);
            let mut block = [V::splat(0.0); MAX_LANES];
            for (lane, row) in block.iter_mut().enumerate().take(count) {
                *row = V::load_first(start.add(lane * stride + first), width);
            }
            V::transpose(&mut block);
            taps[first..first + width].copy_from_slice(&block[..width]);
            first += width;
        }
        taps
    }
}

/// One task: the outputs of some tile rows.
struct Convolve<'a> {
    plan: &'a Plan,
    x: &'a [f32],
    filters: Shared<f32>,
    bias: Option<&'a [f32]>,
    out: Shared<f32>,
    rows: std::ops::Range<usize>,
}

impl VectorKernel for Convolve<'_> {
    type Output = ();
    #[inline(always)]
    unsafe fn run<V: Vector>(self) {
        let plan = self.plan;
        let tiles = self.rows.len() * plan.tiles[1];
        let (depth, width) = (plan.inputs_padded(), plan.panel_width());
        let inputs = Tiles { step: tiles * depth + GAP, row: depth };
        let outputs = Tiles { step: tiles * width + GAP, row: width };
        let square = (TILE * self.rows.len().min(plan.tiles[0]) + 2) * (TILE * plan.tiles[1] + 2) * V::LANES;
        let mut scratch = Scratch::new(PRODUCTS * (inputs.step + outputs.step) + square);
        // SAFETY: the three parts of the scratch memory are as long as computed above; the segments
        // are tile rows of this task only.
        unsafe {
            let v = scratch.start();
            let m = v.add(PRODUCTS * inputs.step);
            let buffer = m.add(PRODUCTS * outputs.step);
            for block in 0..depth / V::LANES {
                for segment in plan.segments(self.rows.clone()) {
                    load_inputs::<V>(plan, self.x, block, segment, buffer);
                    transform_inputs::<V>(plan, segment, buffer, v.add(block * V::LANES), inputs);
                }
            }
            for panel in 0..plan.panels() {
                let filters = self.filters.at(panel * plan.inputs * width);
                multiply::<V>(plan, [v, filters, m], [inputs, outputs], tiles);
                for block in 0..plan.panel {
                    self.store_outputs::<V>(panel * plan.panel + block, m.add(block * V::LANES), outputs, buffer);
                }
            }
        }
    }
}

/// Where the 36 matrices `[tile, channel]` lie: numbers from one to the next, and between tiles.
#[derive(Clone, Copy)]
struct Tiles {
    step: usize,
    row: usize,
}

/// Reads one register of input channels of a segment, with the rows and columns around it.
#[inline(always)]
#[expect(clippy::cast_possible_wrap, reason = "rows of a plane")]
unsafe fn load_inputs<V: Vector>(plan: &Plan, x: &[f32], block: usize, segment: Segment, buffer: *mut f32) {
    let first = block * V::LANES;
    let view = View {
        plane: plan.from,
        start: [(TILE * segment.top) as isize - plan.padding[0], -plan.padding[1]],
        size: [TILE * segment.rows() + 2, TILE * plan.tiles[1] + 2],
    };
    // SAFETY: the image and its channels from `first` exist; the buffer has the size of the view.
    unsafe {
        let x = x.as_ptr().add((segment.image * plan.inputs + first) * plan.from.len());
        pack::load::<V>(x, plan.inputs - first, view, buffer);
    }
}

#[inline(always)]
unsafe fn transform_inputs<V: Vector>(plan: &Plan, segment: Segment, buffer: *const f32, v: *mut f32, tiles: Tiles) {
    let width = TILE * plan.tiles[1] + 2;
    for row in 0..segment.rows() {
        for column in 0..plan.tiles[1] {
            // SAFETY: the buffer holds the tile with its border; `v` has a row for every tile.
            unsafe {
                let from = buffer.add((row * TILE * width + column * TILE) * V::LANES);
                let tile = load_square::<V, POINTS>(from, width * V::LANES, V::LANES);
                let done = transform::input_square(&tile);
                let to = v.add((segment.tile + row * plan.tiles[1] + column) * tiles.row);
                for (index, value) in done.as_flattened().iter().enumerate() {
                    value.store(to.add(index * tiles.step));
                }
            }
        }
    }
}

/// The 36 products of one panel of output channels.
#[inline(always)]
unsafe fn multiply<V: Vector>(
    plan: &Plan,
    [v, filters, m]: [*mut f32; 3],
    [inputs, outputs]: [Tiles; 2],
    tiles: usize,
) {
    let step = plan.filter_step();
    for index in 0..PRODUCTS {
        // SAFETY: matrix `index` of each of the three.
        unsafe {
            let product = Product {
                a: v.add(index * inputs.step),
                a_row: inputs.row,
                a_depth: 1,
                b: filters.add(index * step),
                b_depth: plan.panel_width(),
                out: m.add(index * outputs.step),
                out_row: outputs.row,
                depth: plan.inputs,
                add: false,
            };
            if plan.panel == 2 {
                product::rows::<f32, V, 2>(product, tiles);
            } else {
                product::rows::<f32, V, 1>(product, tiles);
            }
        }
    }
}

impl Convolve<'_> {
    /// Transforms one register of output channels back and writes it to its planes.
    #[inline(always)]
    #[expect(clippy::cast_possible_wrap, reason = "rows of a plane")]
    unsafe fn store_outputs<V: Vector>(&self, block: usize, m: *const f32, tiles: Tiles, buffer: *mut f32) {
        let plan = self.plan;
        let first = block * V::LANES;
        if first >= plan.outputs {
            return;
        }
        let count = plan.outputs - first;
        for segment in plan.segments(self.rows.clone()) {
            let view = View {
                plane: plan.to,
                start: [(TILE * segment.top) as isize, 0],
                size: [TILE * segment.rows(), TILE * plan.tiles[1]],
            };
            // SAFETY: the tiles and planes of this segment; the buffer has the size of the view.
            unsafe {
                let bias = match self.bias {
                    Some(bias) => V::load_first(bias.as_ptr().add(first), count.min(V::LANES)),
                    None => V::splat(0.0),
                };
                transform_outputs::<V>(plan, segment, m, tiles, bias, buffer);
                let out = self.out.at((segment.image * plan.outputs + first) * plan.to.len());
                pack::store::<V>(buffer, count, view, out);
            }
        }
    }
}

#[inline(always)]
unsafe fn transform_outputs<V: Vector>(
    plan: &Plan,
    segment: Segment,
    m: *const f32,
    tiles: Tiles,
    bias: V,
    buffer: *mut f32,
) {
    let width = TILE * plan.tiles[1];
    for row in 0..segment.rows() {
        for column in 0..plan.tiles[1] {
            // SAFETY: `m` has a row for every tile; the buffer holds every tile.
            unsafe {
                let from = m.add((segment.tile + row * plan.tiles[1] + column) * tiles.row);
                let tile = load_square::<V, POINTS>(from, POINTS * tiles.step, tiles.step);
                let done = transform::output_square(&tile);
                let to = buffer.add((row * TILE * width + column * TILE) * V::LANES);
                for (r, values) in done.into_iter().enumerate() {
                    for (c, value) in values.into_iter().enumerate() {
                        value.add(bias).store(to.add((r * width + c) * V::LANES));
                    }
                }
            }
        }
    }
}
