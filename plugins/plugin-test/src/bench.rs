//! What a node would offer to a matcher, from the fields of a value.

use crate::{net, noise};
use pddflow_host::{
    Batch, Decoded, Environment, EnvironmentError, EnvironmentResult, Forward, InputShape, LearnableInit,
    LearnableSpec, Matcher, Mode, Model, Net, PluginError, Problem, Segment, TrainData, TrainSpec, ValueRange,
    WeightSpec,
};
use pddflow_tensor::{DType, Device, Keep, RandomKey, Tensor, TensorError};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Real images of a class, or of all, so many, asked for for the n-th time.
pub type RealBatch = Box<dyn FnMut(Option<usize>, usize, usize) -> Batch>;
/// In place of a net: features and logits from weights and images.
pub type FakeForward = Box<dyn FnMut(&[Tensor], &Tensor) -> Forward>;
/// A segment of a trajectory that starts in a range of epochs and has so many.
pub type FakeSegment = Box<dyn FnMut(std::ops::Range<u64>, u64) -> Segment>;
/// In place of training.
pub type FakeTrain = Box<dyn FnMut(&mut Net, &TrainSpec)>;

/// Real images of each class, of those that a bench makes itself.
const REAL: usize = 8;

/// What a node offers to its matcher, and what the matcher did with it. Every field may be set before an iteration.
pub struct Bench {
    /// The task. `f64`, so that rounding hides nothing.
    pub problem: Problem,
    /// The net that images go through. Without one and without [`forward`](Self::forward) there is no net.
    pub model: Option<Arc<Model>>,
    /// Its weights.
    pub specs: Vec<WeightSpec>,
    /// The weights that matching starts from, whatever the key.
    pub start: Vec<Tensor>,
    /// Models behind the first one.
    further: Vec<Further>,
    /// Place of the model that the matcher chose.
    chosen: usize,
    /// How often a net of each model has run, by the place of the model.
    pub forwards_of: BTreeMap<usize, usize>,
    /// What is learned: names and values.
    pub learnables: Vec<(String, Tensor)>,
    /// Of their optimisers.
    pub momentum: BTreeMap<String, Tensor>,
    /// What the matcher declared of them; others have the two rates below.
    pub declared: Vec<LearnableSpec>,
    /// Learning rate.
    pub lr: f64,
    /// Momentum.
    pub momentum_rate: f64,
    /// First values that the matcher gave itself.
    given: BTreeMap<String, Tensor>,
    /// What is wired for the matcher to work from.
    pub inputs: Vec<(String, Tensor)>,
    /// Earlier sets, decoded.
    pub previous: Option<Decoded>,
    /// The real images.
    pub real: RealBatch,
    /// In place of a net.
    pub forward: Option<FakeForward>,
    /// Expert trajectories; without it there are none.
    pub segment: Option<FakeSegment>,
    /// In place of training, which is one plain step on all images for each epoch.
    pub train: Option<FakeTrain>,
    /// How often real images were asked for.
    pub real_calls: usize,
    /// Every step: learnable, gradient, factor of the learning rate.
    pub steps: Vec<(String, Tensor, f64)>,
    /// The learnable after each step.
    pub images: Vec<Tensor>,
    /// The metrics, each at its last value.
    pub metrics: BTreeMap<String, f64>,
    /// Named tensors that the matcher keeps.
    pub state: BTreeMap<String, Tensor>,
    /// What it logged.
    pub log: Vec<String>,
    /// Whether the run is to stop.
    pub cancelled: bool,
    /// Asked beside it.
    pub cancelled_when: Option<Box<dyn Fn() -> bool>>,
    /// Bytes of tapes that the matcher may keep.
    pub tape_budget: u64,
    /// How often the net has run.
    pub forwards: usize,
    /// Whether the net is the small one, and real images are those of [`Bench::small`].
    small: bool,
    saved: Option<Saved>,
    begun: Option<Saved>,
}

/// A model behind the first one, with the weights that matching starts from; without a model the small net.
struct Further {
    model: Option<Arc<Model>>,
    specs: Vec<WeightSpec>,
    start: Vec<Tensor>,
}

/// What lasts from one iteration to the next.
#[derive(Clone)]
struct Saved {
    learnables: Vec<(String, Tensor)>,
    momentum: BTreeMap<String, Tensor>,
    state: BTreeMap<String, Tensor>,
}

