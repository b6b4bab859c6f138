//! Numbers with a meaning. They cross the boundary as integers, never as these enums: a number that a reader does not know
//! is an error value, not undefined behaviour. Numbers are never reused; new ones are appended.

/// Result of every function.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It worked.
    Ok = 0,
    /// An argument is out of its range, NULL, or not UTF-8.
    InvalidArgument = 1,
    /// A tensor is stale, foreign, released or zero.
    BadHandle = 2,
    /// Shapes do not fit.
    Shape = 3,
    /// A dtype does not fit.
    Dtype = 4,
    /// The host (or plugin) does not know this.
    Unsupported = 5,
    /// The configuration is wrong.
    Config = 6,
    /// A number is not finite where it must be.
    Numeric = 7,
    /// The run was cancelled; pass it on.
    Cancelled = 8,
    /// Too many live tensors, or no memory.
    OutOfMemory = 9,
    /// A function tagged `[call]` was called on another thread, or with a call that is over or suspended.
    WrongThread = 10,
    /// The plugin panicked.
    Panic = 11,
    /// Anything else; also what an unknown number means.
    Internal = 12,
}

/// Type of a tensor's elements.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// As an argument: the type of real numbers in this call, F32 or F64.
    Real = 0,
    /// IEEE single precision.
    F32 = 1,
    /// IEEE double precision.
    F64 = 2,
    /// Indices and labels; never on the tape.
    I64 = 3,
}

/// Bits of `Header::flags`.
#[repr(u64)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// A panic or exception never ends the process: it is caught and returned as a status. C plugins set it.
    Unwinds = 1,
    /// Built for little endian.
    LittleEndian = 2,
    /// Built for 64-bit pointers.
    Pointers64 = 4,
}

/// What a descriptor describes.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Its table is a `MatcherTable`.
    Matcher = 1,
    /// Its table is a `ModelTable`.
    Model = 2,
}

/// Ops of the groups `map` and `reduce`, by family: 1.. unary, 100.. binary, 200.. reductions.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// -x.
    Neg = 1,
    /// e^x.
    Exp = 2,
    /// Natural logarithm.
    Log = 3,
    /// Square root.
    Sqrt = 4,
    /// 1 / x.
    Recip = 5,
    /// x^2.
    Square = 6,
    /// |x|; derivative 0 at 0.
    Abs = 7,
    /// -1, 0 or 1; derivative 0.
    Sign = 8,
    /// max(x, 0); derivative 0 at 0.
    Relu = 9,
    /// 1 where x > 0, else 0; derivative 0.
    Step = 10,
    /// Sine.
    Sin = 11,
    /// Cosine.
    Cos = 12,
    /// Hyperbolic tangent.
    Tanh = 13,
    /// 1 / (1 + e^-x).
    Sigmoid = 14,
    /// x^p; parameter p.
    Power = 15,
    /// Limited to an interval; parameters low, high; derivative 0 outside.
    Clamp = 16,
    /// x + c; parameter c.
    AddScalar = 17,
    /// x * c; parameter c.
    MulScalar = 18,
    /// Angle in radians, from 0 to pi, whose cosine is x; not a number outside of [-1, 1], infinite derivative at both ends. Since 0.6.
    Acos = 19,
    /// The error function. Since 0.6.
    Erf = 20,
    /// x + y.
    Add = 100,
    /// x - y.
    Sub = 101,
    /// x * y.
    Mul = 102,
    /// x / y.
    Div = 103,
    /// Larger of the two.
    Maximum = 104,
    /// Smaller of the two.
    Minimum = 105,
    /// 1 where x > y, else 0; no gradient.
    Greater = 106,
    /// 1 where x >= y, else 0; no gradient.
    GreaterEqual = 107,
    /// 1 where x < y, else 0; no gradient.
    Less = 108,
    /// 1 where x = y, else 0; no gradient.
    Equal = 109,
    /// 1 where x <= y, else 0; no gradient.
    LessEqual = 110,
    /// Sum.
    Sum = 200,
    /// Mean.
    Mean = 201,
    /// Largest.
    Max = 202,
    /// Smallest.
    Min = 203,
    /// Row of the largest, I64; one axis; no gradient.
    ArgMax = 204,
    /// log(sum e^x); one axis.
    LogSumExp = 205,
}

