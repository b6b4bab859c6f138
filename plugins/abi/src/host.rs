//! What the host gives: a root table that leads to groups of functions.
//!
//! Rules for every function: the call comes first, the result is a `Status`, results go through the last pointers and are
//! written only on success. A tag says where it may be called: `[any]` on any thread at any time, `[call]` only on the thread
//! that entered the plugin, while that call lasts and no inner call is running. Texts and arrays that are passed in are read
//! before the function returns. All functions return `Cancelled` once the run is cancelled.

use crate::data::{
    ConvArguments, ForwardResult, GroupedConvArguments, LearnableDeclaration, NamedTensor, NormArguments,
    PoolArguments, Problem, RandomKey, SegmentRequest, SetRequest, Tensor, Text, TrainRequest, WeightDeclaration,
    WeightInfo,
};

/// One entry of the host into the plugin. The host owns it; it has more fields than these.
#[repr(C)]
#[derive(Debug)]
pub struct Call {
    /// Size of this struct in bytes, as far as it is public.
    pub size: u32,
    /// 0.
    pub reserved: u32,
    /// The host's functions.
    pub host: *const Host,
}

/// Root of the host's functions. Later versions append groups.
#[repr(C)]
#[derive(Debug)]
pub struct Host {
    /// Size of this struct in bytes.
    pub size: u32,
    /// Minor version of the host.
    pub abi_minor: u32,
    /// Versions, abilities and errors.
    pub core: *const CoreGroup,
    /// Text and numbers for the record.
    pub log: *const LogGroup,
    /// The instance's parameters.
    pub config: *const ConfigGroup,
    /// Tensors from numbers.
    pub make: *const MakeGroup,
    /// What a tensor is.
    pub info: *const InfoGroup,
    /// Numbers out of tensors. A tensor on the tape is refused: detach it first, so that a break in the gradient is visible.
    pub read: *const ReadGroup,
    /// Element by element, with numpy's broadcasting.
    pub map: *const MapGroup,
    /// Over axes.
    pub reduce: *const ReduceGroup,
    /// Rearranging.
    pub shape: *const ShapeGroup,
    /// Products, convolution and what nets are made of.
    pub linear: *const LinearGroup,
    /// Derivatives of any order.
    pub grad: *const GradGroup,
    /// Numbers from keys: the same key always gives the same numbers.
    pub random: *const RandomGroup,
    /// The model of the node; matchers reach models only this way.
    pub model: *const ModelGroup,
    /// Memory. Results belong to the call and vanish with it; these only save memory before.
    pub arena: *const ArenaGroup,
    /// What a plugin says about itself and returns.
    pub declare: *const DeclareGroup,
    /// What a matcher works with; available in `iterate` only.
    pub distill: *const DistillGroup,
}

// SAFETY: the tables are constant data.
#[expect(unsafe_code, reason = "constant tables with pointers")]
unsafe impl Sync for Host {}

/// Versions, abilities and errors. Later versions append functions.
#[repr(C)]
#[derive(Debug)]
pub struct CoreGroup {
    /// Size of this struct in bytes.
    pub size: u32,
    /// Revision of the group.
    pub revision: u32,
    /// Version of the host program; constant text. `[any]`
    pub version: Option<unsafe extern "C" fn(call: *mut Call, out: *mut Text) -> i32>,
    /// 1 if the host knows the `Op`, else 0. `[any]`
    pub supports: Option<unsafe extern "C" fn(call: *mut Call, op: u32, out: *mut u32) -> i32>,
    /// 1 if the host has the capability, else 0. `[any]`
    pub has: Option<unsafe extern "C" fn(call: *mut Call, capability: Text, out: *mut u32) -> i32>,
    /// Sets the error of the call and returns `status`. The first error is kept as the cause, later ones are its context. `[call]`
    pub fail: Option<unsafe extern "C" fn(call: *mut Call, status: i32, message: Text) -> i32>,
    /// Text of the call's first error, empty if there is none; valid until the next host call. `[call]`
    pub error: Option<unsafe extern "C" fn(call: *mut Call, out: *mut Text) -> i32>,
    /// 1 if the run should stop, else 0. `[call]`
    pub cancelled: Option<unsafe extern "C" fn(call: *mut Call, out: *mut u32) -> i32>,
    /// How many more tensors may live. `[call]`
    pub budget: Option<unsafe extern "C" fn(call: *mut Call, out: *mut u64) -> i32>,
}

