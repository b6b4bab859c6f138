/* Uses the call on another thread. */
#include "pddflow.h"
#include <pthread.h>
static void *other_thread(void *argument)
{
    PddflowCall *call = argument;
    PddflowTensor x;
    return (void *)(intptr_t)call->host->distill->learnable(call, PDDFLOW_TEXT("images"), &x);
}
#define ITERATE_BODY \
    pthread_t thread; \
    void *result = 0; \
    if (pthread_create(&thread, 0, other_thread, call) != 0) return PDDFLOW_STATUS_INTERNAL; \
    pthread_join(thread, &result); \
    return (int32_t)(intptr_t)result;
#include "base.h"
