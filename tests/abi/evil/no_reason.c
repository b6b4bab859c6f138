/* Fails without saying why. */
#define ITERATE_BODY \
    return PDDFLOW_STATUS_NUMERIC;
#include "base.h"
