//! What a matcher can do in an outer iteration.

use crate::call::{Call, elements, host, read_text};
use crate::error::{Error, Result};
use crate::problem::Problem;
use crate::random::Key;
use crate::tensor::{Tensor, handles, several};
use pddflow_abi::{self as abi, Draw, Mode, Optimizer, SetPart as Part, Text};
use std::cell::Cell;

/// One outer iteration.
#[derive(Debug)]
pub struct Iteration<'call> {
    pub(crate) call: Call<'call>,
    pub(crate) problem: Problem,
    /// 0 if it is not told.
    pub(crate) horizon: u64,
    pub(crate) number: u64,
    pub(crate) key: abi::RandomKey,
    pub(crate) seed_key: abi::RandomKey,
    /// Place of the model that is chosen.
    pub(crate) model: Cell<usize>,
}

/// Images with labels: I64 `[row]`, or probabilities `[row, class]`.
#[derive(Clone, Debug)]
pub struct Labelled<'call> {
    /// `[row, channel, height, width]`.
    pub images: Tensor<'call>,
    /// One for each row.
    pub labels: Tensor<'call>,
}

/// Which rows of the synthetic data; everything of the union by default.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'call> {
    part: Part,
    class: i64,
    limit: usize,
    key: Option<Key<'call>>,
}

impl<'call> Rows<'call> {
    /// All rows of a part.
    #[must_use]
    pub fn all(part: Part) -> Self {
        Self { part, class: -1, limit: 0, key: None }
    }

    /// Only those of a class.
    #[must_use]
    pub fn of_class(mut self, class: usize) -> Self {
        self.class = class as i64;
        self
    }

    /// At most so many, chosen at random.
    #[must_use]
    pub fn at_most(mut self, limit: usize, key: Key<'call>) -> Self {
        self.limit = limit;
        self.key = Some(key);
        self
    }
}

/// What the model gives for a batch.
#[derive(Clone, Debug)]
pub struct Forward<'call> {
    /// `[image, class]`.
    pub logits: Tensor<'call>,
    /// The embedding, `[image, feature]`.
    pub features: Tensor<'call>,
    /// Intermediate maps in order of depth.
    pub maps: Vec<Tensor<'call>>,
    /// New values of the statistic weights; empty in evaluation.
    pub statistics: Vec<Tensor<'call>>,
    /// Mean and variance (divided by the count) of the batch at each batch normalisation, `[channel]`, in order of depth, on the tape;
    /// empty in evaluation, where the model does not give them, and with hosts before 0.8.
    pub moments: Vec<Tensor<'call>>,
}

/// About a weight of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeightInfo {
    /// Name.
    pub name: String,
    /// Axes.
    pub shape: Vec<usize>,
    /// Whether an optimiser moves it; if not it is a running statistic.
    pub learnable: bool,
}

/// A segment of an expert trajectory.
#[derive(Clone, Debug)]
pub struct Segment<'call> {
    /// Weights at `epoch`.
    pub start: Vec<Tensor<'call>>,
    /// Weights after the segment.
    pub target: Vec<Tensor<'call>>,
    /// Where it starts.
    pub epoch: u64,
}

/// A net that is being trained, with what its optimiser keeps.
#[derive(Clone, Debug)]
pub struct Net<'call> {
    /// In the model's order.
    pub weights: Vec<Tensor<'call>>,
    /// Momentum of the learnable weights; of Adam two averages for each, and last the number of steps. Empty before the first step.
    pub buffers: Vec<Tensor<'call>>,
}

impl<'call> Net<'call> {
    /// A net that has made no step.
    #[must_use]
    pub fn new(weights: Vec<Tensor<'call>>) -> Self {
        Self { weights, buffers: Vec::new() }
    }
}

/// What a net is trained on.
#[derive(Clone, Debug)]
pub enum TrainOn<'call> {
    /// These images, shuffled anew each epoch.
    Given(Labelled<'call>),
    /// Real images, at least so many in each epoch.
    Real(usize),
}

