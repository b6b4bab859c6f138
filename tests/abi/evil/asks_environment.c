/* Asks for trajectories that are not wired. */
#define ITERATE_BODY \
    PddflowSegmentRequest request; \
    memset(&request, 0, sizeof request); \
    request.size = sizeof request; \
    request.max_start = 1; \
    return call->host->distill->trajectory(call, &request, 0, 0, 0, 0);
#include "base.h"
