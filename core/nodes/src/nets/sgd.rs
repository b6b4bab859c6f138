//! One step of stochastic gradient descent with momentum and weight decay.

use pddflow_host::Sgd;
use pddflow_tensor::{Tensor, TensorError};

/// The weight and its momentum buffer after one step.
///
/// `d = gradient + weight_decay * weight; buffer = momentum * buffer + d; weight -= lr * buffer`, the buffer being `d`
/// itself where there was none. The step size is outside the buffer, so that a change of it acts at once. Without momentum
/// no buffer is kept.
///
/// # Errors
/// The shapes differ.
pub fn sgd_step(
    weight: &Tensor,
    gradient: &Tensor,
    buffer: Option<&Tensor>,
    rule: &Sgd,
) -> Result<(Tensor, Option<Tensor>), TensorError> {
    let decayed = if rule.weight_decay == 0.0 {
        gradient.clone()
    } else {
        gradient.add(&weight.mul_scalar(rule.weight_decay)?)?
    };
    let buffer = match buffer {
        Some(buffer) if rule.momentum != 0.0 => buffer.mul_scalar(rule.momentum)?.add(&decayed)?,
        _ => decayed,
    };
    let moved = weight.sub(&buffer.mul_scalar(rule.lr)?)?;
    Ok((moved, (rule.momentum != 0.0).then_some(buffer)))
}
