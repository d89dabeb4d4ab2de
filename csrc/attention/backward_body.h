/* The backward pass of attention for one real type. */

typedef struct {
  KR_FN(scores) j;
  const real *y, *lse, *g, *glse;
  real *dq, *dk, *dv, *dlogits, *scratch, *sums; /* sums: of dv and dk of each part, where there are several */
  int64_t own, sums_size, parts, per_task;
} KR_FN(backward);

/* Elements of a copy of a key head's keys, which many queries meet; or 0. */
static int64_t KR_FN(keys_size)(const attention_shape *s) {
  const int copied =
      s->share * s->queries >= SHARED && crowded(s->step, s->groups * s->width * (int64_t)sizeof(real), WAYS);
  return copied ? s->keys * KR_FN(apart)(s->width) : 0;
}

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

/* Of dv (keys, value width), then dk (keys, width) of one key head. */
static int64_t KR_FN(sums_size)(const attention_shape *s) {
  return kr_round_up(s->keys * (s->width + s->value_width), 16);
}

/* Queries of a panel: its weights and gradients with a block of keys stay in L1. */
static int64_t KR_FN(backward_rows)(const attention_shape *s) {
  return panel_rows(s->block, 2 * PANEL_ROW * (int64_t)sizeof(real));
}

static int64_t KR_FN(backward_own)(const attention_shape *s) {
  const int64_t rows = KR_FN(backward_rows)(s);
  return kr_round_up(11 * 16 + kr_round_up(s->keys, GEMM_NR) * (s->width + s->value_width) + KR_FN(keys_size)(s) +
                         4 * rows * PANEL_ROW + 3 * kr_round_up(rows, V_LANES) +
                         kr_ceil_div(rows * keep_step(s), (int64_t)sizeof(real)),
                     16);
}

/* What a task works with: keys and values of a key head, turned, and its keys as rows; where its sums are, and the rows'
 * distances; a panel of weights and one of gradients; and copies of the rows of queries and of g that they come from. */
typedef struct {
  real *keys, *values;
  const real *key_rows;
  int64_t key_row; /* from one to the next */
  real *dv, *dk;
  int64_t dv_row, dk_row, fresh; /* from `fresh` on, nothing has been added to the sums of keys */
  real *weights, *gradients, *queries, *outputs;
  real *delta, *lse, *scale; /* of the rows of a panel: g . y - glse, lse, f[0] */
  uint8_t *keep;
} KR_FN(backward_work);

/* Whether a query may attend to no key. */
static int KR_FN(take_rows)(const KR_FN(backward) * f, const KR_FN(panel) * p, const KR_FN(backward_work) * w) {
  const attention_shape *s = &f->j.s;
  const int64_t depth = s->value_width, row = s->heads * depth;
  const int64_t at = ((p->b * s->queries + p->query) * s->heads + p->head) * depth;
  const int64_t line = (p->b * s->heads + p->head) * s->queries + p->query;
  int dead = 0;
  for (int64_t i = 0; i < p->rows; i += V_LANES) {
    const int64_t n = kr_min(V_LANES, p->rows - i);
    vreal dot[V_LANES];
    for (int64_t r = 0; r < V_LANES; ++r) {
      const real *g = f->g + at + (i + kr_min(r, n - 1)) * row, *y = f->y + at + (i + kr_min(r, n - 1)) * row;
      dot[r] = v_zero();
      for (int64_t d = 0; d < depth; d += V_LANES) {
        const int64_t lanes = kr_min(V_LANES, depth - d);
        dot[r] = v_fma(v_load_n(g + d, lanes), v_load_n(y + d, lanes), dot[r]);
      }
    }
    const vreal lse = v_load_n(f->lse + line + i, n);
    v_store(w->delta + i, v_sub(v_hsums(dot), v_load_n(f->glse + line + i, n)));
    v_store(w->lse + i, lse);
    dead |= m_any(v_eq(lse, v_set1((real)-INFINITY)));
  }
  return dead;
}

