/* Reads numbers out of a tensor on the tape. */
#define ITERATE_BODY \
    PddflowTensor x, sum; \
    double value; \
    TRY(learnable(call, &x)); \
    TRY(call->host->reduce->over(call, PDDFLOW_OP_SUM, x, 0, 0, 0, &sum)); \
    return call->host->read->scalar(call, sum, &value);
#include "base.h"
