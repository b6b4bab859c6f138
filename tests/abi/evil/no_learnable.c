/* Optimises nothing. */
#define DESCRIBE_BODY return PDDFLOW_STATUS_OK;
#include "base.h"