/* One row of logits and of dp becomes weights and dl.  keep: bytes, or NULL. */
KR_INLINE void KR_FN(gradient_row)(real *logits, real *dp, const uint8_t *keep, real kept, int64_t cols, real lse,
                                   real delta) {
  for (int64_t c = 0; c < cols; c += V_LANES) {
    const vreal weight = v_exp_weight(v_sub(v_load(logits + c), v_set1(lse)));
    vreal d = v_load(dp + c), used = weight;
    if (keep) {
      const vreal factor = v_mul(v_load_u8(keep + c, cols - c), v_set1(kept));
      d = v_mul(d, factor);
      used = v_mul(weight, factor);
    }
    v_store(dp + c, v_mul(weight, v_sub(d, v_set1(delta))));
    v_store(logits + c, used);
  }
}

/* The row of a query that may attend to nothing: equal weights, which no logit changes. */
static void KR_FN(dead_row)(real *logits, real *dp, const uint8_t *keep, real kept, int64_t cols, real weight) {
  for (int64_t c = 0; c < cols; ++c) {
    logits[c] = !keep ? weight : keep[c] ? weight * kept : 0;
    dp[c] = 0;
  }
}

/* Logits in weights and dp in gradients become weights and dl. */
static void KR_FN(weights_and_gradients)(const KR_FN(backward) * f, const KR_FN(panel) * p,
                                         const KR_FN(backward_work) * w) {
  const real kept = f->j.kept;
  for (int64_t i = 0; i < p->rows; ++i) {
    real *const logits = w->weights + i * PANEL_ROW, *const d = w->gradients + i * PANEL_ROW, lse = w->lse[i];
    const uint8_t *keep = w->keep ? w->keep + i * keep_step(&f->j.s) : NULL;
    if (lse == (real)-INFINITY) KR_FN(dead_row)(logits, d, keep, kept, p->cols, 1 / (real)f->j.s.keys);
    else if (keep) KR_FN(gradient_row)(logits, d, keep, kept, p->cols, lse, w->delta[i]);
    else KR_FN(gradient_row)(logits, d, NULL, 1, p->cols, lse, w->delta[i]);
  }
}

static void KR_FN(clear_rows)(real *x, int64_t row, int64_t rows, int64_t size) {
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < size; j += V_LANES) v_store_n(x + i * row + j, v_zero(), kr_min(V_LANES, size - j));
}

/* Sums of keys [from, to) become zeros. */
static void KR_FN(clear_sums)(const KR_FN(backward_work) * w, int64_t from, int64_t to, int64_t width,
                              int64_t value_width) {
  KR_FN(clear_rows)(w->dv + from * w->dv_row, w->dv_row, to - from, value_width);
  KR_FN(clear_rows)(w->dk + from * w->dk_row, w->dk_row, to - from, width);
}

