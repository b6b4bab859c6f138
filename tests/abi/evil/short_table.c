/* The table claims to be shorter than its mandatory part. */
#define TABLE_SIZE 16
#include "base.h"
