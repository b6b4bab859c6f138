//! The outer iteration.

use crate::attempt::{Attempt, Found, Outcome};
use crate::guard::Guard;
use crate::segment::Segment;
use crate::settings::{LEARNING_RATE, Settings};
use pddflow_sdk::{Iteration, Result, Tensor};

impl Settings<'_> {
    /// One outer iteration: draws segments until `gradient` gives one for a student that did not blow up, and then makes one step of
    /// the optimiser of the learning rate and of the learnables `names`, by which rows of the set and labels are made, unless the loss is
    /// too high for a step.
    ///
    /// # Errors
    /// The student blew up too often in a row, or what the host refuses.
    pub fn iterate<'call>(
        &self,
        run: &Iteration<'call>,
        names: &[&str],
        gradient: impl Fn(&Attempt<'_, 'call>) -> Result<Outcome<'call>>,
    ) -> Result<()> {
        let mut guard = Guard::open(run, self.limits.retries)?;
        for number in 0.. {
            let key = run.key().fold("attempt")?.fold_u64(number)?;
            let rate = run.learnable(LEARNING_RATE)?.detach()?.scalar()?;
            let segment = Segment::draw(run, &self.window, self.epochs, key.fold("segment")?)?;
            match gradient(&Attempt { run, settings: self, key, rate, segment })? {
                Ok(found) => {
                    if self.skip_above.is_some() {
                        run.metric("skipped", f64::from(u8::from(found.gradient.is_none())))?;
                    }
                    return apply(run, &mut guard, names, (rate, &found));
                }
                Err(why) => guard.bad(number, &why)?,
            }
        }
        Ok(())
    }
}

/// One step of every optimiser, where there is a gradient.
fn apply<'call>(
    run: &Iteration<'call>,
    guard: &mut Guard<'_, 'call>,
    names: &[&str],
    (rate, found): (f64, &Found<'call>),
) -> Result<()> {
    if let Some(by) = &found.gradient {
        let scale = guard.good(found.loss)?;
        for (name, gradient) in names.iter().zip(&by.learnables) {
            run.step_scaled(name, gradient, scale)?;
        }
        run.step_scaled(LEARNING_RATE, &Tensor::full(run.call(), &[], by.rate)?, scale)?;
    }
    run.metric("loss", found.loss)?;
    run.metric(LEARNING_RATE, rate)
}
