//! Distribution matching (DM) as a plugin: Zhao and Bilen, "Dataset Condensation with Distribution Matching", WACV 2023.
//!
//! Each iteration of Algorithm 1 draws an embedding `psi` (the features of a net with fresh random weights, or of one from the wired
//! pool; frozen, in training mode) and an augmentation `A_w` for each class, the same for both sides, and lowers by one SGD step on
//! the images
//!
//! ```text
//! sum over classes c of | mean over real x of c: psi(A_w(x)) - mean over synthetic s of c: psi(A_w(s)) |^2
//! ```
//!
//! A net with batch normalisation sees all classes in one pass, since its statistics are over all of them. Where the node has several
//! models, `psi` is drawn of each in turn.

use pddflow_sdk::{Description, ImageInit, Iteration, Learnable, Matcher, Need, Problem, Result};

pddflow_sdk::parameters! {
    /// Parameters of DM.
    struct Dm {
        /// Learning rate of the images. The paper: 1, but 10 for CIFAR-10 from 100 images per class on.
        #[schemars(range(min = 0.0))]
        lr: f64 = 1.0,
        /// Momentum of the images.
        #[schemars(range(min = 0.0, max = 1.0))]
        momentum: f64 = 0.5,
        /// Real images per class and iteration.
        #[schemars(range(min = 1))]
        batch: usize = 256,
        /// How the images start.
        init: ImageInit = ImageInit::Real,
        /// Augmentation of both sides, one draw for all images of a class: `dsa:...`, or `none`. Leave out `flip` for digits.
        augment: String = "dsa:color_crop_cutout_flip_scale_rotate".to_owned(),
    }
}

impl Matcher for Dm {
    const ID: &'static str = "dm";
    const SUMMARY: &'static str = "Distribution matching (Zhao and Bilen, WACV 2023)";
    const REVISION: u32 = 2;

    fn describe(&self, problem: &Problem, description: &mut Description<'_>) -> Result<()> {
        description.need(Need::Models)?;
        description.learnable(&Learnable::images(problem, self.init, self.lr).with_momentum(self.momentum))?;
        description.recipe(&pddflow_sdk::recipe(1000, &self.augment))
    }

    fn iterate(&self, run: &Iteration<'_>) -> Result<()> {
        let (gradient, loss) = run.in_turn(|run| {
            let psi = run.start_weights(run.key().fold("net")?)?;
            run.sum_over(&run.synthetic_groups()?, |classes| {
                run.feature_distance(&psi, classes, (self.batch, &self.augment), run.key())
            })
        })?;
        run.step("images", &gradient)?;
        run.metric("loss", loss / run.problem().classes as f64)
    }
}

pddflow_sdk::plugin!(matcher Dm);