/// Text and numbers for the record. Later versions append functions.
#[repr(C)]
#[derive(Debug)]
pub struct LogGroup {
    /// Size of this struct in bytes.
    pub size: u32,
    /// Revision of the group.
    pub revision: u32,
    /// A line of text; level is a `LogLevel`. `[call]`
    pub message: Option<unsafe extern "C" fn(call: *mut Call, level: u32, text: Text) -> i32>,
    /// A number of this iteration. `[call]`
    pub metric: Option<unsafe extern "C" fn(call: *mut Call, name: Text, value: f64) -> i32>,
}

/// The instance's parameters. Later versions append functions.
#[repr(C)]
#[derive(Debug)]
pub struct ConfigGroup {
    /// Size of this struct in bytes.
    pub size: u32,
    /// Revision of the group.
    pub revision: u32,
    /// Parameters as JSON, checked against the schema, defaults filled in; valid during the call. `[call]`
    pub json: Option<unsafe extern "C" fn(call: *mut Call, out: *mut Text) -> i32>,
}

/// Tensors from numbers. Later versions append functions.
#[repr(C)]
#[derive(Debug)]
pub struct MakeGroup {
    /// Size of this struct in bytes.
    pub size: u32,
    /// Revision of the group.
    pub revision: u32,
    /// From elements in row-major order, native endianness. `[call]`
    pub from_bytes: Option<
        unsafe extern "C" fn(
            call: *mut Call,
            dtype: u32,
            shape: *const u64,
            rank: u64,
            data: *const u8,
            bytes: u64,
            out: *mut Tensor,
        ) -> i32,
    >,
    /// Every element is `value`. `[call]`
    pub full: Option<
        unsafe extern "C" fn(
            call: *mut Call,
            dtype: u32,
            shape: *const u64,
            rank: u64,
            value: f64,
            out: *mut Tensor,
        ) -> i32,
    >,
    /// I64 numbers 0, 1, .., count - 1. `[call]`
    pub arange: Option<unsafe extern "C" fn(call: *mut Call, count: u64, out: *mut Tensor) -> i32>,
    /// Another dtype; between real types differentiable. `[call]`
    pub cast: Option<unsafe extern "C" fn(call: *mut Call, x: Tensor, dtype: u32, out: *mut Tensor) -> i32>,
}

/// What a tensor is. Later versions append functions.
#[repr(C)]
#[derive(Debug)]
pub struct InfoGroup {
    /// Size of this struct in bytes.
    pub size: u32,
    /// Revision of the group.
    pub revision: u32,
    /// `DType`. `[call]`
    pub dtype: Option<unsafe extern "C" fn(call: *mut Call, x: Tensor, out: *mut u32) -> i32>,
    /// Number of axes. `[call]`
    pub rank: Option<unsafe extern "C" fn(call: *mut Call, x: Tensor, out: *mut u64) -> i32>,
    /// Axes; fails when there is not room for all. `[call]`
    pub shape: Option<unsafe extern "C" fn(call: *mut Call, x: Tensor, out: *mut u64, capacity: u64) -> i32>,
    /// Number of elements. `[call]`
    pub elements: Option<unsafe extern "C" fn(call: *mut Call, x: Tensor, out: *mut u64) -> i32>,
    /// 1 if gradients flow through it, else 0. `[call]`
    pub on_tape: Option<unsafe extern "C" fn(call: *mut Call, x: Tensor, out: *mut u32) -> i32>,
}

/// Numbers out of tensors. A tensor on the tape is refused: detach it first, so that a break in the gradient is visible. Later versions append functions.
#[repr(C)]
#[derive(Debug)]
pub struct ReadGroup {
    /// Size of this struct in bytes.
    pub size: u32,
    /// Revision of the group.
    pub revision: u32,
    /// All elements in row-major order; fails when there is not room for all. `[call]`
    pub bytes: Option<unsafe extern "C" fn(call: *mut Call, x: Tensor, out: *mut u8, capacity: u64) -> i32>,
    /// The only element. `[call]`
    pub scalar: Option<unsafe extern "C" fn(call: *mut Call, x: Tensor, out: *mut f64) -> i32>,
}

