//! Writing a matcher: what it optimises and one outer iteration. What an iteration can do is in [`Iteration`](crate::Iteration).

use crate::call::{Call, host, read_text};
use crate::error::Result;
use crate::iteration::Iteration;
use crate::problem::Problem;
use crate::random::Key;
use crate::tensor::{Tensor, numbers};
use pddflow_abi::{self as abi, LearnableKind as Kind, Need, Text};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;

/// A matcher: how synthetic data is made to mimic real data. The type that implements it is its parameters, see
/// [`parameters!`](crate::parameters); an instance does not change.
pub trait Matcher: DeserializeOwned + JsonSchema + Send + Sync + 'static {
    /// Name under which pipelines use it: `[a-z][a-z0-9-]*`.
    const ID: &'static str;
    /// One line.
    const SUMMARY: &'static str;
    /// Raised by one whenever the same parameters may give other numbers. Results are then named by [`ID`](Self::ID) and this number,
    /// so that a rebuild changes nothing; 0 (none): they are named by the bytes of the plugin's file.
    const REVISION: u32 = 0;
    /// Whether [`decode`](Self::decode) is implemented. If not, the learnable `images` is the set as it stands, with the
    /// learnable `labels` or else the class numbers.
    const DECODES: bool = false;
    /// Whether [`identify`](Self::identify) is implemented.
    const IDENTIFIES: bool = false;

    /// Whether the parameters make sense together; asked before anything runs.
    ///
    /// # Errors
    /// They do not.
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// Says what results depend on besides the parameters, the files that these name and [`REVISION`](Self::REVISION): versions of
    /// programs that the matcher calls. Asked whenever keys are made, so it must be quick.
    ///
    /// # Errors
    /// Such a program is not there.
    fn identify(&self, _identity: &mut Identity<'_>) -> Result<()> {
        Ok(())
    }

    /// Declares learnables, needs and the recipe.
    ///
    /// # Errors
    /// Parameters that do not fit the problem.
    fn describe(&self, problem: &Problem, description: &mut Description<'_>) -> Result<()>;

    /// Makes images and labels of the learnables: a pure function, differentiable in them.
    ///
    /// # Errors
    /// What the host refuses.
    fn decode<'call>(&self, _problem: &Problem, _learnables: &Learnables<'call>) -> Result<Decoded<'call>> {
        Err(crate::Error::new("this matcher does not decode"))
    }

    /// One outer iteration.
    ///
    /// # Errors
    /// What the host refuses.
    fn iterate(&self, iteration: &Iteration<'_>) -> Result<()>;
}

/// Takes what results depend on besides parameters, files and revision.
#[derive(Debug)]
pub struct Identity<'call> {
    pub(crate) call: Call<'call>,
}

impl Identity<'_> {
    /// A name and a value, as they enter the key.
    ///
    /// # Errors
    /// The name was used before, or a text is too long.
    #[track_caller]
    pub fn add(&mut self, name: &str, value: &str) -> Result<()> {
        host!(self.call, declare: DeclareGroup, identity(Text::new(name), Text::new(value)))
    }
}

/// How a learnable starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    /// Normal with this standard deviation.
    Noise(f64),
    /// Random real images of the row's class.
    Real,
    /// `factor * factor` real images in one (IDC).
    Tile(u32),
    /// 1 at the row's class.
    OneHot,
    /// Every element is this.
    Constant(f64),
    /// The tensor of [`Description::learnable_from`].
    Given,
}

/// A tensor that distillation optimises by stochastic gradient descent with momentum.
#[derive(Clone, Debug)]
pub struct Learnable {
    name: String,
    shape: Vec<usize>,
    kind: Kind,
    start: Start,
    unit_space: bool,
    lr: f64,
    momentum: f64,
    weight_decay: f64,
    clamp: (f64, f64),
    floor: f64,
}

impl Learnable {
    /// A learnable with learning rate `lr` and nothing else.
    #[must_use]
    pub fn new(kind: Kind, name: &str, shape: &[usize], start: Start, lr: f64) -> Self {
        Self {
            name: name.to_owned(),
            shape: shape.to_vec(),
            kind,
            start,
            unit_space: false,
            lr,
            momentum: 0.0,
            weight_decay: 0.0,
            clamp: (f64::NEG_INFINITY, f64::INFINITY),
            floor: f64::NEG_INFINITY,
        }
    }

