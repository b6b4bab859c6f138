//! How nets are trained on sets, with everything filled in.

use pddflow_artifact::failure::{During, NodeResult};
use pddflow_tensor::augment::Policy;

use super::learning_rate::LearningRate;
use super::params::RecipeParams;
use crate::trainer::{Hyperparameters, LrSchedule};

/// How nets are trained on sets.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Learning rate of each stage.
    pub lr: LearningRate,
    /// The learning rate is half from the stage after this many sets on.
    pub halve_lr_after_sets: Option<usize>,
    /// The rest.
    pub settings: Hyperparameters,
}

impl Recipe {
    /// The recipe of parameters; what they leave out comes from their preset.
    ///
    /// # Errors
    /// The augmentation has no such form.
    pub fn of(params: &RecipeParams) -> NodeResult<Self> {
        let preset = params.recipe.published();
        let augment = params.augment.as_deref().unwrap_or(preset.augment);
        let cutmix = params.cutmix.unwrap_or(preset.cutmix);
        Ok(Self {
            lr: params.lr.clone().unwrap_or(preset.lr),
            halve_lr_after_sets: params.halve_lr_after_sets.or(preset.halve_lr_after_sets),
            settings: Hyperparameters {
                schedule: LrSchedule::Script {
                    schedule: params.schedule.unwrap_or(preset.schedule),
                    epochs: params.epochs.unwrap_or(preset.epochs),
                },
                momentum: params.momentum.unwrap_or(preset.momentum),
                nesterov: false,
                weight_decay: params.weight_decay.unwrap_or(preset.weight_decay),
                batch: params.batch.unwrap_or(preset.batch),
                augment: Policy::parse(augment).during("reading `augment`")?,
                cutmix: (cutmix > 0.0).then_some(cutmix),
                carry_momentum: params.carry_momentum.unwrap_or(preset.carry_momentum),
            },
        })
    }

    /// What the learning rate of a stage is multiplied by; `before` counts the earlier sets of the stage.
    #[must_use]
    pub fn late_factor(&self, before: usize) -> f64 {
        match self.halve_lr_after_sets {
            Some(sets) if before >= sets => 0.5,
            _ => 1.0,
        }
    }
}
