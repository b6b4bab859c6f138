//! Labels of the synthetic images.

use pddflow_sdk::{Iteration, Kind, Learnable, Problem, Result, Start, Tensor, total};
use pddflow_trajectory::Settings;
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
    /// Probabilities, learned as logits; they start as those of experts at the end of a last segment on
    /// the first images: see `label_experts`.
    Teacher,
}

impl Labels {
    /// What is learned by the loss of the trajectory, besides the learning rate.
    pub(crate) fn learnables(self) -> &'static [&'static str] {
        if self == Self::Hard { &["images"] } else { &["images", "labels"] }
    }

    /// The logits.
    pub(crate) fn logits(problem: &Problem, lr: f64, momentum: f64) -> Learnable {
        let shape = [problem.classes * problem.ipc, problem.classes];
        Learnable::new(Kind::Labels, "labels", &shape, Start::OneHot, lr).with_momentum(momentum)
    }

    /// Gives learned labels their first value, before the first iteration; `experts` are asked for those of `Teacher`.
    pub(crate) fn start(self, run: &Iteration<'_>, settings: &Settings<'_>, experts: u64) -> Result<()> {
        match self {
            Self::Hard => Ok(()),
            Self::OneHot => {
                let others = (run.problem().classes as f64 - 1.0).max(1.0);
                // `f64::ln` is the C library's, whose last bit differs between systems.
                run.assign("labels", &(&run.learnable("labels")?.detach()? * libm::log(ODDS * others))?)
            }
            Self::Teacher => {
                let (key, last) = (run.key().fold("teacher")?, settings.window.max);
                let asked = |number: u64| {
                    let key = if number == 0 { key } else { key.fold_u64(number)? };
                    let expert = run.trajectory(last - 1..last, settings.epochs, key)?.target;
                    pddflow_trajectory::logits(run, &expert, key)
                };
                run.assign("labels", &agreed(run, &(0..experts).map(asked).collect::<Result<Vec<_>>>()?)?)
            }
        }
    }
}

/// The mean of logits `[row, class]` over the experts whose largest one in a row is that of its class; over all where there is none.
fn agreed<'call>(run: &Iteration<'call>, experts: &[Tensor<'call>]) -> Result<Tensor<'call>> {
    if let [only] = experts {
        return Ok(only.clone());
    }
    let (problem, labels) = (run.problem(), run.problem().labels());
    let own = Tensor::from_i64(run.call(), &labels, &[labels.len()])?.one_hot(problem.classes)?;
    let right = |logits: &Tensor<'call>| (logits * &own)?.sum(&[1], true)?.greater_equal(&logits.max(&[1], true)?);
    let of_right = total(experts.iter().map(|logits| logits * &right(logits)?))?;
    let count = total(experts.iter().map(right))?;
    let of_all = (&total(experts.iter().map(|logits| Ok(logits.clone())))? * (1.0 / experts.len() as f64))?;
    Tensor::select(&count, &(&of_right / &count.clamp(1.0, f64::MAX)?)?, &of_all)
}
