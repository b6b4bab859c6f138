/* Built for another major version. */
#define MAJOR 99
#include "base.h"
