/* The id has a capital letter and a space. */
#define ID PDDFLOW_TEXT_INIT("Evil one")
#include "base.h"
