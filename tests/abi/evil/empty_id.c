/* The id is empty. */
#define ID PDDFLOW_TEXT_INIT("")
#include "base.h"
