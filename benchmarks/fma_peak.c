/* Prints the machine's peak in GFLOP/s, "float32 X" and "float64 Y": independent fused multiply-adds on registers, on
 * the number of threads given as the first argument.  Best of a hundred short runs, each thread by the time that it had
 * a CPU, since other work on the machine only ever makes one slower. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/kernel.h"

/* 12 chains hide the latency of every ISA, and fit the 16 registers of the smaller ones. */
enum { CHAINS = 12, ROUNDS = 1000000, MAX_THREADS = 256 };

typedef struct {
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
    for (int64_t i = 0; i < ROUNDS; ++i) {                                                        \
      __asm__ volatile("" ::: "memory");                                                          \
      _Pragma("GCC unroll 12") for (int c = 0; c < CHAINS; ++c) x[c] = f##BITS##_fma(x[c], a, b); \
    }                                                                                             \
    double sum = 0;                                                                               \
    _Pragma("GCC unroll 12") for (int c = 0; c < CHAINS; ++c) sum += f##BITS##_hsum(x[c]);        \
    *(result *)out = (result){sum, seconds() - start};                                            \
    return NULL;                                                                                  \
  }
PEAK(32)
PEAK(64)

static double gflops(void *(*chains)(void *), int lanes, int threads) {
  double best = 0;
  result out[MAX_THREADS];
  pthread_t id[MAX_THREADS];
  for (int round = 0; round < 100; ++round) {
    double total = 0;
    for (int t = 0; t < threads; ++t) pthread_create(&id[t], NULL, chains, &out[t]);
    for (int t = 0; t < threads; ++t) pthread_join(id[t], NULL);
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
