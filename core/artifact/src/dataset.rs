//! Real images with labels: what the kind `dataset` gives.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use pddflow_cache::{Blob, Digest};
use pddflow_tensor::{DType, Device, Tensor, TensorError};
use rayon::prelude::*;
use safetensors::tensor::Dtype;

use super::class_ids::ClassIds;
use super::container::{self, Array, Arrays, from_bytes, to_bytes};
use super::dataset_format::{ARTIFACT, DatasetNote, NormalizeNote, VERSION};
use super::error::ArtifactError;
use super::preprocessing::{Normalization, Preprocessing, Zca};

/// Images whitened at once: bounds the memory beside the result.
const WHITEN_ROWS: usize = 2048;
/// Pixel values of one channel.
const PIXELS: usize = 256;

/// Training, held-out or test images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// What distillation may see.
    Train,
    /// Training images that were set aside to choose by: no node trains on them.
    HeldOut,
    /// What accuracy is measured on.
    Test,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::HeldOut => "held_out",
            Self::Test => "test",
        }
    }
}

/// Size of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageSize {
    /// 1 (grey) or 3 (red, green, blue).
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl ImageSize {
    /// Values of one image.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.channels * self.height * self.width
    }
}

/// Images and their classes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelledImages {
    /// `[n, c, h, w]` in row-major order.
    pub pixels: Vec<u8>,
    /// Class of each image.
    pub labels: Vec<u16>,
}

/// What a data set is made of.
#[derive(Clone, Debug)]
pub struct DatasetParts {
    /// Of every image.
    pub size: ImageSize,
    /// Training images.
    pub train: LabelledImages,
    /// Training images that were set aside to choose by; there may be none.
    pub held_out: LabelledImages,
    /// Test images; there may be none.
    pub test: LabelledImages,
    /// One for each class; every label is below their number.
    pub class_names: Vec<String>,
    /// Which classes of a larger data set these are; `None` for all of them.
    pub class_ids: Option<ClassIds>,
    /// What is done to the pixels before a net sees them.
    pub preprocessing: Preprocessing,
    /// What the data are, e.g. `fashion-mnist`; no path.
    pub source: String,
    /// Who made the data and what may be done with them, as far as known.
    pub license: Option<String>,
}

/// A data set. The pixels stay where they are stored (usually in a mapped file); numbers are made of them on demand.
#[derive(Clone, Debug)]
pub struct Dataset {
    blob: Blob,
    size: ImageSize,
    train: Stored,
    held_out: Stored,
    test: Stored,
    class_names: Vec<String>,
    class_ids: Option<ClassIds>,
    preprocessing: Preprocessing,
    source: String,
    license: Option<String>,
}

#[derive(Clone, Debug, Default)]
struct Stored {
    pixels: Range<usize>,
    labels: Vec<u16>,
}

impl Dataset {
    /// The bytes of a data set.
    ///
    /// # Errors
    /// When the parts contradict each other: counts, label ranges, sizes of mean and std.
    pub fn encode(parts: &DatasetParts) -> Result<Vec<u8>, ArtifactError> {
        let DatasetParts { size, preprocessing, .. } = parts;
        let mut arrays = BTreeMap::new();
        let sides = [(Side::Train, &parts.train), (Side::HeldOut, &parts.held_out), (Side::Test, &parts.test)];
        for (side, images) in sides {
            let rows = images.labels.len();
            check_rows(side, rows, images.pixels.len(), *size)?;
            if side == Side::HeldOut && rows == 0 {
                continue;
            }
            let shape = vec![rows, size.channels, size.height, size.width];
            arrays.insert(format!("{}.images", side.name()), Array::u8(shape, &images.pixels));
            let bytes = Cow::Owned(to_bytes(&images.labels, u16::to_le_bytes));
            arrays.insert(format!("{}.labels", side.name()), Array { dtype: Dtype::U16, shape: vec![rows], bytes });
        }
        if let Normalization::Zca(zca) = preprocessing.normalization() {
            let d = size.elements();
            for (name, shape, values) in [
                ("mean", vec![d], &zca.mean),
                ("transform", vec![d, d], &zca.transform),
                ("inverse", vec![d, d], &zca.inverse),
            ] {
                let bytes = Cow::Owned(to_bytes(values, f32::to_le_bytes));
                arrays.insert(format!("zca.{name}"), Array { dtype: Dtype::F32, shape, bytes });
            }
        }
        for (side, images) in sides {
            check_labels(side, &images.labels, parts.class_names.len())?;
        }
        check_class_ids(parts.class_ids.as_ref(), parts.class_names.len())?;
        check_normalization(preprocessing.normalization(), *size)?;
        container::write(ARTIFACT, &arrays, &note(parts))
    }

