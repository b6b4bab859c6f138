/* Neither matcher nor model. */
#define ROLE 77
#include "base.h"