/// Element by element, with numpy's broadcasting. Later versions append functions.
#[repr(C)]
#[derive(Debug)]
pub struct MapGroup {
    /// Size of this struct in bytes.
    pub size: u32,
    /// Revision of the group.
    pub revision: u32,
    /// An `Op` below 100 with its parameters. `[call]`
    pub unary: Option<
        unsafe extern "C" fn(
            call: *mut Call,
            op: u32,
            x: Tensor,
            parameters: *const f64,
            count: u64,
            out: *mut Tensor,
        ) -> i32,
    >,
    /// An `Op` from 100 to 199. `[call]`
    pub binary: Option<unsafe extern "C" fn(call: *mut Call, op: u32, x: Tensor, y: Tensor, out: *mut Tensor) -> i32>,
    /// x where the mask is not 0, else y. `[call]`
    pub select:
        Option<unsafe extern "C" fn(call: *mut Call, mask: Tensor, x: Tensor, y: Tensor, out: *mut Tensor) -> i32>,
}

/// Over axes. Later versions append functions.
#[repr(C)]
#[derive(Debug)]
pub struct ReduceGroup {
    /// Size of this struct in bytes.
    pub size: u32,
    /// Revision of the group.
    pub revision: u32,
    /// An `Op` from 200; no axes means all of them; `keep` 1 keeps them with size 1. `[call]`
    pub over: Option<
        unsafe extern "C" fn(
            call: *mut Call,
            op: u32,
            x: Tensor,
            axes: *const u64,
            count: u64,
            keep: u32,
            out: *mut Tensor,
        ) -> i32,
    >,
}

/// Rearranging. Later versions append functions.
#[repr(C)]
#[derive(Debug)]
pub struct ShapeGroup {
    /// Size of this struct in bytes.
    pub size: u32,
    /// Revision of the group.
    pub revision: u32,
    /// Same elements, other axes. `[call]`
    pub reshape:
        Option<unsafe extern "C" fn(call: *mut Call, x: Tensor, shape: *const u64, rank: u64, out: *mut Tensor) -> i32>,
    /// Axes in another order. `[call]`
    pub permute:
        Option<unsafe extern "C" fn(call: *mut Call, x: Tensor, axes: *const u64, rank: u64, out: *mut Tensor) -> i32>,
    /// Repeated along axes of size 1. `[call]`
    pub broadcast:
        Option<unsafe extern "C" fn(call: *mut Call, x: Tensor, shape: *const u64, rank: u64, out: *mut Tensor) -> i32>,
    /// `range` is start, end (exclusive), step. `[call]`
    pub slice:
        Option<unsafe extern "C" fn(call: *mut Call, x: Tensor, axis: u64, range: *const u64, out: *mut Tensor) -> i32>,
    /// Zeros around; two numbers for each axis. `[call]`
    pub pad: Option<
        unsafe extern "C" fn(call: *mut Call, x: Tensor, before_after: *const u64, rank: u64, out: *mut Tensor) -> i32,
    >,
    /// Reversed along axes. `[call]`
    pub flip:
        Option<unsafe extern "C" fn(call: *mut Call, x: Tensor, axes: *const u64, count: u64, out: *mut Tensor) -> i32>,
    /// One after the other along an axis. `[call]`
    pub concat: Option<
        unsafe extern "C" fn(call: *mut Call, items: *const Tensor, count: u64, axis: u64, out: *mut Tensor) -> i32,
    >,
    /// Along a new axis. `[call]`
    pub stack: Option<
        unsafe extern "C" fn(call: *mut Call, items: *const Tensor, count: u64, axis: u64, out: *mut Tensor) -> i32,
    >,
    /// The rows named by an I64 tensor of one axis. `[call]`
    pub gather:
        Option<unsafe extern "C" fn(call: *mut Call, x: Tensor, axis: u64, rows: Tensor, out: *mut Tensor) -> i32>,
    /// Adds rows to zeros of `size` rows: the transpose of gather. `[call]`
    pub scatter_add: Option<
        unsafe extern "C" fn(call: *mut Call, x: Tensor, axis: u64, rows: Tensor, size: u64, out: *mut Tensor) -> i32,
    >,
    /// I64 `[row]` to real `[row, class]`. `[call]`
    pub one_hot: Option<unsafe extern "C" fn(call: *mut Call, labels: Tensor, classes: u64, out: *mut Tensor) -> i32>,
    /// The `count` largest elements along an axis (`largest` 1) or the smallest (0), in order, on the tape, and their places, I64; of equal
    /// ones the first comes first, not-a-number counts as the largest. `values` or `places` may be NULL. Since 0.8. `[call]`
    pub top_k: Option<
        unsafe extern "C" fn(
            call: *mut Call,
            x: Tensor,
            axis: u64,
            count: u64,
            largest: u32,
            values: *mut Tensor,
            places: *mut Tensor,
        ) -> i32,
    >,
    /// Along an axis the elements at the places, I64, of the shape of x but for the length of the axis. Since 0.8. `[call]`
    pub take_along:
        Option<unsafe extern "C" fn(call: *mut Call, x: Tensor, axis: u64, places: Tensor, out: *mut Tensor) -> i32>,
}

