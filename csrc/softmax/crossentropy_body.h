/* Cross-entropies and their gradients, for one width of real; included by crossentropy.c. */
#include "row_body.h"

typedef struct {
  const kr_call *c;
  int64_t rows, n, group;
  void (*row)(const kr_call *c, int64_t row, int64_t n);
} KR_FN(loss_job);

#define ROW_OF(input) ((const real *)c->in[input].data + row * n)
#define GRAD_AT(row) (((const real *)c->in[2].data)[row])
#define OUT ((real *)c->out[0].data)

KR_INLINE int64_t KR_FN(label_at)(const kr_array *labels, int64_t row) {
  return labels->dtype == KR_I32 ? ((const int32_t *)labels->data)[row] : ((const int64_t *)labels->data)[row];
}

KR_INLINE real KR_FN(log1)(real x) {
  real KR_ALIGNED t[V_LANES];
  v_store(t, v_log(v_set1(x)));
  return t[0];
}

/* sum_j t_j (log sum exp(x - max) - (x_j - max)) */
static void KR_FN(softmax_cross_entropy_row)(const kr_call *c, int64_t row, int64_t n) {
  const real *x = ROW_OF(0), *t = ROW_OF(1);
  real max, log_sum = KR_FN(log1)(KR_FN(row_stats)(x, n, &max, NULL)), loss;
  vreal shift = v_set1(max), whole = v_set1(log_sum);
  ROW_SUM(n, loss, KR_FN(keep)(v_mul(KR_FN(ld)(t + j, w), v_sub(whole, v_sub(KR_FN(ld)(x + j, w), shift))), w));
  OUT[row] = loss;
}

/* g (softmax(x) sum t - t) */
static void KR_FN(softmax_cross_entropy_grad_row)(const kr_call *c, int64_t row, int64_t n) {
  const real *x = ROW_OF(0), *t = ROW_OF(1);
  real *dx = OUT + row * n, max, total, g = GRAD_AT(row);
  ROW_SUM(n, total, KR_FN(ld)(t + j, w));
  real sum = KR_FN(row_stats)(x, n, &max, dx);
  vreal scale = v_set1(total / sum), vg = v_set1(g);
  for (int64_t j = 0; j < n; j += V_LANES)
    KR_FN(st)(dx + j, v_mul(vg, v_sub(v_mul(KR_FN(ld)(dx + j, n - j), scale), KR_FN(ld)(t + j, n - j))), n - j);
}

static void KR_FN(sparse_softmax_cross_entropy_row)(const kr_call *c, int64_t row, int64_t n) {
  const real *x = ROW_OF(0);
  real max, log_sum = KR_FN(log1)(KR_FN(row_stats)(x, n, &max, NULL));
  OUT[row] = log_sum - (x[KR_FN(label_at)(&c->in[1], row)] - max);
}

static void KR_FN(sparse_softmax_cross_entropy_grad_row)(const kr_call *c, int64_t row, int64_t n) {
  real *dx = OUT + row * n, max, g = GRAD_AT(row);
  real sum = KR_FN(row_stats)(ROW_OF(0), n, &max, dx);
  vreal scale = v_set1(g / sum);
  for (int64_t j = 0; j < n; j += V_LANES) KR_FN(st)(dx + j, v_mul(KR_FN(ld)(dx + j, n - j), scale), n - j);
  dx[KR_FN(label_at)(&c->in[1], row)] -= g;
}

KR_INLINE vreal KR_FN(clip)(vreal q, real eps) {
  return v_select(v_isnan(q), q, v_min(v_max(q, v_set1(eps)), v_set1((real)(1 - (double)eps))));
}

KR_INLINE vmask KR_FN(inside)(vreal q, real eps) {
  return m_and(v_ge(q, v_set1(eps)), v_le(q, v_set1((real)(1 - (double)eps))));
}

KR_INLINE real KR_FN(row_total)(const real *p, int64_t n) {
  real total;
  ROW_SUM(n, total, KR_FN(ld)(p + j, w));
  return total;
}

/* -sum_j t_j log(clip(p_j / sum p)) */
static void KR_FN(cross_entropy_row)(const kr_call *c, int64_t row, int64_t n) {
  const real *p = ROW_OF(0), *t = ROW_OF(1), eps = (real)c->f[0];
  vreal total = v_set1(KR_FN(row_total)(p, n));
  real loss;
  ROW_SUM(n, loss,
          v_mul(KR_FN(ld)(t + j, w), v_log(KR_FN(clip)(v_div(KR_FN(keep)(KR_FN(ld)(p + j, w), w), total), eps))));
  OUT[row] = -loss;
}

