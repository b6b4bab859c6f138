//! How pixels become the numbers that nets see, and back.
//!
//! | normalisation | value of a pixel p in [0, 1] |
//! |---|---|
//! | none | p |
//! | standard | (p - mean) / std, per channel |
//! | zca | (x - m) T with the flattened image x (`methods.md` 0.2) |
//!
//! A distilled set is of use only together with the preprocessing that it was made for: sets carry its digest, and
//! evaluation refuses another one.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use pddflow_cache::Digest;
use pddflow_tensor::{DType, Device, Tensor, TensorError};
use safetensors::tensor::Dtype;
use serde::{Deserialize, Serialize};

use super::container::{self, Array, to_bytes};
use super::error::ArtifactError;

/// Largest value of a stored pixel; it becomes 1.0.
pub(crate) const PIXEL_MAX: f64 = 255.0;

/// Where mean and standard deviation come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The table that the field uses (`methods.md` 0.1).
    Published,
    /// The training split.
    Computed,
    /// The pipeline file.
    Given,
}

/// ZCA whitening: `z = (x - mean) transform`, back `x = z inverse + mean`, with x a flattened image of pixels in [0, 1].
#[derive(Clone, Debug, PartialEq)]
pub struct Zca {
    /// Added to each eigenvalue of the covariance.
    pub epsilon: f64,
    /// `[d]`, d = channels * height * width.
    pub mean: Vec<f32>,
    /// `[d, d]`, symmetric.
    pub transform: Vec<f32>,
    /// `[d, d]`, symmetric.
    pub inverse: Vec<f32>,
}

/// What is done to pixels in [0, 1].
#[derive(Clone, Debug, PartialEq)]
pub enum Normalization {
    /// Nothing.
    None,
    /// Mean and standard deviation of each channel.
    Standard {
        /// Subtracted, per channel.
        mean: Vec<f64>,
        /// Divided by, per channel; greater than 0.
        std: Vec<f64>,
        /// Where they come from.
        origin: Origin,
    },
    /// Whitening.
    Zca(Arc<Zca>),
}

/// The preprocessing of a data set, with its digest.
#[derive(Clone, Debug, PartialEq)]
pub struct Preprocessing {
    normalization: Normalization,
    channels: usize,
    digest: Digest,
}

/// What is told of a preprocessing where its matrices are not at hand (sets, manifests).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "normalize", rename_all = "snake_case", deny_unknown_fields)]
pub enum PreprocessingNote {
    /// Pixels in [0, 1] as they are.
    None {
        /// [`Preprocessing::digest`].
        digest: Digest,
    },
    /// `(pixel - mean) / std`.
    Standard {
        /// Per channel.
        mean: Vec<f64>,
        /// Per channel.
        std: Vec<f64>,
        /// Where they come from.
        origin: Origin,
        /// [`Preprocessing::digest`].
        digest: Digest,
    },
    /// Whitening; the matrices are in the data set.
    Zca {
        /// Added to each eigenvalue.
        epsilon: f64,
        /// [`Preprocessing::digest`].
        digest: Digest,
    },
}

impl PreprocessingNote {
    /// The digest of the preprocessing that this is about.
    #[must_use]
    pub fn digest(&self) -> Digest {
        match self {
            Self::None { digest } | Self::Standard { digest, .. } | Self::Zca { digest, .. } => *digest,
        }
    }

    /// The preprocessing of images with that many channels; none for whitening, whose matrices are in the data set.
    #[must_use]
    pub fn preprocessing(&self, channels: usize) -> Option<Preprocessing> {
        let normalization = match self {
            Self::None { .. } => Normalization::None,
            Self::Standard { mean, std, origin, .. } => {
                Normalization::Standard { mean: mean.clone(), std: std.clone(), origin: *origin }
            }
            Self::Zca { .. } => return None,
        };
        Some(Preprocessing::new(normalization, channels))
    }
}

impl Preprocessing {
    /// The preprocessing of images with that many channels.
    #[must_use]
    pub fn new(normalization: Normalization, channels: usize) -> Self {
        let digest = digest(&normalization);
        Self { normalization, channels, digest }
    }

