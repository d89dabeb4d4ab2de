/* Cross-entropies and their gradients, for one width of real; included by crossentropy.c. */
#include "row_body.h"

typedef struct {
  const kr_call *c;
  int64_t rows, n, group;
  void (*fn)(const kr_call *c, int64_t row, int64_t m, int64_t n);
} KR_FN(loss_job);

/* Of a group of rows from number `row` on. */
#define ROWS_OF(input) ((const real *)c->in[input].data + row * n)
#define GRADS ((const real *)c->in[2].data + row)
#define LOSSES ((real *)c->out[0].data + row)
#define DX ((real *)c->out[0].data + row * n)
#define LABEL KR_FN(label_at)(&c->in[1], row + l)
#define LOSS_GROUP(name) KR_INLINE void KR_FN(name##_group)(const kr_call *c, int64_t row, int64_t m, int64_t n, int nv)

KR_INLINE int64_t KR_FN(label_at)(const kr_array *labels, int64_t row) {
  return labels->dtype == KR_I32 ? ((const int32_t *)labels->data)[row] : ((const int64_t *)labels->data)[row];
}

/* sum_j t_j (log sum exp(x - max) - (x_j - max)) */
LOSS_GROUP(softmax_cross_entropy) {
  const real *x = ROWS_OF(0), *t = ROWS_OF(1);
  KR_FN(terms) e;
  real KR_ALIGNED max[GROUP], log_sum[GROUP], loss[GROUP];
  TERMS_AT(&e, NULL);
  KR_FN(group_stats)(x, m, n, nv, max, log_sum, &e);
  EACH_LANES v_store(log_sum + l, v_log(v_load(log_sum + l)));
  FOLD_ROWS(loss, v_hsums, {
    const real *p = x + l * n;
    const real *q = t + l * n;
    const vreal shift = v_set1(max[l]);
    const vreal rest = v_set1(log_sum[l]);
    ROW_SUM(row, v_mul(GET(q), v_sub(rest, v_sub(GET_OR(p, shift), shift))));
  })
  memcpy(LOSSES, loss, (size_t)m * sizeof(real));
}

/* g (softmax(x) sum t - t) */
LOSS_GROUP(softmax_cross_entropy_grad) {
  const real *t = ROWS_OF(1), *g = GRADS;
  KR_FN(terms) e;
  real *dx = DX, KR_ALIGNED max[GROUP], sum[GROUP], scale[GROUP];
  TERMS_AT(&e, dx);
  KR_FN(group_stats)(ROWS_OF(0), m, n, nv, max, sum, &e);
  KR_FN(group_sum)(t, NULL, m, n, nv, scale);
  EACH_LANES v_store(scale + l, v_div(v_load(scale + l), v_load(sum + l)));
  EACH_ROW {
    const real *q = t + l * n, *from = e.at + l * n;
    real *to = dx + l * n;
    const vreal by = v_set1(scale[l]), vg = v_set1(g[l]);
    EACH_VECTOR({
      __builtin_prefetch(q + m * n + j);
      PUT(to, v_mul(vg, v_sub(v_mul(GET(from), by), GET(q))));
    });
  }
}

LOSS_GROUP(sparse_softmax_cross_entropy) {
  const real *x = ROWS_OF(0);
  KR_FN(terms) e;
  real KR_ALIGNED max[GROUP], log_sum[GROUP];
  TERMS_AT(&e, NULL);
  KR_FN(group_stats)(x, m, n, nv, max, log_sum, &e);
  EACH_LANES v_store(log_sum + l, v_log(v_load(log_sum + l)));
  EACH_ROW LOSSES[l] = log_sum[l] - (x[l * n + LABEL] - max[l]);
}

LOSS_GROUP(sparse_softmax_cross_entropy_grad) {
  const real *g = GRADS;
  KR_FN(terms) e;
  real *dx = DX, KR_ALIGNED max[GROUP], scale[GROUP];
  TERMS_AT(&e, dx);
  KR_FN(group_stats)(ROWS_OF(0), m, n, nv, max, scale, &e);
  EACH_LANES v_store(scale + l, v_div(KR_FN(ld)(g + l, m - l), v_load(scale + l)));
  EACH_ROW {
    const real *from = e.at + l * n;
    real *to = dx + l * n;
    const vreal by = v_set1(scale[l]);
    EACH_VECTOR(PUT(to, v_mul(GET(from), by)));
  }
  EACH_ROW dx[l * n + LABEL] -= g[l];
}

/* a / b within 1.1 ulp for normal b whose inverse is normal; the divider takes as long as sixteen operations. */
KR_INLINE vreal KR_FN(over)(vreal a, vreal b) {
#if KR_REAL == 32 && defined(KR_FOR_AVX512)
  return v_mul(a, f32_inverse(b));
#else
  return v_div(a, b);
#endif
}

KR_INLINE vreal KR_FN(clip)(vreal q, real eps) {
  return v_select(v_isnan(q), q, v_min(v_max(q, v_set1(eps)), v_set1((real)(1 - (double)eps))));
}

