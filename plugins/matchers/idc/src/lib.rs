//! IDC as a plugin: Kim et al., "Dataset Condensation via Efficient Synthetic-Data Parameterization", ICML 2022, as in the authors'
//! code. `factor: 1` is their IDC-I.
//!
//! The stored images lie in `[0, 1]`; each is decoded to `factor * factor` images (see `formation`). They start as real images,
//! tiled `factor` x `factor`. One iteration limits them to `[0, 1]`, takes one net, trains it for `early` epochs on real data, and
//! repeats `inner` times:
//!
//! 1. for each class in turn: the distance of the gradients over real images (constant) and over at most `batch_syn_max` decoded
//!    images of the class, random ones if there are more, by the weights of the net's convolutions (see `metric`); both sides
//!    normalised, then augmented with the same draw; and **one optimiser step on the images at once**;
//! 2. training of the net on at least `samples` real images, augmented one by one, with CutMix.
//!
//! Batches of real images are drawn anew without replacement; the authors deal out the whole class before an image comes again.
//!
//! The step size of the images is `lr * (ipc / 10) * (rows / side)^2`, `ipc` being that of the set which is distilled: with earlier
//! sets (PDD) it does not grow with their number. The authors' numbers by data set, chosen by `preset`; any can be given instead:
//!
//! | `preset` | `metric` | `lr` | `side` | `samples` | `augment` | `augment_net` | `cutmix` |
//! |---|---|---|---|---|---|---|---|
//! | `cifar` | `mse` | 5e-3 | 32 | 2000 | `idc:color_crop_cutout` | `idc:color_crop` | 0.5 |
//! | `svhn` | `mse` | 5e-3 | 32 | 500 | `idc:color_crop_cutout` | `idc:color_crop` | 0.5 |
//! | `mnist`, `factor: 1` | `l1` | 1e-4 | 28 | 500 | `idc:color_crop_cutout` | `idc:color_crop` | 0.5 |
//! | `mnist`, more | `l1` | 1e-4 | 28 | 500 | `idc:color_crop` | `idc:color_crop` | 0 |
//! | `fashion-mnist` | `l1` | 1e-4 | 32 | 500 | `idc:color_crop_cutout` | `idc:color_crop` | 0.5 |
//!
//! CIFAR's stand for CIFAR-10, CIFAR-100 and Tiny-ImageNet. For pictures of 224 pixels the authors take `factor: 3`, `metric: l1`,
//! `side: 224`, `early: 10`.
//!
//! Labels are the classes; the method has no soft labels.

mod formation;
mod metric;
mod preset;

use metric::Metric;
use pddflow_sdk::{
    Decoded, Description, Draw, Error, Iteration, Keep, Key, Learnable, Learnables, Matcher, Mode, Need, Net, Part,
    Problem, Result, Rows, Start, Tensor, TrainOn, Training, grad,
};
use preset::{Numbers, Preset};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters of the method.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// The authors' numbers for a data set; each can be given by its own parameter instead.
    preset: Preset,
    /// Cells per side of a stored image: 1, 2 (the authors' for small images) or 3.
    #[schemars(range(min = 1, max = 16))]
    factor: u32,
    /// Distance of gradients.
    metric: Option<Metric>,
    /// Step size of the images, for ten per class and images of `side` rows.
    #[schemars(range(min = 0.0))]
    lr: Option<f64>,
    /// Rows of an image for which `lr` is meant.
    #[schemars(range(min = 1.0))]
    side: Option<f64>,
    /// Momentum of the images.
    #[schemars(range(min = 0.0, max = 1.0))]
    momentum: f64,
    /// Real images per class and step.
    #[schemars(range(min = 1))]
    batch: usize,
    /// Most decoded images per class and step.
    #[schemars(range(min = 1))]
    batch_syn_max: usize,
    /// Augmentation of both sides, with one draw for all images: `idc:...`, or `none`.
    augment: Option<String>,
    /// Rounds of steps on the images and training of the net, per net.
    #[schemars(range(min = 1))]
    inner: u64,
    /// Epochs of training the net on all real images before the first step.
    early: u64,
    /// Real images of the net's training in a round.
    samples: Option<usize>,
    /// Augmentation of the net's training, drawn per image.
    augment_net: Option<String>,
    /// Probability of CutMix in the net's training.
    #[schemars(range(min = 0.0, max = 1.0))]
    cutmix: Option<f64>,
    /// Images in a step of the net's training.
    #[schemars(range(min = 1))]
    batch_net: usize,
    /// Step size of the net's training.
    #[schemars(range(min = 0.0))]
    lr_net: f64,
    /// Momentum of the net's training.
    #[schemars(range(min = 0.0, max = 1.0))]
    momentum_net: f64,
    /// Weight decay of the net's training.
    #[schemars(range(min = 0.0))]
    decay_net: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            preset: Preset::Cifar,
            factor: 2,
            metric: None,
            lr: None,
            side: None,
            momentum: 0.5,
            batch: 64,
            batch_syn_max: 128,
            augment: None,
            inner: 100,
            early: 0,
            samples: None,
            augment_net: None,
            cutmix: None,
            batch_net: 64,
            lr_net: 0.01,
            momentum_net: 0.9,
            decay_net: 5e-4,
        }
    }
}

struct Idc {
    config: Config,
    numbers: Numbers,
}

impl Idc {
    /// Step size of the images.
    fn lr(&self, problem: &Problem) -> f64 {
        let scale = problem.height as f64 / self.numbers.side;
        self.numbers.lr * (problem.ipc as f64 / 10.0) * scale * scale
    }

