/* The summary points into nowhere. */
#define SUMMARY {(const char *)64, 10}
#include "base.h"
