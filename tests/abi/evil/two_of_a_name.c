/* Two plugins of one library have the same id. */
#define DESCRIPTORS {&descriptor, &descriptor}
#define DESCRIPTOR_COUNT 2
#include "base.h"
