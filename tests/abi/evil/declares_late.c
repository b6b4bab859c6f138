/* Declares a learnable during an iteration. */
#define ITERATE_BODY \
    return declare_images(call, arguments->problem);
#include "base.h"
