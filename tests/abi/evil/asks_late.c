/* Asks for the wired tensors in an iteration. */
#define ITERATE_BODY \
    uint64_t count; \
    return call->host->declare->input(call, PDDFLOW_TEXT("a generator"), &count);
#include "base.h"
