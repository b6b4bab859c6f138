/* A mandatory function is code of another library. */
#define ITERATE ((int32_t (*)(PddflowCall *, const void *, const PddflowIterateArguments *))(void *)strlen)
#include "base.h"
