/* A model that gives no output. */
#define ROLE PDDFLOW_ROLE_MODEL
#define TABLE &model_table
#include "base.h"
