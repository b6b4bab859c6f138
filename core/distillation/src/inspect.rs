//! Looking at the set during a distillation: nets are trained on it and tested, and the best set may be kept.
//!
//! By default they are tested on the training images that the data set holds out. Testing on the test split, as several papers
//! do to choose a snapshot, flatters; it has to be asked for, and the set says so.
//!
//! The nets start where this stage starts: at nets of the pool, else at the first snapshots of experts that were advanced, else
//! at new nets that are trained progressively on the earlier sets. They train on the union of all sets. Every
//! stage is trained by the recipe of the set for one set alone, as the releases of PDD do at this place. Where sets carry scripts of steps,
//! nets follow these, set after set; fixed nets are where they begin.
//!
//! | randomness | key below `(seed, "distill", stage - 1, "evaluation")` |
//! |---|---|
//! | first weights of net j | j, `weights` |
//! | its training on the earlier sets and on the union | j, then `stage`, stage, epoch |

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_host::{Decoded, Net};
use pddflow_runner::NodeError;
use pddflow_tensor::{RandomKey, Tensor};
use pddflow_training::accuracy::accuracy_unless;
use pddflow_training::recipe::{LearningRate, Recipe, Script, follows_script};
use pddflow_training::samples::Samples;
use pddflow_training::segments::{JoinedSets, progressive, scripted_behind, scripts};
use pddflow_training::sets::{LoadedSet, join_sets};
use pddflow_training::splits::Split;
use pddflow_training::trainer::{Segment, each};
use serde_json::Value;

use crate::network::Network;
use crate::params::EvaluationParams;

/// Trains nets on the set as it is and tests them.
pub(crate) struct Inspector<'a> {
    pub(crate) params: &'a EvaluationParams,
    /// The set's own, where nets follow its script.
    script: Option<Value>,
    recipe: Recipe,
    pub(crate) earlier: &'a [LoadedSet],
    /// Number of the stage, from 1.
    stage: usize,
    pub(crate) classes: usize,
    pub(crate) test: Arc<Split>,
    pub(crate) key: RandomKey,
    starts: OnceLock<Vec<Net>>,
}

