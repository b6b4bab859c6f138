//! Plain structs that cross the boundary. Each that may grow starts with its size as the writer knows it.

use core::ffi::c_char;

/// A tensor: slot, generation and call tag, opaque to plugins. 0 is none. Valid until the call ends or it is released.
pub type Tensor = u64;

/// UTF-8 text, borrowed; no terminator needed. `data` may be NULL when `length` is 0.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Text {
    /// First byte.
    pub data: *const c_char,
    /// Bytes.
    pub length: u64,
}

impl Text {
    /// No text.
    pub const EMPTY: Self = Self { data: core::ptr::null(), length: 0 };

    /// Borrows a text; the result must not outlive it.
    #[must_use]
    pub const fn new(text: &str) -> Self {
        Self { data: text.as_ptr().cast(), length: text.len() as u64 }
    }
}

/// Several texts.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct TextList {
    /// First text; may be NULL when `count` is 0.
    pub items: *const Text,
    /// Number of texts.
    pub count: u64,
}

impl TextList {
    /// No texts.
    pub const EMPTY: Self = Self { items: core::ptr::null(), count: 0 };
}

/// Name of a stream of random numbers. Plain data: may be kept, copied, compared.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RandomKey {
    /// Opaque.
    pub words: [u64; 4],
}

/// A tensor with a name.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct NamedTensor {
    /// Name.
    pub name: Text,
    /// Tensor.
    pub tensor: Tensor,
}

/// The task of a matcher.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Problem {
    /// Size of this struct in bytes.
    pub size: u32,
    /// Dtype of real numbers: F32 or F64.
    pub dtype: u32,
    /// Classes of the data set.
    pub classes: u64,
    /// Channels of an image.
    pub channels: u64,
    /// Rows of an image.
    pub height: u64,
    /// Columns of an image.
    pub width: u64,
    /// New synthetic images per class.
    pub ipc: u64,
    /// Outer iterations that there will be: in `iterate` of a matcher with `Need::Horizon`, elsewhere 0.
    pub iterations: u64,
    /// Rows of the learnable images in its usual form.
    pub learnable_rows: u64,
    /// Mean subtracted from pixels in [0, 1], for each channel; valid during the call.
    pub mean: *const f64,
    /// Standard deviation that pixels were divided by, for each channel.
    pub std: *const f64,
    /// Normalised value of black, for each channel.
    pub minimum: *const f64,
    /// Normalised value of white, for each channel.
    pub maximum: *const f64,
    /// Root of all randomness of the node.
    pub seed_key: RandomKey,
}

/// A weight, as a model declares it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct WeightDeclaration {
    /// Size of this struct in bytes.
    pub size: u32,
    /// `WeightKind`.
    pub kind: u32,
    /// Unique name, e.g. "block0.conv.weight".
    pub name: Text,
    /// Axes.
    pub shape: *const u64,
    /// Number of axes.
    pub rank: u64,
    /// `InitKind`.
    pub init: u32,
    /// 0.
    pub reserved: u32,
    /// Parameter of the initialiser.
    pub init_value: f64,
}

/// A weight, as a matcher sees it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct WeightInfo {
    /// Size of this struct in bytes.
    pub size: u32,
    /// `WeightKind`.
    pub kind: u32,
    /// Name; valid during the call.
    pub name: Text,
    /// Axes; valid during the call.
    pub shape: *const u64,
    /// Number of axes.
    pub rank: u64,
}

/// A tensor that distillation optimises.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct LearnableDeclaration {
    /// Size of this struct in bytes.
    pub size: u32,
    /// `LearnableKind`.
    pub kind: u32,
    /// "images", "labels", "step_size" or another name.
    pub name: Text,
    /// Axes.
    pub shape: *const u64,
    /// Number of axes.
    pub rank: u64,
    /// `LearnableInitKind`.
    pub init: u32,
    /// `Space`.
    pub space: u32,
    /// Parameter of the initialiser.
    pub init_value: f64,
    /// Learning rate of its optimiser.
    pub lr: f64,
    /// Momentum of its optimiser.
    pub momentum: f64,
    /// Weight decay of its optimiser.
    pub weight_decay: f64,
    /// Clamped to at least this before every outer iteration; -infinity for no limit.
    pub clamp_low: f64,
    /// Clamped to at most this before every outer iteration; +infinity for no limit.
    pub clamp_high: f64,
    /// Raised to this after every step; -infinity for no limit.
    pub floor: f64,
    /// First value with `Given`: a tensor of this call, of the learnable's shape. Since 0.7.
    pub first: Tensor,
}

/// What `ModelTable::forward` gets.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ForwardArguments {
    /// Size of this struct in bytes.
    pub size: u32,
    /// `Mode`.
    pub mode: u32,
    /// Weights in the order of their declaration.
    pub weights: *const Tensor,
    /// Number of weights.
    pub weight_count: u64,
    /// [image, channel, height, width].
    pub images: Tensor,
    /// For models that need randomness.
    pub key: RandomKey,
}

