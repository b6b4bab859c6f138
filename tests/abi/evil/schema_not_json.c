/* The schema is not JSON. */
#define SCHEMA PDDFLOW_TEXT_INIT("lr: number")
#include "base.h"
