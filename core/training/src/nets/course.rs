//! A net's way through stages of training, which can stop after any batch and go on later with the same result.
//!
//! A stage begins with a new optimiser unless the momentum is carried over. Below the key of a net, the randomness of an
//! epoch has the key (stage, epoch); stages are counted from the course's first one, so that a net that was trained
//! through the first stages elsewhere goes on as if it had been here.

use pddflow_artifact::failure::NodeResult;
use pddflow_host::{Net, Sgd};
use pddflow_runner::NodeError;
use pddflow_tensor::RandomKey;
use pddflow_tensor::augment::Policy;

use super::{Epoch, Samples, Schedule, Trainee, train_part};

/// What a stage trains on.
#[derive(Clone, Debug)]
pub struct CourseStage {
    /// The images.
    pub samples: Samples,
    /// Step size before the schedule's drops.
    pub lr: f64,
}

/// How every stage trains.
#[derive(Clone, Debug)]
pub struct Rules {
    pub epochs: u64,
    pub schedule: Schedule,
    pub momentum: f64,
    pub weight_decay: f64,
    pub batch: usize,
    pub augment: Policy,
    pub cutmix: Option<f64>,
    /// Whether the momentum is kept from one stage to the next.
    pub carry_momentum: bool,
}

/// A net on its way.
#[derive(Clone, Debug)]
pub struct Pupil {
    pub net: Net,
    /// The present stage, counted from the course's first one.
    pub stage: usize,
    /// Epochs of it that are done.
    pub epoch: u64,
    /// Batches of the present epoch that are done.
    pub batch: usize,
}

impl Pupil {
    /// A net that begins.
    pub fn new(net: Net) -> Self {
        Self { net, stage: 0, epoch: 0, batch: 0 }
    }
}

/// A model, the stages and their rules.
pub struct Course<'a> {
    pub trainee: Trainee<'a>,
    pub stages: &'a [CourseStage],
    /// Number of stages that came before, elsewhere.
    pub before: usize,
    pub rules: &'a Rules,
}

impl Course<'_> {
    /// Epochs of each stage.
    pub fn epochs(&self) -> u64 {
        self.rules.schedule.epochs_run(self.rules.epochs)
    }

    /// Whether the net has been through all stages.
    pub fn is_over(&self, pupil: &Pupil) -> bool {
        pupil.stage >= self.stages.len()
    }

    /// Trains to the end of the present epoch, or until `stop` says so after a batch; the mean loss of that. `key` is the
    /// net's. Does nothing when the course is over.
    pub fn proceed(&self, pupil: &mut Pupil, key: RandomKey, stop: &dyn Fn() -> bool) -> NodeResult<f64> {
        let Some(stage) = self.stages.get(pupil.stage) else { return Ok(0.0) };
        let rules = self.rules;
        if pupil.batch == 0 {
            let anew = pupil.epoch == 0 && !rules.carry_momentum;
            if anew || rules.schedule.empties_momentum(rules.epochs, pupil.epoch) {
                pupil.net.momentum = None;
            }
        }
        let lr = stage.lr * rules.schedule.factor(rules.epochs, pupil.epoch);
        let epoch = Epoch {
            batch: rules.batch,
            rule: Sgd { lr, momentum: rules.momentum, weight_decay: rules.weight_decay },
            augment: rules.augment.clone(),
            cutmix: rules.cutmix,
        };
        let number = self.before + pupil.stage;
        let key = key.fold("stage").fold_u64(number as u64).fold_u64(pupil.epoch);
        let part = train_part(&self.trainee, &mut pupil.net, &stage.samples, &epoch, key, (pupil.batch, stop));
        let part = part.map_err(|error| {
            let message = format!("stage {}, epoch {}: {}", number + 1, pupil.epoch, error.message);
            NodeError { message, ..error }
        })?;
        match part.next {
            Some(batch) => pupil.batch = batch,
            None => self.end_epoch(pupil),
        }
        Ok(part.loss)
    }

    /// Trains to the end of the course; `stop` is asked after every batch and ends it early.
    pub fn finish(&self, pupil: &mut Pupil, key: RandomKey, stop: &dyn Fn() -> bool) -> NodeResult<()> {
        while !self.is_over(pupil) {
            self.proceed(pupil, key, stop)?;
            if stop() {
                return Err(NodeError::cancelled());
            }
        }
        Ok(())
    }

    fn end_epoch(&self, pupil: &mut Pupil) {
        pupil.batch = 0;
        pupil.epoch += 1;
        if pupil.epoch >= self.epochs() {
            pupil.epoch = 0;
            pupil.stage += 1;
        }
    }
}
