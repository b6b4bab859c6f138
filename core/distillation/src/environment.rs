//! What a distillation offers to its matcher.
//!
//! The state that lasts (learnables, momentum, named tensors, curves) is one value; the node's loop takes a copy of it
//! before each iteration, so that an iteration that is stopped half way leaves no trace.

use std::collections::BTreeSet;

use pddflow_artifact::failure::{NodeResult, fail};
use pddflow_host::{
    Batch, Decoded, Environment, EnvironmentError, EnvironmentResult, Forward, Mode, Net, Problem, Segment, TrainData,
    TrainSpec, WeightSpec,
};
use pddflow_runner::{NodeContext, NodeError};
use pddflow_tensor::{RandomKey, Tensor};
use pddflow_training::init::initial_weights;
use pddflow_training::samples::Samples;
use pddflow_training::splits::Split;
use pddflow_training::trainer::{
    self, Architecture, EpochKeys, Hyperparameters, Loss, LrSchedule, Optimizer, Order, Schedule, Trainer,
};

use crate::network::Network;
use crate::state::{Learnable, State};

/// One distillation's side of the conversation with its matcher.
pub(crate) struct Bench<'a> {
    pub(crate) context: &'a NodeContext<'a>,
    pub(crate) problem: Problem,
    pub(crate) matcher: String,
    pub(crate) train: &'a Split,
    pub(crate) networks: Vec<Network>,
    /// Place of the one that the matcher chose.
    pub(crate) chosen: usize,
    pub(crate) previous: Option<Decoded>,
    pub(crate) state: State,
    /// The state when this iteration began.
    pub(crate) begun: State,
    /// Metrics that are not finite: their names, seen in this iteration.
    pub(crate) not_finite: BTreeSet<String>,
}

impl Bench<'_> {
    fn network(&self) -> EnvironmentResult<&Network> {
        self.networks.get(self.chosen).ok_or_else(|| {
            EnvironmentError::new("pddflow::nodes::no_model", format!("matcher `{}` uses a model", self.matcher))
                .with_help("give `model:` in the node's parameters")
        })
    }

    fn learnable(&mut self, name: &str) -> EnvironmentResult<&mut Learnable> {
        let found = self.state.now.learnables.iter_mut().find(|learnable| learnable.spec.name == name);
        found.ok_or_else(|| {
            EnvironmentError::new("pddflow::nodes::no_learnable", format!("there is no learnable `{name}`"))
        })
    }

    fn not_wired(&self, what: &str) -> EnvironmentError {
        let message = format!("matcher `{}` needs {what}, and the node has none", self.matcher);
        EnvironmentError::new("pddflow::nodes::not_wired", message)
            .with_help(format!("wire {what} into this node, or choose a matcher that starts from random nets"))
    }

    fn check_class(&self, class: usize) -> EnvironmentResult<()> {
        if class < self.problem.classes {
            return Ok(());
        }
        let message = format!("class {class} does not exist: there are {}", self.problem.classes);
        Err(EnvironmentError::new("pddflow::nodes::class", message))
    }
}

