//! Dataset factorization (HaBa) as a plugin: Liu, Wang, Yang, Ye and Wang, "Dataset Distillation via Factorization", NeurIPS 2022, as in the authors'
//! release.
//!
//! A set is bases, as many as it has images per class, and hallucinators that all classes share: small networks that each make an image
//! of a basis. So `hallucinators` times as many images are stored as bases and the weights of the networks (see `hallucinator`). Bases
//! and hallucinators are learned by matching training trajectories (`mtt`), each step of the student seeing all bases through one
//! hallucinator.
//!
//! Images of one basis are kept apart by an adversary, a net A of the node's model. To the gradient of each iteration is added that of
//!
//! ```text
//! likeness * mean over bases of (1 + cos(e_a, e_b)) / 2
//! ```
//!
//! where e_a and e_b are the features that A sees in the images of two hallucinators. Then A makes a step of gradient descent, on images of two other
//! hallucinators, that are constant:
//!
//! ```text
//! cross-entropy(A)  +  contrast * (mean of (1 - cos(e_a, e_b)) / 2  +  supervised contrastive loss of all features)
//! ```
//!
//! the latter being Khosla et al., NeurIPS 2020, at temperature 0.07. A is never drawn anew. The metric `loss` is that of the trajectory
//! and the weighted likeness together; `likeness` is the mean by itself, `adversary_loss` the loss of A.
//!
//! Images of a basis stand next to each other, hallucinator by hallucinator, and have its class. With earlier sets wired (PDD) the
//! student is trained on the union, of which each step sees one image of each basis; each set keeps its own hallucinators.
//!
//! | release | here |
//! |---|---|
//! | N, M, T+ and rates by data set | presets `cifar10-ipc1`, `cifar10-ipc10`, `cifar10-ipc50`; other defaults are those of `mtt` |
//! | weights of hallucinators start uniform | normal with the same variance |
//! | evaluation: 1000 epochs, in each a random hallucinator for each basis | all images, and so many fewer epochs that as many are presented |
//! | `single_channel`: bases with one channel, which start as the mean over the channels of real images; three for the price of one | `single_channel: true`, with three times the `ipc` |
//!
//! The size of a fair comparison counts the hallucinators, too: five for images of 3 x 32 x 32 are 27,840 numbers, as many as 9.06 images.

mod adversary;
mod hallucinator;

use adversary::{Adversary, Rules};
use pddflow_sdk::{
    Decoded, Description, Error, Iteration, Kind, Learnable, Learnables, Matcher, Problem, Result, Start, Tensor,
};
use pddflow_trajectory::{First, Found, Settings, vector::add_scaled};

pddflow_trajectory::parameters! {
    /// Parameters of HaBa.
    #[schemars(extend("presets" = pddflow_trajectory::haba()))]
    struct Haba {
        /// Hallucinators; each makes one image of each basis.
        #[schemars(range(min = 1, max = 256))]
        hallucinators: usize = 5,
        /// Whether bases have one channel, of which hallucinators make all channels of images; they start as the mean over the channels of real images.
        single_channel: bool = false,
        /// Learning rate of the hallucinators.
        #[schemars(range(min = 0.0))]
        lr_hallucinators: f64 = 100.0,
        /// Momentum of the hallucinators.
        #[schemars(range(min = 0.0, max = 1.0))]
        momentum_hallucinators: f64 = 0.95,
        /// Weight of the likeness of images of one basis; 0 for no adversary.
        #[schemars(range(min = 0.0))]
        likeness: f64 = 0.1,
        /// Weight of likeness and contrast in the loss of the adversary.
        #[schemars(range(min = 0.0))]
        contrast: f64 = 0.1,
        /// Learning rate of the adversary.
        #[schemars(range(min = 0.0))]
        lr_adversary: f64 = 1e-3,
        /// Momentum of the adversary.
        #[schemars(range(min = 0.0, max = 1.0))]
        momentum_adversary: f64 = 0.9,
    }
}

