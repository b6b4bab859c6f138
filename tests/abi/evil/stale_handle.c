/* Uses a tensor after releasing it. */
#define ITERATE_BODY \
    PddflowTensor x; \
    TRY(learnable(call, &x)); \
    TRY(call->host->arena->release(call, x)); \
    return step(call, x);
#include "base.h"