    /// Reads what [`Self::encode`] wrote; the blob is kept.
    ///
    /// # Errors
    /// When the bytes are damaged, of another artifact or version, or contradict themselves.
    pub fn decode(blob: &Blob) -> Result<Self, ArtifactError> {
        let (tensors, note): (_, DatasetNote) = container::open(ARTIFACT, VERSION, blob)?;
        let (shape, train) = stored(&tensors, blob, Side::Train)?;
        let (test_shape, test) = stored(&tensors, blob, Side::Test)?;
        let (held_out_shape, held_out) = match tensors.names().iter().any(|name| name == "held_out.images") {
            true => stored(&tensors, blob, Side::HeldOut)?,
            false => (test_shape.clone(), Stored::default()),
        };
        for (name, other) in [("test", &test_shape), ("held-out", &held_out_shape)] {
            if shape[1..] != other[1..] {
                let message = format!("training images are {:?} and {name} images {:?}", &shape[1..], &other[1..]);
                return Err(ArtifactError::content(ARTIFACT, message));
            }
        }
        let size = ImageSize { channels: shape[1], height: shape[2], width: shape[3] };
        for (side, stored) in [(Side::Train, &train), (Side::HeldOut, &held_out), (Side::Test, &test)] {
            check_labels(side, &stored.labels, note.class_names.len())?;
        }
        check_class_ids(note.class_ids.as_ref(), note.class_names.len())?;
        let normalization = match note.normalize {
            NormalizeNote::None {} => Normalization::None,
            NormalizeNote::Standard { mean, std, origin } => Normalization::Standard { mean, std, origin },
            NormalizeNote::Zca { epsilon } => Normalization::Zca(Arc::new(zca(&tensors, epsilon, size)?)),
        };
        check_normalization(&normalization, size)?;
        Ok(Self {
            blob: blob.clone(),
            size,
            train,
            held_out,
            test,
            class_names: note.class_names,
            class_ids: note.class_ids,
            preprocessing: Preprocessing::new(normalization, size.channels),
            source: note.source,
            license: note.license,
        })
    }

