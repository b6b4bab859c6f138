/* Ends the process on a panic. */
#define FLAGS (PDDFLOW_FLAGS_C ^ 1)
#include "base.h"
