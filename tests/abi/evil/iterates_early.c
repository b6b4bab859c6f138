/* Wants real images while it is described. */
#define DESCRIBE_BODY \
    PddflowTensor images, labels; \
    return call->host->distill->real_batch(call, -1, 4, &problem->seed_key, &images, &labels);
#include "base.h"
