//! Eigenvalues and eigenvectors of a tridiagonal matrix by the implicit QL method (Dubrulle, Martin and Wilkinson, "The implicit QL
//! algorithm", 1968).
//!
//! The rotations do not depend on the vectors that they turn, so that they are found some thousand at a time and then applied to
//! blocks of columns, a block on each core.

use pddflow_kernels::chunks;
use pddflow_kernels::symmetric::{ROTATED, Rotation, rotate};

/// Steps for one eigenvalue; two or three are usual.
const MOST_STEPS: usize = 50;
/// Rotations that are applied together: many enough to pay for parallel tasks, few enough to stay in a second-level cache.
const TOGETHER: usize = 1 << 14;

/// Eigenvalues in ascending order, and the vectors as rows; `None` if they are not found. `beside` has one number less than
/// `diagonal`, unless both are empty.
pub(super) fn eigen(mut diagonal: Vec<f64>, mut beside: Vec<f64>) -> Option<(Vec<f64>, Vec<f64>)> {
    let size = diagonal.len();
    beside.push(0.0);
    // Numbers beside the diagonal that do not change the largest ones.
    let largest = diagonal.iter().zip(&beside).fold(0.0_f64, |most, (d, e)| most.max(d.abs() + e.abs()));
    let small = f64::EPSILON * largest;
    let mut vectors = Vectors::identity(size);
    for first in 0..size {
        for step in 0.. {
            let last = (first..size - 1).find(|&i| beside[i].abs() <= small).unwrap_or(size - 1);
            if last == first {
                break;
            }
            if step == MOST_STEPS {
                return None;
            }
            sweep(&mut diagonal, &mut beside, [first, last], &mut vectors.rotations);
            vectors.apply(TOGETHER);
        }
    }
    vectors.apply(0);
    let mut order: Vec<usize> = (0..size).collect();
    order.sort_by(|&a, &b| diagonal[a].total_cmp(&diagonal[b]));
    Some((order.iter().map(|&row| diagonal[row]).collect(), vectors.rows(&order)))
}

/// One QL step with Wilkinson's shift on the part `first..=last`.
fn sweep(d: &mut [f64], e: &mut [f64], [first, last]: [usize; 2], rotations: &mut Vec<Rotation>) {
    let half = (d[first + 1] - d[first]) / (2.0 * e[first]);
    let root = libm::hypot(half, 1.0).copysign(half);
    let mut g = d[last] - d[first] + e[first] / (half + root);
    let (mut sine, mut cosine, mut shift) = (1.0, 1.0, 0.0);
    for i in (first..last).rev() {
        let (f, b) = (sine * e[i], cosine * e[i]);
        let r = libm::hypot(f, g);
        e[i + 1] = r;
        if r == 0.0 {
            // The matrix falls apart here.
            d[i + 1] -= shift;
            e[last] = 0.0;
            return;
        }
        (sine, cosine) = (f / r, g / r);
        g = d[i + 1] - shift;
        let r = (d[i] - g) * sine + 2.0 * cosine * b;
        shift = sine * r;
        d[i + 1] = g + shift;
        g = cosine * r - b;
        rotations.push(Rotation { row: i, sine, cosine });
    }
    d[first] -= shift;
    e[first] = g;
    e[last] = 0.0;
}

/// Vectors as rows, in blocks of columns that lie together, and the rotations that they still wait for.
struct Vectors {
    size: usize,
    blocks: Vec<f64>,
    rotations: Vec<Rotation>,
}

impl Vectors {
    fn identity(size: usize) -> Self {
        let mut blocks = vec![0.0; size.div_ceil(ROTATED) * size * ROTATED];
        for row in 0..size {
            blocks[(row / ROTATED * size + row) * ROTATED + row % ROTATED] = 1.0;
        }
        Self { size, blocks, rotations: Vec::new() }
    }

    /// Applies the rotations when there are more than some.
    fn apply(&mut self, some: usize) {
        if self.rotations.len() > some {
            chunks(&mut self.blocks, self.size * ROTATED, |_, rows| rotate(rows, &self.rotations));
            self.rotations.clear();
        }
    }

    /// The rows in this order, each in one piece.
    fn rows(&self, order: &[usize]) -> Vec<f64> {
        let mut rows = Vec::with_capacity(self.size * self.size);
        for &row in order {
            for (block, columns) in self.blocks.chunks(self.size * ROTATED).zip((0..self.size).step_by(ROTATED)) {
                rows.extend_from_slice(&block[row * ROTATED..][..ROTATED.min(self.size - columns)]);
            }
        }
        rows
    }
}
