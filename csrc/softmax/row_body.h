/* What is done along a contiguous row of n elements: loads with a tail, sums, sums of exponentials; for one width of
 * real. */
#include "reduce/fold_body.h"

/* Sum of TERM over the row, in blocks of 32 vectors: at most 32 + n / (32 lanes) + log2(lanes) roundings.  TERM is an
 * expression of type vreal in j and w, the number of valid lanes there, and is zero in the lanes past w. */
#define ROW_SUM(n, total, TERM)                                                \
  do {                                                                         \
    vreal sum_ = v_zero();                                                     \
    for (int64_t b_ = 0; b_ < (n); b_ += 32 * V_LANES) {                       \
      vreal part_ = v_zero();                                                  \
      for (int64_t j = b_; j < kr_min((n), b_ + 32 * V_LANES); j += V_LANES) { \
        int64_t w = (n) - j;                                                   \
        part_ = v_add(part_, TERM);                                            \
      }                                                                        \
      sum_ = v_add(sum_, part_);                                               \
    }                                                                          \
    total = v_hsum(sum_);                                                      \
  } while (0)

/* exp(x - shift), stored where y is given. */
KR_INLINE vreal KR_FN(exp_term)(const real *x, vreal shift, real *y, int64_t w) {
  vreal e = v_exp(v_sub(KR_FN(ld)(x, w), shift));
  if (y) KR_FN(st)(y, e, w);
  return KR_FN(keep)(e, w);
}

/* Sum of exp(x - max) over a row; gives the maximum and, where y is given, the terms. */
KR_INLINE real KR_FN(row_stats)(const real *x, int64_t n, real *max, real *y) {
  *max = KR_FN(row)(OP_MAX, x, n);
  vreal shift = v_set1(*max);
  real sum;
  ROW_SUM(n, sum, KR_FN(exp_term)(x + j, shift, y ? y + j : NULL, w));
  return sum;
}

/* Rows of two vectors or fewer spend their time on sums across lanes: TILE of them are transposed and done as columns. */
#undef SHORT_MOST
#undef SHORT_ROWS
#define SHORT_MOST (2 * V_LANES)
#define SHORT_ROWS(n) (V_LANES >= 4 && (n) > 1 && (n) <= SHORT_MOST)

/* m <= TILE rows of n elements to n rows, TILE apart. */
static void KR_FN(turn_rows)(const real *x, int64_t m, int64_t n, real *columns) {
  const real *row[TILE];
  for (int64_t r = 0; r < m; ++r) row[r] = x + r * n;
  KR_FN(pack_rows)(row, m, TILE, n, columns);
}

/* And back. */
static void KR_FN(turn_back)(const real *columns, int64_t m, int64_t n, real *y) {
  const real *column[SHORT_MOST];
  for (int64_t k = 0; k < n; ++k) column[k] = columns + k * TILE;
  KR_FN(pack_rows)(column, n, n, m, y);
}

/* Sum over k of TERM, an expression in k and j with w valid lanes, for each of the m columns from j: blocks of 32 rows.
 */
#undef COLUMN_SUM
#define COLUMN_SUM(n, m, total, TERM)                                                 \
  for (int64_t j = 0; j < (m); j += V_LANES) {                                        \
    int64_t w = (m) - j;                                                              \
    vreal sum_ = v_zero();                                                            \
    for (int64_t b_ = 0; b_ < (n); b_ += 32) {                                        \
      vreal part_ = v_zero();                                                         \
      for (int64_t k = b_; k < kr_min((n), b_ + 32); ++k) part_ = v_add(part_, TERM); \
      sum_ = v_add(sum_, part_);                                                      \
    }                                                                                 \
    v_store((total) + j, sum_);                                                       \
  }
