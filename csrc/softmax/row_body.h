/* What is done along contiguous rows, for one width of real.
 *
 * Rows go in groups of m: what a row comes to is one vector first, and the lanes of as many as a vector has are crossed
 * at once.  Then what follows from a maximum or a sum, such as a logarithm, is computed for rows side by side.  Several
 * times so many rows make a group, since each step waits for the last result of the one before.  A result depends on its
 * row alone, not on where in a group it stands.
 *
 * A function of a group has a constant nv: rows have nv vectors, the last one whole or a part; 0: any number.  It walks
 * along row l with EACH_VECTOR and ROW_SUM, whose terms are in j, where a vector begins, and `whole`, which is false for
 * the last one.  Rows of a few elements waste most of a vector: they are transposed, TILE of them, and done as columns. */
#include "reduce/fold_body.h"

#undef GROUP
#undef GROUP_ELEMENTS
#define GROUP (4 * V_LANES)                            /* most rows */
#define GROUP_ELEMENTS (12288 / (int64_t)sizeof(real)) /* which stay in L1 with those of other arrays */

/* Rows of a group.  Where a row's elements are only summed and moved memory is the limit.  One long row after the other
 * suits it best; shorter ones wait for the end of their sum, and go by as many as meet in it.  Those of one or two vectors
 * are a run, whose length only L1 limits (grads_of_few). */
KR_INLINE int64_t KR_FN(group_rows)(int64_t n, int light) {
  const int64_t most = light && n <= 2 * V_LANES    ? GROUP_ELEMENTS
                       : !light || n <= 4 * V_LANES ? GROUP
                       : n <= 32 * V_LANES          ? V_LANES
                                                    : 1;
  const int64_t m = kr_min(most, GROUP_ELEMENTS / kr_max(1, n));
  return m > V_LANES ? m / V_LANES * V_LANES : kr_max(1, m);
}

#ifndef ROW_MACROS
#define ROW_MACROS
/* Calls f with nv as a constant. */
#define BY_VECTORS(f, n, ...)                             \
  do {                                                    \
    if ((n) > 2 * V_LANES || (n) == 0) f(__VA_ARGS__, 0); \
    else if ((n) > V_LANES) f(__VA_ARGS__, 2);            \
    else f(__VA_ARGS__, 1);                               \
  } while (0)

#define EACH_ROW for (int64_t l = 0; l < m; ++l)
#define EACH_LANES for (int64_t l = 0; l < m; l += V_LANES)

/* to[l] = v_<across>(row), which BODY computes for each row l; writes whole vectors. */
#define FOLD_ROWS(to, across, BODY)                                   \
  for (int64_t r_ = 0; r_ < m; r_ += V_LANES) {                       \
    vreal part_[V_LANES];                                             \
    const int64_t end_ = kr_min(V_LANES, m - r_);                     \
    for (int64_t k_ = 0; k_ < end_; ++k_) {                           \
      const int64_t l = r_ + k_;                                      \
      vreal row;                                                      \
      BODY;                                                           \
      part_[k_] = row;                                                \
    }                                                                 \
    for (int64_t k_ = end_; k_ < V_LANES; ++k_) part_[k_] = v_zero(); \
    v_store((to) + r_, across(part_));                                \
  }

/* A vector at p + j, with zeros or another value in the lanes past n; and one to there. */
#define GET(p) (whole ? v_load((p) + j) : v_load_n((p) + j, n - j))
#define GET_OR(p, other) (whole ? v_load((p) + j) : v_load_or((p) + j, n - j, other))
#define PUT(p, v) (whole ? v_store((p) + j, v) : v_store_n((p) + j, v, n - j))

/* DO for each vector of a row. */
#define EACH_VECTOR(DO)                                                                     \
  do {                                                                                      \
    const int64_t last_ = nv ? (nv - 1) * V_LANES : (kr_max(1, n) - 1) / V_LANES * V_LANES; \
    int64_t j = 0;                                                                          \
    {                                                                                       \
      enum { whole = 1 };                                                                   \
      for (; j < last_; j += V_LANES) DO;                                                   \
    }                                                                                       \
    enum { whole = 0 };                                                                     \
    DO;                                                                                     \
  } while (0)