    /// The images of a set, named `images`.
    #[must_use]
    pub fn images(problem: &Problem, start: impl Into<Start>, lr: f64) -> Self {
        Self::new(Kind::Images, "images", &problem.images(), start.into(), lr)
    }

    /// With momentum.
    #[must_use]
    pub fn with_momentum(mut self, momentum: f64) -> Self {
        self.momentum = momentum;
        self
    }

    /// With weight decay.
    #[must_use]
    pub fn with_weight_decay(mut self, weight_decay: f64) -> Self {
        self.weight_decay = weight_decay;
        self
    }

    /// Clamped to an interval before every outer iteration.
    #[must_use]
    pub fn with_clamp(mut self, low: f64, high: f64) -> Self {
        self.clamp = (low, high);
        self
    }

    /// Raised to this after every step.
    #[must_use]
    pub fn with_floor(mut self, floor: f64) -> Self {
        self.floor = floor;
        self
    }

    /// Pixels in `[0, 1]` instead of normalised ones; `decode` normalises.
    #[must_use]
    pub fn in_unit_space(mut self) -> Self {
        self.unit_space = true;
        self
    }

    #[track_caller]
    fn declare(&self, call: Call<'_>, first: abi::Tensor) -> Result<()> {
        let shape = numbers(&self.shape);
        let (init, init_value) = match self.start {
            Start::Noise(std) => (abi::LearnableInitKind::Noise, std),
            Start::Real => (abi::LearnableInitKind::Real, 0.0),
            Start::Tile(factor) => (abi::LearnableInitKind::Tile, f64::from(factor)),
            Start::OneHot => (abi::LearnableInitKind::OneHot, 0.0),
            Start::Constant(value) => (abi::LearnableInitKind::Constant, value),
            Start::Given => (abi::LearnableInitKind::Given, 0.0),
        };
        let space = if self.unit_space { abi::Space::Unit } else { abi::Space::Normalised };
        let declaration = abi::LearnableDeclaration {
            size: size_of::<abi::LearnableDeclaration>() as u32,
            kind: self.kind as u32,
            name: Text::new(&self.name),
            shape: shape.as_ptr(),
            rank: shape.len() as u64,
            init: init as u32,
            space: space as u32,
            init_value,
            lr: self.lr,
            momentum: self.momentum,
            weight_decay: self.weight_decay,
            clamp_low: self.clamp.0,
            clamp_high: self.clamp.1,
            floor: self.floor,
            first,
        };
        host!(call, declare: DeclareGroup, learnable(&raw const declaration))
    }
}

/// Takes what a matcher says about itself.
#[derive(Debug)]
pub struct Description<'call> {
    pub(crate) call: Call<'call>,
    pub(crate) seed_key: abi::RandomKey,
}

impl<'call> Description<'call> {
    /// The call, for making tensors.
    #[must_use]
    pub fn call(&self) -> Call<'call> {
        self.call
    }

    /// Randomness of the node, for first values; iterations have keys of their own besides
    /// ([`Iteration::node_key`](crate::Iteration::node_key)) this one.
    ///
    /// # Errors
    /// The call is over.
    #[track_caller]
    pub fn key(&self) -> Result<Key<'call>> {
        Key::new(self.call, self.seed_key).fold("describe")
    }

    /// The next learnable.
    ///
    /// # Errors
    /// The name was used before, or a number is not finite.
    #[track_caller]
    pub fn learnable(&mut self, learnable: &Learnable) -> Result<()> {
        learnable.declare(self.call, 0)
    }

    /// The next learnable, which starts as this tensor: its start is [`Start::Given`]. With learning rate 0 it is a constant that
    /// [`decode`](Matcher::decode) sees and the set keeps.
    ///
    /// # Errors
    /// As of [`learnable`](Self::learnable), or the tensor has another shape.
    #[track_caller]
    pub fn learnable_from(&mut self, learnable: &Learnable, first: &Tensor<'call>) -> Result<()> {
        learnable.declare(self.call, first.handle())
    }

    /// Says that the matcher works from tensors that are wired to its node, port `tensors`, and gives them. `purpose` says what they are,
    /// as `a generator`. `None` where they are not known yet, as before anything runs: needs are then all there is to declare.
    ///
    /// # Errors
    /// The host is older than 0.7, or was told before.
    #[track_caller]
    pub fn input(&mut self, purpose: &str) -> Result<Option<Tensors<'call>>> {
        let mut count = 0;
        host!(self.call, declare: DeclareGroup, input(Text::new(purpose), &raw mut count))?;
        let mut named = Vec::with_capacity(count as usize);
        for index in 0..count {
            let mut one = abi::NamedTensor { name: Text::EMPTY, tensor: 0 };
            host!(self.call, declare: DeclareGroup, input_tensor(index, &raw mut one))?;
            // SAFETY: the host's text is valid during the call.
            named.push((unsafe { read_text(one.name) }, Tensor::own(self.call, one.tensor)));
        }
        Ok((count > 0).then_some(Tensors { named }))
    }

    /// A need. [`Need::Models`] is [`Need::Model`] with a host before 0.9, where a node has one model.
    ///
    /// # Errors
    /// The host does not know it.
    #[track_caller]
    pub fn need(&mut self, need: Need) -> Result<()> {
        let need = if need == Need::Models && !self.call.has("models/1")? { Need::Model } else { need };
        host!(self.call, declare: DeclareGroup, need(need as u32))
    }

    /// How to train on the set, a JSON object.
    ///
    /// # Errors
    /// It is not an object.
    #[track_caller]
    pub fn recipe(&mut self, recipe: &serde_json::Value) -> Result<()> {
        let text = recipe.to_string();
        host!(self.call, declare: DeclareGroup, recipe(Text::new(&text)))
    }
}

