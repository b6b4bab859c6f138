//! One step of stochastic gradient descent with momentum and weight decay.

use pddflow_host::Sgd;
use pddflow_tensor::{Descent, Tensor, TensorError};

/// The weight and its momentum buffer after one step.
///
/// `d = gradient + weight_decay * weight; buffer = momentum * buffer + d; weight -= lr * buffer`, the buffer being `d`
/// itself where there was none. The learning rate is outside the buffer, so that a change of it acts at once. Without
/// momentum no buffer is kept.
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
    let Sgd { lr, momentum, weight_decay } = *rule;
    Descent { lr, momentum, weight_decay, nesterov: false }.step(&mut weight, gradient, &mut buffer)?;
    Ok((weight, buffer))
}

#[cfg(test)]
mod tests {
    use pddflow_tensor::Device;

    use super::*;

    #[test]
    fn nesterov_looks_ahead() {
        let one = |value: f64| Tensor::from_f64(vec![value], &[1], &Device::Cpu).unwrap();
        let descent = Descent { lr: 0.5, momentum: 0.5, weight_decay: 0.0, nesterov: true };
        let (mut weight, mut buffer) = (one(10.0), None);
        let mut step = || {
            descent.step(&mut weight, &one(2.0), &mut buffer).unwrap();
            (weight.item().unwrap(), buffer.as_ref().unwrap().item().unwrap())
        };
        // The buffer is 2, the step 2 + 0.5 * 2 = 3.
        assert_eq!(step(), (8.5, 2.0));
        // The buffer is 0.5 * 2 + 2 = 3, the step 2 + 0.5 * 3 = 3.5.
        assert_eq!(step(), (6.75, 3.0));
    }
}
