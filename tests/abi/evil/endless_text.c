/* The summary claims to be four gigabytes long. */
#define SUMMARY {"short", 4294967296u}
#include "base.h"