/// Products, convolution and what nets are made of. Later versions append functions.
#[repr(C)]
#[derive(Debug)]
pub struct LinearGroup {
    /// Size of this struct in bytes.
    pub size: u32,
    /// Revision of the group.
    pub revision: u32,
    /// Of the last two axes, batched over the others. `[call]`
    pub matmul: Option<unsafe extern "C" fn(call: *mut Call, x: Tensor, y: Tensor, out: *mut Tensor) -> i32>,
    /// x `[row, in]` times the transpose of weight `[out, in]` plus bias `[out]`, which may be 0. `[call]`
    pub affine:
        Option<unsafe extern "C" fn(call: *mut Call, x: Tensor, weight: Tensor, bias: Tensor, out: *mut Tensor) -> i32>,
    /// Cross-correlation. `[call]`
    pub conv2d: Option<unsafe extern "C" fn(call: *mut Call, arguments: *const ConvArguments, out: *mut Tensor) -> i32>,
    /// Average or maximum. `[call]`
    pub pool2d: Option<unsafe extern "C" fn(call: *mut Call, arguments: *const PoolArguments, out: *mut Tensor) -> i32>,
    /// Normalisation; mean and variance are for BatchTrain, on the tape since 0.8, and may be NULL. `[call]`
    pub norm: Option<
        unsafe extern "C" fn(
            call: *mut Call,
            arguments: *const NormArguments,
            out: *mut Tensor,
            mean: *mut Tensor,
            variance: *mut Tensor,
        ) -> i32,
    >,
    /// x - log(sum e^x) along an axis. `[call]`
    pub log_softmax: Option<unsafe extern "C" fn(call: *mut Call, x: Tensor, axis: u64, out: *mut Tensor) -> i32>,
    /// Mean over the rows of `[row, class]` against I64 `[row]` or probabilities `[row, class]`. `[call]`
    pub cross_entropy:
        Option<unsafe extern "C" fn(call: *mut Call, logits: Tensor, labels: Tensor, out: *mut Tensor) -> i32>,
    /// Bilinear with half-pixel centres, of the last two axes of [image, channel, row, column]. `[call]`
    pub resize:
        Option<unsafe extern "C" fn(call: *mut Call, x: Tensor, height: u64, width: u64, out: *mut Tensor) -> i32>,
    /// x `[n, m]` of `A x = b` for b `[n, m]` and a positive definite A, the symmetric part of a `[n, n]`, n at most 8192; by Cholesky's
    /// decomposition in double precision whatever the dtype. `Numeric` with the pivot if A is not positive definite. Since 0.6. `[call]`
    pub solve: Option<unsafe extern "C" fn(call: *mut Call, a: Tensor, b: Tensor, out: *mut Tensor) -> i32>,
    /// Cross-correlation with groups and dilation. Since 0.8. `[call]`
    pub conv2d_grouped:
        Option<unsafe extern "C" fn(call: *mut Call, arguments: *const GroupedConvArguments, out: *mut Tensor) -> i32>,
    /// The transpose of that linear map, plus a bias. Since 0.8. `[call]`
    pub conv_transpose2d:
        Option<unsafe extern "C" fn(call: *mut Call, arguments: *const GroupedConvArguments, out: *mut Tensor) -> i32>,
    /// Bilinear samples of [image, channel, row, column] at the positions of a grid [image or 1, row, column, 2], first along a row, then
    /// along a column, from -1 at the outer edge of the first pixel to 1 at that of the last; 0 outside. Since 0.8. `[call]`
    pub grid_sample: Option<unsafe extern "C" fn(call: *mut Call, x: Tensor, grid: Tensor, out: *mut Tensor) -> i32>,
}