impl std::fmt::Debug for Bench {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let learnables: Vec<&str> = self.learnables.iter().map(|(name, _)| name.as_str()).collect();
        formatter
            .debug_struct("Bench")
            .field("learnables", &learnables)
            .field("steps", &self.steps.len())
            .field("metrics", &self.metrics)
            .field("log", &self.log)
            .finish_non_exhaustive()
    }
}

impl Bench {
    /// Nothing but a task.
    #[must_use]
    pub fn new(problem: Problem) -> Self {
        Self {
            problem,
            model: None,
            specs: Vec::new(),
            start: Vec::new(),
            further: Vec::new(),
            chosen: 0,
            forwards_of: BTreeMap::new(),
            learnables: Vec::new(),
            momentum: BTreeMap::new(),
            declared: Vec::new(),
            lr: 1.0,
            momentum_rate: 0.0,
            given: BTreeMap::new(),
            inputs: Vec::new(),
            previous: None,
            real: Box::new(|_, _, _| panic!("no real images")),
            forward: None,
            segment: None,
            train: None,
            real_calls: 0,
            steps: Vec::new(),
            images: Vec::new(),
            metrics: BTreeMap::new(),
            state: BTreeMap::new(),
            log: Vec::new(),
            cancelled: false,
            cancelled_when: None,
            tape_budget: 0,
            forwards: 0,
            small: false,
            saved: None,
            begun: None,
        }
    }

    /// All that a matcher needs: three classes of grey images of 8 x 8, two images of each to be learned, a net with one hidden layer,
    /// real images around a picture of their class, trajectories of that net, and the learnables that the matcher declares.
    ///
    /// # Panics
    /// The matcher does not describe itself for this task; [`Matcher::describe`] gives the error.
    #[must_use]
    pub fn small(matcher: &Matcher) -> Self {
        Self::small_with(matcher, Vec::new())
    }

    /// The same for a matcher that works from tensors: what is wired.
    ///
    /// # Panics
    /// As [`small`](Self::small).
    #[must_use]
    pub fn small_with(matcher: &Matcher, inputs: Vec<(String, Tensor)>) -> Self {
        let mut bench = Self::new(Self::small_problem());
        bench.small = true;
        bench.inputs = inputs;
        bench.specs = net::weights(bench.problem.shape, bench.problem.classes, net::HIDDEN);
        bench.draw_start();
        let start = bench.start.clone();
        bench.segment = Some(Box::new(move |epochs, length| {
            let key = RandomKey::new(5).fold_u64(epochs.start);
            let moved = |(at, weight): (usize, &Tensor)| {
                let step = noise(weight.shape(), key.fold_u64(at as u64), 0.01 * length as f64, &weight.device());
                weight.add(&step).unwrap()
            };
            Segment { start: start.clone(), target: start.iter().enumerate().map(moved).collect(), epoch: epochs.start }
        }));
        bench.learning(matcher)
    }

    /// The task of [`small`](Self::small).
    #[must_use]
    pub fn small_problem() -> Problem {
        Problem {
            classes: 3,
            shape: InputShape { channels: 1, height: 8, width: 8 },
            ipc: 2,
            learnable_rows: 6,
            horizon: Some(10),
            seed_key: RandomKey::new(7),
            device: Device::Cpu,
            dtype: DType::F64,
            value_range: ValueRange { min: vec![-1.0], max: vec![1.0], mean: vec![0.5], std: vec![0.5] },
        }
    }

    /// With a model and random weights.
    ///
    /// # Panics
    /// The model does not take the images of the task.
    #[must_use]
    pub fn with_model(mut self, model: Arc<Model>) -> Self {
        self.specs = model.weights(self.problem.shape, self.problem.classes).unwrap();
        self.model = Some(model);
        self.draw_start();
        self
    }

    /// With one more model, for matchers that work with several, and random weights.
    ///
    /// # Panics
    /// The model does not take the images of the task.
    #[must_use]
    pub fn and_model(self, model: Arc<Model>) -> Self {
        let specs = model.weights(self.problem.shape, self.problem.classes).unwrap();
        self.and_further(Some(model), specs)
    }

    /// With one more small net, of so many outputs of its hidden layer.
    #[must_use]
    pub fn and_small_net(self, hidden: usize) -> Self {
        let specs = net::weights(self.problem.shape, self.problem.classes, hidden);
        self.and_further(None, specs)
    }

