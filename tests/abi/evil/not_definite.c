/* Solves a system whose matrix has the eigenvalues 3 and -1. */
#define ITERATE_BODY \
    const double numbers[4] = {1, 2, 2, 1}; \
    const uint64_t shape[2] = {2, 2}; \
    PddflowTensor x, y; \
    TRY(call->host->make->from_bytes( \
        call, PDDFLOW_DTYPE_F64, shape, 2, (const uint8_t *)numbers, sizeof numbers, &x)); \
    return call->host->linear->solve(call, x, x, &y);
#include "base.h"
