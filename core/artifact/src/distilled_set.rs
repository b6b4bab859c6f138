//! A small set of images to train on: what `distill` and `select` give.

use std::collections::BTreeMap;

use pddflow_host::{Decoded, Labels};
use pddflow_tensor::{DType, Tensor, TensorError};
use serde_json::Value;

use super::class_ids::ClassIds;
use super::container::{self, Arrays};
use super::dataset::ImageSize;
use super::error::ArtifactError;
use super::preprocessing::PreprocessingNote;
use super::real_images::RealImages;
use super::set_format::{ARTIFACT, SetNote, VERSION};
use super::tensors::{from_view, to_array};

const IMAGES: &str = "images";
const LABELS: &str = "labels";
const STEP_SIZE: &str = "step_size";
const LEARNABLE: &str = "learnable.";

/// What a set says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct SetInfo {
    /// Label for tables and file names, e.g. `dm` or `herding`.
    pub method: String,
    /// What the real data are, e.g. `fashion-mnist`.
    pub source: String,
    /// Matcher, model and their parameters, or the way of selection.
    pub made_by: Value,
    /// How to train on it: learning rate, epochs, decay, augmentation, ...
    pub recipe: Value,
    /// Images per class of this set alone, in its learnable form (decoding may make several images of one).
    pub ipc: usize,
    /// Place in a progressive sequence, from 1.
    pub stage: usize,
    /// One name for each class.
    pub class_names: Vec<String>,
    /// Which classes of a larger data set these are; `None` for all of them.
    pub class_ids: Option<ClassIds>,
    /// What was done to the real pixels: the images here are in the space behind it.
    pub preprocessing: PreprocessingNote,
    /// What it was made from; `None` where that is not known, as of an imported set.
    pub real_images: Option<RealImages>,
}

/// A set: images as one trains on them, their labels, and what made them.
#[derive(Clone, Debug)]
pub struct DistilledSet {
    /// F32 or F64 `[n, c, h, w]`, normalised as the data, class by class, on the CPU.
    pub images: Tensor,
    /// Class numbers (I64 `[n]`) or probabilities (`[n, class]`).
    pub labels: Labels,
    /// The tensors that distillation optimised, by name; may be empty.
    pub learnables: BTreeMap<String, Tensor>,
    /// The learned learning rate, where there is one.
    pub step_size: Option<f64>,
    /// What the set says of itself.
    pub info: SetInfo,
}

impl DistilledSet {
    /// The bytes of the set.
    ///
    /// # Errors
    /// When images, labels and class names do not fit each other, or a number is not finite.
    pub fn encode(&self) -> Result<Vec<u8>, ArtifactError> {
        self.check()?;
        let failed = |error: TensorError| ArtifactError::content(ARTIFACT, error.to_string());
        let mut arrays = BTreeMap::new();
        arrays.insert(IMAGES.to_owned(), to_array(&self.images).map_err(failed)?);
        arrays.insert(LABELS.to_owned(), to_array(self.labels.tensor()).map_err(failed)?);
        for (name, tensor) in &self.learnables {
            arrays.insert(format!("{LEARNABLE}{name}"), to_array(tensor).map_err(failed)?);
        }
        if let Some(step_size) = self.step_size {
            let step_size = Tensor::from_f64(vec![step_size], &[1], &pddflow_tensor::Device::Cpu);
            arrays.insert(STEP_SIZE.to_owned(), step_size.and_then(|tensor| to_array(&tensor)).map_err(failed)?);
        }
        container::write(ARTIFACT, &arrays, &self.note())
    }

    /// Reads what [`Self::encode`] wrote; every tensor is on the CPU.
    ///
    /// # Errors
    /// When the bytes are damaged, of another artifact or version, or contradict themselves.
    pub fn decode(bytes: &[u8]) -> Result<Self, ArtifactError> {
        let (tensors, note): (_, SetNote) = container::open(ARTIFACT, VERSION, bytes)?;
        let labels = read(&tensors, LABELS)?;
        let labels = if labels.dtype() == DType::I64 { Labels::Hard(labels) } else { Labels::Soft(labels) };
        let mut learnables = BTreeMap::new();
        let mut step_size = None;
        for name in tensors.names() {
            match name.strip_prefix(LEARNABLE) {
                Some(short) => {
                    learnables.insert(short.to_owned(), read(&tensors, &name)?);
                }
                None if name == STEP_SIZE => step_size = Some(read_step_size(&tensors)?),
                None if name == IMAGES || name == LABELS => {}
                None => return Err(ArtifactError::content(ARTIFACT, format!("the array `{name}` is not known"))),
            }
        }
        let set = Self { images: read(&tensors, IMAGES)?, labels, learnables, step_size, info: info(note) };
        set.check()?;
        Ok(set)
    }

