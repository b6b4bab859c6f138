//! One attempt at an outer iteration.

use crate::segment::Segment;
use crate::settings::Settings;
use crate::student::Student;
use crate::vector;
use pddflow_sdk::{Iteration, Key, Mode, Part, Result, Rows, Tensor};

/// Images that an expert sees at once.
pub(crate) const CHUNK: usize = 256;

/// A segment of an expert, and what a student is trained with. After a blow-up there is another.
#[derive(Debug)]
pub struct Attempt<'a, 'call> {
    pub(crate) run: &'a Iteration<'call>,
    pub(crate) settings: &'a Settings<'a>,
    /// Randomness of this attempt.
    pub key: Key<'call>,
    /// The student's learning rate (alpha).
    pub rate: f64,
    /// From where the student starts to where the expert came.
    pub segment: Segment<'call>,
}

/// The gradient of the loss by all that is learned.
#[derive(Debug)]
pub struct Gradient<'call> {
    /// By the student's learning rate.
    pub rate: f64,
    /// By the learnables, in the order of their names.
    pub learnables: Vec<Tensor<'call>>,
}

/// What an attempt found.
#[derive(Debug)]
pub struct Found<'call> {
    /// The loss.
    pub loss: f64,
    /// Its gradient; `None` where the loss is too high for a step.
    pub gradient: Option<Gradient<'call>>,
}

/// What was found, or why the student blew up.
pub type Outcome<'call> = std::result::Result<Found<'call>, String>;

impl<'a, 'call> Attempt<'a, 'call> {
    /// A student at the start of the segment.
    ///
    /// # Errors
    /// What the host refuses.
    pub fn student(&self) -> Result<Student<'a, 'call>> {
        Student::new(self.run, &self.segment, self.settings, self.key)
    }

    /// Compares the student's last weights `end` with the target: `loss = |end - target|^2 / |start - target|^2`, which is 1 for a student
    /// that did not move. Unless it blew up or the loss is too high for a step, `backward` gives the gradients by the student's learning rate
    /// and by the learnables from `end - target`.
    ///
    /// # Errors
    /// What the host refuses.
    pub fn finish(
        &self,
        end: &[Tensor<'call>],
        backward: impl FnOnce(&[Tensor<'call>]) -> Result<(f64, Vec<Tensor<'call>>)>,
    ) -> Result<Outcome<'call>> {
        let loss = vector::squared_distance(end, &self.segment.target)? / self.segment.squared_length;
        if let Some(why) = self.settings.limits.blow_up(loss, self.rate) {
            return Ok(Err(why));
        }
        if self.settings.skip_above.is_some_and(|most| loss > most) {
            return Ok(Ok(Found { loss, gradient: None }));
        }
        let (rate, learnables) = backward(&vector::add_scaled(end, &self.segment.target, -1.0)?)?;
        let length = vector::dot(&learnables, &learnables)?.sqrt();
        if !(length + rate).is_finite() {
            return Ok(Err(format!("the length of the gradient became {length}")));
        }
        Ok(Ok(Found { loss, gradient: Some(Gradient { rate, learnables }) }))
    }

    /// Gives the learnable `labels` the logits of the segment's last expert, as probabilities.
    ///
    /// # Errors
    /// What the host refuses.
    pub fn relabel(&self) -> Result<()> {
        let logits = logits(self.run, &self.segment.expert, self.key.fold("teacher")?)?;
        self.run.assign("labels", &logits.softmax(1)?)
    }
}

/// Logits of the new images, `[row, class]`, by a net with these weights, in evaluation mode; off the tape.
///
/// # Errors
/// What the host refuses.
pub fn logits<'call>(run: &Iteration<'call>, weights: &[Tensor<'call>], key: Key<'call>) -> Result<Tensor<'call>> {
    let images = run.set(&Rows::all(Part::New))?.images.detach()?;
    let rows = images.shape()?[0];
    let chunk = |from: usize| -> Result<Tensor<'call>> {
        let chunk = images.slice(0, from, (from + CHUNK).min(rows), 1)?;
        Ok(run.forward(weights, &chunk, Mode::Eval, key)?.logits)
    };
    Tensor::concat(&(0..rows).step_by(CHUNK).map(chunk).collect::<Result<Vec<_>>>()?, 0)
}
