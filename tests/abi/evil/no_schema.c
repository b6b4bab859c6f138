/* There is neither a schema nor a function for it. */
#define SCHEMA {0, 0}
#include "base.h"
