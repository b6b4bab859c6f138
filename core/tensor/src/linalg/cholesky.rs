//! Symmetric positive definite systems by Cholesky's decomposition, `A = L L^T`.

use crate::error::{Result, TensorError};
use pddflow_kernels::symmetric::{add_scaled, dot};

/// L of the symmetric part `(A + A^T) / 2` of a matrix `[size, size]`, with zeros above the diagonal; all in row-major order.
///
/// # Errors
/// The first pivot that is not above 0, or not finite.
pub(crate) fn factor(matrix: &[f64], size: usize) -> Result<Vec<f64>> {
    let mut out = vec![0.0; size * size];
    for row in 0..size {
        let (done, rest) = out.split_at_mut(row * size);
        let current = &mut rest[..=row];
        for column in 0..row {
            let above = &done[column * size..][..=column];
            let entry = 0.5 * (matrix[row * size + column] + matrix[column * size + row]);
            current[column] = (entry - dot(&current[..column], &above[..column])) / above[column];
        }
        let value = matrix[row * size + row] - dot(&current[..row], &current[..row]);
        if value <= 0.0 || !value.is_finite() {
            return Err(TensorError::NotPositiveDefinite { op: "solve", size, pivot: row, value });
        }
        current[row] = value.sqrt();
    }
    Ok(out)
}

/// Makes x of `L L^T x = b` in place of b, `[size, columns]`.
pub(crate) fn solve(factor: &[f64], size: usize, b: &mut [f64], columns: usize) {
    for row in 0..size {
        let (done, rest) = b.split_at_mut(row * columns);
        let current = &mut rest[..columns];
        let of_row = &factor[row * size..][..=row];
        for (solved, number) in done.chunks_exact(columns.max(1)).zip(of_row) {
            add_scaled(current, -number, solved);
        }
        current.iter_mut().for_each(|number| *number /= of_row[row]);
    }
    for row in (0..size).rev() {
        let (left, rest) = b.split_at_mut(row * columns);
        let current = &mut rest[..columns];
        let of_row = &factor[row * size..][..=row];
        current.iter_mut().for_each(|number| *number /= of_row[row]);
        for (waiting, number) in left.chunks_exact_mut(columns.max(1)).zip(of_row) {
            add_scaled(waiting, -number, current);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_times_its_transpose_is_the_symmetric_part() {
        let matrix = [4.0, 3.0, 1.0, 1.0, 5.0, 0.5, 0.0, 1.5, 3.0];
        let l = factor(&matrix, 3).unwrap();
        for row in 0..3 {
            for column in 0..3 {
                let product: f64 = (0..3).map(|k| l[row * 3 + k] * l[column * 3 + k]).sum();
                let wanted = 0.5 * (matrix[row * 3 + column] + matrix[column * 3 + row]);
                assert!((product - wanted).abs() < 1e-14, "{row} {column}: {product} {wanted}");
                assert!(column <= row || l[row * 3 + column] == 0.0);
            }
        }
    }

    #[test]
    fn the_first_pivot_that_is_not_above_zero_is_told() {
        let found = |matrix: &[f64], size| match factor(matrix, size) {
            Err(TensorError::NotPositiveDefinite { size, pivot, value, .. }) => (size, pivot, value),
            other => panic!("{other:?}"),
        };
        assert_eq!(found(&[1.0, 2.0, 2.0, 1.0], 2), (2, 1, -3.0));
        assert_eq!(found(&[1.0, 1.0, 1.0, 1.0], 2), (2, 1, 0.0));
        assert_eq!(found(&[0.0], 1), (1, 0, 0.0));
        assert!(found(&[4.0, f64::NAN, 0.0, 1.0], 2).2.is_nan());
        assert_eq!(found(&[f64::INFINITY], 1), (1, 0, f64::INFINITY));
        assert!(factor(&[], 0).unwrap().is_empty());
    }

    #[test]
    fn a_large_system_is_solved_to_rounding() {
        let size = 150;
        let noise = crate::RandomKey::new(4).normal_f64(size * size);
        let entry = |row: usize, column: usize| -> f64 {
            let ridge = if row == column { 1e-3 } else { 0.0 };
            ridge + (0..size).map(|k| noise[row * size + k] * noise[column * size + k]).sum::<f64>() / size as f64
        };
        let matrix: Vec<f64> = (0..size * size).map(|at| entry(at / size, at % size)).collect();
        let wanted = crate::RandomKey::new(5).normal_f64(size * 3);
        let mut b: Vec<f64> = (0..size * 3)
            .map(|at| (0..size).map(|k| matrix[at / 3 * size + k] * wanted[k * 3 + at % 3]).sum())
            .collect();
        solve(&factor(&matrix, size).unwrap(), size, &mut b, 3);
        // The condition number is below 1e4, so that four of sixteen digits may go.
        assert!(b.iter().zip(&wanted).all(|(found, wanted)| (found - wanted).abs() < 1e-10));
    }
}