KR_INLINE vmask KR_FN(inside)(vreal q, real eps) {
  return m_and(v_ge(q, v_set1(eps)), v_le(q, v_set1((real)(1 - (double)eps))));
}

/* The inverses of the sums of a group's rows, by which probabilities are scaled: a division for a row, not for each. */
KR_INLINE void KR_FN(group_inverse)(const real *p, int64_t m, int64_t n, int nv, real *inverse) {
  KR_FN(group_sum)(p, NULL, m, n, nv, inverse);
  EACH_LANES v_store(inverse + l, v_div(v_set1(1), v_load(inverse + l)));
}

/* -sum_j t_j log(clip(p_j / sum p)) */
LOSS_GROUP(cross_entropy) {
  const real *p = ROWS_OF(0), *t = ROWS_OF(1), eps = (real)c->f[0];
  const vreal one = v_set1(1);
  real KR_ALIGNED inverse[GROUP], loss[GROUP];
  KR_FN(group_inverse)(p, m, n, nv, inverse);
  if (nv) {
    KR_FN(terms) q;
    EACH_ROW {
      const real *at = p + l * n;
      real *to = q.run + l * n;
      const vreal s = v_set1(inverse[l]);
      EACH_VECTOR(PUT_TERM(to, v_mul(GET(at), s)));
    }
    EACH_OF_RUN {
      __builtin_prefetch(p + m * n + i);
      v_store(q.run + i, v_log(KR_FN(clip)(v_load(q.run + i), eps)));
    }
    KR_FN(group_sum)(t, q.run, m, n, nv, loss);
  } else {
    FOLD_ROWS(loss, v_hsums, {
      const real *at = p + l * n;
      const real *q = t + l * n;
      const vreal s = v_set1(inverse[l]);
      const int64_t ahead = m * n;
      ROW_SUM(row, ({
                __builtin_prefetch(at + ahead + j);
                __builtin_prefetch(q + ahead + j);
                v_mul(GET(q), v_log(KR_FN(clip)(v_mul(GET_OR(at, one), s), eps)));
              }));
    })
  }
  EACH_LANES KR_FN(st)(LOSSES + l, v_neg(v_load(loss + l)), m - l);
}

/* t where p / s lies within the clip; kept / p as a term. */
KR_INLINE vreal KR_FN(kept)(vreal p, vreal t, vreal inverse, real eps, real *to, int64_t j, int64_t n, int nv,
                            int whole) {
  const vreal kept = v_select(KR_FN(inside)(v_mul(p, inverse), eps), t, v_zero());
  KR_FN(put_term)(to, j, n, nv, whole, v_select(v_eq(kept, v_zero()), v_zero(), KR_FN(over)(kept, p)));
  return kept;
}

/* g (sum_j t_j m_j / s - t_i m_i / p_i), with s = sum p and m = 1 where p / s lies within the clip. */
LOSS_GROUP(cross_entropy_grad) {
  const real *p = ROWS_OF(0), *t = ROWS_OF(1), *g = GRADS, eps = (real)c->f[0];
  KR_FN(terms) pull;
  real *dp = DX, KR_ALIGNED inverse[GROUP], common[GROUP];
  TERMS_AT(&pull, dp);
  KR_FN(group_inverse)(p, m, n, nv, inverse);
  FOLD_ROWS(common, v_hsums, {
    const real *at = p + l * n;
    const real *q = t + l * n;
    real *to = pull.at + l * n;
    const vreal s = v_set1(inverse[l]);
    const int64_t ahead = m * n;
    ROW_SUM(row, ({
              __builtin_prefetch(at + ahead + j);
              __builtin_prefetch(q + ahead + j);
              KR_FN(kept)(GET(at), GET(q), s, eps, to, j, n, nv, whole);
            }));
  })
  EACH_LANES v_store(common + l, v_mul(v_load(common + l), v_load(inverse + l)));
  EACH_ROW {
    const real *from = pull.at + l * n;
    real *to = dp + l * n;
    const vreal vg = v_set1(g[l]), all = v_set1(common[l]);
    EACH_VECTOR(PUT(to, v_mul(vg, v_sub(all, GET(from)))));
  }
}

/* The probability of each row's label. */
KR_INLINE void KR_FN(picked)(const kr_call *c, int64_t row, int64_t m, int64_t n, real *at) {
  EACH_ROW at[l] = ROWS_OF(0)[l * n + LABEL];
  for (int64_t l = m; l % V_LANES; ++l) at[l] = 1;
}

LOSS_GROUP(sparse_cross_entropy) {
  real KR_ALIGNED total[GROUP], at[GROUP];
  KR_FN(group_sum)(ROWS_OF(0), NULL, m, n, nv, total);
  KR_FN(picked)(c, row, m, n, at);
  EACH_LANES {
    const vreal q = KR_FN(clip)(v_div(v_load(at + l), v_load(total + l)), (real)c->f[0]);
    KR_FN(st)(LOSSES + l, v_neg(v_log(q)), m - l);
  }
}

