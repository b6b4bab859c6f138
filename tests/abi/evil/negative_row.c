/* Asks for a real image of a number below 0. */
#define ITERATE_BODY \
    int64_t number = -1; \
    uint64_t one = 1; \
    PddflowTensor rows, images, labels; \
    TRY(call->host->make->from_bytes(call, PDDFLOW_DTYPE_I64, &one, 1, (const uint8_t *)&number, sizeof number, &rows)); \
    return call->host->distill->real_rows(call, rows, &images, &labels);
#include "base.h"
