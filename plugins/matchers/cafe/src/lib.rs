//! Feature alignment over all layers (CAFE) as a plugin: Wang et al., "CAFE: Learning to Condense Dataset by Aligning Features",
//! CVPR 2022, as in the authors' code; CAFE+DSA is the same with `augment`.
//!
//! One iteration takes one net and runs the paper's dynamic bi-level optimisation, at most `max_outer` times:
//!
//! 1. one SGD step on the images by the alignment loss (see `alignment`);
//! 2. the accuracy of the net on `accuracy_batch` real images of every class; once `window` values are known and differ by less
//!    than `lambda1`, the iteration is over;
//! 3. epochs of training the net on the images, at most `max_inner`, with the same measurement after each, until `window` values
//!    differ by more than `lambda2`.
//!
//! | preset | what |
//! |---|---|
//! | none | CAFE |
//! | `dsa`, `dsa-digits` | CAFE+DSA; digits are not mirrored |
//! | `released`, `released-dsa` | as the authors' code does: accuracies leak, and the loops hardly end but by themselves |
//!
//! The learning rate of the images is multiplied by `drop_factor` at the iterations `drops`, given as shares of all iterations: of
//! 2000, the authors', they are 1200, 1600 and 1800.
//!
//! Two things differ from the authors' code unless a preset says so. Its two loops have no end if the accuracy never settles;
//! `max_outer` and `max_inner` are that end. And its accuracy is divided by the number of classes but never set back, so that
//! each value holds a tenth of the one before (`leaky`). Here it is the accuracy.
//!
//! Labels are the classes; the method has no soft labels.

mod alignment;
mod watch;

use pddflow_sdk::{
    Description, ImageInit, Iteration, Key, Learnable, Matcher, Need, Net, Part, Problem, Result, Rows, TrainOn,
    Training,
};
use serde_json::{Value, json};
use watch::{Meter, Watch};

pddflow_sdk::parameters! {
    /// Parameters of CAFE.
    #[schemars(extend("presets" = presets()))]
    struct Cafe {
        /// Learning rate of the images.
        #[schemars(range(min = 0.0))]
        lr: f64 = 0.1,
        /// Momentum of the images.
        #[schemars(range(min = 0.0, max = 1.0))]
        momentum: f64 = 0.5,
        /// Where the learning rate of the images drops, as shares of all iterations.
        #[schemars(inner(range(min = 0.0, max = 1.0)))]
        drops: Vec<f64> = vec![0.6, 0.8, 0.9],
        /// What it is multiplied by at each drop.
        #[schemars(range(min = 0.0, max = 1.0))]
        drop_factor: f64 = 0.5,
        /// Real images per class and step.
        #[schemars(range(min = 1))]
        batch: usize = 256,
        /// How the images start.
        init: ImageInit = ImageInit::Noise,
        /// Augmentation of both sides, one draw for all images of a class, and of the net's training, a draw for each: `dsa:...`, or
        /// `none`.
        augment: String = "none".to_owned(),
        /// Weights of the model's maps in order of depth and, last, of its features; if not given, 1 for the last three and 0.1 for
        /// those before, which for ConvNet-3 are the authors' 0.1, 0.1, 1, 1, 1.
        #[schemars(inner(range(min = 0.0)))]
        weights: Option<Vec<f64>> = None,
        /// Weight of the discrimination loss, in which the class means of the synthetic features classify the real ones.
        #[schemars(range(min = 0.0))]
        weight_inner: f64 = 0.01,
        /// Real images per class that measure the accuracy of a net.
        #[schemars(range(min = 1))]
        accuracy_batch: usize = 128,
        /// Accuracies that are compared.
        #[schemars(range(min = 2))]
        window: usize = 10,
        /// An iteration is over when the accuracies after steps on the images differ by less than this (lambda_1).
        #[schemars(range(min = 0.0))]
        lambda1: f64 = 0.04,
        /// Training between steps is over when the accuracies after its epochs differ by more than this (lambda_2).
        #[schemars(range(min = 0.0))]
        lambda2: f64 = 0.03,
        /// Most steps on the images per net.
        #[schemars(range(min = 1))]
        max_outer: u64 = 30,
        /// Most epochs of training the net between two steps.
        max_inner: u64 = 30,
        /// Learning rate of the net.
        #[schemars(range(min = 0.0))]
        lr_net: f64 = 0.01,
        /// Images in a batch of the net's training.
        #[schemars(range(min = 1))]
        batch_net: usize = 256,
        /// Whether accuracies leak into the next ones, as in the authors' code.
        leaky: bool = false,
    }
}

