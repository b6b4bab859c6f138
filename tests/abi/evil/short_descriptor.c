/* The descriptor claims to be shorter than it must be. */
#define DESCRIPTOR_SIZE 24
#include "base.h"
