/* The allocator: alignment, contents left alone, reuse, the bound on the cache, trim, threads, fork, impossible sizes.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/limits.h"
#include "check.h"
#include "kr.h"

static void check_sizes(void) {
  for (size_t bytes = 0; bytes < (size_t)40 << 20; bytes = bytes < 1100 ? bytes + 1 : bytes * 11 / 10 + 3) {
    int64_t before = kr_memory_stats().live_bytes;
    char *p = kr_alloc(bytes);
    CHECK(p && (uintptr_t)p % 64 == 0, "%zu bytes at %p", bytes, (void *)p);
    int64_t used = kr_memory_stats().live_bytes - before;
    CHECK(used >= (int64_t)bytes, "%zu bytes counted as %lld", bytes, (long long)used);
    CHECK(used <= (int64_t)(bytes < 256 ? bytes + 64 : bytes + bytes / 4 + 1), "%zu bytes take %lld", bytes,
          (long long)used);
    if (bytes) p[0] = p[bytes - 1] = 1;
    kr_free(p);
    CHECK(kr_memory_stats().live_bytes == before, "%zu bytes freed, %lld still live", bytes,
          (long long)(kr_memory_stats().live_bytes - before));
  }
  kr_free(NULL);
}

static void check_reuse(void) {
  kr_trim();
  CHECK(kr_memory_stats().cached_bytes == 0, "%lld bytes cached after trim", (long long)kr_memory_stats().cached_bytes);
  static const size_t sizes[] = {1, 100, 4000, 200000, 3000000, 20000000};
  int64_t calls = 0;
  for (int round = 0; round < 5; ++round) {
    void *p[6];
    for (int k = 0; k < 6; ++k) memset(p[k] = kr_alloc(sizes[k]), k, sizes[k]);
    for (int k = 0; k < 6; ++k) kr_free(p[k]);
    if (round == 0) calls = kr_memory_stats().system_calls;
  }
  CHECK(kr_memory_stats().system_calls == calls, "a steady loop asked the system %lld times",
        (long long)(kr_memory_stats().system_calls - calls));
  char *a = kr_alloc(100000), *b = kr_alloc(100000);
  CHECK(a != b && (a + 100000 <= b || b + 100000 <= a), "two live blocks overlap");
  kr_free(a);
  kr_free(b);
  CHECK(kr_memory_stats().peak_bytes >= 23204101, "peak %lld", (long long)kr_memory_stats().peak_bytes);
  kr_trim();
  CHECK(kr_memory_stats().cached_bytes == 0, "%lld bytes cached after trim", (long long)kr_memory_stats().cached_bytes);
}

/* Blocks that are never touched cost no memory, so that the bound can be reached on any machine. */
static void check_bound(void) {
  int64_t bound = kr_limit_memory("") / 4;
  enum { BLOCKS = 40 };
  void *p[BLOCKS];
  size_t each = (size_t)(bound / 20);
  for (int k = 0; k < BLOCKS; ++k) p[k] = kr_alloc(each);
  for (int k = 0; k < BLOCKS; ++k) {
    kr_free(p[k]);
    CHECK(kr_memory_stats().cached_bytes <= bound, "%lld bytes cached, the bound is %lld",
          (long long)kr_memory_stats().cached_bytes, (long long)bound);
  }
  CHECK(kr_memory_stats().cached_bytes > bound / 2, "only %lld bytes cached",
        (long long)kr_memory_stats().cached_bytes);
  kr_trim();
}

static void check_impossible(void) {
  int64_t live = kr_memory_stats().live_bytes;
  CHECK(kr_alloc(SIZE_MAX) == NULL, "SIZE_MAX bytes were found");
  CHECK(kr_alloc(SIZE_MAX / 2) == NULL, "SIZE_MAX / 2 bytes were found");
  CHECK(kr_alloc((size_t)1 << 46) == NULL || sizeof(void *) > 8, "2^46 bytes were found");
  CHECK(kr_memory_stats().live_bytes == live, "a failure is counted as live");
}

/* Fills each block with its own byte and looks whether anybody else wrote there. */
static void *stress(void *arg) {
  uint64_t state = (uint64_t)(uintptr_t)arg;
  enum { SLOTS = 40 };
  struct {
    unsigned char *p, mark;
    size_t bytes;
  } slot[SLOTS] = {{0}};
  intptr_t wrong = 0;
  for (int n = 0; n < 6000; ++n) {
    int k = (int)(check_random(&state) % SLOTS);
    if (slot[k].p) {
      for (size_t i = 0; i < slot[k].bytes; i += 97) wrong += slot[k].p[i] != slot[k].mark;
      kr_free(slot[k].p);
      slot[k].p = NULL;
    } else {
      uint64_t r = check_random(&state);
      slot[k].bytes = (size_t)1 + r % ((size_t)1 << (4 + (r >> 32) % 15));
      slot[k].mark = (unsigned char)(r >> 56);
      slot[k].p = kr_alloc(slot[k].bytes);
      memset(slot[k].p, slot[k].mark, slot[k].bytes);
    }
    if (n % 1500 == 0) kr_trim();
  }
  for (int k = 0; k < SLOTS; ++k) kr_free(slot[k].p);
  return (void *)wrong;
}

/* Whether a child can allocate that was forked while other threads did.  glibc's allocator, from which small blocks come, is
 * whole in such a child; AddressSanitizer's may be copied with its locks held, so there the child keeps away from it. */
static int works_in_child(void) {
#if defined(__SANITIZE_ADDRESS__)
  const int mapped = 1;
#else
  const int mapped = 0;
#endif
  const size_t bytes = mapped ? 1 << 20 : 5000;
  alarm(60);
  void *p = kr_alloc(bytes);
  if (!p) return 0;
  memset(p, 1, bytes);
  kr_free(p);
  if (!mapped) kr_trim();
  const int64_t cached = kr_memory_stats().cached_bytes;
  return mapped ? cached >= (int64_t)bytes : cached == 0;
}

static void check_threads(void) {
  pthread_t threads[8];
  for (intptr_t n = 0; n < 8; ++n) pthread_create(&threads[n], NULL, stress, (void *)(n + 1));
  for (int n = 0; n < (check_emulated() ? 0 : 20); ++n) {
    pid_t child = fork();
    if (child == 0) _exit(!works_in_child());
    int status = -1;
    waitpid(child, &status, 0);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "child %d ended with status %d", n, status);
  }
  for (int n = 0; n < 8; ++n) {
    void *wrong;
    pthread_join(threads[n], &wrong);
    CHECK(wrong == NULL, "thread %d found %ld foreign bytes", n, (long)(intptr_t)wrong);
  }
  CHECK(kr_memory_stats().live_bytes == 0, "%lld bytes are still live", (long long)kr_memory_stats().live_bytes);
}

int main(void) {
  check_sizes();
  check_reuse();
  check_bound();
  check_impossible();
  check_threads();
  return report();
}
