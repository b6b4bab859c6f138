/* Goes through the two models of its node, the first with weights of rank 4, the second with rank 2. `iterate` fails with a text where
   something is not as it should be. */
#include "pddflow.h"

static int32_t models(PddflowCall *call);

#define DESCRIBE_BODY \
    TRY(call->host->declare->need(call, PDDFLOW_NEED_MODELS)); \
    return declare_images(call, problem);
#define ITERATE_BODY return models(call);
#include "../evil/base.h"

#define CHECK(condition)                                                                             \
    do {                                                                                             \
        if (!(condition)) return call->host->core->fail(call, PDDFLOW_STATUS_INTERNAL, PDDFLOW_TEXT(#condition)); \
    } while (0)

static int32_t first_weight(PddflowCall *call, PddflowWeightInfo *weight)
{
    memset(weight, 0, sizeof *weight);
    weight->size = sizeof *weight;
    return call->host->model->weight(call, 0, weight);
}

static int32_t run_model(PddflowCall *call, uint64_t index, uint64_t *width)
{
    const PddflowHost *host = call->host;
    PddflowRandomKey key = {{1, 2, 3, 4}};
    PddflowTensor images, net[64];
    PddflowForwardResult forward;
    uint64_t count, shape[2];
    TRY(host->model->choose(call, index));
    TRY(host->model->count(call, &count));
    CHECK(count <= 64);
    TRY(host->distill->start_weights(call, &key, net, count));
    TRY(learnable(call, &images));
    memset(&forward, 0, sizeof forward);
    forward.size = sizeof forward;
    TRY(host->model->forward(call, net, count, images, PDDFLOW_MODE_TRAIN, &key, &forward));
    TRY(host->info->shape(call, forward.features, shape, 2));
    *width = shape[1];
    return PDDFLOW_STATUS_OK;
}

static int32_t models(PddflowCall *call)
{
    const PddflowHost *host = call->host;
    PddflowWeightInfo first, second, again;
    uint64_t count, widths[2];
    uint32_t has;
    CHECK(host->abi_minor >= 9 && host->model->size >= sizeof(PddflowModelGroup));
    TRY(host->core->has(call, PDDFLOW_TEXT("models/1"), &has));
    CHECK(has == 1);
    TRY(host->model->models(call, &count));
    CHECK(count == 2);
    TRY(first_weight(call, &first));
    CHECK(first.rank == 4);
    TRY(host->model->choose(call, 1));
    TRY(first_weight(call, &second));
    CHECK(second.rank == 2);
    /* What the first answer points to stays as it is. */
    TRY(host->model->choose(call, 0));
    TRY(first_weight(call, &again));
    CHECK(again.shape == first.shape && first.shape[2] == 3 && second.shape[0] > 0);
    TRY(run_model(call, 0, &widths[0]));
    TRY(run_model(call, 1, &widths[1]));
    CHECK(widths[0] != widths[1] && widths[1] == second.shape[0]);
    /* It ends with the second: the next call must begin with the first all the same. */
    return PDDFLOW_STATUS_OK;
}
