//! Labels of the synthetic images.

use pddflow_sdk::{Call, Iteration, Kind, Learnable, Problem, Result, Start, Tensor};
use pddflow_trajectory::Window;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Odds of a row's class at the start of `one_hot`, against each other class times their number: a probability of 0.9.
const ODDS: f64 = 9.0;

/// Labels of the images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Labels {
    /// Class numbers.
    Hard,
    /// Probabilities, learned as logits; they start at 0.9 for the row's class.
    OneHot,
    /// Probabilities, learned as logits; they start as those of the expert at the end of a last segment on
    /// the first images.
    Teacher,
}

/// Class numbers, class by class.
pub(crate) fn hard<'call>(call: Call<'call>, problem: &Problem) -> Result<Tensor<'call>> {
    let numbers: Vec<i64> = (0..problem.classes as i64).flat_map(|class| vec![class; problem.ipc]).collect();
    Tensor::from_i64(call, &numbers, &[numbers.len()])
}

/// The logits.
pub(crate) fn learnable(problem: &Problem, lr: f64) -> Learnable {
    let rows = problem.classes * problem.ipc;
    Learnable::new(Kind::Labels, "labels", &[rows, problem.classes], Start::OneHot, lr)
}

impl Labels {
    /// Gives learned labels their first value, before the first iteration.
    pub(crate) fn start(self, run: &Iteration<'_>, window: &Window, epochs: u64) -> Result<()> {
        match self {
            Self::Hard => Ok(()),
            Self::OneHot => {
                let others = (run.problem().classes as f64 - 1.0).max(1.0);
                run.assign("labels", &(&run.learnable("labels")?.detach()? * (ODDS * others).ln())?)
            }
            Self::Teacher => {
                let key = run.key().fold("teacher")?;
                let expert = run.trajectory(window.max - 1..window.max, epochs, key)?.target;
                run.assign("labels", &pddflow_trajectory::logits(run, &expert, key)?)
            }
        }
    }
}
