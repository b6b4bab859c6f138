//! Dataset Distillation (DD) as a plugin: Wang, Zhu, Torralba and Efros, "Dataset Distillation", 2018, as in the authors' release.
//!
//! Images are learned in groups, each with equally many of every class, together with the learning rate of every step of a short training: step t
//! is plain gradient descent with group `t mod groups` as its batch. One iteration trains a net so from its first weights, and makes one step of
//! Adam on images and learning rates by the cross-entropy of the trained net, in evaluation mode, on a batch of real images:
//!
//! ```text
//! w_{t+1} = w_t - rate_t grad CE(w_t; group t mod groups)        loss = CE(w_T; real batch)
//! ```
//!
//! The gradient through all steps is exact, taken backwards one step at a time. Learning rates are the softplus of what Adam moves, so that they
//! stay above 0; the learnable `rates` holds the learning rates themselves.
//!
//! Each iteration starts from new weights (random initialisation), or from a net of the pool in `start`: with one fresh net and `fixed_start` of
//! the kind `distill` always from the same weights (fixed initialisation). Images are of use in their order and at their rates only, so
//! that the set's recipe is a script of T steps, which `evaluate` follows.
//!
//! | release | here |
//! |---|---|
//! | `distill_steps` K, `distilled_images_per_class_per_step` m | `ipc` of the node is K m, `per_step` is m |
//! | `distill_epochs` | `epochs`: how often all groups are gone through |
//! | real images by a shuffled loader, halved every 40 epochs | drawn without replacement in each iteration; `halve_every` counts iterations |
//!
//! The metric `accuracy_on_targets` is the share of the real batch, in percent, that the trained net has right.

mod unrolled;

use pddflow_sdk::{
    Adam, Description, Error, ImageInit, Iteration, Kind, Learnable, Matcher, Need, Problem, Result, Start, Tensor,
};
use serde_json::json;
use unrolled::Unrolled;

pddflow_sdk::parameters! {
    /// Parameters of DD.
    struct Dd {
        /// Images of each class in a step; `ipc` is a multiple of it.
        #[schemars(range(min = 1))]
        per_step: usize = 1,
        /// How often a net is shown all groups of images.
        #[schemars(range(min = 1))]
        epochs: usize = 3,
        /// Learning rate of images and learning rates, by Adam.
        #[schemars(range(min = 0.0))]
        lr: f64 = 0.01,
        /// Learning rate of each step at the beginning; the release has 0.02 for MNIST and 0.001 for CIFAR-10.
        #[schemars(range(min = 0.0))]
        inner_lr: f64 = 0.02,
        /// Iterations after which `lr` is halved, again and again; 0 for never. 2344 are the release's 40 epochs of MNIST.
        halve_every: u64 = 2344,
        /// Real images in an iteration.
        #[schemars(range(min = 1))]
        batch: usize = 1024,
        /// Nets in an iteration, whose gradients are averaged.
        #[schemars(range(min = 1))]
        nets: usize = 1,
        /// How the images start.
        init: ImageInit = ImageInit::Noise,
    }
}

impl Dd {
    /// Numbers of groups and of steps.
    fn counts(&self, problem: &Problem) -> Result<(usize, usize)> {
        if !problem.ipc.is_multiple_of(self.per_step) {
            let message = format!("{} images per class are no multiple of `per_step`, {}", problem.ipc, self.per_step);
            return Err(Error::config(message));
        }
        let groups = problem.ipc / self.per_step;
        Ok((groups, groups * self.epochs))
    }

    /// The rows of a group: the next images of each class.
    fn rows(&self, problem: &Problem, group: usize) -> Vec<usize> {
        let own = |class: usize| (0..self.per_step).map(move |at| class * problem.ipc + group * self.per_step + at);
        (0..problem.classes).flat_map(own).collect()
    }
}

