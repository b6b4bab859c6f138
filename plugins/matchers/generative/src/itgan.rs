//! Informative training samples (IT-GAN).
//!
//! As many latents are learned as there are images in the set, `ipc` of each class; the paper has one for each training image. Each starts as
//! the latent of a training image, its partner. With an embedding `psi` (the features of a net with fresh random weights, or of one from
//! the wired pool; in training mode) and an augmentation for each class an iteration lowers, by one SGD step on the latents, the sum over the classes
//! of
//!
//! ```text
//! | mean over real x: psi(x) - mean over images s of a batch, and of earlier sets: psi(s) |^2
//!     + weight * mean over s of the batch, partner p: | psi(s) - psi(p) |^2
//! ```
//!
//! The second term keeps images from becoming one and the same. The metric `loss` is the sum over the classes divided by their number.

use crate::decoder::Decoder;
use crate::glad::{LEARNED, decoded, of_real, pull_back};
use pddflow_sdk::{
    Decoded, Description, Draw, Error, Iteration, Kind, Learnable, Learnables, Matcher, Mode, Need, Part, Problem,
    Result, Rows, Start, Tensor,
};

/// How many training images of each class the generator has latents of: a constant of the set.
const COUNTS: &str = "latent_counts";

pddflow_sdk::parameters! {
    /// Parameters of IT-GAN.
    pub(crate) struct ItGan {
        /// Learning rate of the latents.
        #[schemars(range(min = 0.0))]
        lr: f64 = 1e-3,
        /// Momentum.
        #[schemars(range(min = 0.0, max = 1.0))]
        momentum: f64 = 0.5,
        /// Images of the set, and earlier ones, per class and iteration.
        #[schemars(range(min = 1))]
        batch: usize = 256,
        /// Real images per class and iteration.
        #[schemars(range(min = 1))]
        real_batch: usize = 256,
        /// Weight of the distances between images and their partners.
        #[schemars(range(min = 0.0))]
        weight: f64 = 1e-3,
        /// Augmentation of all sides, one draw for all images of a class: `dsa:...`, or `none`. Leave out `flip` for digits.
        augment: String = "dsa:color_crop_cutout_flip_scale_rotate".to_owned(),
    }
}

impl Matcher for ItGan {
    const ID: &'static str = "itgan";
    const SUMMARY: &'static str = "Latents of a generator, each near a real image: IT-GAN (Zhao and Bilen, 2022)";
    const REVISION: u32 = 1;
    const DECODES: bool = true;

    fn describe(&self, problem: &Problem, description: &mut Description<'_>) -> Result<()> {
        description.need(Need::Model)?;
        description.recipe(&pddflow_sdk::recipe(200, &self.augment))?;
        let Some(tensors) = description.input("a generator")? else { return Ok(()) };
        let decoder = Decoder::new(&tensors, problem)?;
        let first = of_real(description, &tensors, (problem, decoder.latent))?;
        let learned = Learnable::new(Kind::Images, LEARNED, &first.shape()?, Start::Given, self.lr);
        description.learnable_from(&learned.with_momentum(self.momentum), &first)?;
        let counts = tensors.get(COUNTS)?.cast_real()?;
        let constant = Learnable::new(Kind::Other, COUNTS, &counts.shape()?, Start::Given, 0.0);
        description.learnable_from(&constant, &counts)?;
        decoder.keep(0, description)
    }

    fn decode<'call>(&self, problem: &Problem, learnables: &Learnables<'call>) -> Result<Decoded<'call>> {
        decoded(problem, learnables, 0)
    }

    fn iterate(&self, run: &Iteration<'_>) -> Result<()> {
        let psi = run.start_weights(run.key().fold("net")?)?;
        let images = run.set(&Rows::all(Part::New))?.images;
        let counts = run.learnable(COUNTS)?.detach()?.to_f64_vec()?;
        let (at_images, loss) = run.sum_over_by(&images, &run.classes_apart(), |class| {
            let class = class[0];
            if run.class_size(class)? as f64 != counts[class] {
                let (theirs, ours) = (counts[class], run.class_size(class)?);
                return Err(Error::config(format!(
                    "the generator has latents of {theirs} images of class {class}, and the data have {ours}: train it on the same data"
                )));
            }
            self.of_class(run, &psi, class)
        })?;
        pull_back(run, &images, at_images)?;
        run.metric("loss", loss / run.problem().classes as f64)
    }
}

impl ItGan {
    /// The loss of one class.
    fn of_class<'call>(&self, run: &Iteration<'call>, psi: &[Tensor<'call>], class: usize) -> Result<Tensor<'call>> {
        let (ipc, number) = (run.problem().ipc, class as u64);
        let key = run.key().fold("class")?.fold_u64(number)?;
        let (draw, pass) = (key.fold("augment")?, run.key().fold("forward")?);
        let features = |images: &Tensor<'call>| -> Result<Tensor<'call>> {
            let seen = run.augment(&self.augment, Draw::Siamese, images, draw)?;
            Ok(run.forward(psi, &seen, Mode::Train, pass)?.features)
        };
        // Earlier rows of a class come first, then the new ones.
        let union = run.set(&Rows::all(Part::Union).of_class(class))?.images;
        let (rows, batch) = (union.shape()?[0], self.batch.min(ipc));
        let chosen = key.fold("synthetic")?.choose(ipc, batch)?;
        let new = features(&union.slice(0, rows - ipc, rows, 1)?.gather(0, &chosen)?)?;
        let all = match rows - ipc {
            0 => new.clone(),
            earlier => {
                let limit = self.batch.min(earlier);
                let some = union.gather(0, &key.fold("earlier")?.choose(earlier, limit)?)?;
                Tensor::concat(&[features(&some)?, new.clone()], 0)?
            }
        };
        let real = features(&run.real_batch(Some(class), self.real_batch, key.fold("real")?)?.images)?;
        let means = all.mean(&[0], false)?.squared_distance(&real.mean(&[0], false)?.detach()?)?;
        // The images whose latents the new rows started as, in the same order.
        let partners = run.real_batch(Some(class), ipc, run.node_key()?.fold("real")?.fold_u64(number)?)?.images;
        let partners = features(&partners.gather(0, &chosen)?)?.detach()?;
        let apart = (&new.squared_distance(&partners)? * (self.weight / batch as f64))?;
        &means + &apart
    }
}
