//! Fits ZCA whitening (`methods.md` 0.2) on the training images.

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_artifact::{ImageSize, LabelledImages, Zca};
use pddflow_runner::{NodeContext, NodeError, Progress};
use pddflow_tensor::TensorError;
use pddflow_tensor::linalg::{add_gram, mirror, symmetric_eigen};

/// Images multiplied at once.
const ROWS: usize = 2048;
/// Largest number of values of an image: the decomposition needs about six matrices of that side in double precision.
const MOST_VALUES: usize = 12_288;
const PIXEL_MAX: f64 = 255.0;
const DOING: &str = "fitting the whitening";

/// `Cov = U diag(s) U^T` of pixels in [0, 1]; `transform = U diag(1 / sqrt(s + epsilon)) U^T` and
/// `inverse = U diag(sqrt(s + epsilon)) U^T`, computed in double precision and rounded to single at the end.
///
/// The sums run over whole numbers (pixels 0 to 255), which double precision holds exactly up to 370,000 images: the
/// covariance does not depend on the order of summation. With fewer images than values the covariance has eigenvalues 0,
/// where the transform is `1 / sqrt(epsilon)`.
pub(crate) fn fit(train: &LabelledImages, size: ImageSize, epsilon: f64, context: &NodeContext<'_>) -> NodeResult<Zca> {
    let d = size.elements();
    let rows = train.labels.len();
    if d > MOST_VALUES {
        let message = format!("whitening of images with {d} values needs too much memory (at most {MOST_VALUES})");
        return Err(fail("data_zca", message).with_help("use `normalize: standard`, or smaller images"));
    }
    if rows < 2 {
        return Err(
            fail("data_zca", "whitening needs at least 2 training images").with_help("use `normalize: standard`")
        );
    }
    let (mut covariance, sums) = gram(train, d, context)?;
    let n = rows as f64;
    let scale = 1.0 / (n * (n - 1.0) * PIXEL_MAX * PIXEL_MAX);
    for (values, row_sum) in covariance.chunks_mut(d).zip(&sums) {
        for (value, sum) in values.iter_mut().zip(&sums) {
            *value = (*value * n - row_sum * sum) * scale;
        }
    }
    if context.cancelled() {
        return Err(NodeError::cancelled());
    }
    let (transform, inverse) = whitening(&covariance, d, epsilon).during(DOING)?;
    let rounded = |values: Vec<f64>| values.into_iter().map(to_f32).collect();
    let mean = sums.iter().map(|sum| to_f32(sum / n / PIXEL_MAX)).collect();
    Ok(Zca { epsilon, mean, transform: rounded(transform), inverse: rounded(inverse) })
}

/// `U diag((s + epsilon)^-1/2) U^T` and `U diag((s + epsilon)^1/2) U^T` of a covariance `U diag(s) U^T`, of which only the upper
/// triangle is read.
fn whitening(covariance: &[f64], d: usize, epsilon: f64) -> Result<(Vec<f64>, Vec<f64>), TensorError> {
    let (eigenvalues, vectors) = symmetric_eigen(covariance, d)?;
    let recompose = |inverted: bool| {
        // Each side of the product takes half of the power. Two square roots are the same bits on every machine, `powf` is
        // not. Rounding may leave a zero a little below zero.
        let root = |value: &f64| {
            let root = (value.max(0.0) + epsilon).sqrt().sqrt();
            if inverted { root.recip() } else { root }
        };
        let rows = vectors.chunks(d.max(1)).zip(eigenvalues.iter().map(root));
        let scaled: Vec<f64> = rows.flat_map(|(vector, root)| vector.iter().map(move |value| value * root)).collect();
        let mut sum = vec![0.0; d * d];
        add_gram(&mut sum, d, &scaled)?;
        mirror(&mut sum, d)?;
        Ok(sum)
    };
    Ok((recompose(true)?, recompose(false)?))
}

