//! What is computed once from the whole data: whitening, and choosing images by their features.

use pddflow_tensor::linalg::{add_gram, mirror, symmetric_eigen};
use pddflow_tensor::{RandomKey, Result};
use pddflow_training::selection;

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
    let (mut covariance, mut sums) = (vec![0.0; d * d], vec![0.0; d]);
    for chunk in pixels.chunks(2048 * d) {
        let values: Vec<f64> = chunk.iter().map(|pixel| f64::from(*pixel)).collect();
        for row in values.chunks(d) {
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        add_gram(&mut covariance, d, &values)?;
    }
    let n = rows as f64;
    for (row, row_sum) in covariance.chunks_mut(d).zip(&sums) {
        for (value, sum) in row.iter_mut().zip(&sums) {
            *value = (*value * n - row_sum * sum) / (n * (n - 1.0) * 255.0 * 255.0);
        }
    }
    let (values, vectors) = symmetric_eigen(&covariance, d)?;
    for power in [-0.5, 0.5] {
        #[expect(clippy::disallowed_methods, reason = "a comparison of speed")]
        let root = |value: &f64| (value.max(0.0) + ZCA_EPSILON).powf(power / 2.0);
        let rows = vectors.chunks(d).zip(values.iter().map(root));
        let scaled: Vec<f64> = rows.flat_map(|(row, root)| row.iter().map(move |value| value * root)).collect();
        let mut sum = vec![0.0; d * d];
        add_gram(&mut sum, d, &scaled)?;
        mirror(&mut sum, d)?;
        std::hint::black_box(sum);
    }
    Ok(())
}

/// Features of one class.
pub(crate) fn features() -> Result<Vec<f32>> {
    normal(&[HERDING_ROWS, HERDING_WIDTH], RandomKey::new(8))?.to_f32_vec()
}

/// Chooses rows whose mean stays near that of all.
pub(crate) fn herding(features: &[f32]) {
    std::hint::black_box(selection::herding(selection::Features::new(features, HERDING_WIDTH), HERDING_COUNT));
}
