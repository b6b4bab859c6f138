/* Needs a newer host. */
#define HOST_MINOR 999
#include "base.h"
