//! IDC as a plugin: Kim et al., "Dataset Condensation via Efficient Synthetic-Data Parameterization", ICML 2022, as in the authors'
//! code. `factor: 1` is their IDC-I.
//!
//! The stored images lie in `[0, 1]`; each is decoded to `factor * factor` images (the multi-formation, see `formation`). They start
//! as real images, tiled `factor` x `factor`. One iteration of Algorithm 1 limits them to `[0, 1]`, takes one net, trains it for
//! `early` epochs on real data, and repeats `inner` times:
//!
//! 1. for each class in turn: the distance of the gradients over real images (constant) and over at most `batch_syn_max` decoded
//!    images of the class, random ones if there are more, by the weights of the net's convolutions (see `metric`); both sides
//!    normalised, then augmented with the same draw; and **one SGD step on the images at once**;
//! 2. training of the net on at least `samples` real images, augmented one by one, with CutMix.
//!
//! Batches of real images are drawn anew without replacement; the authors deal out the whole class before an image comes again.
//!
//! The learning rate of the images is `lr * (ipc / 10) * (rows / side)^2`, `ipc` being that of the set which is distilled: with earlier
//! sets (PDD) it does not grow with their number. The authors' numbers by data set are presets; the defaults are `cifar`'s, which
//! stand for CIFAR-10, CIFAR-100 and Tiny-ImageNet. For pictures of 224 pixels the authors take `factor: 3`, `metric: l1`,
//! `side: 224`, `early: 10`.
//!
//! With `prefix_period` each first part of the images of a class becomes good by itself (see `prefix`): MDC, whose authors take 100.
//!
//! Labels are the classes; the method has no soft labels.

mod formation;
mod metric;
mod prefix;

use metric::Metric;
use pddflow_sdk::{
    Decoded, Description, Error, Iteration, Keep, Key, Learnable, Learnables, Leaves, Matcher, Mode, Need, Net,
    Problem, Result, Start, Tensor, TrainOn, Training, grad, scalars,
};
use prefix::Prefixes;
use serde_json::{Value, json};

pddflow_sdk::parameters! {
    /// Parameters of IDC.
    #[schemars(extend("presets" = presets()))]
    struct Idc {
        /// Cells per side of a stored image (f): 1, 2 (the authors' for small images) or 3.
        #[schemars(range(min = 1, max = 16))]
        factor: u32 = 2,
        /// Distance of gradients.
        metric: Metric = Metric::Mse,
        /// Learning rate of the images, for ten per class and images of `side` rows.
        #[schemars(range(min = 0.0))]
        lr: f64 = 5e-3,
        /// Rows of an image for which `lr` is meant.
        #[schemars(range(min = 1.0))]
        side: f64 = 32.0,
        /// Momentum of the images.
        #[schemars(range(min = 0.0, max = 1.0))]
        momentum: f64 = 0.5,
        /// Real images per class and step.
        #[schemars(range(min = 1))]
        batch: usize = 64,
        /// Most decoded images per class and step.
        #[schemars(range(min = 1))]
        batch_syn_max: usize = 128,
        /// Augmentation of both sides, one draw for all images of a class: `idc:...`, or `none`.
        augment: String = "idc:color_crop_cutout".to_owned(),
        /// Rounds of steps on the images and training of the net, per net.
        #[schemars(range(min = 1))]
        inner: u64 = 100,
        /// Epochs of training the net on all real images before the first step.
        early: u64 = 0,
        /// Real images of the net's training in a round.
        samples: usize = 2000,
        /// Augmentation of the net's training, drawn per image.
        augment_net: String = "idc:color_crop".to_owned(),
        /// Probability of CutMix in the net's training.
        #[schemars(range(min = 0.0, max = 1.0))]
        cutmix: f64 = 0.5,
        /// Images in a batch of the net's training.
        #[schemars(range(min = 1))]
        batch_net: usize = 64,
        /// Learning rate of the net.
        #[schemars(range(min = 0.0))]
        lr_net: f64 = 0.01,
        /// Momentum of the net's training.
        #[schemars(range(min = 0.0, max = 1.0))]
        momentum_net: f64 = 0.9,
        /// Weight decay of the net's training.
        #[schemars(range(min = 0.0))]
        decay_net: f64 = 5e-4,
        /// Iterations after which another first part of each class is chosen, to be matched beside the whole, so that smaller sets are good, too (MDC: 100); none
        /// if not given.
        #[schemars(range(min = 1))]
        prefix_period: Option<u64> = None,
        /// Augmentation in the recipe of the set, drawn per image. Digits are not mirrored.
        augment_recipe: String = "idc:color_crop_flip_scale_rotate".to_owned(),
        /// Probability of CutMix in the recipe of the set.
        #[schemars(range(min = 0.0, max = 1.0))]
        cutmix_recipe: f64 = 0.5,
    }
}

