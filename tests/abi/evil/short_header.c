/* The header claims to be shorter than the frozen part. */
#define HEADER_SIZE 40
#include "base.h"