impl Haba {
    /// What the parameters mean to the matching of trajectories.
    fn matching(&self) -> Settings<'_> {
        Settings { variants: self.hallucinators, ..self.settings() }
    }

    /// Channels of a basis.
    fn channels(&self, problem: &Problem) -> usize {
        if self.single_channel { 1 } else { problem.channels }
    }

    /// Gives bases their first values.
    fn begin(&self, run: &Iteration<'_>) -> Result<()> {
        if !self.single_channel {
            return self.matching().begin(run);
        }
        if run.number() > 0 || self.init != First::Real {
            return Ok(());
        }
        let (problem, key) = (run.problem(), run.key().fold("first")?);
        let mean = |class: usize| {
            let real = run.real_batch(Some(class), problem.ipc, key.fold_u64(class as u64)?)?.images;
            real.mean(&[1], true)
        };
        run.assign("images", &Tensor::concat(&(0..problem.classes).map(mean).collect::<Result<Vec<_>>>()?, 0)?)
    }

    /// What they mean to the adversary.
    fn rules(&self) -> Rules<'_> {
        Rules {
            hallucinators: self.hallucinators,
            batch: self.batch_syn,
            augment: &self.augment,
            contrast: self.contrast,
            lr: self.lr_adversary,
            momentum: self.momentum_adversary,
        }
    }
}

impl Matcher for Haba {
    const ID: &'static str = "haba";
    const SUMMARY: &'static str = "Bases and hallucinators: dataset factorization, HaBa (Liu et al., NeurIPS 2022)";
    const REVISION: u32 = 1;
    const DECODES: bool = true;

    fn check(&self) -> Result<()> {
        if self.single_channel && self.init == First::Recognised {
            return Err(Error::config("an expert recognises images, no bases of one channel: give `init: real`"));
        }
        self.matching().check()
    }

    fn describe(&self, problem: &Problem, description: &mut Description<'_>) -> Result<()> {
        let (height, width) = (problem.height, problem.width);
        if height.min(width) <= hallucinator::BORDER {
            return Err(Error::config(format!("images of {height} x {width} are too small for kernels of 3 x 3")));
        }
        if self.single_channel {
            let shape = [problem.classes * problem.ipc, 1, height, width];
            let bases = Learnable::new(Kind::Images, "images", &shape, Start::Noise(1.0), self.lr);
            description.learnable(&bases.with_momentum(self.momentum))?;
            self.matching().describe_all_but_images(description)?;
        } else {
            self.matching().describe(problem, description)?;
        }
        let rule = (self.lr_hallucinators, self.momentum_hallucinators);
        hallucinator::learnables(problem, (self.hallucinators, self.channels(problem)), rule)
            .iter()
            .try_for_each(|one| description.learnable(one))
    }

    fn decode<'call>(&self, problem: &Problem, learnables: &Learnables<'call>) -> Result<Decoded<'call>> {
        let images = hallucinator::images(learnables, self.hallucinators)?;
        let labels: Vec<i64> =
            problem.labels().into_iter().flat_map(|label| std::iter::repeat_n(label, self.hallucinators)).collect();
        Ok(Decoded { images, labels: Tensor::from_i64(learnables.call(), &labels, &[labels.len()])? })
    }

    fn iterate(&self, run: &Iteration<'_>) -> Result<()> {
        self.begin(run)?;
        let apart = self.likeness > 0.0 && self.hallucinators > 1;
        let adversary = apart.then(|| Adversary { run, rules: self.rules() });
        self.matching().iterate(run, &hallucinator::NAMES, |attempt| {
            let mut outcome = attempt.exact(self.syn_steps, &hallucinator::NAMES)?;
            if let (Some(adversary), Ok(Found { loss, gradient: Some(by) })) = (&adversary, &mut outcome) {
                let (alike, slopes) = adversary.likeness(attempt.key)?;
                *loss += self.likeness * alike;
                by.learnables = add_scaled(&by.learnables, &slopes, self.likeness)?;
            }
            Ok(outcome)
        })?;
        adversary.map_or(Ok(()), |adversary| adversary.train())
    }
}

pddflow_sdk::plugin!(matcher Haba);
