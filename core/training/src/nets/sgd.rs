//! One step of stochastic gradient descent with momentum and weight decay.

use pddflow_host::Sgd;
use pddflow_tensor::{Descent, Tensor, TensorError};

/// How the momentum acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Momentum {
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
    let (mut weight, mut buffer) = (weight.clone(), buffer.cloned());
    momentum_step(&mut weight, gradient, &mut buffer, rule, Momentum::Classical)?;
    Ok((weight, buffer))
}

/// [`sgd_step`], or with Nesterov's momentum `weight -= lr * (d + momentum * buffer)`; in place where nobody else holds the values.
pub(crate) fn momentum_step(
    weight: &mut Tensor,
    gradient: &Tensor,
    buffer: &mut Option<Tensor>,
    rule: &Sgd,
    momentum: Momentum,
) -> Result<(), TensorError> {
    let Sgd { lr, momentum: kept, weight_decay } = *rule;
    let descent = Descent { lr, momentum: kept, weight_decay, nesterov: momentum == Momentum::Nesterov };
    descent.step(weight, gradient, buffer)
}

#[cfg(test)]
mod tests {
    use pddflow_tensor::Device;

    use super::*;

    #[test]
    fn nesterov_looks_ahead() {
        let one = |value: f64| Tensor::from_f64(vec![value], &[1], &Device::Cpu).unwrap();
        let rule = Sgd { lr: 0.5, momentum: 0.5, weight_decay: 0.0 };
        let (mut weight, mut buffer) = (one(10.0), None);
        let mut step = || {
            momentum_step(&mut weight, &one(2.0), &mut buffer, &rule, Momentum::Nesterov).unwrap();
            (weight.item().unwrap(), buffer.as_ref().unwrap().item().unwrap())
        };
        // The buffer is 2, the step 2 + 0.5 * 2 = 3.
        assert_eq!(step(), (8.5, 2.0));
        // The buffer is 0.5 * 2 + 2 = 3, the step 2 + 0.5 * 3 = 3.5.
        assert_eq!(step(), (6.75, 3.0));
    }
}
