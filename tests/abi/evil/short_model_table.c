/* The model's table claims to be shorter than its mandatory part. */
#define ROLE PDDFLOW_ROLE_MODEL
#define TABLE &model_table
#define MODEL_TABLE_SIZE 32
#include "base.h"
