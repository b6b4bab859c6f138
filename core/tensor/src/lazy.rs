//! Values that are computed when somebody looks at them.
//!
//! Only normalisations wait: what follows them (ReLU, pooling) then becomes a part of them, and their own result, which nobody
//! needs, is never written. Whether a value waited makes no difference to its bits.

use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::Tensor;
use crate::backend::Value;
use crate::error::{Result, TensorError};
use crate::op::Op;

/// A value with its by-products.
pub(crate) type Outcome = (Value, Vec<Value>);

/// How to compute what has not been computed.
#[derive(Clone)]
pub(crate) struct Recipe {
    pub(crate) op: Op,
    pub(crate) inputs: Vec<Tensor>,
}

pub(crate) struct Lazy {
    outcome: OnceLock<Outcome>,
    recipe: Mutex<Option<Recipe>>,
    /// Sums of each plane of `[image, channel, row, column]`, where they cost nothing.
    plane_sums: OnceLock<Value>,
}

impl Lazy {
    pub(crate) fn now(outcome: Outcome) -> Self {
        Self { outcome: outcome.into(), recipe: Mutex::default(), plane_sums: OnceLock::new() }
    }

    pub(crate) fn later(recipe: Recipe) -> Self {
        Self { outcome: OnceLock::new(), recipe: Mutex::new(Some(recipe)), plane_sums: OnceLock::new() }
    }

    /// The outcome, which `compute` makes if nobody has asked before.
    pub(crate) fn get(&self, compute: impl FnOnce(&Recipe) -> Result<Outcome>) -> Result<&Outcome> {
        if let Some(outcome) = self.outcome.get() {
            return Ok(outcome);
        }
        // Locked while it is computed: a second thread waits instead of computing the same.
        let mut recipe = self.lock();
        if let Some(waiting) = recipe.as_ref() {
            let outcome = compute(waiting)?;
            let _ = self.outcome.set(outcome);
            *recipe = None;
        }
        let missing = || TensorError::Internal { op: "value", message: "neither a value nor a way to it".to_owned() };
        self.outcome.get().ok_or_else(missing)
    }

    /// The outcome, if it has been computed.
    pub(crate) fn known(&self) -> Option<&Outcome> {
        self.outcome.get()
    }

    /// The value to be changed, without what was computed beside it; `None` while it waits.
    pub(crate) fn value_mut(&mut self) -> Option<&mut Value> {
        let (value, by_products) = self.outcome.get_mut()?;
        by_products.clear();
        self.plane_sums.take();
        Some(value)
    }

    /// See the field; set once.
    pub(crate) fn plane_sums(&self) -> &OnceLock<Value> {
        &self.plane_sums
    }

    /// What will be computed, unless it has been.
    pub(crate) fn recipe(&self) -> Option<Recipe> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Recipe>> {
        self.recipe.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
