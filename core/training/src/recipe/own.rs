//! What a set says of how to train on it, and what becomes of it where there are several sets.
//!
//! | | one stage | several stages (`methods.md` 8.2, 8.3) |
//! |---|---|---|
//! | epochs, steps | the set's | half of them in each |
//! | warm-up | the set's | half of it in each |
//! | schedule | the set's | `pdd` for `dc`: the momentum is not emptied at the drop |
//! | momentum between stages | – | kept |
//! | schedule `idc` | | learning rate halved after six sets |
//!
//! So MTT's recipe becomes that of PDD+MTT, and IDC's that of PDD+IDC. What the pipeline gave as `recipe` when the set was
//! distilled (the recipe's list `given`) stays as it is, and so does what says that momentum is kept.

use std::borrow::Cow;

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_artifact::params;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::learning_rate::LearningRate;
use super::params::canonical_policy;
use super::preset::{PDD_IDC_HALVED_AFTER, Published, dsa};
use crate::regression::Regression;
use crate::trainer::{Loss, Optimizer, Schedule};

/// Said where sets of several methods are trained on together.
pub const OTHER_RECIPES: &str =
    "the sets carry different recipes, and that of the last one is used: name one with `recipe:`";

/// That a trained net, which is wired beside the sets, labels every batch in place of the labels of the sets.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Taught {
    /// What the scores of both nets are divided by before they become probabilities.
    #[serde(default = "Taught::default_temperature")]
    pub temperature: f64,
}

impl Taught {
    /// That of RDED's release with CutMix.
    #[must_use]
    pub fn default_temperature() -> f64 {
        20.0
    }
}

/// What a set can say; a matcher may note more in its recipe.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
struct Own {
    #[serde(default)]
    epochs: Option<u64>,
    #[serde(default)]
    steps: Option<u64>,
    #[serde(default)]
    regression: Option<Regression>,
    #[serde(default)]
    teacher: Option<Taught>,
    #[serde(default)]
    loss: Loss,
    #[serde(default)]
    optimizer: Optimizer,
    #[serde(default)]
    lr: Option<LearningRate>,
    #[serde(default)]
    momentum: Option<f64>,
    #[serde(default)]
    weight_decay: Option<f64>,
    #[serde(default)]
    schedule: Option<Schedule>,
    #[serde(default)]
    warm_up: u64,
    #[serde(default)]
    average: f64,
    #[serde(default)]
    batch: Option<usize>,
    #[serde(default)]
    augment: Option<String>,
    #[serde(default)]
    cutmix: Option<f64>,
    #[serde(default)]
    carry_momentum: Option<bool>,
    #[serde(default)]
    halve_lr_after_sets: Option<usize>,
    /// Names of what the pipeline gave.
    #[serde(default)]
    given: Vec<String>,
}

/// The protocol of sets that carry these recipes, in the order of their stages: that of the last one, in so many stages. Where a
/// recipe says nothing, as that of chosen images or of imported sets, it is DSA's.
///
/// # Errors
/// It holds values that are none.
pub(super) fn own(carried: &[&Value], stages: usize) -> NodeResult<Published> {
    let base = dsa();
    let Some(own) = carried.last().map(|recipe| read(recipe)).transpose()? else { return Ok(base) };
    let given = |name: &str| own.given.iter().any(|given| given == name);
    let several = stages > 1;
    let epochs = match own.epochs.unwrap_or(base.epochs) {
        epochs if several && !given("epochs") => (epochs / 2).max(1),
        epochs => epochs,
    };
    // Epochs that the pipeline gave are in place of the steps that the matcher named.
    let steps = own.steps.filter(|_| !given("epochs"));
    let steps = if several { steps.map(|steps| (steps / 2).max(1)) } else { steps };
    let schedule = match own.schedule.unwrap_or(base.schedule) {
        Schedule::Dc if several && !given("schedule") => Schedule::Pdd,
        schedule => schedule,
    };
    let halved = (several && schedule == Schedule::Idc).then_some(PDD_IDC_HALVED_AFTER);
    Ok(Published {
        epochs,
        steps,
        loss: own.loss,
        optimizer: own.optimizer,
        lr: own.lr.unwrap_or(base.lr),
        momentum: own.momentum.unwrap_or(base.momentum),
        weight_decay: own.weight_decay.unwrap_or(base.weight_decay),
        schedule,
        warm_up: if several && !given("warm_up") { own.warm_up / 2 } else { own.warm_up },
        average: own.average,
        batch: own.batch.unwrap_or(base.batch),
        augment: own.augment.map_or(base.augment, Cow::Owned),
        cutmix: own.cutmix.unwrap_or(base.cutmix),
        carry_momentum: own.carry_momentum.unwrap_or(several),
        halve_lr_after_sets: own.halve_lr_after_sets.or(halved),
        points_every: None,
    })
}