/// Pooling.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    /// Mean of the window.
    Average = 1,
    /// Largest of the window.
    Max = 2,
}

/// Normalisation of `LinearGroup::norm`.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Norm {
    /// Mean and variance over the plane of each image and channel.
    Instance = 1,
    /// Over the batch and the plane; also returns mean and variance (divided by the count).
    BatchTrain = 2,
    /// With the given mean and variance.
    BatchEval = 3,
}

/// Mode of a forward pass.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Statistics of the batch.
    Train = 0,
    /// Running statistics.
    Eval = 1,
}

/// What a weight is for.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightKind {
    /// Moved by an optimiser.
    Learnable = 0,
    /// A running statistic.
    Statistic = 1,
}

/// How a weight starts; `init_value` is the parameter.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitKind {
    /// Every element is the value.
    Constant = 0,
    /// Uniform in [-value, value).
    Uniform = 1,
    /// Normal with standard deviation value.
    Normal = 2,
}

/// What a learnable stands for.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LearnableKind {
    /// Images, or what `decode` makes images of.
    Images = 0,
    /// Soft labels.
    Labels = 1,
    /// A learning rate that is learned.
    LearningRate = 2,
    /// Anything else.
    Other = 3,
}

/// How a learnable starts; `init_value` is the parameter.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LearnableInitKind {
    /// Normal with standard deviation value.
    Noise = 0,
    /// Random real images of the row's class.
    Real = 1,
    /// value * value real images in one (IDC).
    Tile = 2,
    /// 1 at the row's class.
    OneHot = 3,
    /// Every element is the value.
    Constant = 4,
    /// The tensor `first` of the declaration. Since 0.7.
    Given = 5,
}

/// Space of a learnable's pixel values.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Space {
    /// As the data, after normalisation.
    Normalised = 0,
    /// [0, 1], before normalisation.
    Unit = 1,
}

/// What a matcher asks of its node.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// A model.
    Model = 1,
    /// Expert trajectories.
    Trajectories = 2,
    /// A pool of start weights; without this need missing ones are fresh random weights.
    StartWeights = 3,
    /// Evaluations during distillation.
    Evaluation = 4,
    /// The number of outer iterations. Without this need a set that was distilled too briefly can be distilled further.
    Horizon = 5,
    /// A model, and more than one are welcome: the matcher knows `model.models`. Without this need a node with several models is refused.
    /// Since 0.9.
    Models = 6,
}

/// What an output of `forward` or `decode` is.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// Model: [image, class].
    Logits = 1,
    /// Model: the embedding, [image, feature].
    Features = 2,
    /// Model: an intermediate map, named, in order of depth; may be repeated.
    Map = 3,
    /// Model: the new value of the next statistic weight; repeated.
    Statistic = 4,
    /// Decode: [row, channel, height, width].
    Images = 5,
    /// Decode: I64 `[row]` or probabilities `[row, class]`.
    Labels = 6,
    /// Model, in training: the mean and then the variance (divided by the count) of the batch where it is normalised, `[channel]`, in
    /// order of depth; repeated. Only for hosts with the capability `moments/1`. Since 0.8.
    Moment = 7,
}

/// Which part of the synthetic data.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetPart {
    /// The set that is being distilled.
    New = 0,
    /// The earlier sets and the new one; earlier ones are constant. Equals New at the first stage.
    Union = 1,
}

/// Who gets which random parameters in `DistillGroup::augment`.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draw {
    /// One draw for every image; the same key gives the same draw whatever the batch size.
    Siamese = 0,
    /// A draw for each image.
    PerImage = 1,
}

/// What a net is trained on.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrainSource {
    /// The images and labels of the request.
    Given = 0,
    /// Real images, at least `samples` in each epoch.
    Real = 1,
}

/// Who moves the weights in `DistillGroup::train_by`. Since 0.8.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Optimizer {
    /// Stochastic gradient descent with momentum, as `DistillGroup::train`.
    Sgd = 0,
    /// Adam: the momentum is the share that is left of the first average in a step, 0.999 that of the second; weight decay is a part of
    /// the gradient.
    Adam = 1,
    /// The same with weight decay beside the gradient.
    AdamW = 2,
}

/// Level of a log line.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// For the record.
    Info = 0,
    /// Shown to the user.
    Warning = 1,
}
