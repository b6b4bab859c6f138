/* Structs of another size than this host's: those of an older and of a newer plugin. `iterate` fails with a text if one is taken
   wrongly. */
#include "pddflow.h"

static int32_t sizes(PddflowCall *call);

#define ITERATE_BODY return sizes(call);
#include "../evil/base.h"

#define CANARY 0xabababababababab

#define CHECK(condition)                                                                             \
    do {                                                                                             \
        if (!(condition)) return call->host->core->fail(call, PDDFLOW_STATUS_INTERNAL, PDDFLOW_TEXT(#condition)); \
    } while (0)

static int32_t arguments_of_another_size(PddflowCall *call)
{
    const PddflowHost *host = call->host;
    struct {
        PddflowConvArguments known;
        uint64_t unknown[2];
    } arguments;
    uint64_t shape[4], found[4];
    PddflowTensor y;
    memset(&arguments, 0xff, sizeof arguments);
    arguments.known = (PddflowConvArguments){.size = sizeof arguments, .stride = {1, 1}, .padding = {1, 1}};
    TRY(learnable(call, &arguments.known.x));
    TRY(host->info->shape(call, arguments.known.x, shape, 4));
    uint64_t weight[4] = {2, shape[1], 3, 3};
    TRY(host->make->full(call, PDDFLOW_DTYPE_REAL, weight, 4, 0.5, &arguments.known.weight));
    /* What a newer plugin appended is ignored. */
    TRY(host->linear->conv2d(call, &arguments.known, &y));
    TRY(host->info->shape(call, y, found, 4));
    CHECK(found[2] == shape[2] && found[3] == shape[3]);
    /* What an older plugin does not know reads as zero, whatever lies there: no padding. */
    arguments.known.size = offsetof(PddflowConvArguments, padding);
    TRY(host->linear->conv2d(call, &arguments.known, &y));
    TRY(host->info->shape(call, y, found, 4));
    CHECK(found[2] == shape[2] - 2 && found[3] == shape[3] - 2);
    return PDDFLOW_STATUS_OK;
}

static int32_t results_of_another_size(PddflowCall *call)
{
    const PddflowHost *host = call->host;
    struct {
        PddflowProblem known;
        uint64_t unknown;
    } problem;
    PddflowWeightInfo weight;
    PddflowForwardResult forward;
    PddflowTensor images, net[64];
    PddflowRandomKey key = {{1, 2, 3, 4}};
    uint64_t count;
    memset(&problem, 0xab, sizeof problem);
    problem.known.size = offsetof(PddflowProblem, mean);
    TRY(host->distill->problem(call, &problem.known));
    CHECK(problem.known.size == offsetof(PddflowProblem, mean) && problem.known.classes == 3);
    CHECK((uint64_t)problem.known.mean == CANARY && problem.known.seed_key.words[3] == CANARY);
    problem.known.size = sizeof problem;
    TRY(host->distill->problem(call, &problem.known));
    CHECK(problem.known.size == sizeof problem.known && problem.unknown == CANARY && problem.known.mean[0] == 0.5);

    memset(&weight, 0xab, sizeof weight);
    weight.size = offsetof(PddflowWeightInfo, shape);
    TRY(host->model->weight(call, 0, &weight));
    CHECK(weight.size == offsetof(PddflowWeightInfo, shape) && weight.name.length > 0 && weight.rank == CANARY);

    memset(&forward, 0xab, sizeof forward);
    forward.size = offsetof(PddflowForwardResult, statistics);
    forward.map_capacity = 0;
    TRY(host->model->count(call, &count));
    CHECK(count <= 64);
    TRY(host->model->fresh(call, &key, net, count));
    TRY(learnable(call, &images));
    TRY(host->model->forward(call, net, count, images, PDDFLOW_MODE_TRAIN, &key, &forward));
    CHECK(forward.logits != CANARY && forward.features != CANARY && forward.statistic_count == CANARY);
    return PDDFLOW_STATUS_OK;
}

static int32_t problem_twice(PddflowCall *call)
{
    PddflowProblem first = {.size = sizeof first}, second = {.size = sizeof second};
    TRY(call->host->distill->problem(call, &first));
    TRY(call->host->distill->problem(call, &second));
    CHECK(first.mean == second.mean && first.std == second.std && first.mean[0] == 0.5);
    return PDDFLOW_STATUS_OK;
}

static int32_t sizes(PddflowCall *call)
{
    TRY(arguments_of_another_size(call));
    TRY(results_of_another_size(call));
    return problem_twice(call);
}
