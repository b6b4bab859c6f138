/* Chooses a model that the node does not have. */
#define ITERATE_BODY return call->host->model->choose(call, 1);
#include "base.h"
