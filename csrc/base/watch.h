/* How long things take: the clock of a program's steps, and the tasks that work is divided into. */
#ifndef KR_WATCH_H
#define KR_WATCH_H
#include "kr.h"

int64_t kr_nanoseconds(void); /* of a clock that only goes forward */

typedef struct {
  int64_t *record; /* for each job: the number of tasks, the time when it began, the time that each task took; in ns */
  int64_t capacity, used; /* elements; `used` counts on beyond the capacity */
} kr_task_times;

/* From now on jobs of the calling thread that could use several threads run on it alone, task after task, and are
 * recorded; until NULL ends it. */
void kr_watch_tasks(kr_task_times *times);

#endif
