//! Matching training trajectories (MTT) as a plugin: Cazenavette, Wang, Torralba, Efros and Zhu, "Dataset Distillation by
//! Matching Training Trajectories", CVPR 2022, as in the authors' code. One iteration:
//!
//! 1. draw a segment of an expert's trajectory: theta_0 at a random epoch, the target `expert_epochs` later;
//! 2. train a student from theta_0 on the synthetic set for N = `syn_steps` steps of plain gradient descent,
//!    `theta_{t+1} = theta_t - alpha g_t`, g_t the gradient of the mean cross-entropy of a mini-batch, augmented per image;
//! 3. one optimiser step on the images and on alpha by `loss = |theta_N - target|^2 / |theta_0 - target|^2`.
//!
//! With earlier sets wired, mini-batches are drawn from the union (their size stays that of one set), and only new rows move.
//!
//! # The gradient
//!
//! It is exact, and its memory is bounded. The weights of each step are kept; then, with `lambda_N = d loss / d theta_N`, for
//! t = N-1 down to 0
//!
//! ```text
//! d loss / d x_t   = -alpha d <lambda_{t+1}, g_t> / d x_t
//! d loss / d alpha = -sum over t of <lambda_{t+1}, g_t>
//! lambda_t         = lambda_{t+1} - alpha H_t lambda_{t+1}
//! ```
//!
//! both products from one backward pass through g_t. The last steps are still on the tape, as many as the host has memory for
//! ([`Tapes`]); the earlier ones are computed again, one at a time. lambda_0 is not computed: nobody needs it.
//!
//! # Beyond the release
//!
//! - `step_size_floor`: the release has none, so its alpha may become negative; `null` is as released.
//! - Blow-ups (a loss that is not finite or above `loss_limit`, a step size above `step_size_limit`) are undone: the run goes back to the
//!   last good state and draws another segment, with half the steps; metric `blow_ups` counts them.
//! - `expand_from`: start epochs widen over the run, and `labels`: soft labels are learned as logits, both as in DATM (ICLR 2024).
//! - Running statistics of batch normalisation are carried but not compared: they do not act in training mode.

mod labels;

use labels::Labels;
use pddflow_sdk::{
    Decoded, Description, Error, Iteration, Key, Kind, Learnable, Learnables, Matcher, Need, Problem, Result, Start,
    Tensor,
};
use pddflow_trajectory::{Guard, Inner, Limits, Segment, Student, Tapes, Window, vector};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters of the method.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// Step size of the images. The paper: 100 for CIFAR-10 up to 10 images per class, 1000 for more and for CIFAR-100, 10000 for
    /// Tiny-ImageNet.
    #[schemars(range(min = 0.0))]
    lr: f64,
    /// Momentum of the images.
    #[schemars(range(min = 0.0, max = 1.0))]
    momentum: f64,
    /// Steps of the student (N). With 0 it does not move: the loss is 1 and nothing is learned.
    #[schemars(range(max = 10000))]
    syn_steps: usize,
    /// Epochs of the expert between start and target (M).
    #[schemars(range(min = 1))]
    expert_epochs: u64,
    /// First start epoch.
    min_start: u64,
    /// End of the start epochs, exclusive: they are uniform in `min_start..max_start`.
    #[schemars(range(min = 1))]
    max_start: u64,
    /// End of the start epochs at the first iteration, growing linearly to `max_start`; if not given, it is `max_start` at once.
    expand_from: Option<u64>,
    /// Iterations until the end is `max_start`; all if not given.
    #[schemars(range(min = 1))]
    expand_iterations: Option<u64>,
    /// Images in a step of the student; classes times images per class of the new set if not given.
    #[schemars(range(min = 1))]
    batch_syn: Option<usize>,
    /// First value of the student's learned step size.
    #[schemars(range(min = 1e-9))]
    lr_teacher: f64,
    /// Step size of that step size.
    #[schemars(range(min = 0.0))]
    lr_step_size: f64,
    /// Momentum of that step size.
    #[schemars(range(min = 0.0, max = 1.0))]
    momentum_step_size: f64,
    /// The step size is raised to this after every update; `null` for none, as released.
    step_size_floor: Option<f64>,
    /// How the images start.
    init: Init,
    /// Labels of the images.
    labels: Labels,
    /// Step size of learned labels.
    #[schemars(range(min = 0.0))]
    lr_labels: f64,
    /// Momentum of learned labels.
    #[schemars(range(min = 0.0, max = 1.0))]
    momentum_labels: f64,
    /// Augmentation of the student's training, drawn per image: `dsa:...`, or `none`. Leave out `flip` for digits.
    augment: String,
    /// Losses above this are blow-ups; a student that does not move has 1.
    #[schemars(range(min = 1.0))]
    loss_limit: f64,
    /// Step sizes above this are blow-ups.
    #[schemars(range(min = 0.0))]
    step_size_limit: f64,
    /// Blow-ups in a row that are undone before the run fails.
    #[schemars(range(max = 1000))]
    retries: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lr: 1000.0,
            momentum: 0.5,
            syn_steps: 20,
            expert_epochs: 2,
            min_start: 0,
            max_start: 20,
            expand_from: None,
            expand_iterations: None,
            batch_syn: None,
            lr_teacher: 0.01,
            lr_step_size: 1e-5,
            momentum_step_size: 0.5,
            step_size_floor: Some(1e-4),
            init: Init::Real,
            labels: Labels::Hard,
            lr_labels: 2.0,
            momentum_labels: 0.9,
            augment: "dsa:color_crop_cutout_flip_scale_rotate".to_owned(),
            loss_limit: 10.0,
            step_size_limit: 1.0,
            retries: 5,
        }
    }
}

