/* Takes the gradient of something that is not a scalar. */
#define ITERATE_BODY \
    PddflowTensor x, gradient; \
    TRY(learnable(call, &x)); \
    return call->host->grad->gradient(call, &x, 1, 0, &x, 1, 0, &gradient);
#include "base.h"