/// `X^T X` (its upper triangle) and the column sums of the pixels, as whole numbers.
fn gram(train: &LabelledImages, d: usize, context: &NodeContext<'_>) -> NodeResult<(Vec<f64>, Vec<f64>)> {
    let (mut gram, mut sums) = (vec![0.0; d * d], vec![0.0; d]);
    let (mut done, total) = (0, train.labels.len() as u64);
    for chunk in train.pixels.chunks(ROWS * d) {
        if context.cancelled() {
            return Err(NodeError::cancelled());
        }
        let values: Vec<f64> = chunk.iter().map(|pixel| f64::from(*pixel)).collect();
        for row in values.chunks(d) {
            sums.iter_mut().zip(row).for_each(|(sum, value)| *sum += value);
        }
        add_gram(&mut gram, d, &values).during(DOING)?;
        done += (chunk.len() / d) as u64;
        context.progress(Progress { done, total, unit: "images", loss: None });
    }
    Ok((gram, sums))
}

#[expect(clippy::cast_possible_truncation, reason = "rounding to single precision is meant")]
fn to_f32(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use pddflow_cache::{Key, RamStore};
    use pddflow_runner::Cancel;
    use pddflow_runner::pipeline::NodeId;
    use safetensors::SafeTensors;

    use super::*;

    fn in_node<T>(work: impl FnOnce(&NodeContext<'_>) -> T) -> T {
        let (store, node) = (RamStore::new(), NodeId::new("data"));
        work(&NodeContext::detached(&store, &node, Key::from_bytes([0; 32]), &Cancel::new()))
    }

    fn tensor(file: &SafeTensors<'_>, name: &str) -> Vec<f64> {
        let view = file.tensor(name).unwrap();
        view.data().as_chunks::<8>().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect()
    }

    fn covariance(rows: &[f64], d: usize) -> Vec<f64> {
        let n = (rows.len() / d) as f64;
        let mean: Vec<f64> = (0..d).map(|i| rows.iter().skip(i).step_by(d).sum::<f64>() / n).collect();
        let term = |i: usize, j: usize| move |row: &[f64]| (row[i], row[j]);
        let mut out = vec![0.0; d * d];
        for i in 0..d {
            for j in 0..d {
                let products = rows.chunks(d).map(term(i, j)).map(|(a, b)| (a - mean[i]) * (b - mean[j]));
                out[i * d + j] = products.sum::<f64>() / (n - 1.0);
            }
        }
        out
    }

    fn check_oracle(name: &str) {
        let path = format!("{}/tests/oracle/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
        let bytes = fs_err::read(path).unwrap();
        let file = SafeTensors::deserialize(&bytes).unwrap();
        let expected_mean = tensor(&file, "out.mean");
        let d = expected_mean.len();
        let (transform, inverse) = whitening(&covariance(&tensor(&file, "in.train"), d), d, 0.1).unwrap();
        for (found, expected) in [(transform, "out.t"), (inverse, "out.t_inv")] {
            let expected = tensor(&file, expected);
            let scale = expected.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
            let error = found.iter().zip(&expected).fold(0.0_f64, |most, (a, b)| most.max((a - b).abs()));
            // The tolerance that the reference files state for double precision.
            assert!(error <= 1e-9 * scale, "{name}: {}", error / scale);
        }
    }

    #[test]
    fn the_matrices_are_those_of_the_reference() {
        check_oracle("zca__0");
    }

    #[test]
    fn so_they_are_with_fewer_images_than_values() {
        check_oracle("zca__1");
    }

    #[test]
    fn whole_number_sums_give_the_same_covariance() {
        let size = ImageSize { channels: 1, height: 2, width: 3 };
        let pixels: Vec<u8> = (0..9 * 6_u32).map(|i| u8::try_from(i * 37 % 251).unwrap()).collect();
        let rows: Vec<f64> = pixels.iter().map(|pixel| f64::from(*pixel) / 255.0).collect();
        let train = LabelledImages { pixels, labels: vec![0; 9] };
        let zca = in_node(|context| fit(&train, size, 0.1, context)).unwrap();
        let (transform, inverse) = whitening(&covariance(&rows, 6), 6, 0.1).unwrap();
        let near = |found: &[f32], expected: &[f64]| {
            // Single precision holds values of this size, up to about 3, to 2e-7.
            found.iter().zip(expected).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-6)
        };
        assert!(near(&zca.transform, &transform) && near(&zca.inverse, &inverse));
    }

    #[test]
    fn one_image_cannot_be_whitened() {
        let size = ImageSize { channels: 1, height: 1, width: 1 };
        let train = LabelledImages { pixels: vec![1], labels: vec![0] };
        let error = in_node(|context| fit(&train, size, 0.1, context)).unwrap_err();
        assert!(error.message.contains("at least 2"), "{}", error.message);
    }
}
