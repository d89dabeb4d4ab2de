/* The thread pool: started on first use, spinning briefly and then sleeping, safe under fork, one job at a time.
 *
 * One thread at a time owns the pool (`busy`); everybody else, a nested call included, runs its tasks inline.  The
 * owner writes the job, opens the gate and rings the bell.  A worker that hears the bell enters through the gate (it is
 * counted there), takes tasks until none are left and leaves.  The owner works too, then closes the gate and waits for
 * those inside; a worker that was still asleep finds the gate closed and nobody waits for it, so that a short job on a
 * loaded machine costs no more than running it inline.
 *
 * Each thread begins with its own share of the tasks, in order, and then helps others with theirs: what one job has left
 * in a core's cache, the next one, divided alike, finds there.
 *
 * Workers that wait for the bell take tasks from the background, if somebody has offered any: another gate of the same
 * kind, at which nobody rings.
 */
#define _GNU_SOURCE
#include <limits.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#endif

#include "../kr.h"
#include "background.h"
#include "limits.h"
#include "watch.h"

/* How long who waits looks on before it sleeps: longer than what a training step does alone, and what Python does from one
 * step to the next, since to fall asleep and be woken costs 20 to 50 microseconds.  A worker on a CPU that somebody else
 * wants must not spin at all. */
enum {
  SPIN_TIME = 250000, /* nanoseconds */
  LOOKS = 32,         /* from one at the clock to the next, about a microsecond */
  YIELD_AFTER = 1000  /* looks at who has one short task left */
};

#define OPEN (1u << 31)
#define OWNER_SLEEPS (1u << 30)
#define WIDTH_SHIFT 16
#define WIDTH(gate) (((gate) >> WIDTH_SHIFT) & 0x3fffu)
#define INSIDE(gate) ((gate) & 0xffffu)

static struct {
  kr_task_fn fn;
  void *arg;
  int width;
  _Alignas(64) atomic_uint gate;    /* OPEN, OWNER_SLEEPS, width of the job, number of workers inside */
  _Alignas(64) atomic_uint bell;    /* number of jobs so far: what idle workers watch */
  _Alignas(64) atomic_int sleepers; /* workers that are asleep, or about to be */
  atomic_int busy;                  /* somebody owns the pool */
  atomic_int stopping;
  int workers;   /* threads started; guarded by `busy` */
  int spin_time; /* guarded by `busy`, read by workers while inside */
  pthread_t thread[KR_MAX_THREADS];
} pool;

static struct {
  _Alignas(64) atomic_int_fast64_t next; /* first task of a worker's share that nobody took */
  int64_t end;
} shares[KR_MAX_THREADS];

static struct {
  kr_task_fn fn;
  void *arg;
  int64_t tasks;
  _Alignas(64) atomic_int_fast64_t next;
  _Alignas(64) atomic_uint gate; /* OPEN while there are tasks that nobody has taken; number of workers inside */
  _Alignas(64) atomic_int busy;
} background;

static kr_thread_limits limits;
static pthread_once_t limits_once = PTHREAD_ONCE_INIT;
static pthread_once_t fork_once = PTHREAD_ONCE_INIT;
static atomic_int in_force; /* 0: the default */

/* ---- waiting --------------------------------------------------------------------------------------------------- */

static void relax(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb");
#endif
}

/* Whether to look for the i-th time within so many nanoseconds of the first; *until is its own. */
static int keeps_looking(int64_t i, int spin_time, int64_t *until) {
  if (i % LOOKS) return 1;
  const int64_t now = kr_nanoseconds();
  if (i == 0) *until = now + spin_time;
  return now < *until;
}

/* Sleeps while *word == value, or returns early.  A futex keeps no state in the process, so that there is nothing to
 * repair after fork.  `who` is a set of sleepers: those whose set meets the waker's are woken. */
static void sleep_while(atomic_uint *word, unsigned value, unsigned who) {
#if defined(__linux__)
  syscall(SYS_futex, word, FUTEX_WAIT_BITSET_PRIVATE, value, NULL, NULL, who);
#else
  if (atomic_load(word) == value) usleep(50);
#endif
}

static void wake(atomic_uint *word, unsigned who) {
#if defined(__linux__)
  syscall(SYS_futex, word, FUTEX_WAKE_BITSET_PRIVATE, INT_MAX, NULL, NULL, who);
#else
  (void)word;
#endif
}

/* Worker n sleeps as bit n, so that a narrow job does not wake a wide pool. */
static unsigned worker_bit(int worker) { return 1u << (worker < 31 ? worker : 31); }
static unsigned narrower(int width) { return width < 32 ? (1u << width) - 1 : ~0u; }
enum { EVERYBODY = ~0 };

/* ---- workers --------------------------------------------------------------------------------------------------- */

static void take_tasks(int worker) {
  for (int k = 0, share = worker; k < pool.width; ++k, share = share + 1 < pool.width ? share + 1 : 0) {
    const int64_t end = shares[share].end;
    while (atomic_load_explicit(&shares[share].next, memory_order_relaxed) < end) {
      int64_t task = atomic_fetch_add_explicit(&shares[share].next, 1, memory_order_relaxed);
      if (task < end) pool.fn(pool.arg, task, worker);
    }
  }
}

