//! Decompositions of small dense matrices in double precision on the CPU.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{ComputeEigenvectors, self_adjoint_evd, self_adjoint_evd_scratch};
use faer::{Mat, MatRef, Par, Spec};

use crate::error::{Result, TensorError, shape_error};

/// Eigenvalues in ascending order and eigenvectors of a symmetric matrix: `A = V diag(s) V^T`.
///
/// `matrix` is `[size, size]` in row-major order; only its lower triangle is read. The vectors come as `[size, size]`
/// in row-major order, one vector in each column. Single-threaded blocked tridiagonalisation and divide and conquer
/// (the `faer` crate), so that the result does not depend on the number of threads.
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
    let matrix = MatRef::from_row_major_slice(matrix, size, size);
    let mut values = Diag::<f64>::zeros(size);
    let mut vectors = Mat::<f64>::zeros(size, size);
    let scratch = self_adjoint_evd_scratch::<f64>(size, ComputeEigenvectors::Yes, Par::Seq, Spec::default());
    let mut buffer = MemBuffer::new(scratch);
    let stack = MemStack::new(&mut buffer);
    self_adjoint_evd(matrix, values.as_mut(), Some(vectors.as_mut()), Par::Seq, stack, Spec::default())
        .map_err(|_| fail("the iteration did not converge"))?;
    let values = values.column_vector().iter().copied().collect();
    let vectors = (0..size * size).map(|i| vectors[(i / size, i % size)]).collect();
    Ok((values, vectors))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_are_orthonormal_and_restore_the_matrix() {
        let size = 40;
        let noise = crate::RandomKey::new(1).normal_f64(size * size);
        let matrix: Vec<f64> = (0..size * size).map(|i| noise[i] + noise[i % size * size + i / size]).collect();
        let (values, vectors) = symmetric_eigen(&matrix, size).unwrap();
        assert!(values.is_sorted());
        for i in 0..size {
            for j in 0..size {
                let restored: f64 = (0..size).map(|k| vectors[i * size + k] * values[k] * vectors[j * size + k]).sum();
                let product: f64 = (0..size).map(|k| vectors[k * size + i] * vectors[k * size + j]).sum();
                // A backward-stable method is off by some multiple of 2^-52 times the largest eigenvalue, about 18.
                assert!((restored - matrix[i * size + j]).abs() < 1e-12, "{i} {j}");
                assert!((product - f64::from(u8::from(i == j))).abs() < 1e-13, "{i} {j}");
            }
        }
    }

    #[test]
    fn bad_matrices_are_refused() {
        assert!(symmetric_eigen(&[1.0, 2.0], 2).is_err());
        assert!(symmetric_eigen(&[f64::NAN], 1).is_err());
        assert_eq!(symmetric_eigen(&[], 0).unwrap(), (vec![], vec![]));
    }
}