impl Environment for Bench<'_> {
    fn problem(&self) -> &Problem {
        &self.problem
    }

    fn cancelled(&self) -> bool {
        self.context.cancelled()
    }

    fn choose_rows(&mut self, class: Option<usize>, count: usize, key: RandomKey) -> EnvironmentResult<Vec<usize>> {
        class.map_or(Ok(()), |class| self.check_class(class))?;
        Ok(self.train.choose(class, count, key))
    }

    fn real_rows(&mut self, rows: &[usize]) -> EnvironmentResult<Batch> {
        real_rows(self.train, rows)
    }

    fn class_size(&self, class: usize) -> usize {
        self.train.class_rows().get(class).map_or(0, Vec::len)
    }

    fn learnables(&self) -> Vec<(String, Tensor)> {
        let pair = |learnable: &Learnable| (learnable.spec.name.clone(), learnable.value.clone());
        self.state.now.learnables.iter().map(pair).collect()
    }

    fn previous(&self) -> Option<Decoded> {
        self.previous.clone()
    }

    fn models(&self) -> usize {
        self.networks.len()
    }

    fn choose_model(&mut self, index: usize) {
        self.chosen = index;
    }

    fn weight_specs(&self) -> &[WeightSpec] {
        self.networks.get(self.chosen).map_or(&[], |network| &network.specs)
    }

    fn fresh_weights(&mut self, key: RandomKey) -> EnvironmentResult<Vec<Tensor>> {
        let network = self.network()?;
        Ok(initial_weights(&network.specs, key, self.problem.dtype, &self.problem.device)?)
    }

    fn start_weights(&mut self, key: RandomKey) -> EnvironmentResult<Vec<Tensor>> {
        let stop = || self.context.cancelled();
        self.network()?.start_weights(key, &stop).map_err(from_node)
    }

    fn trajectory(&mut self, first: u64, end: u64, length: u64, key: RandomKey) -> EnvironmentResult<Segment> {
        let network = self.network()?;
        if network.experts.is_empty() {
            return Err(self.not_wired("expert trajectories"));
        }
        network.experts.segment(first..end, length, key, &network.wanted()).map_err(from_node)
    }

    fn forward(&mut self, weights: &[Tensor], x: &Tensor, mode: Mode, key: RandomKey) -> EnvironmentResult<Forward> {
        Ok(self.network()?.model.forward(weights, x, mode, key)?)
    }

    fn train(&mut self, net: &mut Net, spec: &TrainSpec) -> EnvironmentResult<()> {
        let stop = || self.context.cancelled();
        train_net(self.network()?.architecture(), net, spec, (self.train.samples(), &stop)).map_err(from_node)
    }

    fn step(&mut self, name: &str, gradient: &Tensor, rate: f64) -> EnvironmentResult<()> {
        Ok(self.learnable(name)?.step(gradient, rate)?)
    }

    fn assign(&mut self, name: &str, value: &Tensor) -> EnvironmentResult<()> {
        self.learnable(name)?.value = value.detach();
        Ok(())
    }

    fn state_get(&self, name: &str) -> Option<Tensor> {
        self.state.now.named.get(name).cloned()
    }

    fn state_put(&mut self, name: &str, value: &Tensor) -> EnvironmentResult<()> {
        self.state.now.named.insert(name.to_owned(), value.detach());
        Ok(())
    }

    fn save_point(&mut self) -> EnvironmentResult<()> {
        self.state.good = Some(self.state.now.clone());
        Ok(())
    }

    fn roll_back(&mut self) -> EnvironmentResult<bool> {
        let Some(good) = self.state.good.clone() else { return Ok(false) };
        self.state.now = good;
        Ok(true)
    }

    fn rewind(&mut self) -> bool {
        self.state = self.begun.clone();
        true
    }

    fn metric(&mut self, name: &str, value: f64) {
        if value.is_finite() {
            self.context.metric(name, self.state.iteration, value);
            self.state.curves.push(name, self.state.iteration, value);
        } else {
            self.not_finite.insert(format!("{name} = {value}"));
        }
    }

    fn log(&mut self, text: &str) {
        self.context.log(text.to_owned());
    }
}

/// The real images of these numbers.
pub(crate) fn real_rows(train: &Split, rows: &[usize]) -> EnvironmentResult<Batch> {
    if let Some(row) = rows.iter().find(|row| **row >= train.rows()) {
        let message = format!("there is no real image of number {row}: there are {}", train.rows());
        return Err(EnvironmentError::new("pddflow::nodes::row", message));
    }
    let samples = train.take(rows)?;
    Ok(Batch { images: samples.images, labels: samples.labels.tensor().clone() })
}