    /// What is done.
    #[must_use]
    pub fn normalization(&self) -> &Normalization {
        &self.normalization
    }

    /// Of everything that decides the numbers; where mean and std come from does not.
    #[must_use]
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The form that sets carry.
    #[must_use]
    pub fn note(&self) -> PreprocessingNote {
        let digest = self.digest;
        match &self.normalization {
            Normalization::None => PreprocessingNote::None { digest },
            Normalization::Standard { mean, std, origin } => {
                PreprocessingNote::Standard { mean: mean.clone(), std: std.clone(), origin: *origin, digest }
            }
            Normalization::Zca(zca) => PreprocessingNote::Zca { epsilon: zca.epsilon, digest },
        }
    }

    /// Mean and standard deviation of each channel as nets see them: 0 and 1 where nothing, or something else, is done.
    #[must_use]
    pub fn mean_std(&self) -> (Vec<f64>, Vec<f64>) {
        match &self.normalization {
            Normalization::Standard { mean, std, .. } => (mean.clone(), std.clone()),
            _ => (vec![0.0; self.channels], vec![1.0; self.channels]),
        }
    }

    /// The value of every pixel 0..=255 in every channel, in double precision: `values[channel * 256 + pixel]`.
    pub fn pixel_values(&self) -> Vec<f64> {
        let (mean, std) = self.mean_std();
        let of = |(mean, std): (f64, f64)| (0..=255_u32).map(move |pixel| (f64::from(pixel) / PIXEL_MAX - mean) / std);
        mean.into_iter().zip(std).flat_map(of).collect()
    }

    /// Normalised images `[n, c, h, w]` back to pixels in [0, 1] (values outside are not cut), as f64 in the same order.
    ///
    /// # Errors
    /// When the images do not have the size that the whitening was made for.
    pub fn invert(&self, images: &Tensor) -> Result<Vec<f64>, TensorError> {
        match &self.normalization {
            Normalization::None => images.to_f64_vec(),
            Normalization::Standard { mean, std, .. } => {
                let plane: usize = images.shape().iter().skip(2).product();
                let mut values = images.to_f64_vec()?;
                let channels = mean.iter().zip(std).cycle();
                for (chunk, (mean, std)) in values.chunks_mut(plane.max(1)).zip(channels) {
                    chunk.iter_mut().for_each(|value| *value = *value * std + mean);
                }
                Ok(values)
            }
            Normalization::Zca(zca) => zca.unwhiten(images),
        }
    }
}

impl Zca {
    /// Pixels in [0, 1], `[n, c, h, w]`, to whitened values of the same shape and number type.
    pub fn whiten(&self, pixels: &Tensor) -> Result<Tensor, TensorError> {
        let (rows, shape) = self.flatten(pixels)?;
        let mean = self.tensor(&self.mean, &[1, self.mean.len()], pixels)?;
        let transform = self.tensor(&self.transform, &[self.mean.len(), self.mean.len()], pixels)?;
        rows.sub(&mean)?.matmul(&transform)?.reshape(&shape)
    }

    /// Whitened images back to pixels. One row of the matrix after the other, in double precision and without the kernels: so pictures
    /// and exports are the same on every machine.
    fn unwhiten(&self, images: &Tensor) -> Result<Vec<f64>, TensorError> {
        let size = self.mean.len();
        let rows = images.shape().first().copied().unwrap_or(0);
        let values = images.reshape(&[rows, size])?.to_f64_vec()?;
        let mut pixels: Vec<f64> = self.mean.iter().map(|mean| f64::from(*mean)).cycle().take(values.len()).collect();
        for (place, row) in self.inverse.chunks_exact(size).enumerate() {
            for (pixels, values) in pixels.chunks_exact_mut(size).zip(values.chunks_exact(size)) {
                let value = values[place];
                pixels.iter_mut().zip(row).for_each(|(pixel, weight)| *pixel += value * f64::from(*weight));
            }
        }
        Ok(pixels)
    }

