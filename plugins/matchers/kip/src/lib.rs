//! Kernel inducing points (KIP) as a plugin: Nguyen, Chen and Lee, "Dataset Meta-Learning from Kernel Ridge-Regression", ICLR 2021, as in
//! the authors' notebook, with the kernels of fully connected nets, which have a closed form.
//!
//! One iteration draws a batch t of real images, equally many of each class, predicts its labels from the synthetic images s by kernel
//! ridge regression, and makes one step of Adam on the images, and on the labels if they are learned, by half the mean squared error
//!
//! ```text
//! scores = K_ts (K_ss + ridge tr(K_ss) / n I)^-1 y_s        loss = mean over all entries of (scores - y_t)^2 / 2
//! ```
//!
//! Labels are centred: `1 - 1/C` at the class, `-1/C` elsewhere. No net is trained, so no model is needed. The metric
//! `accuracy_on_targets` is the share of the batch, in percent, that the regression classifies right before the step: images
//! that the set has mostly not seen.
//!
//! With earlier sets wired (PDD), s is the union of all sets, and only new images and labels move. Start weights have no
//! meaning here.
//!
//! Learned labels are any numbers, not probabilities: the set carries them as they are, and a recipe whose loss is the squared distance. It
//! says, too, by which kernel and ridge the set is read where `evaluate` has `regression: {}`, as the paper's kernel results are.

mod kernel;

use kernel::{Kernel, OfNet};
use pddflow_sdk::{
    Adam, Decoded, Description, ImageInit, Iteration, Keep, Kind, Learnable, Learnables, Matcher, Part, Problem,
    Result, Rows, Start, Tensor, centred, grad, ridge_regression,
};
use serde_json::json;

pddflow_sdk::parameters! {
    /// Parameters of KIP.
    struct Kip {
        /// Kernel of the infinitely wide net.
        kernel: Kernel = Kernel::Ntk,
        /// Hidden layers of the net.
        #[schemars(range(min = 1, max = 64))]
        depth: usize = 1,
        /// Learning rate of the images, by Adam.
        #[schemars(range(min = 0.0))]
        lr: f64 = 0.04,
        /// Whether the labels are learned.
        learn_labels: bool = false,
        /// Learning rate of learned labels, by Adam.
        #[schemars(range(min = 0.0))]
        lr_labels: f64 = 0.04,
        /// Real images in an iteration, equally many of each class.
        #[schemars(range(min = 1))]
        batch: usize = 5000,
        /// What is added to the diagonal of the kernel, as a part of its mean.
        #[schemars(range(min = 0.0))]
        ridge: f64 = 1e-6,
        /// How the images start.
        init: ImageInit = ImageInit::Real,
    }
}

impl Kip {
    /// Scores `[target, class]` of real images by regression on a set; `identity` is the unit matrix of its number of images.
    fn scores<'call>(
        &self,
        targets: &Tensor<'call>,
        [images, labels]: [&Tensor<'call>; 2],
        identity: &Tensor<'call>,
    ) -> Result<Tensor<'call>> {
        let kernel = OfNet { kernel: self.kernel, depth: self.depth };
        let within = kernel.within(images, identity)?;
        ridge_regression(&within, &kernel.between(targets, images)?, labels, self.ridge)
    }

    /// What is learned, with the learning rates.
    fn learned(&self) -> Vec<(&'static str, f64)> {
        let labels = self.learn_labels.then_some(("labels", self.lr_labels));
        std::iter::once(("images", self.lr)).chain(labels).collect()
    }
}

impl Matcher for Kip {
    const ID: &'static str = "kip";
    const SUMMARY: &'static str = "Kernel inducing points (Nguyen, Chen and Lee, ICLR 2021), fully connected kernels";
    const REVISION: u32 = 2;
    const DECODES: bool = true;

    fn describe(&self, problem: &Problem, description: &mut Description<'_>) -> Result<()> {
        description.learnable(&Learnable::images(problem, self.init, self.lr))?;
        if self.learn_labels {
            let shape = [problem.classes * problem.ipc, problem.classes];
            let labels = Learnable::new(Kind::Labels, "labels", &shape, Start::OneHot, self.lr_labels);
            description.learnable(&labels)?;
        }
        let mut recipe = pddflow_sdk::recipe(1000, "none");
        let tangent = self.kernel == Kernel::Ntk;
        recipe["regression"] = json!({ "kernel": { "fully_connected": { "depth": self.depth, "tangent": tangent } }, "ridge": self.ridge });
        if self.learn_labels {
            recipe["loss"] = "mse".into();
        }
        description.recipe(&recipe)
    }

    fn decode<'call>(&self, problem: &Problem, learnables: &Learnables<'call>) -> Result<Decoded<'call>> {
        let labels = match self.learn_labels {
            true => learnables.get("labels")?.clone(),
            false => Tensor::from_i64(learnables.call(), &problem.labels(), &[problem.labels().len()])?,
        };
        Ok(Decoded { images: learnables.get("images")?.clone(), labels })
    }

    fn iterate(&self, run: &Iteration<'_>) -> Result<()> {
        let classes = run.problem().classes;
        let all: Vec<usize> = (0..classes).collect();
        let targets = run.real(&all, self.batch.div_ceil(classes), "none", run.key().fold("targets")?)?.set;
        let set = run.set(&Rows::all(Part::Union))?;
        let (images, labels) = (set.images, centred(&set.labels, classes)?);
        let rows = images.shape()?[0];
        let identity = Tensor::arange(run.call(), rows)?.one_hot(rows)?;
        let scores = self.scores(&targets.images, [&images, &labels], &identity)?;
        let wanted = centred(&targets.labels, classes)?;
        let loss = (&(&scores - &wanted)?.square()?.mean(&[], false)? * 0.5)?;
        let learned = self.learned();
        let leaves = learned.iter().map(|(name, _)| run.learnable(name)).collect::<Result<Vec<_>>>()?;
        for ((name, lr), gradient) in learned.into_iter().zip(grad(&loss, &leaves, Keep::No)?) {
            Adam::new(lr).step(run, name, &gradient)?;
        }
        run.metric("loss", loss.detach()?.scalar()?)?;
        run.metric("accuracy_on_targets", 100.0 * scores.accuracy(&targets.labels)?)
    }
}

pddflow_sdk::plugin!(matcher Kip);
