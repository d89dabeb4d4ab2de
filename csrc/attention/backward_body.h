/* The backward pass of attention for one real type. */

typedef struct {
  KR_FN(scores) j;
  const real *y, *lse, *g, *glse;
  real *dq, *dk, *dv, *dlogits, *scratch, *sums; /* sums: of each part, or of each worker where there is one part */
  int64_t own, sums_size, parts, per_task;
} KR_FN(backward);

/* Queries of a block at most. */
static int64_t KR_FN(most)(const kr_call *c) { return c->i[0] ? CAUSAL_QUERIES : QUERIES; }

/* Into how many parts the queries of a key head are cut. */
static int64_t KR_FN(parts)(const attention_shape *s) {
  const int64_t pairs = kr_max(1, s->batch * s->groups);
  return kr_max(1, kr_min(s->share * s->blocks, kr_ceil_div(PARTS, pairs)));
}

/* Key heads of a task, where they are not cut. */
static int64_t KR_FN(backward_group)(const attention_shape *s) {
  const int64_t work = s->share * s->queries * s->keys * (s->width + s->value_width);
  return KR_FN(parts)(s) > 1 ? 1 : kr_max(1, TASK_WORK / kr_max(1, 2 * work));
}

static int64_t KR_FN(backward_tasks)(const attention_shape *s) {
  return kr_ceil_div(s->batch * s->groups * KR_FN(parts)(s), KR_FN(backward_group)(s));
}

/* Of dk and dv of one key head, transposed: for each panel of keys dv (value width, panel), then dk (width, panel). */
static int64_t KR_FN(sums_size)(const attention_shape *s) {
  return kr_round_up(s->keys, GEMM_NR) * (s->width + s->value_width);
}

static int64_t KR_FN(backward_own)(const attention_shape *s) {
  const int64_t both = s->width + s->value_width, columns = kr_round_up(s->width, GEMM_NR);
  return kr_round_up(16 * 16 + s->block * (2 * both + columns + 2) + KR_FN(sums_size)(s) +
                         kr_round_up(s->keys, GEMM_NR) * columns + 4 * QUERIES * GEMM_NR +
                         (s->seed ? kr_ceil_div(QUERIES * KEYS, (int64_t)sizeof(real)) : 0),
                     16);
}

/* All keys and values of a key head, packed: the right operands of the first two products, laid out as the sums are, and
 * keys as they lie in memory, in panels of `step` keys, for the product that makes dq. */
typedef struct {
  real *right, *rows;
  int64_t step;
} KR_FN(key_block);

static void KR_FN(pack_keys)(const KR_FN(backward) * f, int64_t b, int64_t group, const KR_FN(key_block) * to) {
  const attention_shape *s = &f->j.s;
  const int64_t h = s->width, depth = s->value_width, k_row = s->groups * h, v_row = s->groups * depth;
  const real *k = f->j.key + b * s->keys * k_row + group * h, *v = f->j.value + b * s->keys * v_row + group * depth;
  for (int64_t key = 0; key < s->keys; key += GEMM_NR) {
    const int64_t cols = kr_min(GEMM_NR, s->keys - key), width = KR_FN(panel_width)(cols);
    real *right = to->right + key * (h + depth);
    KR_FN(pack_right)(k + key * k_row, k_row, cols, width, h, right);
    KR_FN(pack_right)(v + key * v_row, v_row, cols, width, depth, right + h * width);
  }
  for (int64_t i = 0; i < h; i += GEMM_NR) {
    const int64_t cols = kr_min(GEMM_NR, h - i);
    KR_FN(pack_copy)(k + i, k_row, cols, KR_FN(panel_width)(cols), s->keys, to->rows + i * to->step);
  }
}

/* A block of queries of one head, packed. */
typedef struct {
  int64_t b, head, first, n;
  real *q, *g, *q_turned, *g_turned; /* left operands (queries, width), (queries, value width) and their transposes */
  real *delta, *lse;                 /* g . y - glse, lse */
  int dead;                          /* a query may attend to no key */
} KR_FN(query_block);

