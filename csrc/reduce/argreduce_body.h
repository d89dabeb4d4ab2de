/* argmax and argmin for one width of real.  Long rows: the extremes of blocks first, then the first place
 * where the best one stands, both in vectors.  Rows of two vectors or fewer would spend their time across
 * lanes: they are transposed, SHORT_TILE at a time, and compared side by side.  Columns are compared side by side,
 * ARG_ROWS rows at a time. */
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

/* v replaces the extreme so far where it is better, or a NaN; but nothing replaces a NaN. */
KR_INLINE void KR_FN(arg_better)(enum reduce_op op, vreal v, vreal place, vreal *best, vreal *at) {
  const vmask other = m_not(op == OP_MAX ? v_le(v, *best) : v_ge(v, *best)), better = m_and(other, v_eq(*best, *best));
  *best = v_select(better, v, *best);
  *at = v_select(better, place, *at);
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
      for (int64_t k = 1; k < n; ++k)
        KR_FN(arg_better)(op, v_load(columns + k * SHORT_TILE + j), v_set1((real)k), &best, &at);
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

/* Rows [r, r + rows) of w <= V_LANES columns, s elements apart.  A sum tells whether there may be NaNs, for less than
 * looking for them in each row. */
KR_INLINE void KR_FN(arg_below)(enum reduce_op op, const real *x, int64_t s, int64_t r, int64_t rows, int64_t w,
                                real *extreme, ireal *place) {
  const vreal before = v_load(extreme), place_before = vi_as_real(vi_load(place));
  vreal best = before, at = place_before, sum = before;
  vint row = vi_set1((ireal)r);
  const real *next = x + r * s;
  for (int64_t i = 0; i < rows; ++i, next += s, row = vi_add(row, vi_set1(1))) {
    const vreal v = KR_FN(ld)(next, w);
    sum = v_add(sum, v);
    at = v_select(op == OP_MAX ? v_gt(v, best) : v_lt(v, best), vi_as_real(row), at);
    best = op == OP_MAX ? v_max(v, best) : v_min(v, best);
  }
  if (m_any(v_isnan(sum))) {
    best = before, at = place_before;
    for (int64_t i = r; i < r + rows; ++i)
      KR_FN(arg_better)(op, KR_FN(ld)(x + i * s, w), vi_as_real(vi_set1((ireal)i)), &best, &at);
  }
  v_store(extreme, best);
  vi_store(place, v_as_int(at));
}

KR_INLINE void KR_FN(arg_cols)(enum reduce_op op, const real *x, int64_t n, int64_t s, int64_t m, int32_t *y) {
  KR_ALIGNED real extreme[TILE];
  KR_ALIGNED ireal place[TILE] = {0};
  const int64_t whole = m / V_LANES * V_LANES;
  for (int64_t k = 0; k < m; k += V_LANES) v_store(extreme + k, KR_FN(ld)(x + k, m - k));
  for (int64_t r = 1; r < n; r += ARG_ROWS) {
    const int64_t rows = kr_min(ARG_ROWS, n - r);
    for (int64_t k = 0; k < whole; k += V_LANES)
      if (rows == ARG_ROWS) KR_FN(arg_below)(op, x + k, s, r, ARG_ROWS, V_LANES, extreme + k, place + k);
      else KR_FN(arg_below)(op, x + k, s, r, rows, V_LANES, extreme + k, place + k);
    if (whole < m) KR_FN(arg_below)(op, x + whole, s, r, rows, m - whole, extreme + whole, place + whole);
  }
  for (int64_t k = 0; k < m; ++k) y[k] = (int32_t)place[k];
}

#define ARG_REAL(name, op)                                                                               \
  static void KR_PASTE(KR_FN(name), _rows)(const real *x, int64_t rows, int64_t n, int32_t *y) {         \
    KR_FN(arg_rows)(op, x, rows, n, y);                                                                  \
  }                                                                                                      \
  static void KR_PASTE(KR_FN(name), _cols)(const real *x, int64_t n, int64_t s, int64_t m, int32_t *y) { \
    KR_FN(arg_cols)(op, x, n, s, m, y);                                                                  \
  }
ARG_REAL(argmax, OP_MAX)
ARG_REAL(argmin, OP_MIN)
#undef ARG_REAL
