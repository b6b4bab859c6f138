//! From sets to the segments of a net's training.

use std::ops::Range;

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_host::Decoded;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::recipe::{Recipe, Script, Stage};
use crate::samples::Samples;
use crate::sets::{LoadedSet, join_sets};
use crate::trainer::Segment;

/// How several sets are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Training {
    /// Stage i trains on the union of the first i sets.
    #[default]
    Progressive,
    /// One stage on the union of all sets; a learned learning rate is that of the last set.
    Union,
    /// Stage i trains on set i alone.
    Sequential,
    /// On the real training images and no set: the upper bound.
    Full,
}

/// The images of all sets, one set after the other.
#[derive(Clone, Debug)]
pub struct JoinedSets {
    /// All images with their labels; probabilities if any set has such.
    pub samples: Samples,
    ranges: Vec<Range<usize>>,
}

impl JoinedSets {
    /// All sets as one.
    ///
    /// # Errors
    /// There is none, or they do not go together.
    pub fn new(sets: &[Decoded], classes: usize) -> NodeResult<Self> {
        let mut ranges = Vec::with_capacity(sets.len());
        let mut end = 0;
        for set in sets {
            let start = end;
            end += set.images.shape().first().copied().unwrap_or(0);
            ranges.push(start..end);
        }
        Ok(Self { samples: union(sets, classes)?, ranges })
    }

    /// The rows of the named sets, in that order.
    pub fn rows(&self, sets: impl IntoIterator<Item = usize>) -> Vec<usize> {
        sets.into_iter().filter_map(|set| self.ranges.get(set).cloned()).flatten().collect()
    }

    /// A segment on the named sets.
    pub fn segment(&self, sets: impl IntoIterator<Item = usize>, lr: f64) -> Segment {
        Segment { rows: Some(self.rows(sets)), ..Segment::new(self.samples.clone(), lr) }
    }
}

fn union(sets: &[Decoded], classes: usize) -> NodeResult<Samples> {
    let joined = join_sets(sets, classes)?.ok_or_else(|| fail("empty_data", "there is no set to train on"))?;
    Ok(Samples { images: joined.images, labels: joined.labels })
}

/// The sets of each stage, of `count` sets in order; the last one is the stage's newest.
pub fn stage_sets(training: Training, count: usize) -> Vec<Range<usize>> {
    match training {
        Training::Progressive => (1..=count).map(|end| 0..end).collect(),
        Training::Sequential => (0..count).map(|set| set..set + 1).collect(),
        Training::Union | Training::Full => std::iter::once(0..count).collect(),
    }
}

/// The stages of a training on sets with these learned learning rates and numbers of images, in order: what `evaluate` trains
/// and `export` tells.
///
/// # Errors
/// The learning rates do not fit the stages.
pub fn stages(recipe: &Recipe, training: Training, sets: &[(Option<f64>, usize)]) -> NodeResult<Vec<Stage>> {
    let ranges = stage_sets(training, sets.len());
    let images_of = |range: &Range<usize>| sets[range.clone()].iter().map(|(_, images)| images).sum::<usize>();
    let images: Vec<usize> = ranges.iter().map(images_of).collect();
    let budgets = recipe.budgets(&images, images_of(&(0..sets.len())));
    let count = ranges.len();
    let stage = |(number, range): (usize, &Range<usize>)| {
        let newest = range.end.saturating_sub(1);
        let learned = sets.get(newest).and_then(|(learned, _)| *learned);
        let lr = recipe.lr.of_stage(number, count, &[(newest, learned)])? * recipe.late_factor(number);
        let (images, budget) = (images[number], budgets[number]);
        Ok(Stage { sets: range.clone(), images, lr, epochs: recipe.epochs_run(budget), budget })
    };
    ranges.iter().enumerate().map(stage).collect()
}

/// A segment for each stage.
#[must_use]
pub fn segments(sets: &JoinedSets, stages: &[Stage]) -> Vec<Segment> {
    let segment = |(number, stage): (usize, &Stage)| {
        let (fresh, epochs) = (number == 0, Some(stage.budget));
        Segment { fresh, epochs, stage: number + 1, ..sets.segment(stage.sets.clone(), stage.lr) }
    };
    stages.iter().enumerate().map(segment).collect()
}

/// The script of each set, where nets are trained by these.
///
/// # Errors
/// A set has none.
pub fn scripts(sets: &[LoadedSet]) -> NodeResult<Vec<&Script>> {
    sets.iter().map(LoadedSet::script).collect()
}

