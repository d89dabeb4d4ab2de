/* Work beside the jobs of the pool: tasks that workers take while they have nothing else to do. */
#ifndef KR_BACKGROUND_H
#define KR_BACKGROUND_H
#include "kr.h"

/* Offers fn(arg, task, worker) for every task in [0, tasks) to workers that wait for a job, and wakes one that sleeps if
 * `rouse`.  A task should take a few microseconds, in which its worker is missing from the jobs.  Returns 0 where there
 * are no workers, or where somebody else has offered tasks; else kr_background_finish must follow in the same thread. */
int kr_background_start(int threads, int64_t tasks, kr_task_fn fn, void *arg, int rouse);
/* Runs what nobody has taken, and waits for the rest. */
void kr_background_finish(void);

#endif