/* Counts the worker in, if the job is open and wide enough for it. */
static int enter(int worker) {
  unsigned gate = atomic_load(&pool.gate);
  while ((gate & OPEN) && (unsigned)worker < WIDTH(gate))
    if (atomic_compare_exchange_weak(&pool.gate, &gate, gate + 1)) return 1;
  return 0;
}

static void leave(void) {
  unsigned before = atomic_fetch_sub(&pool.gate, 1);
  if (INSIDE(before) == 1 && (before & OWNER_SLEEPS)) wake(&pool.gate, EVERYBODY);
}

static int is_offered(void) { return (atomic_load_explicit(&background.gate, memory_order_relaxed) & OPEN) != 0; }

/* Takes tasks from the background until none are left, or until the bell rings. */
static void take_offered(int worker, unsigned heard) {
  unsigned gate = atomic_load(&background.gate);
  do {
    if (!(gate & OPEN)) return;
  } while (!atomic_compare_exchange_weak(&background.gate, &gate, gate + 1));
  while (atomic_load(&pool.bell) == heard) {
    int64_t task = atomic_fetch_add_explicit(&background.next, 1, memory_order_relaxed);
    if (task >= background.tasks) {
      atomic_fetch_and(&background.gate, ~OPEN);
      break;
    }
    background.fn(background.arg, task, worker);
  }
  atomic_fetch_sub(&background.gate, 1);
}

static void *work(void *id) {
  int worker = (int)(intptr_t)id, spin_time = SPIN_TIME;
  unsigned heard = 0;
  kr_ftz_enable();
  while (!atomic_load(&pool.stopping)) {
    unsigned bell = atomic_load(&pool.bell);
    int64_t until = 0;
    for (int64_t i = 0; bell == heard && !is_offered() && keeps_looking(i, spin_time, &until); ++i) {
      relax();
      bell = atomic_load(&pool.bell);
    }
    if (bell == heard && is_offered()) {
      take_offered(worker, heard);
      continue;
    }
    if (bell == heard) {
      atomic_fetch_add(&pool.sleepers, 1);
      sleep_while(&pool.bell, heard, worker_bit(worker));
      atomic_fetch_sub(&pool.sleepers, 1);
      continue;
    }
    heard = bell;
    if (enter(worker)) {
      spin_time = pool.spin_time;
      take_tasks(worker);
      leave();
    } else if ((unsigned)worker >= WIDTH(atomic_load(&pool.gate))) {
      spin_time = 0; /* the jobs of now are narrower than those this worker was started for */
    }
  }
  return NULL;
}