static void KR_FN(pack_queries)(const KR_FN(backward) * f, KR_FN(query_block) * a) {
  const attention_shape *s = &f->j.s;
  const int64_t h = s->width, depth = s->value_width, q_row = s->heads * h, g_row = s->heads * depth;
  const int64_t at = a->b * s->queries + a->first, line = (a->b * s->heads + a->head) * s->queries + a->first;
  const real *q = f->j.query + at * q_row + a->head * h;
  const real *g = f->g + at * g_row + a->head * depth, *y = f->y + at * g_row + a->head * depth;
  KR_FN(pack_left)(q, q_row, a->n, h, a->q);
  KR_FN(pack_left)(g, g_row, a->n, depth, a->g);
  KR_FN(pack_left_turned)(q, q_row, h, a->n, a->q_turned);
  KR_FN(pack_left_turned)(g, g_row, depth, a->n, a->g_turned);
  KR_FN(times)(a->q, a->n * h, f->j.scale);
  KR_FN(times)(a->q_turned, a->n * h, f->j.scale);
  a->dead = 0;
  for (int64_t i = 0; i < a->n; ++i) {
    vreal dot = v_zero();
    for (int64_t d = 0; d < depth; d += V_LANES) {
      const int64_t lanes = kr_min(V_LANES, depth - d);
      dot = v_fma(v_load_n(g + i * g_row + d, lanes), v_load_n(y + i * g_row + d, lanes), dot);
    }
    a->delta[i] = v_hsum(dot) - f->glse[line + i];
    a->lse[i] = f->lse[line + i];
    a->dead |= a->lse[i] == (real)-INFINITY;
  }
}

/* One row of logits and of dp becomes weights and dl.  f: factors of dropout, or NULL. */
KR_INLINE void KR_FN(gradient_row)(real *logits, real *dp, const real *f, real kept, int64_t width, real lse,
                                   real delta) {
  for (int64_t c = 0; c < width; c += V_LANES) {
    const vreal weight = v_exp(v_sub(v_load(logits + c), v_set1(lse)));
    vreal d = v_load(dp + c), used = weight;
    if (f) {
      const vreal factor = v_mul(v_load(f + c), v_set1(kept));
      d = v_mul(d, factor);
      used = v_mul(weight, factor);
    }
    v_store(dp + c, v_mul(weight, v_sub(d, v_set1(delta))));
    v_store(logits + c, used);
  }
}

/* The row of a query that may attend to nothing: equal weights, which no logit changes. */
static void KR_FN(dead_row)(real *logits, real *dp, const real *f, real kept, int64_t width, real weight) {
  for (int64_t c = 0; c < width; ++c) {
    logits[c] = f ? weight * f[c] * kept : weight;
    dp[c] = 0;
  }
}

/* Logits in p->s and dp become weights and dl.  keep: bytes [query][KEYS] from the panel's first key, or NULL. */
static void KR_FN(weights_and_gradient)(const KR_FN(backward) * f, const KR_FN(panel) * p, const KR_FN(query_block) * a,
                                        const uint8_t *keep, real *dp) {
  const int64_t w = p->width;
  const real kept = f->j.kept;
  if (keep) KR_FN(spread)(p, keep, 1, KEYS, 1);
  for (int64_t i = 0; i < p->rows; ++i) {
    real *const logits = p->s + i * w, *const d = dp + i * w;
    const real *factors = keep ? p->tile + i * w : NULL, lse = a->lse[i], delta = a->delta[i];
    if (lse == (real)-INFINITY) KR_FN(dead_row)(logits, d, factors, kept, w, 1 / (real)f->j.s.keys);
    else if (keep) KR_FN(gradient_row)(logits, d, factors, kept, w, lse, delta);
    else if (w == GEMM_NR) KR_FN(gradient_row)(logits, d, NULL, 1, GEMM_NR, lse, delta);
    else KR_FN(gradient_row)(logits, d, NULL, 1, w, lse, delta);
  }
}

