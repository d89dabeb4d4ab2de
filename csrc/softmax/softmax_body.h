/* Softmax and its relatives along a line of n elements, for one width of real; included by softmax.c.
 *
 * A line is either contiguous (a row; m of them go as a group, row_body.h) or one of m <= TILE neighbouring columns whose
 * elements lie s apart. */
#include "row_body.h"

KR_INLINE void KR_FN(softmax_group)(const real *x, const real *unused, int64_t m, int64_t n, real *y, int nv) {
  (void)unused;
  KR_FN(terms) t;
  real KR_ALIGNED max[GROUP], scale[GROUP];
  TERMS_AT(&t, y);
  KR_FN(group_stats)(x, m, n, nv, max, scale, &t);
  EACH_LANES v_store(scale + l, v_div(v_set1(1), v_load(scale + l)));
  EACH_ROW {
    const real *from = t.at + l * n;
    real *to = y + l * n;
    const vreal by = v_set1(scale[l]);
    EACH_VECTOR(PUT(to, v_mul(GET(from), by)));
  }
}

/* (x - max) - log(sum): the large parts cancel before the small one is added. */
KR_INLINE void KR_FN(log_softmax_group)(const real *x, const real *unused, int64_t m, int64_t n, real *y, int nv) {
  (void)unused;
  KR_FN(terms) e;
  real KR_ALIGNED max[GROUP], log_sum[GROUP];
  TERMS_AT(&e, NULL);
  KR_FN(group_stats)(x, m, n, nv, max, log_sum, &e);
  EACH_LANES v_store(log_sum + l, v_log(v_load(log_sum + l)));
  EACH_ROW {
    const real *p = x + l * n;
    real *to = y + l * n;
    const vreal shift = v_set1(max[l]), rest = v_set1(log_sum[l]);
    EACH_VECTOR(PUT(to, v_sub(v_sub(GET(p), shift), rest)));
  }
}

/* An infinite maximum is no shift: the sum is then 0 or inf and so its logarithm is right. */
KR_INLINE void KR_FN(logsumexp_group)(const real *x, const real *unused, int64_t m, int64_t n, real *y, int nv) {
  (void)unused;
  KR_FN(terms) e;
  real KR_ALIGNED max[GROUP], sum[GROUP];
  TERMS_AT(&e, NULL);
  KR_FN(group_max)(x, m, n, nv, max);
  EACH_ROW max[l] = isfinite(max[l]) ? max[l] : 0;
  KR_FN(group_exps)(x, m, n, nv, max, 1, sum, &e);
  EACH_LANES KR_FN(st)(y + l, v_add(v_load(max + l), v_log(v_load(sum + l))), m - l);
}

