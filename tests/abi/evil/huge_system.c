/* Solves a system whose work nobody would wait for: 2^14 rows. */
#define ITERATE_BODY \
    const uint64_t shape[2] = {16384, 16384}; \
    PddflowTensor x, y; \
    TRY(call->host->make->full(call, PDDFLOW_DTYPE_F32, shape, 2, 0.0, &x)); \
    return call->host->linear->solve(call, x, x, &y);
#include "base.h"
