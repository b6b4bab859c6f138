/* Releases a tensor twice. */
#define ITERATE_BODY \
    PddflowTensor x; \
    TRY(learnable(call, &x)); \
    TRY(call->host->arena->release(call, x)); \
    return call->host->arena->release(call, x);
#include "base.h"
