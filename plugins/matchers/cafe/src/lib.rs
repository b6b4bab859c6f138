//! Feature alignment over all layers (CAFE) as a plugin: Wang et al., "CAFE: Learning to Condense Dataset by Aligning Features",
//! CVPR 2022, as in the authors' code; CAFE+DSA is the same with `augment`.
//!
//! One iteration takes one net and repeats, at most `max_outer` times:
//!
//! 1. one optimiser step on the images by the alignment loss (see `alignment`);
//! 2. the accuracy of the net on `accuracy_batch` real images of every class; once `window` values are known and differ by less
//!    than `lambda1`, the iteration is over;
//! 3. epochs of training the net on the images, at most `max_inner`, with the same measurement after each, until `window` values
//!    differ by more than `lambda2`.
//!
//! | parameter | CAFE | CAFE+DSA |
//! |---|---|---|
//! | `augment` | `none` | `dsa:color_crop_cutout_flip_scale_rotate` (digits: without `flip`) |
//!
//! The step size of the images is multiplied by `drop_factor` at the iterations `drops`, given as shares of all iterations: of
//! 2000, the authors', they are 1200, 1600 and 1800.
//!
//! Two things differ from the authors' code. Its two loops have no end if the accuracy never settles; `max_outer` and `max_inner`
//! are that end. And its accuracy is a sum that leaks: it is divided by the number of classes but never set back, so that each
//! value holds a tenth of the one before (`leaky: true` does so too). Here it is the accuracy.
//!
//! Labels are the classes; the method has no soft labels.

mod alignment;
mod watch;

use alignment::Alignment;
use pddflow_sdk::{
    Description, Iteration, Key, Learnable, Matcher, Need, Net, Part, Problem, Result, Rows, Start, TrainOn, Training,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use watch::{Meter, Watch};

/// Parameters of the method.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// Step size of the images.
    #[schemars(range(min = 0.0))]
    lr: f64,
    /// Momentum of the images.
    #[schemars(range(min = 0.0, max = 1.0))]
    momentum: f64,
    /// Where the step size of the images drops, as shares of all iterations.
    #[schemars(inner(range(min = 0.0, max = 1.0)))]
    drops: Vec<f64>,
    /// What it is multiplied by at each drop.
    #[schemars(range(min = 0.0, max = 1.0))]
    drop_factor: f64,
    /// Real images per class and step.
    #[schemars(range(min = 1))]
    batch: usize,
    /// How the images start.
    init: Init,
    /// Augmentation of both sides, with one draw for all images of a class, and of the net's training: `dsa:...`, or `none`.
    augment: String,
    /// Weights of the model's maps in order of depth and, last, of its features; if not given, 1 for the last three and 0.1 for
    /// those before, which for ConvNet-3 are the authors' 0.1, 0.1, 1, 1, 1.
    #[schemars(inner(range(min = 0.0)))]
    weights: Option<Vec<f64>>,
    /// Weight of the term in which the class means of the synthetic features classify the real ones.
    #[schemars(range(min = 0.0))]
    weight_inner: f64,
    /// Real images per class that measure the accuracy of a net.
    #[schemars(range(min = 1))]
    accuracy_batch: usize,
    /// Measurements that are compared.
    #[schemars(range(min = 2))]
    window: usize,
    /// An iteration is over when the accuracies after steps on the images differ by less than this.
    #[schemars(range(min = 0.0))]
    lambda1: f64,
    /// Training between steps is over when the accuracies after its epochs differ by more than this.
    #[schemars(range(min = 0.0))]
    lambda2: f64,
    /// Most steps on the images per net.
    #[schemars(range(min = 1))]
    max_outer: u64,
    /// Most epochs of training the net between two steps.
    max_inner: u64,
    /// Step size of the net's training.
    #[schemars(range(min = 0.0))]
    lr_net: f64,
    /// Images in a step of the net's training.
    #[schemars(range(min = 1))]
    batch_net: usize,
    /// Whether accuracies leak into the next ones, as in the authors' code.
    leaky: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lr: 0.1,
            momentum: 0.5,
            drops: vec![0.6, 0.8, 0.9],
            drop_factor: 0.5,
            batch: 256,
            init: Init::Noise,
            augment: "none".to_owned(),
            weights: None,
            weight_inner: 0.01,
            accuracy_batch: 128,
            window: 10,
            lambda1: 0.04,
            lambda2: 0.03,
            max_outer: 30,
            max_inner: 30,
            lr_net: 0.01,
            batch_net: 256,
            leaky: false,
        }
    }
}