/// Derivatives of any order. Later versions append functions.
#[repr(C)]
#[derive(Debug)]
pub struct GradGroup {
    /// Size of this struct in bytes.
    pub size: u32,
    /// Revision of the group.
    pub revision: u32,
    /// A new leaf of the tape with this value. `[call]`
    pub variable: Option<unsafe extern "C" fn(call: *mut Call, x: Tensor, out: *mut Tensor) -> i32>,
    /// The value without its history. `[call]`
    pub detach: Option<unsafe extern "C" fn(call: *mut Call, x: Tensor, out: *mut Tensor) -> i32>,
    /// Gradients of the outputs, weighted by seeds of their shapes (NULL for scalars: 1), by the inputs; zeros for inputs not reached; `keep` 1 makes the results differentiable again. `[call]`
    pub gradient: Option<
        unsafe extern "C" fn(
            call: *mut Call,
            outputs: *const Tensor,
            output_count: u64,
            seeds: *const Tensor,
            inputs: *const Tensor,
            input_count: u64,
            keep: u32,
            out: *mut Tensor,
        ) -> i32,
    >,
}

/// Numbers from keys: the same key always gives the same numbers. Later versions append functions.
#[repr(C)]
#[derive(Debug)]
pub struct RandomGroup {
    /// Size of this struct in bytes.
    pub size: u32,
    /// Revision of the group.
    pub revision: u32,
    /// Another key from a key and a number. `[call]`
    pub fold:
        Option<unsafe extern "C" fn(call: *mut Call, key: *const RandomKey, number: u64, out: *mut RandomKey) -> i32>,
    /// Another key from a key and a text. `[call]`
    pub fold_text:
        Option<unsafe extern "C" fn(call: *mut Call, key: *const RandomKey, text: Text, out: *mut RandomKey) -> i32>,
    /// Uniform in [0, 1). `[call]`
    pub uniform: Option<
        unsafe extern "C" fn(
            call: *mut Call,
            key: *const RandomKey,
            shape: *const u64,
            rank: u64,
            out: *mut Tensor,
        ) -> i32,
    >,
    /// Mean 0, standard deviation 1. `[call]`
    pub normal: Option<
        unsafe extern "C" fn(
            call: *mut Call,
            key: *const RandomKey,
            shape: *const u64,
            rank: u64,
            out: *mut Tensor,
        ) -> i32,
    >,
    /// I64: 0..count in random order. `[call]`
    pub permutation:
        Option<unsafe extern "C" fn(call: *mut Call, key: *const RandomKey, count: u64, out: *mut Tensor) -> i32>,
    /// I64: some of 0..count without replacement. `[call]`
    pub choose: Option<
        unsafe extern "C" fn(call: *mut Call, key: *const RandomKey, count: u64, chosen: u64, out: *mut Tensor) -> i32,
    >,
    /// Uniform in 0..limit. `[call]`
    pub below: Option<unsafe extern "C" fn(call: *mut Call, key: *const RandomKey, limit: u64, out: *mut u64) -> i32>,
}

/// The models of the node; matchers reach models only this way. Functions without a number, here and `start_weights`, `trajectory`,
/// `train` and `train_by` of `distill`, mean the model that is chosen; a call begins with the first. Later versions append functions.
#[repr(C)]
#[derive(Debug)]
pub struct ModelGroup {
    /// Size of this struct in bytes.
    pub size: u32,
    /// Revision of the group.
    pub revision: u32,
    /// Number of weights; 0 without a model. `[call]`
    pub count: Option<unsafe extern "C" fn(call: *mut Call, out: *mut u64) -> i32>,
    /// About a weight; the caller has set the size. `[call]`
    pub weight: Option<unsafe extern "C" fn(call: *mut Call, index: u64, out: *mut WeightInfo) -> i32>,
    /// Fresh random weights; there must be room for exactly all. `[call]`
    pub fresh:
        Option<unsafe extern "C" fn(call: *mut Call, key: *const RandomKey, out: *mut Tensor, count: u64) -> i32>,
    /// Runs a batch. `[call]`
    pub forward: Option<
        unsafe extern "C" fn(
            call: *mut Call,
            weights: *const Tensor,
            count: u64,
            images: Tensor,
            mode: u32,
            key: *const RandomKey,
            out: *mut ForwardResult,
        ) -> i32,
    >,
    /// Name of an intermediate map of the last forward. `[call]`
    pub map_name: Option<unsafe extern "C" fn(call: *mut Call, index: u64, out: *mut Text) -> i32>,
    /// Number of models; 0 without one, more than one only if `describe` declared `Need::Models`. Since 0.9. `[call]`
    pub models: Option<unsafe extern "C" fn(call: *mut Call, out: *mut u64) -> i32>,
    /// Chooses the model that the functions without a number mean from now on, until the end of the call. Since 0.9. `[call]`
    pub choose: Option<unsafe extern "C" fn(call: *mut Call, index: u64) -> i32>,
}

