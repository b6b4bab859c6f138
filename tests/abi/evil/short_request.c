/* Passes a struct without its size. */
#define ITERATE_BODY \
    PddflowSetRequest request; \
    PddflowTensor images, labels; \
    memset(&request, 0, sizeof request); \
    return call->host->distill->set(call, &request, &images, &labels);
#include "base.h"
