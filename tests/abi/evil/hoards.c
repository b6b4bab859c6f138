/* Keeps every tensor that it makes. */
#define ITERATE_BODY \
    PddflowTensor x, y; \
    TRY(learnable(call, &x)); \
    for (;;) TRY(call->host->grad->detach(call, x, &y));
#include "base.h"
