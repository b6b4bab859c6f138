//! Writing a model.

use crate::call::{Call, host};
use crate::error::Result;
use crate::random::Key;
use crate::tensor::{Tensor, numbers};
use pddflow_abi::{self as abi, Mode, Text};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

/// A model: a list of weights and a pure function of them.
pub trait Model: Sized + Send + Sync + 'static {
    /// Name under which pipelines use it: `[a-z][a-z0-9-]*`.
    const ID: &'static str;
    /// One line.
    const SUMMARY: &'static str;
    /// As [`Matcher::REVISION`](crate::Matcher::REVISION).
    const REVISION: u32 = 0;
    /// Parameters. Use `#[serde(default, deny_unknown_fields)]`, so that the schema has the defaults and typing errors are found.
    type Config: DeserializeOwned + JsonSchema;

    /// Makes an instance; it does not change after this.
    ///
    /// # Errors
    /// Parameters that do not make sense together.
    fn create(config: Self::Config) -> Result<Self>;

    /// Declares the weights in order.
    ///
    /// # Errors
    /// Images that this model cannot take.
    fn weights(&self, input: Input, weights: &mut Weights<'_>) -> Result<()>;

    /// Runs a batch. Statistics that change are outputs, so that the function stays pure.
    ///
    /// # Errors
    /// What the host refuses.
    fn forward<'call>(&self, batch: &Batch<'call>) -> Result<Output<'call>>;
}

/// What a model is made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Input {
    /// Channels of an image.
    pub channels: usize,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// Number of classes.
    pub classes: usize,
}

/// How a weight starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Every element is this.
    Constant(f64),
    /// Uniform in `[-bound, bound)`.
    Uniform(f64),
    /// Normal with this standard deviation.
    Normal(f64),
}

/// Takes declarations of weights.
#[derive(Debug)]
pub struct Weights<'call> {
    pub(crate) call: Call<'call>,
}

impl Weights<'_> {
    /// The next weight, moved by the optimiser.
    ///
    /// # Errors
    /// The name was used before.
    pub fn learnable(&mut self, name: &str, shape: &[usize], init: Init) -> Result<()> {
        self.declare(abi::WeightKind::Learnable, name, shape, init)
    }

    /// The next weight, a running statistic.
    ///
    /// # Errors
    /// The name was used before.
    pub fn statistic(&mut self, name: &str, shape: &[usize], init: Init) -> Result<()> {
        self.declare(abi::WeightKind::Statistic, name, shape, init)
    }

    fn declare(&mut self, kind: abi::WeightKind, name: &str, shape: &[usize], init: Init) -> Result<()> {
        let shape = numbers(shape);
        let (init, init_value) = match init {
            Init::Constant(value) => (abi::InitKind::Constant, value),
            Init::Uniform(bound) => (abi::InitKind::Uniform, bound),
            Init::Normal(std) => (abi::InitKind::Normal, std),
        };
        let declaration = abi::WeightDeclaration {
            size: size_of::<abi::WeightDeclaration>() as u32,
            kind: kind as u32,
            name: Text::new(name),
            shape: shape.as_ptr(),
            rank: shape.len() as u64,
            init: init as u32,
            reserved: 0,
            init_value,
        };
        host!(self.call, declare: DeclareGroup, weight(&raw const declaration))
    }
}

/// What a forward pass gets.
#[derive(Debug)]
pub struct Batch<'call> {
    /// Weights in the order of their declaration.
    pub weights: Vec<Tensor<'call>>,
    /// `[image, channel, height, width]`.
    pub images: Tensor<'call>,
    /// Training or evaluation.
    pub mode: Mode,
    /// For models that need randomness.
    pub key: Key<'call>,
}

/// What a forward pass gives.
#[derive(Debug)]
pub struct Output<'call> {
    /// `[image, class]`.
    pub logits: Tensor<'call>,
    /// The embedding, `[image, feature]`.
    pub features: Tensor<'call>,
    /// Intermediate maps in order of depth, named.
    pub maps: Vec<(String, Tensor<'call>)>,
    /// New values of the statistics in their order; empty in evaluation.
    pub statistics: Vec<Tensor<'call>>,
}

impl Output<'_> {
    pub(crate) fn declare(&self, call: Call<'_>) -> Result<()> {
        let give = |kind: abi::Output, name: &str, tensor: &Tensor<'_>| host!(call, declare: DeclareGroup, output(kind as u32, Text::new(name), tensor.handle()));
        give(abi::Output::Logits, "", &self.logits)?;
        give(abi::Output::Features, "", &self.features)?;
        for (name, map) in &self.maps {
            give(abi::Output::Map, name, map)?;
        }
        self.statistics.iter().try_for_each(|statistic| give(abi::Output::Statistic, "", statistic))
    }
}
