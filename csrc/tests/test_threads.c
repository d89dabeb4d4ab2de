/* The pool: every task once, workers apart, nested and contended calls, spare time, fork while busy, flush-to-zero, limits. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/background.h"
#include "base/limits.h"
#include "base/watch.h"
#include "check.h"
#include "kr.h"

enum { TASKS = 1000 };

typedef struct {
  atomic_int done[TASKS];
  atomic_int in_use[KR_MAX_THREADS];
  atomic_int clashes;
  int width;
} job;

static void run_task(void *arg, int64_t task, int worker) {
  job *j = arg;
  if (worker < 0 || worker >= j->width || atomic_fetch_add(&j->in_use[worker], 1) != 0)
    atomic_fetch_add(&j->clashes, 1);
  atomic_fetch_add(&j->done[task], 1);
  atomic_fetch_sub(&j->in_use[worker], 1);
}

/* Returns the number of tasks that did not run exactly once, plus the number of times a worker id was shared. */
static int run_and_count(int width, int64_t tasks) {
  job j = {.width = width < 1 ? 1 : width}; /* not from malloc, whose own locks sanitizers leave as they are at fork */
  kr_parallel(width, tasks, run_task, &j);
  int wrong = atomic_load(&j.clashes);
  for (int64_t t = 0; t < TASKS; ++t) wrong += atomic_load(&j.done[t]) != (t < tasks);
  return wrong;
}

static void check_widths(void) {
  static const int widths[] = {-1, 0, 1, 2, 3, 8, 64, KR_MAX_THREADS, KR_MAX_THREADS + 5};
  static const int64_t tasks[] = {0, 1, 2, 7, 64, TASKS};
  for (size_t w = 0; w < sizeof widths / sizeof *widths; ++w)
    for (size_t t = 0; t < sizeof tasks / sizeof *tasks; ++t)
      CHECK(run_and_count(widths[w], tasks[t]) == 0, "%d threads, %lld tasks", widths[w], (long long)tasks[t]);
  for (int n = 0; n < 3000; ++n) {
    CHECK(run_and_count(1 + n % 5, n % 50) == 0, "job %d", n);
    if (n % 1000 == 0) usleep(2000); /* so that workers fall asleep in between */
  }
}

static void nested_task(void *arg, int64_t task, int worker) {
  (void)task, (void)worker;
  atomic_fetch_add((atomic_int *)arg, run_and_count(4, 20));
}

static void *call_often(void *arg) {
  for (int n = 0; n < 300; ++n) atomic_fetch_add((atomic_int *)arg, run_and_count(3, 40));
  return NULL;
}

static void check_concurrent(void) {
  atomic_int wrong = 0;
  kr_parallel(4, 30, nested_task, &wrong);
  CHECK(wrong == 0, "nested calls: %d wrong", wrong);
  pthread_t threads[12];
  for (int n = 0; n < 12; ++n) pthread_create(&threads[n], NULL, call_often, &wrong);
  for (int n = 0; n < 12; ++n) pthread_join(threads[n], NULL);
  CHECK(wrong == 0, "twelve callers at once: %d wrong", wrong);
}

/* Offers tasks, runs jobs meanwhile, and counts tasks that did not run exactly once. */
static int offer_and_count(int rouse) {
  job spare = {.width = KR_MAX_THREADS};
  int wrong = 0, offered = kr_background_start(3, 200, run_task, &spare, rouse);
  for (int n = 0; n < 5; ++n) wrong += run_and_count(3, 40);
  if (offered) kr_background_finish();
  for (int64_t t = 0; t < TASKS; ++t) wrong += atomic_load(&spare.done[t]) != (offered && t < 200);
  return wrong + atomic_load(&spare.clashes);
}

static void *offer_often(void *arg) {
  for (int n = 0; n < 200; ++n) atomic_fetch_add((atomic_int *)arg, offer_and_count(n % 2));
  return NULL;
}