/* g (sum_j t_j m_j / s - t_i m_i / p_i), with s = sum p and m = 1 where p / s lies within the clip. */
static void KR_FN(cross_entropy_grad_row)(const kr_call *c, int64_t row, int64_t n) {
  const real *p = ROW_OF(0), *t = ROW_OF(1), eps = (real)c->f[0];
  real *dp = OUT + row * n, g = GRAD_AT(row), s = KR_FN(row_total)(p, n), total;
  vreal vs = v_set1(s), vg = v_set1(g);
#define KEPT(w) v_select(KR_FN(inside)(v_div(KR_FN(ld)(p + j, w), vs), eps), KR_FN(ld)(t + j, w), v_zero())
  ROW_SUM(n, total, KEPT(w));
  vreal common = v_set1(total / s);
  for (int64_t j = 0; j < n; j += V_LANES) {
    vreal kept = KEPT(n - j);
    vreal pull = v_select(v_eq(kept, v_zero()), v_zero(), v_div(kept, KR_FN(ld)(p + j, n - j)));
    KR_FN(st)(dp + j, v_mul(vg, v_sub(common, pull)), n - j);
  }
#undef KEPT
}

static void KR_FN(sparse_cross_entropy_row)(const kr_call *c, int64_t row, int64_t n) {
  const real *p = ROW_OF(0), eps = (real)c->f[0];
  real q = p[KR_FN(label_at)(&c->in[1], row)] / KR_FN(row_total)(p, n), high = (real)(1 - (double)eps);
  OUT[row] = -KR_FN(log1)(q < eps ? eps : q > high ? high : q);
}

static void KR_FN(sparse_cross_entropy_grad_row)(const kr_call *c, int64_t row, int64_t n) {
  const real *p = ROW_OF(0), eps = (real)c->f[0];
  int64_t label = KR_FN(label_at)(&c->in[1], row);
  real *dp = OUT + row * n, g = GRAD_AT(row), s = KR_FN(row_total)(p, n), q = p[label] / s;
  int inside = q >= eps && q <= (real)(1 - (double)eps);
  real common = inside ? g / s : 0;
  for (int64_t j = 0; j < n; ++j) dp[j] = common;
  if (inside) dp[label] -= g / p[label];
}

#include "short_losses.h"

static void KR_FN(loss_task)(void *arg, int64_t task, int worker) {
  (void)worker;
  const KR_FN(loss_job) *j = arg;
  for (int64_t r = task * j->group; r < kr_min(j->rows, (task + 1) * j->group); ++r) j->row(j->c, r, j->n);
}

static kr_status KR_FN(losses)(const kr_call *c, void (*row)(const kr_call *, int64_t, int64_t),
                               void (*few)(const KR_FN(short_job) *), int sparse) {
  KR_FN(loss_job) j = {.c = c, .n = c->in[0].shape[c->in[0].ndim - 1], .row = row};
  j.rows = kr_span(&c->in[0], 0, c->in[0].ndim - 1);
  if (sparse)
    for (int64_t r = 0; r < j.rows; ++r) {
      int64_t label = KR_FN(label_at)(&c->in[1], r);
      if (label < 0 || label >= j.n) return kr_index_error(c, 1, r, label, j.n);
    }
  if (kr_size(&c->out[0]) == 0) return KR_OK;
  j.group = kr_max(1, WORK / kr_max(1, j.n));
  if (few && SHORT_ROWS(j.n)) {
    KR_FN(short_losses_job)
    s = {.c = c,
         .rows = j.rows,
         .n = j.n,
         .group = kr_round_up(j.group, TILE),
         .dense = !sparse,
         .grad = c->n_in > 2,
         .fn = few};
    kr_parallel(c->threads, kr_ceil_div(s.rows, s.group), KR_FN(short_losses_task), &s);
    return KR_OK;
  }
  kr_parallel(c->threads, kr_ceil_div(j.rows, j.group), KR_FN(loss_task), &j);
  return KR_OK;
}

