//! Random feature approximation (RFAD) as a plugin: Loo, Hasani, Amini and Rus, "Efficient Dataset Distillation using Random Feature Approximation",
//! NeurIPS 2022, as in the authors' release.
//!
//! One iteration draws nets with random weights, predicts the labels of batches of real images from the features of the set by kernel ridge
//! regression, and makes one step of AdaBelief. With Phi the features of all nets side by side, over the root of their number:
//!
//! ```text
//! K_ab = 2 Phi_a Phi_b^T + 0.01        scores = K_ts (K_ss + ridge tr(K_ss) / n I)^-1 y_s
//! loss = mean over all entries of (scores - y_t)^2 / 2, or the cross-entropy of e^k scores
//! ```
//!
//! That is the kernel of the infinitely wide net whose last layer is trained, estimated by few nets anew in each iteration: KIP's objective for any
//! net that this program has. Weights are normal with variance 2 over the inputs, biases with variance 0.01; the release's net is
//! `convnet: { width: 256, norm: none }`, which here pads grey images by 3 first.
//!
//! Learned are the images; a matrix on all of their pixels, identity at first, whose product with the images is the set (`transform`); labels
//! (`learn_labels`); and the scale k (`platt`). Learned labels are any numbers, which the set carries as they are.
//!
//! With earlier sets wired (PDD), s is the union of all sets and only what is new moves. Start weights have no meaning: the nets are the prior.
//!
//! Every `validate_every` iterations the set predicts real images that are drawn once for that, by nets that are always the same. The state with the
//! lowest loss there is the result; after `patience` iterations without a lower one nothing is done any more (early stopping). These images stay among
//! those of the batches, as in the release, which draws them with replacement, here without.
//!
//! The metric `accuracy_on_targets` is the share of the real batches, in percent, that the regression has right; `validation_loss` is the loss on the
//! images drawn for that, and `stopped` becomes 1 when nothing is done any more.

mod nets;
mod validation;

use nets::{VARIANCES, features, kernel, random_nets};
use pddflow_sdk::{
    Adam, Decoded, Description, ImageInit, Iteration, Keep, Kind, Learnable, Learnables, Matcher, Need, Part, Problem,
    Result, Rows, Start, Tensor, centred, grad, ridge_regression,
};
use serde_json::json;
use validation::{Rules, Validation};

pddflow_sdk::parameters! {
    /// Parameters of RFAD.
    struct Rfad {
        /// Nets whose features are taken in an iteration.
        #[schemars(range(min = 1, max = 256))]
        nets: usize = 8,
        /// Batches of real images in an iteration, each drawn without replacement.
        #[schemars(range(min = 1, max = 256))]
        batches: usize = 4,
        /// Real images in a batch.
        #[schemars(range(min = 1))]
        batch: usize = 1280,
        /// What is added to the diagonal of the kernel, as a part of its mean.
        #[schemars(range(min = 0.0))]
        ridge: f64 = 5e-3,
        /// Learning rate of images and labels, by AdaBelief.
        #[schemars(range(min = 0.0))]
        lr: f64 = 1e-3,
        /// Whether a matrix on all pixels is learned.
        transform: bool = true,
        /// Learning rate of the matrix.
        #[schemars(range(min = 0.0))]
        lr_transform: f64 = 5e-5,
        /// Whether the labels are learned.
        learn_labels: bool = true,
        /// Whether the loss is the cross-entropy of the scores times a scale that is learned (Platt scaling).
        platt: bool = true,
        /// Learning rate of the logarithm of that scale.
        #[schemars(range(min = 0.0))]
        lr_platt: f64 = 1e-2,
        /// How the images start.
        init: ImageInit = ImageInit::Real,
        /// Iterations between two validations, at whose end the best state is the result; 0 for none, and the last state as the result.
        validate_every: u64 = 40,
        /// Nets of a validation.
        #[schemars(range(min = 1, max = 256))]
        validation_nets: usize = 16,
        /// Real images of each class in a validation.
        #[schemars(range(min = 1))]
        validation_images: usize = 500,
        /// Iterations without a lower loss in a validation after which nothing is done any more.
        #[schemars(range(min = 1))]
        patience: u64 = 1000,
    }
}

impl Rfad {
    /// What is learned, with its learning rate.
    fn learned(&self) -> Vec<(&'static str, f64)> {
        let all = [
            (true, "images", self.lr),
            (self.learn_labels, "labels", self.lr),
            (self.transform, "transform", self.lr_transform),
            (self.platt, "platt", self.lr_platt),
        ];
        all.into_iter().filter(|(learned, ..)| *learned).map(|(_, name, lr)| (name, lr)).collect()
    }

