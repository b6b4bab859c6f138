/* Steps with a gradient that is not a number. */
#define ITERATE_BODY \
    PddflowTensor x, y; \
    double nan_value = NAN; \
    TRY(learnable(call, &x)); \
    TRY(call->host->map->unary(call, PDDFLOW_OP_MUL_SCALAR, x, &nan_value, 1, &y)); \
    return step(call, y);
#include "base.h"
