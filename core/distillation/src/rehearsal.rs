//! A matcher's environment without a node: small data and nets made of a key, for `trial`. Learnables start and step as in a node.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

use pddflow_artifact::failure::NodeResult;
use pddflow_host::{
    Batch, Decoded, Description, Environment, EnvironmentError, EnvironmentResult, Forward, Mode, Model, Net, Problem,
    Segment, TrainSpec, WeightSpec,
};
use pddflow_tensor::{RandomKey, Tensor, TensorError};
use pddflow_training::init::initial_weights;
use pddflow_training::splits::Split;
use pddflow_training::trainer::Architecture;

use crate::environment::{from_node, real_rows, train_net};
use crate::start::first_learnables;
use crate::state::{Kept, Learnable};

/// How far a weight of a made-up expert moves in an epoch, as a share of a standard normal number.
const EXPERT_STEP: f64 = 0.01;

/// What does not change while a matcher is tried.
pub(crate) struct Stage {
    pub(crate) problem: Problem,
    pub(crate) train: Split,
    pub(crate) network: Option<(Arc<Model>, Vec<WeightSpec>)>,
    pub(crate) previous: Option<Decoded>,
}

/// A matcher's environment, with what it did.
pub(crate) struct Rehearsal<'a> {
    stage: &'a Stage,
    kept: Kept,
    good: Option<Kept>,
    /// What lasts, as it was before this iteration.
    begun: Option<Kept>,
    /// Steps in their order: learnable and gradient.
    pub(crate) steps: Vec<(String, Tensor)>,
    /// Learnables whose value the matcher replaced.
    pub(crate) assigned: usize,
    /// Every metric in its order.
    pub(crate) metrics: Vec<(String, f64)>,
    /// How often it was asked whether to stop.
    asked: Cell<u64>,
    /// Says so from this question on.
    pub(crate) cancelled_from: Option<u64>,
}

impl<'a> Rehearsal<'a> {
    /// With the learnables as they start.
    pub(crate) fn new(stage: &'a Stage, description: &Description) -> NodeResult<Self> {
        let key = RandomKey::new(0).fold("start");
        let learnables = first_learnables(description, &stage.problem, &stage.train, key)?;
        Ok(Self::of(stage, Kept { learnables, ..Kept::default() }))
    }

    /// Another one that goes on from what this one kept.
    pub(crate) fn going_on(&self) -> Self {
        Self { metrics: self.metrics.clone(), ..Self::of(self.stage, self.kept.clone()) }
    }

    /// Values of the learnables, in the order of the description.
    pub(crate) fn values(&self) -> Vec<Tensor> {
        self.kept.learnables.iter().map(|one| one.value.clone()).collect()
    }

    /// Gives a learnable another value.
    pub(crate) fn put(&mut self, at: usize, value: &Tensor) {
        if let Some(learnable) = self.kept.learnables.get_mut(at) {
            learnable.value = value.clone();
        }
    }

    /// Tensors that the matcher keeps, and how many numbers they have.
    pub(crate) fn state_size(&self) -> (usize, usize) {
        (self.kept.named.len(), self.kept.named.values().map(Tensor::elements).sum())
    }

    fn of(stage: &'a Stage, kept: Kept) -> Self {
        Self {
            stage,
            kept,
            good: None,
            begun: None,
            steps: Vec::new(),
            assigned: 0,
            metrics: Vec::new(),
            asked: Cell::new(0),
            cancelled_from: None,
        }
    }

    /// Before an iteration.
    pub(crate) fn clamp(&mut self) -> Result<(), TensorError> {
        self.kept.learnables.iter_mut().try_for_each(Learnable::clamp)?;
        self.begun = Some(self.kept.clone());
        Ok(())
    }

    /// How often it was asked whether to stop.
    pub(crate) fn asked(&self) -> u64 {
        self.asked.get()
    }

