//! A configured model.

use crate::call::{Phase, State};
use crate::convert::words;
use crate::error::{Code, PluginError};
use crate::info::PluginInfo;
use crate::instance::Instance;
use crate::problem::Numbers;
use crate::types::{Forward, InputShape, Mode, WeightSpec};
use pddflow_abi::{self as abi, Output};
use pddflow_tensor::{DType, Device, RandomKey, Tensor};
use std::sync::Arc;

/// A configured model: a list of weights and a pure function of them. Cheap to share; may be used from several threads at once.
pub struct Model {
    instance: Instance,
    table: Arc<abi::ModelTable>,
}

impl std::fmt::Debug for Model {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Model").field("id", &self.id()).field("config", &self.instance.config).finish()
    }
}

impl Model {
    pub(crate) fn create(
        info: Arc<PluginInfo>,
        table: Arc<abi::ModelTable>,
        config: &serde_json::Value,
    ) -> Result<Self, PluginError> {
        let functions = table.create.zip(table.destroy).ok_or_else(unchecked)?;
        Ok(Self { instance: Instance::create(info, config, functions)?, table })
    }

    /// The plugin's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.instance.info.id
    }

    /// BLAKE3 digest of the plugin's file.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.instance.info.digest
    }

    /// The weights for images of this shape, in order.
    ///
    /// # Errors
    /// The plugin fails, e.g. because the images are too small, or declares no weight.
    pub fn weights(&self, shape: InputShape, classes: usize) -> Result<Vec<WeightSpec>, PluginError> {
        let problem = Numbers::of_model(shape, classes, DType::F32);
        let function = self.table.weights.ok_or_else(unchecked)?;
        let state = State::new(Phase::Weights, DType::F32, Device::Cpu, &self.instance.config);
        let state = self.instance.enter(state, |call, instance| {
            // SAFETY: checked at load; call, instance and problem live until it returns.
            unsafe { function(call, instance, problem.pointer()) }
        })?;
        if state.declared.weights.is_empty() {
            return Err(self.instance.contract("weights", "declared no weight"));
        }
        Ok(state.declared.weights)
    }

    /// Runs a batch `x` of shape `[image, channel, height, width]`; differentiable in the weights and in `x` to any order.
    ///
    /// # Errors
    /// The plugin fails, or what it returns breaks the contract: shapes, dtypes, a gradient that was cut.
    pub fn forward(&self, weights: &[Tensor], x: &Tensor, mode: Mode, key: RandomKey) -> Result<Forward, PluginError> {
        let function = self.table.forward.ok_or_else(unchecked)?;
        let mut state = State::new(Phase::Forward, x.dtype(), x.device(), &self.instance.config);
        let mut handles = Vec::with_capacity(weights.len());
        for weight in weights {
            handles.push(put(&mut state, weight)?);
        }
        let arguments = abi::ForwardArguments {
            size: size_of::<abi::ForwardArguments>() as u32,
            mode: mode as u32,
            weights: handles.as_ptr(),
            weight_count: handles.len() as u64,
            images: put(&mut state, x)?,
            key: words(key),
        };
        let state = self.instance.enter(state, |call, instance| {
            // SAFETY: checked at load; call, instance and arguments live until it returns.
            unsafe { function(call, instance, &raw const arguments) }
        })?;
        let taped = x.is_on_tape() || weights.iter().any(Tensor::is_on_tape);
        self.collect(state.declared.outputs, x, mode, taped)
    }

    fn collect(
        &self,
        outputs: Vec<(Output, String, Tensor)>,
        x: &Tensor,
        mode: Mode,
        taped: bool,
    ) -> Result<Forward, PluginError> {
        let (mut logits, mut features) = (None, None);
        let (mut maps, mut statistics, mut moments) = (Vec::new(), Vec::new(), Vec::new());
        for (kind, name, tensor) in outputs {
            match kind {
                Output::Logits => logits = Some(self.checked("logits", tensor, x, taped)?),
                Output::Features => features = Some(self.checked("features", tensor, x, taped)?),
                Output::Map => maps.push((name, tensor)),
                Output::Statistic if mode == Mode::Train => statistics.push(tensor.detach()),
                Output::Moment if mode == Mode::Train => moments.push(tensor),
                _ => return Err(self.instance.contract("forward", &format!("gave {kind:?} in mode {mode:?}"))),
            }
        }
        let missing = |what| self.instance.contract("forward", &format!("gave no {what}"));
        let logits = logits.ok_or_else(|| missing("logits"))?;
        let features = features.ok_or_else(|| missing("features"))?;
        Ok(Forward { logits, features, maps, statistics, moments })
    }

    /// `[image, something]` of the batch's dtype, on the tape if what it depends on is.
    fn checked(&self, what: &str, tensor: Tensor, x: &Tensor, taped: bool) -> Result<Tensor, PluginError> {
        let wrong = |message: String| Err(self.instance.contract("forward", &message));
        if tensor.rank() != 2 || tensor.shape().first() != x.shape().first() {
            let message = format!("gave `{what}` of shape {:?} for images of shape {:?}", tensor.shape(), x.shape());
            return wrong(format!("{message}; it must have one row for each image"));
        }
        if tensor.dtype() != x.dtype() {
            return wrong(format!("gave `{what}` of {:?} for images of {:?}", tensor.dtype(), x.dtype()));
        }
        if taped && !tensor.is_on_tape() {
            return wrong(format!("gave `{what}` off the tape: the gradient is cut somewhere in the plugin"));
        }
        Ok(tensor)
    }
}

/// Names an argument; a fresh arena has room for every argument list there is.
pub(crate) fn put(state: &mut State<'_>, tensor: &Tensor) -> Result<u64, PluginError> {
    state.arena.put(tensor.clone()).map_err(|fault| PluginError::new(Code::OutOfMemory, fault.message))
}

/// A function that the checks at load found is missing: a fault of the host.
pub(crate) fn unchecked() -> PluginError {
    PluginError::new(Code::Internal, "a function of the plugin's table was not checked")
}
