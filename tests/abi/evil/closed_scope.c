/* Uses a tensor of a scope that was closed. */
#define ITERATE_BODY \
    PddflowTensor x; \
    uint64_t scope; \
    TRY(call->host->arena->open_scope(call, &scope)); \
    TRY(learnable(call, &x)); \
    TRY(call->host->arena->close_scope(call, scope, 0, 0)); \
    return step(call, x);
#include "base.h"
