/* Softmax and its relatives along a line of n elements, for one width of real; included by softmax.c.
 *
 * A line is either contiguous (a row) or one of m <= TILE neighbouring columns whose elements lie s apart. */
#include "row_body.h"

static void KR_FN(softmax_row)(const real *x, const real *unused, int64_t n, real *y) {
  (void)unused;
  real max, sum = KR_FN(row_stats)(x, n, &max, y);
  vreal scale = v_set1(1 / sum);
  for (int64_t j = 0; j < n; j += V_LANES) KR_FN(st)(y + j, v_mul(KR_FN(ld)(y + j, n - j), scale), n - j);
}

/* (x - max) - log(sum): the large parts cancel before the small one is added. */
static void KR_FN(log_softmax_row)(const real *x, const real *unused, int64_t n, real *y) {
  (void)unused;
  real max, sum = KR_FN(row_stats)(x, n, &max, NULL);
  vreal shift = v_set1(max), log_sum = v_log(v_set1(sum));
  for (int64_t j = 0; j < n; j += V_LANES)
    KR_FN(st)(y + j, v_sub(v_sub(KR_FN(ld)(x + j, n - j), shift), log_sum), n - j);
}

/* An infinite maximum is no shift: the sum is then 0 or inf and so its logarithm is right. */
static void KR_FN(logsumexp_row)(const real *x, const real *unused, int64_t n, real *y) {
  (void)unused;
  real max = KR_FN(row)(OP_MAX, x, n), sum;
  if (!isfinite(max)) max = 0;
  vreal shift = v_set1(max);
  ROW_SUM(n, sum, KR_FN(exp_term)(x + j, shift, NULL, w));
  real KR_ALIGNED t[V_LANES];
  v_store(t, v_log(v_set1(sum)));
  *y = max + t[0];
}

static void KR_FN(softmax_grad_row)(const real *y, const real *g, int64_t n, real *dx) {
  real s;
  ROW_SUM(n, s, v_mul(KR_FN(ld)(y + j, w), KR_FN(ld)(g + j, w)));
  vreal dot = v_set1(s);
  for (int64_t j = 0; j < n; j += V_LANES)
    KR_FN(st)(dx + j, v_mul(KR_FN(ld)(y + j, n - j), v_sub(KR_FN(ld)(g + j, n - j), dot)), n - j);
}

static void KR_FN(log_softmax_grad_row)(const real *y, const real *g, int64_t n, real *dx) {
  real s;
  ROW_SUM(n, s, KR_FN(ld)(g + j, w));
  vreal sum = v_set1(s);
  for (int64_t j = 0; j < n; j += V_LANES)
    KR_FN(st)(dx + j, v_fnma(v_exp(KR_FN(ld)(y + j, n - j)), sum, KR_FN(ld)(g + j, n - j)), n - j);
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
  COLUMN_SUM(n, m, sum, KR_FN(exp_term)(x + k * s + j, v_load(max + j), y + k * s + j, w))
  EACH(n, m, v_div(KR_FN(ld)(y + k * s + j, w), v_load(sum + j)), y)
}

static void KR_FN(log_softmax_cols)(const real *x, const real *unused, int64_t n, int64_t s, int64_t m, real *y) {
  (void)unused;
  real KR_ALIGNED max[TILE], sum[TILE];
  KR_FN(cols)(OP_MAX, x, n, s, m, max);
  COLUMN_SUM(n, m, sum, KR_FN(exp_term)(x + k * s + j, v_load(max + j), NULL, w))
  for (int64_t j = 0; j < m; j += V_LANES) v_store(sum + j, v_log(v_load(sum + j)));
  EACH(n, m, v_sub(v_sub(KR_FN(ld)(x + k * s + j, w), v_load(max + j)), v_load(sum + j)), y)
}

static void KR_FN(logsumexp_cols)(const real *x, const real *unused, int64_t n, int64_t s, int64_t m, real *y) {
  (void)unused;
  real KR_ALIGNED max[TILE], sum[TILE];
  KR_FN(cols)(OP_MAX, x, n, s, m, max);
  for (int64_t j = 0; j < m; ++j) max[j] = isfinite(max[j]) ? max[j] : 0;
  COLUMN_SUM(n, m, sum, KR_FN(exp_term)(x + k * s + j, v_load(max + j), NULL, w))
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
  void (*row)(const real *a, const real *b, int64_t n, real *y);
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
  for (; o < end; ++o) {
    const real *a = j->a + o * j->n * j->inner + c, *b = j->b ? j->b + (a - j->a) : NULL;
    real *y = j->y + o * j->out_n * j->inner + c;
    if (j->inner == 1) j->row(a, b, j->n, y);
    else j->cols(a, b, j->n, j->inner, kr_min(TILE, j->inner - c), y);
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
  kr_parallel(c->threads, kr_ceil_div(j.outer, j.group) * j.tiles, KR_FN(line_task), &j);
  return KR_OK;
}

#define LINE_KERNEL(name, keeps)                                                                            \
  static kr_status KR_PASTE(KR_FN(name), _kernel)(const kr_call *c) {                                       \
    return KR_FN(lines)(c, (KR_FN(line_job)){.row = KR_FN(name##_row), .cols = KR_FN(name##_cols)}, keeps); \
  }
LINE_KERNEL(softmax, 1)
LINE_KERNEL(log_softmax, 1)
LINE_KERNEL(logsumexp, 0)
LINE_KERNEL(softmax_grad, 1)
LINE_KERNEL(log_softmax_grad, 1)
#undef LINE_KERNEL