impl Matcher for Dd {
    const ID: &'static str = "dd";
    const SUMMARY: &'static str =
        "Dataset Distillation (Wang et al. 2018): images and learning rates of a short training";
    const REVISION: u32 = 1;

    fn check(&self) -> Result<()> {
        match self.inner_lr > 0.0 {
            true => Ok(()),
            false => Err(Error::config("`inner_lr` must be above 0")),
        }
    }

    fn describe(&self, problem: &Problem, description: &mut Description<'_>) -> Result<()> {
        let (groups, steps) = self.counts(problem)?;
        description.learnable(&Learnable::images(problem, self.init, self.lr))?;
        description.learnable(&Learnable::new(
            Kind::Other,
            "rates",
            &[steps],
            Start::Constant(self.inner_lr),
            self.lr,
        ))?;
        description.need(Need::Model)?;
        let rows: Vec<_> = (0..groups).map(|group| self.rows(problem, group)).collect();
        description.recipe(&json!({
            "epochs": 1, "batch": problem.classes * self.per_step, "lr": self.inner_lr, "momentum": 0.0, "weight_decay": 0.0,
            "schedule": "constant", "augment": "none", "script": { "groups": rows, "rates": "rates" },
        }))
    }

    fn iterate(&self, run: &Iteration<'_>) -> Result<()> {
        let problem = run.problem();
        let (groups, steps) = self.counts(problem)?;
        if run.has_statistics()? {
            return Err(Error::config(
                "DD needs a net without running statistics, since its few steps do not make them",
            ));
        }
        let rates = run.learnable("rates")?.detach()?.to_f64_vec()?;
        let rows: Vec<_> = (0..groups).map(|group| self.rows(problem, group)).collect();
        let (mut by_images, mut by_rates): (Option<Tensor<'_>>, _) = (None, vec![0.0; steps]);
        let (mut loss, mut accuracy) = (0.0, 0.0);
        for net in 0..self.nets {
            let key = run.key().fold_u64(net as u64)?;
            let real = run.real_batch(None, self.batch, key.fold("real")?)?;
            let found = Unrolled::new(run, &rows, &rates, key)?.gradient(&real)?;
            by_rates.iter_mut().zip(&found.rates).for_each(|(sum, own)| *sum += own / self.nets as f64);
            let own = (&found.images * (1.0 / self.nets as f64))?;
            by_images = Some(match by_images {
                Some(before) => (&before + &own)?,
                None => own,
            });
            loss += found.loss / self.nets as f64;
            accuracy += found.accuracy / self.nets as f64;
        }
        let halvings = run.number().checked_div(self.halve_every).unwrap_or(0);
        let adam = Adam { betas: [0.5, 0.999], ..Adam::new(self.lr * libm::pow(0.5, halvings as f64)) };
        if let Some(gradient) = &by_images {
            adam.step(run, "images", gradient)?;
        }
        // rate = ln(1 + e^raw), so raw = ln(e^rate - 1), and d rate / d raw = 1 - e^-rate.
        let slopes: Vec<f64> = by_rates.iter().zip(&rates).map(|(by, rate)| -by * libm::expm1(-rate)).collect();
        let change = adam.change(run, "rates", &Tensor::from_f64(run.call(), &slopes, &[steps])?)?.to_f64_vec()?;
        let raw = rates.iter().zip(change).map(|(rate, change)| rate + libm::log(-libm::expm1(-rate)) - change);
        let moved: Vec<f64> = raw.map(softplus).collect();
        run.assign("rates", &Tensor::from_f64(run.call(), &moved, &[steps])?)?;
        run.metric("loss", loss)?;
        run.metric("accuracy_on_targets", 100.0 * accuracy)?;
        run.metric("mean_rate", rates.iter().sum::<f64>() / steps as f64)
    }
}

/// ln(1 + e^x), without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + libm::log1p(libm::exp(-x.abs()))
}

pddflow_sdk::plugin!(matcher Dd);
