/* Returns a number that is no status. */
#define ITERATE_BODY \
    return 777;
#include "base.h"
