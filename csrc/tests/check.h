/* What every C test uses: CHECK counts and prints failures; main returns report(). */
#ifndef KR_CHECK_H
#define KR_CHECK_H
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline int check_runs_under(const char *name) {
  const char *runner = getenv("KERASISH_RUNNER");
  return runner && strstr(runner, name);
}

/* QEMU's user mode does not survive fork in a process with threads; what is tested there is the code, not the system.
 */
static inline int check_emulated(void) { return check_runs_under("qemu"); }

/* Valgrind computes denormals whatever the control word says. */
static inline int check_keeps_denormals(void) { return check_runs_under("valgrind"); }

static int check_failures __attribute__((unused));

#define CHECK(condition, ...)                           \
  do {                                                  \
    if (!(condition)) {                                 \
      if (++check_failures <= 20) {                     \
        fprintf(stderr, "%s:%d: ", __FILE__, __LINE__); \
        fprintf(stderr, __VA_ARGS__);                   \
        fprintf(stderr, " (%s)\n", #condition);         \
      }                                                 \
    }                                                   \
  } while (0)

static inline int report(void) {
  if (check_failures) fprintf(stderr, "%d checks failed\n", check_failures);
  return check_failures != 0;
}

/* SplitMix64: enough for test data. */
static inline uint64_t check_random(uint64_t *state) {
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return z ^ z >> 31;
}

#endif
