//! How difficult each training example is: what `forgetting` gives.

use std::borrow::Cow;
use std::collections::BTreeMap;

use pddflow_cache::Digest;
use safetensors::tensor::Dtype;
use serde_json::Value;

use super::container::{self, Array, from_bytes, to_bytes};
use super::dataset::{Dataset, Side};
use super::error::ArtifactError;
use super::scores_format::{ARTIFACT, ScoresNote, VERSION};

const SCORES: &str = "scores";

/// A number for each training example; the higher, the more difficult.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// What was counted, e.g. `forgetting`.
    pub method: String,
    /// Model, epochs and the other parameters.
    pub made_by: Value,
    /// The training images that the numbers belong to: [`Dataset::train_digest`].
    pub images: Digest,
    /// One for each training image, in its order; finite.
    pub scores: Vec<f64>,
}

impl Scores {
    /// The bytes of the artifact: safetensors with `scores` f64 `[n]`.
    ///
    /// # Errors
    /// When a score is not finite.
    pub fn encode(&self) -> Result<Vec<u8>, ArtifactError> {
        self.check()?;
        let bytes = Cow::Owned(to_bytes(&self.scores, f64::to_le_bytes));
        let array = Array { dtype: Dtype::F64, shape: vec![self.scores.len()], bytes };
        let note = ScoresNote {
            artifact: ARTIFACT.to_owned(),
            version: VERSION,
            method: self.method.clone(),
            made_by: self.made_by.clone(),
            images: self.images,
        };
        container::write(ARTIFACT, &BTreeMap::from([(SCORES.to_owned(), array)]), &note)
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    /// When the bytes are damaged, of another artifact or version, or hold a number that is not finite.
    pub fn decode(bytes: &[u8]) -> Result<Self, ArtifactError> {
        let (tensors, note): (_, ScoresNote) = container::open(ARTIFACT, VERSION, bytes)?;
        let (_, values) = tensors.array(SCORES, Dtype::F64)?;
        let scores = from_bytes(values, f64::from_le_bytes);
        let scores = Self { method: note.method, made_by: note.made_by, images: note.images, scores };
        scores.check()?;
        Ok(scores)
    }

    /// Whether these are scores of the training images of `data`. How the pixels are normalised does not matter.
    #[must_use]
    pub fn belong_to(&self, data: &Dataset) -> bool {
        self.scores.len() == data.rows(Side::Train) && self.images == data.train_digest()
    }

    fn check(&self) -> Result<(), ArtifactError> {
        match self.scores.iter().position(|score| !score.is_finite()) {
            Some(row) => {
                Err(ArtifactError::content(ARTIFACT, format!("the score of image {row} is {}", self.scores[row])))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(values: Vec<f64>) -> Scores {
        let images = Digest::of(b"images");
        Scores { method: "forgetting".into(), made_by: serde_json::json!({ "epochs": 3 }), images, scores: values }
    }

    #[test]
    fn scores_come_back_bit_for_bit() {
        let scores = scores(vec![0.0, 0.1 + 0.2, 200.0]);
        assert_eq!(Scores::decode(&scores.encode().unwrap()).unwrap(), scores);
    }

    #[test]
    fn scores_that_are_not_finite_are_refused() {
        let error = scores(vec![0.0, f64::NAN]).encode().unwrap_err();
        assert!(error.to_string().contains("image 1"), "{error}");
    }
}