    fn and_further(mut self, model: Option<Arc<Model>>, specs: Vec<WeightSpec>) -> Self {
        let start = self.drawn(&specs);
        self.further.push(Further { model, specs, start });
        self
    }

    fn draw_start(&mut self) {
        self.start = self.drawn(&self.specs);
    }

    fn drawn(&self, specs: &[WeightSpec]) -> Vec<Tensor> {
        let key = RandomKey::new(3);
        specs.iter().map(|spec| noise(&spec.shape, key.fold(&spec.name), 0.2, &self.problem.device)).collect()
    }

    fn further(&self) -> Option<&Further> {
        self.chosen.checked_sub(1).and_then(|place| self.further.get(place))
    }

    /// With random images as the learnable, and random real ones.
    #[must_use]
    pub fn with_random_images(mut self) -> Self {
        let (shape, device) = (self.problem.shape, self.problem.device.clone());
        let image = [self.problem.learnable_rows, shape.channels, shape.height, shape.width];
        self.learnables = vec![("images".to_owned(), noise(&image, RandomKey::new(1), 1.0, &device))];
        self.real = Box::new(move |class, count, call| {
            let count = count.min(4);
            let image = [count, shape.channels, shape.height, shape.width];
            let label = class.unwrap_or(0) as i64;
            Batch {
                images: noise(&image, RandomKey::new(2).fold_u64(call as u64), 1.0, &device),
                labels: Tensor::from_i64(vec![label; count], &[count], &device).unwrap(),
            }
        });
        self
    }

    /// With the learnables that a matcher declares for the task, at their first values, and their optimisers. Images that start as real
    /// ones start as noise.
    ///
    /// # Panics
    /// The matcher does not describe itself for this task.
    #[must_use]
    pub fn learning(mut self, matcher: &Matcher) -> Self {
        let description = matcher.describe_with(&self.problem, &self.inputs).unwrap_or_else(|error| panic!("{error}"));
        self.declared = description.learnables;
        self.given = description.given;
        self.learnables = self.declared.iter().map(|spec| (spec.name.clone(), self.first(spec))).collect();
        self
    }

    fn first(&self, spec: &LearnableSpec) -> Tensor {
        let (problem, count) = (&self.problem, spec.shape.iter().product::<usize>());
        let filled = |values| Tensor::from_values(values, &spec.shape, problem.dtype, &problem.device).unwrap();
        match spec.init {
            LearnableInit::Constant(value) => filled(vec![value; count]),
            LearnableInit::OneHot => {
                let per_class = (count / problem.classes / problem.classes).max(1);
                let own = |at: usize| at % problem.classes == at / problem.classes / per_class;
                filled((0..count).map(|at| f64::from(u8::from(own(at)))).collect())
            }
            LearnableInit::Noise { std } => filled(normal(&spec.name, count, std)),
            LearnableInit::Given => self.given[&spec.name].clone(),
            LearnableInit::Real | LearnableInit::Tile { .. } => filled(normal(&spec.name, count, 1.0)),
        }
    }

    /// One outer iteration; gives the metrics of it.
    ///
    /// # Errors
    /// What a run would say.
    pub fn iterate(&mut self, matcher: &Matcher, iteration: u64) -> Result<BTreeMap<String, f64>, PluginError> {
        for spec in &self.declared {
            if let Some((low, high)) = spec.clamp
                && let Some((_, value)) = self.learnables.iter_mut().find(|(name, _)| *name == spec.name)
            {
                *value = value.clamp(low, high).unwrap();
            }
        }
        self.metrics.clear();
        self.begun = Some(self.now());
        matcher.iterate(self, iteration)?;
        Ok(self.metrics.clone())
    }

    /// A learnable as it is now.
    ///
    /// # Panics
    /// There is none of this name.
    #[must_use]
    pub fn value(&self, name: &str) -> Tensor {
        let found = self.learnables.iter().find(|(known, _)| known == name);
        found.unwrap_or_else(|| panic!("there is no learnable `{name}`")).1.clone()
    }

    fn now(&self) -> Saved {
        Saved { learnables: self.learnables.clone(), momentum: self.momentum.clone(), state: self.state.clone() }
    }

    fn back_to(&mut self, saved: Saved) {
        Saved { learnables: self.learnables, momentum: self.momentum, state: self.state } = saved;
    }

