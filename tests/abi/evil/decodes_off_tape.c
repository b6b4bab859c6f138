/* `decode` cuts the gradient. */
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
#define DECODE_BODY \
    PddflowTensor labels, images; \
    TRY(call->host->make->arange(call, arguments->problem->learnable_rows, &labels)); \
    TRY(call->host->grad->detach(call, arguments->learnables[0].tensor, &images)); \
    TRY(call->host->declare->output(call, PDDFLOW_OUTPUT_IMAGES, PDDFLOW_TEXT(""), images)); \
    return call->host->declare->output(call, PDDFLOW_OUTPUT_LABELS, PDDFLOW_TEXT(""), labels);
#include "base.h"
