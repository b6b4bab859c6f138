//! What is computed once from the whole data: whitening, and choosing images by their features.

use pddflow_nodes::select;
use pddflow_tensor::linalg::symmetric_eigen;
use pddflow_tensor::{Device, RandomKey, Result, Tensor};

use crate::network::normal;

const ZCA_IMAGES: usize = 10_000;
const ZCA_VALUES: usize = 3 * 32 * 32;
const ZCA_EPSILON: f64 = 0.1;
const HERDING_ROWS: usize = 5_000;
const HERDING_WIDTH: usize = 2_048;
const HERDING_COUNT: usize = 50;

/// Pixels 0 to 255 of colour images.
pub(crate) fn pixels() -> Vec<u8> {
    RandomKey::new(7).uniform_f64(ZCA_IMAGES * ZCA_VALUES).into_iter().map(|value| (value * 255.0) as u8).collect()
}

/// Whitening of all pixels: covariance, its decomposition, the transform and its inverse, in double precision (the steps of the
/// node `dataset`).
pub(crate) fn zca(pixels: &[u8]) -> Result<()> {
    let (rows, d) = (pixels.len() / ZCA_VALUES, ZCA_VALUES);
    let mut sums = vec![0.0; d];
    let mut gram = Tensor::from_f64(vec![0.0; d * d], &[d, d], &Device::Cpu)?;
    for chunk in pixels.chunks(2048 * d) {
        let values: Vec<f64> = chunk.iter().map(|pixel| f64::from(*pixel)).collect();
        for row in values.chunks(d) {
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        let values = Tensor::from_f64(values, &[chunk.len() / d, d], &Device::Cpu)?;
        gram = gram.add(&values.permute(&[1, 0])?.matmul(&values)?)?;
    }
    let n = rows as f64;
    let sums = Tensor::from_f64(sums, &[d, 1], &Device::Cpu)?;
    let outer = sums.matmul(&sums.permute(&[1, 0])?)?;
    let covariance = gram.mul_scalar(n)?.sub(&outer)?.mul_scalar(1.0 / (n * (n - 1.0) * 255.0 * 255.0))?;
    let (values, vectors) = symmetric_eigen(&covariance.to_f64_vec()?, d)?;
    let vectors = Tensor::from_f64(vectors, &[d, d], &Device::Cpu)?;
    for power in [-0.5, 0.5] {
        let scales = values.iter().map(|value| (value.max(0.0) + ZCA_EPSILON).powf(power)).collect();
        let scaled = vectors.mul(&Tensor::from_f64(scales, &[1, d], &Device::Cpu)?)?;
        std::hint::black_box(scaled.matmul(&vectors.permute(&[1, 0])?)?);
    }
    Ok(())
}

/// Features of one class.
pub(crate) fn features() -> Result<Vec<f32>> {
    normal(&[HERDING_ROWS, HERDING_WIDTH], RandomKey::new(8))?.to_f32_vec()
}

/// Chooses rows whose mean stays near that of all.
pub(crate) fn herding(features: &[f32]) {
    std::hint::black_box(select::herding(select::Features::new(features, HERDING_WIDTH), HERDING_COUNT));
}
