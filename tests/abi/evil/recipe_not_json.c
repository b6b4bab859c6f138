/* The recipe is not JSON. */
#define DESCRIBE_BODY return call->host->declare->recipe(call, PDDFLOW_TEXT("lr = 0.01"));
#include "base.h"
