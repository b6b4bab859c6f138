//! One step of stochastic gradient descent with momentum and weight decay.

use pddflow_host::Sgd;
use pddflow_tensor::{Tensor, TensorError};

/// How the momentum acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Momentum {
    /// The step is the buffer.
    Classical,
    /// The step looks ahead: the gradient plus the buffer times the momentum (as PyTorch has Nesterov's).
    Nesterov,
}

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
    momentum_step(weight, gradient, buffer, rule, Momentum::Classical)
}

/// [`sgd_step`], or with Nesterov's momentum `weight -= lr * (d + momentum * buffer)`.
pub(crate) fn momentum_step(
    weight: &Tensor,
    gradient: &Tensor,
    buffer: Option<&Tensor>,
    rule: &Sgd,
    momentum: Momentum,
) -> Result<(Tensor, Option<Tensor>), TensorError> {
    let decayed = if rule.weight_decay == 0.0 {
        gradient.clone()
    } else {
        gradient.add(&weight.mul_scalar(rule.weight_decay)?)?
    };
    let buffer = match buffer {
        Some(buffer) if rule.momentum != 0.0 => buffer.mul_scalar(rule.momentum)?.add(&decayed)?,
        _ => decayed.clone(),
    };
    let moved = match momentum {
        Momentum::Classical => weight.sub(&buffer.mul_scalar(rule.lr)?)?,
        Momentum::Nesterov => {
            let ahead = decayed.add(&buffer.mul_scalar(rule.momentum)?)?;
            weight.sub(&ahead.mul_scalar(rule.lr)?)?
        }
    };
    Ok((moved, (rule.momentum != 0.0).then_some(buffer)))
}

#[cfg(test)]
mod tests {
    use pddflow_tensor::Device;

    use super::*;

    #[test]
    fn nesterov_looks_ahead() {
        let one = |value: f64| Tensor::from_f64(vec![value], &[1], &Device::Cpu).unwrap();
        let rule = Sgd { lr: 0.5, momentum: 0.5, weight_decay: 0.0 };
        let step = |weight: &Tensor, buffer: Option<&Tensor>| {
            momentum_step(weight, &one(2.0), buffer, &rule, Momentum::Nesterov).unwrap()
        };
        let (weight, buffer) = step(&one(10.0), None);
        // The buffer is 2, the step 2 + 0.5 * 2 = 3.
        assert_eq!((weight.item().unwrap(), buffer.as_ref().unwrap().item().unwrap()), (8.5, 2.0));
        let (weight, buffer) = step(&weight, buffer.as_ref());
        // The buffer is 0.5 * 2 + 2 = 3, the step 2 + 0.5 * 3 = 3.5.
        assert_eq!((weight.item().unwrap(), buffer.unwrap().item().unwrap()), (6.75, 3.0));
    }
}
