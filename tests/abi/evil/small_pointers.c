/* Built for another pointer width. */
#define FLAGS (PDDFLOW_FLAGS_C ^ 4)
#include "base.h"
