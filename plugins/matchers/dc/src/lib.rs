//! Gradient matching as a plugin: DC, and DSA, which is DC with Siamese augmentation.
//!
//! Zhao, Mopuri and Bilen, "Dataset Condensation with Gradient Matching", ICLR 2021; Zhao and Bilen, "Dataset Condensation with
//! Differentiable Siamese Augmentation", ICML 2021; as in the authors' code. One iteration takes one net and repeats `outer` times:
//!
//! 1. for each class, the distance of the gradients by the net's weights of the mean cross-entropy over real images (constant)
//!    and over the synthetic images of the class (see `distance`); both augmented with the same draw;
//! 2. one optimiser step on all images, by the sum over the classes;
//! 3. except the last time: `inner` epochs of training the net on the images, with plain gradient descent.
//!
//! The gradient by the images is taken class by class, so that memory does not grow with their number.
//!
//! | parameter | DC | DSA |
//! |---|---|---|
//! | `augment` | `none` | `dsa:color_crop_cutout_flip_scale_rotate` |
//! | `init` | `noise` | `real` |
//!
//! (`outer`, `inner`) by images per class, if they are not given: 1 -> (1, 1), 10 -> (10, 50), 20 -> (20, 25), 30 -> (30, 20),
//! 40 -> (40, 15), 50 -> (50, 10), the authors' table. It has no other numbers; those in between take the nearest entry below,
//! so 2 to 9 are (1, 1), and above 50 it is (50, 10).
//!
//! With batch normalisation the authors first set the statistics from 16 real images per class and then keep them fixed; so here.

mod distance;

use distance::Distance;
use pddflow_sdk::{
    Description, Draw, Error, Iteration, Keep, Key, Labelled, Learnable, Matcher, Mode, Need, Net, Part, Problem,
    Result, Rows, Start, Tensor, TrainOn, Training, WeightInfo, grad,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Real images per class that set the statistics of batch normalisation.
const STATISTICS_BATCH: usize = 16;

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
    /// Real images per class and step.
    #[schemars(range(min = 1))]
    batch: usize,
    /// How the images start.
    init: Init,
    /// Distance of gradients.
    distance: Distance,
    /// Augmentation of both sides and of the net's training: `dsa:...`, or `none`.
    augment: String,
    /// Steps on the images per net (K); by images per class if not given.
    #[schemars(range(min = 1))]
    outer: Option<u64>,
    /// Epochs of training the net between them (T); by images per class if not given.
    inner: Option<u64>,
    /// Step size of the net's training.
    #[schemars(range(min = 0.0))]
    lr_net: f64,
    /// Images in a step of the net's training.
    #[schemars(range(min = 1))]
    batch_net: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lr: 0.1,
            momentum: 0.5,
            batch: 256,
            init: Init::Noise,
            distance: Distance::Ours,
            augment: "none".to_owned(),
            outer: None,
            inner: None,
            lr_net: 0.01,
            batch_net: 256,
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

struct Dc(Config);

/// The authors' (outer, inner) for a number of images per class.
fn loops(ipc: usize) -> (u64, u64) {
    match ipc {
        0..=9 => (1, 1),
        10..=19 => (10, 50),
        20..=29 => (20, 25),
        30..=39 => (30, 20),
        40..=49 => (40, 15),
        _ => (50, 10),
    }
}

/// The net as the gradients see it: learnable weights are leaves of the tape.
struct Leaves<'call> {
    weights: Vec<Tensor<'call>>,
    learnable: Vec<Tensor<'call>>,
    mode: Mode,
}

impl<'call> Leaves<'call> {
    fn new(weights: &[Tensor<'call>], about: &[WeightInfo]) -> Result<Self> {
        let (mut all, mut learnable) = (Vec::new(), Vec::new());
        for (weight, info) in weights.iter().zip(about) {
            if info.learnable {
                let leaf = weight.variable()?;
                learnable.push(leaf.clone());
                all.push(leaf);
            } else {
                all.push(weight.clone());
            }
        }
        // Statistics are kept fixed while gradients are matched.
        let mode = if learnable.len() < all.len() { Mode::Eval } else { Mode::Train };
        Ok(Self { weights: all, learnable, mode })
    }

    /// Gradient of the mean cross-entropy by the learnable weights.
    fn gradient(
        &self,
        run: &Iteration<'call>,
        x: &Tensor<'call>,
        labels: &Tensor<'call>,
        keep: Keep,
    ) -> Result<Vec<Tensor<'call>>> {
        let logits = run.forward(&self.weights, x, self.mode, run.key())?.logits;
        grad(&logits.cross_entropy(labels)?, &self.learnable, keep)
    }
}

impl Dc {
    fn augments(&self) -> bool {
        self.0.augment != "none"
    }

