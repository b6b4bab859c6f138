//! Steps of gradient descent, off the tape.

use crate::backend::{Value, descend, descend_there};
use crate::error::{Result, TensorError, shape_error};
use crate::op::Descent;
use crate::{Device, Tensor, trace};

impl Descent {
    /// One step: `d = gradient + weight_decay * weight; buffer = momentum * buffer + d; weight -= lr * buffer`, the buffer being `d`
    /// where there was none. All have one shape and one type of real numbers; the results are constants. Values that nobody else
    /// holds are changed where they lie.
    ///
    /// # Errors
    /// When shapes, types or devices differ.
    pub fn step(&self, weight: &mut Tensor, gradient: &Tensor, buffer: &mut Option<Tensor>) -> Result<()> {
        let buffers: Vec<&Tensor> = buffer.iter().collect();
        for other in [&[gradient], &buffers[..]].concat() {
            if other.shape() != weight.shape() {
                return shape_error("descent", &[weight.shape(), other.shape()], "all shapes must be equal");
            }
            if other.dtype() != weight.dtype() || !weight.dtype().is_float() {
                return Err(TensorError::DType {
                    op: "descent",
                    dtypes: vec![weight.dtype(), other.dtype()],
                    rule: "all have one type of real numbers",
                });
            }
        }
        if weight.device() != Device::Cpu {
            return self.on_device(weight, gradient, buffer);
        }
        let shape = weight.shape().to_vec();
        // Weight and buffer are read and written.
        let numbers = weight.elements() * if self.momentum == 0.0 { 3 } else { 5 };
        let bytes = numbers * weight.dtype().size();
        trace::named("descent", &shape, [bytes, 0], || self.in_place(weight, gradient, buffer))
    }

    fn in_place(&self, weight: &mut Tensor, gradient: &Tensor, buffer: &mut Option<Tensor>) -> Result<()> {
        let first = buffer.is_none();
        if self.momentum == 0.0 {
            *buffer = None;
        } else if first {
            *buffer = Some(Tensor::zeros(weight.shape(), weight.dtype(), &Device::Cpu)?);
        }
        let buffer: Option<&mut Value> = buffer.as_mut().map(Tensor::value_mut).transpose()?;
        descend(self, weight.value_mut()?, gradient.value()?, buffer, first)
    }

    fn on_device(&self, weight: &mut Tensor, gradient: &Tensor, buffer: &mut Option<Tensor>) -> Result<()> {
        let before = buffer.as_ref().map(Tensor::value).transpose()?;
        let (moved, kept) = descend_there(self, weight.value()?, gradient.value()?, before)?;
        *buffer = kept.map(|kept| Tensor::constant(kept, weight.shape(), weight.dtype()));
        *weight = Tensor::constant(moved, weight.shape(), weight.dtype());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DType, RandomKey};

    fn bits(tensor: &Tensor) -> Vec<u64> {
        tensor.to_f64_vec().unwrap().into_iter().map(f64::to_bits).collect()
    }

    /// The same by operations on tensors.
    fn one_by_one(rule: &Descent, weight: &mut Tensor, gradient: &Tensor, buffer: &mut Option<Tensor>) -> Result<()> {
        let now = weight.detach();
        let slope = match rule.weight_decay {
            0.0 => gradient.detach(),
            decay => gradient.detach().add(&now.mul_scalar(decay)?)?,
        };
        let moved = match buffer.take() {
            Some(buffer) if rule.momentum != 0.0 => buffer.detach().mul_scalar(rule.momentum)?.add(&slope)?,
            _ => slope.clone(),
        };
        let along = match rule.nesterov {
            true => slope.add(&moved.mul_scalar(rule.momentum)?)?,
            false => moved.clone(),
        };
        *weight = now.sub(&along.mul_scalar(rule.lr)?)?;
        *buffer = (rule.momentum != 0.0).then_some(moved);
        Ok(())
    }

    fn random(name: &str, dtype: DType) -> Tensor {
        let values = RandomKey::new(3).fold(name).normal_f64(2 * 40_000);
        Tensor::from_values(values, &[2, 40_000], dtype, &Device::Cpu).unwrap()
    }

