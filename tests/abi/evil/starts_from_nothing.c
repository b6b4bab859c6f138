/* A learnable that starts as a tensor, and none is given. */
#define DESCRIBE_BODY \
    const uint64_t shape[1] = {2}; \
    PddflowLearnableDeclaration learned; \
    TRY(declare_images(call, problem)); \
    memset(&learned, 0, sizeof learned); \
    learned.size = sizeof learned; \
    learned.kind = PDDFLOW_LEARNABLE_KIND_OTHER; \
    learned.name = PDDFLOW_TEXT("latents"); \
    learned.shape = shape; \
    learned.rank = 1; \
    learned.init = PDDFLOW_LEARNABLE_INIT_KIND_GIVEN; \
    learned.clamp_low = -INFINITY; \
    learned.clamp_high = INFINITY; \
    learned.floor = -INFINITY; \
    return call->host->declare->learnable(call, &learned);
#include "base.h"
