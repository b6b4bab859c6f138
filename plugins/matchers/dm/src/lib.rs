//! Distribution matching (DM) as a plugin: Zhao and Bilen, "Dataset Condensation with Distribution Matching", WACV 2023.
//!
//! Each iteration takes one net (fresh random weights, or a net from the wired pool), frozen, in training mode, and lowers
//!
//! ```text
//! sum over classes c of | mean of features(augment(real images of c)) - mean of features(augment(synthetic images of c)) |^2
//! ```
//!
//! with the same augmentation for both sides, the real side constant, by one optimiser step on the images. The classes go one by
//! one, so that memory does not grow with their number; a net with batch normalisation sees all classes at once instead, since
//! its statistics are over all of them.

use pddflow_sdk::{
    Description, Draw, Error, Iteration, Keep, Key, Labelled, Learnable, Matcher, Mode, Need, Part, Problem, Result,
    Rows, Start, Tensor, grad,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Parameters of the method.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// Step size of the images. The paper: 1, but 10 for CIFAR-10 from 100 images per class on.
    #[schemars(range(min = 0.0))]
    lr: f64,
    /// Momentum of the images.
    #[schemars(range(min = 0.0, max = 1.0))]
    momentum: f64,
    /// Real images per class and iteration.
    #[schemars(range(min = 1))]
    batch: usize,
    /// How the images start.
    init: Init,
    /// Augmentation of both sides, with one draw for all images: `dsa:...`, or `none`. Leave out `flip` for digits.
    augment: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            lr: 1.0,
            momentum: 0.5,
            batch: 256,
            init: Init::Real,
            augment: "dsa:color_crop_cutout_flip_scale_rotate".to_owned(),
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

struct Dm(Config);

/// Real and synthetic images of a class, augmented alike.
struct Pair<'call> {
    real: Tensor<'call>,
    synthetic: Tensor<'call>,
}

impl Dm {
    fn pair<'call>(&self, run: &Iteration<'call>, class: usize) -> Result<Pair<'call>> {
        let key = run.key().fold("class")?.fold_u64(class as u64)?;
        let real = run.real_batch(Some(class), self.0.batch, key.fold("real")?)?;
        let synthetic = run.set(&Rows::all(Part::Union).of_class(class))?;
        let draw = key.fold("augment")?;
        Ok(Pair { real: self.augmented(run, &real, draw)?, synthetic: self.augmented(run, &synthetic, draw)? })
    }

    fn augmented<'call>(
        &self,
        run: &Iteration<'call>,
        set: &Labelled<'call>,
        key: Key<'call>,
    ) -> Result<Tensor<'call>> {
        if self.0.augment == "none" {
            return Ok(set.images.clone());
        }
        run.augment(&self.0.augment, Draw::Siamese, &set.images, key)
    }

    /// Class by class: the gradient of each is taken at once, so that its graph is freed before the next.
    fn by_class<'call>(&self, run: &Iteration<'call>, weights: &[Tensor<'call>]) -> Result<(Tensor<'call>, f64)> {
        let images = run.learnable("images")?;
        let (mut gradient, mut loss) = (None, 0.0);
        for class in 0..run.problem().classes {
            let pair = self.pair(run, class)?;
            let key = run.key().fold("forward")?;
            let mean = |x: &Tensor<'call>| run.forward(weights, x, Mode::Train, key)?.features.mean(&[0], false);
            let distance = mean(&pair.synthetic)?.squared_distance(&mean(&pair.real)?.detach()?)?;
            loss += distance.detach()?.scalar()?;
            let own = grad(&distance, std::slice::from_ref(&images), Keep::No)?.remove(0);
            gradient = Some(match gradient {
                Some(sum) => (&sum + &own)?,
                None => own,
            });
        }
        Ok((gradient.ok_or_else(|| Error::new("there is no class"))?, loss))
    }

    /// All classes in one pass of each side.
    fn at_once<'call>(&self, run: &Iteration<'call>, weights: &[Tensor<'call>]) -> Result<(Tensor<'call>, f64)> {
        let pairs: Vec<Pair<'call>> =
            (0..run.problem().classes).map(|class| self.pair(run, class)).collect::<Result<_>>()?;
        let real: Vec<Tensor<'call>> = pairs.iter().map(|pair| pair.real.clone()).collect();
        let synthetic: Vec<Tensor<'call>> = pairs.iter().map(|pair| pair.synthetic.clone()).collect();
        let key = run.key().fold("forward")?;
        let features = |parts: &[Tensor<'call>]| -> Result<Tensor<'call>> {
            Ok(run.forward(weights, &Tensor::concat(parts, 0)?, Mode::Train, key)?.features)
        };
        let (real_means, means) =
            (means(&features(&real)?.detach()?, &real)?, means(&features(&synthetic)?, &synthetic)?);
        let distance = means.squared_distance(&real_means)?;
        let loss = distance.detach()?.scalar()?;
        Ok((grad(&distance, &[run.learnable("images")?], Keep::No)?.remove(0), loss))
    }
}

/// Means of consecutive groups of rows, as many as the parts have: `[class, feature]`.
fn means<'call>(features: &Tensor<'call>, parts: &[Tensor<'call>]) -> Result<Tensor<'call>> {
    let (mut found, mut start) = (Vec::new(), 0);
    for part in parts {
        let rows = part.shape()?[0];
        found.push(features.slice(0, start, start + rows, 1)?.mean(&[0], false)?);
        start += rows;
    }
    Tensor::stack(&found, 0)
}

impl Matcher for Dm {
    const ID: &'static str = "dm";
    const SUMMARY: &'static str = "Distribution matching (Zhao and Bilen, WACV 2023)";
    const REVISION: u32 = 1;
    type Config = Config;

    fn create(config: Config) -> Result<Self> {
        Ok(Self(config))
    }

    fn describe(&self, problem: &Problem, description: &mut Description<'_>) -> Result<()> {
        let start = match self.0.init {
            Init::Real => Start::Real,
            Init::Noise => Start::Noise(1.0),
        };
        description.need(Need::Model)?;
        description.learnable(&Learnable::images(problem, start, self.0.lr).with_momentum(self.0.momentum))?;
        description.recipe(&pddflow_sdk::recipe(1000, &self.0.augment))
    }

    fn iterate(&self, run: &Iteration<'_>) -> Result<()> {
        let weights = run.start_weights(run.key().fold("net")?)?;
        let batch_norm = run.weights()?.iter().any(|weight| !weight.learnable);
        let (gradient, loss) = if batch_norm { self.at_once(run, &weights)? } else { self.by_class(run, &weights)? };
        run.step("images", &gradient)?;
        run.metric("loss", loss / run.problem().classes as f64)
    }
}

pddflow_sdk::plugin!(matcher Dm);
