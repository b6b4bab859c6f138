/* Wants a permutation of 2^60 numbers. */
#define ITERATE_BODY \
    const PddflowRandomKey key = {{1, 2, 3, 4}}; \
    PddflowTensor rows; \
    return call->host->random->permutation(call, &key, (uint64_t)1 << 60, &rows);
#include "base.h"
