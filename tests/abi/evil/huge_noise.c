/* Wants 2^66 normal numbers. */
#define ITERATE_BODY \
    const PddflowRandomKey key = {{1, 2, 3, 4}}; \
    const uint64_t shape[2] = {(uint64_t)1 << 33, (uint64_t)1 << 33}; \
    PddflowTensor noise; \
    return call->host->random->normal(call, &key, shape, 2, &noise);
#include "base.h"
