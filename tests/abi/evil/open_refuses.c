/* `open` refuses with a text. */
#define OPEN_BODY return call->host->core->fail(call, PDDFLOW_STATUS_UNSUPPORTED, PDDFLOW_TEXT("not on a Sunday"));
#include "base.h"
