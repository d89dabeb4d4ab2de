/* The forward pass of attention for one real type. */

typedef struct {
  KR_FN(scores) j;
  real *y, *lse, *scratch;
  int64_t own, per_task; /* elements of scratch of a worker; blocks of a task */
} KR_FN(forward);

/* Blocks of queries that make a task. */
static int64_t KR_FN(forward_group)(const attention_shape *s) {
  return kr_max(1, TASK_WORK / kr_max(1, s->block * s->keys * (s->width + s->value_width)));
}

static int64_t KR_FN(forward_own)(const attention_shape *s) {
  return 16 * 16 + s->block * (s->width + s->value_width + 2) + KEYS * (s->width + s->value_width) +
         3 * KEYS * GEMM_NR + (s->seed ? kr_ceil_div(QUERIES * KEYS, (int64_t)sizeof(real)) : 0);
}

/* One panel of logits [rows][width] becomes weights exp(l - max); the maxima so far, and the sums and outputs that were
 * taken with those before, follow. */
static void KR_FN(online_softmax)(const KR_FN(panel) * p, real *max, real *sum, real *o, int64_t depth, int first) {
  const int64_t w = p->width, n = p->rows;
  for (int64_t v = 0; v < w; v += V_LANES) {
    real *s = p->s + v;
    const vreal old = v_load(max + v);
    vreal top[4] = {old, old, old, old};
    int64_t k = 0;
    for (; k + 4 <= n; k += 4)
      for (int u = 0; u < 4; ++u) top[u] = v_max(top[u], v_load(s + (k + u) * w));
    for (; k < n; ++k) top[0] = v_max(top[0], v_load(s + k * w));
    const vreal now = v_max(v_max(top[0], top[1]), v_max(top[2], top[3]));
    const vreal shift = v_select(v_eq(now, v_set1((real)-INFINITY)), v_zero(), now); /* -inf - -inf is no number */
    vreal part[2] = {v_zero(), v_zero()};
    for (k = 0; k + 2 <= n; k += 2)
      for (int u = 0; u < 2; ++u) {
        const vreal e = v_exp(v_sub(v_load(s + (k + u) * w), shift));
        v_store(s + (k + u) * w, e);
        part[u] = v_add(part[u], e);
      }
    for (; k < n; ++k) {
      const vreal e = v_exp(v_sub(v_load(s + k * w), shift));
      v_store(s + k * w, e);
      part[0] = v_add(part[0], e);
    }
    const vreal ratio = v_exp(v_sub(old, shift));
    v_store(max + v, now);
    v_store(sum + v, v_fma(v_load(sum + v), ratio, v_add(part[0], part[1])));
    if (!first && !m_all(v_eq(ratio, v_set1(1))))
      for (int64_t d = 0; d < depth; ++d) v_store(o + d * w + v, v_mul(v_load(o + d * w + v), ratio));
  }
}

/* Weights that dropout takes become 0; `keep` is [query][KEYS]. */
static void KR_FN(drop_weights)(const KR_FN(panel) * p, const uint8_t *keep, real kept) {
  KR_FN(spread)(p, keep, 1, 1, KEYS);
  for (int64_t k = 0; k < p->rows * p->width; k += V_LANES)
    v_store(p->s + k, v_mul(v_load(p->s + k), v_mul(v_load(p->tile + k), v_set1(kept))));
}

/* Divides by the sums and writes rows of y and lse. */
static void KR_FN(finish_queries)(const KR_FN(forward) * f, const KR_FN(panel) * p, const real *max, const real *sum,
                                  real *o) {
  const attention_shape *s = &f->j.s;
  const int64_t w = p->width, depth = s->value_width;
  KR_ALIGNED real log_sum[GEMM_MAX_NR];
  for (int64_t v = 0; v < w; v += V_LANES) {
    const vreal m = v_load(max + v), total = v_load(sum + v), scale = v_div(v_set1(1), total);
    for (int64_t d = 0; d < depth; ++d) v_store(o + d * w + v, v_mul(v_load(o + d * w + v), scale));
    const vreal lse = v_select(v_le(m, v_set1(MASKED)), v_set1((real)-INFINITY), v_add(m, v_log(total)));
    v_store(log_sum + v, v_select(v_eq(total, v_zero()), v_set1((real)NAN), lse));
  }
  memcpy(f->lse + (p->b * s->heads + p->head) * s->queries + p->query, log_sum, (size_t)p->cols * sizeof(real));
  const int64_t row = s->heads * depth;
  KR_FN(turn)(o, w, depth, p->cols, f->y + (p->b * s->queries + p->query) * row + p->head * depth, row);
}

/* Whether a query of the block has seen no key that it may attend to. */
static int KR_FN(any_dead)(const real *max, int64_t n) {
  for (int64_t i = 0; i < n; ++i)
    if (max[i] <= MASKED) return 1;
  return 0;
}