/* One block of queries against all keys: adds to `sums` and writes dq. */
static void KR_FN(backward_block)(const KR_FN(backward) * f, int64_t b, int64_t head, int64_t q0,
                                  const KR_FN(key_block) * keys, real *sums, real *scratch) {
  const KR_FN(scores) *j = &f->j;
  const attention_shape *s = &j->s;
  const int64_t h = s->width, depth = s->value_width, block = s->block;
  KR_FN(query_block) a = {.b = b, .head = head, .first = q0, .n = kr_min(block, s->queries - q0)};
  a.q = TAKE(scratch, block * h), a.q_turned = TAKE(scratch, block * h);
  a.g = TAKE(scratch, block * depth), a.g_turned = TAKE(scratch, block * depth);
  a.delta = TAKE(scratch, block), a.lse = TAKE(scratch, block);
  real *const dq = TAKE(scratch, block * kr_round_up(h, GEMM_NR)), *const dp = TAKE(scratch, QUERIES * GEMM_NR);
  KR_FN(panel) p = {.b = b, .head = head, .query = q0, .rows = a.n};
  p.s = TAKE(scratch, QUERIES * GEMM_NR);
  p.tile = TAKE(scratch, QUERIES * GEMM_NR);
  p.spare = TAKE(scratch, QUERIES * GEMM_NR);
  uint8_t *const keep = s->seed ? (uint8_t *)scratch : NULL;
  real *const dlogits = f->dlogits ? f->dlogits + ((b * s->heads + head) * s->queries + q0) * s->keys : NULL;

  KR_FN(pack_queries)(f, &a);
  for (; p.key < s->keys; p.key += GEMM_NR) {
    if (s->causal && p.key >= q0 + a.n && !a.dead) break;
    const real *right = keys->right + p.key * (h + depth);
    real *const dv = sums + p.key * (h + depth);
    p.cols = kr_min(GEMM_NR, s->keys - p.key);
    p.width = KR_FN(panel_width)(p.cols);
    if (keep && p.key % KEYS == 0) decide(&j->drop, s, b, head, q0, a.n, p.key, kr_min(KEYS, s->keys - p.key), keep);
    KR_FN(gemm_panel)(a.n, h, a.q, right, p.width, p.s, 0);
    KR_FN(gemm_panel)(a.n, depth, a.g, right + h * p.width, p.width, dp, 0);
    KR_FN(finish_scores)(j, &p);
    KR_FN(weights_and_gradient)(f, &p, &a, keep ? keep + p.key % KEYS : NULL, dp);
    KR_FN(gemm_panel)(depth, a.n, a.g_turned, p.s, p.width, dv, 1);
    KR_FN(gemm_panel)(h, a.n, a.q_turned, dp, p.width, dv + depth * p.width, 1);
    for (int64_t i = 0; i < h; i += GEMM_NR) {
      const int64_t width = KR_FN(panel_width)(kr_min(GEMM_NR, h - i));
      const real *rows = keys->rows + i * keys->step + p.key * width;
      KR_FN(gemm_panel_of_rows)(a.n, p.cols, dp, p.width, rows, width, dq + i * block, p.key > 0);
    }
    for (int64_t i = 0; dlogits && i < a.n; ++i)
      memcpy(dlogits + i * s->keys + p.key, dp + i * p.width, (size_t)p.cols * sizeof(real));
  }
  for (int64_t i = 0; dlogits && p.key < s->keys && i < a.n; ++i)
    memset(dlogits + i * s->keys + p.key, 0, (size_t)(s->keys - p.key) * sizeof(real));
  for (int64_t i = 0; i < h; i += GEMM_NR) {
    const int64_t cols = kr_min(GEMM_NR, h - i), width = KR_FN(panel_width)(cols);
    for (int64_t q = 0; q < a.n; ++q) {
      real *to = f->dq + ((b * s->queries + q0 + q) * s->heads + head) * h + i;
      const real *from = dq + i * block + q * width;
      for (int64_t d = 0; d < cols; ++d) to[d] = s->keys ? from[d] * j->scale : 0;
    }
  }
}

