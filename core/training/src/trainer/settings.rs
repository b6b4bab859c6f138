//! How nets are trained, whatever on.

use pddflow_tensor::Descent;
use pddflow_tensor::augment::Policy;

use super::flat::Flat;
use super::loss::Loss;
use super::optimizer::{Adaptive, Optimizer};
use super::schedule::LrSchedule;

/// How nets are trained in every segment.
#[derive(Clone, Debug)]
pub struct Hyperparameters {
    /// Learning rate over the epochs of a segment, and how many there are.
    pub schedule: LrSchedule,
    /// What a step makes smaller.
    pub loss: Loss,
    /// How a step follows from the gradient.
    pub optimizer: Optimizer,
    /// Momentum, 0 for none.
    pub momentum: f64,
    /// Nesterov's momentum: the step looks ahead by the momentum. Of gradient descent only.
    pub nesterov: bool,
    /// Weight decay.
    pub weight_decay: f64,
    /// Images in a step; the last step of an epoch may have fewer.
    pub batch: usize,
    /// Augmentation, drawn per image.
    pub augment: Policy,
    /// Probability of CutMix in a batch; none for never.
    pub cutmix: Option<f64>,
    /// Whether the momentum is kept from one segment to the next.
    pub carry_momentum: bool,
    /// What each step leaves of the average of all weights so far, which is tested in place of the weights; none for no average.
    pub average: Option<f64>,
    /// Whether steps seek flat minima, and how; none for plain gradients.
    pub flat: Option<Flat>,
}

impl Hyperparameters {
    pub(super) fn descent(&self, lr: f64) -> Descent {
        Descent { lr, momentum: self.momentum, weight_decay: self.weight_decay, nesterov: self.nesterov }
    }

    /// The rule of an optimiser with averages; none for gradient descent.
    pub(super) fn adaptive(&self, lr: f64) -> Option<Adaptive> {
        let coupled = match self.optimizer {
            Optimizer::Sgd => return None,
            Optimizer::Adam => true,
            Optimizer::AdamW => false,
        };
        Some(Adaptive { lr, momentum: self.momentum, weight_decay: self.weight_decay, coupled })
    }
}
