/* The header starts with another word. */
#define MAGIC "NOTFLOW"
#include "base.h"
