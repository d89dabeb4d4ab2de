/* Prints the machine's peak in GFLOP/s, "float32 X" and "float64 Y": independent fused multiply-adds on registers, on
 * the number of threads given as the first argument.  Best of a hundred short runs, each thread by the time that it had
 * a CPU, since other work on the machine only ever makes one slower.
 *
 * As a library: `multiply_adds` runs so many float32 operations, on all threads together, for others to time in turns
 * with what they compare. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/kernel.h"

/* 12 chains hide the latency of every ISA, and fit the 16 registers of the smaller ones. */
enum { CHAINS = 12, ROUNDS = 1000000, MAX_THREADS = 256 };

typedef struct {
  int64_t rounds;
  double sum, seconds;
} result;

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#define PEAK(BITS)                                                                                \
  static void *chains_##BITS(void *out) {                                                         \
    const double start = seconds();                                                               \
    v##BITS##f x[CHAINS], a = f##BITS##_set1(0.999999f), b = f##BITS##_set1(1e-6f);               \
    _Pragma("GCC unroll 12") for (int c = 0; c < CHAINS; ++c) x[c] = f##BITS##_set1(c);           \
    for (int64_t i = 0; i < ((result *)out)->rounds; ++i) {                                       \
      __asm__ volatile("" ::: "memory");                                                          \
      _Pragma("GCC unroll 12") for (int c = 0; c < CHAINS; ++c) x[c] = f##BITS##_fma(x[c], a, b); \
    }                                                                                             \
    double sum = 0;                                                                               \
    _Pragma("GCC unroll 12") for (int c = 0; c < CHAINS; ++c) sum += f##BITS##_hsum(x[c]);        \
    ((result *)out)->sum = sum, ((result *)out)->seconds = seconds() - start;                     \
    return NULL;                                                                                  \
  }
PEAK(32)
PEAK(64)

/* The caller is one of the threads. */
static void run(void *(*chains)(void *), int threads, int64_t rounds, result *out) {
  pthread_t id[MAX_THREADS];
  for (int t = 0; t < threads; ++t) out[t].rounds = rounds;
  for (int t = 1; t < threads; ++t) pthread_create(&id[t], NULL, chains, &out[t]);
  chains(&out[0]);
  for (int t = 1; t < threads; ++t) pthread_join(id[t], NULL);
}

__attribute__((visibility("default"))) void multiply_adds(int threads, double operations) {
  result out[MAX_THREADS];
  run(chains_32, threads, (int64_t)(operations / (2.0 * CHAINS * KR_F32_LANES * threads)), out);
}

static double gflops(void *(*chains)(void *), int lanes, int threads) {
  double best = 0;
  result out[MAX_THREADS];
  for (int round = 0; round < 100; ++round) {
    double total = 0;
    run(chains, threads, ROUNDS, out);
    for (int t = 0; t < threads; ++t) total += 2e-9 * CHAINS * ROUNDS * lanes / out[t].seconds;
    best = fmax(best, total);
  }
  return best;
}

int main(int argc, char **argv) {
  const int wanted = argc > 1 ? atoi(argv[1]) : 1, threads = wanted < 1             ? 1
                                                             : wanted > MAX_THREADS ? MAX_THREADS
                                                                                    : wanted;
  printf("float32 %.2f\nfloat64 %.2f\n", gflops(chains_32, KR_F32_LANES, threads),
         gflops(chains_64, KR_F64_LANES, threads));
  return 0;
}
