//! Products with symmetric matrices in double precision. Of a matrix `[size, size]` in row-major order only the upper triangle is
//! read and written.
//!
//! Tasks are cut by shape, and partial sums are added in order: the same bits at any number of threads.

use std::ops::Range;

use super::matmul::{Matrix, gemm_add_part};
use super::parallel::chunks;
use super::simd::{Kernel, dispatch};
use super::term::{Product, total};

/// Numbers of the triangle that a task reads at least: about 20 us.
const TASK: usize = 1 << 17;
const MOST_TASKS: usize = 16;
/// Rows that share a pass over the vector.
const ROWS: usize = 4;
/// Rows of a product that one task computes.
const BLOCK: usize = 96;
/// Side of the squares in which a matrix is turned over.
const SQUARE: usize = 32;
/// Columns of them that stay in the first-level cache for their two uses.
const COLUMNS: usize = 512;

/// The trailing part `[first.., first..]` of a symmetric matrix.
#[derive(Clone, Copy)]
pub struct Trailing<'a> {
    /// The whole matrix, row by row.
    pub matrix: &'a [f64],
    /// Its rows.
    pub size: usize,
    /// First row and column of the part.
    pub first: usize,
}

impl<'a> Trailing<'a> {
    fn len(self) -> usize {
        self.size - self.first
    }

    #[inline(always)]
    fn row(self, row: usize) -> &'a [f64] {
        &self.matrix[(self.first + row) * self.size + self.first..][..self.len()]
    }

    /// First row of a task of `count`, so that each has about the same part of the triangle.
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "rows lie below 2^50"
    )]
    fn start(self, task: usize, count: usize) -> usize {
        if task == count {
            return self.len();
        }
        let left = (1.0 - task as f64 / count as f64).sqrt();
        ((1.0 - left) * self.len() as f64) as usize / ROWS * ROWS
    }
}

/// Writes the product of the trailing part with `x` to `y`. `partial` is memory for sums.
pub fn times_vector(a: Trailing<'_>, x: &[f64], y: &mut [f64], partial: &mut Vec<f64>) {
    let len = a.len();
    let tasks = (len * len / 2 / TASK).clamp(1, MOST_TASKS);
    partial.clear();
    partial.resize(tasks * len, 0.0);
    chunks(partial, len, |task, y| {
        dispatch(TimesVector { a, x, y, rows: a.start(task, tasks)..a.start(task + 1, tasks) });
    });
    y.copy_from_slice(&partial[..len]);
    for (task, part) in partial.chunks(len).enumerate().skip(1) {
        let start = a.start(task, tasks);
        y[start..].iter_mut().zip(&part[start..]).for_each(|(y, part)| *y += part);
    }
}

struct TimesVector<'a> {
    a: Trailing<'a>,
    x: &'a [f64],
    /// Zeros; what the rows give is added.
    y: &'a mut [f64],
    rows: Range<usize>,
}

impl Kernel for TimesVector<'_> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { a, x, y, rows } = self;
        for row in rows.clone().step_by(ROWS) {
            let end = (row + ROWS).min(rows.end);
            let whole = end == row + ROWS;
            for i in row..end {
                one_row(a.row(i), i, if whole { end } else { a.len() }, x, y);
            }
            if whole {
                four_rows([0, 1, 2, 3].map(|i| &a.row(row + i)[end..]), row, x, y);
            }
        }
    }
}

/// A row's numbers from the diagonal to column `end`, which stand for a column too.
#[inline(always)]
fn one_row(a: &[f64], row: usize, end: usize, x: &[f64], y: &mut [f64]) {
    let mut sum = a[row] * x[row];
    for column in row + 1..end {
        sum += a[column] * x[column];
        y[column] += a[column] * x[row];
    }
    y[row] += sum;
}

