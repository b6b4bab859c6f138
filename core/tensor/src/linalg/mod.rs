//! Decompositions and products of dense matrices in double precision on the CPU.

pub(crate) mod cholesky;
mod ql;
mod tridiagonal;

use crate::error::{Result, TensorError, shape_error};
use crate::trace;
use pddflow_kernels::symmetric;

/// Eigenvalues in ascending order and eigenvectors of a symmetric matrix: `A = V diag(s) V^T`.
///
/// `matrix` is `[size, size]` in row-major order; only its upper triangle is read. The vectors come as `[size, size]`
/// in row-major order, one vector in each row (`V^T`). By Householder's tridiagonal form and the implicit QL
/// method; the result does not depend on the number of threads.
///
/// # Errors
/// When the length is not `size * size`, a number is not finite, or the iteration does not converge.
pub fn symmetric_eigen(matrix: &[f64], size: usize) -> Result<(Vec<f64>, Vec<f64>)> {
    if matrix.len() != size * size {
        return shape_error("symmetric_eigen", &[&[matrix.len()], &[size, size]], "the matrix must be square");
    }
    let fail = |message: &str| TensorError::Value { op: "symmetric_eigen", message: message.to_owned() };
    if matrix.iter().any(|v| !v.is_finite()) {
        return Err(fail("the matrix holds numbers that are not finite"));
    }
    if size == 0 {
        return Ok((Vec::new(), Vec::new()));
    }
    // Squares of the numbers are neither too large nor too small then; a power of two changes no digit.
    let largest = matrix.iter().fold(0.0_f64, |most, v| most.max(v.abs()));
    let scale = if largest > 0.0 { libm::scalbn(1.0, libm::ilogb(largest)) } else { 1.0 };
    let reduced = tridiagonal::reduce(matrix.iter().map(|v| v / scale).collect(), size);
    let (mut values, mut vectors) = ql::eigen(reduced.diagonal.clone(), reduced.beside.clone())
        .ok_or_else(|| fail("the iteration did not converge"))?;
    reduced.turn_back(&mut vectors);
    values.iter_mut().for_each(|value| *value *= scale);
    Ok((values, vectors))
}

/// Adds `x^T x` to the upper triangle of a matrix `[size, size]`, for `x: [rows, size]`, both in row-major order.
///
/// # Errors
/// When a length does not fit.
pub fn add_gram(matrix: &mut [f64], size: usize, x: &[f64]) -> Result<()> {
    if matrix.len() != size * size || (size > 0 && !x.len().is_multiple_of(size)) {
        let shapes: [&[usize]; 2] = [&[matrix.len()], &[x.len()]];
        return shape_error("add_gram", &shapes, "the first is size * size, the second a multiple of size");
    }
    let counts = [8 * (x.len() + size * size), x.len() * (size + 1)];
    trace::named("add_gram", &[size, size], counts, || symmetric::add_gram(matrix, size, x));
    Ok(())
}

/// Copies the upper triangle of a matrix `[size, size]` in row-major order to its lower one.
///
/// # Errors
/// When the length is not `size * size`.
pub fn mirror(matrix: &mut [f64], size: usize) -> Result<()> {
    if matrix.len() != size * size {
        return shape_error("mirror", &[&[matrix.len()], &[size, size]], "the matrix must be square");
    }
    symmetric::mirror(matrix, size);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers symmetric to the diagonal, with some eigenvalues 0 if `rank` is below `size`.
    fn matrix(size: usize, rank: usize) -> Vec<f64> {
        let x = crate::RandomKey::new(1).normal_f64(rank * size);
        let mut matrix = vec![0.0; size * size];
        add_gram(&mut matrix, size, &x).unwrap();
        mirror(&mut matrix, size).unwrap();
        matrix
    }

    #[test]
    fn vectors_are_orthonormal_and_restore_the_matrix() {
        // One number, less than a panel, and several panels and tasks with ends that fill neither.
        for (size, rank) in [(1, 1), (2, 2), (40, 40), (150, 150), (150, 20), (701, 701)] {
            let matrix = matrix(size, rank);
            let (values, vectors) = symmetric_eigen(&matrix, size).unwrap();
            assert!(values.is_sorted());
            let largest = values[size - 1];
            let times = |a: &[f64], b: &dyn Fn(usize) -> f64| -> f64 { (0..size).map(|k| a[k] * b(k)).sum() };
            for i in (0..size).step_by(1 + size / 50) {
                for j in 0..size {
                    let restored: f64 =
                        (0..size).map(|k| vectors[k * size + i] * values[k] * vectors[k * size + j]).sum();
                    let product = times(&vectors[i * size..][..size], &|k| vectors[j * size + k]);
                    // A backward-stable method is off by some multiple of 2^-52 times the largest eigenvalue.
                    assert!((restored - matrix[i * size + j]).abs() < 1e-13 * largest, "{size}: {i} {j}");
                    assert!((product - f64::from(u8::from(i == j))).abs() < 1e-13, "{size}: {i} {j}");
                }
            }
        }
    }

    #[test]
    fn size_of_the_numbers_does_not_matter() {
        let matrix = matrix(30, 30);
        let (values, vectors) = symmetric_eigen(&matrix, 30).unwrap();
        for scale in [500.0_f64, -500.0].map(libm::exp2) {
            let scaled: Vec<f64> = matrix.iter().map(|v| v * scale).collect();
            let (scaled, same) = symmetric_eigen(&scaled, 30).unwrap();
            assert_eq!(same, vectors);
            assert_eq!(scaled.iter().map(|v| v / scale).collect::<Vec<_>>(), values);
        }
        assert_eq!(symmetric_eigen(&[0.0; 4], 2).unwrap(), (vec![0.0; 2], vec![1.0, 0.0, 0.0, 1.0]));
    }

    #[test]
    fn no_bit_depends_on_the_number_of_threads() {
        let matrix = matrix(701, 900);
        let (alone, shared) =
            (crate::on_one_thread(|| symmetric_eigen(&matrix, 701).unwrap()), symmetric_eigen(&matrix, 701).unwrap());
        assert!(alone == shared);
    }

    #[test]
    fn a_gram_matrix_is_the_sum_of_products() {
        let (rows, size) = (37, 101);
        let x = crate::RandomKey::new(2).normal_f64(rows * size);
        let mut found = vec![1.0; size * size];
        add_gram(&mut found, size, &x).unwrap();
        mirror(&mut found, size).unwrap();
        for i in 0..size {
            for j in 0..size {
                let sum: f64 = (0..rows).map(|row| x[row * size + i] * x[row * size + j]).sum();
                assert!((found[i * size + j] - 1.0 - sum).abs() < 1e-12, "{i} {j}");
            }
        }
        assert!(add_gram(&mut found, size, &x[1..]).is_err() && mirror(&mut found, 3).is_err());
    }

    #[test]
    fn bad_matrices_are_refused() {
        assert!(symmetric_eigen(&[1.0, 2.0], 2).is_err());
        assert!(symmetric_eigen(&[f64::NAN], 1).is_err());
        assert_eq!(symmetric_eigen(&[], 0).unwrap(), (vec![], vec![]));
    }
}
