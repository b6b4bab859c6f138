/* There are said to be a million descriptors. */
#define DESCRIPTORS {&descriptor}
#define DESCRIPTOR_COUNT 1000000
#include "base.h"
