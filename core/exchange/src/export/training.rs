//! How nets are to be trained on the exported sets, stage by stage: what `evaluate` does with the same sets and parameters.

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_training::recipe::{ProtocolParams, Recipe, Stage, follows_script};
use pddflow_training::segments::{Training, stage_sets, stages};
use pddflow_training::trainer::{Loss, LrSchedule, Optimizer};
use serde_json::{Value, json};

use super::entry::Entry;

/// Why a set that is of use step by step is not exported as such, and what to do.
pub const SCRIPT: (&str, &str) = (
    "by rows and learning rates in an order that an export cannot tell",
    "name how it shall be trained on, such as `recipe: dsa`; the learning rates are among the set's learnables",
);

/// What the training of every stage is, and the learning rate of each.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    pub(super) training: Training,
    /// The protocol's parameters.
    pub(super) parameters: Value,
    pub(super) stages: Vec<StagePlan>,
    /// Whether the momentum is kept from one stage to the next.
    pub(super) carry_momentum: bool,
}

/// One stage.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct StagePlan {
    /// Numbers of the sets whose union it trains on, from 1.
    pub(super) sets: Vec<usize>,
    /// Images per class of that union.
    pub(super) images_per_class: usize,
    /// Learning rate at its beginning.
    pub(super) lr: f64,
    /// Epochs that it runs.
    pub(super) epochs: u64,
    /// From this epoch (counted from 0) on the learning rate is multiplied by this.
    pub(super) drops: Vec<(u64, f64)>,
    /// Epochs before which the momentum is emptied.
    pub(super) resets: Vec<u64>,
}

impl Plan {
    /// The plan of these parameters for these sets.
    ///
    /// # Errors
    /// What the sets carry cannot be used; a learning rate is not known.
    pub(super) fn new(entries: &[Entry<'_>], given: &ProtocolParams, training: Training) -> NodeResult<Self> {
        let carried: Vec<&Value> = entries.iter().map(|entry| &entry.set.info.recipe).collect();
        if follows_script(given, &carried) {
            return Err(fail("script", format!("a set is of use step by step only, {}", SCRIPT.0)).with_help(SCRIPT.1));
        }
        let recipe = Recipe::of(given, &carried, stage_sets(training, entries.len()).len())?;
        let known: Vec<_> = entries.iter().map(|entry| (entry.set.step_size, entry.set.rows())).collect();
        let stages = stages(&recipe, training, &known)?;
        Ok(Self {
            training,
            stages: stages.iter().map(|one| stage(one, &recipe.settings.schedule, entries)).collect(),
            carry_momentum: recipe.settings.carry_momentum,
            parameters: recipe.record(stages.iter().map(|stage| (stage.epochs, stage.images))),
        })
    }

    /// The plan in the manifest.
    pub(super) fn json(&self, preprocessing_digest: &Value) -> Value {
        let stage = |(number, stage): (usize, &StagePlan)| {
            let drop = |(epoch, factor): &(u64, f64)| json!({ "from_epoch": epoch, "by": factor });
            json!({
                "stage": number + 1,
                "trains_on_sets": stage.sets,
                "images_per_class": stage.images_per_class,
                "lr": stage.lr,
                "epochs": stage.epochs,
                "lr_is_multiplied": stage.drops.iter().map(drop).collect::<Vec<_>>(),
                "momentum_is_emptied_before_epochs": stage.resets,
            })
        };
        let mut text = json!({
            "recipe": self.parameters["recipe"],
            "mode": self.training,
            "number_of_stages": self.stages.len(),
            "stages": self.stages.iter().enumerate().map(stage).collect::<Vec<Value>>(),
            "first_weights": "random",
            "loss": self.parameters.get("loss").cloned().unwrap_or_else(|| json!(Loss::default())),
            "optimizer": self.parameters.get("optimizer").cloned().unwrap_or_else(|| json!(Optimizer::default())),
            "momentum_is_kept_between_stages": self.carry_momentum,
            "preprocessing_digest": preprocessing_digest,
        });
        for name in ["momentum", "weight_decay", "batch", "augment", "cutmix", "schedule", "presented_images"] {
            text[name] = self.parameters[name].clone();
        }
        for name in ["warm_up", "average"] {
            if let Some(value) = self.parameters.get(name).filter(|value| !value.is_null()) {
                text[name] = value.clone();
            }
        }
        text
    }
}

fn stage(stage: &Stage, schedule: &LrSchedule, entries: &[Entry<'_>]) -> StagePlan {
    let schedule = schedule.with_epochs(stage.budget);
    // With an initial learning rate of 1, the factor.
    let factor = |epoch: u64| schedule.lr(1.0, epoch);
    let before = |epoch: u64| epoch.checked_sub(1).map_or(1.0, factor);
    StagePlan {
        sets: stage.sets.clone().map(|set| set + 1).collect(),
        images_per_class: entries[stage.sets.clone()].iter().map(|entry| entry.set.info.ipc).sum(),
        lr: stage.lr,
        epochs: stage.epochs,
        drops: (0..stage.epochs).filter(|at| factor(*at) != before(*at)).map(|at| (at, factor(at))).collect(),
        resets: (0..stage.epochs).filter(|at| schedule.empties_momentum(*at)).collect(),
    }
}