/// How images start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Init {
    /// Random real images of the class.
    Real,
    /// Standard normal noise in the normalised space.
    Noise,
}

struct Mtt(Config);

/// What one attempt found: all that the optimisers need.
struct Found<'call> {
    loss: f64,
    step_size: f64,
    by_step_size: f64,
    /// By the images, and the labels if they are learned.
    by_learnables: Vec<Tensor<'call>>,
}

/// Where the student went.
struct Path<'a, 'call> {
    /// Its weights before each step.
    weights: Vec<Vec<Tensor<'call>>>,
    /// Its weights after the last step.
    end: Vec<Tensor<'call>>,
    /// Its steps; backwards the last is the first that is needed.
    tapes: Tapes<'a, 'call>,
}

impl<'a, 'call> Path<'a, 'call> {
    fn walk(mut tapes: Tapes<'a, 'call>, start: &[Tensor<'call>], steps: usize, step_size: f64) -> Result<Self> {
        let (mut weights, mut end) = (Vec::with_capacity(steps), start.to_vec());
        for step in 0..steps {
            let next = vector::add_scaled(&end, &tapes.gradient(step, &end)?, -step_size)?;
            weights.push(std::mem::replace(&mut end, next));
        }
        Ok(Self { weights, end, tapes })
    }

    /// Derivatives of the loss by the step size, and by the rows of the set (and their labels).
    fn back(
        mut self,
        student: &Student<'_, 'call>,
        segment: &Segment<'call>,
        step_size: f64,
    ) -> Result<(f64, Vec<Tensor<'call>>)> {
        let difference = vector::add_scaled(&self.end, &segment.target, -1.0)?;
        let mut lambda = vector::scaled(&difference, 2.0 / segment.squared_length)?;
        let (mut by_step_size, mut rows) = (0.0, student.no_rows()?);
        while let Some(theta) = self.weights.pop() {
            let step = self.weights.len();
            let taped = self.tapes.take(step, &theta)?;
            by_step_size -= vector::dot(&lambda, &taped.values()?)?;
            let pulled = student.pull_back(&taped, &lambda, step > 0)?;
            rows = vector::add_scaled(&rows, &pulled.rows, -step_size)?;
            lambda = vector::add_scaled(&lambda, &pulled.theta, -step_size)?;
        }
        Ok((by_step_size, rows))
    }
}

impl Mtt {
    fn window(&self) -> Window {
        let Config { min_start, max_start, expand_from, expand_iterations, .. } = self.0;
        Window { min: min_start, max: max_start, expand_from, expand_iterations }
    }

    fn learnables(&self) -> &'static [&'static str] {
        if self.0.labels == Labels::Hard { &["images"] } else { &["images", "labels"] }
    }

