//! Gradient matching as a plugin: DC, and DSA, which is DC with Siamese augmentation.
//!
//! Zhao, Mopuri and Bilen, "Dataset Condensation with Gradient Matching", ICLR 2021; Zhao and Bilen, "Dataset Condensation with
//! Differentiable Siamese Augmentation", ICML 2021; as in the authors' code. One iteration is one pass of the outer loop of
//! Algorithm 1: a net `theta_0`, and K = `outer` times
//!
//! 1. for each class c the distance `D(grad L_T(theta), grad L_S(theta))` of the gradients by the net's weights of the mean
//!    cross-entropy over real images of c (constant) and over the synthetic images of c, both augmented with the same draw (DSA);
//! 2. one SGD step on all images by the sum over the classes;
//! 3. except the last time: T = `inner` epochs of training the net on the images, by plain SGD.
//!
//! | preset | `augment` | `init` |
//! |---|---|---|
//! | none: DC | `none` | `noise` |
//! | `dsa` | `dsa:color_crop_cutout_flip_scale_rotate` | `real` |
//! | `dsa-digits` | `dsa:color_crop_cutout_scale_rotate` | `real` |
//!
//! With batch normalisation the authors first set the running statistics from 16 real images per class and then keep them fixed; so
//! here. Where the node has several models, each pass is by the next one in turn.

mod distance;

use distance::Distance;
use pddflow_sdk::{
    Description, ImageInit, Iteration, Keep, Learnable, Matcher, Mode, Need, Net, Part, Problem, Result, Rows, TrainOn,
    Training,
};
use serde_json::{Value, json};

pddflow_sdk::parameters! {
    /// Parameters of DC and DSA.
    #[schemars(extend("presets" = presets()))]
    struct Dc {
        /// Learning rate of the images.
        #[schemars(range(min = 0.0))]
        lr: f64 = 0.1,
        /// Momentum of the images.
        #[schemars(range(min = 0.0, max = 1.0))]
        momentum: f64 = 0.5,
        /// Real images per class and step.
        #[schemars(range(min = 1))]
        batch: usize = 256,
        /// How the images start.
        init: ImageInit = ImageInit::Noise,
        /// Distance of gradients (D).
        distance: Distance = Distance::Ours,
        /// Augmentation of both sides, one draw for all images of a class, and of the net's training, a draw for each: `dsa:...`, or
        /// `none`.
        augment: String = "none".to_owned(),
        /// Steps on the images per net (K). If not given, the authors' by images per class: 1 below 10, then 10, 20, 30, 40, and 50
        /// from 50 on.
        #[schemars(range(min = 1))]
        outer: Option<u64> = None,
        /// Epochs of training the net between these steps (T). If not given, the authors' by images per class: 1 below 10, then 50,
        /// 25, 20, 15, and 10 from 50 on.
        inner: Option<u64> = None,
        /// Learning rate of the net.
        #[schemars(range(min = 0.0))]
        lr_net: f64 = 0.01,
        /// Images in a batch of the net's training.
        #[schemars(range(min = 1))]
        batch_net: usize = 256,
    }
}

/// DSA's parameters (README of the authors' code); digits are not mirrored.
fn presets() -> Value {
    let dsa = |kinds: &str| json!({ "augment": format!("dsa:color_crop_cutout_{kinds}scale_rotate"), "init": "real" });
    json!({ "dsa": dsa("flip_"), "dsa-digits": dsa("") })
}

/// The authors' (K, T) for a number of images per class; their table has no entries in between, which take the one below.
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

impl Matcher for Dc {
    const ID: &'static str = "dc";
    const SUMMARY: &'static str = "Gradient matching: DC (ICLR 2021), and DSA (ICML 2021) with `augment`";
    const REVISION: u32 = 1;

    fn describe(&self, problem: &Problem, description: &mut Description<'_>) -> Result<()> {
        description.need(Need::Models)?;
        description.learnable(&Learnable::images(problem, self.init, self.lr).with_momentum(self.momentum))?;
        let epochs = if self.augment == "none" { 300 } else { 1000 };
        description.recipe(&pddflow_sdk::recipe(epochs, &self.augment))
    }

    fn iterate(&self, run: &Iteration<'_>) -> Result<()> {
        run.in_turn(|run| self.condense(run))
    }
}

impl Dc {
    /// One pass of the outer loop, by the model that is chosen.
    fn condense(&self, run: &Iteration<'_>) -> Result<()> {
        let (outer, inner) = loops(run.problem().ipc);
        let (outer, inner) = (self.outer.unwrap_or(outer), self.inner.unwrap_or(inner));
        let training = Training {
            epochs: inner,
            batch: self.batch_net,
            lr: self.lr_net,
            augment: self.augment.clone(),
            ..Training::default()
        };
        let mode = if run.has_statistics()? { Mode::Eval } else { Mode::Train };
        let mut net = Net::new(run.start_weights(run.key().fold("net")?)?);
        let mut loss = 0.0;
        for step in 0..outer {
            let key = run.key().fold("outer")?.fold_u64(step)?;
            let weights = run.with_statistics(&net.weights, key.fold("statistics")?)?;
            let theta = run.leaves(&weights, |weight| weight.learnable)?;
            let (gradient, distance) = run.sum_over(&run.classes_apart(), |class| {
                let real = run.real(class, self.batch, &self.augment, key)?;
                let wanted = theta.gradient(run, &real.set, mode, Keep::No)?;
                let synthetic = run.synthetic(class, None, &self.augment, key)?;
                let found = theta.gradient(run, &synthetic.set, mode, Keep::OnTape)?;
                self.distance.between(&wanted, &found)
            })?;
            run.step("images", &gradient)?;
            loss += distance;
            if step + 1 < outer && inner > 0 {
                let set = TrainOn::Given(run.set(&Rows::all(Part::Union))?);
                run.train(&mut net, &set, &training, key.fold("train")?)?;
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
