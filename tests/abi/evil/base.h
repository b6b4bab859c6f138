/* A correct matcher and model in C, of which each evil plugin changes one thing by defining a macro before including this.
   Everything here is built from pddflow.h alone. */
#include "pddflow.h"

#include <math.h>
#include <string.h>

#ifndef MAGIC
#define MAGIC PDDFLOW_MAGIC
#endif
#ifndef HEADER_SIZE
#define HEADER_SIZE sizeof(PddflowHeader)
#endif
#ifndef MAJOR
#define MAJOR PDDFLOW_ABI_MAJOR
#endif
#ifndef MINOR
#define MINOR PDDFLOW_ABI_MINOR
#endif
#ifndef HOST_MINOR
#define HOST_MINOR 1
#endif
#ifndef FLAGS
#define FLAGS PDDFLOW_FLAGS_C
#endif
#ifndef ENTRY
#define ENTRY pddflow_plugin
#endif
#ifndef ID
#define ID PDDFLOW_TEXT_INIT("evil")
#endif
#ifndef SUMMARY
#define SUMMARY PDDFLOW_TEXT_INIT("changes one thing")
#endif
#ifndef ROLE
#define ROLE PDDFLOW_ROLE_MATCHER
#endif
#ifndef SCHEMA
#define SCHEMA PDDFLOW_TEXT_INIT("{\"type\": \"object\"}")
#endif
#ifndef DESCRIPTOR_SIZE
#define DESCRIPTOR_SIZE sizeof(PddflowDescriptor)
#endif
#ifndef TABLE_SIZE
#define TABLE_SIZE sizeof(PddflowMatcherTable)
#endif
#ifndef MODEL_TABLE_SIZE
#define MODEL_TABLE_SIZE sizeof(PddflowModelTable)
#endif
#ifndef REQUIRED
#define REQUIRED {0, 0}
#endif
#ifndef DESCRIPTORS
#define DESCRIPTORS {&descriptor}
#define DESCRIPTOR_COUNT 1
#endif
#ifndef OPEN_BODY
#define OPEN_BODY return PDDFLOW_STATUS_OK;
#endif
#ifndef CREATE_BODY
#define CREATE_BODY return PDDFLOW_STATUS_OK;
#endif
#ifndef DESCRIBE_BODY
#define DESCRIBE_BODY return declare_images(call, problem);
#endif
#ifndef ITERATE_BODY
#define ITERATE_BODY return PDDFLOW_STATUS_OK;
#endif
#ifndef ITERATE
#define ITERATE iterate
#endif
#ifndef DECODE
#define DECODE 0
#endif
#ifndef FORWARD_BODY
#define FORWARD_BODY return PDDFLOW_STATUS_OK;
#endif

#define TRY(expression)                              \
    do {                                             \
        int32_t status_ = (expression);              \
        if (status_ != PDDFLOW_STATUS_OK) return status_; \
    } while (0)

#define UNUSED __attribute__((unused))

static UNUSED int32_t learnable(PddflowCall *call, PddflowTensor *out)
{
    return call->host->distill->learnable(call, PDDFLOW_TEXT("images"), out);
}

static UNUSED int32_t step(PddflowCall *call, PddflowTensor gradient)
{
    return call->host->distill->step(call, PDDFLOW_TEXT("images"), gradient, 1.0);
}

static UNUSED int32_t declare_images(PddflowCall *call, const PddflowProblem *problem)
{
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
    images.clamp_low = -INFINITY;
    images.clamp_high = INFINITY;
    images.floor = -INFINITY;
    return call->host->declare->learnable(call, &images);
}

static UNUSED int32_t open_plugin(PddflowCall *call)
{
    (void)call;
    OPEN_BODY
}

static UNUSED int32_t create(PddflowCall *call, void **out)
{
    (void)call;
    *out = 0;
    CREATE_BODY
}

static UNUSED void destroy(void *instance)
{
    (void)instance;
}

static UNUSED int32_t describe(PddflowCall *call, const void *instance, const PddflowProblem *problem)
{
    (void)instance;
    (void)problem;
    (void)call;
    DESCRIBE_BODY
}

static UNUSED int32_t iterate(PddflowCall *call, const void *instance, const PddflowIterateArguments *arguments)
{
    (void)instance;
    (void)arguments;
    (void)call;
    ITERATE_BODY
}

#ifdef DECODE_BODY
static UNUSED int32_t decode(PddflowCall *call, const void *instance, const PddflowDecodeArguments *arguments)
{
    (void)instance;
    (void)arguments;
    (void)call;
    DECODE_BODY
}
#endif

static UNUSED int32_t weights(PddflowCall *call, const void *instance, const PddflowProblem *problem)
{
    (void)instance;
    uint64_t shape[2] = {problem->classes, problem->channels * problem->height * problem->width};
    PddflowWeightDeclaration weight;
    memset(&weight, 0, sizeof weight);
    weight.size = sizeof weight;
    weight.name = PDDFLOW_TEXT("weight");
    weight.shape = shape;
    weight.rank = 2;
    weight.init = PDDFLOW_INIT_KIND_NORMAL;
    weight.init_value = 0.1;
    return call->host->declare->weight(call, &weight);
}

static UNUSED int32_t forward(PddflowCall *call, const void *instance, const PddflowForwardArguments *arguments)
{
    (void)instance;
    (void)arguments;
    (void)call;
    FORWARD_BODY
}

static UNUSED const PddflowMatcherTable matcher_table = {
    .size = TABLE_SIZE, .create = create, .destroy = destroy, .describe = describe, .iterate = ITERATE, .decode = DECODE,
};
static UNUSED const PddflowModelTable model_table = {MODEL_TABLE_SIZE, 0, create, destroy, weights, forward};

#ifndef TABLE
#define TABLE &matcher_table
#endif

static UNUSED const PddflowDescriptor descriptor = {
    DESCRIPTOR_SIZE, ROLE, ID, PDDFLOW_TEXT_INIT("1.0"), SUMMARY, SCHEMA, 0, REQUIRED, {0, 0}, TABLE, 0, 0,
};

static UNUSED const PddflowDescriptor *const descriptors[] = DESCRIPTORS;

PDDFLOW_EXPORT const PddflowHeader ENTRY = {
    MAGIC,
    HEADER_SIZE,
    MAJOR,
    MINOR,
    HOST_MINOR,
    FLAGS,
    PDDFLOW_TEXT_INIT("c"),
    PDDFLOW_TEXT_INIT("11"),
    {0, 0},
    descriptors,
    DESCRIPTOR_COUNT,
    open_plugin,
};
