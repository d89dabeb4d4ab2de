/* Cross-entropies of short rows, TILE of them side by side, for one width of real; included by crossentropy_body.h.
 *
 * A function gets m rows from number `row` on: x, and t where the target is dense, transposed ((n, TILE), its own to
 * overwrite).  It writes m losses, or leaves the gradient in x. */

typedef struct {
  const kr_call *c;
  int64_t row, m, n;
  real *x, *t;
} KR_FN(short_job);

#define EACH_COLUMN for (int64_t j = 0; j < s->m; j += V_LANES)
#define EACH_ELEMENT                 \
  for (int64_t k = 0; k < s->n; ++k) \
    for (int64_t j = 0; j < s->m; j += V_LANES)
#define X (s->x + k * TILE + j)
#define T (s->t + k * TILE + j)
#define G(at) (((const real *)s->c->in[2].data)[s->row + (at)])
#define LABEL(at) KR_FN(label_at)(&s->c->in[1], s->row + (at))
#define LOSS ((real *)s->c->out[0].data + s->row)

/* Maxima and sums of exponentials of the columns; the terms replace x where `keeps` says so. */
KR_INLINE void KR_FN(short_stats)(const KR_FN(short_job) * s, int keeps, real *max, real *sum) {
  const int64_t n = s->n, m = s->m;
  KR_FN(cols)(OP_MAX, s->x, n, TILE, m, max);
  COLUMN_SUM(n, m, sum, KR_FN(exp_term)(X, v_load(max + j), 0, keeps ? X : NULL, w))
}

static void KR_FN(softmax_cross_entropy_short)(const KR_FN(short_job) * s) {
  real KR_ALIGNED max[TILE], sum[TILE], loss[TILE];
  KR_FN(short_stats)(s, 0, max, sum);
  EACH_COLUMN v_store(sum + j, v_log(v_load(sum + j)));
  const int64_t n = s->n, m = s->m;
  COLUMN_SUM(n, m, loss, KR_FN(keep)(v_mul(v_load(T), v_sub(v_load(sum + j), v_sub(v_load(X), v_load(max + j)))), w))
  memcpy(LOSS, loss, (size_t)m * sizeof(real));
}

static void KR_FN(softmax_cross_entropy_grad_short)(const KR_FN(short_job) * s) {
  real KR_ALIGNED max[TILE], sum[TILE], total[TILE], g[TILE];
  const int64_t n = s->n, m = s->m;
  COLUMN_SUM(n, m, total, KR_FN(keep)(v_load(T), w))
  KR_FN(short_stats)(s, 1, max, sum);
  for (int64_t j = 0; j < m; ++j) g[j] = G(j);
  EACH_COLUMN v_store(sum + j, v_div(v_load(total + j), v_load(sum + j)));
  EACH_ELEMENT v_store(X, v_mul(v_load(g + j), v_sub(v_mul(v_load(X), v_load(sum + j)), v_load(T))));
}

static void KR_FN(sparse_softmax_cross_entropy_short)(const KR_FN(short_job) * s) {
  real KR_ALIGNED max[TILE], sum[TILE];
  KR_FN(short_stats)(s, 0, max, sum);
  EACH_COLUMN v_store(sum + j, v_log(v_load(sum + j)));
  for (int64_t j = 0; j < s->m; ++j) LOSS[j] = sum[j] - (s->x[LABEL(j) * TILE + j] - max[j]);
}

static void KR_FN(sparse_softmax_cross_entropy_grad_short)(const KR_FN(short_job) * s) {
  real KR_ALIGNED max[TILE], sum[TILE], g[TILE];
  KR_FN(short_stats)(s, 1, max, sum);
  for (int64_t j = 0; j < s->m; ++j) g[j] = G(j);
  EACH_COLUMN v_store(sum + j, v_div(v_load(g + j), v_load(sum + j)));
  EACH_ELEMENT v_store(X, v_mul(v_load(X), v_load(sum + j)));
  for (int64_t j = 0; j < s->m; ++j) s->x[LABEL(j) * TILE + j] -= g[j];
}

static void KR_FN(cross_entropy_short)(const KR_FN(short_job) * s) {
  real KR_ALIGNED total[TILE], loss[TILE], eps = (real)s->c->f[0];
  const int64_t n = s->n, m = s->m;
  COLUMN_SUM(n, m, total, KR_FN(keep)(v_load(X), w))
  COLUMN_SUM(n, m, loss, KR_FN(keep)(v_mul(v_load(T), v_log(KR_FN(clip)(v_div(v_load(X), v_load(total + j)), eps))), w))
  for (int64_t j = 0; j < m; ++j) LOSS[j] = -loss[j];
}

static void KR_FN(cross_entropy_grad_short)(const KR_FN(short_job) * s) {
  real KR_ALIGNED total[TILE], common[TILE], g[TILE], eps = (real)s->c->f[0];
  const int64_t n = s->n, m = s->m;
#define KEPT v_select(KR_FN(inside)(v_div(v_load(X), v_load(total + j)), eps), v_load(T), v_zero())
  COLUMN_SUM(n, m, total, KR_FN(keep)(v_load(X), w))
  COLUMN_SUM(n, m, common, KR_FN(keep)(KEPT, w))
  for (int64_t j = 0; j < m; ++j) g[j] = G(j);
  EACH_COLUMN v_store(common + j, v_div(v_load(common + j), v_load(total + j)));
  EACH_ELEMENT {
    const vreal kept = KEPT;
    const vreal pull = v_select(v_eq(kept, v_zero()), v_zero(), v_div(kept, v_load(X)));
    v_store(X, v_mul(v_load(g + j), v_sub(v_load(common + j), pull)));
  }
#undef KEPT
}
#undef EACH_COLUMN
#undef EACH_ELEMENT
#undef X
#undef T
#undef G
#undef LABEL
#undef LOSS

typedef struct {
  const kr_call *c;
  int64_t rows, n, group;
  int dense, grad;
  void (*fn)(const KR_FN(short_job) * s);
} KR_FN(short_losses_job);

static void KR_FN(short_losses_task)(void *arg, int64_t task, int worker) {
  (void)worker;
  const KR_FN(short_losses_job) *j = arg;
  const kr_call *c = j->c;
  real KR_ALIGNED x[SHORT_MOST * TILE] = {0}, t[SHORT_MOST * TILE] = {0};
  for (int64_t row = task * j->group, end = kr_min(j->rows, row + j->group); row < end; row += TILE) {
    const KR_FN(short_job) s = {.c = c, .row = row, .m = kr_min(TILE, end - row), .n = j->n, .x = x, .t = t};
    KR_FN(turn_rows)((const real *)c->in[0].data + row * j->n, s.m, j->n, x);
    if (j->dense) KR_FN(turn_rows)((const real *)c->in[1].data + row * j->n, s.m, j->n, t);
    j->fn(&s);
    if (j->grad) KR_FN(turn_back)(x, s.m, j->n, (real *)c->out[0].data + row * j->n);
  }
}
