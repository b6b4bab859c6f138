//! Sizes of one Winograd convolution, and how its work is cut.

use super::super::Geometry;
use super::transform::{PRODUCTS, TILE};
use crate::vector::{Vector, VectorKernel, dispatch};

/// Numbers that the transformed tiles of one task may take: three quarters of a second-level
/// cache of 1 MiB.
const TASK_NUMBERS: usize = 3 << 16;
/// Tiles below which the products of a task are slowed by reading the filters.
const MIN_TILES: usize = 16;
/// Multiplications that pay for a parallel task.
const MIN_WORK: usize = 1 << 20;

/// Numbers between the 36 matrices of a kind: one cache line, so that they do not all fall into the
/// same set of a cache.
pub(super) const GAP: usize = 16;

/// A 3x3 convolution with stride 1 between planes of any size.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) images: usize,
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) from: Plane,
    pub(super) to: Plane,
    /// Zeros before the first row and column; negative when rows and columns are cut off.
    pub(super) padding: [isize; 2],
    /// Tile rows and columns of a plane of outputs.
    pub(super) tiles: [usize; 2],
    pub(super) lanes: usize,
    /// Registers side by side in the result of a product.
    pub(super) panel: usize,
}

/// Rows and columns of a channel.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plane {
    pub(super) height: usize,
    pub(super) width: usize,
}

impl Plane {
    pub(super) fn len(self) -> usize {
        self.height * self.width
    }
}

struct Shape;

impl VectorKernel for Shape {
    type Output = (usize, usize);
    #[inline(always)]
    unsafe fn run<V: Vector>(self) -> Self::Output {
        (V::LANES, if V::SUMS >= 8 { 2 } else { 1 })
    }
}

impl Plan {
    /// From inputs to outputs.
    #[expect(clippy::cast_possible_wrap, reason = "paddings are small")]
    pub(super) fn forward(geometry: &Geometry) -> Self {
        let from = Plane { height: geometry.height, width: geometry.width };
        let to = Plane { height: geometry.out_height, width: geometry.out_width };
        let padding = geometry.padding.map(|p| p as isize);
        Self::new(geometry.images, [geometry.inputs, geometry.outputs], [from, to], padding)
    }

    /// From gradients of outputs to gradients of inputs: the filters turned by 180 degrees.
    #[expect(clippy::cast_possible_wrap, reason = "paddings are small")]
    pub(super) fn backward(geometry: &Geometry) -> Self {
        let from = Plane { height: geometry.out_height, width: geometry.out_width };
        let to = Plane { height: geometry.height, width: geometry.width };
        let padding = geometry.padding.map(|p| 2 - p as isize);
        Self::new(geometry.images, [geometry.outputs, geometry.inputs], [from, to], padding)
    }

    fn new(images: usize, [inputs, outputs]: [usize; 2], [from, to]: [Plane; 2], padding: [isize; 2]) -> Self {
        let tiles = [to.height.div_ceil(TILE), to.width.div_ceil(TILE)];
        let (lanes, panel) = dispatch(Shape);
        let panel = if outputs <= lanes { 1 } else { panel };
        Self { images, inputs, outputs, from, to, padding, tiles, lanes, panel }
    }

    /// Input channels, filled up to whole registers.
    pub(super) fn inputs_padded(&self) -> usize {
        self.inputs.next_multiple_of(self.lanes)
    }

    /// Output channels of one product.
    pub(super) fn panel_width(&self) -> usize {
        self.panel * self.lanes
    }

    pub(super) fn panels(&self) -> usize {
        self.outputs.div_ceil(self.panel_width())
    }

    /// Numbers from one matrix of transformed filters to the next.
    pub(super) fn filter_step(&self) -> usize {
        self.panels() * self.inputs * self.panel_width() + GAP
    }

    /// Tile rows of all images.
    pub(super) fn tile_rows(&self) -> usize {
        self.images * self.tiles[0]
    }

    /// Tile rows of one forward task: as many as fit the cache, fewer when the work is small.
    pub(super) fn rows_per_task(&self) -> usize {
        let numbers = PRODUCTS * (self.inputs_padded() + self.panel_width());
        let fitting = (TASK_NUMBERS / numbers).max(MIN_TILES);
        let needed = (MIN_WORK / (PRODUCTS * self.inputs * self.outputs)).max(MIN_TILES);
        let total = self.tile_rows() * self.tiles[1];
        // Small batches give at least two tasks, if these are worth it.
        let tiles = fitting.min(total.div_ceil(2)).max(needed).min(fitting.max(needed));
        self.align(tiles.div_ceil(self.tiles[1]))
    }

    /// Whole images where possible: rows at the edge of a task are transformed twice.
    pub(super) fn align(&self, rows: usize) -> usize {
        let per_image = self.tiles[0];
        if rows >= per_image { rows / per_image * per_image } else { rows.max(1) }
    }

    /// The parts of tile rows `rows` that lie in one image each.
    pub(super) fn segments(&self, rows: std::ops::Range<usize>) -> impl Iterator<Item = Segment> + use<> {
        let per_image = self.tiles[0];
        let columns = self.tiles[1];
        let first = rows.start;
        let mut next = rows.start;
        std::iter::from_fn(move || {
            (next < rows.end).then(|| {
                let image = next / per_image;
                let end = rows.end.min((image + 1) * per_image);
                let segment = Segment {
                    image,
                    top: next - image * per_image,
                    bottom: end - image * per_image,
                    tile: (next - first) * columns,
                };
                next = end;
                segment
            })
        })
    }
}

/// Tile rows `top..bottom` of an image.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) image: usize,
    pub(super) top: usize,
    pub(super) bottom: usize,
    /// The first tile's number within the task.
    pub(super) tile: usize,
}

impl Segment {
    pub(super) fn rows(&self) -> usize {
        self.bottom - self.top
    }
}