/// CAFE+DSA, and the loops of the authors' code (kaiwang960112/CAFE at b718ff5).
fn presets() -> Value {
    json!({
        "dsa": { "augment": "dsa:color_crop_cutout_flip_scale_rotate" },
        "dsa-digits": { "augment": "dsa:color_crop_cutout_scale_rotate" },
        "released": { "leaky": true, "max_outer": 1000, "max_inner": 1000 },
        "released-dsa": {
            "leaky": true, "max_outer": 1000, "max_inner": 1000, "augment": "dsa:color_crop_cutout_flip_scale_rotate"
        },
    })
}

impl Cafe {
    /// What the images' learning rate is multiplied by in an iteration.
    fn rate(&self, number: u64, horizon: u64) -> f64 {
        let passed = |share: &&f64| number as f64 >= (**share * horizon as f64).round();
        self.drop_factor.powi(self.drops.iter().filter(passed).count() as i32)
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
        let (augment, batch, lr) = (self.augment.clone(), self.batch_net, self.lr_net);
        let epoch_of = Training { batch, lr, augment, ..Training::default() };
        let mut watch = Watch::new(self.window);
        for epoch in 0..self.max_inner {
            let key = key.fold_u64(epoch)?;
            run.train(net, &set, &epoch_of, key.fold("train")?)?;
            if epoch + 1 == self.max_inner {
                break;
            }
            let accuracy = meter.measure(run, &net.weights, self.accuracy_batch, key.fold("accuracy")?)?;
            if watch.add(accuracy).is_some_and(|spread| spread > self.lambda2) {
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

    fn describe(&self, problem: &Problem, description: &mut Description<'_>) -> Result<()> {
        description.need(Need::Model)?;
        if !self.drops.is_empty() {
            description.need(Need::Horizon)?;
        }
        description.learnable(&Learnable::images(problem, self.init, self.lr).with_momentum(self.momentum))?;
        let epochs = if self.augment == "none" { 600 } else { 1000 };
        description.recipe(&pddflow_sdk::recipe(epochs, &self.augment))
    }

    fn iterate(&self, run: &Iteration<'_>) -> Result<()> {
        let rate = if self.drops.is_empty() { 1.0 } else { self.rate(run.number(), run.horizon()?) };
        let mut net = Net::new(run.start_weights(run.key().fold("net")?)?);
        let (mut watch, mut meter) = (Watch::new(self.window), Meter::new(self.leaky));
        let (mut loss, mut steps) = (0.0, 0);
        while steps < self.max_outer {
            let key = run.key().fold("outer")?.fold_u64(steps)?;
            let (gradient, aligned) = self.gradient(run, &net.weights, key)?;
            run.step_scaled("images", &gradient, rate)?;
            loss += aligned;
            steps += 1;
            if steps == self.max_outer {
                break;
            }
            let accuracy = meter.measure(run, &net.weights, self.accuracy_batch, key.fold("accuracy")?)?;
            if watch.add(accuracy).is_some_and(|spread| spread < self.lambda1) {
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
    fn the_learning_rate_drops_at_the_authors_iterations() {
        let cafe = Cafe::default();
        let rates = [0, 1199, 1200, 1599, 1600, 1799, 1800, 1999].map(|number| cafe.rate(number, 2000));
        assert_eq!(rates, [1.0, 1.0, 0.5, 0.5, 0.25, 0.25, 0.125, 0.125]);
        assert_eq!([5, 6, 8, 9].map(|number| cafe.rate(number, 10)), [1.0, 0.5, 0.25, 0.125]);
    }
}
