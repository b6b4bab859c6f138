/* A mandatory function is an address in data. */
#include "pddflow.h"
static const char text[] = "not code";
#define ITERATE ((int32_t (*)(PddflowCall *, const void *, const PddflowIterateArguments *))(void *)text)
#include "base.h"
