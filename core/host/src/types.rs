//! The words that the program and its plugins share: shapes, weights, learnables, sets, nets.
//!
//! These are the Rust forms; `pddflow-abi` holds the C forms that cross the boundary. Nothing here runs a plugin.

pub use pddflow_abi::{LearnableKind as LearnableRole, Mode, Optimizer, Space, WeightKind as WeightRole};
use pddflow_tensor::augment::Policy;
use pddflow_tensor::{DType, Device, RandomKey, Tensor};
use std::collections::BTreeMap;

/// Size of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InputShape {
    /// Channels: 1 or 3 for pictures.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl InputShape {
    /// Number of values of one image.
    #[must_use]
    pub fn elements(&self) -> usize {
        self.channels * self.height * self.width
    }
}

/// How a weight starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    /// Every element has this value.
    Constant(f64),
    /// Uniform in `[-bound, bound)`.
    Uniform {
        /// Half the width of the interval.
        bound: f64,
    },
    /// Normal with mean 0.
    Normal {
        /// Standard deviation.
        std: f64,
    },
}

/// One weight of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct WeightSpec {
    /// Name, unique in the model, e.g. `block0.conv.weight`.
    pub name: String,
    /// Shape.
    pub shape: Vec<usize>,
    /// Initial value.
    pub init: Init,
    /// Learnable or statistic.
    pub role: WeightRole,
}

/// What a model returns for a batch.
#[derive(Clone, Debug)]
pub struct Forward {
    /// `[image, class]`.
    pub logits: Tensor,
    /// The embedding, `[image, feature]`: what the last linear layer sees.
    pub features: Tensor,
    /// Intermediate features in order of depth, named.
    pub maps: Vec<(String, Tensor)>,
    /// New values of the statistic weights in their order; empty in `Eval` and for models without statistics.
    pub statistics: Vec<Tensor>,
    /// Mean and variance (divided by the count) of the batch at each batch normalisation, `[channel]`, in order of depth, on the tape;
    /// empty in `Eval` and where the model does not give them.
    pub moments: Vec<Tensor>,
}

/// Range of the values of real images, per channel, in the normalised space.
#[derive(Clone, Debug, PartialEq)]
pub struct ValueRange {
    /// Value of a black pixel.
    pub min: Vec<f64>,
    /// Value of a white pixel.
    pub max: Vec<f64>,
    /// Mean that was subtracted from pixels in `[0, 1]`; 0 where nothing was.
    pub mean: Vec<f64>,
    /// Standard deviation that pixels were divided by; 1 where nothing was.
    pub std: Vec<f64>,
}

/// What a matcher is told about its task.
#[derive(Clone, Debug)]
pub struct Problem {
    /// Number of classes of the data set.
    pub classes: usize,
    /// Size of one real image.
    pub shape: InputShape,
    /// New synthetic images per class of this stage.
    pub ipc: usize,
    /// Rows of the learnable `images` in its usual form: `classes * ipc`.
    pub learnable_rows: usize,
    /// Outer iterations that there will be, for [`Matcher::iterate`](crate::Matcher::iterate) of a matcher with
    /// [`Need::Horizon`]; `None` wherever else.
    pub horizon: Option<u64>,
    /// Root of all randomness of this node.
    pub seed_key: RandomKey,
    /// Where tensors live.
    pub device: Device,
    /// Type of every real number.
    pub dtype: DType,
    /// Range of the real images.
    pub value_range: ValueRange,
}

/// What a matcher asks of its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The input `trajectories` must be wired.
    Trajectories,
    /// The input `start` must be wired; without this need a missing `start` means fresh random weights.
    StartWeights,
    /// Asks for evaluations during distillation, e.g. to choose a snapshot.
    Evaluation,
    /// Must be told the number of outer iterations; without this need no iteration can depend on it.
    Horizon,
    /// Takes a node with several models; without this need it has one at most.
    Models,
}

/// What a matcher says about itself for a problem.
#[derive(Clone, Debug)]
pub struct Description {
    /// The tensors that distillation optimises; at least one, but for a matcher with an [`input`](Self::input) that was asked without it.
    pub learnables: Vec<LearnableSpec>,
    /// What must be wired.
    pub needs: Vec<Need>,
    /// Whether a model must be given.
    pub model_required: bool,
    /// What the tensors are that it works from, if it does: `a generator`, for example.
    pub input: Option<String>,
    /// First values of the learnables that start as [`LearnableInit::Given`], by name.
    pub given: BTreeMap<String, Tensor>,
    /// How to train on the set: learning rate, augmentation and so on, as JSON; stored with the set.
    pub recipe: serde_json::Value,
}

