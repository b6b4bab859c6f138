/* `open` reports a panic. */
#define OPEN_BODY return call->host->core->fail(call, PDDFLOW_STATUS_PANIC, PDDFLOW_TEXT("lost my head"));
#include "base.h"
