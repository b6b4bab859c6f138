//! A configured matcher.

use crate::call::{Decode, Phase, State};
use crate::convert::words;
use crate::environment::Environment;
use crate::error::PluginError;
use crate::info::PluginInfo;
use crate::instance::Instance;
use crate::model::{put, unchecked};
use crate::problem::Numbers;
use crate::types::{Decoded, Description, Labels, Problem};
use crate::view::labels_of;
use pddflow_abi::{self as abi, Output, Text};
use pddflow_tensor::watch::{self, Found};
use pddflow_tensor::{DType, Tensor};
use std::sync::Arc;

/// A configured matcher: what it optimises, how that becomes images, and one outer iteration.
pub struct Matcher {
    instance: Instance,
    table: Arc<abi::MatcherTable>,
}

impl std::fmt::Debug for Matcher {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Matcher").field("id", &self.id()).field("config", &self.instance.config).finish()
    }
}

impl Matcher {
    pub(crate) fn create(
        info: Arc<PluginInfo>,
        table: Arc<abi::MatcherTable>,
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

    /// What the matcher optimises and needs for a problem. Of one that works from tensors, [`Description::input`] says so, and what it
    /// optimises is not known before [`describe_with`](Self::describe_with).
    ///
    /// # Errors
    /// The plugin fails, or declares no learnable.
    pub fn describe(&self, problem: &Problem) -> Result<Description, PluginError> {
        self.describe_with(problem, &[])
    }

    /// The same with the tensors that are wired for it, by name.
    ///
    /// # Errors
    /// The plugin fails, or declares no learnable.
    pub fn describe_with(&self, problem: &Problem, inputs: &[(String, Tensor)]) -> Result<Description, PluginError> {
        let Self { instance, table } = self;
        let function = table.describe.ok_or_else(unchecked)?;
        let numbers = Numbers::of(problem);
        let mut state = State::new(Phase::Describe, problem.dtype, problem.device.clone(), &instance.config);
        state.inputs = inputs;
        let declared = instance
            .enter(state, |call, pointer| {
                // SAFETY: checked at load; call, instance and problem live until it returns.
                unsafe { function(call, pointer, numbers.pointer()) }
            })?
            .declared;
        let known = declared.input.is_none() || !inputs.is_empty();
        if known && declared.learnables.is_empty() {
            return Err(instance.contract("describe", "declared no learnable"));
        }
        if known && table.decode.is_none() && !declared.learnables.iter().any(|spec| spec.name == "images") {
            return Err(instance.contract("describe", "declared no learnable `images`, and there is no `decode`"));
        }
        Ok(Description {
            learnables: declared.learnables,
            needs: declared.needs,
            model_required: declared.model_required,
            input: declared.input,
            given: declared.given,
            recipe: declared.recipe.unwrap_or_else(|| serde_json::json!({})),
        })
    }

    /// What results depend on besides the parameters, the files that these name and the plugin's revision: names and values, in the
    /// order of their declaration.
    ///
    /// # Errors
    /// The plugin fails: a program that it calls is not there.
    pub fn identity(&self) -> Result<Vec<(String, String)>, PluginError> {
        let Some(function) = self.table.identify else {
            return Ok(Vec::new());
        };
        let state = State::new(Phase::Identify, DType::F32, pddflow_tensor::Device::Cpu, &self.instance.config);
        let state = self.instance.enter(state, |call, pointer| {
            // SAFETY: checked at load; call and instance live until it returns.
            unsafe { function(call, pointer) }
        })?;
        Ok(state.declared.identity)
    }

    /// Images and labels from learnables: the matcher's own `decode`, or the identity. Differentiable in the learnables.
    ///
    /// # Errors
    /// The plugin fails, or what it returns is no set of this problem.
    pub fn decode(&self, learnables: &[(String, Tensor)], problem: &Problem) -> Result<Decoded, PluginError> {
        let decoded = match self.table.decode {
            Some(_) => self.decode_by_plugin(learnables, problem)?,
            None => self.as_it_stands(learnables, problem)?,
        };
        let taped = learnables.iter().any(|(_, tensor)| tensor.is_on_tape());
        self.check(&decoded, problem, taped)?;
        Ok(decoded)
    }

    /// One outer iteration. Then the metric `gradient_norm` is the root mean square of the lengths of the gradients by `images` that the
    /// matcher stepped along, and `gradient_norm_NAME` of those by another learnable.
    ///
    /// # Errors
    /// The plugin fails, or the environment cannot do what it asks; then [`PluginError::code`] is the environment's.
    ///
    /// Where a number is not finite and the environment can go back, the iteration runs once or twice more to find the operation that gave
    /// the first one, and the error names it.
    pub fn iterate(&self, environment: &mut dyn Environment, iteration: u64) -> Result<(), PluginError> {
        let failed = match self.once(environment, iteration, false) {
            Err(error) if error.is_numeric() => error,
            outcome => return outcome,
        };
        let mut origin = None;
        for what in [watch::For::Nan, watch::For::NotFinite] {
            if !environment.rewind() {
                break;
            }
            match watch::first(what, || self.once(environment, iteration, true)) {
                (Err(first), Found::First) => {
                    origin = Some(first);
                    break;
                }
                (Err(first), Found::OfInfinite) => origin = Some(first),
                _ => {}
            }
        }
        Err(match origin {
            Some(origin) => failed.because_of(&origin),
            None => failed,
        })
    }

    fn once(&self, environment: &mut dyn Environment, iteration: u64, again: bool) -> Result<(), PluginError> {
        let Self { instance, table } = self;
        let function = table.iterate.ok_or_else(unchecked)?;
        let problem = environment.problem();
        let numbers = Numbers::of_iteration(problem);
        let key = problem.seed_key.fold("iterate").fold_u64(iteration);
        let mut state = State::new(Phase::Iterate, problem.dtype, problem.device.clone(), &instance.config);
        environment.choose_model(0);
        state.environment = Some(environment);
        state.decode = Some(self);
        state.again = again;
        let arguments = abi::IterateArguments {
            size: size_of::<abi::IterateArguments>() as u32,
            reserved: 0,
            problem: numbers.pointer(),
            iteration,
            key: words(key),
        };
        let mut done = instance.enter(state, |call, pointer| {
            // SAFETY: checked at load; call, instance and arguments live until it returns.
            unsafe { function(call, pointer, &raw const arguments) }
        })?;
        if let Some(environment) = done.environment.take().filter(|_| !again) {
            // A length beyond single precision is none, but the steps were finite.
            let norms = done.views.steps.norms().filter(|(_, length)| length.is_finite());
            norms.for_each(|(name, length)| environment.metric(&name, length));
        }
        Ok(())
    }

    fn as_it_stands(&self, learnables: &[(String, Tensor)], problem: &Problem) -> Result<Decoded, PluginError> {
        let find = |name: &str| learnables.iter().find(|(known, _)| known == name).map(|(_, tensor)| tensor.clone());
        let wrong = |message: &str| self.instance.contract("decode", message);
        let images = find("images").ok_or_else(|| wrong("is left out, and there is no learnable `images`"))?;
        if let Some(labels) = find("labels") {
            return Ok(Decoded { images, labels: Labels::Soft(labels) });
        }
        let rows = images.shape().first().copied().unwrap_or(0);
        if rows == 0 || !rows.is_multiple_of(problem.classes) {
            let message = format!("is left out, and {rows} rows are not a multiple of {} classes", problem.classes);
            return Err(wrong(&message));
        }
        let labels: Vec<i64> = (0..rows).map(|row| (row / (rows / problem.classes)) as i64).collect();
        let labels = Tensor::from_i64(labels, &[rows], &images.device());
        let labels = labels.map_err(|error| wrong(&error.to_string()))?;
        Ok(Decoded { images, labels: Labels::Hard(labels) })
    }

    fn decode_by_plugin(&self, learnables: &[(String, Tensor)], problem: &Problem) -> Result<Decoded, PluginError> {
        let function = self.table.decode.ok_or_else(unchecked)?;
        let numbers = Numbers::of(problem);
        let mut state = State::new(Phase::Decode, problem.dtype, problem.device.clone(), &self.instance.config);
        let mut named = Vec::with_capacity(learnables.len());
        for (name, tensor) in learnables {
            named.push(abi::NamedTensor { name: Text::new(name), tensor: put(&mut state, tensor)? });
        }
        let arguments = abi::DecodeArguments {
            size: size_of::<abi::DecodeArguments>() as u32,
            reserved: 0,
            problem: numbers.pointer(),
            learnables: named.as_ptr(),
            learnable_count: named.len() as u64,
        };
        let state = self.instance.enter(state, |call, pointer| {
            // SAFETY: checked at load; call, instance and arguments live until it returns.
            unsafe { function(call, pointer, &raw const arguments) }
        })?;
        let (mut images, mut labels) = (None, None);
        for (kind, _, tensor) in state.declared.outputs {
            match kind {
                Output::Images => images = Some(tensor),
                _ => labels = Some(labels_of(tensor)),
            }
        }
        match (images, labels) {
            (Some(images), Some(labels)) => Ok(Decoded { images, labels }),
            _ => Err(self.instance.contract("decode", "must give both images and labels")),
        }
    }

    fn check(&self, decoded: &Decoded, problem: &Problem, taped: bool) -> Result<(), PluginError> {
        let wrong = |message: String| Err(self.instance.contract("decode", &message));
        let shape = problem.shape;
        let (images, labels) = (&decoded.images, decoded.labels.tensor());
        let image = [shape.channels, shape.height, shape.width];
        if images.rank() != 4 || images.shape()[1..] != image || images.shape()[0] == 0 {
            return wrong(format!("gave images of shape {:?}; each must be {image:?}", images.shape()));
        }
        if images.dtype() != problem.dtype {
            return wrong(format!("gave images of {:?} instead of {:?}", images.dtype(), problem.dtype));
        }
        if taped && !images.is_on_tape() {
            return wrong("gave images off the tape: the gradient is cut somewhere in the plugin".to_owned());
        }
        let rows = images.shape()[0];
        let fits = match &decoded.labels {
            Labels::Hard(labels) => labels.shape() == [rows],
            Labels::Soft(labels) => labels.shape() == [rows, problem.classes],
        };
        if !fits {
            return wrong(format!("gave labels of shape {:?} for {rows} images", labels.shape()));
        }
        match (&decoded.labels, labels.dtype() == DType::I64) {
            (Labels::Hard(labels), true) => self.check_range(labels, problem.classes),
            _ => Ok(()),
        }
    }

    fn check_range(&self, labels: &Tensor, classes: usize) -> Result<(), PluginError> {
        let wrong = |message: &str| self.instance.contract("decode", message);
        let numbers = labels.to_i64_vec().map_err(|error| wrong(&error.to_string()))?;
        match numbers.iter().find(|label| !(0..classes as i64).contains(*label)) {
            Some(label) => Err(wrong(&format!("gave the label {label}, but there are {classes} classes"))),
            None => Ok(()),
        }
    }
}

impl Decode for Matcher {
    fn decode(&self, learnables: &[(String, Tensor)], problem: &Problem) -> Result<Decoded, PluginError> {
        Self::decode(self, learnables, problem)
    }
}
