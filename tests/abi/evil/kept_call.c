/* Keeps the call for the next one. */
#include "pddflow.h"
static PddflowCall *kept;
#define ITERATE_BODY \
    PddflowTensor x; \
    if (kept == 0) { kept = call; return PDDFLOW_STATUS_OK; } \
    return kept->host->distill->learnable(kept, PDDFLOW_TEXT("images"), &x);
#include "base.h"
