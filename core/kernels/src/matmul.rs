//! Batched matrix products.
//!
//! Every number of a result is a sum over the inner axis in order, cut only every `DEPTH` terms: its bits depend on the
//! instructions in use and on nothing else of the machine, neither caches nor threads.

use std::mem::MaybeUninit;

use super::Real;
use super::buffer::{Scratch, build, items_per_task};
use super::parallel::chunks;
use super::product::{self, Product};
use super::vector::{Register, RegisterKernel};

/// Floating point operations that one task should have at least: about 10 us on one core.
const TASK_FLOPS: usize = 1 << 20;
/// Rows of one task of a single large product; a multiple of every block of sums.
const ROWS: usize = 96;
/// Terms that are summed before the sum is added to the result. Part of what a product is: another number gives other bits.
const DEPTH: usize = 256;
/// Rows of the left factor that stay in the second-level cache while panels of the right one pass.
const BLOCK_ROWS: usize = 192;

/// A batch of matrices `[batch, row, column]`, which may be stored transposed.
#[derive(Clone, Copy)]
pub struct Factor<'a, T> {
    data: &'a [T],
    /// Batch, rows and columns.
    sizes: [usize; 3],
    transposed: bool,
}

impl<'a, T> Factor<'a, T> {
    /// `shape` has three axes; with `transposed` the last two are columns and rows.
    pub fn new(data: &'a [T], shape: &[usize], transposed: bool) -> Self {
        let (rows, columns) = if transposed { (shape[2], shape[1]) } else { (shape[1], shape[2]) };
        Self { data, sizes: [shape[0], rows, columns], transposed }
    }

    /// A matrix, from one of its rows on.
    fn matrix(&self, index: usize, row: usize) -> Matrix<'a, T> {
        let [_, rows, columns] = self.sizes;
        let data = &self.data[index * rows * columns..][..rows * columns];
        if self.transposed {
            Matrix::columns(&data[row..], rows)
        } else {
            Matrix::rows(&data[row * columns..], columns)
        }
    }
}

/// `a b` for every matrix of the batch, a contiguous `[batch, m, n]`.
pub fn matmul<T: Real>(a: Factor<'_, T>, b: Factor<'_, T>) -> Vec<T> {
    let ([batch, m, k], n) = (a.sizes, b.sizes[2]);
    if k == 0 {
        return vec![T::ZERO; batch * m * n];
    }
    if batch * m * n == 0 {
        return Vec::new();
    }
    let flops = (2 * m * n).saturating_mul(k);
    let product = |matrix: usize, rows: std::ops::Range<usize>, out: &mut [MaybeUninit<T>]| {
        gemm_into([rows.len(), k, n], a.matrix(matrix, rows.start), b.matrix(matrix, 0), out);
    };
    // SAFETY: the chunks cover the result, and every chunk is filled by the product.
    unsafe {
        build(batch * m * n, |out| {
            if flops <= 2 * TASK_FLOPS || batch >= 8 {
                let matrices = items_per_task(flops, TASK_FLOPS);
                chunks(out, matrices * m * n, |index, chunk| {
                    for (i, out) in chunk.chunks_mut(m * n).enumerate() {
                        product(index * matrices + i, 0..m, out);
                    }
                });
            } else {
                for (matrix, out) in out.chunks_mut(m * n).enumerate() {
                    let rows = rows_per_task(m, flops);
                    chunks(out, rows * n, |index, out| {
                        let start = index * rows;
                        product(matrix, start..(start + rows).min(m), out);
                    });
                }
            }
        })
    }
}

fn rows_per_task(m: usize, flops: usize) -> usize {
    let tasks = (flops / TASK_FLOPS).clamp(1, 64);
    let rows = m.div_ceil(tasks);
    if rows >= ROWS { rows.next_multiple_of(ROWS) } else { rows.next_multiple_of(16) }
}

