/* A model and a matcher in C, from pddflow.h alone.

   Model "c-linear": logits = flatten(x) * W^T + b; the features are the flattened image.
   Matcher "c-dm": distribution matching without augmentation, the twin of the plugin `dm`; parameter "batch". The loss is summed over
   the classes in the same order, so that results are equal bit for bit. */
#include "pddflow.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TRY(expression)                                  \
    do {                                                 \
        int32_t status_ = (expression);                  \
        if (status_ != PDDFLOW_STATUS_OK) return status_; \
    } while (0)

#define MAX_WEIGHTS 256

/* ---- model ---- */

static int32_t create_model(PddflowCall *call, void **out)
{
    (void)call;
    *out = 0;
    return PDDFLOW_STATUS_OK;
}

static void destroy_model(void *instance)
{
    (void)instance;
}

static int32_t declare_weight(PddflowCall *call, PddflowText name, const uint64_t *shape, uint64_t rank, double bound)
{
    PddflowWeightDeclaration weight;
    memset(&weight, 0, sizeof weight);
    weight.size = sizeof weight;
    weight.kind = PDDFLOW_WEIGHT_KIND_LEARNABLE;
    weight.name = name;
    weight.shape = shape;
    weight.rank = rank;
    weight.init = PDDFLOW_INIT_KIND_UNIFORM;
    weight.init_value = bound;
    return call->host->declare->weight(call, &weight);
}

static int32_t weights(PddflowCall *call, const void *instance, const PddflowProblem *problem)
{
    (void)instance;
    uint64_t shape[2] = {problem->classes, problem->channels * problem->height * problem->width};
    double bound = 1.0 / sqrt((double)shape[1]);
    TRY(declare_weight(call, PDDFLOW_TEXT("weight"), shape, 2, bound));
    return declare_weight(call, PDDFLOW_TEXT("bias"), shape, 1, bound);
}

static int32_t forward(PddflowCall *call, const void *instance, const PddflowForwardArguments *arguments)
{
    (void)instance;
    const PddflowHost *host = call->host;
    PddflowTensor flat, logits;
    uint64_t shape[4], flat_shape[2];
    if (arguments->weight_count != 2) {
        return host->core->fail(call, PDDFLOW_STATUS_SHAPE, PDDFLOW_TEXT("c-linear has 2 weights"));
    }
    TRY(host->info->shape(call, arguments->images, shape, 4));
    flat_shape[0] = shape[0];
    flat_shape[1] = shape[1] * shape[2] * shape[3];
    TRY(host->shape->reshape(call, arguments->images, flat_shape, 2, &flat));
    TRY(host->linear->affine(call, flat, arguments->weights[0], arguments->weights[1], &logits));
    TRY(host->declare->output(call, PDDFLOW_OUTPUT_LOGITS, PDDFLOW_TEXT(""), logits));
    return host->declare->output(call, PDDFLOW_OUTPUT_FEATURES, PDDFLOW_TEXT(""), flat);
}

/* ---- matcher ---- */

typedef struct Matcher {
    uint64_t batch;
} Matcher;

/* The configuration is canonical JSON, checked against the schema: {"batch":n}. */
static int32_t create_matcher(PddflowCall *call, void **out)
{
    PddflowText json;
    TRY(call->host->config->json(call, &json));
    Matcher *matcher = malloc(sizeof *matcher);
    if (matcher == 0) {
        return call->host->core->fail(call, PDDFLOW_STATUS_OUT_OF_MEMORY, PDDFLOW_TEXT("no memory"));
    }
    matcher->batch = 0;
    for (uint64_t at = 0; at < json.length; at++) {
        if (json.data[at] >= '0' && json.data[at] <= '9') {
            matcher->batch = matcher->batch * 10 + (uint64_t)(json.data[at] - '0');
        }
    }
    *out = matcher;
    return PDDFLOW_STATUS_OK;
}

static void destroy_matcher(void *instance)
{
    free(instance);
}

static int32_t describe(PddflowCall *call, const void *instance, const PddflowProblem *problem)
{
    (void)instance;
    uint64_t shape[4] = {problem->classes * problem->ipc, problem->channels, problem->height, problem->width};
    PddflowLearnableDeclaration images;
    memset(&images, 0, sizeof images);
    images.size = sizeof images;
    images.kind = PDDFLOW_LEARNABLE_KIND_IMAGES;
    images.name = PDDFLOW_TEXT("images");
    images.shape = shape;
    images.rank = 4;
    images.init = PDDFLOW_LEARNABLE_INIT_KIND_REAL;
    images.lr = 1.0;
    images.momentum = 0.5;
    images.clamp_low = -INFINITY;
    images.clamp_high = INFINITY;
    images.floor = -INFINITY;
    TRY(call->host->declare->need(call, PDDFLOW_NEED_MODEL));
    TRY(call->host->declare->learnable(call, &images));
    return call->host->declare->recipe(call, PDDFLOW_TEXT("{\"augment\": \"none\"}"));
}

static int32_t mean_features(PddflowCall *call, const PddflowTensor *net, uint64_t count, PddflowTensor images,
                             const PddflowRandomKey *key, PddflowTensor *out)
{
    PddflowForwardResult result;
    const uint64_t axes[1] = {0};
    memset(&result, 0, sizeof result);
    result.size = sizeof result;
    TRY(call->host->model->forward(call, net, count, images, PDDFLOW_MODE_TRAIN, key, &result));
    return call->host->reduce->over(call, PDDFLOW_OP_MEAN, result.features, axes, 1, 0, out);
}

