//! A trained net that labels every batch anew.

use std::fmt;
use std::sync::Arc;

use pddflow_artifact::failure::{During, NodeResult};
use pddflow_host::{Labels, Mode, Model};
use pddflow_tensor::{RandomKey, Tensor, TensorError};

/// A trained net whose probabilities are the labels of every batch as it is shown, after augmentation and mixing.
#[derive(Clone)]
pub struct Teacher {
    /// Its model.
    pub model: Arc<Model>,
    /// Its weights.
    pub weights: Vec<Tensor>,
    /// What its scores, and those of the net in training, are divided by.
    pub temperature: f64,
}

impl Teacher {
    /// Its probabilities `[row, class]`, in evaluation mode.
    pub(super) fn labels(&self, images: &Tensor) -> NodeResult<Labels> {
        let doing = "asking the teacher";
        let said = self.model.forward(&self.weights, images, Mode::Eval, RandomKey::new(0)).during(doing)?.logits;
        let said = self.softened(&said).and_then(|said| said.softmax(1)).during(doing)?;
        Ok(Labels::Soft(said.detach()))
    }

    /// Scores over the temperature.
    pub(super) fn softened(&self, logits: &Tensor) -> Result<Tensor, TensorError> {
        logits.mul_scalar(1.0 / self.temperature)
    }
}

impl fmt::Debug for Teacher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Teacher").field("temperature", &self.temperature).finish_non_exhaustive()
    }
}
