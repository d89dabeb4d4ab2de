/* Prints the bandwidth in GB/s, "read X", "triad X", "copy X", "fill X": reading an array, a = b + s c (12 bytes an
 * element; the line that a store first fetches is not counted), a = b and a = s, all by ordinary loads and stores.
 * Arguments: number of threads, bytes of working set of each. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/kernel.h"

enum { CHAINS = 8, MAX_THREADS = 256 };

typedef struct {
  float *a, *b, *c;
  int64_t n, rounds; /* elements of each array */
  float sink;
  pthread_barrier_t *start;
  double seconds;
} work;

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void read_once(work *w) {
  v32f sum[CHAINS];
  _Pragma("GCC unroll 8") for (int k = 0; k < CHAINS; ++k) sum[k] = f32_zero();
  for (int64_t i = 0; i < w->n; i += CHAINS * KR_F32_LANES)
    _Pragma("GCC unroll 8") for (int k = 0; k < CHAINS; ++k) sum[k] =
        f32_add(sum[k], f32_load(w->a + i + k * KR_F32_LANES));
  _Pragma("GCC unroll 8") for (int k = 0; k < CHAINS; ++k) w->sink += f32_hsum(sum[k]);
}

static void triad_once(work *w) {
  const v32f s = f32_set1(0.5f);
  for (int64_t i = 0; i < w->n; i += 4 * KR_F32_LANES) _Pragma("GCC unroll 4") for (int k = 0; k < 4; ++k) {
      const int64_t at = i + k * KR_F32_LANES;
      f32_store(w->a + at, f32_fma(s, f32_load(w->c + at), f32_load(w->b + at)));
    }
}

static void copy_once(work *w) {
  for (int64_t i = 0; i < w->n; i += 4 * KR_F32_LANES)
    _Pragma("GCC unroll 4") for (int k = 0; k < 4; ++k)
        f32_store(w->a + i + k * KR_F32_LANES, f32_load(w->b + i + k * KR_F32_LANES));
}

static void fill_once(work *w) {
  const v32f s = f32_set1(0.5f);
  for (int64_t i = 0; i < w->n; i += 4 * KR_F32_LANES)
    _Pragma("GCC unroll 4") for (int k = 0; k < 4; ++k) f32_store(w->a + i + k * KR_F32_LANES, s);
}

#define TIMED(name)                           \
  static void *name##_rounds(void *arg) {     \
    work *w = arg;                            \
    name##_once(w);                           \
    pthread_barrier_wait(w->start);           \
    const double start = seconds();           \
    for (int64_t r = 0; r < w->rounds; ++r) { \
      __asm__ volatile("" ::: "memory");      \
      name##_once(w);                         \
    }                                         \
    w->seconds = seconds() - start;           \
    return NULL;                              \
  }
TIMED(read)
TIMED(triad)
TIMED(copy)
TIMED(fill)

/* The sum of the threads' rates while all of them work, by the time that each had a CPU; best of twenty. */
static double rate(void *(*rounds)(void *), int threads, size_t bytes, int arrays) {
  const int64_t step = CHAINS * KR_F32_LANES;
  const int64_t n = kr_max(1, (int64_t)(bytes / 4) / arrays / step) * step;
  static work w[MAX_THREADS];
  pthread_t id[MAX_THREADS];
  pthread_barrier_t start;
  double best = 0;
  pthread_barrier_init(&start, NULL, (unsigned)threads);
  for (int t = 0; t < threads; ++t) {
    float **array[] = {&w[t].a, &w[t].b, &w[t].c};
    for (int k = 0; k < arrays; ++k) {
      *array[k] = aligned_alloc(64, (size_t)n * 4);
      if (*array[k] == NULL) exit(1);
      for (int64_t i = 0; i < n; ++i) (*array[k])[i] = 1;
    }
    w[t].n = n;
    w[t].start = &start;
    w[t].rounds = kr_max(1, (int64_t)1e8 / ((int64_t)bytes + 1));
  }
  for (int round = 0; round < 20; ++round) {
    double total = 0;
    for (int t = 0; t < threads; ++t) pthread_create(&id[t], NULL, rounds, &w[t]);
    for (int t = 0; t < threads; ++t) pthread_join(id[t], NULL);
    for (int t = 0; t < threads; ++t) total += 4e-9 * arrays * n * w[t].rounds / w[t].seconds;
    best = fmax(best, total);
  }
  for (int t = 0; t < threads; ++t) {
    free(w[t].a);
    free(w[t].b);
    free(w[t].c);
    w[t] = (work){0};
  }
  pthread_barrier_destroy(&start);
  return best;
}

int main(int argc, char **argv) {
  const int threads = (int)kr_max(1, kr_min(MAX_THREADS, argc > 1 ? atoi(argv[1]) : 1));
  const size_t bytes = argc > 2 ? (size_t)atoll(argv[2]) : 1 << 14;
  printf("read %.2f\ntriad %.2f\n", rate(read_rounds, threads, bytes, 1), rate(triad_rounds, threads, bytes, 3));
  printf("copy %.2f\nfill %.2f\n", rate(copy_rounds, threads, bytes, 2), rate(fill_rounds, threads, bytes, 1));
  return 0;
}
