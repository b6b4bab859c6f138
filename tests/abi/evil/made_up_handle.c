/* Makes a number up. */
#define ITERATE_BODY \
    return step(call, 0x123456789abcdefu);
#include "base.h"
