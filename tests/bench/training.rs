//! Training a net, and looking at images with it.

use pddflow_tensor::augment::{self, Draw, Policy};
use pddflow_tensor::{Descent, Device, Keep, RandomKey, Result, Tensor, grad};

use crate::matching::POLICY;
use crate::network::{CLASSES, Norm, logits, normal, weights};

/// Images in one forward pass when many are looked at, as in the node `evaluate`.
const FORWARD_ROWS: usize = 64;
const STEP_SIZE: f64 = 0.01;
const MOMENTUM: f64 = 0.9;
const WEIGHT_DECAY: f64 = 5e-4;

/// A net, its momentum and a batch of images.
pub(crate) struct Training {
    policy: Policy,
    norm: Norm,
    images: Tensor,
    labels: Tensor,
    weights: Vec<Tensor>,
    momentum: Vec<Option<Tensor>>,
}

impl Training {
    /// For `batch` images `[channels, side, side]`.
    pub(crate) fn new(width: usize, batch: usize, (channels, side): (usize, usize), norm: Norm) -> Result<Self> {
        let key = RandomKey::new(5);
        let weights = weights(width, channels, side / 8, key.fold("weights"))?;
        Ok(Self {
            policy: Policy::parse(POLICY)?,
            norm,
            images: normal(&[batch, channels, side, side], key.fold("images"))?,
            labels: Tensor::from_i64((0..batch).map(|row| (row % CLASSES) as i64).collect(), &[batch], &Device::Cpu)?,
            momentum: vec![None; weights.len()],
            weights,
        })
    }

    /// One step of SGD with momentum and weight decay on the batch, every image augmented by itself; gives the logits.
    pub(crate) fn step(&mut self, iteration: u64) -> Result<Tensor> {
        let x = augment::apply(&self.policy, &self.images, Draw::PerImage, RandomKey::new(6).fold_u64(iteration))?;
        let leaves = self.weights.iter().map(Tensor::variable).collect::<Result<Vec<_>>>()?;
        let logits = logits(&leaves, &x, self.norm)?;
        let slopes = grad(&[logits.cross_entropy(&self.labels)?], &leaves, None, Keep::No)?;
        // The tape holds the weights too, which move in place without it.
        let found = logits.detach();
        drop((leaves, logits));
        let rule = Descent { lr: STEP_SIZE, momentum: MOMENTUM, weight_decay: WEIGHT_DECAY, nesterov: false };
        for ((weight, momentum), slope) in self.weights.iter_mut().zip(&mut self.momentum).zip(&slopes) {
            rule.step(weight, slope, momentum)?;
        }
        Ok(found)
    }

    /// Four steps, each with a look at which images of the batch are classified correctly.
    pub(crate) fn forgetting(&mut self, iteration: u64) -> Result<()> {
        let labels = self.labels.to_i64_vec()?;
        for step in 0..4 {
            let found = self.step(4 * iteration + step)?.argmax(1)?.to_i64_vec()?;
            std::hint::black_box(found.iter().zip(&labels).filter(|(a, b)| a == b).count());
        }
        Ok(())
    }

    /// Classes of the images.
    pub(crate) fn forward(&self) -> Result<()> {
        let images = self.images.shape()[0];
        for from in (0..images).step_by(FORWARD_ROWS) {
            let part = self.images.slice(0, from, images.min(from + FORWARD_ROWS), 1)?;
            std::hint::black_box(logits(&self.weights, &part, self.norm)?.argmax(1)?.to_i64_vec()?);
        }
        Ok(())
    }
}