static void check_background(void) {
  job unused = {.width = 1};
  CHECK(!kr_background_start(1, 10, run_task, &unused, 1), "one thread has no spare time");
  CHECK(!kr_background_start(3, 0, run_task, &unused, 1), "no tasks");
  CHECK(kr_background_start(3, 10, run_task, &unused, 0), "offered");
  CHECK(!kr_background_start(3, 10, run_task, &unused, 1), "while tasks are offered, nobody else offers any");
  kr_background_finish();
  for (int n = 0; n < 300; ++n) {
    CHECK(offer_and_count(n % 2) == 0, "offer %d", n);
    if (n % 100 == 0) usleep(2000); /* so that workers fall asleep in between */
  }
  atomic_int wrong = 0;
  pthread_t threads[6];
  for (int n = 0; n < 6; ++n) pthread_create(&threads[n], NULL, offer_often, &wrong);
  for (int n = 0; n < 6; ++n) pthread_join(threads[n], NULL);
  CHECK(wrong == 0, "six who offer at once: %d wrong", wrong);
}

static atomic_int stop;

static void *call_until_stopped(void *arg) {
  (void)arg;
  while (!atomic_load(&stop)) {
    run_and_count(4, 200);
    offer_and_count(1);
  }
  return NULL;
}

/* The child has a working pool of its own although another thread was in the middle of a job. */
static void check_fork(void) {
  pthread_t busy[2];
  for (int n = 0; n < 2; ++n) pthread_create(&busy[n], NULL, call_until_stopped, NULL);
  for (int n = 0; n < (check_emulated() ? 0 : 30); ++n) {
    pid_t child = fork();
    if (child == 0) {
      alarm(60);
      int wrong = 0;
      for (int k = 0; k < 20; ++k) wrong += run_and_count(4, 100) + offer_and_count(1);
      _exit(wrong != 0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child %d ended with status %d", n, status);
  }
  atomic_store(&stop, 1);
  for (int n = 0; n < 2; ++n) pthread_join(busy[n], NULL);
}

static volatile float tiny = 1e-30f, factor = 1e-10f;

static void denormal_task(void *arg, int64_t task, int worker) {
  (void)worker;
  ((float *)arg)[task] = tiny * factor;
}

static void check_ftz(void) {
#if defined(__x86_64__) || defined(__aarch64__)
  for (int width = 1; width <= 4; ++width) {
    float products[64];
    memset(products, 1, sizeof products);
    kr_parallel(width, 64, denormal_task, products);
    for (int n = 0; n < 64; ++n)
      CHECK(products[n] == 0 || check_keeps_denormals(), "%d threads: task %d kept a denormal", width, n);
    CHECK(tiny * factor != 0, "%d threads: the caller was left flushing", width);
  }
#endif
}

static void check_counts(void) {
  kr_thread_limits l = kr_get_thread_limits();
  CHECK(l.affinity >= 1 && l.automatic >= 1 && l.automatic <= l.affinity, "affinity %d, automatic %d", l.affinity,
        l.automatic);
  CHECK(kr_num_threads() == l.automatic, "the default is %d", kr_num_threads());
  CHECK(kr_set_num_threads(5) == 5 && kr_num_threads() == 5, "5 gave %d", kr_num_threads());
  CHECK(kr_set_num_threads(1 << 20) == KR_MAX_THREADS, "more than the maximum gave %d", kr_num_threads());
  CHECK(kr_set_num_threads(0) == l.automatic, "0 gave %d", kr_num_threads());
}

/* ---- cgroup files in a folder of our own ------------------------------------------------------------------------ */

static char root[] = "/tmp/kr_test_XXXXXX";

static void put(const char *path, const char *text) {
  char full[512];
  snprintf(full, sizeof full, "%s%s", root, path);
  for (char *p = full + strlen(root) + 1; *p; ++p)
    if (*p == '/') {
      *p = 0;
      mkdir(full, 0700);
      *p = '/';
    }
  FILE *f = fopen(full, "w");
  CHECK(f != NULL, "cannot write %s", full);
  if (!f) return;
  fputs(text, f);
  fclose(f);
}

static void check_cgroups(void) {
  CHECK(mkdtemp(root) != NULL, "mkdtemp");
  CHECK(kr_limit_cgroup_cpus(root) == 0, "no files: a quota of %g", kr_limit_cgroup_cpus(root));
  int64_t physical = kr_limit_memory(root);
  CHECK(physical > 0, "physical memory %lld", (long long)physical);

  put("/proc/self/cgroup", "0::/a/b\n");
  put("/sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
  CHECK(kr_limit_cgroup_cpus(root) == 0, "v2 max: a quota of %g", kr_limit_cgroup_cpus(root));
  put("/sys/fs/cgroup/a/b/cpu.max", "350000 100000\n");
  CHECK(kr_limit_cgroup_cpus(root) == 3.5, "v2: a quota of %g", kr_limit_cgroup_cpus(root));
  put("/sys/fs/cgroup/a/cpu.max", "150000 100000\n");
  CHECK(kr_limit_cgroup_cpus(root) == 1.5, "v2 parent: a quota of %g", kr_limit_cgroup_cpus(root));
  put("/sys/fs/cgroup/a/b/memory.max", "max\n");
  CHECK(kr_limit_memory(root) == physical, "v2 max: %lld bytes", (long long)kr_limit_memory(root));
  put("/sys/fs/cgroup/memory.max", "1048576\n");
  CHECK(kr_limit_memory(root) == 1048576, "v2 mount: %lld bytes", (long long)kr_limit_memory(root));

  put("/proc/self/cgroup", "3:cpuset:/\n2:cpu,cpuacct:/x/y\n1:memory:/not/here\n0::/none\n");
  put("/sys/fs/cgroup/memory.max", "max\n");
  put("/sys/fs/cgroup/cpu,cpuacct/x/y/cpu.cfs_quota_us", "-1\n");
  put("/sys/fs/cgroup/cpu,cpuacct/x/y/cpu.cfs_period_us", "100000\n");
  CHECK(kr_limit_cgroup_cpus(root) == 0, "v1 without: a quota of %g", kr_limit_cgroup_cpus(root));
  put("/sys/fs/cgroup/cpu,cpuacct/x/y/cpu.cfs_quota_us", "50000\n");
  CHECK(kr_limit_cgroup_cpus(root) == 0.5, "v1: a quota of %g", kr_limit_cgroup_cpus(root));
  put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  CHECK(kr_limit_memory(root) == physical, "v1 without: %lld bytes", (long long)kr_limit_memory(root));
  put("/sys/fs/cgroup/memory/memory.limit_in_bytes", "2097152\n");
  CHECK(kr_limit_memory(root) == 2097152, "v1: %lld bytes", (long long)kr_limit_memory(root));

  char command[64];
  snprintf(command, sizeof command, "rm -r %s", root);
  CHECK(system(command) == 0, "%s", command);
}

/* Jobs that are watched run in order on one thread, and leave how many tasks they have and how long each takes. */
static void check_watch(void) {
  int64_t record[64];
  kr_task_times times = {.record = record, .capacity = 64};
  CHECK(run_and_count(4, 3) == 0, "before");
  kr_watch_tasks(&times);
  CHECK(run_and_count(4, 7) == 0, "every task runs once");
  CHECK(run_and_count(1, 5) == 0 && times.used == 9, "a job of one thread is not noted");
  atomic_int wrong = 0;
  kr_parallel(2, 2, nested_task, &wrong);
  CHECK(wrong == 0 && times.used == 13, "what tasks call belongs to them");
  CHECK(record[0] == 7 && record[9] == 2 && record[1] > 0 && record[10] >= record[1], "tasks, and when it began");
  for (int k = 0; k < 7; ++k) CHECK(record[2 + k] >= 0, "task %d", k);
  CHECK(run_and_count(4, 100) == 0 && times.used == 115, "it counts on beyond the capacity");
  kr_watch_tasks(NULL);
  CHECK(run_and_count(4, 7) == 0 && times.used == 115, "after");
}

int main(void) {
  check_counts();
  check_widths();
  check_concurrent();
  check_background();
  check_watch();
  check_ftz();
  check_fork();
  check_cgroups();
  return report();
}
