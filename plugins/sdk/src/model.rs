//! Writing a model.

use crate::call::{Call, host};
use crate::error::{Error, Result};
use crate::random::Key;
use crate::tensor::{Tensor, numbers};
use pddflow_abi::{self as abi, Mode, Text};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

/// A model: a list of weights and a pure function of them. The type that implements it is its parameters, see
/// [`parameters!`](crate::parameters); an instance does not change.
pub trait Model: DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// Name under which pipelines use it: `[a-z][a-z0-9-]*`.
    const ID: &'static str;
    /// One line.
    const SUMMARY: &'static str;
    /// As [`Matcher::REVISION`](crate::Matcher::REVISION).
    const REVISION: u32 = 0;

    /// Whether the parameters make sense together; asked before anything runs.
    ///
    /// # Errors
    /// They do not.
    fn check(&self) -> Result<()> {
        Ok(())
    }

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

impl Init {
    /// Uniform in `+-1/sqrt(fan_in)`, as PyTorch starts convolutions and linear layers, weights and biases.
    #[must_use]
    pub fn fan_in(fan_in: usize) -> Self {
        Self::Uniform(1.0 / (fan_in as f64).sqrt())
    }
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
    #[track_caller]
    pub fn learnable(&mut self, name: &str, shape: &[usize], init: Init) -> Result<()> {
        self.declare(abi::WeightKind::Learnable, name, shape, init)
    }

    /// The next weight, a running statistic.
    ///
    /// # Errors
    /// The name was used before.
    #[track_caller]
    pub fn statistic(&mut self, name: &str, shape: &[usize], init: Init) -> Result<()> {
        self.declare(abi::WeightKind::Statistic, name, shape, init)
    }

    /// `<name>.weight`, `[to, from]`, and `<name>.bias`, `[to]`, of a linear layer; uniform in `+-1/sqrt(from)`.
    ///
    /// # Errors
    /// The names were used before.
    #[track_caller]
    pub fn linear(&mut self, name: &str, from: usize, to: usize) -> Result<()> {
        self.learnable(&format!("{name}.weight"), &[to, from], Init::fan_in(from))?;
        self.learnable(&format!("{name}.bias"), &[to], Init::fan_in(from))
    }

    #[track_caller]
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

impl<'call> Batch<'call> {
    /// Channels of the images.
    ///
    /// # Errors
    /// The images do not have four axes.
    #[track_caller]
    pub fn channels(&self) -> Result<usize> {
        self.images.shape()?.get(1).copied().ok_or_else(|| Error::shape("images have four axes"))
    }

    /// The weights, if there are as many as the model has.
    ///
    /// # Errors
    /// There are not.
    #[track_caller]
    pub fn weights(&self, wanted: usize) -> Result<&[Tensor<'call>]> {
        let given = self.weights.len();
        match given == wanted {
            true => Ok(&self.weights),
            false => Err(Error::shape(format!("{given} weights were given, but this network has {wanted}"))),
        }
    }
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
    /// Mean and variance (divided by the count) of the batch at each batch normalisation, in order of depth, on the tape; empty in
    /// evaluation.
    pub moments: Vec<Tensor<'call>>,
}

impl Output<'_> {
    #[track_caller]
    pub(crate) fn declare(&self, call: Call<'_>) -> Result<()> {
        let give = |kind: abi::Output, name: &str, tensor: &Tensor<'_>| host!(call, declare: DeclareGroup, output(kind as u32, Text::new(name), tensor.handle()));
        give(abi::Output::Logits, "", &self.logits)?;
        give(abi::Output::Features, "", &self.features)?;
        for (name, map) in &self.maps {
            give(abi::Output::Map, name, map)?;
        }
        self.statistics.iter().try_for_each(|statistic| give(abi::Output::Statistic, "", statistic))?;
        if self.moments.is_empty() || !call.has("moments/1")? {
            return Ok(());
        }
        self.moments.iter().try_for_each(|moment| give(abi::Output::Moment, "", moment))
    }
}
