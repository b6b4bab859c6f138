//! Feature regression with pooling (FRePo) as a plugin: Zhou, Nezhadarya and Ba, "Dataset Distillation using Neural Feature Regression", NeurIPS 2022,
//! as in the authors' release.
//!
//! A pool of nets is trained on the set while it is distilled. One iteration takes a net of the pool at random, predicts the labels of a batch t of
//! real images from the features of the set s by kernel ridge regression, the kernel being products of features, and makes one step of LAMB on images
//! and labels by
//!
//! ```text
//! mean over rows of |scores - y_t|^2 / 2  -  mean over rows of min(largest - second largest of y_s, 1 / C)
//! ```
//!
//! The features of real images are constant, and the net is: only the last layer is trained to its end. Then the net itself makes
//! one step of Adam on the set, by half the squared distance of its scores from the labels, or is replaced by a fresh one when it has
//! made `max_age` steps. Nets of the pool start at ages that are spread evenly, so that they are replaced one after the other.
//! Features are taken in evaluation mode; running statistics keep a tenth of the old ones in a step, as the release's.
//!
//! With earlier sets wired (PDD), s is the union of all sets, only new images and labels move, and fresh nets are those of `start`.
//!
//! Learned labels are any numbers: centred one-hot vectors over the root of C/10 at first. The set carries them plus 1/C, which every squared
//! distance takes off again.
//!
//! | release | here |
//! |---|---|
//! | truncated LeCun normal first weights | those of the model: `pyramid` has the same without truncation |
//! | real images by a shuffled stream | drawn without replacement in each iteration |
//! | evaluation: warm-up and cosine, one of six augmentations per batch | constant learning rate, the augmentation of DSA |
//!
//! The metric `accuracy_on_targets` is the share of the real batch, in percent, that the regression has right.

mod pool;

use pddflow_sdk::{
    Adam, Decoded, Description, ImageInit, Iteration, Keep, Kind, Learnable, Learnables, Matcher, Mode, Need, Part,
    Problem, Result, Rows, Start, Tensor, centred, grad, ridge_regression,
};
use pool::{Life, Pool};
use serde_json::json;

pddflow_sdk::parameters! {
    /// Parameters of FRePo.
    struct Frepo {
        /// Real images in an iteration.
        #[schemars(range(min = 1))]
        batch: usize = 1024,
        /// Nets in the pool.
        #[schemars(range(min = 1, max = 256))]
        pool: usize = 10,
        /// Steps after which a net of the pool is replaced by a fresh one.
        #[schemars(range(min = 1))]
        max_age: u64 = 100,
        /// Learning rate of images and labels, by LAMB.
        #[schemars(range(min = 0.0))]
        lr: f64 = 3e-4,
        /// What is left of it in the end, falling as a cosine.
        #[schemars(range(min = 0.0, max = 1.0))]
        lr_left: f64 = 0.1,
        /// Learning rate of the nets, by Adam.
        #[schemars(range(min = 0.0))]
        lr_net: f64 = 3e-4,
        /// What is added to the diagonal of the kernel, as a part of its mean.
        #[schemars(range(min = 0.0))]
        ridge: f64 = 1e-6,
        /// Whether the set counts with its mirror images. The release does so for CIFAR-10, not for grey images.
        mirror: bool = false,
        /// Images of the set that a net is trained on in a step, all of them if there are fewer.
        #[schemars(range(min = 1))]
        batch_net: usize = 1000,
        /// How the images start.
        init: ImageInit = ImageInit::Real,
    }
}

/// By distilled images, the release's steps of an evaluation.
const STEPS: [(usize, u64); 4] = [(10, 1000), (100, 2000), (500, 5000), (1000, 10_000)];
/// The release's steps of an evaluation on more.
const MOST_STEPS: u64 = 40_000;

impl Frepo {
    /// LAMB at this point of all iterations.
    fn lamb(&self, run: &Iteration<'_>) -> Result<Adam> {
        let done = run.number() as f64 / run.horizon()?.max(1) as f64;
        let falling = 0.5 * (1.0 + libm::cos(std::f64::consts::PI * done));
        let lr = self.lr * (self.lr_left + (1.0 - self.lr_left) * falling);
        Ok(Adam { epsilon: 1e-6, trust: true, ..Adam::new(lr) })
    }

    /// Images of all sets and their centred labels, with the mirror images behind if they count.
    fn union<'call>(&self, run: &Iteration<'call>) -> Result<[Tensor<'call>; 2]> {
        let set = run.set(&Rows::all(Part::Union))?;
        let labels = centred(&set.labels, run.problem().classes)?;
        if !self.mirror {
            return Ok([set.images, labels]);
        }
        let images = Tensor::concat(&[set.images.clone(), set.images.flip(&[3])?], 0)?;
        Ok([images, Tensor::concat(&[labels.clone(), labels], 0)?])
    }
}