    /// Real images of [`small`](Self::small): a picture of the class, and noise. A later call gives others.
    fn around_a_picture(&self, class: Option<usize>, count: usize, call: usize) -> Result<Batch, TensorError> {
        let classes = self.problem.classes;
        let count = count.min(class.map_or(classes * REAL, |_| REAL));
        let class_of = |row: usize| class.unwrap_or(row % classes);
        let numbers = (0..count).map(|row| (class_of(row), call * classes * REAL + row));
        self.around_pictures(&numbers.collect::<Vec<_>>())
    }

    /// For each class and number an image.
    fn around_pictures(&self, wanted: &[(usize, usize)]) -> Result<Batch, TensorError> {
        let Problem { shape, device, dtype, .. } = &self.problem;
        let (count, pixels) = (wanted.len(), shape.elements());
        let image = |&(class, number): &(usize, usize)| {
            let key = |of: u64| RandomKey::new(of).fold_u64(class as u64);
            let (picture, own) = (key(11).normal_f64(pixels), key(12).fold_u64(number as u64).normal_f64(pixels));
            picture.into_iter().zip(own).map(|(shared, own)| shared + 0.3 * own).collect::<Vec<_>>()
        };
        let values = wanted.iter().flat_map(image).collect();
        let images = Tensor::from_values(values, &[count, shape.channels, shape.height, shape.width], *dtype, device)?;
        let labels = wanted.iter().map(|(class, _)| *class as i64).collect();
        Ok(Batch { images, labels: Tensor::from_i64(labels, &[count], device)? })
    }

    /// One plain step on all images for each epoch.
    fn train_plainly(&mut self, net: &mut Net, spec: &TrainSpec) -> EnvironmentResult<()> {
        let (images, labels) = match &spec.data {
            TrainData::Given { images, labels } => (images.clone(), labels.tensor().clone()),
            TrainData::Real { samples } => {
                let batch = self.real_batch(None, *samples, spec.key)?;
                (batch.images, batch.labels)
            }
        };
        for epoch in 0..spec.epochs {
            let leaves = net.weights.iter().map(Tensor::variable).collect::<Result<Vec<_>, _>>()?;
            let logits = Environment::forward(self, &leaves, &images, Mode::Train, spec.key.fold_u64(epoch))?.logits;
            let loss = match labels.dtype() {
                DType::I64 => logits.cross_entropy(&labels)?,
                _ => logits.cross_entropy_soft(&labels)?,
            };
            let gradients = pddflow_tensor::grad(&[loss], &leaves, None, Keep::No)?;
            for (weight, gradient) in net.weights.iter_mut().zip(gradients) {
                *weight = weight.detach().sub(&gradient.mul_scalar(spec.lr)?)?;
            }
        }
        Ok(())
    }
}

fn normal(name: &str, count: usize, std: f64) -> Vec<f64> {
    RandomKey::new(1).fold(name).normal_f64(count).into_iter().map(|value| value * std).collect()
}

fn none() -> EnvironmentError {
    EnvironmentError::new("pddflow::test::none", "the test has none of these").with_help("give it one")
}

