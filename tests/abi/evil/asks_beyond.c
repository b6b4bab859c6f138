/* Asks for a tensor that is not wired. */
#define DESCRIBE_BODY \
    uint64_t count; \
    PddflowNamedTensor tensor; \
    TRY(call->host->declare->input(call, PDDFLOW_TEXT("a generator"), &count)); \
    TRY(declare_images(call, problem)); \
    return call->host->declare->input_tensor(call, count, &tensor);
#include "base.h"
