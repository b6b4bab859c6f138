//! Several models in one iteration.

use crate::call::host;
use crate::error::Result;
use crate::iteration::Iteration;
use pddflow_abi as abi;

impl Iteration<'_> {
    /// How many models the node has: 0 without one, and more than one only for a matcher that declares
    /// [`Need::Models`](crate::Need::Models). Hosts before 0.9 have one at most.
    ///
    /// # Errors
    /// The run was cancelled.
    #[track_caller]
    pub fn models(&self) -> Result<usize> {
        let mut out = 0;
        match host!(self.call, model: ModelGroup, models(&raw mut out)) {
            Err(error) if error.status == abi::Status::Unsupported as i32 => Ok(self.weight_count()?.min(1)),
            result => result.map(|()| out as usize),
        }
    }

    /// What is done with a model by its place: inside, `weights`, `fresh_weights`, `start_weights`, `trajectory`, `forward` and `train`
    /// are of that one, and afterwards again of the one before, which is the first unless this is nested. Weights of one model are
    /// refused by another of other shapes.
    ///
    /// ```
    /// # use pddflow_sdk::{Iteration, Mode, Result, Tensor};
    /// /// Sum of the mean features that all models of the node see.
    /// fn seen<'call>(run: &Iteration<'call>, images: &Tensor<'call>) -> Result<f64> {
    ///     let mut sum = 0.0;
    ///     for model in 0..run.models()? {
    ///         sum += run.with_model(model, |run| {
    ///             let net = run.start_weights(run.key().fold("net")?.fold_u64(model as u64)?)?;
    ///             run.forward(&net, images, Mode::Train, run.key())?.features.mean(&[], false)?.scalar()
    ///         })?;
    ///     }
    ///     Ok(sum)
    /// }
    /// ```
    ///
    /// # Errors
    /// There is no such model, or the closure fails.
    #[track_caller]
    pub fn with_model<T>(&self, model: usize, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        let before = self.model.get();
        self.choose(model)?;
        let done = work(self);
        // A failure comes first: a call that is cancelled refuses to choose.
        let back = self.choose(before);
        let done = done?;
        back.map(|()| done)
    }

    #[track_caller]
    fn choose(&self, model: usize) -> Result<()> {
        if model != self.model.get() {
            host!(self.call, model: ModelGroup, choose(model as u64))?;
            self.model.set(model);
        }
        Ok(())
    }

    /// The models in turn: iteration i works with model i modulo their number, so that all are used equally often (to within one
    /// iteration). With a single model it is always that one.
    ///
    /// # Errors
    /// The closure fails.
    #[track_caller]
    pub fn in_turn<T>(&self, work: impl FnOnce(&Self) -> Result<T>) -> Result<T> {
        let models = self.models()?.max(1);
        self.with_model((self.number % models as u64) as usize, work)
    }
}