impl Environment for Bench {
    fn problem(&self) -> &Problem {
        &self.problem
    }
    fn cancelled(&self) -> bool {
        self.cancelled || self.cancelled_when.as_ref().is_some_and(|when| when())
    }
    fn tape_budget(&self) -> u64 {
        self.tape_budget
    }
    fn real_batch(&mut self, class: Option<usize>, count: usize, _key: RandomKey) -> EnvironmentResult<Batch> {
        self.real_calls += 1;
        if self.small {
            return Ok(self.around_a_picture(class, count, self.real_calls - 1)?);
        }
        Ok((self.real)(class, count, self.real_calls - 1))
    }
    fn choose_rows(&mut self, class: Option<usize>, count: usize, key: RandomKey) -> EnvironmentResult<Vec<usize>> {
        let classes = self.problem.classes;
        let of = |class: usize| class * REAL..(class + 1) * REAL;
        let all = if self.small { class.map_or(0..classes * REAL, of) } else { return Err(none()) };
        Ok(key.choose(all.len(), count.min(all.len())).into_iter().map(|place| all.start + place).collect())
    }
    fn real_rows(&mut self, rows: &[usize]) -> EnvironmentResult<Batch> {
        if !self.small || rows.iter().any(|row| *row >= self.problem.classes * REAL) {
            return Err(none());
        }
        let pictures: Vec<(usize, usize)> = rows.iter().map(|row| (row / REAL, row % REAL)).collect();
        Ok(self.around_pictures(&pictures)?)
    }
    fn class_size(&self, _class: usize) -> usize {
        if self.small { REAL } else { 4 }
    }
    fn learnables(&self) -> Vec<(String, Tensor)> {
        self.learnables.clone()
    }
    fn previous(&self) -> Option<Decoded> {
        self.previous.clone()
    }
    fn models(&self) -> usize {
        usize::from(!self.specs.is_empty()) + self.further.len()
    }
    fn choose_model(&mut self, index: usize) {
        self.chosen = index;
    }
    fn weight_specs(&self) -> &[WeightSpec] {
        self.further().map_or(&self.specs, |further| &further.specs)
    }
    fn fresh_weights(&mut self, _key: RandomKey) -> EnvironmentResult<Vec<Tensor>> {
        Ok(self.further().map_or(&self.start, |further| &further.start).clone())
    }
    fn start_weights(&mut self, key: RandomKey) -> EnvironmentResult<Vec<Tensor>> {
        self.fresh_weights(key)
    }
    fn trajectory(&mut self, first: u64, end: u64, length: u64, _: RandomKey) -> EnvironmentResult<Segment> {
        Ok(self.segment.as_mut().ok_or_else(none)?(first..end, length))
    }
    fn forward(&mut self, weights: &[Tensor], x: &Tensor, mode: Mode, key: RandomKey) -> EnvironmentResult<Forward> {
        self.forwards += 1;
        *self.forwards_of.entry(self.chosen).or_default() += 1;
        let model = self.further().map_or(&self.model, |further| &further.model).clone();
        let small = self.small || self.chosen > 0;
        match (&mut self.forward, model) {
            (Some(forward), _) => Ok(forward(weights, x)),
            (None, Some(model)) => Ok(model.forward(weights, x, mode, key)?),
            (None, None) if small => net::forward(weights, x),
            (None, None) => Err(none()),
        }
    }
    fn train(&mut self, net: &mut Net, spec: &TrainSpec) -> EnvironmentResult<()> {
        match self.train.as_mut() {
            Some(train) => train(net, spec),
            None if self.small => self.train_plainly(net, spec)?,
            None => return Err(none()),
        }
        Ok(())
    }
    fn step(&mut self, name: &str, gradient: &Tensor, rate: f64) -> EnvironmentResult<()> {
        self.steps.push((name.to_owned(), gradient.clone(), rate));
        let spec = self.declared.iter().find(|spec| spec.name == name);
        let (lr, momentum) =
            spec.map_or((self.lr, self.momentum_rate), |spec| (spec.optimizer.lr, spec.optimizer.momentum));
        let floor = spec.and_then(|spec| spec.floor);
        let buffer = match self.momentum.get(name) {
            Some(buffer) => buffer.mul_scalar(momentum)?.add(gradient)?,
            None => gradient.clone(),
        };
        let change = buffer.mul_scalar(lr * rate)?;
        self.momentum.insert(name.to_owned(), buffer);
        let mut value = self.value(name).sub(&change)?;
        if let Some(floor) = floor {
            value = value.clamp(floor, f64::INFINITY)?;
        }
        self.images.push(value.clone());
        self.assign(name, &value)
    }
    fn assign(&mut self, name: &str, value: &Tensor) -> EnvironmentResult<()> {
        let place = self.learnables.iter_mut().find(|(known, _)| known == name).ok_or_else(none)?;
        place.1 = value.clone();
        Ok(())
    }
    fn state_get(&self, name: &str) -> Option<Tensor> {
        self.state.get(name).cloned()
    }
    fn state_put(&mut self, name: &str, value: &Tensor) -> EnvironmentResult<()> {
        self.state.insert(name.to_owned(), value.clone());
        Ok(())
    }
    fn save_point(&mut self) -> EnvironmentResult<()> {
        self.saved = Some(self.now());
        Ok(())
    }
    fn roll_back(&mut self) -> EnvironmentResult<bool> {
        let saved = self.saved.clone();
        let done = saved.is_some();
        saved.into_iter().for_each(|saved| self.back_to(saved));
        Ok(done)
    }
    fn rewind(&mut self) -> bool {
        let begun = self.begun.clone();
        let done = begun.is_some();
        begun.into_iter().for_each(|begun| self.back_to(begun));
        done
    }
    fn metric(&mut self, name: &str, value: f64) {
        self.metrics.insert(name.to_owned(), value);
    }
    fn log(&mut self, text: &str) {
        self.log.push(text.to_owned());
    }
}
