/* The caching allocator: freed blocks wait in a list of their size class, because touching fresh pages costs more than
 * most kernels do: 0.4 ms a megabyte in pages of 4 KiB, 0.1 ms in huge pages, 0.04 ms when it is already there (Zen 4).
 *
 * Four size classes for each power of two waste at most a quarter.  Every block starts with a header of 64 bytes, so
 * that kr_free needs no search; the data behind it is 64-byte aligned.  What is cached is bounded by a quarter of the
 * memory this process may use; the class that has been idle longest is given back first.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

#include "../kr.h"
#include "limits.h"

enum { ALIGN = 64, NUM_CLASSES = 200 };
#define MMAP_FROM ((size_t)128 << 10) /* below, malloc's own lists serve; as glibc's M_MMAP_THRESHOLD */
#define HUGE_PAGE ((size_t)2 << 20)
#define LIMIT ((size_t)1 << 46)

typedef struct block {
  struct block *next; /* in the list of its class, while it is cached */
  void *map;          /* what munmap gets; NULL for a block from the C library */
  size_t map_bytes;
  size_t bytes; /* of data: the size of the class */
  int size_class;
} block;
_Static_assert(sizeof(block) <= ALIGN, "the header must fit before the data");

static struct {
  pthread_mutex_t lock;
  block *cached[NUM_CLASSES];
  uint64_t last_used[NUM_CLASSES]; /* `clock` of the last call that took from or added to the class */
  uint64_t clock;
  int64_t cache_limit;
  kr_memory stats;
} heap = {.lock = PTHREAD_MUTEX_INITIALIZER};

static pthread_once_t heap_once = PTHREAD_ONCE_INIT;

/* ---- size classes ---------------------------------------------------------------------------------------------- */

/* 64, 128, 192, 256, then 5/4, 6/4, 7/4 and 8/4 of each power of two. */
static int class_of(size_t bytes, size_t *rounded) {
  if (bytes <= 256) {
    int k = bytes ? (int)((bytes - 1) / 64) : 0;
    *rounded = 64 * ((size_t)k + 1);
    return k;
  }
  int e = 63 - __builtin_clzll(bytes - 1);
  size_t step = (size_t)1 << (e - 2);
  size_t k = (bytes - ((size_t)1 << e) + step - 1) / step;
  *rounded = ((size_t)1 << e) + k * step;
  return 3 + (e - 8) * 4 + (int)k;
}

/* ---- sanitizer --------------------------------------------------------------------------------------------------- */

/* Under AddressSanitizer exactly the first `usable` bytes of a block may be touched: what is cached, and what the size
 * class adds, may not.  Blocks above 64 MiB are left open: marking an eighth of them at every call takes too long. */
static void allow(block *b, size_t usable) {
#if defined(__SANITIZE_ADDRESS__)
  char *data = (char *)b + ALIGN;
  if (b->bytes > (size_t)64 << 20) return;
  ASAN_UNPOISON_MEMORY_REGION(data, usable);
  ASAN_POISON_MEMORY_REGION(data + usable, b->bytes - usable);
#else
  (void)b, (void)usable;
#endif
}

/* ---- the system ------------------------------------------------------------------------------------------------ */

static block *from_system(size_t bytes) {
  size_t total = bytes + ALIGN;
  if (total < MMAP_FROM) {
    block *b = aligned_alloc(ALIGN, total);
    if (b) b->map = NULL;
    return b;
  }
  /* Huge pages make the first touch four times cheaper; they need the block to start on a huge page. */
  size_t slack = total >= 2 * HUGE_PAGE ? HUGE_PAGE : 0;
  char *map = mmap(NULL, total + slack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (map == MAP_FAILED) return NULL;
  char *start = slack ? (char *)(((uintptr_t)map + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1)) : map;
#ifdef MADV_HUGEPAGE
  if (slack) madvise(start, total & ~(HUGE_PAGE - 1), MADV_HUGEPAGE); /* not the last part: it would waste a page */
#endif
  block *b = (block *)start;
  b->map = map;
  b->map_bytes = total + slack;
  return b;
}

/* Gives a list of blocks back; without the lock, because unmapping takes time. */
static void to_system(block *list) {
  while (list) {
    block *b = list;
    list = b->next;
    allow(b, b->bytes);
    if (b->map) munmap(b->map, b->map_bytes);
    else free(b);
  }
}

/* ---- the cache ------------------------------------------------------------------------------------------------- */

/* fork copies the heap between two calls, never in the middle of one. */
static void lock_heap(void) { pthread_mutex_lock(&heap.lock); }
static void unlock_heap(void) { pthread_mutex_unlock(&heap.lock); }

static void start_heap(void) {
  heap.cache_limit = kr_limit_memory("") / 4;
  pthread_atfork(lock_heap, unlock_heap, unlock_heap);
}

static block *take_cached(int size_class) {
  block *b = heap.cached[size_class];
  if (!b) return NULL;
  heap.cached[size_class] = b->next;
  heap.stats.cached_bytes -= (int64_t)b->bytes;
  return b;
}

/* Takes blocks out of the cache, the longest idle class first, until `limit` holds; returns them as a list. */
static block *evict(int64_t limit) {
  block *list = NULL;
  while (heap.stats.cached_bytes > limit) {
    int oldest = -1;
    for (int c = 0; c < NUM_CLASSES; ++c)
      if (heap.cached[c] && (oldest < 0 || heap.last_used[c] < heap.last_used[oldest])) oldest = c;
    block *b = take_cached(oldest);
    b->next = list;
    list = b;
    ++heap.stats.system_calls;
  }
  return list;
}

void *kr_alloc(size_t bytes) {
  size_t rounded;
  if (bytes > LIMIT) return NULL;
  int size_class = class_of(bytes, &rounded);
  pthread_once(&heap_once, start_heap);

  lock_heap();
  block *b = take_cached(size_class);
  heap.last_used[size_class] = ++heap.clock;
  heap.stats.live_bytes += (int64_t)rounded;
  if (heap.stats.live_bytes > heap.stats.peak_bytes) heap.stats.peak_bytes = heap.stats.live_bytes;
  heap.stats.system_calls += b == NULL;
  unlock_heap();

  if (!b) {
    b = from_system(rounded);
    if (!b) {
      kr_trim();
      b = from_system(rounded);
    }
    if (!b) {
      lock_heap();
      heap.stats.live_bytes -= (int64_t)rounded;
      unlock_heap();
      return NULL;
    }
    b->bytes = rounded;
    b->size_class = size_class;
  }
  allow(b, bytes);
  return (char *)b + ALIGN;
}

void kr_free(void *p) {
  if (!p) return;
  block *b = (block *)((char *)p - ALIGN);
  allow(b, 0);
  lock_heap();
  int c = b->size_class;
  heap.stats.live_bytes -= (int64_t)b->bytes;
  heap.stats.cached_bytes += (int64_t)b->bytes;
  heap.last_used[c] = ++heap.clock;
  b->next = heap.cached[c];
  heap.cached[c] = b;
  block *evicted = evict(heap.cache_limit);
  unlock_heap();
  to_system(evicted);
}

void kr_trim(void) {
  lock_heap();
  block *evicted = evict(0);
  unlock_heap();
  to_system(evicted);
}

kr_memory kr_memory_stats(void) {
  lock_heap();
  kr_memory stats = heap.stats;
  unlock_heap();
  return stats;
}

/* What is cached at exit is not leaked; a leak checker that looks at the heap should not see it. */
__attribute__((destructor)) static void release_heap(void) { kr_trim(); }