    /// How the best state is found.
    fn validation(&self) -> Rules {
        let (every, patience, ridge) = (self.validate_every, self.patience, self.ridge);
        Rules { every, nets: self.validation_nets, images: self.validation_images, patience, ridge }
    }

    /// The loss of scores of images of these classes.
    fn loss<'call>(
        &self,
        run: &Iteration<'call>,
        scores: &Tensor<'call>,
        wanted: &Tensor<'call>,
    ) -> Result<Tensor<'call>> {
        match self.platt {
            true => (scores * &run.learnable("platt")?.exp()?)?.cross_entropy(wanted),
            false => &(scores - &centred(wanted, run.problem().classes)?)?.square()?.mean(&[], false)? * 0.5,
        }
    }
}

impl Matcher for Rfad {
    const ID: &'static str = "rfad";
    const SUMMARY: &'static str =
        "Random feature approximation (Loo et al., NeurIPS 2022): kernel regression with random nets";
    const REVISION: u32 = 2;
    const DECODES: bool = true;

    fn describe(&self, problem: &Problem, description: &mut Description<'_>) -> Result<()> {
        let rows = problem.classes * problem.ipc;
        let pixels = problem.channels * problem.height * problem.width;
        description.learnable(&Learnable::images(problem, self.init, self.lr))?;
        for (name, lr) in self.learned() {
            let zero = Start::Constant(0.0);
            let learnable = match name {
                "labels" => Learnable::new(Kind::Labels, name, &[rows, problem.classes], Start::OneHot, lr),
                "transform" => Learnable::new(Kind::Other, name, &[pixels, pixels], zero, lr),
                "platt" => Learnable::new(Kind::Other, name, &[1], zero, lr),
                _ => continue,
            };
            description.learnable(&learnable)?;
        }
        description.need(Need::Model)?;
        if self.validate_every > 0 {
            // What is best is known at the end.
            description.need(Need::Horizon)?;
        }
        let mut recipe = pddflow_sdk::recipe(1000, "none");
        recipe["loss"] = "mse".into();
        let features = json!({ "nets": 16, "bias": VARIANCES.1 / VARIANCES.0, "gaussian": true });
        recipe["regression"] = json!({ "kernel": { "features": features }, "ridge": self.ridge });
        description.recipe(&recipe)
    }

    fn decode<'call>(&self, problem: &Problem, learnables: &Learnables<'call>) -> Result<Decoded<'call>> {
        let images = learnables.get("images")?;
        let images = match self.transform {
            // The matrix is the identity plus what is learned.
            true => {
                let change = images.flatten_rows()?.matmul(learnables.get("transform")?)?;
                (images + &change.reshape(&images.shape()?)?)?
            }
            false => images.clone(),
        };
        let labels = match self.learn_labels {
            true => learnables.get("labels")?.clone(),
            false => Tensor::from_i64(learnables.call(), &problem.labels(), &[problem.labels().len()])?,
        };
        Ok(Decoded { images, labels })
    }

    fn iterate(&self, run: &Iteration<'_>) -> Result<()> {
        let mut validation = Validation::open(self.validation(), run)?;
        if validation.is_over() {
            return Ok(());
        }
        let classes = run.problem().classes;
        let nets = random_nets(run, self.nets, run.key().fold("net")?)?;
        let set = run.set(&Rows::all(Part::Union))?;
        let (own, labels) = (features(run, &nets, &set.images)?, centred(&set.labels, classes)?);
        let (mut targets, mut wanted) = (Vec::new(), Vec::new());
        for number in 0..self.batches {
            let real = run.real_batch(None, self.batch, run.key().fold("real")?.fold_u64(number as u64)?)?;
            targets.push(features(run, &nets, &real.images)?.detach()?);
            wanted.push(real.labels);
        }
        let (targets, wanted) = (Tensor::concat(&targets, 0)?, Tensor::concat(&wanted, 0)?);
        let scores = ridge_regression(&kernel(&own, &own)?, &kernel(&targets, &own)?, &labels, self.ridge)?;
        let loss = self.loss(run, &scores, &wanted)?;
        let learned = self.learned();
        let leaves = learned.iter().map(|(name, _)| run.learnable(name)).collect::<Result<Vec<_>>>()?;
        for ((name, lr), gradient) in learned.into_iter().zip(grad(&loss, &leaves, Keep::No)?) {
            Adam { epsilon: 1e-16, belief: true, ..Adam::new(lr) }.step(run, name, &gradient)?;
        }
        run.metric("loss", loss.detach()?.scalar()?)?;
        run.metric("accuracy_on_targets", 100.0 * scores.accuracy(&wanted)?)?;
        validation.look(|scores, wanted| self.loss(run, scores, wanted))
    }
}

pddflow_sdk::plugin!(matcher Rfad);