/// How a learnable starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LearnableInit {
    /// Normal with mean 0.
    Noise {
        /// Standard deviation.
        std: f64,
    },
    /// Random real images of the row's class, without replacement.
    Real,
    /// `factor * factor` real images of the class in one, each resized to a cell by nearest neighbour (IDC's "mix").
    Tile {
        /// Cells per side.
        factor: usize,
    },
    /// 1 at the row's class, else 0.
    OneHot,
    /// Every element has this value.
    Constant(f64),
    /// The tensor in [`Description::given`].
    Given,
}

/// Stochastic gradient descent: `d = g + weight_decay * w; buf = momentum * buf + d; w -= lr * buf`, `buf` starting at 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    /// Learning rate, outside the buffer, so that a change acts at once.
    pub lr: f64,
    /// Momentum.
    pub momentum: f64,
    /// Weight decay.
    pub weight_decay: f64,
}

/// One tensor that distillation optimises.
#[derive(Clone, Debug, PartialEq)]
pub struct LearnableSpec {
    /// `images`, `labels`, `step_size` or another name.
    pub name: String,
    /// What it stands for.
    pub role: LearnableRole,
    /// Shape. For images class-contiguous rows: `c*ipc .. (c+1)*ipc` belong to class `c`.
    pub shape: Vec<usize>,
    /// Initial value.
    pub init: LearnableInit,
    /// Space of pixel values; matters for `Real` and `Tile`.
    pub space: Space,
    /// Its optimiser; the momentum buffer belongs to the host.
    pub optimizer: Sgd,
    /// Clamped to this interval once before every outer iteration (IDC).
    pub clamp: Option<(f64, f64)>,
    /// Raised to this value after every step (a learning rate that is learned).
    pub floor: Option<f64>,
}

/// Labels of a decoded set.
#[derive(Clone, Debug)]
pub enum Labels {
    /// Class numbers, I64 `[row]`.
    Hard(Tensor),
    /// Probabilities, `[row, class]`.
    Soft(Tensor),
}

impl Labels {
    /// The tensor itself.
    #[must_use]
    pub fn tensor(&self) -> &Tensor {
        match self {
            Self::Hard(tensor) | Self::Soft(tensor) => tensor,
        }
    }
}

/// A set as one trains on it.
#[derive(Clone, Debug)]
pub struct Decoded {
    /// `[row, channel, height, width]`, normalised as the data.
    pub images: Tensor,
    /// One label for each row.
    pub labels: Labels,
}

/// Real images with their class numbers.
#[derive(Clone, Debug)]
pub struct Batch {
    /// `[row, channel, height, width]`.
    pub images: Tensor,
    /// I64 `[row]`.
    pub labels: Tensor,
}

/// Two points of one expert trajectory.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Weights at `epoch`, in the order of the model's specs.
    pub start: Vec<Tensor>,
    /// Weights `length` epochs later.
    pub target: Vec<Tensor>,
    /// Where the segment starts.
    pub epoch: u64,
}

/// A net that is being trained.
#[derive(Clone, Debug)]
pub struct Net {
    /// In the order of the model's specs; detached.
    pub weights: Vec<Tensor>,
    /// What the optimiser keeps for the learnable weights in their order, as `train_by` of the boundary says; `None` before the first step.
    pub momentum: Option<Vec<Tensor>>,
}

impl Net {
    /// A net that has made no step yet.
    #[must_use]
    pub fn new(weights: Vec<Tensor>) -> Self {
        Self { weights, momentum: None }
    }
}

/// What a net is trained on.
#[derive(Clone, Debug)]
pub enum TrainData {
    /// These images, shuffled anew each epoch.
    Given {
        /// `[row, channel, height, width]`; detached.
        images: Tensor,
        /// One label for each row; detached.
        labels: Labels,
    },
    /// Real images of all classes, drawn in batches until at least `samples` were seen in each epoch (IDC's `n_data`).
    Real {
        /// Images of one epoch; batches are never cut.
        samples: usize,
    },
}

/// How a net is trained.
#[derive(Clone, Debug)]
pub struct TrainSpec {
    /// On what.
    pub data: TrainData,
    /// How often it sees all of it.
    pub epochs: u64,
    /// Images in a step; the last step of an epoch on given images may be short.
    pub batch: usize,
    /// Who moves the weights.
    pub optimizer: Optimizer,
    /// Learning rate.
    pub lr: f64,
    /// Momentum; buffers are taken from and left in the [`Net`].
    pub momentum: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// Augmentation, drawn per image.
    pub augment: Policy,
    /// Probability of CutMix in a batch.
    pub cutmix: Option<f64>,
    /// Root of the order of the images, the augmentation and CutMix.
    pub key: RandomKey,
}