static int32_t class_loss(PddflowCall *call, const Matcher *matcher, const PddflowTensor *net, uint64_t count,
                          uint64_t class_index, const PddflowRandomKey *key, PddflowTensor *out)
{
    const PddflowHost *host = call->host;
    PddflowTensor images, labels, real, synthetic, difference, square;
    PddflowSetRequest request;
    TRY(host->distill->real_batch(call, (int64_t)class_index, matcher->batch, key, &images, &labels));
    TRY(mean_features(call, net, count, images, key, &real));
    memset(&request, 0, sizeof request);
    request.size = sizeof request;
    request.part = PDDFLOW_SET_PART_UNION;
    request.class_index = (int64_t)class_index;
    TRY(host->distill->set(call, &request, &images, &labels));
    TRY(mean_features(call, net, count, images, key, &synthetic));
    TRY(host->map->binary(call, PDDFLOW_OP_SUB, synthetic, real, &difference));
    TRY(host->map->unary(call, PDDFLOW_OP_SQUARE, difference, 0, 0, &square));
    return host->reduce->over(call, PDDFLOW_OP_SUM, square, 0, 0, 0, out);
}

static int32_t iterate(PddflowCall *call, const void *instance, const PddflowIterateArguments *arguments)
{
    const PddflowHost *host = call->host;
    const uint64_t classes = arguments->problem->classes;
    PddflowTensor net[MAX_WEIGHTS], images, gradient = 0;
    PddflowRandomKey key;
    uint64_t count;
    double total = 0.0;
    TRY(host->random->fold_text(call, &arguments->key, PDDFLOW_TEXT("net"), &key));
    TRY(host->model->count(call, &count));
    if (count > MAX_WEIGHTS) {
        return host->core->fail(call, PDDFLOW_STATUS_UNSUPPORTED, PDDFLOW_TEXT("the model has too many weights"));
    }
    TRY(host->distill->start_weights(call, &key, net, count));
    TRY(host->distill->learnable(call, PDDFLOW_TEXT("images"), &images));
    for (uint64_t class_index = 0; class_index < classes; class_index++) {
        PddflowTensor loss, value, own, sum;
        uint64_t scope;
        double number;
        TRY(host->random->fold(call, &arguments->key, class_index, &key));
        TRY(host->arena->open_scope(call, &scope));
        TRY(class_loss(call, instance, net, count, class_index, &key, &loss));
        TRY(host->grad->detach(call, loss, &value));
        TRY(host->read->scalar(call, value, &number));
        total += number;
        TRY(host->grad->gradient(call, &loss, 1, 0, &images, 1, 0, &own));
        sum = own;
        if (gradient != 0) {
            TRY(host->map->binary(call, PDDFLOW_OP_ADD, gradient, own, &sum));
            TRY(host->arena->release(call, gradient));
        }
        gradient = sum;
        TRY(host->arena->close_scope(call, scope, &gradient, 1));
    }
    TRY(host->distill->step(call, PDDFLOW_TEXT("images"), gradient, 1.0));
    return host->log->metric(call, PDDFLOW_TEXT("loss"), total / (double)classes);
}

/* ---- what the host reads ---- */

static const PddflowModelTable model_table = {sizeof(PddflowModelTable), 0, create_model, destroy_model, weights, forward};
/* By name, so that the same source compiles with headers that have more fields, without a warning. */
static const PddflowMatcherTable matcher_table = {
    .size = sizeof(PddflowMatcherTable), .create = create_matcher, .destroy = destroy_matcher, .describe = describe,
    .iterate = iterate,
};

static const PddflowDescriptor model = {
    .size = sizeof(PddflowDescriptor),
    .role = PDDFLOW_ROLE_MODEL,
    .id = PDDFLOW_TEXT_INIT("c-linear"),
    .version = PDDFLOW_TEXT_INIT("1.0"),
    .summary = PDDFLOW_TEXT_INIT("a linear layer, in C"),
    .schema = PDDFLOW_TEXT_INIT("{\"type\": \"object\", \"additionalProperties\": false}"),
    .table = &model_table,
};

static const PddflowDescriptor matcher = {
    .size = sizeof(PddflowDescriptor),
    .role = PDDFLOW_ROLE_MATCHER,
    .id = PDDFLOW_TEXT_INIT("c-dm"),
    .version = PDDFLOW_TEXT_INIT("1.0"),
    .summary = PDDFLOW_TEXT_INIT("distribution matching without augmentation, in C"),
    .schema = PDDFLOW_TEXT_INIT("{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {\"batch\": "
                                "{\"type\": \"integer\", \"minimum\": 1, \"default\": 256}}}"),
    .table = &matcher_table,
};

static const PddflowDescriptor *const descriptors[] = {&model, &matcher};

PDDFLOW_EXPORT const PddflowHeader pddflow_plugin = {
    PDDFLOW_MAGIC,
    sizeof(PddflowHeader),
    PDDFLOW_ABI_MAJOR,
    PDDFLOW_ABI_MINOR,
    1,
    PDDFLOW_FLAGS_C,
    PDDFLOW_TEXT_INIT("c"),
    PDDFLOW_TEXT_INIT("11"),
    {0, 0},
    descriptors,
    2,
    0,
};
