/* Gives no place for the result. */
#define ITERATE_BODY \
    return learnable(call, 0);
#include "base.h"