impl<'a> Inspector<'a> {
    pub(crate) fn new(
        params: &'a EvaluationParams,
        (own, (earlier, stage, classes)): (&Value, (&'a [LoadedSet], usize, usize)),
        test: Arc<Split>,
        key: RandomKey,
    ) -> NodeResult<Self> {
        if test.rows() == 0 {
            return Err(fail("empty_data", format!("there are no {} to evaluate on", params.on.words())));
        }
        let script = follows_script(&params.training, &[own]).then(|| own.clone());
        if script.is_some() {
            scripts(earlier)?;
        }
        let recipe = Recipe::of(&params.training, &[own], 1)?;
        Ok(Self { params, script, recipe, earlier, stage, classes, test, key, starts: OnceLock::new() })
    }

    /// Whether an evaluation belongs after so many of `all` iterations.
    pub(crate) fn is_due(&self, iteration: u64, all: u64) -> bool {
        iteration > 0 && (iteration.is_multiple_of(self.params.every) || iteration == all)
    }

    /// Mean accuracy, 0 to 1; `None` when the learned learning rate is none that one can train at.
    pub(crate) fn accuracy(
        &self,
        network: &Network,
        (new, learnables): (&Decoded, &BTreeMap<String, Tensor>),
        learned: Option<f64>,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> NodeResult<Option<f64>> {
        if let Some(own) = &self.script {
            let script = Script::of(own, learnables, new.images.shape()[0])?
                .ok_or_else(|| NodeError::internal("a script is followed that is none"))?;
            let followed = self.scripted(Some((new, &script)), self.earlier.len())?;
            return self.share((&followed.0, followed.1), network, stop).map(Some);
        }
        let learnt = |rate: &f64| *rate > 0.0 && rate.is_finite();
        if self.recipe.lr == LearningRate::Learned && !learned.as_ref().is_some_and(learnt) {
            return Ok(None);
        }
        let lr = self.lr(self.stage - 1, learned)?;
        let sets: Vec<Decoded> = self.earlier.iter().map(|set| set.decoded.clone()).chain([new.clone()]).collect();
        let union = join_sets(&sets, self.classes)?.ok_or_else(|| fail("empty_data", "the set is empty"))?;
        let before = self.earlier.len();
        let samples = Samples { images: union.images, labels: union.labels };
        let segments = [Segment { stage: before + 1, ..self.with_epochs(Segment::new(samples, lr)) }];
        self.share((&segments, before), network, stop).map(Some)
    }

    /// The steps of all sets, the new one behind the earlier ones, that are behind the first `done` sets, and how many come before them.
    fn scripted(&self, new: Option<(&Decoded, &Script)>, done: usize) -> NodeResult<(Vec<Segment>, usize)> {
        let sets: Vec<Decoded> =
            self.earlier.iter().map(|set| set.decoded.clone()).chain(new.map(|(set, _)| set.clone())).collect();
        let mut all = scripts(self.earlier)?;
        all.extend(new.map(|(_, script)| script));
        if sets.is_empty() {
            return Ok((Vec::new(), 0));
        }
        Ok(scripted_behind(&JoinedSets::new(&sets, self.classes)?, &all, done))
    }

    /// Mean accuracy of the nets, trained through these segments, before which so many were done.
    fn share(
        &self,
        segments: (&[Segment], usize),
        network: &Network,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> NodeResult<f64> {
        let trainer = network.trainer(segments, &self.recipe.settings);
        let starts = self.starts(network, stop)?;
        let shares = each(starts.len(), trainer.width(&network.device), |net, workers| {
            workers.compute(|| {
                let key = self.key.fold_u64(net as u64);
                let trained = trainer.finish(starts[net].clone(), key, &|| stop() || workers.failed())?;
                let (images, labels) = (&self.test.samples().images, self.test.classes_of_rows());
                accuracy_unless(stop, &network.model, &trained.weights, images, labels)
            })
        })?;
        Ok(shares.iter().sum::<f64>() / shares.len() as f64)
    }

    /// A segment with the epochs that the recipe has for so many images.
    fn with_epochs(&self, segment: Segment) -> Segment {
        let rows = segment.samples.rows();
        Segment { epochs: self.recipe.budgets(&[rows], rows).first().copied(), ..segment }
    }

    /// The learning rate of a stage, from 0.
    fn lr(&self, stage: usize, learned: Option<f64>) -> NodeResult<f64> {
        Ok(self.recipe.lr.of_early_stage(stage, &[(stage, learned)])? * self.recipe.late_factor(stage))
    }

    /// Where the nets start; made at the first evaluation.
    fn starts(&self, network: &Network, stop: &(dyn Fn() -> bool + Sync)) -> NodeResult<&[Net]> {
        if let Some(starts) = self.starts.get() {
            return Ok(starts);
        }
        let lr = |stage: usize| self.lr(stage, self.earlier[stage].step_size);
        let made = match network.advanced(0)? {
            Some(_) => {
                let net = |net| Ok(Net::new(network.advanced(net)?.unwrap_or_default()));
                (0..self.params.nets).map(net).collect::<NodeResult<Vec<Net>>>()?
            }
            None if self.script.is_some() => self.new_starts(network, &self.scripted(None, 0)?.0, stop)?,
            None => {
                let segments = progressive(self.earlier, 0, &lr, self.classes)?.into_iter();
                self.new_starts(network, &segments.map(|one| self.with_epochs(one)).collect::<Vec<_>>(), stop)?
            }
        };
        Ok(self.starts.get_or_init(|| made))
    }

    /// New nets, trained on the earlier sets.
    fn new_starts(
        &self,
        network: &Network,
        segments: &[Segment],
        stop: &(dyn Fn() -> bool + Sync),
    ) -> NodeResult<Vec<Net>> {
        let trainer = network.trainer((segments, 0), &self.recipe.settings);
        each(self.params.nets, trainer.width(&network.device), |net, workers| {
            let key = self.key.fold_u64(net as u64);
            let fixed = if self.script.is_some() { network.fixed(net)? } else { None };
            let fresh = match fixed {
                Some(weights) => Net::new(weights),
                None => Net::new(network.fresh_weights(key.fold("weights"))?),
            };
            workers.compute(|| trainer.finish(fresh, key, &|| stop() || workers.failed()))
        })
    }
}

/// A failure while looking, with its place.
pub(crate) fn while_evaluating(error: NodeError, iteration: u64) -> NodeError {
    if error.cancelled {
        return error;
    }
    let message = format!("the evaluation after iteration {iteration} failed: {}", error.message);
    NodeError { message, ..error }
}