LOSS_GROUP(sparse_cross_entropy_grad) {
  real *dp = DX, KR_ALIGNED common[GROUP], pull[GROUP];
  KR_FN(group_sum)(ROWS_OF(0), NULL, m, n, nv, common);
  KR_FN(picked)(c, row, m, n, pull);
  EACH_LANES {
    const vreal g = KR_FN(ld)(GRADS + l, m - l), s = v_load(common + l), p = v_load(pull + l);
    const vmask in = KR_FN(inside)(v_div(p, s), (real)c->f[0]);
    v_store(common + l, v_select(in, v_div(g, s), v_zero()));
    v_store(pull + l, v_select(in, v_div(g, p), v_zero()));
  }
  EACH_ROW {
    real *to = dp + l * n;
    const vreal all = v_set1(common[l]);
    EACH_VECTOR(PUT(to, all));
  }
  EACH_ROW dp[l * n + LABEL] -= pull[l];
}
#undef ROWS_OF
#undef GRADS
#undef LOSSES
#undef DX
#undef LABEL
#undef LOSS_GROUP

#include "short_losses.h"

static void KR_FN(loss_task)(void *arg, int64_t task, int worker) {
  (void)worker;
  const KR_FN(loss_job) *j = arg;
  const int64_t end = kr_min(j->rows, (task + 1) * j->group), group = KR_FN(group_rows)(j->n, 0);
  for (int64_t r = task * j->group; r < end; r += group) j->fn(j->c, r, kr_min(group, end - r), j->n);
}

/* The first row whose label is outside [0, n), or `rows`: a check of many without a branch, a search where it fails. */
static int64_t KR_FN(first_bad_label)(const kr_array *labels, int64_t rows, int64_t n) {
  for (int64_t from = 0; from < rows; from += WORK) {
    const int64_t end = kr_min(rows, from + WORK);
    int bad = 0;
    if (labels->dtype == KR_I32) {
      const int32_t *label = labels->data, most = (int32_t)kr_min(n, INT32_MAX);
      for (int64_t r = from; r < end; ++r) bad |= (label[r] < 0) | (label[r] >= most);
    } else {
      const int64_t *label = labels->data;
      for (int64_t r = from; r < end; ++r) bad |= (label[r] < 0) | (label[r] >= n);
    }
    for (int64_t r = from; bad && r < end; ++r)
      if (KR_FN(label_at)(labels, r) < 0 || KR_FN(label_at)(labels, r) >= n) return r;
  }
  return rows;
}

static kr_status KR_FN(losses)(const kr_call *c, void (*fn)(const kr_call *, int64_t, int64_t, int64_t),
                               void (*few)(const KR_FN(short_job) *), int sparse) {
  KR_FN(loss_job) j = {.c = c, .n = c->in[0].shape[c->in[0].ndim - 1], .fn = fn};
  j.rows = kr_span(&c->in[0], 0, c->in[0].ndim - 1);
  if (sparse) {
    const int64_t bad = KR_FN(first_bad_label)(&c->in[1], j.rows, j.n);
    if (bad < j.rows) return kr_index_error(c, 1, bad, KR_FN(label_at)(&c->in[1], bad), j.n);
  }
  if (kr_size(&c->out[0]) == 0) return KR_OK;
  j.group = kr_round_up(kr_max(1, WORK / kr_max(1, j.n)), KR_FN(group_rows)(j.n, 0));
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

#define LOSS_KERNEL(name, few, sparse)                                                            \
  static void KR_PASTE(KR_FN(name), _rows)(const kr_call *c, int64_t row, int64_t m, int64_t n) { \
    BY_VECTORS(KR_FN(name##_group), n, c, row, m, n);                                             \
  }                                                                                               \
  static kr_status KR_PASTE(KR_FN(name), _kernel)(const kr_call *c) {                             \
    return KR_FN(losses)(c, KR_PASTE(KR_FN(name), _rows), few, sparse);                           \
  }
LOSS_KERNEL(softmax_cross_entropy, KR_FN(softmax_cross_entropy_short), 0)
LOSS_KERNEL(softmax_cross_entropy_grad, KR_FN(softmax_cross_entropy_grad_short), 0)
LOSS_KERNEL(sparse_softmax_cross_entropy, KR_FN(sparse_softmax_cross_entropy_short), 1)
LOSS_KERNEL(sparse_softmax_cross_entropy_grad, KR_FN(sparse_softmax_cross_entropy_grad_short), 1)
LOSS_KERNEL(cross_entropy, KR_FN(cross_entropy_short), 0)
LOSS_KERNEL(cross_entropy_grad, KR_FN(cross_entropy_grad_short), 0)
LOSS_KERNEL(sparse_cross_entropy, NULL, 1)
LOSS_KERNEL(sparse_cross_entropy_grad, NULL, 1)
#undef LOSS_KERNEL

/* log1p(exp(-|x|)) + (x > 0 ? (1 - t) x : -t x): exact cancellation where t is 0 or 1. */
KR_INLINE vreal KR_FN(sigmoid_cross_entropy)(vreal x, vreal t, vreal g, real eps) {
  (void)g, (void)eps;
  vreal side = v_select(v_gt(x, v_zero()), v_sub(v_set1(1), t), v_neg(t));
  return v_add(v_log1p(v_exp_below(v_neg(v_abs(x)))), v_mul(side, x));
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