/// How a net is trained; one epoch of SGD in batches of 256 at a learning rate of 0.01, with nothing else, by default.
#[derive(Clone, Debug)]
pub struct Training {
    /// Epochs.
    pub epochs: u64,
    /// Images in a batch.
    pub batch: usize,
    /// Who moves the weights; others than SGD need a host of 0.8 or later.
    pub optimizer: Optimizer,
    /// Learning rate.
    pub lr: f64,
    /// Momentum; of Adam the share that is left of the first average in a step, usually 0.9.
    pub momentum: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// Augmentation policy, drawn per image; `none` for none.
    pub augment: String,
    /// Probability of CutMix; 0 for none.
    pub cutmix: f64,
}

impl Default for Training {
    fn default() -> Self {
        Self {
            epochs: 1,
            batch: 256,
            optimizer: Optimizer::Sgd,
            lr: 0.01,
            momentum: 0.0,
            weight_decay: 0.0,
            augment: "none".to_owned(),
            cutmix: 0.0,
        }
    }
}

impl<'call> Iteration<'call> {
    /// The call, for making tensors.
    #[must_use]
    pub fn call(&self) -> Call<'call> {
        self.call
    }

    /// The task.
    #[must_use]
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// Number of this iteration, from 0.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// How many iterations there will be.
    ///
    /// # Errors
    /// The matcher did not declare [`Need::Horizon`](crate::Need::Horizon).
    #[track_caller]
    pub fn horizon(&self) -> Result<u64> {
        let told = (self.horizon > 0).then_some(self.horizon);
        told.ok_or_else(|| {
            Error::new("the number of iterations is told only to a matcher that declares `Need::Horizon`")
        })
    }

    /// Randomness of this iteration.
    #[must_use]
    pub fn key(&self) -> Key<'call> {
        Key::new(self.call, self.key)
    }

    /// Randomness of the node: the same key in every iteration, and that of [`Description::key`](crate::Description::key).
    ///
    /// # Errors
    /// The run was cancelled.
    #[track_caller]
    pub fn node_key(&self) -> Result<Key<'call>> {
        Key::new(self.call, self.seed_key).fold("describe")
    }

    /// Real images of a class, or of all, without replacement; fewer if there are not so many. Of a class with `n` images they are, in this
    /// order, those whose places in the class `key.choose(n, count)` gives.
    ///
    /// # Errors
    /// The class does not exist.
    #[track_caller]
    pub fn real_batch(&self, class: Option<usize>, count: usize, key: Key<'call>) -> Result<Labelled<'call>> {
        let class = class.map_or(-1, |class| class as i64);
        let (mut images, mut labels) = (0, 0);
        let words = &raw const key.words;
        host!(self.call, distill: DistillGroup, real_batch(class, count as u64, words, &raw mut images, &raw mut labels))?;
        Ok(Labelled { images: Tensor::own(self.call, images), labels: Tensor::own(self.call, labels) })
    }

    /// Numbers, I64 `[row]`, of the real images that [`real_batch`](Self::real_batch) gives for these arguments. A number means the same
    /// image for as long as the node lives, so it can be kept as named state.
    ///
    /// # Errors
    /// The class does not exist, or the host is older than 0.8.
    #[track_caller]
    pub fn choose_rows(&self, class: Option<usize>, count: usize, key: Key<'call>) -> Result<Tensor<'call>> {
        let (class, count, words) = (class.map_or(-1, |class| class as i64), count as u64, &raw const key.words);
        Tensor::made(self.call, |out| host!(self.call, distill: DistillGroup, choose_rows(class, count, words, out)))
    }

    /// The real images of these numbers, in that order; repeats allowed.
    ///
    /// # Errors
    /// There is no such number, or the host is older than 0.8.
    #[track_caller]
    pub fn real_rows(&self, rows: &Tensor<'call>) -> Result<Labelled<'call>> {
        let (mut images, mut labels) = (0, 0);
        host!(self.call, distill: DistillGroup, real_rows(rows.handle(), &raw mut images, &raw mut labels))?;
        Ok(Labelled { images: Tensor::own(self.call, images), labels: Tensor::own(self.call, labels) })
    }

    /// Number of real images of a class.
    ///
    /// # Errors
    /// The run was cancelled.
    #[track_caller]
    pub fn class_size(&self, class: usize) -> Result<usize> {
        let mut out = 0;
        host!(self.call, distill: DistillGroup, class_size(class as u64, &raw mut out))?;
        Ok(out as usize)
    }

    /// Synthetic images and labels, decoded; on the tape as far as they are new.
    ///
    /// # Errors
    /// There is no such row.
    #[track_caller]
    pub fn set(&self, rows: &Rows<'call>) -> Result<Labelled<'call>> {
        let request = abi::SetRequest {
            size: size_of::<abi::SetRequest>() as u32,
            part: rows.part as u32,
            class_index: rows.class,
            limit: rows.limit as u64,
            key: rows.key.map_or(self.key, |key| key.words),
        };
        let (mut images, mut labels) = (0, 0);
        host!(self.call, distill: DistillGroup, set(&raw const request, &raw mut images, &raw mut labels))?;
        Ok(Labelled { images: Tensor::own(self.call, images), labels: Tensor::own(self.call, labels) })
    }

    /// A learnable as a leaf of the tape.
    ///
    /// # Errors
    /// There is none of that name.
    #[track_caller]
    pub fn learnable(&self, name: &str) -> Result<Tensor<'call>> {
        Tensor::made(self.call, |out| host!(self.call, distill: DistillGroup, learnable(Text::new(name), out)))
    }

    /// One step of a learnable's optimiser.
    ///
    /// # Errors
    /// The gradient has another shape or is not finite.
    #[track_caller]
    pub fn step(&self, name: &str, gradient: &Tensor<'call>) -> Result<()> {
        self.step_scaled(name, gradient, 1.0)
    }

    /// One step with the learning rate multiplied by `rate`, for schedules.
    ///
    /// # Errors
    /// The gradient has another shape or is not finite.
    #[track_caller]
    pub fn step_scaled(&self, name: &str, gradient: &Tensor<'call>, rate: f64) -> Result<()> {
        host!(self.call, distill: DistillGroup, step(Text::new(name), gradient.handle(), rate))
    }

    /// Replaces the value of a learnable, for optimisers of the matcher's own.
    ///
    /// # Errors
    /// The value has another shape or is not finite.
    #[track_caller]
    pub fn assign(&self, name: &str, value: &Tensor<'call>) -> Result<()> {
        host!(self.call, distill: DistillGroup, assign(Text::new(name), value.handle()))
    }

    /// The model's weights in order.
    ///
    /// # Errors
    /// The run was cancelled.
    #[track_caller]
    pub fn weights(&self) -> Result<Vec<WeightInfo>> {
        let mut count = 0;
        host!(self.call, model: ModelGroup, count(&raw mut count))?;
        let mut weights = Vec::with_capacity(count as usize);
        for index in 0..count {
            weights.push(self.weight(index)?);
        }
        Ok(weights)
    }

    #[track_caller]
    fn weight(&self, index: u64) -> Result<WeightInfo> {
        let mut info = abi::WeightInfo {
            size: size_of::<abi::WeightInfo>() as u32,
            kind: 0,
            name: Text::EMPTY,
            shape: std::ptr::null(),
            rank: 0,
        };
        host!(self.call, model: ModelGroup, weight(index, &raw mut info))?;
        // SAFETY: the host's axes are valid during the call.
        let shape = unsafe { elements(info.shape, info.rank) };
        Ok(WeightInfo {
            // SAFETY: the host's text is valid during the call.
            name: unsafe { read_text(info.name) },
            shape: shape.iter().map(|axis| *axis as usize).collect(),
            learnable: info.kind == abi::WeightKind::Learnable as u32,
        })
    }

    #[track_caller]
    pub(crate) fn weight_count(&self) -> Result<usize> {
        let mut count = 0;
        host!(self.call, model: ModelGroup, count(&raw mut count))?;
        Ok(count as usize)
    }

    /// Fresh random weights.
    ///
    /// # Errors
    /// No model is given.
    #[track_caller]
    pub fn fresh_weights(&self, key: Key<'call>) -> Result<Vec<Tensor<'call>>> {
        let (count, words) = (self.weight_count()?, &raw const key.words);
        several(self.call, count, |out| host!(self.call, model: ModelGroup, fresh(words, out, count as u64)))
    }

    /// Where matching starts: a net of the pool that is wired to the node, else fresh weights. Using this and the union makes a
    /// matcher progressive.
    ///
    /// # Errors
    /// No model is given.
    #[track_caller]
    pub fn start_weights(&self, key: Key<'call>) -> Result<Vec<Tensor<'call>>> {
        let (count, words) = (self.weight_count()?, &raw const key.words);
        several(
            self.call,
            count,
            |out| host!(self.call, distill: DistillGroup, start_weights(words, out, count as u64)),
        )
    }

    /// A segment of an expert trajectory, `length` epochs long, starting in `starts`.
    ///
    /// # Errors
    /// No trajectories are wired, or they are too short.
    #[track_caller]
    pub fn trajectory(&self, starts: std::ops::Range<u64>, length: u64, key: Key<'call>) -> Result<Segment<'call>> {
        let request = abi::SegmentRequest {
            size: size_of::<abi::SegmentRequest>() as u32,
            reserved: 0,
            min_start: starts.start,
            max_start: starts.end,
            length,
            key: key.words,
        };
        let count = self.weight_count()?;
        let (mut start, mut target, mut epoch) = (vec![0; count], vec![0; count], 0);
        let (first, last) = (start.as_mut_ptr(), target.as_mut_ptr());
        let request = &raw const request;
        host!(self.call, distill: DistillGroup, trajectory(request, first, last, count as u64, &raw mut epoch))?;
        let own =
            |handles: Vec<abi::Tensor>| handles.into_iter().map(|handle| Tensor::own(self.call, handle)).collect();
        Ok(Segment { start: own(start), target: own(target), epoch })
    }

    /// Runs the model on a batch.
    ///
    /// # Errors
    /// No model is given, or the weights are not its own.
    #[track_caller]
    pub fn forward(
        &self,
        weights: &[Tensor<'call>],
        images: &Tensor<'call>,
        mode: Mode,
        key: Key<'call>,
    ) -> Result<Forward<'call>> {
        /// Room for intermediate maps; deeper nets have fewer.
        const MAPS: usize = 256;
        let names = handles(weights);
        let (mut maps, mut statistics, mut moments) = (vec![0; MAPS], vec![0; names.len()], vec![0; names.len()]);
        let mut result = abi::ForwardResult {
            size: size_of::<abi::ForwardResult>() as u32,
            reserved: 0,
            logits: 0,
            features: 0,
            maps: maps.as_mut_ptr(),
            map_capacity: MAPS as u64,
            map_count: 0,
            statistics: statistics.as_mut_ptr(),
            statistic_capacity: names.len() as u64,
            statistic_count: 0,
            moments: moments.as_mut_ptr(),
            moment_capacity: names.len() as u64,
            moment_count: 0,
        };
        let (data, count, words) = (names.as_ptr(), names.len() as u64, &raw const key.words);
        host!(self.call, model: ModelGroup, forward(data, count, images.handle(), mode as u32, words, &raw mut result))?;
        let own = |handles: Vec<abi::Tensor>, count: u64| {
            handles.into_iter().take(count as usize).map(|handle| Tensor::own(self.call, handle)).collect()
        };
        Ok(Forward {
            logits: Tensor::own(self.call, result.logits),
            features: Tensor::own(self.call, result.features),
            maps: own(maps, result.map_count),
            statistics: own(statistics, result.statistic_count),
            moments: own(moments, result.moment_count),
        })
    }

    /// Name of an intermediate map of the last [`forward`](Self::forward).
    ///
    /// # Errors
    /// There is none of this number.
    #[track_caller]
    pub fn map_name(&self, index: usize) -> Result<String> {
        let mut out = Text::EMPTY;
        host!(self.call, model: ModelGroup, map_name(index as u64, &raw mut out))?;
        // SAFETY: the host's text is valid during the call.
        Ok(unsafe { read_text(out) })
    }

    /// Trains a net; its weights and buffers are replaced.
    ///
    /// # Errors
    /// The data is empty, or the loss is not finite.
    #[track_caller]
    pub fn train(&self, net: &mut Net<'call>, on: &TrainOn<'call>, how: &Training, key: Key<'call>) -> Result<()> {
        let learnable = self.weights()?.iter().filter(|weight| weight.learnable).count();
        let mut weights = handles(&net.weights);
        let kept = if how.optimizer == Optimizer::Sgd { learnable } else { 2 * learnable + 1 };
        let mut buffers = if net.buffers.is_empty() { vec![0; kept] } else { handles(&net.buffers) };
        let (source, images, labels, samples) = match on {
            TrainOn::Given(set) => (abi::TrainSource::Given, set.images.handle(), set.labels.handle(), 0),
            TrainOn::Real(samples) => (abi::TrainSource::Real, 0, 0, *samples as u64),
        };
        let request = abi::TrainRequest {
            size: size_of::<abi::TrainRequest>() as u32,
            source: source as u32,
            images,
            labels,
            samples,
            epochs: how.epochs,
            batch: how.batch as u64,
            lr: how.lr,
            momentum: how.momentum,
            weight_decay: how.weight_decay,
            augment: Text::new(&how.augment),
            cutmix: how.cutmix,
            key: key.words,
            weights: weights.as_mut_ptr(),
            weight_count: weights.len() as u64,
            buffers: buffers.as_mut_ptr(),
            buffer_count: buffers.len() as u64,
        };
        let before = buffers.clone();
        match how.optimizer {
            Optimizer::Sgd => host!(self.call, distill: DistillGroup, train(&raw const request))?,
            other => host!(self.call, distill: DistillGroup, train_by(&raw const request, other as u32))?,
        }
        net.weights = weights.into_iter().map(|handle| Tensor::own(self.call, handle)).collect();
        // Buffers that the host left alone are still those of the net.
        if buffers != before {
            net.buffers = buffers.into_iter().map(|handle| Tensor::own(self.call, handle)).collect();
        }
        Ok(())
    }

    /// Augments images by a policy such as `dsa:color_crop_cutout_flip_scale_rotate`; `none` gives them back as they are.
    ///
    /// # Errors
    /// The policy is unknown.
    #[track_caller]
    pub fn augment(&self, policy: &str, draw: Draw, x: &Tensor<'call>, key: Key<'call>) -> Result<Tensor<'call>> {
        let words = &raw const key.words;
        Tensor::made(
            self.call,
            |out| host!(self.call, distill: DistillGroup, augment(Text::new(policy), draw as u32, x.handle(), words, out)),
        )
    }

    /// A named tensor kept across iterations.
    ///
    /// # Errors
    /// The run was cancelled.
    #[track_caller]
    pub fn state(&self, name: &str) -> Result<Option<Tensor<'call>>> {
        let mut out = 0;
        host!(self.call, distill: DistillGroup, state_get(Text::new(name), &raw mut out))?;
        Ok((out != 0).then(|| Tensor::own(self.call, out)))
    }

    /// Keeps a tensor across iterations, and in checkpoints.
    ///
    /// # Errors
    /// The tensor cannot be kept.
    #[track_caller]
    pub fn keep_state(&self, name: &str, value: &Tensor<'call>) -> Result<()> {
        host!(self.call, distill: DistillGroup, state_put(Text::new(name), value.handle()))
    }

    /// Remembers learnables, momentum and state, to go back to if the loss blows up.
    ///
    /// # Errors
    /// The state cannot be kept.
    #[track_caller]
    pub fn save_point(&self) -> Result<()> {
        host!(self.call, distill: DistillGroup, save_point())
    }

    /// Goes back to the save point; says whether there was one.
    ///
    /// # Errors
    /// The state cannot be read.
    #[track_caller]
    pub fn roll_back(&self) -> Result<bool> {
        let mut out = 0;
        host!(self.call, distill: DistillGroup, roll_back(&raw mut out))?;
        Ok(out != 0)
    }

    /// Reports a number.
    ///
    /// # Errors
    /// It is not finite.
    #[track_caller]
    pub fn metric(&self, name: &str, value: f64) -> Result<()> {
        host!(self.call, log: LogGroup, metric(Text::new(name), value))
    }

    /// Reports a line of text.
    ///
    /// # Errors
    /// It is too long.
    #[track_caller]
    pub fn log(&self, text: &str) -> Result<()> {
        host!(self.call, log: LogGroup, message(abi::LogLevel::Info as u32, Text::new(text)))
    }

    /// Reports a line of text that the user should see.
    ///
    /// # Errors
    /// It is too long.
    #[track_caller]
    pub fn warn(&self, text: &str) -> Result<()> {
        host!(self.call, log: LogGroup, message(abi::LogLevel::Warning as u32, Text::new(text)))
    }
}