    /// Number of images.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.images.shape().first().copied().unwrap_or(0)
    }

    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.info.class_names.len()
    }

    /// Size of every image.
    #[must_use]
    pub fn size(&self) -> ImageSize {
        let axis = |axis: usize| self.images.shape().get(axis).copied().unwrap_or(0);
        ImageSize { channels: axis(1), height: axis(2), width: axis(3) }
    }

    /// Images and labels, to train on.
    #[must_use]
    pub fn decoded(&self) -> Decoded {
        Decoded { images: self.images.clone(), labels: self.labels.clone() }
    }

    /// The class of each image: the most probable one where labels are soft.
    ///
    /// # Errors
    /// When the labels cannot be read.
    pub fn hard_labels(&self) -> Result<Vec<usize>, TensorError> {
        let hard = match &self.labels {
            Labels::Hard(labels) => labels.to_i64_vec()?,
            Labels::Soft(labels) => labels.argmax(1)?.to_i64_vec()?,
        };
        Ok(hard.into_iter().map(|label| usize::try_from(label).unwrap_or(0)).collect())
    }

    fn note(&self) -> SetNote {
        let info = self.info.clone();
        SetNote {
            artifact: ARTIFACT.to_owned(),
            version: VERSION,
            method: info.method,
            source: info.source,
            made_by: info.made_by,
            recipe: info.recipe,
            ipc: info.ipc,
            stage: info.stage,
            class_names: info.class_names,
            class_ids: info.class_ids,
            preprocessing: info.preprocessing,
            real_images: info.real_images,
        }
    }

    fn check(&self) -> Result<(), ArtifactError> {
        let wrong = |message: String| Err(ArtifactError::content(ARTIFACT, message));
        let (shape, dtype) = (self.images.shape(), self.images.dtype());
        if shape.len() != 4 || shape[1..].contains(&0) || dtype == DType::I64 {
            return wrong(format!("`{IMAGES}` has the shape {shape:?} and the type {dtype:?}"));
        }
        check_labels(&self.labels, shape[0], self.classes())?;
        if let Some(ids) = &self.info.class_ids {
            ids.check(ARTIFACT, self.classes())?;
        }
        let tensors = self.learnables.iter().map(|(name, tensor)| (format!("{LEARNABLE}{name}"), tensor));
        for (name, tensor) in std::iter::once((IMAGES.to_owned(), &self.images)).chain(tensors) {
            if tensor.dtype() != DType::I64 && !all_finite(tensor) {
                return wrong(format!("`{name}` holds numbers that are not finite"));
            }
        }
        match self.step_size.is_none_or(f64::is_finite) {
            true => Ok(()),
            false => wrong("the learned learning rate is not finite".to_owned()),
        }
    }
}

fn info(note: SetNote) -> SetInfo {
    SetInfo {
        method: note.method,
        source: note.source,
        made_by: note.made_by,
        recipe: note.recipe,
        ipc: note.ipc,
        stage: note.stage,
        class_names: note.class_names,
        class_ids: note.class_ids,
        preprocessing: note.preprocessing,
        real_images: note.real_images,
    }
}

fn read(tensors: &Arrays<'_>, name: &str) -> Result<Tensor, ArtifactError> {
    from_view(ARTIFACT, name, &tensors.get(name)?)
}

fn read_step_size(tensors: &Arrays<'_>) -> Result<f64, ArtifactError> {
    let values = read(tensors, STEP_SIZE)?.to_f64_vec();
    match values.as_deref() {
        Ok([value]) => Ok(*value),
        _ => Err(ArtifactError::content(ARTIFACT, format!("`{STEP_SIZE}` is not one number"))),
    }
}

fn check_labels(labels: &Labels, rows: usize, classes: usize) -> Result<(), ArtifactError> {
    let wrong = |message: String| Err(ArtifactError::content(ARTIFACT, message));
    let shape = labels.tensor().shape();
    match labels {
        Labels::Hard(labels) => {
            let values = labels.to_i64_vec().map_err(|error| ArtifactError::content(ARTIFACT, error.to_string()))?;
            if shape != [rows] {
                return wrong(format!("`{LABELS}` has the shape {shape:?} for {rows} images"));
            }
            let outside = |value: &i64| usize::try_from(*value).map_or(true, |value| value >= classes);
            match values.iter().position(outside) {
                Some(row) => wrong(format!("image {row} has the class {} of {classes} classes", values[row])),
                None => Ok(()),
            }
        }
        Labels::Soft(labels) => {
            if shape != [rows, classes] {
                return wrong(format!("`{LABELS}` has the shape {shape:?} for {rows} images of {classes} classes"));
            }
            match all_finite(labels) {
                true => Ok(()),
                false => wrong(format!("`{LABELS}` holds numbers that are not finite")),
            }
        }
    }
}

fn all_finite(tensor: &Tensor) -> bool {
    tensor.to_f64_vec().is_ok_and(|values| values.iter().all(|value| value.is_finite()))
}
