/* There is no table. */
#define TABLE 0
#include "base.h"
