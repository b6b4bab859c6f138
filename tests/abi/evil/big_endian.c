/* Built for another byte order. */
#define FLAGS (PDDFLOW_FLAGS_C ^ 2)
#include "base.h"