/// Memory. Results belong to the call and vanish with it; these only save memory before. Later versions append functions.
#[repr(C)]
#[derive(Debug)]
pub struct ArenaGroup {
    /// Size of this struct in bytes.
    pub size: u32,
    /// Revision of the group.
    pub revision: u32,
    /// Drops a name; the tape keeps what it needs. `[call]`
    pub release: Option<unsafe extern "C" fn(call: *mut Call, x: Tensor) -> i32>,
    /// Tensors made from now on belong to a nested scope. `[call]`
    pub open_scope: Option<unsafe extern "C" fn(call: *mut Call, out: *mut u64) -> i32>,
    /// Drops all of the scope but `keep`, which go to the scope around. Scopes close in reverse order. `[call]`
    pub close_scope: Option<unsafe extern "C" fn(call: *mut Call, scope: u64, keep: *const Tensor, count: u64) -> i32>,
    /// Tensors alive in the call. `[call]`
    pub live: Option<unsafe extern "C" fn(call: *mut Call, out: *mut u64) -> i32>,
    /// Bytes of the values that the tensors and the tape behind them hold; what they share counts once. `[call]`
    pub tape_bytes:
        Option<unsafe extern "C" fn(call: *mut Call, tensors: *const Tensor, count: u64, out: *mut u64) -> i32>,
    /// Bytes of tapes that a matcher may keep only so that it need not compute them again. No result may depend on it. `[call]`
    pub tape_budget: Option<unsafe extern "C" fn(call: *mut Call, out: *mut u64) -> i32>,
}

/// What a plugin says about itself and returns. Later versions append functions.
#[repr(C)]
#[derive(Debug)]
pub struct DeclareGroup {
    /// Size of this struct in bytes.
    pub size: u32,
    /// Revision of the group.
    pub revision: u32,
    /// In `weights`: the next weight. `[call]`
    pub weight: Option<unsafe extern "C" fn(call: *mut Call, weight: *const WeightDeclaration) -> i32>,
    /// In `describe`: the next learnable. `[call]`
    pub learnable: Option<unsafe extern "C" fn(call: *mut Call, learnable: *const LearnableDeclaration) -> i32>,
    /// In `describe`: a `Need`. `[call]`
    pub need: Option<unsafe extern "C" fn(call: *mut Call, need: u32) -> i32>,
    /// In `describe`: how to train on the set, a JSON object. `[call]`
    pub recipe: Option<unsafe extern "C" fn(call: *mut Call, json: Text) -> i32>,
    /// In `forward` and `decode`: an `Output`; the name matters for maps. `[call]`
    pub output: Option<unsafe extern "C" fn(call: *mut Call, kind: u32, name: Text, x: Tensor) -> i32>,
    /// In `identify`: something that results depend on, as name and value. Since 0.5. `[call]`
    pub identity: Option<unsafe extern "C" fn(call: *mut Call, name: Text, value: Text) -> i32>,
    /// In `describe`: the matcher works from tensors that are wired to its node, such as those of a generator; `purpose` says what they
    /// are, for messages. Gives their number: 0 where they are not known yet, as before anything runs; what is declared besides needs
    /// is not looked at then. Since 0.7. `[call]`
    pub input: Option<unsafe extern "C" fn(call: *mut Call, purpose: Text, out: *mut u64) -> i32>,
    /// In `describe`: one of these tensors, constant; real ones have the problem's dtype. The name lives as the call. Since 0.7. `[call]`
    pub input_tensor: Option<unsafe extern "C" fn(call: *mut Call, index: u64, out: *mut NamedTensor) -> i32>,
}