    /// `None` after a blow-up.
    fn attempt<'call>(
        &self,
        run: &Iteration<'call>,
        guard: &mut Guard<'_, 'call>,
        key: Key<'call>,
    ) -> Result<Option<Found<'call>>> {
        let step_size = run.learnable("step_size")?.detach()?.scalar()?;
        let segment = Segment::draw(run, &self.window(), self.0.expert_epochs, key.fold("segment")?)?;
        let Config { syn_steps: steps, batch_syn: batch, .. } = self.0;
        let student = Student::new(run, &segment, &Inner { steps, batch, augment: &self.0.augment }, key)?;
        let path = Path::walk(Tapes::new(run, &student)?, &segment.start, steps, step_size)?;
        let loss = segment.loss(&path.end)?;
        if !guard.accepts(loss, step_size) {
            return Ok(None);
        }
        let (by_step_size, rows) = path.back(&student, &segment, step_size)?;
        let by_learnables = student.by_learnables(&rows, self.learnables())?;
        Ok(Some(Found { loss, step_size, by_step_size, by_learnables }))
    }

    /// One step of every optimiser; false after a blow-up.
    fn apply<'call>(&self, run: &Iteration<'call>, guard: &mut Guard<'_, 'call>, found: &Found<'call>) -> Result<bool> {
        let length = vector::dot(&found.by_learnables, &found.by_learnables)?.sqrt();
        if !guard.accepts_gradient(length + found.by_step_size) {
            return Ok(false);
        }
        let rate = guard.good(found.loss)?;
        for (name, gradient) in self.learnables().iter().zip(&found.by_learnables) {
            run.step_scaled(name, gradient, rate)?;
        }
        run.step_scaled("step_size", &Tensor::full(run.call(), &[], found.by_step_size)?, rate)?;
        run.metric("loss", found.loss)?;
        run.metric("step_size", found.step_size)?;
        run.metric("gradient_norm", length)?;
        Ok(true)
    }
}

impl Matcher for Mtt {
    const ID: &'static str = "mtt";
    const SUMMARY: &'static str = "Matching training trajectories (Cazenavette et al., CVPR 2022)";
    const REVISION: u32 = 1;
    const DECODES: bool = true;
    type Config = Config;

    fn create(config: Config) -> Result<Self> {
        let matcher = Self(config);
        matcher.window().check()?;
        let Config { lr_teacher, step_size_floor, step_size_limit, .. } = matcher.0;
        let floor = step_size_floor.unwrap_or(f64::NEG_INFINITY);
        if !(floor..=step_size_limit).contains(&lr_teacher) {
            return Err(Error::config(format!(
                "`lr_teacher` {lr_teacher} must lie between `step_size_floor` {floor} and `step_size_limit` {step_size_limit}"
            )));
        }
        Ok(matcher)
    }

    fn describe(&self, problem: &Problem, description: &mut Description<'_>) -> Result<()> {
        let Config { lr, momentum, lr_teacher, lr_step_size, momentum_step_size, .. } = self.0;
        let start = match self.0.init {
            Init::Real => Start::Real,
            Init::Noise => Start::Noise(1.0),
        };
        description.need(Need::Model)?;
        description.need(Need::Trajectories)?;
        if self.window().needs_horizon() {
            description.need(Need::Horizon)?;
        }
        description.learnable(&Learnable::images(problem, start, lr).with_momentum(momentum))?;
        let step_size = Learnable::new(Kind::LearningRate, "step_size", &[], Start::Constant(lr_teacher), lr_step_size);
        let floor = self.0.step_size_floor.unwrap_or(f64::NEG_INFINITY);
        description.learnable(&step_size.with_momentum(momentum_step_size).with_floor(floor))?;
        if self.0.labels != Labels::Hard {
            let logits = labels::learnable(problem, self.0.lr_labels);
            description.learnable(&logits.with_momentum(self.0.momentum_labels))?;
        }
        let mut recipe = pddflow_sdk::recipe(1000, &self.0.augment);
        recipe["lr"] = serde_json::json!("learned");
        description.recipe(&recipe)
    }

    fn decode<'call>(&self, problem: &Problem, learnables: &Learnables<'call>) -> Result<Decoded<'call>> {
        let labels = match self.0.labels {
            Labels::Hard => labels::hard(learnables.call(), problem)?,
            Labels::OneHot | Labels::Teacher => learnables.get("labels")?.softmax(1)?,
        };
        Ok(Decoded { images: learnables.get("images")?.clone(), labels })
    }

    fn iterate(&self, run: &Iteration<'_>) -> Result<()> {
        if run.number() == 0 {
            self.0.labels.start(run, &self.window(), self.0.expert_epochs)?;
        }
        let Config { loss_limit: loss, step_size_limit: step_size, retries, .. } = self.0;
        let mut guard = Guard::open(run, Limits { loss, step_size, retries })?;
        for attempt in 0.. {
            let key = run.key().fold("attempt")?.fold_u64(attempt)?;
            if let Some(found) = self.attempt(run, &mut guard, key)?
                && self.apply(run, &mut guard, &found)?
            {
                break;
            }
            guard.bad(attempt)?;
        }
        Ok(())
    }
}

pddflow_sdk::plugin!(matcher Mtt);
