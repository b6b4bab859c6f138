//! Optimisers of nets besides stochastic gradient descent.
//!
//! The buffers of a net are then two averages for each learnable weight, one weight after the other, and last the number of steps.

use pddflow_host::Net;
use pddflow_tensor::{Device, Tensor, TensorError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is left of the average of squared gradients in a step.
const SECOND: f64 = 0.999;
/// Added to the root of that average.
const EPSILON: f64 = 1e-8;

/// How a step follows from a gradient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Optimizer {
    /// Stochastic gradient descent with momentum; weight decay is a part of the gradient.
    #[default]
    Sgd,
    /// Adam (Kingma and Ba): the momentum is the share that is left of the first average, 0.999 that of the second; weight decay is a
    /// part of the gradient.
    Adam,
    /// The same with weight decay beside the gradient (Loshchilov and Hutter).
    #[serde(rename = "adamw")]
    AdamW,
}

impl Optimizer {
    /// Whether it is the one that nearly all recipes have, which their records do not name.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Numbers of a step of Adam.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Adaptive {
    pub(crate) lr: f64,
    pub(crate) momentum: f64,
    pub(crate) weight_decay: f64,
    /// Whether the weight decay is a part of the gradient.
    pub(crate) coupled: bool,
}

impl Adaptive {
    /// One step of the weights at these places.
    pub(crate) fn step(self, net: &mut Net, places: &[usize], gradients: &[Tensor]) -> Result<(), TensorError> {
        let mut buffers = net.momentum.take().unwrap_or_default();
        let done = match buffers.pop() {
            Some(count) => count.to_i64_vec()?.first().copied().unwrap_or(0),
            None => 0,
        };
        let steps = done + 1;
        let mut averages = Vec::with_capacity(buffers.len() + 1);
        for (number, (place, gradient)) in places.iter().zip(gradients).enumerate() {
            let before = buffers.get(2 * number).zip(buffers.get(2 * number + 1));
            let (weight, first, second) = self.weight(&net.weights[*place], gradient, before, steps)?;
            net.weights[*place] = weight;
            averages.extend([first, second]);
        }
        averages.push(Tensor::from_i64(vec![steps], &[1], &Device::Cpu)?);
        net.momentum = Some(averages);
        Ok(())
    }

    /// The weight and its two averages after step number `steps`, from 1.
    fn weight(
        self,
        weight: &Tensor,
        gradient: &Tensor,
        before: Option<(&Tensor, &Tensor)>,
        steps: i64,
    ) -> Result<(Tensor, Tensor, Tensor), TensorError> {
        let gradient = match self.coupled && self.weight_decay > 0.0 {
            true => gradient.add(&weight.mul_scalar(self.weight_decay)?)?,
            false => gradient.clone(),
        };
        let average = |of: &Tensor, before: Option<&Tensor>, left: f64| {
            let own = of.mul_scalar(1.0 - left)?;
            before.map_or_else(|| Ok(own.clone()), |before| before.mul_scalar(left)?.add(&own))
        };
        let first = average(&gradient, before.map(|both| both.0), self.momentum)?;
        let second = average(&gradient.square()?, before.map(|both| both.1), SECOND)?;
        #[expect(clippy::cast_precision_loss, reason = "steps are far fewer than 2^52")]
        let part = |left: f64| 1.0 - libm::pow(left, steps as f64);
        let size = second.mul_scalar(1.0 / part(SECOND))?.sqrt()?.add_scalar(EPSILON)?;
        let step = first.mul_scalar(self.lr / part(self.momentum))?.div(&size)?;
        let shrunk = match self.coupled || self.weight_decay == 0.0 {
            true => weight.clone(),
            false => weight.mul_scalar(1.0 - self.lr * self.weight_decay)?,
        };
        Ok((shrunk.sub(&step)?, first, second))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(value: f64) -> Tensor {
        Tensor::from_f64(vec![value], &[1], &Device::Cpu).unwrap()
    }

    /// Weights after steps with the gradients 2, -1 and 0.5, as `torch.optim` has them (PyTorch 2, double precision).
    #[test]
    fn steps_are_those_of_pytorch() {
        for (coupled, expected) in [(true, TORCH_ADAM), (false, TORCH_ADAMW)] {
            let rule = Adaptive { lr: 0.1, momentum: 0.9, weight_decay: 0.01, coupled };
            let mut net = Net::new(vec![one(7.0), one(10.0)]);
            for (gradient, expected) in [2.0, -1.0, 0.5].into_iter().zip(expected) {
                rule.step(&mut net, &[1], &[one(gradient)]).unwrap();
                let found = net.weights[1].item().unwrap();
                assert!((found - expected).abs() < 1e-13, "{found} for {expected}");
            }
            assert_eq!(net.weights[0].item().unwrap(), 7.0);
            assert_eq!(net.momentum.unwrap().len(), 3);
        }
    }

    const TORCH_ADAM: [f64; 3] = [9.90000000047619, 9.867780233682979, 9.827485017786577];
    const TORCH_ADAMW: [f64; 3] = [9.8900000005, 9.853476296701933, 9.809579905841742];
}
