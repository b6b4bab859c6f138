/* Adds tensors that do not broadcast. */
#define ITERATE_BODY \
    PddflowTensor x, y, z; \
    uint64_t three[1] = {3}, four[1] = {4}; \
    TRY(call->host->make->full(call, PDDFLOW_DTYPE_REAL, three, 1, 1.0, &x)); \
    TRY(call->host->make->full(call, PDDFLOW_DTYPE_REAL, four, 1, 1.0, &y)); \
    return call->host->map->binary(call, PDDFLOW_OP_ADD, x, y, &z);
#include "base.h"
