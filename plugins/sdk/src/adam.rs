//! Adam for learnables.

use crate::error::{Error, Result};
use crate::iteration::Iteration;
use crate::tensor::Tensor;

/// Adam (Kingma and Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015) for a learnable, in place of the gradient descent that the host
/// has for it: with `m = b1 m + (1 - b1) g` and `v = b2 v + (1 - b2) g^2`, both from 0, the t-th step is
/// `x -= lr (m / (1 - b1^t)) / (sqrt(v / (1 - b2^t)) + epsilon)`.
///
/// m, v and t are kept by name across iterations, as `adam.NAME.first`, `adam.NAME.second` and `adam.NAME.steps`, so that checkpoints and save points have
/// them. The learning rate that the learnable was declared with does not count, nor do its momentum, weight decay and floor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the two averages.
    pub betas: [f64; 2],
    /// Added to the root of the second average.
    pub epsilon: f64,
    /// AdaBelief (Zhuang et al., NeurIPS 2020): v is the average of `(g - m)^2 + epsilon / (1 - b2)` in place of that of g^2.
    pub belief: bool,
    /// LAMB (You et al., ICLR 2020): the step's direction is scaled to the length of the learnable, unless one of the two is 0.
    pub trust: bool,
}

impl Adam {
    /// With the usual decays, 0.9 and 0.999, and epsilon 1e-8; neither AdaBelief nor LAMB.
    #[must_use]
    pub fn new(lr: f64) -> Self {
        Self { lr, betas: [0.9, 0.999], epsilon: 1e-8, belief: false, trust: false }
    }

    /// One step of a learnable. The metric `gradient_norm` is the length of the gradient by `images`, `gradient_norm_NAME` that by another one.
    ///
    /// # Errors
    /// There is no learnable of that name, or the gradient has another shape or is not finite.
    pub fn step<'call>(&self, run: &Iteration<'call>, name: &str, gradient: &Tensor<'call>) -> Result<()> {
        let change = self.change(run, name, gradient)?;
        run.assign(name, &(&run.learnable(name)?.detach()? - &change)?)
    }

    /// What a step subtracts, for a learnable that is a function of what is moved. Averages and metrics are those of [`step`](Self::step).
    ///
    /// # Errors
    /// The gradient has another shape than before or is not finite.
    pub fn change<'call>(&self, run: &Iteration<'call>, name: &str, gradient: &Tensor<'call>) -> Result<Tensor<'call>> {
        let gradient = gradient.detach()?;
        let squares = gradient.square()?;
        let length = gradient.length()?;
        if !length.is_finite() {
            return Err(Error::numeric(format!("the gradient of `{name}` is not finite")));
        }
        let state = |part: &str| format!("adam.{name}.{part}");
        let average = |part: &str, decay: f64, new: &Tensor<'call>| -> Result<Tensor<'call>> {
            let new = (new * (1.0 - decay))?;
            let average = match run.state(&state(part))? {
                Some(old) => (&(&old * decay)? + &new)?,
                None => new,
            };
            run.keep_state(&state(part), &average)?;
            Ok(average)
        };
        let first = average("first", self.betas[0], &gradient)?;
        let squares = match self.belief {
            true => (&(&gradient - &first)?.square()? + self.epsilon / (1.0 - self.betas[1]))?,
            false => squares,
        };
        let second = average("second", self.betas[1], &squares)?;
        let steps = run.state(&state("steps"))?.map_or(Ok(0.0), |steps| steps.scalar())? + 1.0;
        run.keep_state(&state("steps"), &Tensor::full(run.call(), &[], steps)?)?;
        // What averages that start at 0 still lack.
        let [of_first, of_second] = self.betas.map(|decay| 1.0 - libm::pow(decay, steps));
        let root = (&(&second * (1.0 / of_second))?.sqrt()? + self.epsilon)?;
        let mut change = (&(&first / &root)? * (self.lr / of_first))?;
        if self.trust {
            let [own, step] = [&run.learnable(name)?.detach()?, &change].map(Tensor::length);
            let (own, step) = (own?, step? / self.lr);
            if own > 0.0 && step > 0.0 {
                change = (&change * (own / step))?;
            }
        }
        let metric = if name == "images" { "gradient_norm".to_owned() } else { format!("gradient_norm_{name}") };
        run.metric(&metric, length)?;
        Ok(change)
    }
}
