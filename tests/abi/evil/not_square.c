/* Solves a system of a matrix that is not square. */
#define ITERATE_BODY \
    const uint64_t shape[2] = {3, 2}; \
    PddflowTensor x, y; \
    TRY(call->host->make->full(call, PDDFLOW_DTYPE_REAL, shape, 2, 1.0, &x)); \
    return call->host->linear->solve(call, x, x, &y);
#include "base.h"
