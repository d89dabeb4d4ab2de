/* argmax and argmin for one width of real.  Long rows: each lane keeps the extreme of the blocks of vectors that it has met
 * and the first block that gave it, which alone is searched for the place.  Short ones are transposed in registers and
 * compared as columns are: side by side, a few at a time between loads and stores of the extremes.  NaNs, of which the
 * first one wins, are looked for once they are known to be there. */
#include "fold_body.h"

KR_INLINE vreal KR_FN(arg_extreme)(enum reduce_op op, vreal a, vreal b) {
  return op == OP_MAX ? v_max(a, b) : v_min(a, b);
}

KR_INLINE vmask KR_FN(arg_beats)(enum reduce_op op, vreal a, vreal b) { return op == OP_MAX ? v_gt(a, b) : v_lt(a, b); }

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
    at = v_select(KR_FN(arg_beats)(op, most, best), vi_as_real(vi_set1((ireal)k)), at);
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
  const int64_t found = n >= ARG_BLOCK * V_LANES ? KR_FN(arg_blocks)(op, x, n) : -1;
  return found >= 0 ? found : KR_FN(arg_place)(x, n, KR_FN(row)(op, x, n));
}

/* v replaces the extreme so far where it is better, or a NaN; but nothing replaces a NaN. */
KR_INLINE void KR_FN(arg_better)(enum reduce_op op, vreal v, vreal place, vreal *best, vreal *at) {
  const vmask other = m_not(op == OP_MAX ? v_le(v, *best) : v_ge(v, *best)), better = m_and(other, v_eq(*best, *best));
  *best = v_select(better, v, *best);
  *at = v_select(better, place, *at);
}

/* Of as many rows as a vector has lanes: the extremes so far, their places, and where there was a NaN. */
typedef struct {
  vreal best;
  vint at;
  vmask nan;
} KR_FN(arg_lanes);

/* Four columns more, the first of which has the number `column`: two and two meet first. */
KR_INLINE void KR_FN(arg_columns)(enum reduce_op op, const vreal v[4], vint column, KR_FN(arg_lanes) * a) {
  const vint low = vi_count(column, KR_FN(arg_beats)(op, v[1], v[0]));
  const vint high = vi_count(vi_add(column, vi_set1(2)), KR_FN(arg_beats)(op, v[3], v[2]));
  const vreal best_low = KR_FN(arg_extreme)(op, v[0], v[1]), best_high = KR_FN(arg_extreme)(op, v[2], v[3]);
  const vreal best = KR_FN(arg_extreme)(op, best_low, best_high);
  const vreal at = v_select(KR_FN(arg_beats)(op, best_high, best_low), vi_as_real(high), vi_as_real(low));
  a->nan = m_or(a->nan, m_or(v_unordered(v[0], v[1]), v_unordered(v[2], v[3])));
  a->at = v_as_int(v_select(KR_FN(arg_beats)(op, best, a->best), at, vi_as_real(a->at)));
  a->best = KR_FN(arg_extreme)(op, a->best, best);
}

/* The places in as many rows as a vector has lanes, four columns at a time.  The last four may overlap those before, whose
 * places come first; of two or three, what is read of the next row counts for nothing. */
KR_INLINE void KR_FN(arg_turned)(enum reduce_op op, const real *x, int64_t n, int32_t *y) {
  KR_FN(arg_lanes) a = {v_set1(KR_FN(identity)(op)), vi_set1(0), v_lt(v_zero(), v_zero())};
  vint column = vi_set1(0);
  vreal v[4];
  for (int64_t k = 0; k < n - 4; k += 4, column = vi_add(column, vi_set1(4))) {
    v_columns(x + k, n, v);
    KR_FN(arg_columns)(op, v, column, &a);
  }
  const int64_t last = kr_max(0, n - 4);
  v_columns(x + last, n, v);
  if (n < 4) v[3] = v[0], v[2] = n == 2 ? v[0] : v[2];
  KR_FN(arg_columns)(op, v, vi_set1((ireal)last), &a);
  KR_ALIGNED ireal place[V_LANES];
  vi_store(place, a.at);
  for (int l = 0; l < V_LANES; ++l) y[l] = (int32_t)place[l];
  if (m_any(a.nan))
    for (int l = 0; l < V_LANES; ++l) y[l] = (int32_t)KR_FN(arg_place)(x + l * n, n, KR_FN(row)(op, x + l * n, n));
}

/* Rows of a few vectors would spend their time across lanes: they are compared side by side.  The last group of rows may
 * overlap the one before; it has no next row. */
KR_INLINE void KR_FN(arg_rows)(enum reduce_op op, const real *x, int64_t rows, int64_t n, int32_t *y) {
  if (n == 1) {
    memset(y, 0, (size_t)rows * sizeof *y);
    return;
  }
  if (n > ARG_TURNED * V_LANES || rows < V_LANES) {
    for (int64_t r = 0; r < rows; ++r) y[r] = (int32_t)KR_FN(arg_row)(op, x + r * n, n);
    return;
  }
  const int64_t last = rows - V_LANES;
  for (int64_t r = 0; r < last; r += V_LANES) KR_FN(arg_turned)(op, x + r * n, n, y + r);
  real KR_ALIGNED end[3 * V_LANES + 4] = {0};
  if (n < 4) memcpy(end, x + last * n, (size_t)(V_LANES * n) * sizeof(real));
  KR_FN(arg_turned)(op, n < 4 ? end : x + last * n, n, y + last);
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
    at = v_select(KR_FN(arg_beats)(op, v, best), vi_as_real(row), at);
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
