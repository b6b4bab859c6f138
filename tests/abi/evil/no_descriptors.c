/* There is nothing in the plugin. */
#define DESCRIPTORS {0}
#define DESCRIPTOR_COUNT 0
#include "base.h"
