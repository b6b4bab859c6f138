//! ConvNet-3: three blocks of convolution, normalisation, ReLU and average pooling, and a linear layer.

use pddflow_tensor::{Conv2d, DType, Device, RandomKey, Result, Tensor};

pub(crate) const CLASSES: usize = 10;

/// Blocks of the network.
const BLOCKS: usize = 3;
/// Added to variances.
const EPS: f64 = 1e-5;

/// What is normalised together.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Norm {
    /// Every plane.
    Instance,
    /// Every channel over the batch, as in training.
    Batch,
}

/// Random weights for images of `channels`, whose planes have `side` rows and columns at the end: of each block convolution
/// weight and bias, norm weight and bias; then the linear weight and bias.
pub(crate) fn weights(width: usize, channels: usize, side: usize, key: RandomKey) -> Result<Vec<Tensor>> {
    let mut weights = Vec::new();
    let mut inputs = channels;
    for block in 0..BLOCKS {
        let key = key.fold_u64(block as u64);
        weights.push(uniform(&[width, inputs, 3, 3], inputs * 9, key.fold("weight"))?);
        weights.push(uniform(&[width], inputs * 9, key.fold("bias"))?);
        weights.push(Tensor::ones(&[width], DType::F32, &Device::Cpu)?);
        weights.push(Tensor::zeros(&[width], DType::F32, &Device::Cpu)?);
        inputs = width;
    }
    let features = width * side * side;
    weights.push(uniform(&[CLASSES, features], features, key.fold("linear weight"))?);
    weights.push(uniform(&[CLASSES], features, key.fold("linear bias"))?);
    Ok(weights)
}

/// Uniform in +-1 / sqrt(fan in).
fn uniform(shape: &[usize], fan_in: usize, key: RandomKey) -> Result<Tensor> {
    let bound = 1.0 / (fan_in as f64).sqrt();
    let values = key.uniform_f64(shape.iter().product());
    let values = values.into_iter().map(|value| ((value * 2.0 - 1.0) * bound) as f32).collect();
    Tensor::from_f32(values, shape, &Device::Cpu)
}

/// The flattened result of the blocks, `[image, feature]`.
pub(crate) fn features(weights: &[Tensor], images: &Tensor, norm: Norm) -> Result<Tensor> {
    let mut x = images.clone();
    for block in weights.chunks_exact(4).take(BLOCKS) {
        let padded = Conv2d { stride: [1, 1], padding: [1, 1] };
        let y = x.conv2d(&block[0], Some(&block[1]), padded)?;
        let y = match norm {
            Norm::Instance => y.instance_norm(&block[2], &block[3], EPS)?,
            Norm::Batch => y.batch_norm_train(&block[2], &block[3], EPS)?.0,
        };
        x = y.relu()?.avg_pool2d([2, 2], [2, 2])?;
    }
    let images = x.shape()[0];
    x.reshape(&[images, x.elements() / images])
}

/// Logits `[image, class]`.
pub(crate) fn logits(weights: &[Tensor], images: &Tensor, norm: Norm) -> Result<Tensor> {
    features(weights, images, norm)?.linear(&weights[4 * BLOCKS], Some(&weights[4 * BLOCKS + 1]))
}

/// The class of every image of a set, `ipc` of each class in turn.
pub(crate) fn labels(ipc: usize) -> Result<Tensor> {
    let labels: Vec<i64> = (0..CLASSES as i64).flat_map(|class| vec![class; ipc]).collect();
    Tensor::from_i64(labels, &[CLASSES * ipc], &Device::Cpu)
}

pub(crate) fn normal(shape: &[usize], key: RandomKey) -> Result<Tensor> {
    let values = key.normal_f64(shape.iter().product()).into_iter().map(|value| value as f32).collect();
    Tensor::from_f32(values, shape, &Device::Cpu)
}
