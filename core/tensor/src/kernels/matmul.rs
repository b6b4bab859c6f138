//! Batched matrix products through single-threaded calls of the `gemm` crate.

use std::mem::MaybeUninit;

use super::Real;
use super::buffer::{build, items_per_task};
use super::parallel::chunks;

/// Where the elements of a batch of matrices lie, in elements. A stride of 0 broadcasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// From one matrix to the next.
    pub(crate) batch_stride: usize,
    /// From one row to the next.
    pub(crate) row_stride: usize,
    /// From one column to the next.
    pub(crate) column_stride: usize,
}

/// Floating point operations that one task should have at least: about 10 us on one core.
const TASK_FLOPS: usize = 1 << 20;
/// Rows of one task of a single large product; a multiple of every register tile of `gemm`.
const ROWS: usize = 96;

/// `a b` for every matrix of the batch: `a` is `[batch, m, k]`, `b` is `[batch, k, n]`, both in any
/// layout; the result is a contiguous `[batch, m, n]`.
#[expect(clippy::too_many_arguments, reason = "the sizes and layouts of a product")]
pub(crate) fn matmul<T: Real>(
    batch: usize,
    m: usize,
    k: usize,
    n: usize,
    a: &[T],
    a_layout: Layout,
    b: &[T],
    b_layout: Layout,
) -> Vec<T> {
    if k == 0 {
        return vec![T::ZERO; batch * m * n];
    }
    if batch * m * n == 0 {
        return Vec::new();
    }
    let flops = 2 * m * k * n;
    let product = |matrix: usize, rows: std::ops::Range<usize>, out: &mut [MaybeUninit<T>]| {
        let a = Matrix::new(&a[matrix * a_layout.batch_stride + rows.start * a_layout.row_stride..], a_layout);
        let b = Matrix::new(&b[matrix * b_layout.batch_stride..], b_layout);
        gemm_into([rows.len(), k, n], a, b, out);
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
pub(crate) struct Matrix<'a, T> {
    pub(crate) data: &'a [T],
    pub(crate) row_stride: usize,
    pub(crate) column_stride: usize,
}

impl<'a, T> Matrix<'a, T> {
    pub(crate) fn new(data: &'a [T], layout: Layout) -> Self {
        Self { data, row_stride: layout.row_stride, column_stride: layout.column_stride }
    }

    /// Contiguous rows of `columns` elements.
    pub(crate) fn rows(data: &'a [T], columns: usize) -> Self {
        Self { data, row_stride: columns, column_stride: 1 }
    }

    /// The transpose of contiguous rows of `columns` elements.
    pub(crate) fn columns(data: &'a [T], columns: usize) -> Self {
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
pub(crate) fn gemm_into<T: Real>(
    [m, k, n]: [usize; 3],
    a: Matrix<'_, T>,
    b: Matrix<'_, T>,
    out: &mut [MaybeUninit<T>],
) {
    gemm_call([m, k, n], a, b, (out, n), None);
}

/// Adds the product to `out`.
pub(crate) fn gemm_add<T: Real>([m, k, n]: [usize; 3], a: Matrix<'_, T>, b: Matrix<'_, T>, out: &mut [T]) {
    gemm_add_part([m, k, n], a, b, out, n, T::ONE);
}

/// Adds `factor` times the product to a part of a matrix whose rows are `row_stride` apart.
pub(crate) fn gemm_add_part<T: Real>(
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
    #[expect(clippy::cast_possible_wrap, reason = "strides of a slice are below isize::MAX")]
    // SAFETY: the assertions above keep every access inside the three slices; `out` is only read
    // when there is a factor, and then it is initialised (`gemm_add_part`).
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr().cast::<T>(),
            1,
            row_stride as isize,
            factor.is_some(),
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            T::ONE,
            factor.unwrap_or(T::ONE),
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// A finished product in its own buffer.
pub(crate) fn product<T: Real>([m, k, n]: [usize; 3], a: Matrix<'_, T>, b: Matrix<'_, T>) -> Vec<T> {
    if k == 0 {
        return vec![T::ZERO; m * n];
    }
    // SAFETY: gemm_into writes all m * n elements when k > 0.
    unsafe { build(m * n, |out| gemm_into([m, k, n], a, b, out)) }
}
