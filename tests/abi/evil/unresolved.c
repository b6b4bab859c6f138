/* Calls a function that nobody defines. */
extern int nobody_defines_this(void);
#define OPEN_BODY return nobody_defines_this();
#include "base.h"
