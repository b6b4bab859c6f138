//! Lazy evaluation: values that are computed when they are needed.
//!
//! Only instance and batch normalisations are lazy: ReLU and 2x2 average pooling that follow one are then computed in the same pass, and the
//! values in between, which are rarely needed, are never written. Whether a value was lazy makes no difference to its bits. The tape
//! knows nothing of it: see `tape` for the gradients.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::backend::{self, Value};
use crate::error::{Result, TensorError};
use crate::op::{Epilogue, Op, Unary, Window};
use crate::trace::{self, Kind};
use crate::{Device, watch};

/// A value with the saved values of its operation.
pub(crate) type Outcome = (Value, Vec<Value>);

/// How to compute what has not been computed. The inputs have been, so that a lazy value neither depends on another one nor keeps a
/// tape alive.
#[derive(Clone)]
struct Recipe {
    op: Op,
    inputs: Vec<Arc<Lazy>>,
    shape: Vec<usize>,
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

    /// The value of an operation: computed now, unless what follows may become a part of it.
    pub(crate) fn of(op: &Op, inputs: &[&Arc<Self>], shape: &[usize]) -> Result<Self> {
        let recipe = match op {
            // What is watched is computed where it is asked for.
            _ if watch::is_on() => None,
            Op::Norm { .. } => {
                inputs.iter().try_for_each(|input| input.get().map(|_| ()))?;
                let inputs = inputs.iter().map(|&input| Arc::clone(input)).collect();
                Some(Recipe { op: op.clone(), inputs, shape: shape.to_vec() })
            }
            Op::Unary(Unary::Relu) => inputs[0].with_epilogue([Epilogue::Identity, Epilogue::Relu], shape),
            Op::AvgPool { window: Window::HALVING } => {
                inputs[0].with_epilogue([Epilogue::Relu, Epilogue::ReluPool], shape)
            }
            _ => None,
        };
        let Some(recipe) = recipe else { return evaluate(op, inputs, shape).map(Self::now) };
        let lazy = Self { outcome: OnceLock::new(), recipe: Mutex::new(Some(recipe)), plane_sums: OnceLock::new() };
        if let Op::AvgPool { .. } = op {
            // Nothing is fused with what follows.
            lazy.get()?;
        }
        Ok(lazy)
    }

    /// How to compute this normalisation with another epilogue, unless it has been computed.
    fn with_epilogue(&self, [now, then]: [Epilogue; 2], shape: &[usize]) -> Option<Recipe> {
        match self.lock().as_ref()? {
            Recipe { op: Op::Norm { eps, over, epilogue }, inputs, .. } if *epilogue == now => {
                let op = Op::Norm { eps: *eps, over: *over, epilogue: then };
                Some(Recipe { op, inputs: inputs.clone(), shape: shape.to_vec() })
            }
            _ => None,
        }
    }

    /// The outcome, computed now unless it has been before.
    pub(crate) fn get(&self) -> Result<&Outcome> {
        if let Some(outcome) = self.outcome.get() {
            return Ok(outcome);
        }
        // Locked while it is computed: a second thread waits instead of computing the same.
        let mut recipe = self.lock();
        if let Some(Recipe { op, inputs, shape }) = recipe.as_ref() {
            let _ = self.outcome.set(evaluate(op, &inputs.iter().collect::<Vec<_>>(), shape)?);
            *recipe = None;
        }
        let missing = || TensorError::Internal { op: "value", message: "neither a value nor a way to it".to_owned() };
        self.outcome.get().ok_or_else(missing)
    }

    /// Where the value lies or will lie.
    pub(crate) fn device(&self) -> Device {
        let of = |lazy: &Self| lazy.known().map(|(value, _)| value.device());
        let waiting = || self.lock().as_ref().and_then(|recipe| of(&recipe.inputs[0]));
        // Between the first two looks another thread may have computed it.
        of(self).or_else(waiting).or_else(|| of(self)).unwrap_or_default()
    }

    /// The outcome, if it has been computed.
    pub(crate) fn known(&self) -> Option<&Outcome> {
        self.outcome.get()
    }

    /// The value to be changed, without what was computed beside it; `None` if it has not been computed.
    pub(crate) fn value_mut(&mut self) -> Option<&mut Value> {
        let (value, saved) = self.outcome.get_mut()?;
        saved.clear();
        self.plane_sums.take();
        Some(value)
    }

    /// See the field; set once.
    pub(crate) fn plane_sums(&self) -> &OnceLock<Value> {
        &self.plane_sums
    }

    fn lock(&self) -> MutexGuard<'_, Option<Recipe>> {
        self.recipe.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn evaluate(op: &Op, inputs: &[&Arc<Lazy>], shape: &[usize]) -> Result<Outcome> {
    let values = inputs.iter().map(|input| input.get().map(|(value, _)| value)).collect::<Result<Vec<_>>>()?;
    let about = |_: &Result<Outcome>| (shape.to_vec(), [bytes(&values, shape), operations(op, &values, shape)]);
    let outcome = trace::record(Kind::Operation, op.name(), || backend::evaluate(op, &values, shape), about)?;
    watch::check(op, &values, &outcome.0)?;
    Ok(outcome)
}

fn elements(shape: &[usize]) -> usize {
    shape.iter().product()
}

fn bytes(inputs: &[&Value], shape: &[usize]) -> usize {
    let result = inputs.first().map_or(0, |input| elements(shape) * input.width());
    result + inputs.iter().map(|input| elements(&input.shape()) * input.width()).sum::<usize>()
}

fn operations(op: &Op, inputs: &[&Value], shape: &[usize]) -> usize {
    let of = |index: usize| inputs.get(index).map_or_else(Vec::new, |input| input.shape());
    // Of a weight `[out, in, rows, columns]`: what one element of the result is summed from.
    let window = |weight: &[usize]| elements(weight.get(1..).unwrap_or_default());
    match op {
        Op::Matmul { transpose } => {
            let inner = of(0).get(if transpose[0] { 1 } else { 2 }).copied().unwrap_or(0);
            2 * elements(shape) * inner
        }
        Op::Conv { .. } => 2 * elements(shape) * window(&of(1)),
        Op::ConvInput { .. } => 2 * elements(&of(0)) * window(&of(1)),
        Op::ConvWeight { .. } => 2 * elements(&of(1)) * window(shape),
        _ => 0,
    }
}