/// How the last of the sets that carry these recipes says that it is read by kernel regression.
///
/// # Errors
/// It holds values that are none.
pub fn own_regression(carried: &[&Value]) -> NodeResult<Option<Regression>> {
    Ok(carried.last().map(|recipe| read(recipe)).transpose()?.and_then(|own| own.regression))
}

/// How the last of the sets that carry these recipes says that a trained net labels its batches.
///
/// # Errors
/// It holds values that are none.
pub fn own_teacher(carried: &[&Value]) -> NodeResult<Option<Taught>> {
    Ok(carried.last().map(|recipe| read(recipe)).transpose()?.and_then(|own| own.teacher))
}

/// Nets are trained on the labels of sets here, whatever their recipes say: none of them may ask for a trained net that labels batches.
///
/// # Errors
/// One does, and what to do instead is the help.
pub fn needs_no_teacher<'a>(carried: impl IntoIterator<Item = &'a Value>, help: &str) -> NodeResult<()> {
    for recipe in carried {
        if own_teacher(&[recipe])?.is_some() {
            return Err(fail("teacher", TAUGHT).with_help(help));
        }
    }
    Ok(())
}

/// Why a set with a teacher cannot be trained on.
pub const TAUGHT: &str = "by the set's recipe a trained net labels every batch, which only `evaluate` has a port for";

/// Whether the recipes differ in something that training depends on.
#[must_use]
pub fn recipes_differ(carried: &[&Value]) -> bool {
    let mut all = carried.iter().filter_map(|recipe| read(recipe).ok());
    let first = all.next();
    all.any(|other| first.as_ref() != Some(&other))
}