/// `min(largest - second largest, 1 / C)`, mean over the rows of centred labels.
fn margin<'call>(run: &Iteration<'call>, labels: &Tensor<'call>) -> Result<Tensor<'call>> {
    let classes = labels.shape()?[1];
    let largest = labels.detach()?.argmax(1)?.one_hot(classes)?;
    // Only one of equal maxima is left out, so that the next one is its equal.
    let others = (labels - &(&largest * 1e9)?)?;
    let second = others.detach()?.argmax(1)?.one_hot(classes)?;
    let difference = (labels * &(&largest - &second)?)?.sum(&[1], false)?;
    let limit = Tensor::full(run.call(), &[1], 1.0 / classes as f64)?;
    // At the limit the slope is 0.
    let below = difference.detach()?.less(&limit)?;
    Tensor::select(&below, &difference, &limit)?.mean(&[], false)
}

impl Matcher for Frepo {
    const ID: &'static str = "frepo";
    const SUMMARY: &'static str = "Neural feature regression with pooling (Zhou, Nezhadarya and Ba, NeurIPS 2022)";
    const REVISION: u32 = 1;
    const DECODES: bool = true;

    fn describe(&self, problem: &Problem, description: &mut Description<'_>) -> Result<()> {
        let rows = problem.classes * problem.ipc;
        description.learnable(&Learnable::images(problem, self.init, self.lr))?;
        description.learnable(&Learnable::new(
            Kind::Labels,
            "labels",
            &[rows, problem.classes],
            Start::OneHot,
            self.lr,
        ))?;
        description.need(Need::Model)?;
        description.need(Need::Horizon)?;
        let steps = STEPS.iter().find(|(most, _)| rows <= *most).map_or(MOST_STEPS, |(_, steps)| *steps);
        let flip = if problem.channels == 1 { "" } else { "_flip" };
        description.recipe(&json!({
            "loss": "mse", "optimizer": "adam", "lr": 3e-4, "momentum": 0.9, "weight_decay": 0.0, "schedule": "constant",
            "steps": steps, "batch": rows.min(500), "augment": format!("dsa:color_crop_cutout{flip}_scale_rotate"),
        }))
    }

    fn decode<'call>(&self, problem: &Problem, learnables: &Learnables<'call>) -> Result<Decoded<'call>> {
        let labels = (learnables.get("labels")? + 1.0 / problem.classes as f64)?;
        Ok(Decoded { images: learnables.get("images")?.clone(), labels })
    }

    fn iterate(&self, run: &Iteration<'_>) -> Result<()> {
        let classes = run.problem().classes;
        if run.number() == 0 {
            let scale = 1.0 / (classes as f64 / 10.0).sqrt();
            let first = (&(&run.learnable("labels")?.detach()? - 1.0 / classes as f64)? * scale)?;
            run.assign("labels", &first)?;
        }
        let life = Life { nets: self.pool, max_age: self.max_age, lr: self.lr_net, batch: self.batch_net };
        let pool = Pool::new(life, run)?;
        let number = pool.draw(run.key().fold("net")?)?;
        let net = pool.net(number)?;
        let real = run.real_batch(None, self.batch, run.key().fold("real")?)?;
        let key = run.key().fold("model")?;
        let targets = run.forward(&net, &real.images, Mode::Eval, key)?.features.detach()?;
        let [images, labels] = self.union(run)?;
        let own = run.forward(&net, &images, Mode::Eval, key)?.features;
        let scores = ridge_regression(&own.affine(&own, None)?, &targets.affine(&own, None)?, &labels, self.ridge)?;
        let wanted = centred(&real.labels, classes)?;
        let distance = (&(&scores - &wanted)?.square()?.sum(&[1], false)?.mean(&[], false)? * 0.5)?;
        let leaves = [run.learnable("images")?, run.learnable("labels")?];
        let loss = (&distance - &margin(run, &leaves[1])?)?;
        let lamb = self.lamb(run)?;
        for (name, gradient) in ["images", "labels"].into_iter().zip(grad(&loss, &leaves, Keep::No)?) {
            lamb.step(run, name, &gradient)?;
        }
        run.metric("loss", loss.detach()?.scalar()?)?;
        run.metric("accuracy_on_targets", 100.0 * scores.accuracy(&real.labels)?)?;
        pool.advance(number, &net)
    }
}

pddflow_sdk::plugin!(matcher Frepo);