/// Trains a net as a matcher asks for it, on its images or on the real ones.
pub(crate) fn train_net(
    architecture: Architecture<'_>,
    net: &mut Net,
    spec: &TrainSpec,
    (real, stop): (&Samples, &dyn Fn() -> bool),
) -> NodeResult<()> {
    let (samples, order) = match &spec.data {
        TrainData::Given { images, labels } => {
            (Samples { images: images.clone(), labels: labels.clone() }, Order::Shuffled)
        }
        TrainData::Real { samples } => (real.clone(), Order::Draws(*samples)),
    };
    let settings = Hyperparameters {
        schedule: LrSchedule::Script { schedule: Schedule::Constant, epochs: spec.epochs, warm_up: 0 },
        loss: Loss::default(),
        optimizer: match spec.optimizer {
            pddflow_host::Optimizer::Sgd => Optimizer::Sgd,
            pddflow_host::Optimizer::Adam => Optimizer::Adam,
            pddflow_host::Optimizer::AdamW => Optimizer::AdamW,
        },
        momentum: spec.momentum,
        nesterov: false,
        weight_decay: spec.weight_decay,
        batch: spec.batch,
        augment: spec.augment.clone(),
        cutmix: spec.cutmix,
        carry_momentum: true,
        average: None,
        flat: None,
    };
    let segments = [trainer::Segment { order, ..trainer::Segment::new(samples, spec.lr) }];
    let trainer = Trainer { architecture, segments: &segments, settings: &settings, keys: EpochKeys::Plain };
    let begun = Net { weights: std::mem::take(&mut net.weights), momentum: net.momentum.take() };
    *net = trainer.finish(begun, spec.key, stop)?;
    Ok(())
}

/// A failure of our own on its way through the matcher.
pub(crate) fn from_node(error: NodeError) -> EnvironmentError {
    let mut inside = EnvironmentError::new(error.code, error.message);
    inside.help = error.help;
    inside.cancelled = error.cancelled;
    inside.source = (!error.causes.is_empty()).then(|| error.causes.join(": ").into());
    inside
}

/// Why an iteration failed, with its place.
pub(crate) fn at_iteration(error: NodeError, matcher: &str, iteration: u64, last_loss: Option<f64>) -> NodeError {
    if error.cancelled {
        return NodeError::cancelled();
    }
    let loss = last_loss.map_or_else(String::new, |loss| format!(" (last loss {loss:.6})"));
    let message = format!("matcher `{matcher}` failed at iteration {iteration}{loss}: {}", error.message);
    NodeError { message, ..error }
}

/// A loss or another metric is not finite.
pub(crate) fn not_finite(matcher: &str, iteration: u64, found: &BTreeSet<String>) -> NodeError {
    let found: Vec<&str> = found.iter().map(String::as_str).collect();
    let message = format!("matcher `{matcher}` reported {} at iteration {iteration}", found.join(", "));
    fail("loss_not_finite", message).with_help(
        "lower the matcher's learning rate; what was computed before this iteration is kept in the checkpoint",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use pddflow_tensor::Device;

    #[test]
    fn chosen_numbers_name_images_of_their_class() {
        let images = Tensor::from_f32((0..6u8).map(f32::from).collect(), &[6, 1, 1, 1], &Device::Cpu).unwrap();
        let train = Split::new(images, vec![2, 0, 2, 1, 2, 0], 3).unwrap();
        let rows = train.choose(Some(2), 9, RandomKey::new(1));
        let batch = real_rows(&train, &rows).unwrap();
        let shown: Vec<usize> = batch.images.to_f32_vec().unwrap().into_iter().map(|image| image as usize).collect();
        assert_eq!((shown, batch.labels.to_i64_vec().unwrap()), (rows.clone(), vec![2, 2, 2]));
        let mut sorted = rows;
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 2, 4]);
        let beyond = real_rows(&train, &[6]).unwrap_err();
        assert!(beyond.message.contains("no real image of number 6: there are 6"), "{beyond}");
    }
}