/// The tensors that are wired to a node, in the order of their names.
#[derive(Clone, Debug)]
pub struct Tensors<'call> {
    named: Vec<(String, Tensor<'call>)>,
}

impl<'call> Tensors<'call> {
    /// A tensor by its name.
    ///
    /// # Errors
    /// There is none; the names that there are are listed.
    #[track_caller]
    pub fn get(&self, name: &str) -> Result<&Tensor<'call>> {
        self.find(name).ok_or_else(|| {
            let names: Vec<String> = self.named.iter().map(|(name, _)| format!("`{name}`")).collect();
            crate::Error::config(format!("the wired tensors have no `{name}`: there are {}", names.join(", ")))
        })
    }

    /// A tensor by its name, if there is one.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Tensor<'call>> {
        self.named.iter().find(|(known, _)| known == name).map(|(_, tensor)| tensor)
    }
}

/// The learnables, in the order of their declaration.
#[derive(Debug)]
pub struct Learnables<'call> {
    pub(crate) call: Call<'call>,
    pub(crate) named: Vec<(String, Tensor<'call>)>,
}

impl<'call> Learnables<'call> {
    /// A learnable by its name.
    ///
    /// # Errors
    /// There is none.
    #[track_caller]
    pub fn get(&self, name: &str) -> Result<&Tensor<'call>> {
        let found = self.named.iter().find(|(known, _)| known == name);
        found.map(|(_, tensor)| tensor).ok_or_else(|| crate::Error::new(format!("there is no learnable `{name}`")))
    }

    /// The call, for making tensors.
    #[must_use]
    pub fn call(&self) -> Call<'call> {
        self.call
    }
}

/// What `decode` gives.
#[derive(Debug)]
pub struct Decoded<'call> {
    /// `[row, channel, height, width]`, normalised as the data.
    pub images: Tensor<'call>,
    /// I64 `[row]`, or probabilities `[row, class]`.
    pub labels: Tensor<'call>,
}

impl Decoded<'_> {
    #[track_caller]
    pub(crate) fn declare(&self, call: Call<'_>) -> Result<()> {
        for (kind, tensor) in [(abi::Output::Images, &self.images), (abi::Output::Labels, &self.labels)] {
            host!(call, declare: DeclareGroup, output(kind as u32, Text::EMPTY, tensor.handle()))?;
        }
        Ok(())
    }
}

/// The usual recipe of a set, by the names of the parameters of the kind `evaluate`: epochs in batches of 256 by stochastic gradient
/// descent, learning rate 0.01 (a tenth of it in the second half), momentum 0.9, weight decay 5e-4, and an augmentation policy.
#[must_use]
pub fn recipe(epochs: u64, augment: &str) -> serde_json::Value {
    serde_json::json!({
        "epochs": epochs,
        "batch": 256,
        "lr": 0.01,
        "momentum": 0.9,
        "weight_decay": 5e-4,
        "schedule": "dc",
        "augment": augment,
    })
}
