/* A model that reaches for what only matchers get. */
#define ROLE PDDFLOW_ROLE_MODEL
#define TABLE &model_table
#define FORWARD_BODY \
    PddflowTensor x; \
    return call->host->distill->learnable(call, PDDFLOW_TEXT("images"), &x);
#include "base.h"
