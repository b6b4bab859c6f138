//! What the nets of an evaluation are shown, stage by stage.

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_host::Decoded;
use pddflow_training::recipe::{Recipe, Stage};
use pddflow_training::segments::{self, JoinedSets, Training, segments, stages};
use pddflow_training::sets::LoadedSet;
use pddflow_training::splits::Prepared;
use pddflow_training::trainer::Segment;

/// The stages as the protocol tells them, and what a net is trained on.
pub(super) struct Course {
    pub(super) stages: Vec<Stage>,
    pub(super) segments: Vec<Segment>,
}

impl Course {
    /// The real training images themselves.
    pub(super) fn full(recipe: &Recipe, data: &Prepared) -> NodeResult<Self> {
        let stages = stages(recipe, Training::Union, &[(None, data.train.rows())])?;
        let segment = |stage: &Stage| Segment {
            epochs: Some(stage.budget),
            ..Segment::new(data.train.samples().clone(), stage.lr)
        };
        let segments = stages.iter().map(segment).collect();
        Ok(Self { stages, segments })
    }

    /// The steps that each set says itself, set after set: an epoch each.
    pub(super) fn scripted(sets: &[LoadedSet], classes: usize) -> NodeResult<Self> {
        let scripts = segments::scripts(sets)?;
        let segments = segments::scripted(&joined(sets, classes)?, &scripts);
        Ok(Self { stages: segments::scripted_stages(&scripts), segments })
    }

    /// The sets in this way to train.
    pub(super) fn staged(training: Training, recipe: &Recipe, sets: &[LoadedSet], classes: usize) -> NodeResult<Self> {
        let known: Vec<_> = sets.iter().map(|set| (set.step_size, set.rows())).collect();
        let stages = stages(recipe, training, &known)?;
        let segments = segments(&joined(sets, classes)?, &stages);
        Ok(Self { stages, segments })
    }

    /// Points of the curve must lie within every stage, as far as that could not be known before.
    pub(super) fn check_curve(&self, at: &[u64]) -> NodeResult<()> {
        let least = self.stages.iter().map(|stage| stage.epochs).min().unwrap_or(0);
        match at.iter().find(|epoch| **epoch > least) {
            Some(epoch) => {
                Err(fail("no_such_epoch", format!("`curve_at` asks for epoch {epoch} of stages of {least} epochs"))
                    .with_help(format!("give 1 to {least}, or more `epochs`")))
            }
            None => Ok(()),
        }
    }
}

fn joined(sets: &[LoadedSet], classes: usize) -> NodeResult<JoinedSets> {
    let decoded: Vec<Decoded> = sets.iter().map(|set| set.decoded.clone()).collect();
    JoinedSets::new(&decoded, classes)
}