fn read(recipe: &Value) -> NodeResult<Own> {
    let wrong = |what: String| {
        fail("set_recipe", format!("the recipe that the last set carries cannot be used: {what}"))
            .with_help("name a recipe, such as `recipe: dsa`, or make the set again")
    };
    if recipe.is_null() {
        return Ok(Own::default());
    }
    let own: Own = params::read(recipe).map_err(|error| wrong(error.message))?;
    if let Some(found) = params::check_numbers(recipe, &["epochs", "steps", "batch"]).into_iter().next() {
        return Err(wrong(found.message));
    }
    if own.teacher.is_some_and(|teacher| !(teacher.temperature > 0.0 && teacher.temperature.is_finite())) {
        return Err(wrong("`teacher`: `temperature` must be above 0".to_owned()));
    }
    match own.augment.as_deref().map(canonical_policy).transpose() {
        Ok(augment) => Ok(Own { augment, ..own }),
        Err(message) => Err(wrong(format!("`augment`: {message}"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::params::ProtocolParams;
    use super::super::preset::Preset;
    use super::super::resolved::Recipe;
    use super::*;

    /// As the matchers write them: `pddflow_sdk::recipe`.
    fn carried(changes: &Value) -> Value {
        let mut recipe = json!({
            "epochs": 1000, "batch": 256, "lr": 0.01, "momentum": 0.9, "weight_decay": 5e-4, "schedule": "dc",
            "augment": "dsa:color_crop_cutout_flip_scale_rotate",
        });
        recipe.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        recipe
    }

    fn mtt() -> Value {
        carried(&json!({ "lr": "learned", "step_sizes": [0.02], "preprocessing": "b3:00" }))
    }

    fn idc() -> Value {
        carried(
            &json!({ "batch": 64, "schedule": "idc", "cutmix": 0.5, "augment": "idc:color_crop_flip_scale_rotate" }),
        )
    }

    #[test]
    fn own_recipes_are_the_published_ones_of_their_methods() {
        let rows = [
            (mtt(), 1, Preset::Mtt),
            (mtt(), 5, Preset::PddMtt),
            (idc(), 1, Preset::Idc),
            (idc(), 5, Preset::PddIdc),
            (carried(&json!({})), 1, Preset::Dsa),
            (carried(&json!({ "epochs": 300, "augment": "none" })), 1, Preset::Dc),
            (json!({}), 1, Preset::Dsa),
            (Value::Null, 1, Preset::Dsa),
        ];
        for (recipe, stages, preset) in rows {
            let own = own(&[&json!({}), &recipe], stages).unwrap();
            assert_eq!(own.parameters(), preset.published().unwrap().parameters(), "{recipe} in {stages} stages");
        }
    }

    #[test]
    fn what_the_pipeline_gave_is_not_changed() {
        let named = ["epochs", "schedule", "warm_up", "average"];
        let given = carried(&json!({ "epochs": 400, "schedule": "dc", "warm_up": 20, "average": 0.9, "given": named }));
        let found = own(&[&given], 3).unwrap();
        assert_eq!((found.epochs, found.schedule, found.carry_momentum), (400, Schedule::Dc, true));
        assert_eq!((found.warm_up, found.average), (20, 0.9));
        let emptied = carried(&json!({ "carry_momentum": false }));
        assert!(!own(&[&emptied], 3).unwrap().carry_momentum);
    }

    #[test]
    fn a_recipe_that_cannot_be_used_names_its_field() {
        for (wrong, place) in [
            (json!({ "epochs": "many" }), "`epochs`"),
            (json!({ "lr": -1.0 }), "`lr`"),
            (json!({ "momentum": 2 }), "`momentum`"),
            (json!({ "batch": 0 }), "`batch`"),
            (json!({ "augment": "dsa:blur" }), "`augment`"),
            (json!({ "teacher": { "temperature": 0 } }), "`teacher`"),
            (json!({ "teacher": { "model": "convnet" } }), "`teacher.model`"),
            (json!(3), "set carries"),
        ] {
            let error = own(&[&wrong], 1).unwrap_err();
            assert!(error.message.contains(place), "{wrong}: {}", error.message);
        }
    }

    #[test]
    fn a_teacher_is_asked_for_by_the_last_set_and_refused_where_there_is_none() {
        let (plain, taught) = (carried(&json!({})), carried(&json!({ "teacher": {} })));
        assert_eq!(own_teacher(&[&plain, &taught]).unwrap(), Some(Taught { temperature: 20.0 }));
        assert_eq!(own_teacher(&[&taught, &plain]).unwrap(), None);
        assert!(recipes_differ(&[&plain, &taught]));
        assert_eq!(needs_no_teacher([&taught, &plain], "help").unwrap_err().help.unwrap(), "help");
        let given = |given: Value| serde_json::from_value::<ProtocolParams>(given).unwrap();
        let error = Recipe::of(&given(json!({ "epochs": 3 })), &[&taught], 1).unwrap_err();
        assert!(error.message.contains("a trained net labels every batch"), "{}", error.message);
        Recipe::of(&given(json!({ "recipe": "dsa" })), &[&taught], 1).unwrap();
        let (recipe, asked) = Recipe::taught(&given(json!({ "epochs": 3 })), &[&taught], 1).unwrap();
        assert_eq!((recipe.epochs_run(3), asked), (4, Some(Taught { temperature: 20.0 })));
    }

    #[test]
    fn recipes_differ_in_what_training_depends_on() {
        let other = carried(&json!({ "lr": "learned", "step_sizes": [0.02, 0.03] }));
        assert!(!recipes_differ(&[&mtt(), &other]));
        assert!(recipes_differ(&[&mtt(), &idc()]));
        assert!(!recipes_differ(&[]));
    }
}
