/* Reports a loss that is not a number. */
#define ITERATE_BODY \
    return call->host->log->metric(call, PDDFLOW_TEXT("loss"), NAN);
#include "base.h"