/* The sum of TERM over a row but for the lanes, in blocks of 32 vectors: with them, at most 33 + n / (32 lanes) +
 * log2(lanes) roundings.  TERM is 0 in the lanes past n. */
#define ROW_SUM(to, TERM)                                                                      \
  do {                                                                                         \
    const int64_t last_ = nv ? (nv - 1) * V_LANES : (kr_max(1, n) - 1) / V_LANES * V_LANES;    \
    vreal sum_ = v_zero(), some_ = v_zero();                                                   \
    int64_t j = 0;                                                                             \
    {                                                                                          \
      enum { whole = 1 };                                                                      \
      if (nv)                                                                                  \
        for (; j < last_; j += V_LANES) some_ = v_add(some_, TERM);                            \
      else                                                                                     \
        while (j < last_) {                                                                    \
          sum_ = v_add(sum_, some_);                                                           \
          some_ = v_zero();                                                                    \
          for (const int64_t stop_ = kr_min(last_, j + 32 * V_LANES); j < stop_; j += V_LANES) \
            some_ = v_add(some_, TERM);                                                        \
        }                                                                                      \
    }                                                                                          \
    enum { whole = 0 };                                                                        \
    some_ = v_add(some_, TERM);                                                                \
    to = nv ? some_ : v_add(sum_, some_);                                                      \
  } while (0)
#endif

/* The maxima of a row but for the lanes, in four chains that do not wait for each other. */
KR_INLINE vreal KR_FN(long_max)(const real *p, int64_t n) {
  const vreal none = v_set1((real)-INFINITY);
  vreal max[4] = {none, none, none, none};
  int64_t j = 0;
  for (; j + 4 * V_LANES <= n; j += 4 * V_LANES)
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) max[k] = v_max(max[k], v_load(p + j + k * V_LANES));
  for (; j + V_LANES <= n; j += V_LANES) max[0] = v_max(max[0], v_load(p + j));
  if (j < n) max[1] = v_max(max[1], v_load_or(p + j, n - j, none));
  return v_max(v_max(max[0], max[1]), v_max(max[2], max[3]));
}

/* The maxima of m rows; anything where there is a NaN, whose exponential says so. */
KR_INLINE void KR_FN(group_max)(const real *x, int64_t m, int64_t n, int nv, real *max) {
  const vreal none = v_set1((real)-INFINITY);
  FOLD_ROWS(max, v_hmaxs, {
    const real *p = x + l * n;
    row = none;
    if (nv) {
      EACH_VECTOR(row = v_max(row, GET_OR(p, none)));
    } else {
      row = KR_FN(long_max)(p, n);
    }
  })
}

/* The sums of x, or of x by, of m rows. */
KR_INLINE void KR_FN(group_sum)(const real *x, const real *by, int64_t m, int64_t n, int nv, real *sum) {
  FOLD_ROWS(sum, v_hsums, {
    const real *p = x + l * n;
    const real *q = by ? by + l * n : NULL;
    if (by) ROW_SUM(row, v_mul(GET(p), GET(q)));
    else if (nv) ROW_SUM(row, GET(p));
    else row = KR_FN(row_lanes)(OP_SUM, p, n);
  })
}

/* The terms of a group's rows: those of few vectors as one run, so that what is done to each fills vectors whatever n is.
 * A row's last vector is written whole and runs into the next row, which comes after it.  (What a masked store wrote is
 * not forwarded to a load, either.)  Those of more vectors in y, which may be NULL where they are not needed again. */
typedef struct {
  real KR_ALIGNED run[(2 * GROUP + 1) * V_LANES];
  real *at;
} KR_FN(terms);
#define TERMS_AT(t, y) ((t)->at = nv ? (t)->run : (y))
#define PUT_TERM(p, v) (nv || whole ? v_store((p) + j, v) : v_store_n((p) + j, v, n - j))
#define EACH_OF_RUN for (int64_t i = 0; i < m * n; i += V_LANES)

KR_INLINE vreal KR_FN(put_term)(real *to, int64_t j, int64_t n, int nv, int whole, vreal v) {
  if (to) PUT_TERM(to, v);
  return v;
}

/* exp(x) for the difference to a maximum, which is not above 0; or, with `no_maximum`, to another number. */
KR_INLINE vreal KR_FN(exp_of)(vreal x, int no_maximum) { return no_maximum ? v_exp(x) : v_exp_below(x); }

