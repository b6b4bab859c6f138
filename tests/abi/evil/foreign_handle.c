/* Keeps a tensor for the next call. */
#include "pddflow.h"
static PddflowTensor kept;
#define ITERATE_BODY \
    PddflowTensor x = kept; \
    if (kept == 0) return learnable(call, &kept); \
    return step(call, x);
#include "base.h"
