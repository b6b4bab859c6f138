/* `decode` gives labels beyond the classes. */
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
    uint64_t rows = arguments->problem->learnable_rows; \
    uint64_t classes = arguments->problem->classes; \
    PddflowTensor labels; \
    TRY(call->host->make->arange(call, rows + classes, &labels)); \
    uint64_t range[3] = {classes, rows + classes, 1}; \
    TRY(call->host->shape->slice(call, labels, 0, range, &labels)); \
    TRY(call->host->declare->output(call, PDDFLOW_OUTPUT_IMAGES, PDDFLOW_TEXT(""), arguments->learnables[0].tensor)); \
    return call->host->declare->output(call, PDDFLOW_OUTPUT_LABELS, PDDFLOW_TEXT(""), labels);
#include "base.h"
