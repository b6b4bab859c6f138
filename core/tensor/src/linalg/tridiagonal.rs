//! A symmetric matrix as `Q T Q^T` with `T` tridiagonal, by Householder's reflections in blocks.
//!
//! Half of the work is a product of the rest of the matrix with a vector for each column, as fast as memory is read; the other half,
//! and turning vectors back, are products of matrices. (Dongarra, Sorensen and Hammarling, "Block reduction of matrices to condensed
//! forms for eigenvalue computations", 1989.)

use pddflow_kernels::chunks;
use pddflow_kernels::matmul::{Matrix, gemm_add_part, product};
use pddflow_kernels::symmetric::{Trailing, add_scaled, dot, subtract_product, times_vector};

/// Columns that are reduced before the rest of the matrix is updated.
const PANEL: usize = 32;
/// Reflections that turn vectors back together.
const TOGETHER: usize = 64;
/// Vectors that one task turns back.
const VECTORS: usize = 96;

/// What a matrix has become.
pub(super) struct Tridiagonal {
    size: usize,
    pub(super) diagonal: Vec<f64>,
    /// One less than the diagonal; empty for an empty matrix.
    pub(super) beside: Vec<f64>,
    /// Row k is the vector of reflection k, `I - factor v v^T`: zeros up to column k, then 1.
    reflections: Vec<f64>,
    factors: Vec<f64>,
}

/// Reduces a matrix `[size, size]` in row-major order, of which only the upper triangle is read.
pub(super) fn reduce(matrix: Vec<f64>, size: usize) -> Tridiagonal {
    let count = size.saturating_sub(1);
    let mut work = Reduction {
        size,
        matrix,
        left: Vec::new(),
        right: Vec::new(),
        partial: Vec::new(),
        beside: vec![0.0; count],
        factors: vec![0.0; count],
        diagonal: vec![0.0; size],
    };
    for first in (0..count).step_by(PANEL) {
        work.panel(first, (first + PANEL).min(count));
    }
    if size > 0 {
        work.diagonal[count] = work.matrix[size * size - 1];
    }
    let Reduction { diagonal, beside, matrix: reflections, factors, .. } = work;
    Tridiagonal { size, diagonal, beside, reflections, factors }
}

struct Reduction {
    size: usize,
    /// Rows that are done hold their reflection.
    matrix: Vec<f64>,
    /// Of the panel, as rows: the vectors v, then the vectors w, of the update `v w^T + w v^T`.
    left: Vec<f64>,
    /// The same in the other order.
    right: Vec<f64>,
    /// Memory for sums.
    partial: Vec<f64>,
    diagonal: Vec<f64>,
    beside: Vec<f64>,
    factors: Vec<f64>,
}

impl Reduction {
    /// Reduces some columns and updates the rest of the matrix.
    fn panel(&mut self, first: usize, end: usize) {
        let (size, count) = (self.size, end - first);
        let mut w = vec![0.0; count * size];
        for column in first..end {
            self.update_column(first, column, &w);
            self.reflect(column);
            self.find_w(first, column, &mut w);
        }
        let v = &self.matrix[first * size..end * size];
        for (to, parts) in [(&mut self.left, [v, &w]), (&mut self.right, [&w, v])] {
            to.clear();
            parts.iter().for_each(|part| to.extend_from_slice(part));
        }
        subtract_product(&mut self.matrix, size, end, &self.left, &self.right);
    }

    /// Subtracts what the panel's reflections so far take from a column, which is a row here.
    fn update_column(&mut self, first: usize, column: usize, w: &[f64]) {
        let size = self.size;
        let (before, row) = self.matrix.split_at_mut(column * size);
        let row = &mut row[column..size];
        for (v, w) in before[first * size..].chunks(size).zip(w.chunks(size)) {
            add_scaled(row, -w[column], &v[column..]);
            add_scaled(row, -v[column], &w[column..]);
        }
    }