/* Workers take no signals: Python handles them on its own threads. */
static void start_workers(int wanted) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  while (pool.workers < wanted) {
    int id = pool.workers + 1;
    if (pthread_create(&pool.thread[pool.workers], NULL, work, (void *)(intptr_t)id) != 0) break;
#if defined(__linux__)
    pthread_setname_np(pool.thread[pool.workers], "kerasish");
#endif
    ++pool.workers;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* ---- fork and exit --------------------------------------------------------------------------------------------- */

/* The child has only the thread that forked: no workers, and nobody who owns the pool. */
static void forget_workers(void) {
  pool.workers = 0;
  atomic_store(&pool.gate, 0);
  atomic_store(&pool.bell, 0);
  atomic_store(&pool.sleepers, 0);
  atomic_store(&pool.busy, 0);
  atomic_store(&background.gate, 0);
  atomic_store(&background.busy, 0);
}

static void watch_fork(void) { pthread_atfork(NULL, NULL, forget_workers); }

/* At exit, and before the library is unmapped.  The pool stays busy: a later call runs inline. */
__attribute__((destructor)) static void stop_workers(void) {
  if (atomic_exchange(&pool.busy, 1)) return;
  atomic_store(&pool.stopping, 1);
  atomic_fetch_add(&pool.bell, 1);
  wake(&pool.bell, EVERYBODY);
  while (pool.workers > 0) pthread_join(pool.thread[--pool.workers], NULL);
}

/* ---- jobs ------------------------------------------------------------------------------------------------------ */

static void wait_for_workers(void) {
  unsigned gate = atomic_fetch_and(&pool.gate, ~OPEN) & ~OPEN;
  int64_t until = 0;
  for (int64_t i = 0; INSIDE(gate) && keeps_looking(i, pool.spin_time, &until); ++i) {
    relax();
    gate = atomic_load(&pool.gate);
  }
  if (!INSIDE(gate)) return;
  gate = atomic_fetch_or(&pool.gate, OWNER_SLEEPS) | OWNER_SLEEPS;
  while (INSIDE(gate)) {
    sleep_while(&pool.gate, gate, EVERYBODY);
    gate = atomic_load(&pool.gate);
  }
}

static void run_job(int width, int64_t tasks, kr_task_fn fn, void *arg) {
  if (pool.workers < width - 1) start_workers(width - 1);
  pool.fn = fn;
  pool.arg = arg;
  pool.width = width;
  for (int k = 0; k < width; ++k) {
    atomic_store_explicit(&shares[k].next, tasks * k / width, memory_order_relaxed);
    shares[k].end = tasks * (k + 1) / width;
  }
  pool.spin_time = width <= kr_get_thread_limits().automatic ? SPIN_TIME : 0;
  atomic_store(&pool.gate, OPEN | (unsigned)width << WIDTH_SHIFT);
  atomic_fetch_add(&pool.bell, 1);
  if (atomic_load(&pool.sleepers) > 0) wake(&pool.bell, narrower(width));
  take_tasks(0);
  wait_for_workers();
}

/* ---- watching -------------------------------------------------------------------------------------------------- */

static _Thread_local kr_task_times *watched;

void kr_watch_tasks(kr_task_times *times) { watched = times; }

int64_t kr_nanoseconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

static void note(kr_task_times *to, int64_t value) {
  if (to->used < to->capacity) to->record[to->used] = value;
  ++to->used;
}

static void run_watched(int64_t tasks, kr_task_fn fn, void *arg) {
  kr_task_times *to = watched;
  watched = NULL; /* calls within tasks belong to them */
  int64_t now = kr_nanoseconds();
  note(to, tasks);
  note(to, now);
  for (int64_t task = 0; task < tasks; ++task) {
    const int64_t began = now;
    fn(arg, task, 0);
    now = kr_nanoseconds();
    note(to, now - began);
  }
  watched = to;
}

void kr_parallel(int threads, int64_t tasks, kr_task_fn fn, void *arg) {
  if (tasks <= 0) return;
  int width = threads < KR_MAX_THREADS ? threads : KR_MAX_THREADS;
  if (width > tasks) width = (int)tasks;
  uint64_t ftz = kr_ftz_enable();
  if (width > 1) pthread_once(&fork_once, watch_fork);
  if (width > 1 && watched) {
    run_watched(tasks, fn, arg);
  } else if (width > 1 && !atomic_exchange(&pool.busy, 1)) {
    run_job(width, tasks, fn, arg);
    atomic_store(&pool.busy, 0);
  } else {
    for (int64_t task = 0; task < tasks; ++task) fn(arg, task, 0);
  }
  kr_ftz_restore(ftz);
}

int kr_background_start(int threads, int64_t tasks, kr_task_fn fn, void *arg, int rouse) {
  if (threads < 2 || tasks < 1 || atomic_exchange(&background.busy, 1)) return 0;
  pthread_once(&fork_once, watch_fork);
  if (!atomic_exchange(&pool.busy, 1)) { /* else they are there */
    if (pool.workers < 1) start_workers(1);
    int none = pool.workers < 1;
    atomic_store(&pool.busy, 0);
    if (none) {
      atomic_store(&background.busy, 0);
      return 0;
    }
  }
  background.fn = fn;
  background.arg = arg;
  background.tasks = tasks;
  atomic_store(&background.next, 0);
  atomic_store(&background.gate, OPEN);
  if (rouse && atomic_load(&pool.sleepers) > 0) wake(&pool.bell, worker_bit(1));
  return 1;
}

void kr_background_finish(void) {
  for (;;) {
    int64_t task = atomic_fetch_add_explicit(&background.next, 1, memory_order_relaxed);
    if (task >= background.tasks) break;
    background.fn(background.arg, task, 0);
  }
  unsigned gate = atomic_fetch_and(&background.gate, ~OPEN);
  for (int i = 0; INSIDE(gate); ++i) { /* no longer than a task, unless the worker's CPU is somebody else's */
    if (i < YIELD_AFTER) relax();
    else sched_yield();
    gate = atomic_load(&background.gate);
  }
  atomic_store(&background.busy, 0);
}

/* ---- how many -------------------------------------------------------------------------------------------------- */

static int smaller(int a, int b) { return b > 0 && b < a ? b : a; }

static void find_limits(void) {
  const char *text = getenv("KERASISH_NUM_THREADS");
  char *end = NULL;
  long wanted = text ? strtol(text, &end, 10) : 0;
  limits.environment =
      text && *text && !*end && wanted > 0 ? (wanted < KR_MAX_THREADS ? (int)wanted : KR_MAX_THREADS) : 0;
  limits.affinity = kr_limit_affinity();
  limits.cgroup = (int)ceil(kr_limit_cgroup_cpus("")); /* half a CPU more is better used than not */
  limits.automatic = smaller(smaller(smaller(KR_MAX_THREADS, limits.affinity), limits.cgroup), limits.environment);
}

kr_thread_limits kr_get_thread_limits(void) {
  pthread_once(&limits_once, find_limits);
  return limits;
}

int kr_num_threads(void) {
  int n = atomic_load_explicit(&in_force, memory_order_relaxed);
  return n > 0 ? n : kr_get_thread_limits().automatic;
}

int kr_set_num_threads(int n) {
  atomic_store(&in_force, n < 1 ? 0 : n < KR_MAX_THREADS ? n : KR_MAX_THREADS);
  return kr_num_threads();
}
