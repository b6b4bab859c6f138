/* Asks for a class that does not exist. */
#define ITERATE_BODY \
    PddflowTensor images, labels; \
    return call->host->distill->real_batch(call, 99, 4, &arguments->key, &images, &labels);
#include "base.h"