#define LOSS_KERNEL(name, few, sparse)                                \
  static kr_status KR_PASTE(KR_FN(name), _kernel)(const kr_call *c) { \
    return KR_FN(losses)(c, KR_FN(name##_row), few, sparse);          \
  }
LOSS_KERNEL(softmax_cross_entropy, KR_FN(softmax_cross_entropy_short), 0)
LOSS_KERNEL(softmax_cross_entropy_grad, KR_FN(softmax_cross_entropy_grad_short), 0)
LOSS_KERNEL(sparse_softmax_cross_entropy, KR_FN(sparse_softmax_cross_entropy_short), 1)
LOSS_KERNEL(sparse_softmax_cross_entropy_grad, KR_FN(sparse_softmax_cross_entropy_grad_short), 1)
LOSS_KERNEL(cross_entropy, KR_FN(cross_entropy_short), 0)
LOSS_KERNEL(cross_entropy_grad, KR_FN(cross_entropy_grad_short), 0)
LOSS_KERNEL(sparse_cross_entropy, KR_FN(sparse_cross_entropy_short), 1)
LOSS_KERNEL(sparse_cross_entropy_grad, NULL, 1) /* one sum a row: to turn the rows costs more than it saves */
#undef LOSS_KERNEL

/* log1p(exp(-|x|)) + (x > 0 ? (1 - t) x : -t x): exact cancellation where t is 0 or 1. */
KR_INLINE vreal KR_FN(sigmoid_cross_entropy)(vreal x, vreal t, vreal g, real eps) {
  (void)g, (void)eps;
  vreal side = v_select(v_gt(x, v_zero()), v_sub(v_set1(1), t), v_neg(t));
  return v_add(v_log1p(v_exp(v_neg(v_abs(x)))), v_mul(side, x));
}

/* g (sigmoid(x) - t) */
KR_INLINE vreal KR_FN(sigmoid_cross_entropy_grad)(vreal x, vreal t, vreal g, real eps) {
  (void)eps;
  return v_mul(g, v_sub(v_sigmoid(x), t));
}

/* -(t log q + (1 - t) log(1 - q)), q = clip(p) */
KR_INLINE vreal KR_FN(binary_cross_entropy)(vreal p, vreal t, vreal g, real eps) {
  (void)g;
  vreal q = KR_FN(clip)(p, eps), one = v_set1(1);
  return v_neg(v_add(v_mul(t, v_log(q)), v_mul(v_sub(one, t), v_log(v_sub(one, q)))));
}

/* g (q - t) / (q (1 - q)) within the clip, 0 outside */
KR_INLINE vreal KR_FN(binary_cross_entropy_grad)(vreal p, vreal t, vreal g, real eps) {
  vreal slope = v_div(v_sub(p, t), v_mul(p, v_sub(v_set1(1), p)));
  return v_select(KR_FN(inside)(p, eps), v_mul(g, slope), v_zero());
}

#define BINARY_KERNEL(name)                                                                                       \
  static void KR_PASTE(KR_FN(name), _task)(void *arg, int64_t task, int worker) {                                 \
    (void)worker;                                                                                                 \
    const kr_call *c = arg;                                                                                       \
    const real *x = c->in[0].data, *t = c->in[1].data, *g = c->n_in > 2 ? c->in[2].data : NULL;                   \
    real *y = c->out[0].data, eps = c->n_f ? (real)c->f[0] : 0;                                                   \
    for (int64_t j = task * WORK, end = kr_min(kr_size(&c->out[0]), j + WORK); j < end; j += V_LANES) {           \
      int64_t w = end - j;                                                                                        \
      KR_FN(st)                                                                                                   \
      (y + j, KR_FN(name)(KR_FN(ld)(x + j, w), KR_FN(ld)(t + j, w), g ? KR_FN(ld)(g + j, w) : v_zero(), eps), w); \
    }                                                                                                             \
  }                                                                                                               \
  static kr_status KR_PASTE(KR_FN(name), _kernel)(const kr_call *c) {                                             \
    kr_parallel(c->threads, kr_ceil_div(kr_size(&c->out[0]), WORK), KR_PASTE(KR_FN(name), _task), (void *)c);     \
    return KR_OK;                                                                                                 \
  }
BINARY_KERNEL(sigmoid_cross_entropy)
BINARY_KERNEL(sigmoid_cross_entropy_grad)
BINARY_KERNEL(binary_cross_entropy)
BINARY_KERNEL(binary_cross_entropy_grad)
#undef BINARY_KERNEL
#undef ROW_OF
#undef GRAD_AT
#undef OUT
