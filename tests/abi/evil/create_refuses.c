/* `create` refuses without a text. */
#define CREATE_BODY return PDDFLOW_STATUS_CONFIG;
#include "base.h"
