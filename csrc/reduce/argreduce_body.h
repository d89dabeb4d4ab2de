/* argmax and argmin for one width of real.  Rows: each lane keeps the extreme of the blocks of vectors that it has met and
 * the first block that gave it, which alone is searched for the place.  Rows of four vectors or fewer would spend their time
 * across lanes, so as many as a vector has lanes are folded there at once: first their extremes, then the places where
 * these stand.  Columns are compared side by side, ARG_ROWS rows at a time.  Whether there are NaNs, of which the first one
 * wins, a sum tells for less than looking for them. */
#include "fold_body.h"

KR_INLINE vreal KR_FN(arg_extreme)(enum reduce_op op, vreal a, vreal b) {
  return op == OP_MAX ? v_max(a, b) : v_min(a, b);
}

/* The first element that equals `best`, or is NaN like it. */
KR_INLINE int64_t KR_FN(arg_place)(const real *x, int64_t n, real best) {
  const vreal wanted = v_set1(best);
  int64_t k = 0;
  for (; k + V_LANES <= n; k += V_LANES) {
    vreal v = v_load(x + k);
    if (m_any(best != best ? v_isnan(v) : v_eq(v, wanted))) break;
  }
  while (k < n - 1 && !(best != best ? x[k] != x[k] : x[k] == best)) ++k;
  return k;
}

/* The place in a row of ARG_BLOCK vectors or more; -1 where there may be NaNs.  The last block overlaps the one before:
 * an extreme that stands in both has its first block in the lane that met it first. */
KR_INLINE int64_t KR_FN(arg_blocks)(enum reduce_op op, const real *x, int64_t n) {
  const int64_t step = ARG_BLOCK * V_LANES;
  vreal best = v_load(x), at = vi_as_real(vi_set1(0)), sum = v_zero();
  for (int64_t k = 0;; k = kr_min(k + step, n - step)) {
    vreal v[ARG_BLOCK];
    for (int i = 0; i < ARG_BLOCK; ++i) v[i] = v_load(x + k + i * V_LANES);
    const vreal most = KR_FN(arg_extreme)(op, KR_FN(arg_extreme)(op, v[0], v[1]), KR_FN(arg_extreme)(op, v[2], v[3]));
    sum = v_add(sum, v_add(v_add(v[0], v[1]), v_add(v[2], v[3])));
    at = v_select(op == OP_MAX ? v_gt(most, best) : v_lt(most, best), vi_as_real(vi_set1((ireal)k)), at);
    best = KR_FN(arg_extreme)(op, best, most);
    if (k + step >= n) break;
  }
  if (m_any(v_isnan(sum))) return -1;
  KR_ALIGNED real extreme[V_LANES];
  KR_ALIGNED ireal block[V_LANES];
  v_store(extreme, best);
  vi_store(block, v_as_int(at));
  const real top = op == OP_MAX ? v_hmax(best) : v_hmin(best);
  int64_t first = n;
  for (int l = 0; l < V_LANES; ++l) first = kr_min(first, extreme[l] == top ? (int64_t)block[l] : n);
  vreal place = v_set1((real)step);
  for (int i = ARG_BLOCK - 1; i >= 0; --i) {
    const vreal here = v_add(v_load(KR_FN(lane)), v_set1((real)(i * V_LANES)));
    place = v_select(v_eq(v_load(x + first + i * V_LANES), v_set1(top)), here, place);
  }
  return first + (int64_t)v_hmin(place);
}

KR_INLINE int64_t KR_FN(arg_row)(enum reduce_op op, const real *x, int64_t n) {
  const int64_t found = KR_FN(arg_blocks)(op, x, n);
  return found >= 0 ? found : KR_FN(arg_place)(x, n, KR_FN(row)(op, x, n));
}

/* v replaces the extreme so far where it is better, or a NaN; but nothing replaces a NaN. */
KR_INLINE void KR_FN(arg_better)(enum reduce_op op, vreal v, vreal place, vreal *best, vreal *at) {
  const vmask other = m_not(op == OP_MAX ? v_le(v, *best) : v_ge(v, *best)), better = m_and(other, v_eq(*best, *best));
  *best = v_select(better, v, *best);
  *at = v_select(better, place, *at);
}

/* count <= V_LANES rows of `whole` vectors, a constant, and a part or all of one more. */
KR_INLINE void KR_FN(arg_short)(enum reduce_op op, const real *x, int64_t count, int64_t n, int whole, int32_t *y) {
  const vreal none = v_set1(KR_FN(identity)(op)), lane = v_load(KR_FN(lane)), far = v_set1((real)n);
  const vreal end = whole ? v_add(lane, v_set1((real)(n - V_LANES))) : lane;
  KR_ALIGNED real extreme[V_LANES];
  KR_ALIGNED ireal place[V_LANES];
  vreal part[V_LANES];
  KR_FN(short_extremes)(op, x, count, n, whole, extreme);
#pragma GCC unroll 16
  for (int64_t l = 0; l < count; ++l) {
    const real *p = x + l * n;
    const vreal wanted = v_set1(extreme[l]), last = KR_FN(short_end)(p, n, whole, none);
    part[l] = v_select(v_eq(last, wanted), end, far);
#pragma GCC unroll 4
    for (int k = whole - 1; k >= 0; --k)
      part[l] = v_select(v_eq(v_load(p + k * V_LANES), wanted), v_add(lane, v_set1((real)(k * V_LANES))), part[l]);
  }
  for (int64_t l = count; l < V_LANES; ++l) part[l] = v_zero();
  const vreal first = v_hmins(part);
  vi_store(place, v_to_int(first));
  for (int64_t l = 0; l < count; ++l) y[l] = (int32_t)place[l];
  if (m_any(v_ge(first, far))) /* NaN equals nothing */
    for (int64_t l = 0; l < count; ++l)
      if (extreme[l] != extreme[l]) y[l] = (int32_t)KR_FN(arg_place)(x + l * n, n, extreme[l]);
}

KR_INLINE void KR_FN(arg_short_rows)(enum reduce_op op, const real *x, int64_t rows, int64_t n, int whole, int32_t *y) {
  int64_t r = 0;
  for (; r + V_LANES <= rows; r += V_LANES) KR_FN(arg_short)(op, x + r * n, V_LANES, n, whole, y + r);
  if (r < rows) KR_FN(arg_short)(op, x + r * n, rows - r, n, whole, y + r);
}

KR_INLINE void KR_FN(arg_rows)(enum reduce_op op, const real *x, int64_t rows, int64_t n, int32_t *y) {
  switch ((n - 1) / V_LANES) {
    case 0: KR_FN(arg_short_rows)(op, x, rows, n, 0, y); return;
    case 1: KR_FN(arg_short_rows)(op, x, rows, n, 1, y); return;
    case 2: KR_FN(arg_short_rows)(op, x, rows, n, 2, y); return;
    case 3: KR_FN(arg_short_rows)(op, x, rows, n, 3, y); return;
    default:
      for (int64_t r = 0; r < rows; ++r) y[r] = (int32_t)KR_FN(arg_row)(op, x + r * n, n);
  }
}

/* Rows [r, r + rows) of w <= V_LANES columns, s elements apart. */
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
    best = KR_FN(arg_extreme)(op, v, best);
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
