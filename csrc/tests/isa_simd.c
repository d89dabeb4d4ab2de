/* Every function of the SIMD vocabulary against plain C, compiled once for each ISA; test_simd.c calls it. */
#include <sys/mman.h>
#include <unistd.h>

#include "base/kernel.h"
#include "tests/check.h"

#define KR_REAL 32
#include "base/real.h"
#define KR_LIBM(name) name##f
#define KR_BIG 3e38
#include "isa_simd_body.h"
#undef KR_REAL
#undef KR_LIBM
#undef KR_BIG

#define KR_REAL 64
#include "base/real.h"
#define KR_LIBM(name) name
#define KR_BIG 1e308
#include "isa_simd_body.h"

int KR_PASTE(check_simd_, KR_ISA_SUFFIX)(void) {
  uint64_t state = 1;
  for (int n = 0; n < 4000; ++n) {
    check_arithmetic_f32(&state);
    check_arithmetic_f64(&state);
    check_integers_f32(&state);
    check_integers_f64(&state);
  }
  size_t page = (size_t)sysconf(_SC_PAGESIZE);
  char *map = mmap(NULL, 3 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  CHECK(map != MAP_FAILED, "mmap");
  mprotect(map, page, PROT_NONE);
  mprotect(map + 2 * page, page, PROT_NONE);
  check_parts_f32(map + page, page);
  check_parts_f64(map + page, page);
  munmap(map, 3 * page);
  return report();
}