    /// Gradient of the mean cross-entropy by the weights of the convolutions.
    fn gradient<'call>(
        run: &Iteration<'call>,
        weights: &[Tensor<'call>],
        convolutions: &[Tensor<'call>],
        (x, labels): (&Tensor<'call>, &Tensor<'call>),
        keep: Keep,
    ) -> Result<Vec<Tensor<'call>>> {
        let logits = run.forward(weights, x, Mode::Train, run.key())?.logits;
        grad(&logits.cross_entropy(labels)?, convolutions, keep)
    }

    /// One class: distance and step.
    fn step<'call>(
        &self,
        run: &Iteration<'call>,
        weights: &[Tensor<'call>],
        convolutions: &[Tensor<'call>],
        class: usize,
        key: Key<'call>,
    ) -> Result<f64> {
        let real = run.real_batch(Some(class), self.config.batch, key.fold("real")?)?;
        let rows = Rows::all(Part::Union).of_class(class).at_most(self.config.batch_syn_max, key.fold("synthetic")?);
        let synthetic = run.set(&rows)?;
        let draw = key.fold("augment")?;
        let augmented = |x: &Tensor<'call>| run.augment(&self.numbers.augment, Draw::Siamese, x, draw);
        let x = augmented(&real.images)?;
        let wanted = Self::gradient(run, weights, convolutions, (&x, &real.labels), Keep::No)?;
        let x = augmented(&synthetic.images)?;
        let found = Self::gradient(run, weights, convolutions, (&x, &synthetic.labels), Keep::OnTape)?;
        let distance = self.numbers.metric.between(&wanted, &found)?;
        run.step("images", &grad(&distance, &[run.learnable("images")?], Keep::No)?[0])?;
        distance.detach()?.scalar()
    }

    fn train<'call>(
        &self,
        run: &Iteration<'call>,
        net: &mut Net<'call>,
        samples: usize,
        epochs: u64,
        key: Key<'call>,
    ) -> Result<()> {
        if samples == 0 || epochs == 0 {
            return Ok(());
        }
        let how = Training {
            epochs,
            batch: self.config.batch_net,
            lr: self.config.lr_net,
            momentum: self.config.momentum_net,
            weight_decay: self.config.decay_net,
            augment: self.numbers.augment_net.clone(),
            cutmix: self.numbers.cutmix,
        };
        run.train(net, &TrainOn::Real(samples), &how, key)
    }
}

/// All weights, and those of convolutions as new leaves of the tape among them: the others need no gradient.
fn leaves<'call>(run: &Iteration<'call>, net: &Net<'call>) -> Result<(Vec<Tensor<'call>>, Vec<Tensor<'call>>)> {
    let mut convolutions = Vec::new();
    let about = run.weights()?;
    let leaf = |(weight, about): (&Tensor<'call>, &pddflow_sdk::WeightInfo)| {
        if about.shape.len() <= 2 {
            return Ok(weight.clone());
        }
        let leaf = weight.variable()?;
        convolutions.push(leaf.clone());
        Ok(leaf)
    };
    let weights = net.weights.iter().zip(&about).map(leaf).collect::<Result<_>>()?;
    if convolutions.is_empty() {
        return Err(Error::shape("the model has no convolution, so there is nothing to match"));
    }
    Ok((weights, convolutions))
}

impl Matcher for Idc {
    const ID: &'static str = "idc";
    const SUMMARY: &'static str = "Gradient matching of multi-formation images: IDC (ICML 2022)";
    const REVISION: u32 = 1;
    const DECODES: bool = true;
    type Config = Config;

    fn create(config: Config) -> Result<Self> {
        let numbers = Numbers::new(&config);
        Ok(Self { config, numbers })
    }

    fn describe(&self, problem: &Problem, description: &mut Description<'_>) -> Result<()> {
        let factor = self.config.factor as usize;
        if factor > problem.height.min(problem.width) {
            let (rows, columns) = (problem.height, problem.width);
            return Err(Error::new(format!(
                "`factor` is {factor}, more than images of {rows}x{columns} can be cut into"
            )));
        }
        let start = if factor == 1 { Start::Real } else { Start::Tile(self.config.factor) };
        let images = Learnable::images(problem, start, self.lr(problem))
            .with_momentum(self.config.momentum)
            .with_clamp(0.0, 1.0)
            .in_unit_space();
        description.need(Need::Model)?;
        description.learnable(&images)?;
        description.recipe(&self.config.preset.recipe(factor, problem.ipc))
    }

    fn decode<'call>(&self, problem: &Problem, learnables: &Learnables<'call>) -> Result<Decoded<'call>> {
        formation::decode(learnables, problem, self.config.factor as usize)
    }

    fn iterate(&self, run: &Iteration<'_>) -> Result<()> {
        let classes = run.problem().classes;
        let mut net = Net::new(run.start_weights(run.key().fold("net")?)?);
        if self.config.early > 0 {
            let sizes = (0..classes).map(|class| run.class_size(class)).collect::<Result<Vec<_>>>()?;
            self.train(run, &mut net, sizes.iter().sum(), self.config.early, run.key().fold("early")?)?;
        }
        let mut loss = 0.0;
        for round in 0..self.config.inner {
            let key = run.key().fold("round")?.fold_u64(round)?;
            let (weights, convolutions) = leaves(run, &net)?;
            for class in 0..classes {
                loss += self.step(run, &weights, &convolutions, class, key.fold_u64(class as u64)?)?;
            }
            // Nothing would see what is learned after the last step.
            if round + 1 < self.config.inner {
                self.train(run, &mut net, self.numbers.samples, 1, key.fold("train")?)?;
            }
        }
        run.metric("loss", loss / (classes as f64 * self.config.inner as f64))
    }
}

pddflow_sdk::plugin!(matcher Idc);
