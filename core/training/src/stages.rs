//! Progressive stages: growing unions, each with its step size.

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_host::Decoded;

use crate::nets::{CourseStage, Samples};
use crate::protocol::{StepSize, step_size};
use crate::sets::LoadedSet;
use crate::sets::join_sets;

/// The stages from `from` on (counted from 0): stage i trains on the union of the sets 0 to i.
pub fn stages(sets: &[LoadedSet], from: usize, lr: &StepSize, classes: usize) -> NodeResult<Vec<CourseStage>> {
    let decoded: Vec<Decoded> = sets.iter().map(|set| set.decoded.clone()).collect();
    let stage = |newest: usize| {
        let joined = join_sets(&decoded[..=newest], classes)?;
        let joined = joined.ok_or_else(|| fail("empty_data", "a stage has no set"))?;
        let samples = Samples { images: joined.images, labels: joined.labels };
        let learned = [(newest, sets[newest].step_size)];
        Ok(CourseStage { samples, lr: step_size(lr, newest, sets.len(), &learned)? })
    };
    (from..sets.len()).map(stage).collect()
}