/* The row to which each lane belongs, of n vectors that hold as many rows of n elements as a vector has lanes. */
KR_INLINE void KR_FN(lane_rows)(int64_t n, vint *row) {
  static const real lane[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const vreal by = v_set1((real)1 / (real)n), first = v_load(lane);
  for (int64_t k = 0; k < n; ++k) /* half an element on, so that no quotient is close to an integer */
    row[k] = v_to_int(v_trunc(v_mul(v_add(first, v_set1((real)(k * V_LANES) + (real)0.5)), by)));
}

/* Of a row, what its gradient takes the sum of, but for the lanes; and the gradient with the sum. */
KR_INLINE vreal KR_FN(grad_sum)(const real *p, const real *q, int64_t n, int nv, int log) {
  vreal sum;
  ROW_SUM(sum, log ? GET(q) : v_mul(GET(p), GET(q)));
  return sum;
}
KR_INLINE vreal KR_FN(grad_with)(vreal y, vreal g, vreal sum, int log) {
  return log ? v_fnma(v_exp(y), sum, g) : v_mul(y, v_sub(g, sum));
}

KR_INLINE vreal KR_FN(grad_sums)(const real *y, const real *g, int64_t n, int nv, int log) {
  vreal rows[V_LANES];
#pragma GCC unroll 16
  for (int64_t l = 0; l < V_LANES; ++l) rows[l] = KR_FN(grad_sum)(y + l * n, g + l * n, n, nv, log);
  return v_hsums(rows);
}

/* Gradients of rows of one or two vectors.  They are written by whole vectors, whose lanes take the sums of their rows, and
 * the next rows are summed before that: what waits for a sum would fill the processor's window otherwise. */
KR_INLINE void KR_FN(grads_of_few)(const real *y, const real *g, int64_t m, int64_t n, real *dx, int nv, int log) {
  const int64_t all = V_LANES * n;
  if (m >= V_LANES) {
    vint row[2 * V_LANES];
    KR_FN(lane_rows)(n, row);
    vreal next = KR_FN(grad_sums)(y, g, n, nv, log);
    for (; m >= V_LANES; m -= V_LANES, y += all, g += all, dx += all) {
      const vreal sums = next;
      if (m >= 2 * V_LANES) next = KR_FN(grad_sums)(y + all, g + all, n, nv, log);
      for (int64_t k = 0; k < n; ++k) {
        const int64_t i = k * V_LANES;
        v_store(dx + i, KR_FN(grad_with)(v_load(y + i), v_load(g + i), v_take(sums, row[k]), log));
      }
    }
  }
  real KR_ALIGNED sums[V_LANES];
  FOLD_ROWS(sums, v_hsums, row = KR_FN(grad_sum)(y + l * n, g + l * n, n, nv, log));
  EACH_ROW {
    const real *p = y + l * n, *q = g + l * n;
    real *to = dx + l * n;
    const vreal sum = v_set1(sums[l]);
    EACH_VECTOR(PUT(to, KR_FN(grad_with)(GET(p), GET(q), sum, log)));
  }
}

KR_INLINE void KR_FN(softmax_grad_group)(const real *y, const real *g, int64_t m, int64_t n, real *dx, int nv) {
  if (nv) {
    KR_FN(grads_of_few)(y, g, m, n, dx, nv, 0);
    return;
  }
  real KR_ALIGNED dot[GROUP];
  KR_FN(group_sum)(y, g, m, n, nv, dot);
  EACH_ROW {
    const real *p = y + l * n, *q = g + l * n;
    real *to = dx + l * n;
    const vreal s = v_set1(dot[l]);
    EACH_VECTOR(PUT(to, v_mul(GET(p), v_sub(GET(q), s))));
  }
}

KR_INLINE void KR_FN(log_softmax_grad_group)(const real *y, const real *g, int64_t m, int64_t n, real *dx, int nv) {
  if (nv) {
    KR_FN(grads_of_few)(y, g, m, n, dx, nv, 1);
    return;
  }
  real KR_ALIGNED sum[GROUP];
  KR_FN(group_sum)(g, NULL, m, n, nv, sum);
  EACH_ROW {
    const real *p = y + l * n, *q = g + l * n;
    real *to = dx + l * n;
    const vreal s = v_set1(sum[l]);
    EACH_VECTOR(PUT(to, v_fnma(v_exp(GET(p)), s, GET(q))));
  }
}

#define EACH(n, m, VALUE, to)                    \
  for (int64_t k = 0; k < (n); ++k)              \
    for (int64_t j = 0; j < (m); j += V_LANES) { \
      int64_t w = (m) - j;                       \
      KR_FN(st)((to) + k * s + j, VALUE, w);     \
    }

static void KR_FN(softmax_cols)(const real *x, const real *unused, int64_t n, int64_t s, int64_t m, real *y) {
  (void)unused;
  real KR_ALIGNED max[TILE], sum[TILE];
  KR_FN(cols)(OP_MAX, x, n, s, m, max);
  COLUMN_SUM(n, m, sum, KR_FN(exp_term)(x + k * s + j, v_load(max + j), 0, y + k * s + j, w))
  EACH(n, m, v_div(KR_FN(ld)(y + k * s + j, w), v_load(sum + j)), y)
}

static void KR_FN(log_softmax_cols)(const real *x, const real *unused, int64_t n, int64_t s, int64_t m, real *y) {
  (void)unused;
  real KR_ALIGNED max[TILE], sum[TILE];
  KR_FN(cols)(OP_MAX, x, n, s, m, max);
  COLUMN_SUM(n, m, sum, KR_FN(exp_term)(x + k * s + j, v_load(max + j), 0, NULL, w))
  for (int64_t j = 0; j < m; j += V_LANES) v_store(sum + j, v_log(v_load(sum + j)));
  EACH(n, m, v_sub(v_sub(KR_FN(ld)(x + k * s + j, w), v_load(max + j)), v_load(sum + j)), y)
}

static void KR_FN(logsumexp_cols)(const real *x, const real *unused, int64_t n, int64_t s, int64_t m, real *y) {
  (void)unused;
  real KR_ALIGNED max[TILE], sum[TILE];
  KR_FN(cols)(OP_MAX, x, n, s, m, max);
  for (int64_t j = 0; j < m; ++j) max[j] = isfinite(max[j]) ? max[j] : 0;
  COLUMN_SUM(n, m, sum, KR_FN(exp_term)(x + k * s + j, v_load(max + j), 1, NULL, w))
  for (int64_t j = 0; j < m; j += V_LANES) KR_FN(st)(y + j, v_add(v_load(max + j), v_log(v_load(sum + j))), m - j);
}

static void KR_FN(softmax_grad_cols)(const real *y, const real *g, int64_t n, int64_t s, int64_t m, real *dx) {
  real KR_ALIGNED dot[TILE];
  COLUMN_SUM(n, m, dot, v_mul(KR_FN(ld)(y + k * s + j, w), KR_FN(ld)(g + k * s + j, w)))
  EACH(n, m, v_mul(KR_FN(ld)(y + k * s + j, w), v_sub(KR_FN(ld)(g + k * s + j, w), v_load(dot + j))), dx)
}

static void KR_FN(log_softmax_grad_cols)(const real *y, const real *g, int64_t n, int64_t s, int64_t m, real *dx) {
  real KR_ALIGNED sum[TILE];
  COLUMN_SUM(n, m, sum, KR_FN(ld)(g + k * s + j, w))
  EACH(n, m, v_fnma(v_exp(KR_FN(ld)(y + k * s + j, w)), v_load(sum + j), KR_FN(ld)(g + k * s + j, w)), dx)
}
#undef EACH

typedef struct {
  const real *a, *b;
  real *y;
  int64_t outer, n, inner, group, tiles, out_n;
  int light; /* sums only (group_rows) */
  void (*rows)(const real *a, const real *b, int64_t m, int64_t n, real *y);
  void (*cols)(const real *a, const real *b, int64_t n, int64_t s, int64_t m, real *y);
} KR_FN(line_job);

/* Short rows [from, to), transposed and back: done as columns, and in place. */
static void KR_FN(short_lines)(const KR_FN(line_job) * j, int64_t from, int64_t to) {
  const int64_t n = j->n;
  real KR_ALIGNED a[SHORT_MOST * TILE], b[SHORT_MOST * TILE];
  for (int64_t row = from; row < to; row += TILE) {
    const int64_t m = kr_min(TILE, to - row);
    KR_FN(turn_rows)(j->a + row * n, m, n, a);
    if (j->b) KR_FN(turn_rows)(j->b + row * n, m, n, b);
    j->cols(a, b, n, TILE, m, j->out_n == n ? a : j->y + row);
    if (j->out_n == n) KR_FN(turn_back)(a, m, n, j->y + row * n);
  }
}

static void KR_FN(line_task)(void *arg, int64_t task, int worker) {
  (void)worker;
  const KR_FN(line_job) *j = arg;
  int64_t c = task % j->tiles * TILE, o = task / j->tiles * j->group, end = kr_min(j->outer, o + j->group);
  if (j->inner == 1 && SHORT_ROWS(j->n)) {
    KR_FN(short_lines)(j, o, end);
    return;
  }
  const int64_t group = KR_FN(group_rows)(j->n, j->light);
  for (; j->inner == 1 && o < end; o += group)
    j->rows(j->a + o * j->n, j->b ? j->b + o * j->n : NULL, kr_min(group, end - o), j->n, j->y + o * j->out_n);
  for (; o < end; ++o) {
    const real *a = j->a + o * j->n * j->inner + c, *b = j->b ? j->b + (a - j->a) : NULL;
    j->cols(a, b, j->n, j->inner, kr_min(TILE, j->inner - c), j->y + o * j->out_n * j->inner + c);
  }
}

static kr_status KR_FN(lines)(const kr_call *c, KR_FN(line_job) j, int keeps) {
  const kr_array *x = &c->in[0];
  j.a = x->data;
  j.b = c->n_in > 1 ? c->in[1].data : NULL;
  j.y = c->out[0].data;
  j.outer = kr_span(x, 0, (int)c->i[0]);
  j.n = kr_span(x, (int)c->i[0], (int)c->i[1]);
  j.inner = kr_span(x, (int)c->i[1], x->ndim);
  j.out_n = keeps ? j.n : 1;
  if (j.outer * j.inner * j.out_n == 0) return KR_OK;
  j.tiles = kr_ceil_div(j.inner, TILE);
  j.group = j.tiles == 1 ? kr_max(1, WORK / kr_max(1, j.n * j.inner)) : 1;
  if (j.inner == 1) j.group = kr_round_up(j.group, SHORT_ROWS(j.n) ? TILE : KR_FN(group_rows)(j.n, j.light));
  kr_parallel(c->threads, kr_ceil_div(j.outer, j.group) * j.tiles, KR_FN(line_task), &j);
  return KR_OK;
}

#define LINE_KERNEL(name, keeps, sums)                                                                           \
  static void KR_PASTE(KR_FN(name), _rows)(const real *a, const real *b, int64_t m, int64_t n, real *y) {        \
    BY_VECTORS(KR_FN(name##_group), n, a, b, m, n, y);                                                           \
  }                                                                                                              \
  static kr_status KR_PASTE(KR_FN(name), _kernel)(const kr_call *c) {                                            \
    const KR_FN(line_job) j = {.rows = KR_PASTE(KR_FN(name), _rows), .cols = KR_FN(name##_cols), .light = sums}; \
    return KR_FN(lines)(c, j, keeps);                                                                            \
  }
LINE_KERNEL(softmax, 1, 0)
LINE_KERNEL(log_softmax, 1, 0)
LINE_KERNEL(logsumexp, 0, 0)
LINE_KERNEL(softmax_grad, 1, 1)
LINE_KERNEL(log_softmax_grad, 1, 0)
#undef LINE_KERNEL
