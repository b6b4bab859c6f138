//! How nets are trained on sets, with everything filled in: the one account of it that nets are trained by, results record and
//! exports tell.

use std::ops::Range;

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_tensor::augment::Policy;
use serde_json::{Value, json};

use super::budget::budgets;
use super::learning_rate::LearningRate;
use super::own::{TAUGHT, Taught, own, own_teacher};
use super::params::{ProtocolParams, fill};
use super::preset::{Preset, dsa};
use crate::trainer::{Hyperparameters, LrSchedule, Schedule};

/// How nets are trained on sets.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// Learning rate of each stage.
    pub lr: LearningRate,
    /// The learning rate is half from the stage after this many sets on.
    pub halve_lr_after_sets: Option<usize>,
    /// The rest. Where the number of steps or of presented images is given, the epochs of a stage are its own.
    pub settings: Hyperparameters,
    schedule: Schedule,
    presented: Option<f64>,
    steps: Option<u64>,
    parameters: Value,
}

/// A stage of a training on sets.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// The sets whose union it trains on; the last one is its newest.
    pub sets: Range<usize>,
    /// Images of that union.
    pub images: usize,
    /// Learning rate before the schedule's drops.
    pub lr: f64,
    /// Epochs that are run.
    pub epochs: u64,
    /// Budget of the schedule, which may run one epoch more.
    pub budget: u64,
}

impl Recipe {
    /// The recipe of parameters, of nets that are trained on the labels of sets. What they leave out comes from their preset, or from what
    /// the sets carry, in the order of their stages, where nets go through so many stages.
    ///
    /// # Errors
    /// As those of [`taught`](Self::taught); or a trained net is to label the batches.
    pub fn of(given: &ProtocolParams, carried: &[&Value], stages: usize) -> NodeResult<Self> {
        match Self::taught(given, carried, stages)? {
            (recipe, None) => Ok(recipe),
            (_, Some(_)) => Err(fail("teacher", TAUGHT).with_help("name another recipe, such as `recipe: dsa`")),
        }
    }

    /// The same, and how a trained net is to label every batch, where the sets say so and the recipe is theirs.
    ///
    /// # Errors
    /// The augmentation has no such form; what the sets carry cannot be used.
    pub fn taught(given: &ProtocolParams, carried: &[&Value], stages: usize) -> NodeResult<(Self, Option<Taught>)> {
        let teacher = if given.recipe == Preset::Own { own_teacher(carried)? } else { None };
        Ok((Self::on_labels(given, carried, stages)?, teacher))
    }

    fn on_labels(given: &ProtocolParams, carried: &[&Value], stages: usize) -> NodeResult<Self> {
        let base = match given.recipe.published() {
            Some(published) => published,
            None => own(carried, stages)?,
        };
        let mut parameters = serde_json::to_value(given).during("writing a recipe")?;
        fill(&mut parameters, &base.parameters());
        let all: ProtocolParams = serde_json::from_value(parameters.clone()).during("reading a recipe")?;
        // Everything is filled in but for the epochs beside `presented` or `steps`; what stands here is never used.
        let none = dsa();
        let schedule = all.schedule.unwrap_or(none.schedule);
        let cutmix = all.cutmix.unwrap_or(none.cutmix);
        Ok(Self {
            lr: all.lr.unwrap_or(none.lr),
            halve_lr_after_sets: all.halve_lr_after_sets,
            settings: Hyperparameters {
                schedule: LrSchedule::Script {
                    schedule,
                    epochs: all.epochs.unwrap_or(none.epochs),
                    warm_up: all.warm_up.unwrap_or(0),
                },
                loss: all.loss.unwrap_or_default(),
                optimizer: all.optimizer.unwrap_or_default(),
                momentum: all.momentum.unwrap_or(none.momentum),
                nesterov: false,
                weight_decay: all.weight_decay.unwrap_or(none.weight_decay),
                batch: all.batch.unwrap_or(none.batch),
                augment: Policy::parse(all.augment.as_deref().unwrap_or(&none.augment)).during("reading `augment`")?,
                cutmix: (cutmix > 0.0).then_some(cutmix),
                carry_momentum: all.carry_momentum.unwrap_or(none.carry_momentum),
                average: all.average.filter(|left| *left > 0.0),
                flat: None,
            },
            schedule,
            presented: all.presented,
            steps: all.steps,
            parameters,
        })
    }

    /// The parameters of the protocol, by the names that a pipeline file gives them.
    #[must_use]
    pub fn parameters(&self) -> &Value {
        &self.parameters
    }

    /// What the learning rate of a stage is multiplied by; `before` counts the earlier sets of the stage.
    #[must_use]
    pub fn late_factor(&self, before: usize) -> f64 {
        match self.halve_lr_after_sets {
            Some(sets) if before >= sets => 0.5,
            _ => 1.0,
        }
    }

    /// Budgets of epochs of stages with so many images each, whose final union has `union` images.
    #[must_use]
    pub fn budgets(&self, images: &[usize], union: usize) -> Vec<u64> {
        let extra = self.schedule.epochs_run(0);
        let enough = |steps: u64, images: usize| {
            let an_epoch = images.div_ceil(self.settings.batch.max(1)).max(1) as u64;
            steps.div_ceil(an_epoch).max(1) - extra
        };
        match (self.presented, self.steps, &self.settings.schedule) {
            (Some(presented), ..) => budgets(presented, extra, images, union),
            (None, Some(steps), _) => images.iter().map(|images| enough(steps, *images)).collect(),
            (None, None, LrSchedule::Script { epochs, .. } | LrSchedule::Drops { epochs, .. }) => {
                vec![*epochs; images.len()]
            }
        }
    }

    /// Epochs that are run for a budget.
    #[must_use]
    pub fn epochs_run(&self, budget: u64) -> u64 {
        self.schedule.epochs_run(budget)
    }

    /// The protocol as results record it: parameters, epochs that each stage ran, images that it presented in all.
    #[must_use]
    pub fn record(&self, stages: impl IntoIterator<Item = (u64, usize)>) -> Value {
        let (mut epochs, mut presented) = (Vec::new(), 0);
        for (run, images) in stages {
            epochs.push(run);
            presented += run * images as u64;
        }
        let mut record = self.parameters.clone();
        record["stage_epochs"] = json!(epochs);
        record["presented_images"] = json!(presented);
        record
    }
}