/// What a matcher works with; available in `iterate` only. Later versions append functions.
#[repr(C)]
#[derive(Debug)]
pub struct DistillGroup {
    /// Size of this struct in bytes.
    pub size: u32,
    /// Revision of the group.
    pub revision: u32,
    /// The task; the caller has set the size. `[call]`
    pub problem: Option<unsafe extern "C" fn(call: *mut Call, out: *mut Problem) -> i32>,
    /// Real images of a class. `[call]`
    pub class_size: Option<unsafe extern "C" fn(call: *mut Call, class_index: u64, out: *mut u64) -> i32>,
    /// Real images of a class, or of all (-1), without replacement; fewer if there are not so many. `[call]`
    pub real_batch: Option<
        unsafe extern "C" fn(
            call: *mut Call,
            class_index: i64,
            count: u64,
            key: *const RandomKey,
            images: *mut Tensor,
            labels: *mut Tensor,
        ) -> i32,
    >,
    /// Synthetic images and labels, decoded, on the tape as far as they are new. `[call]`
    pub set: Option<
        unsafe extern "C" fn(
            call: *mut Call,
            request: *const SetRequest,
            images: *mut Tensor,
            labels: *mut Tensor,
        ) -> i32,
    >,
    /// A learnable as a leaf of the tape; the same leaf until its value changes. `[call]`
    pub learnable: Option<unsafe extern "C" fn(call: *mut Call, name: Text, out: *mut Tensor) -> i32>,
    /// One step of the learnable's optimiser, its learning rate times `rate`. The gradient must be finite. `[call]`
    pub step: Option<unsafe extern "C" fn(call: *mut Call, name: Text, gradient: Tensor, rate: f64) -> i32>,
    /// Replaces the value of a learnable; for optimisers of the plugin's own. `[call]`
    pub assign: Option<unsafe extern "C" fn(call: *mut Call, name: Text, value: Tensor) -> i32>,
    /// Where matching starts: a net of the pool wired to the node, else fresh weights. `[call]`
    pub start_weights:
        Option<unsafe extern "C" fn(call: *mut Call, key: *const RandomKey, out: *mut Tensor, count: u64) -> i32>,
    /// A segment of an expert trajectory. `[call]`
    pub trajectory: Option<
        unsafe extern "C" fn(
            call: *mut Call,
            request: *const SegmentRequest,
            start: *mut Tensor,
            target: *mut Tensor,
            count: u64,
            epoch: *mut u64,
        ) -> i32,
    >,
    /// Trains a net; replaces its weights and buffers. `[call]`
    pub train: Option<unsafe extern "C" fn(call: *mut Call, request: *const TrainRequest) -> i32>,
    /// A named tensor kept across iterations; 0 if there is none. `[call]`
    pub state_get: Option<unsafe extern "C" fn(call: *mut Call, name: Text, out: *mut Tensor) -> i32>,
    /// Keeps a tensor across iterations, and in checkpoints. `[call]`
    pub state_put: Option<unsafe extern "C" fn(call: *mut Call, name: Text, value: Tensor) -> i32>,
    /// Remembers learnables, momentum and named state. `[call]`
    pub save_point: Option<unsafe extern "C" fn(call: *mut Call) -> i32>,
    /// Goes back to the save point; 1 if there was one. `[call]`
    pub roll_back: Option<unsafe extern "C" fn(call: *mut Call, out: *mut u32) -> i32>,
    /// Augments images; `draw` is a `Draw`; the policies "none" and "" give them back as they are. `[call]`
    pub augment: Option<
        unsafe extern "C" fn(
            call: *mut Call,
            policy: Text,
            draw: u32,
            x: Tensor,
            key: *const RandomKey,
            out: *mut Tensor,
        ) -> i32,
    >,
    /// Numbers, I64, of the real images that `real_batch` gives for these arguments, the same for the whole node. Since 0.8. `[call]`
    pub choose_rows: Option<
        unsafe extern "C" fn(
            call: *mut Call,
            class_index: i64,
            count: u64,
            key: *const RandomKey,
            out: *mut Tensor,
        ) -> i32,
    >,
    /// The real images of these numbers, I64 `[row]`, in that order, repeats allowed. Since 0.8. `[call]`
    pub real_rows:
        Option<unsafe extern "C" fn(call: *mut Call, rows: Tensor, images: *mut Tensor, labels: *mut Tensor) -> i32>,
    /// `train` by an `Optimizer`. For Adam and AdamW the buffers are two averages for each learnable weight, one weight after the other,
    /// and last the number of steps, I64. Since 0.8. `[call]`
    pub train_by: Option<unsafe extern "C" fn(call: *mut Call, request: *const TrainRequest, optimizer: u32) -> i32>,
}