/// A borrowed matrix in any layout.
#[derive(Clone, Copy)]
pub struct Matrix<'a, T> {
    /// Elements, from the first of the matrix.
    pub data: &'a [T],
    /// Elements from one row to the next.
    pub row_stride: usize,
    /// Elements from one column to the next.
    pub column_stride: usize,
}

impl<'a, T> Matrix<'a, T> {
    /// Contiguous rows of `columns` elements.
    pub fn rows(data: &'a [T], columns: usize) -> Self {
        Self { data, row_stride: columns, column_stride: 1 }
    }

    /// The transpose of contiguous rows of `columns` elements.
    pub fn columns(data: &'a [T], columns: usize) -> Self {
        Self { data, row_stride: 1, column_stride: columns }
    }

    fn assert_covers(&self, rows: usize, columns: usize) {
        assert!(
            (rows - 1) * self.row_stride + (columns - 1) * self.column_stride < self.data.len(),
            "matrix outside its data"
        );
    }
}

/// Writes the contiguous `[m, n]` product of `[m, k]` and `[k, n]`; `out` need not be initialised.
pub fn gemm_into<T: Real>([m, k, n]: [usize; 3], a: Matrix<'_, T>, b: Matrix<'_, T>, out: &mut [MaybeUninit<T>]) {
    gemm_call([m, k, n], a, b, (out, n), None);
}

/// Adds the product to `out`.
pub fn gemm_add<T: Real>([m, k, n]: [usize; 3], a: Matrix<'_, T>, b: Matrix<'_, T>, out: &mut [T]) {
    gemm_add_part([m, k, n], a, b, out, n, T::ONE);
}

/// Adds `factor` times the product to a part of a matrix whose rows are `row_stride` apart.
pub fn gemm_add_part<T: Real>(
    sizes: [usize; 3],
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    out: &mut [T],
    row_stride: usize,
    factor: T,
) {
    gemm_call(sizes, a, b, (super::buffer::as_uninit(out), row_stride), Some(factor));
}

/// Writes the product, or with a factor adds that much of it.
fn gemm_call<T: Real>(
    [m, k, n]: [usize; 3],
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    (out, row_stride): (&mut [MaybeUninit<T>], usize),
    factor: Option<T>,
) {
    if m * n * k == 0 {
        return;
    }
    a.assert_covers(m, k);
    b.assert_covers(k, n);
    assert!(n <= row_stride && out.len() >= (m - 1) * row_stride + n, "product larger than its place");
    // `out` is only read when there is a factor, and then it is initialised (`gemm_add_part`).
    T::dispatch(Multiply { sizes: [m, k, n], a, b, out: out.as_mut_ptr().cast(), row_stride, factor });
}

/// A product, by blocks of rows, of the inner axis, and of as many columns as the sums of a loop are wide.
struct Multiply<'a, T> {
    sizes: [usize; 3],
    a: Matrix<'a, T>,
    b: Matrix<'a, T>,
    /// Valid for all rows; no other thread writes to it.
    out: *mut T,
    row_stride: usize,
    factor: Option<T>,
}

