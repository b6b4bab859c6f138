/* A model that cuts the gradient. */
#define ROLE PDDFLOW_ROLE_MODEL
#define TABLE &model_table
#define FORWARD_BODY \
    uint64_t shape[2] = {2, 3}; \
    PddflowTensor x; \
    TRY(call->host->make->full(call, PDDFLOW_DTYPE_REAL, shape, 2, 1.0, &x)); \
    TRY(call->host->declare->output(call, PDDFLOW_OUTPUT_FEATURES, PDDFLOW_TEXT(""), x)); \
    return call->host->declare->output(call, PDDFLOW_OUTPUT_LOGITS, PDDFLOW_TEXT(""), x);
#include "base.h"
