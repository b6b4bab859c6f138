//! Progressive stages: growing unions, each with its step size.

use pddflow_host::Decoded;

use crate::distill::join_sets;
use crate::evaluate::StepSize;
use crate::failure::{NodeResult, fail};
use crate::nets::{CourseStage, Samples};
use crate::sets::LoadedSet;

/// The stages from `from` on (counted from 0): stage i trains on the union of the sets 0 to i.
pub(crate) fn stages(sets: &[LoadedSet], from: usize, lr: StepSize, classes: usize) -> NodeResult<Vec<CourseStage>> {
    let decoded: Vec<Decoded> = sets.iter().map(|set| set.decoded.clone()).collect();
    let stage = |newest: usize| {
        let joined = join_sets(&decoded[..=newest], classes)?;
        let joined = joined.ok_or_else(|| fail("empty_data", "a stage has no set"))?;
        let samples = Samples { images: joined.images, labels: joined.labels };
        Ok(CourseStage { samples, lr: step_size(sets, newest, lr)? })
    };
    (from..sets.len()).map(stage).collect()
}

fn step_size(sets: &[LoadedSet], newest: usize, lr: StepSize) -> NodeResult<f64> {
    let StepSize::Fixed(value) = lr else {
        let learned = sets[newest].step_size;
        return learned.filter(|value| *value > 0.0 && value.is_finite()).ok_or_else(|| {
            let found = learned.map_or_else(|| "none".to_owned(), |value| value.to_string());
            let message = format!("set {} has no usable learned step size: {found}", newest + 1);
            fail("no_step_size", message).with_help("give a number as `lr`")
        });
    };
    Ok(value)
}