/* The terms exp(x - max) of m rows, and their sums.  exp(-inf) is 0.  Beside a NaN, which the sum becomes, others may be
 * anything. */
KR_INLINE void KR_FN(group_exps)(const real *x, int64_t m, int64_t n, int nv, const real *max, int no_maximum,
                                 real *sum, KR_FN(terms) * t) {
  if (nv) {
    EACH_ROW {
      const real *p = x + l * n;
      real *to = t->run + l * n;
      const vreal shift = v_set1(max[l]);
      EACH_VECTOR(PUT_TERM(to, v_sub(GET(p), shift)));
    }
    EACH_OF_RUN {
      __builtin_prefetch(x + m * n + i); /* of the next group, which is not computed upon until this one is done */
      v_store(t->run + i, KR_FN(exp_of)(v_load(t->run + i), no_maximum));
    }
    KR_FN(group_sum)(t->run, NULL, m, n, nv, sum);
    return;
  }
  const vreal none = v_set1((real)-INFINITY);
  FOLD_ROWS(sum, v_hsums, {
    const real *p = x + l * n;
    real *to = t->at ? t->at + l * n : NULL;
    const vreal shift = v_set1(max[l]);
    const int64_t ahead = m * n; /* to the next group, which is fetched while arithmetic is the limit */
    if (to) {
      ROW_SUM(row, ({
                __builtin_prefetch(p + ahead + j);
                __builtin_prefetch(to + ahead + j, 1);
                KR_FN(put_term)(to, j, n, nv, whole, KR_FN(exp_of)(v_sub(GET_OR(p, none), shift), no_maximum));
              }));
    } else {
      ROW_SUM(row, ({
                __builtin_prefetch(p + ahead + j);
                KR_FN(exp_of)(v_sub(GET_OR(p, none), shift), no_maximum);
              }));
    }
  })
}

/* Both. */
KR_INLINE void KR_FN(group_stats)(const real *x, int64_t m, int64_t n, int nv, real *max, real *sum, KR_FN(terms) * t) {
  KR_FN(group_max)(x, m, n, nv, max);
  KR_FN(group_exps)(x, m, n, nv, max, 0, sum, t);
}

#undef SHORT_MOST
#undef SHORT_ROWS
#define SHORT_MOST 4
#define SHORT_ROWS(n) (V_LANES >= 4 && (n) > 1 && (n) <= SHORT_MOST)

/* m <= TILE rows of n elements to n rows, TILE apart, and back; n is a constant, so that compilers make shuffles of it. */
KR_INLINE void KR_FN(turn_rows_of)(const int n, const real *x, int64_t m, real *columns) {
  for (int64_t r = 0; r < m; ++r)
    for (int k = 0; k < n; ++k) columns[k * TILE + r] = x[r * n + k];
}

KR_INLINE void KR_FN(turn_back_of)(const int n, const real *columns, int64_t m, real *y) {
  for (int64_t r = 0; r < m; ++r)
    for (int k = 0; k < n; ++k) y[r * n + k] = columns[k * TILE + r];
}

static void KR_FN(turn_rows)(const real *restrict x, int64_t m, int64_t n, real *restrict columns) {
  if (n == 2) KR_FN(turn_rows_of)(2, x, m, columns);
  else if (n == 3) KR_FN(turn_rows_of)(3, x, m, columns);
  else KR_FN(turn_rows_of)(4, x, m, columns);
}

static void KR_FN(turn_back)(const real *restrict columns, int64_t m, int64_t n, real *restrict y) {
  if (n == 2) KR_FN(turn_back_of)(2, columns, m, y);
  else if (n == 3) KR_FN(turn_back_of)(3, columns, m, y);
  else KR_FN(turn_back_of)(4, columns, m, y);
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

/* exp(x - shift), stored where y is given. */
KR_INLINE vreal KR_FN(exp_term)(const real *x, vreal shift, int no_maximum, real *y, int64_t w) {
  vreal e = KR_FN(exp_of)(v_sub(KR_FN(ld)(x, w), shift), no_maximum);
  if (y) KR_FN(st)(y, e, w);
  return KR_FN(keep)(e, w);
}
