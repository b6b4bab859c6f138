//! Looking at the set during a distillation: nets are trained on it and tested, and the best set may be kept.
//!
//! By default they are tested on a part of the training split that the matcher does not see. Testing on the test split,
//! as several papers do to choose a snapshot, flatters; it has to be asked for, and the set says so.
//!
//! The nets start where this stage starts: at nets of the pool, else at the first snapshots of experts that were advanced, else
//! at new nets that are trained progressively on the earlier sets. They train on the union of all sets.
//!
//! | randomness | key below `(seed, "distill", stage - 1, "evaluation")` |
//! |---|---|
//! | first weights of net j | j, `weights` |
//! | its training on the earlier sets and on the union | j, then as in a course |

use std::sync::OnceLock;

use pddflow_artifact::failure::{During, NodeResult, fail};
use pddflow_host::{Decoded, Net};
use pddflow_runner::NodeError;
use pddflow_tensor::RandomKey;
use pddflow_training::nets::{Course, CourseStage, Pupil, Rules, Samples, Trainee, accuracy};
use pddflow_training::protocol::StepSize;
use pddflow_training::sets::{LoadedSet, join_sets};
use pddflow_training::splits::Split;
use pddflow_training::stages::stages;
use rayon::prelude::*;

use super::network::Network;
use super::params::EvaluationParams;

/// Step size where none was learned and none is given.
const DEFAULT_LR: f64 = 0.01;

/// Keeps `fraction` of each class aside, at least one image: the rest, and what is kept aside.
pub(super) fn hold_out(train: &Split, fraction: f64, key: RandomKey) -> NodeResult<(Split, Split)> {
    let mut aside = vec![false; train.rows()];
    for (class, own) in train.class_rows().iter().enumerate().filter(|(_, own)| !own.is_empty()) {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share of a row count")]
        let count = ((own.len() as f64 * fraction) as usize).max(1);
        for place in key.fold_u64(class as u64).choose(own.len(), count) {
            aside[own[place]] = true;
        }
    }
    let rows = |wanted: bool| (0..train.rows()).filter(|row| aside[*row] == wanted).collect::<Vec<_>>();
    let part = |rows: &[usize]| train.part(rows).during("holding images out");
    Ok((part(&rows(false))?, part(&rows(true))?))
}

/// Trains nets on the set as it is and tests them.
pub(super) struct Inspector<'a> {
    pub(super) params: &'a EvaluationParams,
    pub(super) rules: Rules,
    pub(super) earlier: &'a [LoadedSet],
    pub(super) classes: usize,
    pub(super) test: &'a Split,
    pub(super) key: RandomKey,
    starts: OnceLock<Vec<Net>>,
}

impl<'a> Inspector<'a> {
    pub(super) fn new(
        params: &'a EvaluationParams,
        (earlier, classes): (&'a [LoadedSet], usize),
        test: &'a Split,
        key: RandomKey,
    ) -> NodeResult<Self> {
        if test.rows() == 0 {
            return Err(fail("empty_data", format!("there are no {} to evaluate on", params.on.words())));
        }
        let rules = params.training.rules()?;
        Ok(Self { params, rules, earlier, classes, test, key, starts: OnceLock::new() })
    }

    /// Whether an evaluation belongs after so many of `all` iterations.
    pub(super) fn is_due(&self, iteration: u64, all: u64) -> bool {
        iteration > 0 && (iteration.is_multiple_of(self.params.every) || iteration == all)
    }

    /// Mean accuracy, 0 to 1; `None` when the learned step size is none that one can train at.
    pub(super) fn accuracy(
        &self,
        network: &Network,
        new: &Decoded,
        learned: Option<f64>,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> NodeResult<Option<f64>> {
        let Some(lr) = self.step_size(learned).filter(|lr| *lr > 0.0 && lr.is_finite()) else { return Ok(None) };
        let sets: Vec<Decoded> = self.earlier.iter().map(|set| set.decoded.clone()).chain([new.clone()]).collect();
        let union = join_sets(&sets, self.classes)?.ok_or_else(|| fail("empty_data", "the set is empty"))?;
        let samples = Samples { images: union.images, labels: union.labels };
        let stage = [CourseStage { samples, lr }];
        let course = |before| Course {
            trainee: Trainee { model: &network.model, specs: &network.specs },
            stages: &stage,
            before,
            rules: &self.rules,
        };
        let of = |(net, start): (usize, &Net)| {
            let mut pupil = Pupil::new(start.clone());
            course(self.earlier.len()).finish(&mut pupil, self.key.fold_u64(net as u64), stop)?;
            let samples = self.test.samples();
            accuracy(&network.model, &pupil.net.weights, &samples.images, self.test.classes_of_rows())
        };
        let starts = self.starts(network, stop)?;
        let shares = starts.par_iter().enumerate().map(of).collect::<NodeResult<Vec<f64>>>()?;
        Ok(Some(shares.iter().sum::<f64>() / shares.len() as f64))
    }

    fn step_size(&self, learned: Option<f64>) -> Option<f64> {
        match &self.params.training.lr {
            Some(StepSize::Fixed(value)) => Some(*value),
            Some(StepSize::Stages(values)) => values.get(self.earlier.len()).copied(),
            Some(StepSize::Learned) => learned,
            None => learned.or(Some(DEFAULT_LR)),
        }
    }

    /// Where the nets start; made at the first evaluation.
    fn starts(&self, network: &Network, stop: &(dyn Fn() -> bool + Sync)) -> NodeResult<&[Net]> {
        if let Some(starts) = self.starts.get() {
            return Ok(starts);
        }
        let numbers: Vec<usize> = (0..self.params.nets).collect();
        let start = |net: &usize| self.start(network, *net, stop);
        let made = numbers.par_iter().map(start).collect::<NodeResult<Vec<_>>>()?;
        Ok(self.starts.get_or_init(|| made))
    }

    fn start(&self, network: &Network, net: usize, stop: &(dyn Fn() -> bool + Sync)) -> NodeResult<Net> {
        if let Some(weights) = network.advanced(net)? {
            return Ok(Net::new(weights));
        }
        let key = self.key.fold_u64(net as u64);
        let mut pupil = Pupil::new(Net::new(network.fresh_weights(key.fold("weights"))?));
        let lr =
            self.params.training.lr.clone().unwrap_or(match self.earlier.iter().all(|set| set.step_size.is_some()) {
                true => StepSize::Learned,
                false => StepSize::Fixed(DEFAULT_LR),
            });
        let stages = stages(self.earlier, 0, &lr, self.classes)?;
        let trainee = Trainee { model: &network.model, specs: &network.specs };
        Course { trainee, stages: &stages, before: 0, rules: &self.rules }.finish(&mut pupil, key, stop)?;
        Ok(pupil.net)
    }
}

/// A failure while looking, with its place.
pub(super) fn while_evaluating(error: NodeError, iteration: u64) -> NodeError {
    if error.cancelled {
        return error;
    }
    let message = format!("the evaluation after iteration {iteration} failed: {}", error.message);
    NodeError { message, ..error }
}
