//! Kernel ridge regression, on the tape.

use crate::error::Result;
use crate::tensor::Tensor;

/// Scores `[target, class]` of images by kernel ridge regression: `K_ts (K_ss + ridge tr(K_ss) / n I)^-1 y`, `within` being K_ss `[n, n]`,
/// `between` K_ts `[target, n]` and `labels` y `[n, class]`. The system is solved in double precision, whatever the dtype.
///
/// # Errors
/// The shapes do not fit, or the kernel with its ridge is not positive definite (the message has the pivot).
#[track_caller]
pub fn ridge_regression<'call>(
    within: &Tensor<'call>,
    between: &Tensor<'call>,
    labels: &Tensor<'call>,
    ridge: f64,
) -> Result<Tensor<'call>> {
    let rows = labels.shape()?[0];
    let identity = Tensor::arange(labels.call(), rows)?.one_hot(rows)?;
    let ridge = (&(within * &identity)?.sum(&[], false)? * (ridge / rows.max(1) as f64))?;
    between.matmul(&(within + &(&identity * &ridge)?)?.solve(labels)?)
}

/// Labels of a set as numbers `[row, class]`, less 1 over the number of classes: class numbers become centred one-hot vectors.
///
/// # Errors
/// A label is out of range.
#[track_caller]
pub fn centred<'call>(labels: &Tensor<'call>, classes: usize) -> Result<Tensor<'call>> {
    let numbers = match labels.dtype()? {
        crate::DType::I64 => labels.one_hot(classes)?,
        _ => labels.clone(),
    };
    &numbers - 1.0 / classes as f64
}
