/* Broadcasts to a shape whose number of elements is 1 modulo 2^64. */
#define ITERATE_BODY \
    const uint64_t one[4] = {1, 1, 1, 1}; \
    const uint64_t huge[4] = {1, 1, 3, 12297829382473034411u}; \
    PddflowTensor x, y; \
    TRY(call->host->make->full(call, PDDFLOW_DTYPE_REAL, one, 4, 1.0, &x)); \
    return call->host->shape->broadcast(call, x, huge, 4, &y);
#include "base.h"
