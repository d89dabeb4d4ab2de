/* Rows of argmax and argmin, for one width of real.  Long rows: the extremes of blocks first, then the first place
 * where the best one stands, both in vectors.  Rows of two vectors or fewer would spend their time across
 * lanes: they are transposed, SHORT_TILE at a time, and compared side by side. */
#include "fold_body.h"

/* The block of the extreme is searched for its place, and no other. */
KR_INLINE int64_t KR_FN(arg_row)(enum reduce_op op, const real *x, int64_t n) {
  real best = KR_FN(row)(op, x, kr_min(n, ARG_BLOCK));
  int64_t k = 0;
  for (int64_t b = ARG_BLOCK; b < n && best == best; b += ARG_BLOCK) {
    const real next = KR_FN(row)(op, x + b, kr_min(n - b, ARG_BLOCK));
    if (op == OP_MAX ? next <= best : next >= best) continue; /* not for NaN */
    best = next;
    k = b;
  }
  const vreal wanted = v_set1(best);
  for (; k + V_LANES <= n; k += V_LANES) {
    vreal v = v_load(x + k);
    if (m_any(best != best ? v_isnan(v) : v_eq(v, wanted))) break;
  }
  while (k < n - 1 && !(best != best ? x[k] != x[k] : x[k] == best)) ++k;
  return k;
}

KR_INLINE void KR_FN(arg_short)(enum reduce_op op, const real *x, int64_t rows, int64_t n, int32_t *y) {
  KR_ALIGNED real columns[2 * V_LANES * SHORT_TILE], place[V_LANES];
  for (int64_t r = 0; r < rows; r += SHORT_TILE) {
    const int64_t m = kr_min(SHORT_TILE, rows - r);
    const real *row[SHORT_TILE];
    for (int64_t k = 0; k < m; ++k) row[k] = x + (r + k) * n;
    KR_FN(pack_rows)(row, m, SHORT_TILE, n, columns);
    for (int64_t j = 0; j < m; j += V_LANES) {
      vreal best = v_load(columns + j), at = v_zero();
      for (int64_t k = 1; k < n; ++k) {
        const vreal v = v_load(columns + k * SHORT_TILE + j);
        /* Better, or a NaN; but nothing replaces a NaN. */
        const vmask other = m_not(op == OP_MAX ? v_le(v, best) : v_ge(v, best)),
                    better = m_and(other, v_eq(best, best));
        best = v_select(better, v, best);
        at = v_select(better, v_set1((real)k), at);
      }
      v_store(place, at);
      for (int64_t l = 0; l < kr_min(V_LANES, m - j); ++l) y[r + j + l] = (int32_t)place[l];
    }
  }
}

KR_INLINE void KR_FN(arg_rows)(enum reduce_op op, const real *x, int64_t rows, int64_t n, int32_t *y) {
  if (V_LANES >= 4 && n <= 2 * V_LANES) {
    KR_FN(arg_short)(op, x, rows, n, y);
    return;
  }
  for (int64_t r = 0; r < rows; ++r) y[r] = (int32_t)KR_FN(arg_row)(op, x + r * n, n);
}

#define ARG_REAL(name, op)                                                                                  \
  static int64_t KR_PASTE(KR_FN(name), _row)(const real *x, int64_t n) { return KR_FN(arg_row)(op, x, n); } \
  static void KR_PASTE(KR_FN(name), _rows)(const real *x, int64_t rows, int64_t n, int32_t *y) {            \
    KR_FN(arg_rows)(op, x, rows, n, y);                                                                     \
  }
ARG_REAL(argmax, OP_MAX)
ARG_REAL(argmin, OP_MIN)
#undef ARG_REAL