    /// Size of every image.
    #[must_use]
    pub fn size(&self) -> ImageSize {
        self.size
    }

    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.class_names.len()
    }

    /// One name for each class.
    #[must_use]
    pub fn class_names(&self) -> &[String] {
        &self.class_names
    }

    /// Which classes of a larger data set these are; `None` for all of them.
    #[must_use]
    pub fn class_ids(&self) -> Option<&ClassIds> {
        self.class_ids.as_ref()
    }

    /// The parts of a data set that is like this one but has these images.
    #[must_use]
    pub fn with_images(&self, train: LabelledImages, held_out: LabelledImages, test: LabelledImages) -> DatasetParts {
        DatasetParts {
            size: self.size,
            train,
            held_out,
            test,
            class_names: self.class_names.clone(),
            class_ids: self.class_ids.clone(),
            preprocessing: self.preprocessing.clone(),
            source: self.source.clone(),
            license: self.license.clone(),
        }
    }

    /// The images of these rows, in their order.
    ///
    /// # Panics
    /// When a row does not exist.
    #[must_use]
    pub fn take(&self, side: Side, rows: &[usize]) -> LabelledImages {
        let (elements, pixels, labels) = (self.size.elements(), self.pixels(side), self.labels(side));
        let mut taken = LabelledImages { pixels: Vec::with_capacity(rows.len() * elements), labels: Vec::new() };
        for row in rows {
            taken.pixels.extend_from_slice(&pixels[row * elements..(row + 1) * elements]);
            taken.labels.push(labels[*row]);
        }
        taken
    }

    /// Number of images.
    #[must_use]
    pub fn rows(&self, side: Side) -> usize {
        self.labels(side).len()
    }

    /// Class of each image.
    #[must_use]
    pub fn labels(&self, side: Side) -> &[u16] {
        &self.stored(side).labels
    }

    /// Pixels `[n, c, h, w]`.
    #[must_use]
    pub fn pixels(&self, side: Side) -> &[u8] {
        &self.blob[self.stored(side).pixels.clone()]
    }

    /// The rows of each class, ascending.
    #[must_use]
    pub fn class_rows(&self, side: Side) -> Vec<Vec<usize>> {
        let mut rows = vec![Vec::new(); self.classes()];
        for (row, label) in self.labels(side).iter().enumerate() {
            rows[usize::from(*label)].push(row);
        }
        rows
    }

    /// What is done to the pixels before a net sees them.
    #[must_use]
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }

    /// Digest of the preprocessing, as sets carry it.
    #[must_use]
    pub fn preprocessing_digest(&self) -> Digest {
        self.preprocessing.digest()
    }

    /// Digest of the training images and their labels, whatever is done to the pixels and whatever the classes are called.
    #[must_use]
    pub fn train_digest(&self) -> Digest {
        let mut hasher = blake3::Hasher::new_derive_key("pddflow training images 1");
        let ImageSize { channels, height, width } = self.size;
        for number in [self.train.labels.len(), channels, height, width] {
            hasher.update(&(number as u64).to_le_bytes());
        }
        hasher.update(&to_bytes(&self.train.labels, u16::to_le_bytes));
        hasher.update(self.pixels(Side::Train));
        Digest::from_bytes(*hasher.finalize().as_bytes())
    }

    /// What the data are, e.g. `fashion-mnist`.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Who made the data and what may be done with them, as far as known.
    #[must_use]
    pub fn license(&self) -> Option<&str> {
        self.license.as_deref()
    }

    /// The classes of all images as an I64 tensor `[n]`.
    ///
    /// # Errors
    /// When the device cannot hold it.
    pub fn label_tensor(&self, side: Side, device: &Device) -> Result<Tensor, TensorError> {
        let labels: Vec<i64> = self.labels(side).iter().map(|label| i64::from(*label)).collect();
        let rows = labels.len();
        Tensor::from_i64(labels, &[rows], device)
    }

    /// All images, normalised: F32 or F64 `[n, c, h, w]`. Each number is computed in double precision and rounded once
    /// (whitening: in the number type itself).
    ///
    /// # Errors
    /// When the device cannot hold it.
    pub fn images(&self, side: Side, dtype: DType, device: &Device) -> Result<Tensor, TensorError> {
        let rows = self.rows(side);
        let Normalization::Zca(zca) = self.preprocessing.normalization() else {
            return self.scaled(side, 0..rows, dtype)?.to_device(device);
        };
        if rows == 0 {
            return self.scaled(side, 0..0, dtype)?.to_device(device);
        }
        let mut parts = Vec::with_capacity(rows.div_ceil(WHITEN_ROWS));
        for start in (0..rows).step_by(WHITEN_ROWS) {
            let pixels = self.scaled(side, start..rows.min(start + WHITEN_ROWS), dtype)?.to_device(device)?;
            parts.push(zca.whiten(&pixels)?);
        }
        Tensor::concat(&parts, 0)
    }

    /// Normalised without whitening.
    fn scaled(&self, side: Side, rows: Range<usize>, dtype: DType) -> Result<Tensor, TensorError> {
        let (size, each) = (self.size, self.size.elements());
        let pixels = &self.pixels(side)[rows.start * each..rows.end * each];
        let shape = [rows.len(), size.channels, size.height, size.width];
        let values = self.preprocessing.pixel_values();
        if dtype == DType::F64 {
            return Tensor::from_f64(look_up(pixels, size, &values), &shape, &Device::Cpu);
        }
        #[expect(clippy::cast_possible_truncation, reason = "rounding to single precision is meant")]
        let values: Vec<f32> = values.iter().map(|value| *value as f32).collect();
        Tensor::from_f32(look_up(pixels, size, &values), &shape, &Device::Cpu)
    }

    fn stored(&self, side: Side) -> &Stored {
        match side {
            Side::Train => &self.train,
            Side::HeldOut => &self.held_out,
            Side::Test => &self.test,
        }
    }
}

/// Pixels through the table of their channel.
fn look_up<T: Copy + Default + Send + Sync>(pixels: &[u8], size: ImageSize, values: &[T]) -> Vec<T> {
    let plane = size.height * size.width;
    let mut out = vec![T::default(); pixels.len()];
    let image = |(out, pixels): (&mut [T], &[u8])| {
        let planes = out.chunks_mut(plane).zip(pixels.chunks(plane)).zip(values.chunks(PIXELS));
        for ((out, pixels), values) in planes {
            out.iter_mut().zip(pixels).for_each(|(out, pixel)| *out = values[usize::from(*pixel)]);
        }
    };
    out.par_chunks_mut(size.elements()).zip(pixels.par_chunks(size.elements())).for_each(image);
    out
}

