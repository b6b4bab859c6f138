/* Uses tensor 0. */
#define ITERATE_BODY \
    return step(call, 0);
#include "base.h"
