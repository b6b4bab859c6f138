//! Matching training trajectories (MTT) as a plugin: Cazenavette, Wang, Torralba, Efros and Zhu, "Dataset Distillation by
//! Matching Training Trajectories", CVPR 2022, as in the authors' code. One iteration of Algorithm 1:
//!
//! 1. draw a segment of an expert's trajectory: theta_0 at a random epoch below T+ (`max_start`), the target M = `expert_epochs` later;
//! 2. train a student from theta_0 on the synthetic set for N = `syn_steps` steps of plain gradient descent,
//!    `theta_{t+1} = theta_t - alpha g_t`, g_t the gradient of the mean cross-entropy of a mini-batch, augmented per image;
//! 3. one SGD step on the images and on alpha by `loss = |theta_N - target|^2 / |theta_0 - target|^2`.
//!
//! With earlier sets wired (PDD), mini-batches are drawn from the union (their size stays that of one set), and only new rows move.
//!
//! # The gradient
//!
//! It is exact, and its memory is bounded (`Attempt::exact` of `pddflow-trajectory`). The weights of each step are kept; then, with
//! `lambda_N = d loss / d theta_N`, for t = N-1 down to 0
//!
//! ```text
//! d loss / d x_t   = -alpha d <lambda_{t+1}, g_t> / d x_t
//! d loss / d alpha = -sum over t of <lambda_{t+1}, g_t>
//! lambda_t         = lambda_{t+1} - alpha H_t lambda_{t+1}
//! ```
//!
//! both products from one backward pass through g_t. The last steps are still on the tape, as many as the host has memory for; the
//! earlier ones are computed again, one at a time. lambda_0 is not computed: nobody needs it.
//!
//! # Beyond the release
//!
//! - `lr_floor`: the release has none, so its alpha may become negative; `null` is as released.
//! - Blow-ups (a loss that is not finite or above `loss_limit`, an alpha above `lr_limit`) are undone: the run goes back to the last good
//!   state and draws another segment, with half the steps; metric `blow_ups` counts them.
//! - `expand_from`: start epochs widen over the run, `init: recognised`: images start as ones that an expert takes for their class,
//!   `labels`: soft labels are learned as logits, and `skip_above`: no step from a high loss, as in Guo et al., "Towards Lossless Dataset
//!   Distillation via Difficulty-Aligned Trajectory Matching" (DATM), ICLR 2024.
//! - Running statistics of batch normalisation are carried but not compared: they do not act in training mode.

mod labels;

use labels::Labels;
use pddflow_sdk::{Decoded, Description, Iteration, Learnables, Matcher, Problem, Result, Tensor};

pddflow_trajectory::parameters! {
    /// Parameters of MTT.
    #[schemars(extend("presets" = pddflow_trajectory::mtt()))]
    struct Mtt {
        /// Labels of the images.
        labels: Labels = Labels::Hard,
        /// Experts that the labels of `teacher` start from: the mean of the logits of those that classify an image right, of all where none does.
        #[schemars(range(min = 1, max = 1000))]
        label_experts: u64 = 1,
        /// Learning rate of learned labels.
        #[schemars(range(min = 0.0))]
        lr_labels: f64 = 2.0,
        /// Momentum of learned labels.
        #[schemars(range(min = 0.0, max = 1.0))]
        momentum_labels: f64 = 0.9,
    }
}

impl Matcher for Mtt {
    const ID: &'static str = "mtt";
    const SUMMARY: &'static str = "Matching training trajectories (Cazenavette et al., CVPR 2022)";
    const REVISION: u32 = 2;
    const DECODES: bool = true;

    fn check(&self) -> Result<()> {
        self.settings().check()
    }

    fn describe(&self, problem: &Problem, description: &mut Description<'_>) -> Result<()> {
        self.settings().describe(problem, description)?;
        match self.labels {
            Labels::Hard => Ok(()),
            _ => description.learnable(&Labels::logits(problem, self.lr_labels, self.momentum_labels)),
        }
    }

    fn decode<'call>(&self, problem: &Problem, learnables: &Learnables<'call>) -> Result<Decoded<'call>> {
        let labels = match self.labels {
            Labels::Hard => Tensor::from_i64(learnables.call(), &problem.labels(), &[problem.labels().len()])?,
            _ => learnables.get("labels")?.softmax(1)?,
        };
        Ok(Decoded { images: learnables.get("images")?.clone(), labels })
    }

    fn iterate(&self, run: &Iteration<'_>) -> Result<()> {
        self.settings().begin(run)?;
        if run.number() == 0 {
            self.labels.start(run, &self.settings(), self.label_experts)?;
        }
        let names = self.labels.learnables();
        self.settings().iterate(run, names, |attempt| attempt.exact(self.syn_steps, names))
    }
}

pddflow_sdk::plugin!(matcher Mtt);
