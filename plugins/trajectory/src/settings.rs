//! What the shared parameters mean to the host: learnables, needs, recipe.

use crate::first::First;
use crate::guard::Limits;
use crate::window::Window;
use pddflow_sdk::{Description, Error, Kind, Learnable, Need, Problem, Result, Start};

/// The learnable that is the student's learning rate (alpha), and the metric of its value before the step.
pub const LEARNING_RATE: &str = "learning_rate";

/// How the student's learning rate is learned.
#[derive(Clone, Copy, Debug)]
pub struct LearnedRate {
    /// First value.
    pub first: f64,
    /// Learning rate.
    pub lr: f64,
    /// Momentum.
    pub momentum: f64,
    /// Lower bound.
    pub floor: f64,
}

/// The shared parameters, see [`parameters!`](crate::parameters).
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// How images start, their learning rate, their momentum.
    pub images: (First, f64, f64),
    /// Of the student.
    pub rate: LearnedRate,
    /// Where segments start.
    pub window: Window,
    /// Epochs of a segment (M).
    pub epochs: u64,
    /// Images in a mini-batch; those of one set if not given.
    pub batch: Option<usize>,
    /// Augmentation of the mini-batches, drawn per image.
    pub augment: &'a str,
    /// The loss above which an iteration makes no step.
    pub skip_above: Option<f64>,
    /// Rows of the set that stand next to each other and are one image to a student, of which a step sees one: the same of all images.
    /// 1 where every row is an image of its own.
    pub variants: usize,
    /// What a blow-up is.
    pub limits: Limits,
}

impl Settings<'_> {
    /// Whether the numbers make sense together.
    ///
    /// # Errors
    /// They do not.
    pub fn check(&self) -> Result<()> {
        self.window.check()?;
        let (LearnedRate { first, floor, .. }, limit) = (self.rate, self.limits.rate);
        if (floor..=limit).contains(&first) {
            return Ok(());
        }
        Err(Error::config(format!("`lr_teacher` {first} must lie between `lr_floor` {floor} and `lr_limit` {limit}")))
    }

    /// Declares the needs, the images, the learning rate and the recipe.
    ///
    /// # Errors
    /// What the host refuses.
    pub fn describe(&self, problem: &Problem, description: &mut Description<'_>) -> Result<()> {
        let (init, lr, momentum) = self.images;
        description.learnable(&Learnable::images(problem, init, lr).with_momentum(momentum))?;
        self.describe_all_but_images(description)
    }

    /// The same for a matcher whose images are made of something else that it declares.
    ///
    /// # Errors
    /// What the host refuses.
    pub fn describe_all_but_images(&self, description: &mut Description<'_>) -> Result<()> {
        description.need(Need::Model)?;
        description.need(Need::Trajectories)?;
        if self.window.needs_horizon() {
            description.need(Need::Horizon)?;
        }
        let rate = self.rate;
        let learned = Learnable::new(Kind::LearningRate, LEARNING_RATE, &[], Start::Constant(rate.first), rate.lr);
        description.learnable(&learned.with_momentum(rate.momentum).with_floor(rate.floor))?;
        // As many images are presented whatever the number of variants.
        let mut recipe = pddflow_sdk::recipe((1000 / self.variants.max(1) as u64).max(1), self.augment);
        recipe["lr"] = "learned".into();
        description.recipe(&recipe)
    }
}
