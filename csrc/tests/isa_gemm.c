/* The interface of gemm/core.h: what packers are asked for, and C with gaps, groups and former values; compiled once for
 * each ISA, test_gemm.c calls it.  The kernels that stand on it are tested from Python. */
#include "gemm/core.h"
#include "tests/check.h"

#define KR_REAL 32
#include "base/real.h"
#include "gemm/pack.h"
#include "isa_gemm_body.h"
#undef KR_REAL
#define KR_REAL 64
#include "base/real.h"
#include "gemm/pack.h"
#include "isa_gemm_body.h"

int KR_PASTE(check_gemm_, KR_ISA_SUFFIX)(void) {
  static const int64_t shapes[][4] = {
      /* batch, m, n, k: one task, tiles, tiles with blocks, long sums, large and many batches, nothing to sum */
      {1, 5, 7, 3},      {2, 29, 33, 40},  {1, 130, 150, 140}, {1, 400, 90, 600}, {1, 90, 700, 530}, {1, 24, 40, 9000},
      {3, 100, 96, 220}, {40, 20, 17, 33}, {2, 4, 6, 0},       {1, 20, 70, 2100}, {1, 70, 20, 2100},
  };
  for (size_t s = 0; s < sizeof shapes / sizeof *shapes; ++s)
    for (int mode = 0; mode < 3; ++mode) {
      check_product_f32(shapes[s], mode);
      check_product_f64(shapes[s], mode);
    }
  static const int64_t columns[][3] = {
      /* m, n, k: turned, with rows and columns of C that fill no vector; as it is; more rows than stay packed */
      {64, 32, 2048},  {70, 33, 2100},  {129, 24, 2057}, {40, 67, 2100},
      {16, 600, 2050}, {270, 70, 2048}, {500, 64, 2049},
  };
  for (size_t s = 0; s < sizeof columns / sizeof *columns; ++s) {
    check_columns_f32(columns[s]);
    check_columns_f64(columns[s]);
  }
  check_packers_f32();
  check_packers_f64();
  return report();
}
