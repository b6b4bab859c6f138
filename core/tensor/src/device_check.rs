//! Whether a device computes what the processor does.

use crate::error::Result;
use crate::{Conv2d, DType, Device, Keep, RandomKey, Tensor, grad};

/// Computes a convolution net with its gradients there and on the processor.
///
/// Returns the largest deviation of an output or gradient, relative to the largest value of its tensor: 1e-6 to 1e-5 in single
/// precision.
///
/// # Errors
/// When the device does not exist or fails.
pub fn check_device(device: &Device) -> Result<f64> {
    let (own, other) = (net(&Device::Cpu)?, net(device)?);
    let deviation = |(own, other): (&Vec<f64>, &Vec<f64>)| {
        let scale = own.iter().fold(f64::MIN_POSITIVE, |scale, value| scale.max(value.abs()));
        own.iter().zip(other).fold(0.0_f64, |most, (a, b)| most.max((a - b).abs() / scale))
    };
    Ok(own.iter().zip(&other).map(deviation).fold(0.0, f64::max))
}

/// Two convolutions with instance normalisation, ReLU and pooling, a linear layer, and the gradients by all weights.
fn net(device: &Device) -> Result<Vec<Vec<f64>>> {
    let random = |name: &str, shape: &[usize]| {
        let values = RandomKey::new(0).fold(name).normal_f64(shape.iter().product());
        Tensor::from_values(values, shape, DType::F32, device)
    };
    let weight = |name: &str, shape: &[usize]| random(name, shape)?.variable();
    let weights = [
        weight("first", &[16, 3, 3, 3])?,
        weight("second", &[16, 16, 3, 3])?,
        weight("scale", &[16])?,
        weight("shift", &[16])?,
        weight("linear", &[16 * 4 * 4, 10])?,
    ];
    let [first, second, scale, shift, linear] = &weights;
    let mut x = random("images", &[8, 3, 16, 16])?;
    for kernel in [first, second] {
        let conv = Conv2d { stride: [1, 1], padding: [1, 1] };
        x = x.conv2d(kernel, None, conv)?.instance_norm(scale, shift, 1e-5)?.relu()?.avg_pool2d([2, 2], [2, 2])?;
    }
    let logits = x.reshape(&[8, 16 * 4 * 4])?.matmul(linear)?;
    let gradients = grad(&[logits.square()?.sum_all()?], &weights, None, Keep::No)?;
    [vec![logits], gradients].concat().iter().map(Tensor::to_f64_vec).collect()
}
