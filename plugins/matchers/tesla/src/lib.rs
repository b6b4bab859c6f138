//! Trajectory matching without the chain of Hessians (TESLA) as a plugin: Cui, Wang, Si and Hsieh, "Scaling Up Dataset Distillation to
//! ImageNet-1K with Constant Memory", ICML 2023, as in the authors' code.
//!
//! Segment, student and loss are those of MTT (see the plugin `mtt`): `theta_{t+1} = theta_t - alpha g_t` from theta_0,
//! `loss = |theta_N - target|^2 / |theta_0 - target|^2 = |theta_0 - alpha G - target|^2 / D` with `G = sum of g_t`. The gradient
//! takes theta_t as constant: how earlier steps moved it is left out. A first pass finds G; a second one goes step by step through
//!
//! ```text
//! d loss / d x_t   = d < 2 alpha (target - theta_0) + 2 alpha^2 G, g_t > / d x_t / D
//! d loss / d alpha = -2 < theta_0 - alpha G - target, G > / D
//! ```
//!
//! so that memory need not depend on N at all, and no product with a Hessian is needed. For N = 1 this is exact. Steps that the host
//! has memory for stay on the tape from the first pass to the second ([`Tapes`]).
//!
//! | `image_gradient` | what |
//! |---|---|
//! | `released` | half of the formula: the authors' code loses the factor 2 (their issue 5), and their step sizes are made for that |
//! | `corrected` | the formula |
//!
//! `labels: teacher` are the probabilities of the segment's last expert on the present images, made anew in each iteration
//! (the release stops with an error there except on ImageNet). Blow-ups are undone as in the plugin `mtt`.

use pddflow_sdk::{Description, Error, Iteration, Key, Kind, Learnable, Matcher, Need, Problem, Result, Start, Tensor};
use pddflow_trajectory::{Guard, Inner, Limits, Segment, Student, Tapes, Window, vector};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters of the method.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// Step size of the images. The authors' commands: 1000.
    #[schemars(range(min = 0.0))]
    lr: f64,
    /// Momentum of the images.
    #[schemars(range(min = 0.0, max = 1.0))]
    momentum: f64,
    /// Steps of the student (N).
    #[schemars(range(min = 1, max = 10000))]
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
    /// The factor of the gradient by the images.
    image_gradient: ImageGradient,
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
            image_gradient: ImageGradient::Released,
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

/// Labels of the images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Labels {
    /// Class numbers.
    Hard,
    /// Probabilities of the segment's last expert on the present images, in each iteration.
    Teacher,
}

/// The factor of the gradient by the images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ImageGradient {
    /// Half of the formula, as the authors' code computes it.
    Released,
    /// The formula.
    Corrected,
}

impl ImageGradient {
    fn factor(self) -> f64 {
        match self {
            Self::Released => 1.0,
            Self::Corrected => 2.0,
        }
    }
}

struct Tesla(Config);

/// What one attempt found: all that the optimisers need.
struct Found<'call> {
    loss: f64,
    step_size: f64,
    by_step_size: f64,
    by_images: Tensor<'call>,
}

/// First pass: the sum of the gradients, and where the student ends.
fn walk<'call>(
    tapes: &mut Tapes<'_, 'call>,
    start: &[Tensor<'call>],
    (steps, step_size): (usize, f64),
) -> Result<[Vec<Tensor<'call>>; 2]> {
    let mut sum = tapes.gradient(0, start)?;
    let mut theta = vector::add_scaled(start, &sum, -step_size)?;
    for step in 1..steps {
        let gradient = tapes.gradient(step, &theta)?;
        sum = vector::add_scaled(&sum, &gradient, 1.0)?;
        theta = vector::add_scaled(&theta, &gradient, -step_size)?;
    }
    Ok([sum, theta])
}

/// Second pass: `sum over t of d <seed, g_t> / d rows`, the weights of each step constant.
fn by_rows<'call>(
    student: &Student<'_, 'call>,
    (tapes, start): (&mut Tapes<'_, 'call>, &[Tensor<'call>]),
    seed: &[Tensor<'call>],
    (steps, step_size): (usize, f64),
) -> Result<Vec<Tensor<'call>>> {
    let (mut rows, mut theta) = (student.no_rows()?, start.to_vec());
    for step in 0..steps {
        let taped = tapes.take(step, &theta)?;
        let pulled = student.pull_back(&taped, seed, false)?;
        rows = vector::add_scaled(&rows, &pulled.rows, 1.0)?;
        if step + 1 < steps {
            theta = vector::add_scaled(&theta, &taped.values()?, -step_size)?;
        }
    }
    Ok(rows)
}

impl Tesla {
    fn window(&self) -> Window {
        let Config { min_start, max_start, expand_from, expand_iterations, .. } = self.0;
        Window { min: min_start, max: max_start, expand_from, expand_iterations }
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
        if self.0.labels == Labels::Teacher {
            let key = key.fold("teacher")?;
            run.assign("labels", &pddflow_trajectory::logits(run, &segment.expert, key)?.softmax(1)?)?;
        }
        let Config { syn_steps: steps, batch_syn: batch, .. } = self.0;
        let student = Student::new(run, &segment, &Inner { steps, batch, augment: &self.0.augment }, key)?;
        let mut tapes = Tapes::new(run, &student)?;
        let [sum, end] = walk(&mut tapes, &segment.start, (steps, step_size))?;
        let loss = segment.loss(&end)?;
        if !guard.accepts(loss, step_size) {
            return Ok(None);
        }
        let difference = vector::add_scaled(&end, &segment.target, -1.0)?;
        let by_step_size = -2.0 * vector::dot(&difference, &sum)? / segment.squared_length;
        let factor = self.0.image_gradient.factor();
        let seed = vector::scaled(&difference, -factor * step_size / segment.squared_length)?;
        let rows = by_rows(&student, (&mut tapes, &segment.start), &seed, (steps, step_size))?;
        let by_images = student.by_learnables(&rows, &["images"])?.remove(0);
        Ok(Some(Found { loss, step_size, by_step_size, by_images }))
    }

    /// One step of every optimiser; false after a blow-up.
    fn apply<'call>(&self, run: &Iteration<'call>, guard: &mut Guard<'_, 'call>, found: &Found<'call>) -> Result<bool> {
        let length = found.by_images.dot(&found.by_images)?.scalar()?.sqrt();
        if !guard.accepts_gradient(length + found.by_step_size) {
            return Ok(false);
        }
        let rate = guard.good(found.loss)?;
        run.step_scaled("images", &found.by_images, rate)?;
        run.step_scaled("step_size", &Tensor::full(run.call(), &[], found.by_step_size)?, rate)?;
        run.metric("loss", found.loss)?;
        run.metric("step_size", found.step_size)?;
        run.metric("gradient_norm", length)?;
        Ok(true)
    }
}

impl Matcher for Tesla {
    const ID: &'static str = "tesla";
    const SUMMARY: &'static str = "Trajectory matching without second-order chains (Cui et al., ICML 2023)";
    const REVISION: u32 = 1;
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
            let shape = [problem.classes * problem.ipc, problem.classes];
            description.learnable(&Learnable::new(Kind::Labels, "labels", &shape, Start::OneHot, 0.0))?;
        }
        let mut recipe = pddflow_sdk::recipe(1000, &self.0.augment);
        recipe["lr"] = serde_json::json!("learned");
        description.recipe(&recipe)
    }

    fn iterate(&self, run: &Iteration<'_>) -> Result<()> {
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

pddflow_sdk::plugin!(matcher Tesla);