    /// The latest value of a metric.
    pub(crate) fn metric_of(&self, name: &str) -> Option<f64> {
        self.metrics.iter().rev().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// Everything that lasts, as numbers: by name.
    pub(crate) fn numbers(&self) -> Result<BTreeMap<String, Vec<f64>>, TensorError> {
        let mut found = BTreeMap::new();
        for learnable in &self.kept.learnables {
            let name = &learnable.spec.name;
            found.insert(format!("learnable `{name}`"), learnable.value.to_f64_vec()?);
            if let Some(momentum) = &learnable.momentum {
                found.insert(format!("momentum of `{name}`"), momentum.to_f64_vec()?);
            }
        }
        for (name, value) in &self.kept.named {
            found.insert(format!("state `{name}`"), value.to_f64_vec()?);
        }
        for (number, (name, value)) in self.metrics.iter().enumerate() {
            found.insert(format!("metric `{name}` (number {number})"), vec![*value]);
        }
        Ok(found)
    }

    fn network(&self) -> EnvironmentResult<&(Arc<Model>, Vec<WeightSpec>)> {
        self.stage.network.as_ref().ok_or_else(|| {
            EnvironmentError::new("pddflow::check::no_model", "the matcher uses a model that it does not declare")
                .with_help("declare `Need::Model` in `describe`")
        })
    }

    fn learnable(&mut self, name: &str) -> EnvironmentResult<&mut Learnable> {
        let found = self.kept.learnables.iter_mut().find(|learnable| learnable.spec.name == name);
        found.ok_or_else(|| {
            EnvironmentError::new("pddflow::check::no_learnable", format!("there is no learnable `{name}`"))
        })
    }

    /// Weights of a made-up expert after so many epochs.
    fn expert(&self, epoch: u64) -> EnvironmentResult<Vec<Tensor>> {
        let (dtype, device) = (self.stage.problem.dtype, &self.stage.problem.device);
        let (_, specs) = self.network()?;
        let key = RandomKey::new(0).fold("expert");
        let first = initial_weights(specs, key, dtype, device)?;
        let moved = |(weight, spec): (&Tensor, &WeightSpec)| {
            let noise = key.fold("way").fold(&spec.name).normal_f64(weight.elements());
            let way = noise.into_iter().map(|number| number * EXPERT_STEP * epoch as f64).collect();
            weight.add(&Tensor::from_values(way, &spec.shape, dtype, device)?)
        };
        Ok(first.iter().zip(specs).map(moved).collect::<Result<_, _>>()?)
    }
}

impl Environment for Rehearsal<'_> {
    fn problem(&self) -> &Problem {
        &self.stage.problem
    }

    fn cancelled(&self) -> bool {
        let asked = self.asked.get();
        self.asked.set(asked + 1);
        self.cancelled_from.is_some_and(|from| asked >= from)
    }

    fn choose_rows(&mut self, class: Option<usize>, count: usize, key: RandomKey) -> EnvironmentResult<Vec<usize>> {
        Ok(self.stage.train.choose(class, count, key))
    }

    fn real_rows(&mut self, rows: &[usize]) -> EnvironmentResult<Batch> {
        real_rows(&self.stage.train, rows)
    }

    fn class_size(&self, class: usize) -> usize {
        self.stage.train.class_rows().get(class).map_or(0, Vec::len)
    }

    fn learnables(&self) -> Vec<(String, Tensor)> {
        self.kept.learnables.iter().map(|one| (one.spec.name.clone(), one.value.clone())).collect()
    }

    fn previous(&self) -> Option<Decoded> {
        self.stage.previous.clone()
    }

    fn weight_specs(&self) -> &[WeightSpec] {
        self.stage.network.as_ref().map_or(&[], |(_, specs)| specs)
    }

    fn fresh_weights(&mut self, key: RandomKey) -> EnvironmentResult<Vec<Tensor>> {
        let (dtype, device) = (self.stage.problem.dtype, &self.stage.problem.device);
        Ok(initial_weights(&self.network()?.1, key, dtype, device)?)
    }

    fn start_weights(&mut self, key: RandomKey) -> EnvironmentResult<Vec<Tensor>> {
        self.fresh_weights(key)
    }

    fn trajectory(&mut self, first: u64, end: u64, length: u64, key: RandomKey) -> EnvironmentResult<Segment> {
        let epoch = first + key.below(end - first);
        Ok(Segment { start: self.expert(epoch)?, target: self.expert(epoch + length)?, epoch })
    }

    fn forward(&mut self, weights: &[Tensor], x: &Tensor, mode: Mode, key: RandomKey) -> EnvironmentResult<Forward> {
        Ok(self.network()?.0.forward(weights, x, mode, key)?)
    }

    fn train(&mut self, net: &mut Net, spec: &TrainSpec) -> EnvironmentResult<()> {
        let (model, specs) = self.network()?;
        let stop = || self.cancelled();
        train_net(Architecture { model, specs }, net, spec, (self.stage.train.samples(), &stop)).map_err(from_node)
    }

    fn step(&mut self, name: &str, gradient: &Tensor, rate: f64) -> EnvironmentResult<()> {
        self.steps.push((name.to_owned(), gradient.clone()));
        Ok(self.learnable(name)?.step(gradient, rate)?)
    }

    fn assign(&mut self, name: &str, value: &Tensor) -> EnvironmentResult<()> {
        self.assigned += 1;
        self.learnable(name)?.value = value.detach();
        Ok(())
    }

    fn state_get(&self, name: &str) -> Option<Tensor> {
        self.kept.named.get(name).cloned()
    }

    fn state_put(&mut self, name: &str, value: &Tensor) -> EnvironmentResult<()> {
        self.kept.named.insert(name.to_owned(), value.detach());
        Ok(())
    }

    fn save_point(&mut self) -> EnvironmentResult<()> {
        self.good = Some(self.kept.clone());
        Ok(())
    }

    fn roll_back(&mut self) -> EnvironmentResult<bool> {
        let Some(good) = self.good.clone() else { return Ok(false) };
        self.kept = good;
        Ok(true)
    }

    fn rewind(&mut self) -> bool {
        let begun = self.begun.clone();
        let done = begun.is_some();
        begun.into_iter().for_each(|begun| self.kept = begun);
        done
    }

    fn metric(&mut self, name: &str, value: f64) {
        self.metrics.push((name.to_owned(), value));
    }

    fn log(&mut self, _: &str) {}
}
