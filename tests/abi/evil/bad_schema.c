/* The schema is JSON but no JSON schema. */
#define SCHEMA PDDFLOW_TEXT_INIT("{\"type\": 7}")
#include "base.h"
