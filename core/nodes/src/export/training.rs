//! How nets are to be trained on the exported sets, stage by stage.

use pddflow_training::recipe::Preset;
use pddflow_training::trainer::Schedule;
use serde_json::{Value, json};

use super::entry::Entry;

/// What the training of every stage is, and the learning rate of each.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    pub(super) recipe: Preset,
    /// The recipe's parameters, with what the sets themselves say.
    pub(super) parameters: Value,
    pub(super) stages: Vec<StagePlan>,
    /// Epochs that a stage really runs.
    pub(super) epochs: u64,
    /// From this epoch (counted from 0) on the learning rate is multiplied by this.
    pub(super) drops: Vec<(u64, f64)>,
    /// Epochs before which the momentum is emptied.
    pub(super) resets: Vec<u64>,
    /// Whether the momentum is kept from one stage to the next.
    pub(super) carry_momentum: bool,
}

/// One stage: training on the first sets.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct StagePlan {
    /// Number of sets whose union it trains on.
    pub(super) sets: usize,
    /// Images per class of that union.
    pub(super) images_per_class: usize,
    /// `None` where the set says nothing and the recipe asks for its own.
    pub(super) step_size: Option<f64>,
}

impl Plan {
    /// The plan of a recipe; without one, that of PDD or MTT where sets have learned learning rates, else that of DSA.
    pub(super) fn new(entries: &[Entry<'_>], recipe: Option<Preset>) -> Self {
        let learned = entries.iter().any(|entry| entry.set.step_size.is_some());
        let recipe = recipe.unwrap_or(match (learned, entries.len()) {
            (true, 1) => Preset::Mtt,
            (true, _) => Preset::PddMtt,
            (false, _) => Preset::Dsa,
        });
        let mut parameters = recipe.published().parameters();
        let own = entries.last().and_then(|entry| entry.set.info.recipe.as_object());
        for (name, value) in own.into_iter().flatten() {
            if parameters.get(name).is_some() {
                parameters[name] = value.clone();
            }
        }
        let epochs = parameters["epochs"].as_u64().unwrap_or(0);
        let schedule = serde_json::from_value(parameters["schedule"].clone()).unwrap_or(Schedule::Constant);
        let run = schedule.epochs_run(epochs);
        let factor = |epoch: u64| schedule.factor(epochs, epoch);
        Self {
            recipe,
            stages: (1..=entries.len()).map(|sets| stage(&entries[..sets], &parameters["lr"])).collect(),
            epochs: run,
            drops: (1..run).filter(|at| factor(*at) != factor(at - 1)).map(|at| (at, factor(at))).collect(),
            resets: (0..run).filter(|at| schedule.empties_momentum(epochs, *at)).collect(),
            carry_momentum: parameters["carry_momentum"] == true,
            parameters,
        }
    }

    /// The plan in the manifest.
    pub(super) fn json(&self, preprocessing_digest: &Value) -> Value {
        let stage = |(number, stage): (usize, &StagePlan)| {
            json!({
                "stage": number + 1,
                "trains_on_sets": (1..=stage.sets).collect::<Vec<usize>>(),
                "images_per_class": stage.images_per_class,
                "step_size": stage.step_size,
                "epochs": self.epochs,
            })
        };
        let mut text = json!({
            "recipe": self.recipe,
            "mode": if self.stages.len() > 1 { "progressive" } else { "one set" },
            "number_of_stages": self.stages.len(),
            "stages": self.stages.iter().enumerate().map(stage).collect::<Vec<Value>>(),
            "first_weights": "random",
            "optimizer": "sgd",
            "step_size_is_multiplied":
                self.drops.iter().map(|(epoch, factor)| json!({ "from_epoch": epoch, "by": factor })).collect::<Vec<_>>(),
            "momentum_is_emptied_before_epochs": self.resets,
            "momentum_is_kept_between_stages": self.carry_momentum,
            "preprocessing_digest": preprocessing_digest,
        });
        for name in ["momentum", "weight_decay", "batch", "augment", "cutmix"] {
            text[name] = self.parameters[name].clone();
        }
        text
    }
}

fn stage(entries: &[Entry<'_>], lr: &Value) -> StagePlan {
    let learned = entries.last().and_then(|entry| entry.set.step_size);
    StagePlan {
        sets: entries.len(),
        images_per_class: entries.iter().map(|entry| entry.set.info.ipc).sum(),
        step_size: lr.as_f64().or(learned),
    }
}
