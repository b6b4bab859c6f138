/* Goes on after an error and fails with another. */
#define ITERATE_BODY \
    step(call, 0); \
    return call->host->core->fail(call, PDDFLOW_STATUS_INTERNAL, PDDFLOW_TEXT("second"));
#include "base.h"
