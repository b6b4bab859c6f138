/* Leaves the groups of a convolution 0. */
#define ITERATE_BODY \
    PddflowGroupedConvArguments how; \
    PddflowTensor images; \
    memset(&how, 0, sizeof how); \
    how.size = sizeof how; \
    TRY(learnable(call, &images)); \
    how.x = how.weight = images; \
    how.stride[0] = how.stride[1] = how.dilation[0] = how.dilation[1] = 1; \
    return call->host->linear->conv2d_grouped(call, &how, &images);
#include "base.h"