/* Some queries of one head against all keys: adds to dv and dk and writes dq. */
static void KR_FN(backward_panel)(const KR_FN(backward) * f, KR_FN(panel) * p, KR_FN(backward_work) * w) {
  const KR_FN(scores) *j = &f->j;
  const attention_shape *s = &j->s;
  const int64_t h = s->width, depth = s->value_width;
  const int64_t line = (p->b * s->queries + p->query) * s->heads + p->head; /* of query and g */
  const real *query = j->query + line * h, *g = f->g + line * depth;
  real *const dlogits =
      f->dlogits ? f->dlogits + ((p->b * s->heads + p->head) * s->queries + p->query) * s->keys : NULL;
  const int of_q =
      h <= KEYS && crowded(p->rows, s->heads * h * (int64_t)sizeof(real), MADE); /* copies serve as operands */
  const int of_g = depth <= KEYS && crowded(p->rows, s->heads * depth * (int64_t)sizeof(real), MADE);
  const int dead = KR_FN(take_rows)(f, p, w);
  const int64_t end = s->causal && !dead ? kr_min(s->keys, p->query + p->rows) : s->keys;
  KR_FN(operands) t;
  for (p->key = 0; p->key < end; p->key += s->step) {
    p->cols = kr_min(s->step, end - p->key);
    /* Panels of turned keys are as wide as keys go on. */
    const int64_t width = kr_min(kr_round_up(p->cols, GEMM_NR), s->keys - p->key);
    KR_FN(score)(p->rows, query, s->heads * h, h, w->keys + p->key * h, width, w->queries, p->s);
    KR_FN(finish_scores)(j, p);
    KR_FN(score)(p->rows, g, s->heads * depth, depth, w->values + p->key * depth, width, w->outputs, w->gradients);
    if (w->keep) decide(&j->drop, s, p->b, p->head, p->query, p->rows, p->key, p->cols, keep_step(s), w->keep);
    KR_FN(weights_and_gradients)(f, p, w);
    /* dk and dv begin where no query has met a key before. */
    if (p->key < w->fresh && p->key + p->cols > w->fresh) KR_FN(clear_sums)(w, w->fresh, p->key + p->cols, h, depth);
    const int accumulate = p->key < w->fresh;
    w->fresh = kr_max(w->fresh, p->key + p->cols);
    t = (KR_FN(operands)){.m = p->cols,
                          .k = p->rows,
                          .cols = depth,
                          .a = w->weights,
                          .b = of_g ? w->outputs : g,
                          .ldb = of_g ? PANEL_ROW : s->heads * depth,
                          .c = w->dv + p->key * w->dv_row,
                          .ldc = w->dv_row,
                          .accumulate = accumulate};
    KR_FN(multiply)(&t, 1);
    t = (KR_FN(operands)){.m = p->cols,
                          .k = p->rows,
                          .cols = h,
                          .a = w->gradients,
                          .b = of_q ? w->queries : query,
                          .ldb = of_q ? PANEL_ROW : s->heads * h,
                          .c = w->dk + p->key * w->dk_row,
                          .ldc = w->dk_row,
                          .accumulate = accumulate};
    KR_FN(multiply)(&t, 1);
    t = (KR_FN(operands)){.m = p->rows,
                          .k = p->cols,
                          .cols = h,
                          .a = w->gradients,
                          .b = w->key_rows + p->key * w->key_row,
                          .ldb = w->key_row,
                          .c = f->dq + line * h,
                          .ldc = s->heads * h,
                          .accumulate = p->key > 0,
                          .after = p->key + s->step >= end ? w->scale : NULL};
    KR_FN(multiply)(&t, 0);
    for (int64_t i = 0; dlogits && i < p->rows; ++i)
      memcpy(dlogits + i * s->keys + p->key, w->gradients + i * PANEL_ROW, (size_t)p->cols * sizeof(real));
  }
  for (int64_t i = 0; dlogits && end < s->keys && i < p->rows; ++i)
    memset(dlogits + i * s->keys + end, 0, (size_t)(s->keys - end) * sizeof(real));
  for (int64_t i = 0; s->keys == 0 && i < p->rows; ++i)
    memset(f->dq + (line + i * s->heads) * h, 0, (size_t)h * sizeof(real));
}

/* Adds the parts of one key head, if there are several, and finishes dk and dv. */
static void KR_FN(finish_keys)(const KR_FN(backward) * f, int64_t pair, const real *sums) {
  const attention_shape *s = &f->j.s;
  const int64_t b = pair / s->groups, group = pair % s->groups;
  for (int64_t key = 0; key < s->keys; ++key)
    for (int of_k = f->parts == 1; of_k < 2; ++of_k) {
      const int64_t size = of_k ? s->width : s->value_width;
      real *to = (of_k ? f->dk : f->dv) + ((b * s->keys + key) * s->groups + group) * size;
      const real *from = f->parts == 1 ? to : sums + (of_k ? s->keys * s->value_width : 0) + key * size;
      const vreal scale = v_set1(of_k ? f->j.scale : 1);
      for (int64_t i = 0; i < size; i += V_LANES) {
        const int64_t lanes = kr_min(V_LANES, size - i);
        vreal sum = v_load_n(from + i, lanes);
        for (int64_t part = 1; part < f->parts; ++part)
          sum = v_add(sum, v_load_n(from + part * f->sums_size + i, lanes));
        v_store_n(to + i, v_mul(sum, scale), lanes);
      }
    }
}