/// The authors' numbers by data set (snu-mllab/Efficient-Dataset-Condensation at ceac95a, `argument.py`); those for `factor: 1` (IDC-I)
/// where they differ have a name of their own. With CutMix there is no cutout in the recipe.
fn presets() -> Value {
    let digits = "idc:color_crop_scale_rotate";
    let mnist = json!({ "metric": "l1", "lr": 1e-4, "side": 28, "samples": 500, "augment_recipe": digits });
    let svhn = json!({ "samples": 500, "augment_recipe": digits });
    let with = |preset: &Value, more: Value| {
        let mut preset = preset.clone();
        preset.as_object_mut().into_iter().for_each(|map| map.extend(more.as_object().cloned().unwrap_or_default()));
        preset
    };
    json!({
        "cifar": {},
        "svhn": svhn,
        "svhn-idc-i": with(&svhn, json!({ "factor": 1 })),
        "svhn-idc-i-ipc1": with(
            &svhn,
            json!({ "factor": 1, "augment_recipe": "idc:color_crop_cutout_scale_rotate", "cutmix_recipe": 0 }),
        ),
        "mnist": with(&mnist, json!({ "augment": "idc:color_crop", "cutmix": 0, "cutmix_recipe": 0 })),
        "mnist-idc-i": with(&mnist, json!({ "factor": 1 })),
        "fashion-mnist": { "metric": "l1", "lr": 1e-4, "samples": 500 },
    })
}

impl Idc {
    /// Learning rate of the images.
    fn lr(&self, problem: &Problem) -> f64 {
        let scale = problem.height as f64 / self.side;
        self.lr * (problem.ipc as f64 / 10.0) * scale * scale
    }

    /// One class: distance and step, with a prefix if there are such.
    fn step<'call>(
        &self,
        run: &Iteration<'call>,
        net: &Leaves<'call>,
        (class, prefixes): (usize, &mut Option<Prefixes<'_, 'call>>),
        key: Key<'call>,
    ) -> Result<Tensor<'call>> {
        let real = run.real(&[class], self.batch, &self.augment, key)?;
        let wanted = net.gradient(run, &real.set, Mode::Train, Keep::No)?;
        let most = prefixes.is_none().then_some(self.batch_syn_max);
        let synthetic = run.synthetic(&[class], most, &self.augment, key)?;
        let found = net.gradient(run, &synthetic.set, Mode::Train, Keep::OnTape)?;
        let mut distance = self.metric.between(&wanted, &found)?;
        if let Some(prefixes) = prefixes {
            prefixes.measure(net, &real.set, &synthetic.set)?;
            if let Some(part) = prefixes.part(&synthetic.set)? {
                let found = net.gradient(run, &part, Mode::Train, Keep::OnTape)?;
                distance = (&distance + &self.metric.between(&wanted, &found)?)?;
            }
        }
        let mut gradient = grad(&distance, &[run.learnable("images")?], Keep::No)?.remove(0);
        if let Some(prefixes) = prefixes {
            gradient = prefixes.moving(gradient)?;
        }
        run.step("images", &gradient)?;
        distance.detach()
    }

    fn train<'call>(
        &self,
        run: &Iteration<'call>,
        net: &mut Net<'call>,
        (samples, epochs): (usize, u64),
        key: Key<'call>,
    ) -> Result<()> {
        if samples == 0 || epochs == 0 {
            return Ok(());
        }
        let how = Training {
            epochs,
            batch: self.batch_net,
            lr: self.lr_net,
            momentum: self.momentum_net,
            weight_decay: self.decay_net,
            augment: self.augment_net.clone(),
            cutmix: self.cutmix,
            ..Training::default()
        };
        run.train(net, &TrainOn::Real(samples), &how, key)
    }
}

