/* `decode` gives no output. */
#include "pddflow.h"
static int32_t decode(PddflowCall *call, const void *instance, const PddflowDecodeArguments *arguments);
#define DECODE decode
#define ITERATE_BODY \
    PddflowSetRequest request; \
    PddflowTensor images, labels; \
    memset(&request, 0, sizeof request); \
    request.size = sizeof request; \
    request.class_index = -1; \
    return call->host->distill->set(call, &request, &images, &labels);
#define DECODE_BODY return PDDFLOW_STATUS_OK;
#include "base.h"