/* One part of the queries of one key head. */
static void KR_FN(backward_part)(const KR_FN(backward) * f, int64_t i, real *scratch) {
  const attention_shape *s = &f->j.s;
  const int64_t pair = i / f->parts, part = i % f->parts, b = pair / s->groups, group = pair % s->groups;
  const int64_t h = s->width, depth = s->value_width, at = b * s->keys * s->groups + group;
  const int64_t items = s->share * s->blocks, rows = KR_FN(backward_rows)(s);
  const int64_t copied = KR_FN(keys_size)(s);
  KR_FN(backward_work)
  w = {.key_rows = f->j.key + at * h,
       .key_row = s->groups * h,
       .dv = f->dv + at * depth,
       .dv_row = s->groups * depth,
       .dk = f->dk + at * h,
       .dk_row = s->groups * h};
  if (f->parts > 1) {
    w.dv = f->sums + i * f->sums_size, w.dv_row = depth;
    w.dk = w.dv + s->keys * depth, w.dk_row = h;
  }
  if (copied) {
    real *const copies = TAKE(scratch, copied);
    w.key_row = KR_FN(apart)(h);
    KR_FN(copy_rows)(f->j.key + at * h, s->groups * h, s->keys, h, copies, w.key_row);
    w.key_rows = copies;
  }
  w.keys = TAKE(scratch, kr_round_up(s->keys, GEMM_NR) * h);
  w.values = TAKE(scratch, kr_round_up(s->keys, GEMM_NR) * depth);
  w.weights = TAKE(scratch, rows * PANEL_ROW);
  w.gradients = TAKE(scratch, rows * PANEL_ROW);
  w.queries = TAKE(scratch, rows * PANEL_ROW);
  w.outputs = TAKE(scratch, rows * PANEL_ROW);
  w.delta = TAKE(scratch, kr_round_up(rows, V_LANES));
  w.lse = TAKE(scratch, kr_round_up(rows, V_LANES));
  w.scale = TAKE(scratch, kr_round_up(rows, V_LANES));
  w.keep = s->seed ? (uint8_t *)scratch : NULL;
  for (int64_t r = 0; r < rows; ++r) w.scale[r] = f->j.scale;
  KR_FN(turn_keys)(f->j.key + at * h, s->groups * h, s->keys, h, f->j.scale, w.keys);
  KR_FN(turn_keys)(f->j.value + at * depth, s->groups * depth, s->keys, depth, 1, w.values);
  for (int64_t item = part * items / f->parts; item < (part + 1) * items / f->parts; ++item) {
    const int64_t head = group * s->share + item / s->blocks, first = item % s->blocks * s->block;
    const int64_t past = kr_min(first + s->block, s->queries);
    for (int64_t q = first; q < past; q += rows) {
      KR_FN(panel) p = {.b = b, .head = head, .query = q, .rows = kr_min(rows, past - q), .s = w.weights};
      KR_FN(backward_panel)(f, &p, &w);
    }
  }
  if (w.fresh < s->keys) KR_FN(clear_sums)(&w, w.fresh, s->keys, h, depth);
  if (f->parts == 1) KR_FN(finish_keys)(f, pair, NULL);
}

static void KR_FN(backward_task)(void *arg, int64_t task, int worker) {
  const KR_FN(backward) *f = arg;
  const int64_t all = f->j.s.batch * f->j.s.groups * f->parts;
  for (int64_t i = task * f->per_task; i < kr_min(all, (task + 1) * f->per_task); ++i)
    KR_FN(backward_part)(f, i, f->scratch + worker * f->own);
}

static void KR_FN(finish_task)(void *arg, int64_t task, KR_UNUSED int worker) {
  const KR_FN(backward) *f = arg;
  KR_FN(finish_keys)(f, task, f->sums + task * f->parts * f->sums_size);
}

static size_t KR_FN(attention_grad_scratch)(const kr_call *c) {
  const attention_shape s = backward_shape(c);
  const int64_t workers = kr_min(c->threads, KR_FN(backward_tasks)(&s)), parts = KR_FN(parts)(&s);
  const int64_t sums = parts > 1 ? s.batch * s.groups * parts : 0;
  return (size_t)(workers * KR_FN(backward_own)(&s) + sums * KR_FN(sums_size)(&s)) * sizeof(real);
}

static kr_status KR_FN(attention_grad)(const kr_call *c) {
  KR_FN(backward)
  f = {.j = KR_FN(scores_of)(c, backward_shape(c)),
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
