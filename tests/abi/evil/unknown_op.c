/* Asks for an op that does not exist. */
#define ITERATE_BODY \
    PddflowTensor x, y; \
    TRY(learnable(call, &x)); \
    return call->host->map->unary(call, 99, x, 0, 0, &y);
#include "base.h"