fn note(parts: &DatasetParts) -> DatasetNote {
    let normalize = match parts.preprocessing.normalization() {
        Normalization::None => NormalizeNote::None {},
        Normalization::Standard { mean, std, origin } => {
            NormalizeNote::Standard { mean: mean.clone(), std: std.clone(), origin: *origin }
        }
        Normalization::Zca(zca) => NormalizeNote::Zca { epsilon: zca.epsilon },
    };
    DatasetNote {
        artifact: ARTIFACT.to_owned(),
        version: VERSION,
        source: parts.source.clone(),
        class_names: parts.class_names.clone(),
        class_ids: parts.class_ids.clone(),
        normalize,
        license: parts.license.clone(),
    }
}

fn stored(tensors: &Arrays<'_>, blob: &Blob, side: Side) -> Result<(Vec<usize>, Stored), ArtifactError> {
    let name = side.name();
    let (shape, pixels) = tensors.array(&format!("{name}.images"), Dtype::U8)?;
    let (label_shape, labels) = tensors.array(&format!("{name}.labels"), Dtype::U16)?;
    if shape.len() != 4 || shape[1..].contains(&0) || label_shape != shape[..1] {
        let message = format!("`{name}.images` has the shape {shape:?} and `{name}.labels` {label_shape:?}");
        return Err(ArtifactError::content(ARTIFACT, message));
    }
    let start = pixels.as_ptr().addr() - blob.as_ptr().addr();
    let stored = Stored { pixels: start..start + pixels.len(), labels: from_bytes(labels, u16::from_le_bytes) };
    Ok((shape, stored))
}

fn zca(tensors: &Arrays<'_>, epsilon: f64, size: ImageSize) -> Result<Zca, ArtifactError> {
    let d = size.elements();
    let read = |name: &str, expected: &[usize]| {
        let name = format!("zca.{name}");
        let (shape, bytes) = tensors.array(&name, Dtype::F32)?;
        if shape != expected {
            let message = format!("`{name}` has the shape {shape:?} and must have {expected:?}");
            return Err(ArtifactError::content(ARTIFACT, message));
        }
        Ok(from_bytes(bytes, f32::from_le_bytes))
    };
    let (mean, transform) = (read("mean", &[d])?, read("transform", &[d, d])?);
    Ok(Zca { epsilon, mean, transform, inverse: read("inverse", &[d, d])? })
}

fn check_rows(side: Side, rows: usize, pixels: usize, size: ImageSize) -> Result<(), ArtifactError> {
    if size.elements() > 0 && pixels == rows * size.elements() {
        return Ok(());
    }
    let side = side.name();
    let message = format!("{side}: {rows} labels and {pixels} pixel values do not fit images of {size:?}");
    Err(ArtifactError::content(ARTIFACT, message))
}

fn check_labels(side: Side, labels: &[u16], classes: usize) -> Result<(), ArtifactError> {
    let Some(row) = labels.iter().position(|label| usize::from(*label) >= classes) else { return Ok(()) };
    let (side, label) = (side.name(), labels[row]);
    let message = format!("{side} image {row} has the class number {label}, and there are {classes} classes");
    Err(ArtifactError::content(ARTIFACT, message))
}

fn check_class_ids(class_ids: Option<&ClassIds>, classes: usize) -> Result<(), ArtifactError> {
    class_ids.map_or(Ok(()), |ids| ids.check(ARTIFACT, classes))
}

fn check_normalization(normalization: &Normalization, size: ImageSize) -> Result<(), ArtifactError> {
    let wrong = |message: String| Err(ArtifactError::content(ARTIFACT, message));
    match normalization {
        Normalization::None => Ok(()),
        Normalization::Standard { mean, std, .. } => {
            if mean.len() != size.channels || std.len() != size.channels {
                let (means, stds, channels) = (mean.len(), std.len(), size.channels);
                return wrong(format!("{means} means and {stds} standard deviations for {channels} channels"));
            }
            match mean.iter().chain(std).all(|value| value.is_finite()) && std.iter().all(|std| *std > 0.0) {
                true => Ok(()),
                false => wrong(format!("mean {mean:?} and standard deviation {std:?} cannot be used")),
            }
        }
        Normalization::Zca(zca) => {
            let d = size.elements();
            match zca.mean.len() == d && zca.transform.len() == d * d && zca.inverse.len() == d * d {
                true => Ok(()),
                false => wrong(format!("the whitening is not one of {d} values")),
            }
        }
    }
}