static void KR_FN(forward_block)(const KR_FN(forward) * f, int64_t b, int64_t head, int64_t q0, real *scratch) {
  const KR_FN(scores) *j = &f->j;
  const attention_shape *s = &j->s;
  const int64_t h = s->width, depth = s->value_width, nq = kr_min(s->block, s->queries - q0), group = head / s->share;
  const int64_t q_row = s->heads * h, k_row = s->groups * h, v_row = s->groups * depth;
  real *const q = TAKE(scratch, s->block * h), *const o = TAKE(scratch, s->block * depth);
  real *const max = TAKE(scratch, s->block), *const sum = TAKE(scratch, s->block);
  real *const k = TAKE(scratch, KEYS * h), *const v = TAKE(scratch, KEYS * depth);
  KR_FN(panel) p = {.b = b, .head = head, .queries_in_lanes = 1};
  p.s = TAKE(scratch, KEYS * GEMM_NR);
  p.tile = TAKE(scratch, KEYS * GEMM_NR);
  p.spare = TAKE(scratch, KEYS * GEMM_NR);
  uint8_t *const keep = (uint8_t *)scratch;

  for (int64_t i = 0; i < s->block; ++i) max[i] = (real)-INFINITY, sum[i] = 0;
  const real *from = j->query + (b * s->queries + q0) * q_row + head * h;
  for (int64_t c = 0; c < nq; c += GEMM_NR) {
    const int64_t cols = kr_min(GEMM_NR, nq - c);
    KR_FN(pack_right)(from + c * q_row, q_row, cols, KR_FN(panel_width)(cols), h, q + c * h);
  }
  KR_FN(times)(q, kr_round_up(nq, GEMM_NR) * h, j->scale);

  for (int64_t step; p.key < s->keys; p.key += step) {
    if (s->causal && p.key >= q0 + nq && !KR_FN(any_dead)(max, nq)) break;
    /* Where keys begin to lie past queries, in smaller steps: then fewer of those are computed in vain. */
    step = s->causal && p.key + KEYS > q0 ? (s->seed ? WORDS : GEMM_MAX_NR) : KEYS;
    p.rows = kr_min(step, s->keys - p.key);
    const int64_t at = b * s->keys + p.key;
    KR_FN(pack_left)(j->key + at * k_row + group * h, k_row, p.rows, h, k);
    KR_FN(pack_left_turned)(j->value + at * v_row + group * depth, v_row, depth, p.rows, v);
    if (s->seed) decide(&j->drop, s, b, head, q0, nq, p.key, p.rows, keep);
    for (int64_t c = 0; c < nq; c += GEMM_NR) {
      p.query = q0 + c;
      p.cols = kr_min(GEMM_NR, nq - c);
      p.width = KR_FN(panel_width)(p.cols);
      if (s->causal && p.key >= p.query + p.cols && !KR_FN(any_dead)(max + c, p.cols)) continue;
      KR_FN(gemm_panel)(p.rows, h, k, q + c * h, p.width, p.s, 0);
      KR_FN(finish_scores)(j, &p);
      KR_FN(online_softmax)(&p, max + c, sum + c, o + c * depth, depth, p.key == 0);
      if (s->seed) KR_FN(drop_weights)(&p, keep + c * KEYS, j->kept);
      KR_FN(gemm_panel)(depth, p.rows, v, p.s, p.width, o + c * depth, p.key > 0);
    }
  }
  for (int64_t c = 0; c < nq; c += GEMM_NR) {
    p.query = q0 + c;
    p.cols = kr_min(GEMM_NR, nq - c);
    p.width = KR_FN(panel_width)(p.cols);
    KR_FN(finish_queries)(f, &p, max + c, sum + c, o + c * depth);
  }
}

static void KR_FN(forward_task)(void *arg, int64_t task, int worker) {
  const KR_FN(forward) *f = arg;
  const attention_shape *s = &f->j.s;
  const int64_t all = s->batch * s->heads * s->blocks;
  for (int64_t i = task * f->per_task; i < kr_min(all, (task + 1) * f->per_task); ++i) KR_FN(forward_block)
  (f, i / s->blocks / s->heads, i / s->blocks % s->heads, i % s->blocks * s->block, f->scratch + worker * f->own);
}

static size_t KR_FN(attention_scratch)(const kr_call *c) {
  const attention_shape s = shape_of(c, 3, QUERIES);
  const int64_t tasks = kr_ceil_div(s.batch * s.heads * s.blocks, KR_FN(forward_group)(&s));
  return (size_t)(kr_min(c->threads, tasks) * kr_round_up(KR_FN(forward_own)(&s), 16)) * sizeof(real);
}

static kr_status KR_FN(attention)(const kr_call *c) {
  KR_FN(forward)
  f = {.j = KR_FN(scores_of)(c, 3, QUERIES), .y = c->out[0].data, .lse = c->out[1].data, .scratch = c->scratch};
  const attention_shape *s = &f.j.s;
  if (s->keys == 0) {
    memset(f.y, 0, (size_t)kr_size(&c->out[0]) * sizeof(real));
    for (int64_t i = 0; i < kr_size(&c->out[1]); ++i) f.lse[i] = (real)-INFINITY;
    return KR_OK;
  }
  f.own = kr_round_up(KR_FN(forward_own)(s), 16);
  f.per_task = KR_FN(forward_group)(s);
  kr_parallel(c->threads, kr_ceil_div(s->batch * s->heads * s->blocks, f.per_task), KR_FN(forward_task), &f);
  return KR_OK;
}
