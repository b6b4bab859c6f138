/* A mandatory function is NULL. */
#define ITERATE 0
#include "base.h"
