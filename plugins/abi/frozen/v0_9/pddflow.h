/* The boundary between pddflow and its plugins, in C11 and C++17. Generated from plugins/abi; do not edit. */

#ifndef PDDFLOW_H
#define PDDFLOW_H

#include <stddef.h>
#include <stdint.h>

#define PDDFLOW_MAGIC "PDDFLOW"
#define PDDFLOW_ABI_MAJOR 0
#define PDDFLOW_ABI_MINOR 9

#if defined(_WIN32)
#define PDDFLOW_VISIBLE __declspec(dllexport)
#else
#define PDDFLOW_VISIBLE __attribute__((visibility("default")))
#endif
/* Before the definition of the plugin's header; in C++ its declaration says it. */
#ifdef __cplusplus
#define PDDFLOW_EXPORT
#else
#define PDDFLOW_EXPORT PDDFLOW_VISIBLE
#endif

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define PDDFLOW_FLAG_ENDIAN_HERE 0
#else
#define PDDFLOW_FLAG_ENDIAN_HERE 2
#endif

/* Flags of a plugin in C: it neither panics nor throws. */
#define PDDFLOW_FLAGS_C (1 | PDDFLOW_FLAG_ENDIAN_HERE | (sizeof(void *) == 8 ? 4 : 0))

#ifdef __cplusplus
extern "C" {
#endif

/* The call, whose functions take it. */
typedef struct PddflowCall PddflowCall;

/* A text literal as PddflowText, in an initialiser and in an expression. */
#define PDDFLOW_TEXT_INIT(literal) {(literal), sizeof(literal) - 1}
#ifdef __cplusplus
#define PDDFLOW_TEXT(literal) (PddflowText PDDFLOW_TEXT_INIT(literal))
#else
#define PDDFLOW_TEXT(literal) ((PddflowText)PDDFLOW_TEXT_INIT(literal))
#endif


// Result of every function.
enum PddflowStatus
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // It worked.
    PDDFLOW_STATUS_OK = 0,
    // An argument is out of its range, NULL, or not UTF-8.
    PDDFLOW_STATUS_INVALID_ARGUMENT = 1,
    // A tensor is stale, foreign, released or zero.
    PDDFLOW_STATUS_BAD_HANDLE = 2,
    // Shapes do not fit.
    PDDFLOW_STATUS_SHAPE = 3,
    // A dtype does not fit.
    PDDFLOW_STATUS_DTYPE = 4,
    // The host (or plugin) does not know this.
    PDDFLOW_STATUS_UNSUPPORTED = 5,
    // The configuration is wrong.
    PDDFLOW_STATUS_CONFIG = 6,
    // A number is not finite where it must be.
    PDDFLOW_STATUS_NUMERIC = 7,
    // The run was cancelled; pass it on.
    PDDFLOW_STATUS_CANCELLED = 8,
    // Too many live tensors, or no memory.
    PDDFLOW_STATUS_OUT_OF_MEMORY = 9,
    // A function tagged `[call]` was called on another thread, or with a call that is over or suspended.
    PDDFLOW_STATUS_WRONG_THREAD = 10,
    // The plugin panicked.
    PDDFLOW_STATUS_PANIC = 11,
    // Anything else; also what an unknown number means.
    PDDFLOW_STATUS_INTERNAL = 12,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum PddflowStatus PddflowStatus;
#else
typedef int32_t PddflowStatus;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Type of a tensor's elements.
enum PddflowDtype
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // As an argument: the type of real numbers in this call, F32 or F64.
    PDDFLOW_DTYPE_REAL = 0,
    // IEEE single precision.
    PDDFLOW_DTYPE_F32 = 1,
    // IEEE double precision.
    PDDFLOW_DTYPE_F64 = 2,
    // Indices and labels; never on the tape.
    PDDFLOW_DTYPE_I64 = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum PddflowDtype PddflowDtype;
#else
typedef uint32_t PddflowDtype;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Bits of `Header::flags`.
enum PddflowFlag
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint64_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // A panic or exception never ends the process: it is caught and returned as a status. C plugins set it.
    PDDFLOW_FLAG_UNWINDS = 1,
    // Built for little endian.
    PDDFLOW_FLAG_LITTLE_ENDIAN = 2,
    // Built for 64-bit pointers.
    PDDFLOW_FLAG_POINTERS64 = 4,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum PddflowFlag PddflowFlag;
#else
typedef uint64_t PddflowFlag;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a descriptor describes.
enum PddflowRole
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Its table is a `MatcherTable`.
    PDDFLOW_ROLE_MATCHER = 1,
    // Its table is a `ModelTable`.
    PDDFLOW_ROLE_MODEL = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum PddflowRole PddflowRole;
#else
typedef uint32_t PddflowRole;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Ops of the groups `map` and `reduce`, by family: 1.. unary, 100.. binary, 200.. reductions.
enum PddflowOp
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // -x.
    PDDFLOW_OP_NEG = 1,
    // e^x.
    PDDFLOW_OP_EXP = 2,
    // Natural logarithm.
    PDDFLOW_OP_LOG = 3,
    // Square root.
    PDDFLOW_OP_SQRT = 4,
    // 1 / x.
    PDDFLOW_OP_RECIP = 5,
    // x^2.
    PDDFLOW_OP_SQUARE = 6,
    // |x|; derivative 0 at 0.
    PDDFLOW_OP_ABS = 7,
    // -1, 0 or 1; derivative 0.
    PDDFLOW_OP_SIGN = 8,
    // max(x, 0); derivative 0 at 0.
    PDDFLOW_OP_RELU = 9,
    // 1 where x > 0, else 0; derivative 0.
    PDDFLOW_OP_STEP = 10,
    // Sine.
    PDDFLOW_OP_SIN = 11,
    // Cosine.
    PDDFLOW_OP_COS = 12,
    // Hyperbolic tangent.
    PDDFLOW_OP_TANH = 13,
    // 1 / (1 + e^-x).
    PDDFLOW_OP_SIGMOID = 14,
    // x^p; parameter p.
    PDDFLOW_OP_POWER = 15,
    // Limited to an interval; parameters low, high; derivative 0 outside.
    PDDFLOW_OP_CLAMP = 16,
    // x + c; parameter c.
    PDDFLOW_OP_ADD_SCALAR = 17,
    // x * c; parameter c.
    PDDFLOW_OP_MUL_SCALAR = 18,
    // Angle in radians, from 0 to pi, whose cosine is x; not a number outside of [-1, 1], infinite derivative at both ends. Since 0.6.
    PDDFLOW_OP_ACOS = 19,
    // The error function. Since 0.6.
    PDDFLOW_OP_ERF = 20,
    // x + y.
    PDDFLOW_OP_ADD = 100,
    // x - y.
    PDDFLOW_OP_SUB = 101,
    // x * y.
    PDDFLOW_OP_MUL = 102,
    // x / y.
    PDDFLOW_OP_DIV = 103,
    // Larger of the two.
    PDDFLOW_OP_MAXIMUM = 104,
    // Smaller of the two.
    PDDFLOW_OP_MINIMUM = 105,
    // 1 where x > y, else 0; no gradient.
    PDDFLOW_OP_GREATER = 106,
    // 1 where x >= y, else 0; no gradient.
    PDDFLOW_OP_GREATER_EQUAL = 107,
    // 1 where x < y, else 0; no gradient.
    PDDFLOW_OP_LESS = 108,
    // 1 where x = y, else 0; no gradient.
    PDDFLOW_OP_EQUAL = 109,
    // 1 where x <= y, else 0; no gradient.
    PDDFLOW_OP_LESS_EQUAL = 110,
    // Sum.
    PDDFLOW_OP_SUM = 200,
    // Mean.
    PDDFLOW_OP_MEAN = 201,
    // Largest.
    PDDFLOW_OP_MAX = 202,
    // Smallest.
    PDDFLOW_OP_MIN = 203,
    // Row of the largest, I64; one axis; no gradient.
    PDDFLOW_OP_ARG_MAX = 204,
    // log(sum e^x); one axis.
    PDDFLOW_OP_LOG_SUM_EXP = 205,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum PddflowOp PddflowOp;
#else
typedef uint32_t PddflowOp;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Pooling.
enum PddflowPool
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Mean of the window.
    PDDFLOW_POOL_AVERAGE = 1,
    // Largest of the window.
    PDDFLOW_POOL_MAX = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum PddflowPool PddflowPool;
#else
typedef uint32_t PddflowPool;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Normalisation of `LinearGroup::norm`.
enum PddflowNorm
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Mean and variance over the plane of each image and channel.
    PDDFLOW_NORM_INSTANCE = 1,
    // Over the batch and the plane; also returns mean and variance (divided by the count).
    PDDFLOW_NORM_BATCH_TRAIN = 2,
    // With the given mean and variance.
    PDDFLOW_NORM_BATCH_EVAL = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum PddflowNorm PddflowNorm;
#else
typedef uint32_t PddflowNorm;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Mode of a forward pass.
enum PddflowMode
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Statistics of the batch.
    PDDFLOW_MODE_TRAIN = 0,
    // Running statistics.
    PDDFLOW_MODE_EVAL = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum PddflowMode PddflowMode;
#else
typedef uint32_t PddflowMode;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a weight is for.
enum PddflowWeightKind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Moved by an optimiser.
    PDDFLOW_WEIGHT_KIND_LEARNABLE = 0,
    // A running statistic.
    PDDFLOW_WEIGHT_KIND_STATISTIC = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum PddflowWeightKind PddflowWeightKind;
#else
typedef uint32_t PddflowWeightKind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// How a weight starts; `init_value` is the parameter.
enum PddflowInitKind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Every element is the value.
    PDDFLOW_INIT_KIND_CONSTANT = 0,
    // Uniform in [-value, value).
    PDDFLOW_INIT_KIND_UNIFORM = 1,
    // Normal with standard deviation value.
    PDDFLOW_INIT_KIND_NORMAL = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum PddflowInitKind PddflowInitKind;
#else
typedef uint32_t PddflowInitKind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a learnable stands for.
enum PddflowLearnableKind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Images, or what `decode` makes images of.
    PDDFLOW_LEARNABLE_KIND_IMAGES = 0,
    // Soft labels.
    PDDFLOW_LEARNABLE_KIND_LABELS = 1,
    // A learning rate that is learned.
    PDDFLOW_LEARNABLE_KIND_LEARNING_RATE = 2,
    // Anything else.
    PDDFLOW_LEARNABLE_KIND_OTHER = 3,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum PddflowLearnableKind PddflowLearnableKind;
#else
typedef uint32_t PddflowLearnableKind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// How a learnable starts; `init_value` is the parameter.
enum PddflowLearnableInitKind
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Normal with standard deviation value.
    PDDFLOW_LEARNABLE_INIT_KIND_NOISE = 0,
    // Random real images of the row's class.
    PDDFLOW_LEARNABLE_INIT_KIND_REAL = 1,
    // value * value real images in one (IDC).
    PDDFLOW_LEARNABLE_INIT_KIND_TILE = 2,
    // 1 at the row's class.
    PDDFLOW_LEARNABLE_INIT_KIND_ONE_HOT = 3,
    // Every element is the value.
    PDDFLOW_LEARNABLE_INIT_KIND_CONSTANT = 4,
    // The tensor `first` of the declaration. Since 0.7.
    PDDFLOW_LEARNABLE_INIT_KIND_GIVEN = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum PddflowLearnableInitKind PddflowLearnableInitKind;
#else
typedef uint32_t PddflowLearnableInitKind;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Space of a learnable's pixel values.
enum PddflowSpace
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // As the data, after normalisation.
    PDDFLOW_SPACE_NORMALISED = 0,
    // [0, 1], before normalisation.
    PDDFLOW_SPACE_UNIT = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum PddflowSpace PddflowSpace;
#else
typedef uint32_t PddflowSpace;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a matcher asks of its node.
enum PddflowNeed
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // A model.
    PDDFLOW_NEED_MODEL = 1,
    // Expert trajectories.
    PDDFLOW_NEED_TRAJECTORIES = 2,
    // A pool of start weights; without this need missing ones are fresh random weights.
    PDDFLOW_NEED_START_WEIGHTS = 3,
    // Evaluations during distillation.
    PDDFLOW_NEED_EVALUATION = 4,
    // The number of outer iterations. Without this need a set that was distilled too briefly can be distilled further.
    PDDFLOW_NEED_HORIZON = 5,
    // A model, and more than one are welcome: the matcher knows `model.models`. Without this need a node with several models is refused.
    // Since 0.9.
    PDDFLOW_NEED_MODELS = 6,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum PddflowNeed PddflowNeed;
#else
typedef uint32_t PddflowNeed;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What an output of `forward` or `decode` is.
enum PddflowOutput
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Model: [image, class].
    PDDFLOW_OUTPUT_LOGITS = 1,
    // Model: the embedding, [image, feature].
    PDDFLOW_OUTPUT_FEATURES = 2,
    // Model: an intermediate map, named, in order of depth; may be repeated.
    PDDFLOW_OUTPUT_MAP = 3,
    // Model: the new value of the next statistic weight; repeated.
    PDDFLOW_OUTPUT_STATISTIC = 4,
    // Decode: [row, channel, height, width].
    PDDFLOW_OUTPUT_IMAGES = 5,
    // Decode: I64 `[row]` or probabilities `[row, class]`.
    PDDFLOW_OUTPUT_LABELS = 6,
    // Model, in training: the mean and then the variance (divided by the count) of the batch where it is normalised, `[channel]`, in
    // order of depth; repeated. Only for hosts with the capability `moments/1`. Since 0.8.
    PDDFLOW_OUTPUT_MOMENT = 7,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum PddflowOutput PddflowOutput;
#else
typedef uint32_t PddflowOutput;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Which part of the synthetic data.
enum PddflowSetPart
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // The set that is being distilled.
    PDDFLOW_SET_PART_NEW = 0,
    // The earlier sets and the new one; earlier ones are constant. Equals New at the first stage.
    PDDFLOW_SET_PART_UNION = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum PddflowSetPart PddflowSetPart;
#else
typedef uint32_t PddflowSetPart;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Who gets which random parameters in `DistillGroup::augment`.
enum PddflowDraw
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // One draw for every image; the same key gives the same draw whatever the batch size.
    PDDFLOW_DRAW_SIAMESE = 0,
    // A draw for each image.
    PDDFLOW_DRAW_PER_IMAGE = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum PddflowDraw PddflowDraw;
#else
typedef uint32_t PddflowDraw;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a net is trained on.
enum PddflowTrainSource
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // The images and labels of the request.
    PDDFLOW_TRAIN_SOURCE_GIVEN = 0,
    // Real images, at least `samples` in each epoch.
    PDDFLOW_TRAIN_SOURCE_REAL = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum PddflowTrainSource PddflowTrainSource;
#else
typedef uint32_t PddflowTrainSource;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Who moves the weights in `DistillGroup::train_by`. Since 0.8.
enum PddflowOptimizer
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Stochastic gradient descent with momentum, as `DistillGroup::train`.
    PDDFLOW_OPTIMIZER_SGD = 0,
    // Adam: the momentum is the share that is left of the first average in a step, 0.999 that of the second; weight decay is a part of
    // the gradient.
    PDDFLOW_OPTIMIZER_ADAM = 1,
    // The same with weight decay beside the gradient.
    PDDFLOW_OPTIMIZER_ADAM_W = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum PddflowOptimizer PddflowOptimizer;
#else
typedef uint32_t PddflowOptimizer;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Level of a log line.
enum PddflowLogLevel
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // For the record.
    PDDFLOW_LOG_LEVEL_INFO = 0,
    // Shown to the user.
    PDDFLOW_LOG_LEVEL_WARNING = 1,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum PddflowLogLevel PddflowLogLevel;
#else
typedef uint32_t PddflowLogLevel;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// UTF-8 text, borrowed; no terminator needed. `data` may be NULL when `length` is 0.
typedef struct PddflowText {
    // First byte.
    const char *data;
    // Bytes.
    uint64_t length;
} PddflowText;

// Versions, abilities and errors. Later versions append functions.
typedef struct PddflowCoreGroup {
    // Size of this struct in bytes.
    uint32_t size;
    // Revision of the group.
    uint32_t revision;
    // Version of the host program; constant text. `[any]`
    int32_t (*version)(struct PddflowCall *call, struct PddflowText *out);
    // 1 if the host knows the `Op`, else 0. `[any]`
    int32_t (*supports)(struct PddflowCall *call, uint32_t op, uint32_t *out);
    // 1 if the host has the capability, else 0. `[any]`
    int32_t (*has)(struct PddflowCall *call, struct PddflowText capability, uint32_t *out);
    // Sets the error of the call and returns `status`. The first error is kept as the cause, later ones are its context. `[call]`
    int32_t (*fail)(struct PddflowCall *call, int32_t status, struct PddflowText message);
    // Text of the call's first error, empty if there is none; valid until the next host call. `[call]`
    int32_t (*error)(struct PddflowCall *call, struct PddflowText *out);
    // 1 if the run should stop, else 0. `[call]`
    int32_t (*cancelled)(struct PddflowCall *call, uint32_t *out);
    // How many more tensors may live. `[call]`
    int32_t (*budget)(struct PddflowCall *call, uint64_t *out);
} PddflowCoreGroup;

// Text and numbers for the record. Later versions append functions.
typedef struct PddflowLogGroup {
    // Size of this struct in bytes.
    uint32_t size;
    // Revision of the group.
    uint32_t revision;
    // A line of text; level is a `LogLevel`. `[call]`
    int32_t (*message)(struct PddflowCall *call, uint32_t level, struct PddflowText text);
    // A number of this iteration. `[call]`
    int32_t (*metric)(struct PddflowCall *call, struct PddflowText name, double value);
} PddflowLogGroup;

// The instance's parameters. Later versions append functions.
typedef struct PddflowConfigGroup {
    // Size of this struct in bytes.
    uint32_t size;
    // Revision of the group.
    uint32_t revision;
    // Parameters as JSON, checked against the schema, defaults filled in; valid during the call. `[call]`
    int32_t (*json)(struct PddflowCall *call, struct PddflowText *out);
} PddflowConfigGroup;

// A tensor: slot, generation and call tag, opaque to plugins. 0 is none. Valid until the call ends or it is released.
typedef uint64_t PddflowTensor;

// Tensors from numbers. Later versions append functions.
typedef struct PddflowMakeGroup {
    // Size of this struct in bytes.
    uint32_t size;
    // Revision of the group.
    uint32_t revision;
    // From elements in row-major order, native endianness. `[call]`
    int32_t (*from_bytes)(struct PddflowCall *call, uint32_t dtype, const uint64_t *shape, uint64_t rank, const uint8_t *data, uint64_t bytes, PddflowTensor *out);
    // Every element is `value`. `[call]`
    int32_t (*full)(struct PddflowCall *call, uint32_t dtype, const uint64_t *shape, uint64_t rank, double value, PddflowTensor *out);
    // I64 numbers 0, 1, .., count - 1. `[call]`
    int32_t (*arange)(struct PddflowCall *call, uint64_t count, PddflowTensor *out);
    // Another dtype; between real types differentiable. `[call]`
    int32_t (*cast)(struct PddflowCall *call, PddflowTensor x, uint32_t dtype, PddflowTensor *out);
} PddflowMakeGroup;

// What a tensor is. Later versions append functions.
typedef struct PddflowInfoGroup {
    // Size of this struct in bytes.
    uint32_t size;
    // Revision of the group.
    uint32_t revision;
    // `DType`. `[call]`
    int32_t (*dtype)(struct PddflowCall *call, PddflowTensor x, uint32_t *out);
    // Number of axes. `[call]`
    int32_t (*rank)(struct PddflowCall *call, PddflowTensor x, uint64_t *out);
    // Axes; fails when there is not room for all. `[call]`
    int32_t (*shape)(struct PddflowCall *call, PddflowTensor x, uint64_t *out, uint64_t capacity);
    // Number of elements. `[call]`
    int32_t (*elements)(struct PddflowCall *call, PddflowTensor x, uint64_t *out);
    // 1 if gradients flow through it, else 0. `[call]`
    int32_t (*on_tape)(struct PddflowCall *call, PddflowTensor x, uint32_t *out);
} PddflowInfoGroup;

// Numbers out of tensors. A tensor on the tape is refused: detach it first, so that a break in the gradient is visible. Later versions append functions.
typedef struct PddflowReadGroup {
    // Size of this struct in bytes.
    uint32_t size;
    // Revision of the group.
    uint32_t revision;
    // All elements in row-major order; fails when there is not room for all. `[call]`
    int32_t (*bytes)(struct PddflowCall *call, PddflowTensor x, uint8_t *out, uint64_t capacity);
    // The only element. `[call]`
    int32_t (*scalar)(struct PddflowCall *call, PddflowTensor x, double *out);
} PddflowReadGroup;

// Element by element, with numpy's broadcasting. Later versions append functions.
typedef struct PddflowMapGroup {
    // Size of this struct in bytes.
    uint32_t size;
    // Revision of the group.
    uint32_t revision;
    // An `Op` below 100 with its parameters. `[call]`
    int32_t (*unary)(struct PddflowCall *call, uint32_t op, PddflowTensor x, const double *parameters, uint64_t count, PddflowTensor *out);
    // An `Op` from 100 to 199. `[call]`
    int32_t (*binary)(struct PddflowCall *call, uint32_t op, PddflowTensor x, PddflowTensor y, PddflowTensor *out);
    // x where the mask is not 0, else y. `[call]`
    int32_t (*select)(struct PddflowCall *call, PddflowTensor mask, PddflowTensor x, PddflowTensor y, PddflowTensor *out);
} PddflowMapGroup;

// Over axes. Later versions append functions.
typedef struct PddflowReduceGroup {
    // Size of this struct in bytes.
    uint32_t size;
    // Revision of the group.
    uint32_t revision;
    // An `Op` from 200; no axes means all of them; `keep` 1 keeps them with size 1. `[call]`
    int32_t (*over)(struct PddflowCall *call, uint32_t op, PddflowTensor x, const uint64_t *axes, uint64_t count, uint32_t keep, PddflowTensor *out);
} PddflowReduceGroup;

// Rearranging. Later versions append functions.
typedef struct PddflowShapeGroup {
    // Size of this struct in bytes.
    uint32_t size;
    // Revision of the group.
    uint32_t revision;
    // Same elements, other axes. `[call]`
    int32_t (*reshape)(struct PddflowCall *call, PddflowTensor x, const uint64_t *shape, uint64_t rank, PddflowTensor *out);
    // Axes in another order. `[call]`
    int32_t (*permute)(struct PddflowCall *call, PddflowTensor x, const uint64_t *axes, uint64_t rank, PddflowTensor *out);
    // Repeated along axes of size 1. `[call]`
    int32_t (*broadcast)(struct PddflowCall *call, PddflowTensor x, const uint64_t *shape, uint64_t rank, PddflowTensor *out);
    // `range` is start, end (exclusive), step. `[call]`
    int32_t (*slice)(struct PddflowCall *call, PddflowTensor x, uint64_t axis, const uint64_t *range, PddflowTensor *out);
    // Zeros around; two numbers for each axis. `[call]`
    int32_t (*pad)(struct PddflowCall *call, PddflowTensor x, const uint64_t *before_after, uint64_t rank, PddflowTensor *out);
    // Reversed along axes. `[call]`
    int32_t (*flip)(struct PddflowCall *call, PddflowTensor x, const uint64_t *axes, uint64_t count, PddflowTensor *out);
    // One after the other along an axis. `[call]`
    int32_t (*concat)(struct PddflowCall *call, const PddflowTensor *items, uint64_t count, uint64_t axis, PddflowTensor *out);
    // Along a new axis. `[call]`
    int32_t (*stack)(struct PddflowCall *call, const PddflowTensor *items, uint64_t count, uint64_t axis, PddflowTensor *out);
    // The rows named by an I64 tensor of one axis. `[call]`
    int32_t (*gather)(struct PddflowCall *call, PddflowTensor x, uint64_t axis, PddflowTensor rows, PddflowTensor *out);
    // Adds rows to zeros of `size` rows: the transpose of gather. `[call]`
    int32_t (*scatter_add)(struct PddflowCall *call, PddflowTensor x, uint64_t axis, PddflowTensor rows, uint64_t size, PddflowTensor *out);
    // I64 `[row]` to real `[row, class]`. `[call]`
    int32_t (*one_hot)(struct PddflowCall *call, PddflowTensor labels, uint64_t classes, PddflowTensor *out);
    // The `count` largest elements along an axis (`largest` 1) or the smallest (0), in order, on the tape, and their places, I64; of equal
    // ones the first comes first, not-a-number counts as the largest. `values` or `places` may be NULL. Since 0.8. `[call]`
    int32_t (*top_k)(struct PddflowCall *call, PddflowTensor x, uint64_t axis, uint64_t count, uint32_t largest, PddflowTensor *values, PddflowTensor *places);
    // Along an axis the elements at the places, I64, of the shape of x but for the length of the axis. Since 0.8. `[call]`
    int32_t (*take_along)(struct PddflowCall *call, PddflowTensor x, uint64_t axis, PddflowTensor places, PddflowTensor *out);
} PddflowShapeGroup;

// Convolution.
typedef struct PddflowConvArguments {
    // Size of this struct in bytes.
    uint32_t size;
    // 0.
    uint32_t reserved;
    // [image, channel, row, column].
    PddflowTensor x;
    // [out, in, row, column].
    PddflowTensor weight;
    // `[out]` or 0.
    PddflowTensor bias;
    // Rows, columns.
    uint64_t stride[2];
    // Rows, columns, on both sides.
    uint64_t padding[2];
} PddflowConvArguments;

// Pooling.
typedef struct PddflowPoolArguments {
    // Size of this struct in bytes.
    uint32_t size;
    // `Pool`.
    uint32_t kind;
    // [image, channel, row, column].
    PddflowTensor x;
    // Rows, columns.
    uint64_t kernel[2];
    // Rows, columns. An incomplete window at the end is dropped.
    uint64_t stride[2];
} PddflowPoolArguments;

// Normalisation per channel: (x - mean) / sqrt(variance + epsilon) * weight + bias.
typedef struct PddflowNormArguments {
    // Size of this struct in bytes.
    uint32_t size;
    // `Norm`.
    uint32_t kind;
    // [image, channel, row, column].
    PddflowTensor x;
    // `[channel]`.
    PddflowTensor weight;
    // `[channel]`.
    PddflowTensor bias;
    // `[channel]`; for BatchEval, else 0.
    PddflowTensor mean;
    // `[channel]`; for BatchEval, else 0.
    PddflowTensor variance;
    // Added to the variance.
    double epsilon;
} PddflowNormArguments;

// Grouped, dilated or transposed convolution. Since 0.8.
typedef struct PddflowGroupedConvArguments {
    // Size of this struct in bytes.
    uint32_t size;
    // 0.
    uint32_t reserved;
    // [image, channel, row, column].
    PddflowTensor x;
    // [out, channel / groups, row, column]; transposed: [channel, out / groups, row, column].
    PddflowTensor weight;
    // `[out]` or 0.
    PddflowTensor bias;
    // Rows, columns.
    uint64_t stride[2];
    // Rows, columns, on both sides.
    uint64_t padding[2];
    // Distance of neighbouring elements of the kernel in rows, columns; 1 or more.
    uint64_t dilation[2];
    // Parts of equal size that the channels are cut into; 1 or more.
    uint64_t groups;
    // Transposed: rows, columns added at the end, below the stride; else not looked at.
    uint64_t output_padding[2];
} PddflowGroupedConvArguments;

// Products, convolution and what nets are made of. Later versions append functions.
typedef struct PddflowLinearGroup {
    // Size of this struct in bytes.
    uint32_t size;
    // Revision of the group.
    uint32_t revision;
    // Of the last two axes, batched over the others. `[call]`
    int32_t (*matmul)(struct PddflowCall *call, PddflowTensor x, PddflowTensor y, PddflowTensor *out);
    // x `[row, in]` times the transpose of weight `[out, in]` plus bias `[out]`, which may be 0. `[call]`
    int32_t (*affine)(struct PddflowCall *call, PddflowTensor x, PddflowTensor weight, PddflowTensor bias, PddflowTensor *out);
    // Cross-correlation. `[call]`
    int32_t (*conv2d)(struct PddflowCall *call, const struct PddflowConvArguments *arguments, PddflowTensor *out);
    // Average or maximum. `[call]`
    int32_t (*pool2d)(struct PddflowCall *call, const struct PddflowPoolArguments *arguments, PddflowTensor *out);
    // Normalisation; mean and variance are for BatchTrain, on the tape since 0.8, and may be NULL. `[call]`
    int32_t (*norm)(struct PddflowCall *call, const struct PddflowNormArguments *arguments, PddflowTensor *out, PddflowTensor *mean, PddflowTensor *variance);
    // x - log(sum e^x) along an axis. `[call]`
    int32_t (*log_softmax)(struct PddflowCall *call, PddflowTensor x, uint64_t axis, PddflowTensor *out);
    // Mean over the rows of `[row, class]` against I64 `[row]` or probabilities `[row, class]`. `[call]`
    int32_t (*cross_entropy)(struct PddflowCall *call, PddflowTensor logits, PddflowTensor labels, PddflowTensor *out);
    // Bilinear with half-pixel centres, of the last two axes of [image, channel, row, column]. `[call]`
    int32_t (*resize)(struct PddflowCall *call, PddflowTensor x, uint64_t height, uint64_t width, PddflowTensor *out);
    // x `[n, m]` of `A x = b` for b `[n, m]` and a positive definite A, the symmetric part of a `[n, n]`, n at most 8192; by Cholesky's
    // decomposition in double precision whatever the dtype. `Numeric` with the pivot if A is not positive definite. Since 0.6. `[call]`
    int32_t (*solve)(struct PddflowCall *call, PddflowTensor a, PddflowTensor b, PddflowTensor *out);
    // Cross-correlation with groups and dilation. Since 0.8. `[call]`
    int32_t (*conv2d_grouped)(struct PddflowCall *call, const struct PddflowGroupedConvArguments *arguments, PddflowTensor *out);
    // The transpose of that linear map, plus a bias. Since 0.8. `[call]`
    int32_t (*conv_transpose2d)(struct PddflowCall *call, const struct PddflowGroupedConvArguments *arguments, PddflowTensor *out);
    // Bilinear samples of [image, channel, row, column] at the positions of a grid [image or 1, row, column, 2], first along a row, then
    // along a column, from -1 at the outer edge of the first pixel to 1 at that of the last; 0 outside. Since 0.8. `[call]`
    int32_t (*grid_sample)(struct PddflowCall *call, PddflowTensor x, PddflowTensor grid, PddflowTensor *out);
} PddflowLinearGroup;

// Derivatives of any order. Later versions append functions.
typedef struct PddflowGradGroup {
    // Size of this struct in bytes.
    uint32_t size;
    // Revision of the group.
    uint32_t revision;
    // A new leaf of the tape with this value. `[call]`
    int32_t (*variable)(struct PddflowCall *call, PddflowTensor x, PddflowTensor *out);
    // The value without its history. `[call]`
    int32_t (*detach)(struct PddflowCall *call, PddflowTensor x, PddflowTensor *out);
    // Gradients of the outputs, weighted by seeds of their shapes (NULL for scalars: 1), by the inputs; zeros for inputs not reached; `keep` 1 makes the results differentiable again. `[call]`
    int32_t (*gradient)(struct PddflowCall *call, const PddflowTensor *outputs, uint64_t output_count, const PddflowTensor *seeds, const PddflowTensor *inputs, uint64_t input_count, uint32_t keep, PddflowTensor *out);
} PddflowGradGroup;

// Name of a stream of random numbers. Plain data: may be kept, copied, compared.
typedef struct PddflowRandomKey {
    // Opaque.
    uint64_t words[4];
} PddflowRandomKey;

// Numbers from keys: the same key always gives the same numbers. Later versions append functions.
typedef struct PddflowRandomGroup {
    // Size of this struct in bytes.
    uint32_t size;
    // Revision of the group.
    uint32_t revision;
    // Another key from a key and a number. `[call]`
    int32_t (*fold)(struct PddflowCall *call, const struct PddflowRandomKey *key, uint64_t number, struct PddflowRandomKey *out);
    // Another key from a key and a text. `[call]`
    int32_t (*fold_text)(struct PddflowCall *call, const struct PddflowRandomKey *key, struct PddflowText text, struct PddflowRandomKey *out);
    // Uniform in [0, 1). `[call]`
    int32_t (*uniform)(struct PddflowCall *call, const struct PddflowRandomKey *key, const uint64_t *shape, uint64_t rank, PddflowTensor *out);
    // Mean 0, standard deviation 1. `[call]`
    int32_t (*normal)(struct PddflowCall *call, const struct PddflowRandomKey *key, const uint64_t *shape, uint64_t rank, PddflowTensor *out);
    // I64: 0..count in random order. `[call]`
    int32_t (*permutation)(struct PddflowCall *call, const struct PddflowRandomKey *key, uint64_t count, PddflowTensor *out);
    // I64: some of 0..count without replacement. `[call]`
    int32_t (*choose)(struct PddflowCall *call, const struct PddflowRandomKey *key, uint64_t count, uint64_t chosen, PddflowTensor *out);
    // Uniform in 0..limit. `[call]`
    int32_t (*below)(struct PddflowCall *call, const struct PddflowRandomKey *key, uint64_t limit, uint64_t *out);
} PddflowRandomGroup;

// A weight, as a matcher sees it.
typedef struct PddflowWeightInfo {
    // Size of this struct in bytes.
    uint32_t size;
    // `WeightKind`.
    uint32_t kind;
    // Name; valid during the call.
    struct PddflowText name;
    // Axes; valid during the call.
    const uint64_t *shape;
    // Number of axes.
    uint64_t rank;
} PddflowWeightInfo;

// What a matcher gets of `ModelGroup::forward`: it fills size, the two buffers and their capacities, the host the rest.
typedef struct PddflowForwardResult {
    // Size of this struct in bytes.
    uint32_t size;
    // 0.
    uint32_t reserved;
    // [image, class].
    PddflowTensor logits;
    // [image, feature].
    PddflowTensor features;
    // Buffer for the intermediate maps; may be NULL when its capacity is 0.
    PddflowTensor *maps;
    // Room in `maps`.
    uint64_t map_capacity;
    // Maps there are; those beyond the capacity are not given out.
    uint64_t map_count;
    // Buffer for new statistics; may be NULL when its capacity is 0.
    PddflowTensor *statistics;
    // Room in `statistics`.
    uint64_t statistic_capacity;
    // Statistics there are.
    uint64_t statistic_count;
    // Buffer for the mean and variance of the batch at each batch normalisation, `[channel]`, on the tape; may be NULL when its capacity
    // is 0. Since 0.8.
    PddflowTensor *moments;
    // Room in `moments`. Since 0.8.
    uint64_t moment_capacity;
    // Moments there are; those beyond the capacity are not given out. Since 0.8.
    uint64_t moment_count;
} PddflowForwardResult;

// The models of the node; matchers reach models only this way. Functions without a number, here and `start_weights`, `trajectory`,
// `train` and `train_by` of `distill`, mean the model that is chosen; a call begins with the first. Later versions append functions.
typedef struct PddflowModelGroup {
    // Size of this struct in bytes.
    uint32_t size;
    // Revision of the group.
    uint32_t revision;
    // Number of weights; 0 without a model. `[call]`
    int32_t (*count)(struct PddflowCall *call, uint64_t *out);
    // About a weight; the caller has set the size. `[call]`
    int32_t (*weight)(struct PddflowCall *call, uint64_t index, struct PddflowWeightInfo *out);
    // Fresh random weights; there must be room for exactly all. `[call]`
    int32_t (*fresh)(struct PddflowCall *call, const struct PddflowRandomKey *key, PddflowTensor *out, uint64_t count);
    // Runs a batch. `[call]`
    int32_t (*forward)(struct PddflowCall *call, const PddflowTensor *weights, uint64_t count, PddflowTensor images, uint32_t mode, const struct PddflowRandomKey *key, struct PddflowForwardResult *out);
    // Name of an intermediate map of the last forward. `[call]`
    int32_t (*map_name)(struct PddflowCall *call, uint64_t index, struct PddflowText *out);
    // Number of models; 0 without one, more than one only if `describe` declared `Need::Models`. Since 0.9. `[call]`
    int32_t (*models)(struct PddflowCall *call, uint64_t *out);
    // Chooses the model that the functions without a number mean from now on, until the end of the call. Since 0.9. `[call]`
    int32_t (*choose)(struct PddflowCall *call, uint64_t index);
} PddflowModelGroup;

// Memory. Results belong to the call and vanish with it; these only save memory before. Later versions append functions.
typedef struct PddflowArenaGroup {
    // Size of this struct in bytes.
    uint32_t size;
    // Revision of the group.
    uint32_t revision;
    // Drops a name; the tape keeps what it needs. `[call]`
    int32_t (*release)(struct PddflowCall *call, PddflowTensor x);
    // Tensors made from now on belong to a nested scope. `[call]`
    int32_t (*open_scope)(struct PddflowCall *call, uint64_t *out);
    // Drops all of the scope but `keep`, which go to the scope around. Scopes close in reverse order. `[call]`
    int32_t (*close_scope)(struct PddflowCall *call, uint64_t scope, const PddflowTensor *keep, uint64_t count);
    // Tensors alive in the call. `[call]`
    int32_t (*live)(struct PddflowCall *call, uint64_t *out);
    // Bytes of the values that the tensors and the tape behind them hold; what they share counts once. `[call]`
    int32_t (*tape_bytes)(struct PddflowCall *call, const PddflowTensor *tensors, uint64_t count, uint64_t *out);
    // Bytes of tapes that a matcher may keep only so that it need not compute them again. No result may depend on it. `[call]`
    int32_t (*tape_budget)(struct PddflowCall *call, uint64_t *out);
} PddflowArenaGroup;

// A weight, as a model declares it.
typedef struct PddflowWeightDeclaration {
    // Size of this struct in bytes.
    uint32_t size;
    // `WeightKind`.
    uint32_t kind;
    // Unique name, e.g. "block0.conv.weight".
    struct PddflowText name;
    // Axes.
    const uint64_t *shape;
    // Number of axes.
    uint64_t rank;
    // `InitKind`.
    uint32_t init;
    // 0.
    uint32_t reserved;
    // Parameter of the initialiser.
    double init_value;
} PddflowWeightDeclaration;

// A tensor that distillation optimises.
typedef struct PddflowLearnableDeclaration {
    // Size of this struct in bytes.
    uint32_t size;
    // `LearnableKind`.
    uint32_t kind;
    // "images", "labels", "step_size" or another name.
    struct PddflowText name;
    // Axes.
    const uint64_t *shape;
    // Number of axes.
    uint64_t rank;
    // `LearnableInitKind`.
    uint32_t init;
    // `Space`.
    uint32_t space;
    // Parameter of the initialiser.
    double init_value;
    // Learning rate of its optimiser.
    double lr;
    // Momentum of its optimiser.
    double momentum;
    // Weight decay of its optimiser.
    double weight_decay;
    // Clamped to at least this before every outer iteration; -infinity for no limit.
    double clamp_low;
    // Clamped to at most this before every outer iteration; +infinity for no limit.
    double clamp_high;
    // Raised to this after every step; -infinity for no limit.
    double floor;
    // First value with `Given`: a tensor of this call, of the learnable's shape. Since 0.7.
    PddflowTensor first;
} PddflowLearnableDeclaration;

// A tensor with a name.
typedef struct PddflowNamedTensor {
    // Name.
    struct PddflowText name;
    // Tensor.
    PddflowTensor tensor;
} PddflowNamedTensor;

// What a plugin says about itself and returns. Later versions append functions.
typedef struct PddflowDeclareGroup {
    // Size of this struct in bytes.
    uint32_t size;
    // Revision of the group.
    uint32_t revision;
    // In `weights`: the next weight. `[call]`
    int32_t (*weight)(struct PddflowCall *call, const struct PddflowWeightDeclaration *weight);
    // In `describe`: the next learnable. `[call]`
    int32_t (*learnable)(struct PddflowCall *call, const struct PddflowLearnableDeclaration *learnable);
    // In `describe`: a `Need`. `[call]`
    int32_t (*need)(struct PddflowCall *call, uint32_t need);
    // In `describe`: how to train on the set, a JSON object. `[call]`
    int32_t (*recipe)(struct PddflowCall *call, struct PddflowText json);
    // In `forward` and `decode`: an `Output`; the name matters for maps. `[call]`
    int32_t (*output)(struct PddflowCall *call, uint32_t kind, struct PddflowText name, PddflowTensor x);
    // In `identify`: something that results depend on, as name and value. Since 0.5. `[call]`
    int32_t (*identity)(struct PddflowCall *call, struct PddflowText name, struct PddflowText value);
    // In `describe`: the matcher works from tensors that are wired to its node, such as those of a generator; `purpose` says what they
    // are, for messages. Gives their number: 0 where they are not known yet, as before anything runs; what is declared besides needs
    // is not looked at then. Since 0.7. `[call]`
    int32_t (*input)(struct PddflowCall *call, struct PddflowText purpose, uint64_t *out);
    // In `describe`: one of these tensors, constant; real ones have the problem's dtype. The name lives as the call. Since 0.7. `[call]`
    int32_t (*input_tensor)(struct PddflowCall *call, uint64_t index, struct PddflowNamedTensor *out);
} PddflowDeclareGroup;

// The task of a matcher.
typedef struct PddflowProblem {
    // Size of this struct in bytes.
    uint32_t size;
    // Dtype of real numbers: F32 or F64.
    uint32_t dtype;
    // Classes of the data set.
    uint64_t classes;
    // Channels of an image.
    uint64_t channels;
    // Rows of an image.
    uint64_t height;
    // Columns of an image.
    uint64_t width;
    // New synthetic images per class.
    uint64_t ipc;
    // Outer iterations that there will be: in `iterate` of a matcher with `Need::Horizon`, elsewhere 0.
    uint64_t iterations;
    // Rows of the learnable images in its usual form.
    uint64_t learnable_rows;
    // Mean subtracted from pixels in [0, 1], for each channel; valid during the call.
    const double *mean;
    // Standard deviation that pixels were divided by, for each channel.
    const double *std;
    // Normalised value of black, for each channel.
    const double *minimum;
    // Normalised value of white, for each channel.
    const double *maximum;
    // Root of all randomness of the node.
    struct PddflowRandomKey seed_key;
} PddflowProblem;

// Which rows of the synthetic data.
typedef struct PddflowSetRequest {
    // Size of this struct in bytes.
    uint32_t size;
    // `SetPart`.
    uint32_t part;
    // Class, or -1 for all.
    int64_t class_index;
    // At most this many rows, chosen at random by the key; 0 for all.
    uint64_t limit;
    // For the choice.
    struct PddflowRandomKey key;
} PddflowSetRequest;

// Which segment of an expert trajectory.
typedef struct PddflowSegmentRequest {
    // Size of this struct in bytes.
    uint32_t size;
    // 0.
    uint32_t reserved;
    // First start epoch.
    uint64_t min_start;
    // Start epochs end before this.
    uint64_t max_start;
    // Epochs from start to target.
    uint64_t length;
    // Chooses the net and the start.
    struct PddflowRandomKey key;
} PddflowSegmentRequest;

// How a net is trained.
typedef struct PddflowTrainRequest {
    // Size of this struct in bytes.
    uint32_t size;
    // `TrainSource`.
    uint32_t source;
    // Given: [row, channel, height, width].
    PddflowTensor images;
    // Given: I64 `[row]` or probabilities `[row, class]`.
    PddflowTensor labels;
    // Real: images in each epoch.
    uint64_t samples;
    // Epochs.
    uint64_t epochs;
    // Images in a step.
    uint64_t batch;
    // Learning rate.
    double lr;
    // Momentum.
    double momentum;
    // Weight decay.
    double weight_decay;
    // Augmentation policy, drawn per image; empty for none.
    struct PddflowText augment;
    // Probability of CutMix; 0 for none.
    double cutmix;
    // Randomness of the training.
    struct PddflowRandomKey key;
    // In and out: weights in the model's order.
    PddflowTensor *weights;
    // Number of weights.
    uint64_t weight_count;
    // In and out: momentum buffers of the learnable weights in their order, all 0 before the first step; may be NULL.
    PddflowTensor *buffers;
    // Room in `buffers`.
    uint64_t buffer_count;
} PddflowTrainRequest;

// What a matcher works with; available in `iterate` only. Later versions append functions.
typedef struct PddflowDistillGroup {
    // Size of this struct in bytes.
    uint32_t size;
    // Revision of the group.
    uint32_t revision;
    // The task; the caller has set the size. `[call]`
    int32_t (*problem)(struct PddflowCall *call, struct PddflowProblem *out);
    // Real images of a class. `[call]`
    int32_t (*class_size)(struct PddflowCall *call, uint64_t class_index, uint64_t *out);
    // Real images of a class, or of all (-1), without replacement; fewer if there are not so many. `[call]`
    int32_t (*real_batch)(struct PddflowCall *call, int64_t class_index, uint64_t count, const struct PddflowRandomKey *key, PddflowTensor *images, PddflowTensor *labels);
    // Synthetic images and labels, decoded, on the tape as far as they are new. `[call]`
    int32_t (*set)(struct PddflowCall *call, const struct PddflowSetRequest *request, PddflowTensor *images, PddflowTensor *labels);
    // A learnable as a leaf of the tape; the same leaf until its value changes. `[call]`
    int32_t (*learnable)(struct PddflowCall *call, struct PddflowText name, PddflowTensor *out);
    // One step of the learnable's optimiser, its learning rate times `rate`. The gradient must be finite. `[call]`
    int32_t (*step)(struct PddflowCall *call, struct PddflowText name, PddflowTensor gradient, double rate);
    // Replaces the value of a learnable; for optimisers of the plugin's own. `[call]`
    int32_t (*assign)(struct PddflowCall *call, struct PddflowText name, PddflowTensor value);
    // Where matching starts: a net of the pool wired to the node, else fresh weights. `[call]`
    int32_t (*start_weights)(struct PddflowCall *call, const struct PddflowRandomKey *key, PddflowTensor *out, uint64_t count);
    // A segment of an expert trajectory. `[call]`
    int32_t (*trajectory)(struct PddflowCall *call, const struct PddflowSegmentRequest *request, PddflowTensor *start, PddflowTensor *target, uint64_t count, uint64_t *epoch);
    // Trains a net; replaces its weights and buffers. `[call]`
    int32_t (*train)(struct PddflowCall *call, const struct PddflowTrainRequest *request);
    // A named tensor kept across iterations; 0 if there is none. `[call]`
    int32_t (*state_get)(struct PddflowCall *call, struct PddflowText name, PddflowTensor *out);
    // Keeps a tensor across iterations, and in checkpoints. `[call]`
    int32_t (*state_put)(struct PddflowCall *call, struct PddflowText name, PddflowTensor value);
    // Remembers learnables, momentum and named state. `[call]`
    int32_t (*save_point)(struct PddflowCall *call);
    // Goes back to the save point; 1 if there was one. `[call]`
    int32_t (*roll_back)(struct PddflowCall *call, uint32_t *out);
    // Augments images; `draw` is a `Draw`; the policies "none" and "" give them back as they are. `[call]`
    int32_t (*augment)(struct PddflowCall *call, struct PddflowText policy, uint32_t draw, PddflowTensor x, const struct PddflowRandomKey *key, PddflowTensor *out);
    // Numbers, I64, of the real images that `real_batch` gives for these arguments, the same for the whole node. Since 0.8. `[call]`
    int32_t (*choose_rows)(struct PddflowCall *call, int64_t class_index, uint64_t count, const struct PddflowRandomKey *key, PddflowTensor *out);
    // The real images of these numbers, I64 `[row]`, in that order, repeats allowed. Since 0.8. `[call]`
    int32_t (*real_rows)(struct PddflowCall *call, PddflowTensor rows, PddflowTensor *images, PddflowTensor *labels);
    // `train` by an `Optimizer`. For Adam and AdamW the buffers are two averages for each learnable weight, one weight after the other,
    // and last the number of steps, I64. Since 0.8. `[call]`
    int32_t (*train_by)(struct PddflowCall *call, const struct PddflowTrainRequest *request, uint32_t optimizer);
} PddflowDistillGroup;

// Root of the host's functions. Later versions append groups.
typedef struct PddflowHost {
    // Size of this struct in bytes.
    uint32_t size;
    // Minor version of the host.
    uint32_t abi_minor;
    // Versions, abilities and errors.
    const struct PddflowCoreGroup *core;
    // Text and numbers for the record.
    const struct PddflowLogGroup *log;
    // The instance's parameters.
    const struct PddflowConfigGroup *config;
    // Tensors from numbers.
    const struct PddflowMakeGroup *make;
    // What a tensor is.
    const struct PddflowInfoGroup *info;
    // Numbers out of tensors. A tensor on the tape is refused: detach it first, so that a break in the gradient is visible.
    const struct PddflowReadGroup *read;
    // Element by element, with numpy's broadcasting.
    const struct PddflowMapGroup *map;
    // Over axes.
    const struct PddflowReduceGroup *reduce;
    // Rearranging.
    const struct PddflowShapeGroup *shape;
    // Products, convolution and what nets are made of.
    const struct PddflowLinearGroup *linear;
    // Derivatives of any order.
    const struct PddflowGradGroup *grad;
    // Numbers from keys: the same key always gives the same numbers.
    const struct PddflowRandomGroup *random;
    // The model of the node; matchers reach models only this way.
    const struct PddflowModelGroup *model;
    // Memory. Results belong to the call and vanish with it; these only save memory before.
    const struct PddflowArenaGroup *arena;
    // What a plugin says about itself and returns.
    const struct PddflowDeclareGroup *declare;
    // What a matcher works with; available in `iterate` only.
    const struct PddflowDistillGroup *distill;
} PddflowHost;

// One entry of the host into the plugin. The host owns it; it has more fields than these.
typedef struct PddflowCall {
    // Size of this struct in bytes, as far as it is public.
    uint32_t size;
    // 0.
    uint32_t reserved;
    // The host's functions.
    const struct PddflowHost *host;
} PddflowCall;

// Several texts.
typedef struct PddflowTextList {
    // First text; may be NULL when `count` is 0.
    const struct PddflowText *items;
    // Number of texts.
    uint64_t count;
} PddflowTextList;

// One matcher or model.
typedef struct PddflowDescriptor {
    // Size of this struct in bytes.
    uint32_t size;
    // `Role`.
    uint32_t role;
    // `[a-z][a-z0-9-]*`, at most 64 bytes, unique among the plugins of a run.
    struct PddflowText id;
    // Version of the plugin.
    struct PddflowText version;
    // One line.
    struct PddflowText summary;
    // JSON schema of the parameters; empty when `schema_text` gives it.
    struct PddflowText schema;
    // Gives the schema; constant, called after `open`; may be NULL when `schema` is not empty. `[call]`
    int32_t (*schema_text)(struct PddflowCall *call, struct PddflowText *out);
    // Capabilities without which the plugin cannot work.
    struct PddflowTextList required;
    // Capabilities it uses if they are there.
    struct PddflowTextList optional;
    // `MatcherTable` or `ModelTable`.
    const void *table;
    // Number of the plugin's results: raised whenever the same parameters may give other numbers. Results are then named by
    // id and revision, so that a rebuild changes nothing; 0, or left out: they are named by the bytes of the file. Since 0.4.
    uint32_t revision;
    // 0.
    uint32_t reserved;
} PddflowDescriptor;

// What a plugin exports under the name `pddflow_plugin`, as constant data. Frozen: later versions append.
typedef struct PddflowHeader {
    // "PDDFLOW" and a zero byte.
    uint8_t magic[8];
    // Size of this struct in bytes.
    uint32_t size;
    // Major version built against.
    uint32_t abi_major;
    // Minor version built against.
    uint32_t abi_minor;
    // Lowest minor version of a host that will do.
    uint32_t host_minor;
    // Bits of `Flag`.
    uint64_t flags;
    // What built it, e.g. "pddflow-sdk" or "c".
    struct PddflowText sdk_name;
    // Its version.
    struct PddflowText sdk_version;
    // Target triple it was built for; may be empty.
    struct PddflowText target;
    // Descriptors.
    const struct PddflowDescriptor *const *descriptors;
    // Number of descriptors.
    uint64_t descriptor_count;
    // Called once in a process after all checks, before anything else of the plugin; may refuse by a status; may be NULL. `[call]`
    int32_t (*open)(struct PddflowCall *call);
} PddflowHeader;

// What `MatcherTable::iterate` gets.
typedef struct PddflowIterateArguments {
    // Size of this struct in bytes.
    uint32_t size;
    // 0.
    uint32_t reserved;
    // The task.
    const struct PddflowProblem *problem;
    // Number of this outer iteration, from 0.
    uint64_t iteration;
    // Randomness of this iteration: the seed key folded with its number.
    struct PddflowRandomKey key;
} PddflowIterateArguments;

// What `MatcherTable::decode` gets.
typedef struct PddflowDecodeArguments {
    // Size of this struct in bytes.
    uint32_t size;
    // 0.
    uint32_t reserved;
    // The task.
    const struct PddflowProblem *problem;
    // Learnables in the order of the description.
    const struct PddflowNamedTensor *learnables;
    // Number of learnables.
    uint64_t learnable_count;
} PddflowDecodeArguments;

// A matcher: what it optimises and one outer iteration.
typedef struct PddflowMatcherTable {
    // Size of this struct in bytes.
    uint32_t size;
    // 0.
    uint32_t reserved;
    // Makes an instance from `config`. `[call]`
    int32_t (*create)(struct PddflowCall *call, void **out);
    // Ends an instance. No call: host functions are not available. `[any]`
    void (*destroy)(void *instance);
    // Declares learnables, needs and the recipe through `declare`. `[call]`
    int32_t (*describe)(struct PddflowCall *call, const void *instance, const struct PddflowProblem *problem);
    // One outer iteration. `[call]`
    int32_t (*iterate)(struct PddflowCall *call, const void *instance, const struct PddflowIterateArguments *arguments);
    // Makes images and labels of the learnables; a pure function; results through `declare.output`. NULL: the learnable
    // "images" as it is, with the learnable "labels" or else the class numbers. `[call]`
    int32_t (*decode)(struct PddflowCall *call, const void *instance, const struct PddflowDecodeArguments *arguments);
    // Says by `declare.identity` what results depend on besides parameters, the files that these name and the revision: versions of
    // what the matcher calls. Asked whenever keys are made, so it must be quick. NULL: nothing. Since 0.5. `[call]`
    int32_t (*identify)(struct PddflowCall *call, const void *instance);
} PddflowMatcherTable;

// What `ModelTable::forward` gets.
typedef struct PddflowForwardArguments {
    // Size of this struct in bytes.
    uint32_t size;
    // `Mode`.
    uint32_t mode;
    // Weights in the order of their declaration.
    const PddflowTensor *weights;
    // Number of weights.
    uint64_t weight_count;
    // [image, channel, height, width].
    PddflowTensor images;
    // For models that need randomness.
    struct PddflowRandomKey key;
} PddflowForwardArguments;

// A model: a list of weights and a pure function.
typedef struct PddflowModelTable {
    // Size of this struct in bytes.
    uint32_t size;
    // 0.
    uint32_t reserved;
    // Makes an instance from `config`. `[call]`
    int32_t (*create)(struct PddflowCall *call, void **out);
    // Ends an instance. No call: host functions are not available. `[any]`
    void (*destroy)(void *instance);
    // Declares the weights with `declare.weight`; of the problem only classes, channels, height, width and dtype are set. `[call]`
    int32_t (*weights)(struct PddflowCall *call, const void *instance, const struct PddflowProblem *problem);
    // Runs a batch; results through `declare.output`. `[call]`
    int32_t (*forward)(struct PddflowCall *call, const void *instance, const struct PddflowForwardArguments *arguments);
} PddflowModelTable;

#endif  /* PDDFLOW_H */

/* What a plugin defines: `PDDFLOW_EXPORT const PddflowHeader pddflow_plugin = {...};` */
extern PDDFLOW_VISIBLE const PddflowHeader pddflow_plugin;

#ifdef __cplusplus
}
#define PDDFLOW_ASSERT static_assert
#else
#define PDDFLOW_ASSERT _Static_assert
#endif
PDDFLOW_ASSERT(sizeof(PddflowText) == 16, "Text");
PDDFLOW_ASSERT(sizeof(PddflowTextList) == 16, "TextList");
PDDFLOW_ASSERT(sizeof(PddflowRandomKey) == 32, "RandomKey");
PDDFLOW_ASSERT(sizeof(PddflowNamedTensor) == 24, "NamedTensor");
PDDFLOW_ASSERT(sizeof(PddflowProblem) == 128, "Problem");
PDDFLOW_ASSERT(sizeof(PddflowWeightDeclaration) == 56, "WeightDeclaration");
PDDFLOW_ASSERT(sizeof(PddflowWeightInfo) == 40, "WeightInfo");
PDDFLOW_ASSERT(sizeof(PddflowLearnableDeclaration) == 112, "LearnableDeclaration");
PDDFLOW_ASSERT(sizeof(PddflowForwardArguments) == 64, "ForwardArguments");
PDDFLOW_ASSERT(sizeof(PddflowForwardResult) == 96, "ForwardResult");
PDDFLOW_ASSERT(sizeof(PddflowDecodeArguments) == 32, "DecodeArguments");
PDDFLOW_ASSERT(sizeof(PddflowIterateArguments) == 56, "IterateArguments");
PDDFLOW_ASSERT(sizeof(PddflowConvArguments) == 64, "ConvArguments");
PDDFLOW_ASSERT(sizeof(PddflowGroupedConvArguments) == 104, "GroupedConvArguments");
PDDFLOW_ASSERT(sizeof(PddflowPoolArguments) == 48, "PoolArguments");
PDDFLOW_ASSERT(sizeof(PddflowNormArguments) == 56, "NormArguments");
PDDFLOW_ASSERT(sizeof(PddflowSetRequest) == 56, "SetRequest");
PDDFLOW_ASSERT(sizeof(PddflowSegmentRequest) == 64, "SegmentRequest");
PDDFLOW_ASSERT(sizeof(PddflowTrainRequest) == 160, "TrainRequest");
PDDFLOW_ASSERT(sizeof(PddflowHeader) == 104, "Header");
PDDFLOW_ASSERT(sizeof(PddflowDescriptor) == 128, "Descriptor");
PDDFLOW_ASSERT(sizeof(PddflowCall) == 16, "Call");
PDDFLOW_ASSERT(sizeof(PddflowHost) == 136, "Host");
PDDFLOW_ASSERT(sizeof(PddflowCoreGroup) == 64, "CoreGroup");
PDDFLOW_ASSERT(sizeof(PddflowLogGroup) == 24, "LogGroup");
PDDFLOW_ASSERT(sizeof(PddflowConfigGroup) == 16, "ConfigGroup");
PDDFLOW_ASSERT(sizeof(PddflowMakeGroup) == 40, "MakeGroup");
PDDFLOW_ASSERT(sizeof(PddflowInfoGroup) == 48, "InfoGroup");
PDDFLOW_ASSERT(sizeof(PddflowReadGroup) == 24, "ReadGroup");
PDDFLOW_ASSERT(sizeof(PddflowMapGroup) == 32, "MapGroup");
PDDFLOW_ASSERT(sizeof(PddflowReduceGroup) == 16, "ReduceGroup");
PDDFLOW_ASSERT(sizeof(PddflowShapeGroup) == 112, "ShapeGroup");
PDDFLOW_ASSERT(sizeof(PddflowLinearGroup) == 104, "LinearGroup");
PDDFLOW_ASSERT(sizeof(PddflowGradGroup) == 32, "GradGroup");
PDDFLOW_ASSERT(sizeof(PddflowRandomGroup) == 64, "RandomGroup");
PDDFLOW_ASSERT(sizeof(PddflowModelGroup) == 64, "ModelGroup");
PDDFLOW_ASSERT(sizeof(PddflowArenaGroup) == 56, "ArenaGroup");
PDDFLOW_ASSERT(sizeof(PddflowDeclareGroup) == 72, "DeclareGroup");
PDDFLOW_ASSERT(sizeof(PddflowDistillGroup) == 152, "DistillGroup");
PDDFLOW_ASSERT(sizeof(PddflowModelTable) == 40, "ModelTable");
PDDFLOW_ASSERT(sizeof(PddflowMatcherTable) == 56, "MatcherTable");
PDDFLOW_ASSERT(offsetof(PddflowText, data) == 0, "Text.data");
PDDFLOW_ASSERT(offsetof(PddflowText, length) == 8, "Text.length");
PDDFLOW_ASSERT(offsetof(PddflowTextList, items) == 0, "TextList.items");
PDDFLOW_ASSERT(offsetof(PddflowTextList, count) == 8, "TextList.count");
PDDFLOW_ASSERT(offsetof(PddflowRandomKey, words) == 0, "RandomKey.words");
PDDFLOW_ASSERT(offsetof(PddflowNamedTensor, name) == 0, "NamedTensor.name");
PDDFLOW_ASSERT(offsetof(PddflowNamedTensor, tensor) == 16, "NamedTensor.tensor");
PDDFLOW_ASSERT(offsetof(PddflowProblem, size) == 0, "Problem.size");
PDDFLOW_ASSERT(offsetof(PddflowProblem, dtype) == 4, "Problem.dtype");
PDDFLOW_ASSERT(offsetof(PddflowProblem, classes) == 8, "Problem.classes");
PDDFLOW_ASSERT(offsetof(PddflowProblem, channels) == 16, "Problem.channels");
PDDFLOW_ASSERT(offsetof(PddflowProblem, height) == 24, "Problem.height");
PDDFLOW_ASSERT(offsetof(PddflowProblem, width) == 32, "Problem.width");
PDDFLOW_ASSERT(offsetof(PddflowProblem, ipc) == 40, "Problem.ipc");
PDDFLOW_ASSERT(offsetof(PddflowProblem, iterations) == 48, "Problem.iterations");
PDDFLOW_ASSERT(offsetof(PddflowProblem, learnable_rows) == 56, "Problem.learnable_rows");
PDDFLOW_ASSERT(offsetof(PddflowProblem, mean) == 64, "Problem.mean");
PDDFLOW_ASSERT(offsetof(PddflowProblem, std) == 72, "Problem.std");
PDDFLOW_ASSERT(offsetof(PddflowProblem, minimum) == 80, "Problem.minimum");
PDDFLOW_ASSERT(offsetof(PddflowProblem, maximum) == 88, "Problem.maximum");
PDDFLOW_ASSERT(offsetof(PddflowProblem, seed_key) == 96, "Problem.seed_key");
PDDFLOW_ASSERT(offsetof(PddflowWeightDeclaration, size) == 0, "WeightDeclaration.size");
PDDFLOW_ASSERT(offsetof(PddflowWeightDeclaration, kind) == 4, "WeightDeclaration.kind");
PDDFLOW_ASSERT(offsetof(PddflowWeightDeclaration, name) == 8, "WeightDeclaration.name");
PDDFLOW_ASSERT(offsetof(PddflowWeightDeclaration, shape) == 24, "WeightDeclaration.shape");
PDDFLOW_ASSERT(offsetof(PddflowWeightDeclaration, rank) == 32, "WeightDeclaration.rank");
PDDFLOW_ASSERT(offsetof(PddflowWeightDeclaration, init) == 40, "WeightDeclaration.init");
PDDFLOW_ASSERT(offsetof(PddflowWeightDeclaration, reserved) == 44, "WeightDeclaration.reserved");
PDDFLOW_ASSERT(offsetof(PddflowWeightDeclaration, init_value) == 48, "WeightDeclaration.init_value");
PDDFLOW_ASSERT(offsetof(PddflowWeightInfo, size) == 0, "WeightInfo.size");
PDDFLOW_ASSERT(offsetof(PddflowWeightInfo, kind) == 4, "WeightInfo.kind");
PDDFLOW_ASSERT(offsetof(PddflowWeightInfo, name) == 8, "WeightInfo.name");
PDDFLOW_ASSERT(offsetof(PddflowWeightInfo, shape) == 24, "WeightInfo.shape");
PDDFLOW_ASSERT(offsetof(PddflowWeightInfo, rank) == 32, "WeightInfo.rank");
PDDFLOW_ASSERT(offsetof(PddflowLearnableDeclaration, size) == 0, "LearnableDeclaration.size");
PDDFLOW_ASSERT(offsetof(PddflowLearnableDeclaration, kind) == 4, "LearnableDeclaration.kind");
PDDFLOW_ASSERT(offsetof(PddflowLearnableDeclaration, name) == 8, "LearnableDeclaration.name");
PDDFLOW_ASSERT(offsetof(PddflowLearnableDeclaration, shape) == 24, "LearnableDeclaration.shape");
PDDFLOW_ASSERT(offsetof(PddflowLearnableDeclaration, rank) == 32, "LearnableDeclaration.rank");
PDDFLOW_ASSERT(offsetof(PddflowLearnableDeclaration, init) == 40, "LearnableDeclaration.init");
PDDFLOW_ASSERT(offsetof(PddflowLearnableDeclaration, space) == 44, "LearnableDeclaration.space");
PDDFLOW_ASSERT(offsetof(PddflowLearnableDeclaration, init_value) == 48, "LearnableDeclaration.init_value");
PDDFLOW_ASSERT(offsetof(PddflowLearnableDeclaration, lr) == 56, "LearnableDeclaration.lr");
PDDFLOW_ASSERT(offsetof(PddflowLearnableDeclaration, momentum) == 64, "LearnableDeclaration.momentum");
PDDFLOW_ASSERT(offsetof(PddflowLearnableDeclaration, weight_decay) == 72, "LearnableDeclaration.weight_decay");
PDDFLOW_ASSERT(offsetof(PddflowLearnableDeclaration, clamp_low) == 80, "LearnableDeclaration.clamp_low");
PDDFLOW_ASSERT(offsetof(PddflowLearnableDeclaration, clamp_high) == 88, "LearnableDeclaration.clamp_high");
PDDFLOW_ASSERT(offsetof(PddflowLearnableDeclaration, floor) == 96, "LearnableDeclaration.floor");
PDDFLOW_ASSERT(offsetof(PddflowLearnableDeclaration, first) == 104, "LearnableDeclaration.first");
PDDFLOW_ASSERT(offsetof(PddflowForwardArguments, size) == 0, "ForwardArguments.size");
PDDFLOW_ASSERT(offsetof(PddflowForwardArguments, mode) == 4, "ForwardArguments.mode");
PDDFLOW_ASSERT(offsetof(PddflowForwardArguments, weights) == 8, "ForwardArguments.weights");
PDDFLOW_ASSERT(offsetof(PddflowForwardArguments, weight_count) == 16, "ForwardArguments.weight_count");
PDDFLOW_ASSERT(offsetof(PddflowForwardArguments, images) == 24, "ForwardArguments.images");
PDDFLOW_ASSERT(offsetof(PddflowForwardArguments, key) == 32, "ForwardArguments.key");
PDDFLOW_ASSERT(offsetof(PddflowForwardResult, size) == 0, "ForwardResult.size");
PDDFLOW_ASSERT(offsetof(PddflowForwardResult, reserved) == 4, "ForwardResult.reserved");
PDDFLOW_ASSERT(offsetof(PddflowForwardResult, logits) == 8, "ForwardResult.logits");
PDDFLOW_ASSERT(offsetof(PddflowForwardResult, features) == 16, "ForwardResult.features");
PDDFLOW_ASSERT(offsetof(PddflowForwardResult, maps) == 24, "ForwardResult.maps");
PDDFLOW_ASSERT(offsetof(PddflowForwardResult, map_capacity) == 32, "ForwardResult.map_capacity");
PDDFLOW_ASSERT(offsetof(PddflowForwardResult, map_count) == 40, "ForwardResult.map_count");
PDDFLOW_ASSERT(offsetof(PddflowForwardResult, statistics) == 48, "ForwardResult.statistics");
PDDFLOW_ASSERT(offsetof(PddflowForwardResult, statistic_capacity) == 56, "ForwardResult.statistic_capacity");
PDDFLOW_ASSERT(offsetof(PddflowForwardResult, statistic_count) == 64, "ForwardResult.statistic_count");
PDDFLOW_ASSERT(offsetof(PddflowForwardResult, moments) == 72, "ForwardResult.moments");
PDDFLOW_ASSERT(offsetof(PddflowForwardResult, moment_capacity) == 80, "ForwardResult.moment_capacity");
PDDFLOW_ASSERT(offsetof(PddflowForwardResult, moment_count) == 88, "ForwardResult.moment_count");
PDDFLOW_ASSERT(offsetof(PddflowDecodeArguments, size) == 0, "DecodeArguments.size");
PDDFLOW_ASSERT(offsetof(PddflowDecodeArguments, reserved) == 4, "DecodeArguments.reserved");
PDDFLOW_ASSERT(offsetof(PddflowDecodeArguments, problem) == 8, "DecodeArguments.problem");
PDDFLOW_ASSERT(offsetof(PddflowDecodeArguments, learnables) == 16, "DecodeArguments.learnables");
PDDFLOW_ASSERT(offsetof(PddflowDecodeArguments, learnable_count) == 24, "DecodeArguments.learnable_count");
PDDFLOW_ASSERT(offsetof(PddflowIterateArguments, size) == 0, "IterateArguments.size");
PDDFLOW_ASSERT(offsetof(PddflowIterateArguments, reserved) == 4, "IterateArguments.reserved");
PDDFLOW_ASSERT(offsetof(PddflowIterateArguments, problem) == 8, "IterateArguments.problem");
PDDFLOW_ASSERT(offsetof(PddflowIterateArguments, iteration) == 16, "IterateArguments.iteration");
PDDFLOW_ASSERT(offsetof(PddflowIterateArguments, key) == 24, "IterateArguments.key");
PDDFLOW_ASSERT(offsetof(PddflowConvArguments, size) == 0, "ConvArguments.size");
PDDFLOW_ASSERT(offsetof(PddflowConvArguments, reserved) == 4, "ConvArguments.reserved");
PDDFLOW_ASSERT(offsetof(PddflowConvArguments, x) == 8, "ConvArguments.x");
PDDFLOW_ASSERT(offsetof(PddflowConvArguments, weight) == 16, "ConvArguments.weight");
PDDFLOW_ASSERT(offsetof(PddflowConvArguments, bias) == 24, "ConvArguments.bias");
PDDFLOW_ASSERT(offsetof(PddflowConvArguments, stride) == 32, "ConvArguments.stride");
PDDFLOW_ASSERT(offsetof(PddflowConvArguments, padding) == 48, "ConvArguments.padding");
PDDFLOW_ASSERT(offsetof(PddflowGroupedConvArguments, size) == 0, "GroupedConvArguments.size");
PDDFLOW_ASSERT(offsetof(PddflowGroupedConvArguments, reserved) == 4, "GroupedConvArguments.reserved");
PDDFLOW_ASSERT(offsetof(PddflowGroupedConvArguments, x) == 8, "GroupedConvArguments.x");
PDDFLOW_ASSERT(offsetof(PddflowGroupedConvArguments, weight) == 16, "GroupedConvArguments.weight");
PDDFLOW_ASSERT(offsetof(PddflowGroupedConvArguments, bias) == 24, "GroupedConvArguments.bias");
PDDFLOW_ASSERT(offsetof(PddflowGroupedConvArguments, stride) == 32, "GroupedConvArguments.stride");
PDDFLOW_ASSERT(offsetof(PddflowGroupedConvArguments, padding) == 48, "GroupedConvArguments.padding");
PDDFLOW_ASSERT(offsetof(PddflowGroupedConvArguments, dilation) == 64, "GroupedConvArguments.dilation");
PDDFLOW_ASSERT(offsetof(PddflowGroupedConvArguments, groups) == 80, "GroupedConvArguments.groups");
PDDFLOW_ASSERT(offsetof(PddflowGroupedConvArguments, output_padding) == 88, "GroupedConvArguments.output_padding");
PDDFLOW_ASSERT(offsetof(PddflowPoolArguments, size) == 0, "PoolArguments.size");
PDDFLOW_ASSERT(offsetof(PddflowPoolArguments, kind) == 4, "PoolArguments.kind");
PDDFLOW_ASSERT(offsetof(PddflowPoolArguments, x) == 8, "PoolArguments.x");
PDDFLOW_ASSERT(offsetof(PddflowPoolArguments, kernel) == 16, "PoolArguments.kernel");
PDDFLOW_ASSERT(offsetof(PddflowPoolArguments, stride) == 32, "PoolArguments.stride");
PDDFLOW_ASSERT(offsetof(PddflowNormArguments, size) == 0, "NormArguments.size");
PDDFLOW_ASSERT(offsetof(PddflowNormArguments, kind) == 4, "NormArguments.kind");
PDDFLOW_ASSERT(offsetof(PddflowNormArguments, x) == 8, "NormArguments.x");
PDDFLOW_ASSERT(offsetof(PddflowNormArguments, weight) == 16, "NormArguments.weight");
PDDFLOW_ASSERT(offsetof(PddflowNormArguments, bias) == 24, "NormArguments.bias");
PDDFLOW_ASSERT(offsetof(PddflowNormArguments, mean) == 32, "NormArguments.mean");
PDDFLOW_ASSERT(offsetof(PddflowNormArguments, variance) == 40, "NormArguments.variance");
PDDFLOW_ASSERT(offsetof(PddflowNormArguments, epsilon) == 48, "NormArguments.epsilon");
PDDFLOW_ASSERT(offsetof(PddflowSetRequest, size) == 0, "SetRequest.size");
PDDFLOW_ASSERT(offsetof(PddflowSetRequest, part) == 4, "SetRequest.part");
PDDFLOW_ASSERT(offsetof(PddflowSetRequest, class_index) == 8, "SetRequest.class_index");
PDDFLOW_ASSERT(offsetof(PddflowSetRequest, limit) == 16, "SetRequest.limit");
PDDFLOW_ASSERT(offsetof(PddflowSetRequest, key) == 24, "SetRequest.key");
PDDFLOW_ASSERT(offsetof(PddflowSegmentRequest, size) == 0, "SegmentRequest.size");
PDDFLOW_ASSERT(offsetof(PddflowSegmentRequest, reserved) == 4, "SegmentRequest.reserved");
PDDFLOW_ASSERT(offsetof(PddflowSegmentRequest, min_start) == 8, "SegmentRequest.min_start");
PDDFLOW_ASSERT(offsetof(PddflowSegmentRequest, max_start) == 16, "SegmentRequest.max_start");
PDDFLOW_ASSERT(offsetof(PddflowSegmentRequest, length) == 24, "SegmentRequest.length");
PDDFLOW_ASSERT(offsetof(PddflowSegmentRequest, key) == 32, "SegmentRequest.key");
PDDFLOW_ASSERT(offsetof(PddflowTrainRequest, size) == 0, "TrainRequest.size");
PDDFLOW_ASSERT(offsetof(PddflowTrainRequest, source) == 4, "TrainRequest.source");
PDDFLOW_ASSERT(offsetof(PddflowTrainRequest, images) == 8, "TrainRequest.images");
PDDFLOW_ASSERT(offsetof(PddflowTrainRequest, labels) == 16, "TrainRequest.labels");
PDDFLOW_ASSERT(offsetof(PddflowTrainRequest, samples) == 24, "TrainRequest.samples");
PDDFLOW_ASSERT(offsetof(PddflowTrainRequest, epochs) == 32, "TrainRequest.epochs");
PDDFLOW_ASSERT(offsetof(PddflowTrainRequest, batch) == 40, "TrainRequest.batch");
PDDFLOW_ASSERT(offsetof(PddflowTrainRequest, lr) == 48, "TrainRequest.lr");
PDDFLOW_ASSERT(offsetof(PddflowTrainRequest, momentum) == 56, "TrainRequest.momentum");
PDDFLOW_ASSERT(offsetof(PddflowTrainRequest, weight_decay) == 64, "TrainRequest.weight_decay");
PDDFLOW_ASSERT(offsetof(PddflowTrainRequest, augment) == 72, "TrainRequest.augment");
PDDFLOW_ASSERT(offsetof(PddflowTrainRequest, cutmix) == 88, "TrainRequest.cutmix");
PDDFLOW_ASSERT(offsetof(PddflowTrainRequest, key) == 96, "TrainRequest.key");
PDDFLOW_ASSERT(offsetof(PddflowTrainRequest, weights) == 128, "TrainRequest.weights");
PDDFLOW_ASSERT(offsetof(PddflowTrainRequest, weight_count) == 136, "TrainRequest.weight_count");
PDDFLOW_ASSERT(offsetof(PddflowTrainRequest, buffers) == 144, "TrainRequest.buffers");
PDDFLOW_ASSERT(offsetof(PddflowTrainRequest, buffer_count) == 152, "TrainRequest.buffer_count");
PDDFLOW_ASSERT(offsetof(PddflowHeader, magic) == 0, "Header.magic");
PDDFLOW_ASSERT(offsetof(PddflowHeader, size) == 8, "Header.size");
PDDFLOW_ASSERT(offsetof(PddflowHeader, abi_major) == 12, "Header.abi_major");
PDDFLOW_ASSERT(offsetof(PddflowHeader, abi_minor) == 16, "Header.abi_minor");
PDDFLOW_ASSERT(offsetof(PddflowHeader, host_minor) == 20, "Header.host_minor");
PDDFLOW_ASSERT(offsetof(PddflowHeader, flags) == 24, "Header.flags");
PDDFLOW_ASSERT(offsetof(PddflowHeader, sdk_name) == 32, "Header.sdk_name");
PDDFLOW_ASSERT(offsetof(PddflowHeader, sdk_version) == 48, "Header.sdk_version");
PDDFLOW_ASSERT(offsetof(PddflowHeader, target) == 64, "Header.target");
PDDFLOW_ASSERT(offsetof(PddflowHeader, descriptors) == 80, "Header.descriptors");
PDDFLOW_ASSERT(offsetof(PddflowHeader, descriptor_count) == 88, "Header.descriptor_count");
PDDFLOW_ASSERT(offsetof(PddflowHeader, open) == 96, "Header.open");
PDDFLOW_ASSERT(offsetof(PddflowDescriptor, size) == 0, "Descriptor.size");
PDDFLOW_ASSERT(offsetof(PddflowDescriptor, role) == 4, "Descriptor.role");
PDDFLOW_ASSERT(offsetof(PddflowDescriptor, id) == 8, "Descriptor.id");
PDDFLOW_ASSERT(offsetof(PddflowDescriptor, version) == 24, "Descriptor.version");
PDDFLOW_ASSERT(offsetof(PddflowDescriptor, summary) == 40, "Descriptor.summary");
PDDFLOW_ASSERT(offsetof(PddflowDescriptor, schema) == 56, "Descriptor.schema");
PDDFLOW_ASSERT(offsetof(PddflowDescriptor, schema_text) == 72, "Descriptor.schema_text");
PDDFLOW_ASSERT(offsetof(PddflowDescriptor, required) == 80, "Descriptor.required");
PDDFLOW_ASSERT(offsetof(PddflowDescriptor, optional) == 96, "Descriptor.optional");
PDDFLOW_ASSERT(offsetof(PddflowDescriptor, table) == 112, "Descriptor.table");
PDDFLOW_ASSERT(offsetof(PddflowDescriptor, revision) == 120, "Descriptor.revision");
PDDFLOW_ASSERT(offsetof(PddflowDescriptor, reserved) == 124, "Descriptor.reserved");
PDDFLOW_ASSERT(offsetof(PddflowCall, size) == 0, "Call.size");
PDDFLOW_ASSERT(offsetof(PddflowCall, reserved) == 4, "Call.reserved");
PDDFLOW_ASSERT(offsetof(PddflowCall, host) == 8, "Call.host");
PDDFLOW_ASSERT(offsetof(PddflowHost, size) == 0, "Host.size");
PDDFLOW_ASSERT(offsetof(PddflowHost, abi_minor) == 4, "Host.abi_minor");
PDDFLOW_ASSERT(offsetof(PddflowHost, core) == 8, "Host.core");
PDDFLOW_ASSERT(offsetof(PddflowHost, log) == 16, "Host.log");
PDDFLOW_ASSERT(offsetof(PddflowHost, config) == 24, "Host.config");
PDDFLOW_ASSERT(offsetof(PddflowHost, make) == 32, "Host.make");
PDDFLOW_ASSERT(offsetof(PddflowHost, info) == 40, "Host.info");
PDDFLOW_ASSERT(offsetof(PddflowHost, read) == 48, "Host.read");
PDDFLOW_ASSERT(offsetof(PddflowHost, map) == 56, "Host.map");
PDDFLOW_ASSERT(offsetof(PddflowHost, reduce) == 64, "Host.reduce");
PDDFLOW_ASSERT(offsetof(PddflowHost, shape) == 72, "Host.shape");
PDDFLOW_ASSERT(offsetof(PddflowHost, linear) == 80, "Host.linear");
PDDFLOW_ASSERT(offsetof(PddflowHost, grad) == 88, "Host.grad");
PDDFLOW_ASSERT(offsetof(PddflowHost, random) == 96, "Host.random");
PDDFLOW_ASSERT(offsetof(PddflowHost, model) == 104, "Host.model");
PDDFLOW_ASSERT(offsetof(PddflowHost, arena) == 112, "Host.arena");
PDDFLOW_ASSERT(offsetof(PddflowHost, declare) == 120, "Host.declare");
PDDFLOW_ASSERT(offsetof(PddflowHost, distill) == 128, "Host.distill");
PDDFLOW_ASSERT(offsetof(PddflowCoreGroup, size) == 0, "CoreGroup.size");
PDDFLOW_ASSERT(offsetof(PddflowCoreGroup, revision) == 4, "CoreGroup.revision");
PDDFLOW_ASSERT(offsetof(PddflowCoreGroup, version) == 8, "CoreGroup.version");
PDDFLOW_ASSERT(offsetof(PddflowCoreGroup, supports) == 16, "CoreGroup.supports");
PDDFLOW_ASSERT(offsetof(PddflowCoreGroup, has) == 24, "CoreGroup.has");
PDDFLOW_ASSERT(offsetof(PddflowCoreGroup, fail) == 32, "CoreGroup.fail");
PDDFLOW_ASSERT(offsetof(PddflowCoreGroup, error) == 40, "CoreGroup.error");
PDDFLOW_ASSERT(offsetof(PddflowCoreGroup, cancelled) == 48, "CoreGroup.cancelled");
PDDFLOW_ASSERT(offsetof(PddflowCoreGroup, budget) == 56, "CoreGroup.budget");
PDDFLOW_ASSERT(offsetof(PddflowLogGroup, size) == 0, "LogGroup.size");
PDDFLOW_ASSERT(offsetof(PddflowLogGroup, revision) == 4, "LogGroup.revision");
PDDFLOW_ASSERT(offsetof(PddflowLogGroup, message) == 8, "LogGroup.message");
PDDFLOW_ASSERT(offsetof(PddflowLogGroup, metric) == 16, "LogGroup.metric");
PDDFLOW_ASSERT(offsetof(PddflowConfigGroup, size) == 0, "ConfigGroup.size");
PDDFLOW_ASSERT(offsetof(PddflowConfigGroup, revision) == 4, "ConfigGroup.revision");
PDDFLOW_ASSERT(offsetof(PddflowConfigGroup, json) == 8, "ConfigGroup.json");
PDDFLOW_ASSERT(offsetof(PddflowMakeGroup, size) == 0, "MakeGroup.size");
PDDFLOW_ASSERT(offsetof(PddflowMakeGroup, revision) == 4, "MakeGroup.revision");
PDDFLOW_ASSERT(offsetof(PddflowMakeGroup, from_bytes) == 8, "MakeGroup.from_bytes");
PDDFLOW_ASSERT(offsetof(PddflowMakeGroup, full) == 16, "MakeGroup.full");
PDDFLOW_ASSERT(offsetof(PddflowMakeGroup, arange) == 24, "MakeGroup.arange");
PDDFLOW_ASSERT(offsetof(PddflowMakeGroup, cast) == 32, "MakeGroup.cast");
PDDFLOW_ASSERT(offsetof(PddflowInfoGroup, size) == 0, "InfoGroup.size");
PDDFLOW_ASSERT(offsetof(PddflowInfoGroup, revision) == 4, "InfoGroup.revision");
PDDFLOW_ASSERT(offsetof(PddflowInfoGroup, dtype) == 8, "InfoGroup.dtype");
PDDFLOW_ASSERT(offsetof(PddflowInfoGroup, rank) == 16, "InfoGroup.rank");
PDDFLOW_ASSERT(offsetof(PddflowInfoGroup, shape) == 24, "InfoGroup.shape");
PDDFLOW_ASSERT(offsetof(PddflowInfoGroup, elements) == 32, "InfoGroup.elements");
PDDFLOW_ASSERT(offsetof(PddflowInfoGroup, on_tape) == 40, "InfoGroup.on_tape");
PDDFLOW_ASSERT(offsetof(PddflowReadGroup, size) == 0, "ReadGroup.size");
PDDFLOW_ASSERT(offsetof(PddflowReadGroup, revision) == 4, "ReadGroup.revision");
PDDFLOW_ASSERT(offsetof(PddflowReadGroup, bytes) == 8, "ReadGroup.bytes");
PDDFLOW_ASSERT(offsetof(PddflowReadGroup, scalar) == 16, "ReadGroup.scalar");
PDDFLOW_ASSERT(offsetof(PddflowMapGroup, size) == 0, "MapGroup.size");
PDDFLOW_ASSERT(offsetof(PddflowMapGroup, revision) == 4, "MapGroup.revision");
PDDFLOW_ASSERT(offsetof(PddflowMapGroup, unary) == 8, "MapGroup.unary");
PDDFLOW_ASSERT(offsetof(PddflowMapGroup, binary) == 16, "MapGroup.binary");
PDDFLOW_ASSERT(offsetof(PddflowMapGroup, select) == 24, "MapGroup.select");
PDDFLOW_ASSERT(offsetof(PddflowReduceGroup, size) == 0, "ReduceGroup.size");
PDDFLOW_ASSERT(offsetof(PddflowReduceGroup, revision) == 4, "ReduceGroup.revision");
PDDFLOW_ASSERT(offsetof(PddflowReduceGroup, over) == 8, "ReduceGroup.over");
PDDFLOW_ASSERT(offsetof(PddflowShapeGroup, size) == 0, "ShapeGroup.size");
PDDFLOW_ASSERT(offsetof(PddflowShapeGroup, revision) == 4, "ShapeGroup.revision");
PDDFLOW_ASSERT(offsetof(PddflowShapeGroup, reshape) == 8, "ShapeGroup.reshape");
PDDFLOW_ASSERT(offsetof(PddflowShapeGroup, permute) == 16, "ShapeGroup.permute");
PDDFLOW_ASSERT(offsetof(PddflowShapeGroup, broadcast) == 24, "ShapeGroup.broadcast");
PDDFLOW_ASSERT(offsetof(PddflowShapeGroup, slice) == 32, "ShapeGroup.slice");
PDDFLOW_ASSERT(offsetof(PddflowShapeGroup, pad) == 40, "ShapeGroup.pad");
PDDFLOW_ASSERT(offsetof(PddflowShapeGroup, flip) == 48, "ShapeGroup.flip");
PDDFLOW_ASSERT(offsetof(PddflowShapeGroup, concat) == 56, "ShapeGroup.concat");
PDDFLOW_ASSERT(offsetof(PddflowShapeGroup, stack) == 64, "ShapeGroup.stack");
PDDFLOW_ASSERT(offsetof(PddflowShapeGroup, gather) == 72, "ShapeGroup.gather");
PDDFLOW_ASSERT(offsetof(PddflowShapeGroup, scatter_add) == 80, "ShapeGroup.scatter_add");
PDDFLOW_ASSERT(offsetof(PddflowShapeGroup, one_hot) == 88, "ShapeGroup.one_hot");
PDDFLOW_ASSERT(offsetof(PddflowShapeGroup, top_k) == 96, "ShapeGroup.top_k");
PDDFLOW_ASSERT(offsetof(PddflowShapeGroup, take_along) == 104, "ShapeGroup.take_along");
PDDFLOW_ASSERT(offsetof(PddflowLinearGroup, size) == 0, "LinearGroup.size");
PDDFLOW_ASSERT(offsetof(PddflowLinearGroup, revision) == 4, "LinearGroup.revision");
PDDFLOW_ASSERT(offsetof(PddflowLinearGroup, matmul) == 8, "LinearGroup.matmul");
PDDFLOW_ASSERT(offsetof(PddflowLinearGroup, affine) == 16, "LinearGroup.affine");
PDDFLOW_ASSERT(offsetof(PddflowLinearGroup, conv2d) == 24, "LinearGroup.conv2d");
PDDFLOW_ASSERT(offsetof(PddflowLinearGroup, pool2d) == 32, "LinearGroup.pool2d");
PDDFLOW_ASSERT(offsetof(PddflowLinearGroup, norm) == 40, "LinearGroup.norm");
PDDFLOW_ASSERT(offsetof(PddflowLinearGroup, log_softmax) == 48, "LinearGroup.log_softmax");
PDDFLOW_ASSERT(offsetof(PddflowLinearGroup, cross_entropy) == 56, "LinearGroup.cross_entropy");
PDDFLOW_ASSERT(offsetof(PddflowLinearGroup, resize) == 64, "LinearGroup.resize");
PDDFLOW_ASSERT(offsetof(PddflowLinearGroup, solve) == 72, "LinearGroup.solve");
PDDFLOW_ASSERT(offsetof(PddflowLinearGroup, conv2d_grouped) == 80, "LinearGroup.conv2d_grouped");
PDDFLOW_ASSERT(offsetof(PddflowLinearGroup, conv_transpose2d) == 88, "LinearGroup.conv_transpose2d");
PDDFLOW_ASSERT(offsetof(PddflowLinearGroup, grid_sample) == 96, "LinearGroup.grid_sample");
PDDFLOW_ASSERT(offsetof(PddflowGradGroup, size) == 0, "GradGroup.size");
PDDFLOW_ASSERT(offsetof(PddflowGradGroup, revision) == 4, "GradGroup.revision");
PDDFLOW_ASSERT(offsetof(PddflowGradGroup, variable) == 8, "GradGroup.variable");
PDDFLOW_ASSERT(offsetof(PddflowGradGroup, detach) == 16, "GradGroup.detach");
PDDFLOW_ASSERT(offsetof(PddflowGradGroup, gradient) == 24, "GradGroup.gradient");
PDDFLOW_ASSERT(offsetof(PddflowRandomGroup, size) == 0, "RandomGroup.size");
PDDFLOW_ASSERT(offsetof(PddflowRandomGroup, revision) == 4, "RandomGroup.revision");
PDDFLOW_ASSERT(offsetof(PddflowRandomGroup, fold) == 8, "RandomGroup.fold");
PDDFLOW_ASSERT(offsetof(PddflowRandomGroup, fold_text) == 16, "RandomGroup.fold_text");
PDDFLOW_ASSERT(offsetof(PddflowRandomGroup, uniform) == 24, "RandomGroup.uniform");
PDDFLOW_ASSERT(offsetof(PddflowRandomGroup, normal) == 32, "RandomGroup.normal");
PDDFLOW_ASSERT(offsetof(PddflowRandomGroup, permutation) == 40, "RandomGroup.permutation");
PDDFLOW_ASSERT(offsetof(PddflowRandomGroup, choose) == 48, "RandomGroup.choose");
PDDFLOW_ASSERT(offsetof(PddflowRandomGroup, below) == 56, "RandomGroup.below");
PDDFLOW_ASSERT(offsetof(PddflowModelGroup, size) == 0, "ModelGroup.size");
PDDFLOW_ASSERT(offsetof(PddflowModelGroup, revision) == 4, "ModelGroup.revision");
PDDFLOW_ASSERT(offsetof(PddflowModelGroup, count) == 8, "ModelGroup.count");
PDDFLOW_ASSERT(offsetof(PddflowModelGroup, weight) == 16, "ModelGroup.weight");
PDDFLOW_ASSERT(offsetof(PddflowModelGroup, fresh) == 24, "ModelGroup.fresh");
PDDFLOW_ASSERT(offsetof(PddflowModelGroup, forward) == 32, "ModelGroup.forward");
PDDFLOW_ASSERT(offsetof(PddflowModelGroup, map_name) == 40, "ModelGroup.map_name");
PDDFLOW_ASSERT(offsetof(PddflowModelGroup, models) == 48, "ModelGroup.models");
PDDFLOW_ASSERT(offsetof(PddflowModelGroup, choose) == 56, "ModelGroup.choose");
PDDFLOW_ASSERT(offsetof(PddflowArenaGroup, size) == 0, "ArenaGroup.size");
PDDFLOW_ASSERT(offsetof(PddflowArenaGroup, revision) == 4, "ArenaGroup.revision");
PDDFLOW_ASSERT(offsetof(PddflowArenaGroup, release) == 8, "ArenaGroup.release");
PDDFLOW_ASSERT(offsetof(PddflowArenaGroup, open_scope) == 16, "ArenaGroup.open_scope");
PDDFLOW_ASSERT(offsetof(PddflowArenaGroup, close_scope) == 24, "ArenaGroup.close_scope");
PDDFLOW_ASSERT(offsetof(PddflowArenaGroup, live) == 32, "ArenaGroup.live");
PDDFLOW_ASSERT(offsetof(PddflowArenaGroup, tape_bytes) == 40, "ArenaGroup.tape_bytes");
PDDFLOW_ASSERT(offsetof(PddflowArenaGroup, tape_budget) == 48, "ArenaGroup.tape_budget");
PDDFLOW_ASSERT(offsetof(PddflowDeclareGroup, size) == 0, "DeclareGroup.size");
PDDFLOW_ASSERT(offsetof(PddflowDeclareGroup, revision) == 4, "DeclareGroup.revision");
PDDFLOW_ASSERT(offsetof(PddflowDeclareGroup, weight) == 8, "DeclareGroup.weight");
PDDFLOW_ASSERT(offsetof(PddflowDeclareGroup, learnable) == 16, "DeclareGroup.learnable");
PDDFLOW_ASSERT(offsetof(PddflowDeclareGroup, need) == 24, "DeclareGroup.need");
PDDFLOW_ASSERT(offsetof(PddflowDeclareGroup, recipe) == 32, "DeclareGroup.recipe");
PDDFLOW_ASSERT(offsetof(PddflowDeclareGroup, output) == 40, "DeclareGroup.output");
PDDFLOW_ASSERT(offsetof(PddflowDeclareGroup, identity) == 48, "DeclareGroup.identity");
PDDFLOW_ASSERT(offsetof(PddflowDeclareGroup, input) == 56, "DeclareGroup.input");
PDDFLOW_ASSERT(offsetof(PddflowDeclareGroup, input_tensor) == 64, "DeclareGroup.input_tensor");
PDDFLOW_ASSERT(offsetof(PddflowDistillGroup, size) == 0, "DistillGroup.size");
PDDFLOW_ASSERT(offsetof(PddflowDistillGroup, revision) == 4, "DistillGroup.revision");
PDDFLOW_ASSERT(offsetof(PddflowDistillGroup, problem) == 8, "DistillGroup.problem");
PDDFLOW_ASSERT(offsetof(PddflowDistillGroup, class_size) == 16, "DistillGroup.class_size");
PDDFLOW_ASSERT(offsetof(PddflowDistillGroup, real_batch) == 24, "DistillGroup.real_batch");
PDDFLOW_ASSERT(offsetof(PddflowDistillGroup, set) == 32, "DistillGroup.set");
PDDFLOW_ASSERT(offsetof(PddflowDistillGroup, learnable) == 40, "DistillGroup.learnable");
PDDFLOW_ASSERT(offsetof(PddflowDistillGroup, step) == 48, "DistillGroup.step");
PDDFLOW_ASSERT(offsetof(PddflowDistillGroup, assign) == 56, "DistillGroup.assign");
PDDFLOW_ASSERT(offsetof(PddflowDistillGroup, start_weights) == 64, "DistillGroup.start_weights");
PDDFLOW_ASSERT(offsetof(PddflowDistillGroup, trajectory) == 72, "DistillGroup.trajectory");
PDDFLOW_ASSERT(offsetof(PddflowDistillGroup, train) == 80, "DistillGroup.train");
PDDFLOW_ASSERT(offsetof(PddflowDistillGroup, state_get) == 88, "DistillGroup.state_get");
PDDFLOW_ASSERT(offsetof(PddflowDistillGroup, state_put) == 96, "DistillGroup.state_put");
PDDFLOW_ASSERT(offsetof(PddflowDistillGroup, save_point) == 104, "DistillGroup.save_point");
PDDFLOW_ASSERT(offsetof(PddflowDistillGroup, roll_back) == 112, "DistillGroup.roll_back");
PDDFLOW_ASSERT(offsetof(PddflowDistillGroup, augment) == 120, "DistillGroup.augment");
PDDFLOW_ASSERT(offsetof(PddflowDistillGroup, choose_rows) == 128, "DistillGroup.choose_rows");
PDDFLOW_ASSERT(offsetof(PddflowDistillGroup, real_rows) == 136, "DistillGroup.real_rows");
PDDFLOW_ASSERT(offsetof(PddflowDistillGroup, train_by) == 144, "DistillGroup.train_by");
PDDFLOW_ASSERT(offsetof(PddflowModelTable, size) == 0, "ModelTable.size");
PDDFLOW_ASSERT(offsetof(PddflowModelTable, reserved) == 4, "ModelTable.reserved");
PDDFLOW_ASSERT(offsetof(PddflowModelTable, create) == 8, "ModelTable.create");
PDDFLOW_ASSERT(offsetof(PddflowModelTable, destroy) == 16, "ModelTable.destroy");
PDDFLOW_ASSERT(offsetof(PddflowModelTable, weights) == 24, "ModelTable.weights");
PDDFLOW_ASSERT(offsetof(PddflowModelTable, forward) == 32, "ModelTable.forward");
PDDFLOW_ASSERT(offsetof(PddflowMatcherTable, size) == 0, "MatcherTable.size");
PDDFLOW_ASSERT(offsetof(PddflowMatcherTable, reserved) == 4, "MatcherTable.reserved");
PDDFLOW_ASSERT(offsetof(PddflowMatcherTable, create) == 8, "MatcherTable.create");
PDDFLOW_ASSERT(offsetof(PddflowMatcherTable, destroy) == 16, "MatcherTable.destroy");
PDDFLOW_ASSERT(offsetof(PddflowMatcherTable, describe) == 24, "MatcherTable.describe");
PDDFLOW_ASSERT(offsetof(PddflowMatcherTable, iterate) == 32, "MatcherTable.iterate");
PDDFLOW_ASSERT(offsetof(PddflowMatcherTable, decode) == 40, "MatcherTable.decode");
PDDFLOW_ASSERT(offsetof(PddflowMatcherTable, identify) == 48, "MatcherTable.identify");