/// What [`scripted`] gives for nets that followed the scripts of the first `done` sets elsewhere, and how many steps those were.
#[must_use]
pub fn scripted_behind(sets: &JoinedSets, scripts: &[&Script], done: usize) -> (Vec<Segment>, usize) {
    let before = scripts.iter().take(done).map(|script| script.steps.len()).sum();
    let mut segments = scripted(sets, scripts).split_off(before);
    if let Some(first) = segments.first_mut() {
        first.fresh = true;
    }
    (segments, before)
}

/// What [`scripted`] trains on as results and exports tell it: a stage for each set, of one epoch for each of its steps.
#[must_use]
pub fn scripted_stages(scripts: &[&Script]) -> Vec<Stage> {
    let stage = |(set, script): (usize, &&Script)| Stage {
        sets: set..set + 1,
        images: script.steps[0].rows.len(),
        lr: script.steps[0].lr,
        epochs: script.steps.len() as u64,
        budget: 1,
    };
    scripts.iter().enumerate().map(stage).collect()
}

/// The steps of the script of each set as segments, set after set; nets are tested behind each set.
#[must_use]
pub fn scripted(sets: &JoinedSets, scripts: &[&Script]) -> Vec<Segment> {
    let mut segments = Vec::new();
    for (set, script) in scripts.iter().enumerate() {
        let all = sets.rows([set]);
        for (number, step) in script.steps.iter().enumerate() {
            let rows = step.rows.iter().filter_map(|row| all.get(*row).copied()).collect();
            segments.push(Segment {
                rows: Some(rows),
                epochs: Some(1),
                fresh: segments.is_empty(),
                tested: number + 1 == script.steps.len(),
                stage: set + 1,
                ..Segment::new(sets.samples.clone(), step.lr)
            });
        }
    }
    segments
}

/// Progressive stages from number `from` (counted from 0) on, of nets that may have done the earlier ones elsewhere: their
/// labels are those of their own sets, whatever comes later. `lr` gives the learning rate of a stage.
///
/// # Errors
/// The sets do not go together, or the learning rates do not fit them.
pub fn progressive(
    sets: &[LoadedSet],
    from: usize,
    lr: &dyn Fn(usize) -> NodeResult<f64>,
    classes: usize,
) -> NodeResult<Vec<Segment>> {
    let decoded: Vec<Decoded> = sets.iter().map(|set| set.decoded.clone()).collect();
    let segment = |newest: usize| {
        let lr = lr(newest)?;
        let samples = union(&decoded[..=newest], classes)?;
        Ok(Segment { fresh: newest == from, stage: newest + 1, ..Segment::new(samples, lr) })
    };
    (from..sets.len()).map(segment).collect()
}

#[cfg(test)]
mod tests {
    use pddflow_host::Labels;
    use pddflow_tensor::{DType, Device, Tensor};
    use serde_json::{Value, json};

    use super::*;
    use crate::recipe::{ProtocolParams, Step};

    fn set(value: f64, rows: usize, labels: Option<Labels>) -> Decoded {
        let images = Tensor::full(value, &[rows, 1, 2, 2], DType::F32, &Device::Cpu).unwrap();
        let hard = || Labels::Hard(Tensor::from_i64(vec![0; rows], &[rows], &Device::Cpu).unwrap());
        Decoded { images, labels: labels.unwrap_or_else(hard) }
    }

    #[test]
    fn stages_of_each_way_to_train() {
        assert_eq!(stage_sets(Training::Progressive, 3), [0..1, 0..2, 0..3]);
        assert_eq!(stage_sets(Training::Sequential, 3), [0..1, 1..2, 2..3]);
        assert_eq!(stage_sets(Training::Union, 3), vec![0..3; 1]);
        for training in [Training::Progressive, Training::Sequential] {
            assert_eq!(stage_sets(training, 1), stage_sets(Training::Union, 1));
        }
    }

    #[test]
    fn a_pool_knows_the_rows_of_its_sets() {
        let pool = JoinedSets::new(&[set(1.0, 1, None), set(2.0, 2, None), set(3.0, 1, None)], 1).unwrap();
        assert_eq!(pool.rows(0..2), [0, 1, 2]);
        assert_eq!(pool.rows([2, 0]), [3, 0]);
        let values = pool.samples.images.to_f64_vec().unwrap();
        assert_eq!(values.into_iter().step_by(4).collect::<Vec<_>>(), [1.0, 2.0, 2.0, 3.0]);
    }

    #[test]
    fn soft_labels_make_the_pool_soft() {
        let soft = Labels::Soft(Tensor::from_f32(vec![0.25, 0.75], &[1, 2], &Device::Cpu).unwrap());
        let pool = JoinedSets::new(&[set(2.0, 1, None), set(1.0, 1, Some(soft))], 2).unwrap();
        assert_eq!(pool.samples.labels.tensor().to_f64_vec().unwrap(), [1.0, 0.0, 0.25, 0.75]);
    }