impl Matcher for Idc {
    const ID: &'static str = "idc";
    const SUMMARY: &'static str = "Gradient matching of multi-formation images: IDC (ICML 2022)";
    const REVISION: u32 = 1;
    const DECODES: bool = true;

    fn describe(&self, problem: &Problem, description: &mut Description<'_>) -> Result<()> {
        let factor = self.factor as usize;
        if factor > problem.height.min(problem.width) {
            let (rows, columns) = (problem.height, problem.width);
            return Err(Error::new(format!(
                "`factor` is {factor}, more than images of {rows}x{columns} can be cut into"
            )));
        }
        if self.prefix_period.is_some() && problem.ipc < 2 {
            return Err(Error::config("`prefix_period` is given, and one image per class has no first part"));
        }
        let start = if factor == 1 { Start::Real } else { Start::Tile(self.factor) };
        let images = Learnable::images(problem, start, self.lr(problem))
            .with_momentum(self.momentum)
            .with_clamp(0.0, 1.0)
            .in_unit_space();
        description.need(Need::Model)?;
        description.learnable(&images)?;
        let mut recipe = pddflow_sdk::recipe(1000, &self.augment_recipe);
        recipe["batch"] = 64.into();
        recipe["schedule"] = "idc".into();
        recipe["cutmix"] = self.cutmix_recipe.into();
        description.recipe(&recipe)
    }

    fn decode<'call>(&self, problem: &Problem, learnables: &Learnables<'call>) -> Result<Decoded<'call>> {
        formation::decode(learnables, problem, self.factor as usize)
    }

    fn iterate(&self, run: &Iteration<'_>) -> Result<()> {
        let classes = run.problem().classes;
        let mut net = Net::new(run.start_weights(run.key().fold("net")?)?);
        if self.early > 0 {
            let sizes = (0..classes).map(|class| run.class_size(class)).collect::<Result<Vec<_>>>()?;
            self.train(run, &mut net, (sizes.iter().sum(), self.early), run.key().fold("early")?)?;
        }
        let cells = self.factor as usize * self.factor as usize;
        let mut prefixes = self.prefix_period.map(|period| Prefixes::open(run, period, cells)).transpose()?;
        let mut losses = Vec::new();
        for round in 0..self.inner {
            let key = run.key().fold("round")?.fold_u64(round)?;
            // Only the convolutions are matched: the other weights need no gradient.
            let leaves = run.leaves(&net.weights, |weight| weight.shape.len() > 2)?;
            if leaves.chosen.is_empty() {
                return Err(Error::shape("the model has no convolution, so there is nothing to match"));
            }
            for class in 0..classes {
                losses.push(self.step(run, &leaves, (class, &mut prefixes), key)?);
            }
            // Nothing would see what is learned after the last step.
            if round + 1 < self.inner {
                self.train(run, &mut net, (self.samples, 1), key.fold("train")?)?;
            }
        }
        prefixes.map_or(Ok(()), Prefixes::finish)?;
        let loss: f64 = scalars(&losses)?.iter().sum();
        run.metric("loss", loss / (classes as f64 * self.inner as f64))
    }
}

pddflow_sdk::plugin!(matcher Idc);
