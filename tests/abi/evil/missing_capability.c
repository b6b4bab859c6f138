/* Requires what no host has. */
#include "pddflow.h"
static const PddflowText wanted[] = {PDDFLOW_TEXT_INIT("teleport/1")};
#define REQUIRED {wanted, 1}
#include "base.h"
