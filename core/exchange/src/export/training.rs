//! How nets are to be trained on the exported sets, stage by stage: what `evaluate` does with the same sets and parameters.

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_training::recipe::{ProtocolParams, Recipe, Script, Stage, Step, follows_script};
use pddflow_training::segments::{Training, scripted_stages, stage_sets, stages};
use pddflow_training::trainer::{Loss, LrSchedule, Optimizer};
use serde_json::{Value, json};

use super::entry::Entry;

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
    /// Epochs that it runs, or each of its steps does.
    pub(super) epochs: u64,
    /// From this epoch (counted from 0) on the learning rate is multiplied by this.
    pub(super) drops: Vec<(u64, f64)>,
    /// Epochs before which the momentum is emptied.
    pub(super) resets: Vec<u64>,
    /// The script of its set, where it is trained on by this.
    pub(super) script: Option<Script>,
}

impl Plan {
    /// The plan of these parameters for these sets.
    ///
    /// # Errors
    /// What the sets carry cannot be used; a learning rate is not known.
    pub(super) fn new(entries: &[Entry<'_>], given: &ProtocolParams, training: Training) -> NodeResult<Self> {
        let carried: Vec<&Value> = entries.iter().map(|entry| &entry.set.info.recipe).collect();
        let recipe = Recipe::of(given, &carried, stage_sets(training, entries.len()).len())?;
        if recipe.parameters()["augment"].as_str().is_some_and(|policy| policy.starts_with("tiles:")) {
            return Err(fail("augment", "an exported `train.py` does not know the augmentation `tiles`")
                .with_help("name another, such as `augment: dsa:flip`"));
        }
        let scripts = match follows_script(given, &carried) {
            true => entries.iter().map(script).collect::<NodeResult<Vec<_>>>()?,
            false => Vec::new(),
        };
        let (training, stages) = match scripts.is_empty() {
            true => {
                let known: Vec<_> = entries.iter().map(|entry| (entry.set.step_size, entry.set.rows())).collect();
                (training, stages(&recipe, training, &known)?)
            }
            // Whatever the way to train: the steps of a set are for a net that has done those of the earlier ones.
            false => (Training::Sequential, scripted_stages(&scripts.iter().collect::<Vec<_>>())),
        };
        let parameters = recipe.record(stages.iter().map(|stage| (stage.epochs, stage.images)));
        let mut scripts = scripts.into_iter();
        let planned = |mut one: Stage| {
            let script = scripts.next();
            if script.is_some() {
                one.epochs = recipe.epochs_run(one.budget);
            }
            StagePlan { script, ..stage(&one, &recipe.settings.schedule, entries) }
        };
        let stages = stages.into_iter().map(planned).collect();
        Ok(Self { training, stages, carry_momentum: recipe.settings.carry_momentum, parameters })
    }

    /// Whether nets are trained step by step.
    pub(super) fn is_scripted(&self) -> bool {
        self.stages.iter().any(|stage| stage.script.is_some())
    }

    /// The plan in the manifest.
    pub(super) fn json(&self, preprocessing_digest: &Value) -> Value {
        let stage = |(number, stage): (usize, &StagePlan)| {
            let drop = |(epoch, factor): &(u64, f64)| json!({ "from_epoch": epoch, "by": factor });
            let mut told = json!({
                "stage": number + 1,
                "trains_on_sets": stage.sets,
                "images_per_class": stage.images_per_class,
                "lr": stage.lr,
                "epochs": stage.epochs,
                "lr_is_multiplied": stage.drops.iter().map(drop).collect::<Vec<_>>(),
                "momentum_is_emptied_before_epochs": stage.resets,
            });
            if let Some(script) = &stage.script {
                let step = |step: &Step| json!({ "rows": step.rows, "lr": step.lr });
                told["steps"] = script.steps.iter().map(step).collect::<Vec<_>>().into();
            }
            told
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
        script: None,
    }
}

fn script(entry: &Entry<'_>) -> NodeResult<Script> {
    let set = entry.set;
    Script::needed(Script::of(&set.info.recipe, &set.learnables, set.rows())?, &set.info.method)
}