/* Adds the parts of one key head and writes dk and dv. */
static void KR_FN(finish_keys)(const KR_FN(backward) * f, int64_t pair, real *sums) {
  const attention_shape *s = &f->j.s;
  const int64_t h = s->width, depth = s->value_width, b = pair / s->groups, group = pair % s->groups;
  for (int64_t part = 1; part < f->parts; ++part)
    for (int64_t i = 0; i < f->sums_size; i += V_LANES)
      v_store_n(sums + i,
                v_add(v_load_n(sums + i, kr_min(V_LANES, f->sums_size - i)),
                      v_load_n(sums + part * f->sums_size + i, kr_min(V_LANES, f->sums_size - i))),
                kr_min(V_LANES, f->sums_size - i));
  for (int64_t key = 0; key < s->keys; key += GEMM_NR) {
    const int64_t cols = kr_min(GEMM_NR, s->keys - key), width = KR_FN(panel_width)(cols);
    const int64_t at = (b * s->keys + key) * s->groups + group;
    const real *dv = sums + key * (h + depth);
    KR_FN(turn)(dv, width, depth, cols, f->dv + at * depth, s->groups * depth);
    KR_FN(turn)(dv + depth * width, width, h, cols, f->dk + at * h, s->groups * h);
  }
}

static void KR_FN(backward_task)(void *arg, int64_t task, int worker) {
  const KR_FN(backward) *f = arg;
  const attention_shape *s = &f->j.s;
  const int64_t all = s->batch * s->groups * f->parts, items = s->share * s->blocks;
  for (int64_t i = task * f->per_task; i < kr_min(all, (task + 1) * f->per_task); ++i) {
    const int64_t pair = i / f->parts, part = i % f->parts, b = pair / s->groups, group = pair % s->groups;
    real *sums = f->sums + (f->parts > 1 ? i : worker) * f->sums_size, *scratch = f->scratch + worker * f->own;
    KR_FN(key_block) keys = {.step = kr_round_up(s->keys, GEMM_NR)};
    keys.right = TAKE(scratch, f->sums_size);
    keys.rows = TAKE(scratch, keys.step * kr_round_up(s->width, GEMM_NR));
    KR_FN(pack_keys)(f, b, group, &keys);
    memset(sums, 0, (size_t)f->sums_size * sizeof(real));
    for (int64_t q = part * items / f->parts; q < (part + 1) * items / f->parts; ++q) {
      const int64_t head = group * s->share + q / s->blocks, first = q % s->blocks * s->block;
      KR_FN(backward_block)(f, b, head, first, &keys, sums, scratch);
    }
    if (f->parts == 1) KR_FN(finish_keys)(f, pair, sums);
  }
}

static void KR_FN(finish_task)(void *arg, int64_t task, int worker) {
  const KR_FN(backward) *f = arg;
  (void)worker;
  KR_FN(finish_keys)(f, task, f->sums + task * f->parts * f->sums_size);
}

static size_t KR_FN(attention_grad_scratch)(const kr_call *c) {
  const attention_shape s = shape_of(c, 7, KR_FN(most)(c));
  const int64_t workers = kr_min(c->threads, KR_FN(backward_tasks)(&s)), parts = KR_FN(parts)(&s);
  const int64_t sums = parts > 1 ? s.batch * s.groups * parts : workers;
  return (size_t)(workers * KR_FN(backward_own)(&s) + sums * KR_FN(sums_size)(&s)) * sizeof(real);
}

static kr_status KR_FN(attention_grad)(const kr_call *c) {
  KR_FN(backward)
  f = {.j = KR_FN(scores_of)(c, 7, KR_FN(most)(c)),
       .y = c->in[3].data,
       .lse = c->in[4].data,
       .g = c->in[5].data,
       .glse = c->in[6].data,
       .dq = c->out[0].data,
       .dk = c->out[1].data,
       .dv = c->out[2].data};
  const attention_shape *s = &f.j.s;
  const int64_t tasks = KR_FN(backward_tasks)(s);
  if (c->n_out > 3) f.dlogits = c->out[3].data;
  f.own = KR_FN(backward_own)(s);
  f.parts = KR_FN(parts)(s);
  f.per_task = KR_FN(backward_group)(s);
  f.sums_size = KR_FN(sums_size)(s);
  f.scratch = c->scratch;
  f.sums = f.scratch + kr_min(c->threads, tasks) * f.own;
  kr_parallel(c->threads, tasks, KR_FN(backward_task), &f);
  if (f.parts > 1) kr_parallel(c->threads, s->batch * s->groups, KR_FN(finish_task), &f);
  return KR_OK;
}
