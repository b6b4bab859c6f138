//! Gradients towards flat minima.
//!
//! With g the gradient at the weights w and h that at `w + rho g / |g|`, of the same batch, a step is made along
//! `h - alpha (g - <g, h> h / |h|^2)`: sharpness-aware minimisation (Foret et al., ICLR 2021), and for alpha above 0 its surrogate gap made smaller too
//! (Zhuang et al., "Surrogate Gap Minimization Improves Sharpness-Aware Training", ICLR 2022).

use pddflow_tensor::{Tensor, TensorError};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Added to lengths.
const EPSILON: f64 = 1e-12;

/// How flat minima are sought.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Flat {
    /// How far the weights at which the second gradient is taken lie up the first one.
    #[serde(default = "rho")]
    #[schemars(range(min = 0.0))]
    pub rho: f64,
    /// How much of the part of the first gradient that is at right angles to the second is taken off; 0 for none.
    #[serde(default = "alpha")]
    #[schemars(range(min = 0.0))]
    pub alpha: f64,
}

fn rho() -> f64 {
    0.01
}

fn alpha() -> f64 {
    0.3
}

impl Flat {
    /// What is added to the weights for the second gradient.
    ///
    /// # Errors
    /// A tensor cannot be read from its device.
    pub fn climb(self, first: &[Tensor]) -> Result<Vec<Tensor>, TensorError> {
        let scale = self.rho / (dot(first, first)?.sqrt() + EPSILON);
        first.iter().map(|own| own.mul_scalar(scale)).collect()
    }

    /// What a step follows.
    ///
    /// # Errors
    /// The shapes differ.
    pub fn direction(self, first: &[Tensor], second: &[Tensor]) -> Result<Vec<Tensor>, TensorError> {
        let (long, short) = (dot(second, second)?.sqrt(), dot(first, first)?.sqrt());
        let cosine = dot(first, second)? / (long * short + EPSILON);
        let along = 1.0 + self.alpha * cosine * short / (long + EPSILON);
        let part = |(g, h): (&Tensor, &Tensor)| h.mul_scalar(along)?.sub(&g.mul_scalar(self.alpha)?);
        first.iter().zip(second).map(part).collect()
    }
}

fn dot(a: &[Tensor], b: &[Tensor]) -> Result<f64, TensorError> {
    a.iter().zip(b).try_fold(0.0, |sum, (a, b)| Ok(sum + a.dot(b)?.item()?))
}

#[cfg(test)]
mod tests {
    use pddflow_tensor::Device;

    use super::*;

    fn two(values: [f64; 2]) -> Vec<Tensor> {
        values.map(|value| Tensor::from_f64(vec![value], &[1], &Device::Cpu).unwrap()).to_vec()
    }

    fn values(tensors: &[Tensor]) -> Vec<f64> {
        tensors.iter().map(|tensor| tensor.item().unwrap()).collect()
    }

    #[test]
    fn what_is_at_right_angles_is_taken_off() {
        let flat = Flat { rho: 0.5, alpha: 0.25 };
        let up = values(&flat.climb(&two([3.0, 4.0])).unwrap());
        assert!((up[0] - 0.3).abs() < 1e-11 && (up[1] - 0.4).abs() < 1e-11, "{up:?}");
        // Of (3, 4) the part beside (2, 0) is (0, 4).
        let found = values(&flat.direction(&two([3.0, 4.0]), &two([2.0, 0.0])).unwrap());
        assert!((found[0] - 2.0).abs() < 1e-11 && (found[1] + 1.0).abs() < 1e-11, "{found:?}");
        let plain = Flat { alpha: 0.0, ..flat };
        assert_eq!(values(&plain.direction(&two([3.0, 4.0]), &two([2.0, 0.0])).unwrap()), [2.0, 0.0]);
    }
}
