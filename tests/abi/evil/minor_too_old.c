/* Built before the lowest accepted minor version. */
#define MINOR 0
#include "base.h"