/// The numbers of four rows beyond a column, likewise.
#[inline(always)]
fn four_rows([a, b, c, d]: [&[f64]; ROWS], row: usize, x: &[f64], y: &mut [f64]) {
    let (head, tail) = y.split_at_mut(row + ROWS);
    let of_rows = &x[row..row + ROWS];
    let rows = a.chunks(COLUMNS).zip(b.chunks(COLUMNS)).zip(c.chunks(COLUMNS).zip(d.chunks(COLUMNS)));
    let columns = tail.chunks_mut(COLUMNS).zip(x[row + ROWS..].chunks(COLUMNS));
    for ((y, x), ((a, b), (c, d))) in columns.zip(rows) {
        for ((y, (a, b)), (c, d)) in y.iter_mut().zip(a.iter().zip(b)).zip(c.iter().zip(d)) {
            *y += a * of_rows[0] + b * of_rows[1] + (c * of_rows[2] + d * of_rows[3]);
        }
        for (sum, row) in head[row..].iter_mut().zip([a, b, c, d]) {
            *sum += total(row, x, Product);
        }
    }
}

/// Subtracts `left^T right` from the trailing part that begins at `first`; the product must be symmetric. Both factors are `[depth, size]`.
pub fn subtract_product(matrix: &mut [f64], size: usize, first: usize, left: &[f64], right: &[f64]) {
    let depth = left.len() / size;
    chunks(&mut matrix[first * size..], BLOCK * size, |task, out| {
        let start = first + task * BLOCK;
        let sizes = [out.len() / size, depth, size - start];
        let (left, right) = (Matrix::columns(&left[start..], size), Matrix::rows(&right[start..], size));
        gemm_add_part(sizes, left, right, &mut out[start..], size, -1.0);
    });
}

/// Adds `x^T x` to a symmetric matrix, for `x: [rows, size]`.
pub fn add_gram(matrix: &mut [f64], size: usize, x: &[f64]) {
    chunks(matrix, BLOCK * size, |task, out| {
        let start = task * BLOCK;
        let sizes = [out.len() / size, x.len() / size, size - start];
        let (left, right) = (Matrix::columns(&x[start..], size), Matrix::rows(&x[start..], size));
        gemm_add_part(sizes, left, right, &mut out[start..], size, 1.0);
    });
}

/// Copies the upper triangle to the lower one.
pub fn mirror(matrix: &mut [f64], size: usize) {
    // Squares that fit into the first-level cache, so that neither side is read line by line for single numbers.
    for rows in (0..size).step_by(SQUARE) {
        for columns in (0..=rows).step_by(SQUARE) {
            for row in rows..(rows + SQUARE).min(size) {
                for column in columns..(columns + SQUARE).min(row) {
                    matrix[row * size + column] = matrix[column * size + row];
                }
            }
        }
    }
}

/// Sum of products.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    dispatch(Dot { a, b })
}

struct Dot<'a> {
    a: &'a [f64],
    b: &'a [f64],
}

impl Kernel for Dot<'_> {
    type Output = f64;
    #[inline(always)]
    fn run(self) -> f64 {
        total(self.a, self.b, Product)
    }
}

/// Adds `factor x` to `y`.
pub fn add_scaled(y: &mut [f64], factor: f64, x: &[f64]) {
    dispatch(AddScaled { y, factor, x });
}

struct AddScaled<'a> {
    y: &'a mut [f64],
    factor: f64,
    x: &'a [f64],
}

impl Kernel for AddScaled<'_> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        for (y, x) in self.y.iter_mut().zip(self.x) {
            *y += self.factor * x;
        }
    }
}

/// Columns that are rotated together: their rows of a matrix with some thousand rows fit into a second-level cache.
pub const ROTATED: usize = 32;

/// Turns rows `row` and `row + 1`.
#[derive(Clone, Copy)]
pub struct Rotation {
    /// The upper of the two rows.
    pub row: usize,
    /// Sine of the angle.
    pub sine: f64,
    /// Cosine of the angle.
    pub cosine: f64,
}

/// Applies rotations to rows of [`ROTATED`] numbers, one after the other.
pub fn rotate(rows: &mut [f64], rotations: &[Rotation]) {
    dispatch(Rotate { rows, rotations });
}

struct Rotate<'a> {
    rows: &'a mut [f64],
    rotations: &'a [Rotation],
}

impl Kernel for Rotate<'_> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let (rows, _) = self.rows.as_chunks_mut::<ROTATED>();
        for &Rotation { row, sine, cosine } in self.rotations {
            let [upper, lower] = &mut rows[row..row + 2] else { return };
            for (upper, lower) in upper.iter_mut().zip(lower) {
                let (a, b) = (*upper, *lower);
                *lower = sine * a + cosine * b;
                *upper = cosine * a - sine * b;
            }
        }
    }
}