    fn augmented<'call>(
        &self,
        run: &Iteration<'call>,
        set: &Labelled<'call>,
        key: Key<'call>,
    ) -> Result<Tensor<'call>> {
        if self.augments() {
            run.augment(&self.0.augment, Draw::Siamese, &set.images, key)
        } else {
            Ok(set.images.clone())
        }
    }

    /// Distance of one class.
    fn class_distance<'call>(
        &self,
        run: &Iteration<'call>,
        net: &Leaves<'call>,
        class: usize,
        key: Key<'call>,
    ) -> Result<Tensor<'call>> {
        let real = run.real_batch(Some(class), self.0.batch, key.fold("real")?)?;
        let draw = key.fold("augment")?;
        let x = self.augmented(run, &real, draw)?;
        let wanted = net.gradient(run, &x, &real.labels, Keep::No)?;
        let synthetic = run.set(&Rows::all(Part::Union).of_class(class))?;
        let x = self.augmented(run, &synthetic, draw)?;
        let found = net.gradient(run, &x, &synthetic.labels, Keep::OnTape)?;
        self.0.distance.between(&wanted, &found)
    }

    /// Gradient by the images and loss, summed over the classes.
    fn matching<'call>(
        &self,
        run: &Iteration<'call>,
        net: &Leaves<'call>,
        key: Key<'call>,
    ) -> Result<(Tensor<'call>, f64)> {
        let images = run.learnable("images")?;
        let (mut gradient, mut loss) = (None, 0.0);
        for class in 0..run.problem().classes {
            let distance = self.class_distance(run, net, class, key.fold_u64(class as u64)?)?;
            loss += distance.detach()?.scalar()?;
            let own = grad(&distance, std::slice::from_ref(&images), Keep::No)?.remove(0);
            gradient = Some(match gradient {
                Some(sum) => (&sum + &own)?,
                None => own,
            });
        }
        Ok((gradient.ok_or_else(|| Error::new("there is no class"))?, loss))
    }

    /// Sets the statistics of batch normalisation from a few real images of every class.
    fn with_statistics<'call>(
        run: &Iteration<'call>,
        weights: &[Tensor<'call>],
        about: &[WeightInfo],
        key: Key<'call>,
    ) -> Result<Vec<Tensor<'call>>> {
        if about.iter().all(|weight| weight.learnable) {
            return Ok(weights.to_vec());
        }
        let mut images = Vec::new();
        for class in 0..run.problem().classes {
            images.push(run.real_batch(Some(class), STATISTICS_BATCH, key.fold_u64(class as u64)?)?.images);
        }
        let forward = run.forward(weights, &Tensor::concat(&images, 0)?, Mode::Train, key)?;
        let mut new = forward.statistics.into_iter();
        let replaced =
            weights.iter().zip(about).map(|(old, info)| if info.learnable { Some(old.clone()) } else { new.next() });
        replaced.collect::<Option<_>>().ok_or_else(|| Error::new("the model gave fewer statistics than it has"))
    }

    fn train<'call>(&self, run: &Iteration<'call>, net: &mut Net<'call>, epochs: u64, key: Key<'call>) -> Result<()> {
        let set = run.set(&Rows::all(Part::Union))?;
        let how = Training {
            epochs,
            batch: self.0.batch_net,
            lr: self.0.lr_net,
            momentum: 0.0,
            weight_decay: 0.0,
            augment: if self.augments() { self.0.augment.clone() } else { String::new() },
            cutmix: 0.0,
        };
        run.train(net, &TrainOn::Given(set), &how, key)
    }
}

impl Matcher for Dc {
    const ID: &'static str = "dc";
    const SUMMARY: &'static str = "Gradient matching: DC (ICLR 2021), and DSA (ICML 2021) with `augment`";
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
        description.learnable(&Learnable::images(problem, start, self.0.lr).with_momentum(self.0.momentum))?;
        description.recipe(&pddflow_sdk::recipe(if self.augments() { 1000 } else { 300 }, &self.0.augment))
    }

    fn iterate(&self, run: &Iteration<'_>) -> Result<()> {
        let (outer, inner) = loops(run.problem().ipc);
        let (outer, inner) = (self.0.outer.unwrap_or(outer), self.0.inner.unwrap_or(inner));
        let about = run.weights()?;
        let mut net = Net::new(run.start_weights(run.key().fold("net")?)?);
        let mut loss = 0.0;
        for step in 0..outer {
            let key = run.key().fold("outer")?.fold_u64(step)?;
            let weights = Self::with_statistics(run, &net.weights, &about, key.fold("statistics")?)?;
            let leaves = Leaves::new(&weights, &about)?;
            let (gradient, distance) = self.matching(run, &leaves, key)?;
            run.step("images", &gradient)?;
            loss += distance;
            if step + 1 < outer && inner > 0 {
                self.train(run, &mut net, inner, key.fold("train")?)?;
            }
        }
        run.metric("loss", loss / (run.problem().classes as f64 * outer as f64))
    }
}

pddflow_sdk::plugin!(matcher Dc);

#[cfg(test)]
mod tests {
    use super::loops;

    #[test]
    fn loops_are_the_authors_and_those_in_between_the_entry_below() {
        assert_eq!([1, 10, 20, 30, 40, 50].map(loops), [(1, 1), (10, 50), (20, 25), (30, 20), (40, 15), (50, 10)]);
        assert_eq!([2, 15, 100].map(loops), [(1, 1), (10, 50), (50, 10)]);
    }
}
