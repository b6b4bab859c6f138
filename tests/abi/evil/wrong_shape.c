/* Steps with a gradient of another shape. */
#define ITERATE_BODY \
    PddflowTensor x; \
    uint64_t shape[1] = {3}; \
    TRY(call->host->make->full(call, PDDFLOW_DTYPE_REAL, shape, 1, 1.0, &x)); \
    return step(call, x);
#include "base.h"