    #[test]
    fn a_step_in_place_is_that_of_the_operations_bit_for_bit() {
        for dtype in [DType::F32, DType::F64] {
            for (momentum, weight_decay, nesterov) in
                [(0.0, 0.0, false), (0.0, 0.1, false), (0.9, 0.0, false), (0.9, 5e-4, false), (0.9, 5e-4, true)]
            {
                let rule = Descent { lr: 0.1, momentum, weight_decay, nesterov };
                let (mut weight, mut buffer) = (random("weight", dtype), None);
                let (mut expected, mut expected_buffer) = (weight.clone(), None);
                for name in ["first", "second", "third"] {
                    let gradient = random(name, dtype);
                    rule.step(&mut weight, &gradient, &mut buffer).unwrap();
                    one_by_one(&rule, &mut expected, &gradient, &mut expected_buffer).unwrap();
                    assert_eq!(bits(&weight), bits(&expected), "{rule:?}");
                    assert_eq!(buffer.as_ref().map(bits), expected_buffer.as_ref().map(bits), "{rule:?}");
                }
            }
        }
    }

    #[test]
    fn steps_agree_on_every_device() {
        let rules = [(0.0, 0.0, false), (0.0, 0.1, false), (0.9, 0.0, false), (0.9, 5e-4, true)];
        for (momentum, weight_decay, nesterov) in rules {
            let rule = Descent { lr: 0.1, momentum, weight_decay, nesterov };
            // So few numbers that they stay on the processor, and many.
            for shape in [&[][..], &[3, 7, 11]] {
                let draw = |name: &str, device: &Device| {
                    let values = RandomKey::new(5).fold(name).normal_f64(shape.iter().product());
                    Tensor::from_values(values, shape, DType::F32, device).unwrap()
                };
                let moved = |device: &Device| {
                    let (mut weight, mut buffer) = (draw("weight", device), None);
                    for name in ["first", "second", "third"] {
                        rule.step(&mut weight, &draw(name, device), &mut buffer).unwrap();
                    }
                    assert_eq!((weight.device(), buffer.is_some()), (device.clone(), momentum != 0.0));
                    let buffer = buffer.map_or(Vec::new(), |buffer| buffer.to_f64_vec().unwrap());
                    [weight.to_f64_vec().unwrap(), buffer].concat()
                };
                let own = moved(&Device::Cpu);
                for device in crate::device::devices() {
                    let far = moved(&device).iter().zip(&own).any(|(a, b)| (a - b).abs() > 1e-6 * (1.0 + b.abs()));
                    assert!(!far, "{device}: {rule:?}");
                }
            }
        }
    }

    #[test]
    fn what_others_hold_does_not_change() {
        let rule = Descent { lr: 0.1, momentum: 0.9, weight_decay: 0.0, nesterov: false };
        let (first, gradient) = (random("weight", DType::F32), random("gradient", DType::F32));
        let before = bits(&first);
        let leaf = first.variable().unwrap();
        let (mut weight, mut buffer) = (first.clone(), Some(gradient.clone()));
        rule.step(&mut weight, &gradient, &mut buffer).unwrap();
        assert!(bits(&first) == before && bits(&leaf) == before && bits(&weight) != before);
        assert_eq!(bits(&gradient), bits(&random("gradient", DType::F32)));
        // Alone, the numbers stay where they are.
        let place = weight.as_f32().unwrap().as_ptr();
        rule.step(&mut weight, &gradient, &mut buffer).unwrap();
        assert_eq!(weight.as_f32().unwrap().as_ptr(), place);
        // A weight on the tape becomes a constant.
        let mut taped = leaf;
        rule.step(&mut taped, &gradient, &mut None).unwrap();
        assert!(!taped.is_on_tape());
    }

    #[test]
    fn shapes_and_types_must_be_equal() {
        let rule = Descent { lr: 0.1, momentum: 0.9, weight_decay: 0.0, nesterov: false };
        let mut weight = random("weight", DType::F32);
        assert!(rule.step(&mut weight, &random("gradient", DType::F64), &mut None).is_err());
        assert!(rule.step(&mut weight, &Tensor::ones(&[2], DType::F32, &Device::Cpu).unwrap(), &mut None).is_err());
    }
}