/// How images start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Init {
    /// Standard normal noise in the normalised space.
    Noise,
    /// Random real images of the class.
    Real,
}

struct Cafe(Config);

impl Cafe {
    /// Whether step sizes drop, which depends on the number of iterations.
    fn drops(&self) -> bool {
        !self.0.drops.is_empty()
    }

    /// What the images' step size is multiplied by in an iteration.
    fn rate(&self, number: u64, horizon: u64) -> f64 {
        let passed = |share: &&f64| number as f64 >= (**share * horizon as f64).round();
        self.0.drop_factor.powi(self.0.drops.iter().filter(passed).count() as i32)
    }

    /// Trains the net until its accuracy has moved.
    fn train<'call>(
        &self,
        run: &Iteration<'call>,
        net: &mut Net<'call>,
        meter: &mut Meter,
        key: Key<'call>,
    ) -> Result<()> {
        let set = TrainOn::Given(run.set(&Rows::all(Part::Union))?);
        let how = Training {
            epochs: 1,
            batch: self.0.batch_net,
            lr: self.0.lr_net,
            momentum: 0.0,
            weight_decay: 0.0,
            augment: if self.0.augment == "none" { String::new() } else { self.0.augment.clone() },
            cutmix: 0.0,
        };
        let mut watch = Watch::new(self.0.window);
        for epoch in 0..self.0.max_inner {
            let key = key.fold_u64(epoch)?;
            run.train(net, &set, &how, key.fold("train")?)?;
            if epoch + 1 == self.0.max_inner {
                break;
            }
            let accuracy = meter.measure(run, &net.weights, self.0.accuracy_batch, key.fold("accuracy")?)?;
            if watch.add(accuracy).is_some_and(|spread| spread > self.0.lambda2) {
                break;
            }
        }
        Ok(())
    }
}

impl Matcher for Cafe {
    const ID: &'static str = "cafe";
    const SUMMARY: &'static str = "Feature alignment over all layers: CAFE (CVPR 2022), and CAFE+DSA with `augment`";
    const REVISION: u32 = 1;
    type Config = Config;

    fn create(config: Config) -> Result<Self> {
        Ok(Self(config))
    }

    fn describe(&self, problem: &Problem, description: &mut Description<'_>) -> Result<()> {
        let start = match self.0.init {
            Init::Noise => Start::Noise(1.0),
            Init::Real => Start::Real,
        };
        description.need(Need::Model)?;
        if self.drops() {
            description.need(Need::Horizon)?;
        }
        description.learnable(&Learnable::images(problem, start, self.0.lr).with_momentum(self.0.momentum))?;
        let epochs = if self.0.augment == "none" { 600 } else { 1000 };
        description.recipe(&pddflow_sdk::recipe(epochs, &self.0.augment))
    }

    fn iterate(&self, run: &Iteration<'_>) -> Result<()> {
        let rate = if self.drops() { self.rate(run.number(), run.horizon()?) } else { 1.0 };
        let alignment = Alignment::new(&self.0, run)?;
        let mut net = Net::new(run.start_weights(run.key().fold("net")?)?);
        let (mut watch, mut meter) = (Watch::new(self.0.window), Meter::new(self.0.leaky));
        let (mut loss, mut steps) = (0.0, 0);
        while steps < self.0.max_outer {
            let key = run.key().fold("outer")?.fold_u64(steps)?;
            let (gradient, aligned) = alignment.gradient(run, &net.weights, key)?;
            run.step_scaled("images", &gradient, rate)?;
            loss += aligned;
            steps += 1;
            if steps == self.0.max_outer {
                break;
            }
            let accuracy = meter.measure(run, &net.weights, self.0.accuracy_batch, key.fold("accuracy")?)?;
            if watch.add(accuracy).is_some_and(|spread| spread < self.0.lambda1) {
                break;
            }
            self.train(run, &mut net, &mut meter, key.fold("inner")?)?;
        }
        run.metric("loss", loss / steps as f64)?;
        run.metric("steps", steps as f64)
    }
}

pddflow_sdk::plugin!(matcher Cafe);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn step_sizes_drop_at_the_authors_iterations() {
        let cafe = Cafe(Config::default());
        let rates = [0, 1199, 1200, 1599, 1600, 1799, 1800, 1999].map(|number| cafe.rate(number, 2000));
        assert_eq!(rates, [1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125]);
        assert_eq!([5, 6, 8, 9].map(|number| cafe.rate(number, 10)), [1.0, 0.5, 0.25, 0.125]);
    }
}