impl<T: Real> RegisterKernel<T> for Multiply<'_, T> {
    #[inline(always)]
    unsafe fn run<V: Register<T>>(self) {
        let [m, k, n] = self.sizes;
        let wide = if V::SUMS >= 8 { 2 * V::LANES } else { V::LANES };
        let mut scratch = Scratch::new((2 * BLOCK_ROWS.max(DEPTH) * wide + BLOCK_ROWS * DEPTH) * size_of::<T>() / 4);
        let panel = scratch.start().cast::<T>();
        for row in (0..m).step_by(BLOCK_ROWS) {
            let rows = BLOCK_ROWS.min(m - row);
            for first in (0..k).step_by(DEPTH) {
                let depth = DEPTH.min(k - first);
                // SAFETY: three parts of the scratch memory: a panel, the columns of a narrow result, rows of the left factor.
                // Blocks lie inside the matrices, as `gemm_call` has checked.
                unsafe {
                    let narrow = panel.add(DEPTH.max(BLOCK_ROWS) * wide);
                    let (a, a_row, a_depth) = self.left([row, rows], [first, depth], narrow.add(BLOCK_ROWS * wide));
                    for column in (0..n).step_by(wide) {
                        let columns = wide.min(n - column);
                        // One register where it is enough.
                        let width = if columns <= V::LANES { V::LANES } else { wide };
                        self.right([first, depth], [column, columns], width, panel);
                        let (add, whole) = (first > 0 || self.factor.is_some(), columns == width);
                        let to = self.out.add(row * self.row_stride + column);
                        let (out, out_row) = if whole { (to, self.row_stride) } else { (narrow, width) };
                        let block = Product {
                            a,
                            a_row,
                            a_depth,
                            b: panel,
                            b_depth: width,
                            out,
                            out_row,
                            depth,
                            add: add && whole,
                        };
                        if width == V::LANES {
                            product::rows::<T, V, 1>(block, rows);
                        } else {
                            product::rows::<T, V, 2>(block, rows);
                        }
                        if !whole {
                            move_columns([rows, columns], (narrow, width), (to, self.row_stride), add);
                        }
                    }
                }
            }
        }
    }
}

impl<T: Real> Multiply<'_, T> {
    /// Some rows of the left factor, and how far it is from row to row and from column to column: where they lie, or copied when
    /// their columns lie further apart than their rows.
    #[inline(always)]
    unsafe fn left(
        &self,
        [row, rows]: [usize; 2],
        [first, depth]: [usize; 2],
        copy: *mut T,
    ) -> (*const T, usize, usize) {
        let a = self.a;
        // SAFETY: inside the matrix and the copy.
        unsafe {
            let from = a.data.as_ptr().add(row * a.row_stride + first * a.column_stride);
            if a.row_stride != 1 || a.column_stride == 1 {
                return (from, a.row_stride, a.column_stride);
            }
            for d in 0..depth {
                from.add(d * a.column_stride).copy_to_nonoverlapping(copy.add(d * rows), rows);
            }
            (copy, 1, rows)
        }
    }

    /// Copies a panel of the right factor times the factor of the result, `[depth, width]`, with zeros beyond its columns.
    #[inline(always)]
    unsafe fn right(&self, [first, depth]: [usize; 2], [column, columns]: [usize; 2], width: usize, to: *mut T) {
        let (b, factor) = (self.b, self.factor.unwrap_or(T::ONE));
        // SAFETY: inside the matrix and the panel.
        unsafe {
            let from = b.data.as_ptr().add(first * b.row_stride + column * b.column_stride);
            if columns < width {
                for index in 0..depth * width {
                    to.add(index).write(T::ZERO);
                }
            }
            if b.column_stride == 1 {
                for d in 0..depth {
                    for c in 0..columns {
                        to.add(d * width + c).write(*from.add(d * b.row_stride + c) * factor);
                    }
                }
            } else {
                for c in 0..columns {
                    for d in 0..depth {
                        to.add(d * width + c).write(*from.add(d * b.row_stride + c * b.column_stride) * factor);
                    }
                }
            }
        }
    }
}

/// Writes or adds columns that fill no register.
#[inline(always)]
unsafe fn move_columns<T: Real>(
    [rows, columns]: [usize; 2],
    (from, from_row): (*const T, usize),
    (to, to_row): (*mut T, usize),
    add: bool,
) {
    for row in 0..rows {
        for column in 0..columns {
            // SAFETY: inside both by the caller's promise.
            unsafe {
                let (value, to) = (*from.add(row * from_row + column), to.add(row * to_row + column));
                to.write(if add { *to + value } else { value });
            }
        }
    }
}

/// A finished product in its own buffer.
pub fn product<T: Real>([m, k, n]: [usize; 3], a: Matrix<'_, T>, b: Matrix<'_, T>) -> Vec<T> {
    if k == 0 {
        return vec![T::ZERO; m * n];
    }
    // SAFETY: gemm_into writes all m * n elements when k > 0.
    unsafe { build(m * n, |out| gemm_into([m, k, n], a, b, out)) }
}