    /// The matrices as a safetensors file with `mean`, `transform` and `inverse`, for programs of others.
    pub fn to_safetensors(&self) -> Result<Vec<u8>, ArtifactError> {
        let d = self.mean.len();
        let mut arrays = BTreeMap::new();
        for (name, shape, values) in [
            ("mean", vec![d], &self.mean),
            ("transform", vec![d, d], &self.transform),
            ("inverse", vec![d, d], &self.inverse),
        ] {
            let bytes = Cow::Owned(to_bytes(values, f32::to_le_bytes));
            arrays.insert(name.to_owned(), Array { dtype: Dtype::F32, shape, bytes });
        }
        let note = serde_json::json!({ "artifact": "zca", "version": 1, "epsilon": self.epsilon });
        container::write("zca", &arrays, &note)
    }

    fn flatten(&self, images: &Tensor) -> Result<(Tensor, Vec<usize>), TensorError> {
        let shape = images.shape().to_vec();
        let rows = shape.first().copied().unwrap_or(0);
        Ok((images.reshape(&[rows, images.elements() / rows.max(1)])?, shape))
    }

    fn tensor(&self, values: &[f32], shape: &[usize], like: &Tensor) -> Result<Tensor, TensorError> {
        let dtype = if like.dtype() == DType::F64 { DType::F64 } else { DType::F32 };
        Tensor::from_f32(values.to_vec(), shape, &Device::Cpu)?.cast(dtype)?.to_device(&like.device())
    }
}

fn digest(normalization: &Normalization) -> Digest {
    let mut hasher = blake3::Hasher::new_derive_key("pddflow preprocessing 1");
    let mut numbers = |name: &str, values: &mut dyn Iterator<Item = u64>| {
        hasher.update(name.as_bytes());
        values.for_each(|bits| {
            hasher.update(&bits.to_le_bytes());
        });
    };
    match normalization {
        Normalization::None => numbers("none", &mut std::iter::empty()),
        Normalization::Standard { mean, std, .. } => {
            numbers("mean", &mut mean.iter().map(|value| value.to_bits()));
            numbers("std", &mut std.iter().map(|value| value.to_bits()));
        }
        Normalization::Zca(zca) => {
            numbers("epsilon", &mut std::iter::once(zca.epsilon.to_bits()));
            for (name, values) in [("m", &zca.mean), ("t", &zca.transform), ("i", &zca.inverse)] {
                numbers(name, &mut values.iter().map(|value| u64::from(value.to_bits())));
            }
        }
    }
    Digest::from_bytes(*hasher.finalize().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standard(mean: f64, origin: Origin) -> Preprocessing {
        Preprocessing::new(Normalization::Standard { mean: vec![mean], std: vec![0.5], origin }, 1)
    }

    #[test]
    fn the_digest_is_of_the_numbers_alone() {
        assert_eq!(standard(0.25, Origin::Published).digest(), standard(0.25, Origin::Computed).digest());
        assert_ne!(standard(0.25, Origin::Computed).digest(), standard(0.26, Origin::Computed).digest());
        assert_ne!(standard(0.0, Origin::Given).digest(), Preprocessing::new(Normalization::None, 1).digest());
    }

    #[test]
    fn pixels_go_there_and_back() {
        let two = Preprocessing::new(
            Normalization::Standard { mean: vec![0.25, 0.5], std: vec![0.5, 0.125], origin: Origin::Given },
            2,
        );
        let values = two.pixel_values();
        assert_eq!(values[0], -0.5);
        assert_eq!(values[256 + 255], 4.0);
        let shown: Vec<f64> = vec![values[51], values[102], values[256 + 51], values[256 + 204]];
        let images = Tensor::from_f64(shown, &[1, 2, 1, 2], &Device::Cpu).unwrap();
        let back: Vec<f64> = two.invert(&images).unwrap().iter().map(|value| (value * 255.0).round()).collect();
        assert_eq!(back, [51.0, 102.0, 51.0, 204.0]);
    }
}
