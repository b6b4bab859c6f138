/* The header has another name, which only mentions pddflow_plugin. */
#define ENTRY not_pddflow_plugin
#include "base.h"