    /// Makes the reflection that leaves one number beside the diagonal.
    fn reflect(&mut self, column: usize) {
        let row = &mut self.matrix[column * self.size..][..self.size];
        self.diagonal[column] = row[column];
        row[..=column].fill(0.0);
        let (head, tail) = row[column + 1..].split_at_mut(1);
        let rest = dot(tail, tail);
        if rest == 0.0 {
            (self.beside[column], self.factors[column]) = (head[0], 0.0);
        } else {
            let length = -(head[0] * head[0] + rest).sqrt().copysign(head[0]);
            self.beside[column] = length;
            self.factors[column] = (length - head[0]) / length;
            let scale = 1.0 / (head[0] - length);
            tail.iter_mut().for_each(|number| *number *= scale);
        }
        head[0] = 1.0;
    }

    /// `w = f (A v - f/2 <v, A v> v)` for the reflection v with factor f, A being the updated rest of the matrix.
    fn find_w(&mut self, first: usize, column: usize, w: &mut [f64]) {
        let (size, after, factor) = (self.size, column + 1, self.factors[column]);
        let (w_before, w) = w.split_at_mut((column - first) * size);
        let w = &mut w[after..size];
        let v = &self.matrix[column * size + after..][..size - after];
        let rest = Trailing { matrix: &self.matrix, size, first: after };
        times_vector(rest, v, w, &mut self.partial);
        for (v_before, w_before) in self.matrix[first * size..].chunks(size).zip(w_before.chunks(size)) {
            let (v_before, w_before) = (&v_before[after..], &w_before[after..]);
            let (by_v, by_w) = (dot(w_before, v), dot(v_before, v));
            add_scaled(w, -by_v, v_before);
            add_scaled(w, -by_w, w_before);
        }
        w.iter_mut().for_each(|number| *number *= factor);
        let half = -0.5 * factor * dot(w, v);
        add_scaled(w, half, v);
    }
}

impl Tridiagonal {
    /// Turns vectors of `T`, the rows of `[size, size]`, into those of the matrix.
    pub(super) fn turn_back(&self, vectors: &mut [f64]) {
        let (size, count) = (self.size, self.factors.len());
        let blocks: Vec<(usize, usize, Vec<f64>)> = (0..count)
            .step_by(TOGETHER)
            .map(|first| (first, (first + TOGETHER).min(count)))
            .map(|(first, end)| (first, end, self.joint_factor(first, end)))
            .collect();
        chunks(vectors, VECTORS * size, |_, vectors| {
            let rows = vectors.len() / size;
            for (first, end, factor) in blocks.iter().rev() {
                let (together, after) = (end - first, first + 1);
                let v = &self.reflections[first * size + after..];
                let lengths = [rows, size - after, together];
                let along = product(lengths, Matrix::rows(&vectors[after..], size), Matrix::columns(v, size));
                let turned = Matrix::columns(factor, together);
                let along = product([rows, together, together], Matrix::rows(&along, together), turned);
                let along = Matrix::rows(&along, together);
                let lengths = [rows, together, size - after];
                gemm_add_part(lengths, along, Matrix::rows(v, size), &mut vectors[after..], size, -1.0);
            }
        });
    }

    /// The upper triangular F of `H_first .. H_(end-1) = I - V^T F V`, V being the reflections as rows.
    fn joint_factor(&self, first: usize, end: usize) -> Vec<f64> {
        let (size, count) = (self.size, end - first);
        let v = &self.reflections[first * size..];
        let inner = product([count, size, count], Matrix::rows(v, size), Matrix::columns(v, size));
        let mut joint = vec![0.0; count * count];
        for i in 0..count {
            let factor = self.factors[first + i];
            for row in 0..i {
                let sum: f64 = (row..i).map(|k| joint[row * count + k] * inner[k * count + i]).sum();
                joint[row * count + i] = -factor * sum;
            }
            joint[i * count + i] = factor;
        }
        joint
    }
}