/// What a matcher gets of `ModelGroup::forward`: it fills size, the two buffers and their capacities, the host the rest.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ForwardResult {
    /// Size of this struct in bytes.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// [image, class].
    pub logits: Tensor,
    /// [image, feature].
    pub features: Tensor,
    /// Buffer for the intermediate maps; may be NULL when its capacity is 0.
    pub maps: *mut Tensor,
    /// Room in `maps`.
    pub map_capacity: u64,
    /// Maps there are; those beyond the capacity are not given out.
    pub map_count: u64,
    /// Buffer for new statistics; may be NULL when its capacity is 0.
    pub statistics: *mut Tensor,
    /// Room in `statistics`.
    pub statistic_capacity: u64,
    /// Statistics there are.
    pub statistic_count: u64,
    /// Buffer for the mean and variance of the batch at each batch normalisation, `[channel]`, on the tape; may be NULL when its capacity
    /// is 0. Since 0.8.
    pub moments: *mut Tensor,
    /// Room in `moments`. Since 0.8.
    pub moment_capacity: u64,
    /// Moments there are; those beyond the capacity are not given out. Since 0.8.
    pub moment_count: u64,
}

/// What `MatcherTable::decode` gets.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct DecodeArguments {
    /// Size of this struct in bytes.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// The task.
    pub problem: *const Problem,
    /// Learnables in the order of the description.
    pub learnables: *const NamedTensor,
    /// Number of learnables.
    pub learnable_count: u64,
}

/// What `MatcherTable::iterate` gets.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct IterateArguments {
    /// Size of this struct in bytes.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// The task.
    pub problem: *const Problem,
    /// Number of this outer iteration, from 0.
    pub iteration: u64,
    /// Randomness of this iteration: the seed key folded with its number.
    pub key: RandomKey,
}

/// Convolution.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ConvArguments {
    /// Size of this struct in bytes.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// [image, channel, row, column].
    pub x: Tensor,
    /// [out, in, row, column].
    pub weight: Tensor,
    /// `[out]` or 0.
    pub bias: Tensor,
    /// Rows, columns.
    pub stride: [u64; 2],
    /// Rows, columns, on both sides.
    pub padding: [u64; 2],
}

/// Grouped, dilated or transposed convolution. Since 0.8.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct GroupedConvArguments {
    /// Size of this struct in bytes.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// [image, channel, row, column].
    pub x: Tensor,
    /// [out, channel / groups, row, column]; transposed: [channel, out / groups, row, column].
    pub weight: Tensor,
    /// `[out]` or 0.
    pub bias: Tensor,
    /// Rows, columns.
    pub stride: [u64; 2],
    /// Rows, columns, on both sides.
    pub padding: [u64; 2],
    /// Distance of neighbouring elements of the kernel in rows, columns; 1 or more.
    pub dilation: [u64; 2],
    /// Parts of equal size that the channels are cut into; 1 or more.
    pub groups: u64,
    /// Transposed: rows, columns added at the end, below the stride; else not looked at.
    pub output_padding: [u64; 2],
}

/// Pooling.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct PoolArguments {
    /// Size of this struct in bytes.
    pub size: u32,
    /// `Pool`.
    pub kind: u32,
    /// [image, channel, row, column].
    pub x: Tensor,
    /// Rows, columns.
    pub kernel: [u64; 2],
    /// Rows, columns. An incomplete window at the end is dropped.
    pub stride: [u64; 2],
}

/// Normalisation per channel: (x - mean) / sqrt(variance + epsilon) * weight + bias.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct NormArguments {
    /// Size of this struct in bytes.
    pub size: u32,
    /// `Norm`.
    pub kind: u32,
    /// [image, channel, row, column].
    pub x: Tensor,
    /// `[channel]`.
    pub weight: Tensor,
    /// `[channel]`.
    pub bias: Tensor,
    /// `[channel]`; for BatchEval, else 0.
    pub mean: Tensor,
    /// `[channel]`; for BatchEval, else 0.
    pub variance: Tensor,
    /// Added to the variance.
    pub epsilon: f64,
}

/// Which rows of the synthetic data.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SetRequest {
    /// Size of this struct in bytes.
    pub size: u32,
    /// `SetPart`.
    pub part: u32,
    /// Class, or -1 for all.
    pub class_index: i64,
    /// At most this many rows, chosen at random by the key; 0 for all.
    pub limit: u64,
    /// For the choice.
    pub key: RandomKey,
}

/// Which segment of an expert trajectory.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct SegmentRequest {
    /// Size of this struct in bytes.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// First start epoch.
    pub min_start: u64,
    /// Start epochs end before this.
    pub max_start: u64,
    /// Epochs from start to target.
    pub length: u64,
    /// Chooses the net and the start.
    pub key: RandomKey,
}

/// How a net is trained.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct TrainRequest {
    /// Size of this struct in bytes.
    pub size: u32,
    /// `TrainSource`.
    pub source: u32,
    /// Given: [row, channel, height, width].
    pub images: Tensor,
    /// Given: I64 `[row]` or probabilities `[row, class]`.
    pub labels: Tensor,
    /// Real: images in each epoch.
    pub samples: u64,
    /// Epochs.
    pub epochs: u64,
    /// Images in a step.
    pub batch: u64,
    /// Learning rate.
    pub lr: f64,
    /// Momentum.
    pub momentum: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// Augmentation policy, drawn per image; empty for none.
    pub augment: Text,
    /// Probability of CutMix; 0 for none.
    pub cutmix: f64,
    /// Randomness of the training.
    pub key: RandomKey,
    /// In and out: weights in the model's order.
    pub weights: *mut Tensor,
    /// Number of weights.
    pub weight_count: u64,
    /// In and out: momentum buffers of the learnable weights in their order, all 0 before the first step; may be NULL.
    pub buffers: *mut Tensor,
    /// Room in `buffers`.
    pub buffer_count: u64,
}
