//! The limit on sizes.

use crate::error::{Result, TensorError};

/// Most elements of a tensor. A larger size is a mistake; below it products of sizes, and offsets in bytes, fit their types.
const MOST_ELEMENTS: usize = 1 << 34;

/// The number of elements of a shape, if a tensor may have so many; axes of length 0 count as 1 for that. Every result of an
/// operation is checked so before its kernel runs.
///
/// # Errors
/// When there are more than 2^34.
pub fn checked_elements(op: &'static str, shape: &[usize]) -> Result<usize> {
    let extent = shape.iter().try_fold(1_usize, |product, &length| product.checked_mul(length.max(1)));
    match extent {
        Some(extent) if extent <= MOST_ELEMENTS => Ok(if shape.contains(&0) { 0 } else { extent }),
        _ => Err(TensorError::Size { op, shape: shape.to_vec(), most: MOST_ELEMENTS }),
    }
}
