//! Trajectory matching without the chain of Hessians (TESLA) as a plugin: Cui, Wang, Si and Hsieh, "Scaling Up Dataset Distillation to
//! ImageNet-1K with Constant Memory", ICML 2023, as in the authors' code.
//!
//! Segment, student and loss are those of MTT (see the plugin `mtt`): `theta_{t+1} = theta_t - alpha g_t` from theta_0,
//! `loss = |theta_N - target|^2 / |theta_0 - target|^2 = |theta_0 - alpha G - target|^2 / D` with `G = sum of g_t`. The gradient
//! takes theta_t as constant: how earlier steps moved it is left out. A first pass finds G; a second one goes step by step through
//!
//! ```text
//! d loss / d x_t   = d < 2 alpha (target - theta_0) + 2 alpha^2 G, g_t > / d x_t / D
//! d loss / d alpha = -2 < theta_0 - alpha G - target, G > / D
//! ```
//!
//! so that memory need not depend on N at all, and no product with a Hessian is needed. For N = 1 this is exact. Steps that the host
//! has memory for stay on the tape from the first pass to the second.
//!
//! | `image_gradient` | what |
//! |---|---|
//! | `released` | half of the formula: the authors' code loses the factor 2 (their issue 5), and their learning rates are made for that |
//! | `corrected` | the formula |
//!
//! `labels: teacher` are the probabilities of the segment's last expert on the present images, made anew in each iteration
//! (the release stops with an error there except on ImageNet). Blow-ups are undone as in the plugin `mtt`.

use pddflow_sdk::{Description, Iteration, Kind, Learnable, Matcher, Problem, Result, Start};
use pddflow_trajectory::{
    Attempt, Outcome,
    vector::{add_scaled, dot, scaled},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pddflow_trajectory::parameters! {
    /// Parameters of TESLA.
    #[schemars(extend("presets" = pddflow_trajectory::tesla()))]
    struct Tesla {
        /// Labels of the images.
        labels: Labels = Labels::Hard,
        /// The factor of the gradient by the images.
        image_gradient: ImageGradient = ImageGradient::Released,
    }
}

/// Labels of the images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Labels {
    /// Class numbers.
    Hard,
    /// Probabilities of the segment's last expert on the present images, in each iteration.
    Teacher,
}

/// The factor of the gradient by the images.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum ImageGradient {
    /// Half of the formula, as the authors' code computes it.
    Released,
    /// The formula.
    Corrected,
}

impl Tesla {
    fn gradient<'call>(&self, attempt: &Attempt<'_, 'call>) -> Result<Outcome<'call>> {
        if self.labels == Labels::Teacher {
            attempt.relabel()?;
        }
        let (alpha, segment, mut student) = (attempt.rate, &attempt.segment, attempt.student()?);
        // First pass: theta_N, and G = sum of g_t.
        let mut sum = student.gradient(0, &segment.start)?;
        let mut theta = add_scaled(&segment.start, &sum, -alpha)?;
        for t in 1..self.syn_steps {
            let gradient = student.gradient(t, &theta)?;
            sum = add_scaled(&sum, &gradient, 1.0)?;
            theta = add_scaled(&theta, &gradient, -alpha)?;
        }
        attempt.finish(&theta, |difference| {
            let by_alpha = -2.0 * dot(difference, &sum)? / segment.squared_length;
            let factor = if self.image_gradient == ImageGradient::Corrected { 2.0 } else { 1.0 };
            let seed = scaled(difference, -factor * alpha / segment.squared_length)?;
            // Second pass: d <seed, g_t> / d x_t, every theta_t constant.
            let (mut rows, mut theta) = (student.no_rows()?, segment.start.clone());
            for t in 0..self.syn_steps {
                let step = student.backward(t, &theta, &seed, false)?;
                rows = add_scaled(&rows, &step.rows, 1.0)?;
                theta = add_scaled(&theta, &step.gradient, -alpha)?;
            }
            Ok((by_alpha, student.by_learnables(&rows, &["images"])?))
        })
    }
}

impl Matcher for Tesla {
    const ID: &'static str = "tesla";
    const SUMMARY: &'static str = "Trajectory matching without second-order chains (Cui et al., ICML 2023)";
    const REVISION: u32 = 1;

    fn check(&self) -> Result<()> {
        if self.syn_steps == 0 {
            return Err(pddflow_sdk::Error::config("`syn_steps` must be at least 1"));
        }
        self.settings().check()
    }

    fn describe(&self, problem: &Problem, description: &mut Description<'_>) -> Result<()> {
        self.settings().describe(problem, description)?;
        if self.labels == Labels::Hard {
            return Ok(());
        }
        let shape = [problem.classes * problem.ipc, problem.classes];
        description.learnable(&Learnable::new(Kind::Labels, "labels", &shape, Start::OneHot, 0.0))
    }

    fn iterate(&self, run: &Iteration<'_>) -> Result<()> {
        self.settings().begin(run)?;
        self.settings().iterate(run, &["images"], |attempt| self.gradient(attempt))
    }
}

pddflow_sdk::plugin!(matcher Tesla);
