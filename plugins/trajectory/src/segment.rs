//! What the expert did.

use crate::vector;
use crate::window::Window;
use pddflow_sdk::{Error, Iteration, Key, Result, Tensor};

/// A segment of an expert's trajectory.
#[derive(Debug)]
pub struct Segment<'call> {
    /// All weights of the model at the start; a student reads its statistics here.
    pub(crate) weights: Vec<Tensor<'call>>,
    /// Which weights an optimiser moves.
    pub(crate) learnable: Vec<bool>,
    /// Learnable weights at the start.
    pub start: Vec<Tensor<'call>>,
    /// All weights of the model at the end: the expert that may label images.
    pub expert: Vec<Tensor<'call>>,
    /// Learnable weights at the end.
    pub target: Vec<Tensor<'call>>,
    /// Squared distance of the two, above 0.
    pub squared_length: f64,
}

impl<'call> Segment<'call> {
    /// Draws one of `epochs` epochs. Only learnable weights are compared: running statistics do not act in training mode.
    ///
    /// # Errors
    /// No trajectories are wired or they are too short, or the expert did not move.
    pub fn draw(run: &Iteration<'call>, window: &Window, epochs: u64, key: Key<'call>) -> Result<Self> {
        let horizon = if window.needs_horizon() { run.horizon()? } else { 0 };
        if run.number() == 0 && window.expand_from.is_some() {
            // The last segment of the widest window: trajectories that are too short are told now, not hours later.
            run.trajectory(window.max - 1..window.max, epochs, key)?;
        }
        let drawn = run.trajectory(window.at(run.number(), horizon), epochs, key)?;
        let learnable: Vec<bool> = run.weights()?.iter().map(|weight| weight.learnable).collect();
        let chosen = |weights: &[Tensor<'call>]| -> Vec<Tensor<'call>> {
            weights
                .iter()
                .zip(&learnable)
                .filter(|(_, learnable)| **learnable)
                .map(|(weight, _)| weight.clone())
                .collect()
        };
        let (start, target) = (chosen(&drawn.start), chosen(&drawn.target));
        let squared_length = vector::squared_distance(&start, &target)?;
        if !(squared_length.is_finite() && squared_length > 0.0) {
            let epoch = drawn.epoch;
            return Err(Error::numeric(format!(
                "the expert's weights of epoch {epoch} and {epochs} epochs later have the squared distance {squared_length}; \
                 experts must be finite and must have moved"
            )));
        }
        Ok(Self { weights: drawn.start, expert: drawn.target, learnable, start, target, squared_length })
    }
}
