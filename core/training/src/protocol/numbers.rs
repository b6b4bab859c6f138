//! The numbers of a recipe.

use pddflow_artifact::failure::{During, NodeResult};
use pddflow_tensor::augment::Policy;

use super::params::RecipeParams;
use super::step_size::StepSize;
use crate::nets::Schedule;

/// How each stage trains; `check_recipe` has filled all of it in.
#[derive(Clone, Debug)]
pub struct Numbers {
    /// Budget of epochs of a stage.
    pub epochs: u64,
    /// Step size of each stage.
    pub lr: StepSize,
    /// The step size is half from the stage after this many sets on.
    pub halve_lr_after_sets: Option<usize>,
    pub momentum: f64,
    pub weight_decay: f64,
    pub schedule: Schedule,
    /// Images in a step.
    pub batch: usize,
    pub augment: Policy,
    /// Probability in a batch; none for never.
    pub cutmix: Option<f64>,
    /// Whether the momentum is kept from one stage to the next.
    pub carry_momentum: bool,
}

impl Numbers {
    /// The numbers of resolved parameters.
    pub fn of(params: &RecipeParams) -> NodeResult<Self> {
        let preset = params.recipe.recipe();
        let augment = params.augment.as_deref().unwrap_or(preset.augment);
        let cutmix = params.cutmix.unwrap_or(preset.cutmix);
        Ok(Self {
            epochs: params.epochs.unwrap_or(preset.epochs),
            lr: params.lr.clone().unwrap_or(preset.lr),
            halve_lr_after_sets: params.halve_lr_after_sets.or(preset.halve_lr_after_sets),
            momentum: params.momentum.unwrap_or(preset.momentum),
            weight_decay: params.weight_decay.unwrap_or(preset.weight_decay),
            schedule: params.schedule.unwrap_or(preset.schedule),
            batch: params.batch.unwrap_or(preset.batch),
            augment: Policy::parse(augment).during("reading `augment`")?,
            cutmix: (cutmix > 0.0).then_some(cutmix),
            carry_momentum: params.carry_momentum.unwrap_or(preset.carry_momentum),
        })
    }

    /// What the step size of a stage is multiplied by; `before` counts the earlier sets of the stage.
    pub fn late_factor(&self, before: usize) -> f64 {
        match self.halve_lr_after_sets {
            Some(sets) if before >= sets => 0.5,
            _ => 1.0,
        }
    }
}
