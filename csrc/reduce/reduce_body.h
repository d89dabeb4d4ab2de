/* The floating reductions, for one width; included by reduce.c for float and for double. */
#include "fold_body.h"

/* Products of rows of two vectors or fewer spend their time across lanes: the rows are transposed, some at a time, and
 * folded as columns.  How a row is folded depends on its length alone. */
#undef SHORT_ROWS
#undef SHORT_MOST
#define SHORT_ROWS(op, n) ((op) == OP_PROD && V_LANES >= 4 && (n) > 1 && (n) <= SHORT_MOST)
#define SHORT_MOST (2 * V_LANES)

KR_INLINE void KR_FN(short_rows)(enum reduce_op op, const real *x, int64_t rows, int64_t n, real *acc) {
  KR_ALIGNED real columns[SHORT_MOST * SHORT_TILE];
  for (int64_t r = 0; r < rows; r += SHORT_TILE) {
    const int64_t m = kr_min(SHORT_TILE, rows - r);
    const real *row[SHORT_TILE];
    for (int64_t k = 0; k < m; ++k) row[k] = x + (r + k) * n;
    KR_FN(pack_rows)(row, m, SHORT_TILE, n, columns);
    KR_FN(cols)(op, columns, n, SHORT_TILE, m, acc + r);
  }
}

#define REAL_LOOPS(name, OP)                                                                            \
  static void KR_PASTE(KR_FN(name), _rows)(const void *x, int64_t rows, int64_t n, void *acc) {         \
    if (SHORT_ROWS(OP, n)) KR_FN(short_rows)(OP, x, rows, n, acc);                                      \
    else KR_FN(rows)(OP, x, rows, n, acc);                                                              \
  }                                                                                                     \
  static void KR_PASTE(KR_FN(name), _cols)(const void *x, int64_t n, int64_t s, int64_t m, void *acc) { \
    KR_FN(cols)(OP, x, n, s, m, acc);                                                                   \
  }
REAL_LOOPS(sum, OP_SUM)
REAL_LOOPS(sum_square, OP_SUM_SQUARE)
REAL_LOOPS(prod, OP_PROD)
REAL_LOOPS(max, OP_MAX)
REAL_LOOPS(min, OP_MIN)
#undef REAL_LOOPS

static void KR_FN(divide)(void *acc, int64_t m, int64_t count) {
  real *a = acc;
  for (int64_t j = 0; j < m; ++j) a[j] /= (real)count;
}

KERNEL(KR_FN(sum), real, real, KR_FN(sum), KR_FN(sum), NULL)
KERNEL(KR_FN(mean), real, real, KR_FN(sum), KR_FN(sum), KR_FN(divide))
KERNEL(KR_FN(sum_square), real, real, KR_FN(sum_square), KR_FN(sum), NULL)
KERNEL(KR_FN(prod), real, real, KR_FN(prod), KR_FN(prod), NULL)
KERNEL(KR_FN(max), real, real, KR_FN(max), KR_FN(max), NULL)
KERNEL(KR_FN(min), real, real, KR_FN(min), KR_FN(min), NULL)
