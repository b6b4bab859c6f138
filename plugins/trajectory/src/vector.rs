//! Lists of tensors as one vector.

use pddflow_sdk::{Result, Tensor};

/// `a + scale b`, tensor by tensor.
///
/// # Errors
/// The shapes differ.
pub fn add_scaled<'call>(a: &[Tensor<'call>], b: &[Tensor<'call>], scale: f64) -> Result<Vec<Tensor<'call>>> {
    a.iter().zip(b).map(|(a, b)| a + &(b * scale)?).collect()
}

/// `scale a`, tensor by tensor.
///
/// # Errors
/// The run was cancelled.
pub fn scaled<'call>(a: &[Tensor<'call>], scale: f64) -> Result<Vec<Tensor<'call>>> {
    a.iter().map(|a| a * scale).collect()
}

/// The values without their history.
///
/// # Errors
/// The run was cancelled.
pub fn detached<'call>(a: &[Tensor<'call>]) -> Result<Vec<Tensor<'call>>> {
    a.iter().map(Tensor::detach).collect()
}

/// Sum of products of all elements; of values that are off the tape.
///
/// # Errors
/// The lists are empty, or the shapes differ.
pub fn dot<'call>(a: &[Tensor<'call>], b: &[Tensor<'call>]) -> Result<f64> {
    product(a, b)?.scalar()
}

/// [`dot`] as a tensor, which a device need not be waited for.
///
/// # Errors
/// The lists are empty, or the shapes differ.
pub fn product<'call>(a: &[Tensor<'call>], b: &[Tensor<'call>]) -> Result<Tensor<'call>> {
    pddflow_sdk::total(a.iter().zip(b).map(|(a, b)| a.dot(b)))
}

/// Sum of squared differences of all elements; of values that are off the tape.
///
/// # Errors
/// The lists are empty, or the shapes differ.
pub fn squared_distance<'call>(a: &[Tensor<'call>], b: &[Tensor<'call>]) -> Result<f64> {
    pddflow_sdk::total(a.iter().zip(b).map(|(a, b)| a.squared_distance(b)))?.scalar()
}