    #[test]
    fn no_sets_are_no_pool() {
        assert_eq!(JoinedSets::new(&[], 2).unwrap_err().code, "pddflow::nodes::empty_data");
    }

    #[test]
    fn scripts_are_followed_set_after_set() {
        let script = |rates: &[f64]| Script { steps: rates.iter().map(|lr| Step { rows: vec![1], lr: *lr }).collect() };
        let found = scripted(&joined(&[2, 2]), &[&script(&[0.1, 0.2]), &script(&[0.3])]);
        let shown: Vec<_> =
            found.iter().map(|one| (one.rows.clone().unwrap(), one.lr, one.stage, one.tested)).collect();
        assert_eq!(shown, [(vec![1], 0.1, 1, false), (vec![1], 0.2, 1, true), (vec![3], 0.3, 2, true)]);
        assert_eq!(found.iter().map(|one| one.fresh).collect::<Vec<_>>(), [true, false, false]);
        let (behind, before) = scripted_behind(&joined(&[2, 2]), &[&script(&[0.1, 0.2]), &script(&[0.3])], 1);
        assert_eq!((behind.len(), before), (1, 2));
        assert_eq!((behind[0].rows.clone().unwrap(), behind[0].lr, behind[0].fresh), (vec![3], 0.3, true));
    }

    fn recipe(with: &Value) -> Recipe {
        Recipe::of(&serde_json::from_value::<ProtocolParams>(with.clone()).unwrap(), &[], 3).unwrap()
    }

    fn joined(rows: &[usize]) -> JoinedSets {
        JoinedSets::new(&rows.iter().map(|rows| set(0.0, *rows, None)).collect::<Vec<_>>(), 1).unwrap()
    }

    fn shown(training: Training, with: &Value) -> Vec<(Vec<usize>, f64)> {
        let sets = [(Some(0.1), 1), (Some(0.2), 2), (Some(0.3), 1)];
        let found = segments(&joined(&[1, 2, 1]), &stages(&recipe(with), training, &sets).unwrap());
        assert!(found.iter().enumerate().all(|(at, one)| one.fresh == (at == 0) && one.stage == at + 1));
        found.into_iter().map(|segment| (segment.rows.unwrap(), segment.lr)).collect()
    }

    #[test]
    fn progressive_stages_grow_at_their_own_learning_rates() {
        let expected = vec![(vec![0], 0.1), (vec![0, 1, 2], 0.2), (vec![0, 1, 2, 3], 0.3)];
        assert_eq!(shown(Training::Progressive, &json!({ "recipe": "pdd_mtt" })), expected);
    }

    #[test]
    fn sequential_stages_stand_alone() {
        let expected = vec![(vec![0], 0.5), (vec![1, 2], 0.4), (vec![3], 0.3)];
        assert_eq!(shown(Training::Sequential, &json!({ "lr": [0.5, 0.4, 0.3] })), expected);
    }

    #[test]
    fn a_union_is_one_stage_at_the_last_learning_rate() {
        assert_eq!(shown(Training::Union, &json!({ "lr": "learned" })), vec![(vec![0, 1, 2, 3], 0.3)]);
    }

    #[test]
    fn late_stages_train_at_half_the_learning_rate() {
        let lr: Vec<f64> = shown(Training::Progressive, &json!({ "lr": 1.0, "halve_lr_after_sets": 2 }))
            .into_iter()
            .map(|(_, lr)| lr)
            .collect();
        assert_eq!(lr, [1.0, 1.0, 0.5]);
    }

    #[test]
    fn a_missing_learning_rate_names_the_set() {
        let recipe = recipe(&json!({ "lr": "learned" }));
        let error = stages(&recipe, Training::Progressive, &[(Some(0.1), 1), (None, 1)]).unwrap_err();
        assert!(error.message.contains("set 2"), "{}", error.message);
    }

    #[test]
    fn all_ways_and_numbers_of_stages_present_equally_many_images() {
        for sets in 1..=10_usize {
            for schedule in ["constant", "dc", "pdd", "idc"] {
                let recipe = recipe(&json!({ "presented": 60, "schedule": schedule }));
                let union = 20 * sets as u64;
                for training in [Training::Progressive, Training::Union, Training::Sequential] {
                    let stages = stages(&recipe, training, &vec![(None, 20); sets]).unwrap();
                    let record = recipe.record(stages.iter().map(|stage| (stage.epochs, stage.images)));
                    let off = record["presented_images"].as_u64().unwrap().abs_diff(60 * union);
                    assert!(2 * off <= union, "{training:?} of {sets} sets with `{schedule}`: {record}");
                }
            }
        }
    }
}
