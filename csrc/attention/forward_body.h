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

/* Queries of a panel: its scores with a block of keys stay in L1. */
static int64_t KR_FN(forward_rows)(const attention_shape *s) {
  return panel_rows(s->block, PANEL_ROW * (int64_t)sizeof(real));
}

/* Numbers of the rows of a block: whole vectors of each panel. */
static int64_t KR_FN(state_size)(const attention_shape *s) {
  const int64_t rows = KR_FN(forward_rows)(s);
  return kr_ceil_div(s->block, rows) * kr_round_up(rows, V_LANES);
}

/* Elements of a copy of the values of a block, which many queries meet; or 0. */
static int64_t KR_FN(values_size)(const attention_shape *s) {
  const int copied = s->block >= SHARED && crowded(s->step, s->groups * s->value_width * (int64_t)sizeof(real), WAYS);
  return copied ? s->step * KR_FN(apart)(s->value_width) : 0;
}

static int64_t KR_FN(forward_own)(const attention_shape *s) {
  const int64_t rows = KR_FN(forward_rows)(s);
  return kr_round_up(9 * 16 + kr_round_up(s->step, GEMM_NR) * s->width + KR_FN(values_size)(s) + 2 * rows * PANEL_ROW +
                         3 * KR_FN(state_size)(s) + kr_ceil_div(rows * keep_step(s), (int64_t)sizeof(real)),
                     16);
}

/* Of rows of queries: the largest logit so far, the sum of weights beside it, and what those of the step before are to be
 * multiplied with. */
typedef struct {
  real *max, *sum, *ratio;
} KR_FN(rows_state);

/* Logits become weights exp(l - max).  A vector of rows at a time: their lanes are crossed at once. */
static void KR_FN(online_softmax)(const KR_FN(panel) * p, const KR_FN(rows_state) * at, int first) {
  const int64_t cols = p->cols, whole = cols / V_LANES * V_LANES;
  const vreal least = v_set1((real)-INFINITY);
  for (int64_t i = 0; i < p->rows; i += V_LANES) {
    const int64_t n = kr_min(V_LANES, p->rows - i);
    vreal part[V_LANES];
    KR_ALIGNED real shift[V_LANES];
    for (int64_t r = 0; r < V_LANES; ++r) {
      const real *s = p->s + (i + kr_min(r, n - 1)) * PANEL_ROW;
      vreal top = least, other = least;
      int64_t k = 0;
      for (; k + 2 * V_LANES <= whole; k += 2 * V_LANES) {
        top = v_max(top, v_load(s + k));
        other = v_max(other, v_load(s + k + V_LANES));
      }
      if (k < whole) top = v_max(top, v_load(s + k));
      if (whole < cols) other = v_max(other, v_load_or(s + whole, cols - whole, least));
      part[r] = v_max(top, other);
    }
    const vreal old = first ? least : v_load(at->max + i), now = v_max(old, v_hmaxs(part));
    const vreal from = v_select(v_eq(now, least), v_zero(), now); /* -inf - -inf is no number */
    v_store(shift, from);
    for (int64_t r = 0; r < V_LANES; ++r) part[r] = v_zero();
    for (int64_t r = 0; r < n; ++r) {
      real *const s = p->s + (i + r) * PANEL_ROW;
      const vreal m = v_set1(shift[r]);
      vreal sum[2] = {v_zero(), v_zero()};
      int64_t k = 0;
      for (; k + 2 * V_LANES <= whole; k += 2 * V_LANES)
        for (int u = 0; u < 2; ++u) {
          const vreal e = v_exp_weight(v_sub(v_load(s + k + u * V_LANES), m));
          v_store(s + k + u * V_LANES, e);
          sum[u] = v_add(sum[u], e);
        }
      if (k < whole) {
        const vreal e = v_exp_weight(v_sub(v_load(s + k), m));
        v_store(s + k, e);
        sum[0] = v_add(sum[0], e);
      }
      if (whole < cols) {
        const vreal e = v_exp_weight(v_sub(v_load_or(s + whole, cols - whole, least), m));
        v_store(s + whole, e);
        sum[1] = v_add(sum[1], e);
      }
      part[r] = v_add(sum[0], sum[1]);
    }
    const vreal sums = v_hsums(part);
    v_store(at->max + i, now);
    if (first) {
      v_store(at->sum + i, sums);
      continue;
    }
    const vreal ratio = v_exp_weight(v_sub(old, from));
    v_store(at->ratio + i, ratio);
    v_store(at->sum + i, v_fma(v_load(at->sum + i), ratio, sums));
  }
}

/* Weights that dropout takes become 0; `keep` is [query][step]. */
static void KR_FN(drop_weights)(const KR_FN(panel) * p, const uint8_t *keep, int64_t step, real kept) {
  for (int64_t i = 0; i < p->rows; ++i)
    for (int64_t k = 0; k < p->cols; k += V_LANES) {
      real *s = p->s + i * PANEL_ROW + k;
      v_store(s, v_mul(v_load(s), v_mul(v_load_u8(keep + i * step + k, p->cols - k), v_set1(kept))));
    }
}

/* Writes lse; sums become what the rows of y are to be multiplied with. */
static void KR_FN(finish_rows)(const KR_FN(panel) * p, const KR_FN(rows_state) * at, real *to) {
  for (int64_t i = 0; i < p->rows; i += V_LANES) {
    const vreal m = v_load(at->max + i), total = v_load(at->sum + i);
    const vreal lse = v_select(v_le(m, v_set1(MASKED)), v_set1((real)-INFINITY), v_add(m, v_log(total)));
    v_store_n(to + i, v_select(v_gt(total, v_zero()), lse, v_set1((real)NAN)), kr_min(V_LANES, p->rows - i));
    v_store(at->sum + i, v_div(v_set1(1), total));
  }
}

/* Whether a query has seen no key that it may attend to. */
static int KR_FN(any_dead)(const real *max, int64_t n) {
  for (int64_t i = 0; i < n; ++i)
    if (max[i] <= MASKED) return 1;
  return 0;
}

/* Some queries against keys [p->key, end) of a block, whose turned panels are `turned`; the values of its first key are at
 * `values`, each `apart` from the next. */
static void KR_FN(forward_panel)(const KR_FN(forward) * f, KR_FN(panel) * p, int64_t end, const real *turned,
                                 const real *values, int64_t apart, const KR_FN(rows_state) * at, real *copy,
                                 uint8_t *keep) {
  const KR_FN(scores) *j = &f->j;
  const attention_shape *s = &j->s;
  const int64_t h = s->width, depth = s->value_width, block = p->key;
  const int64_t query = p->b * s->queries + p->query, past = p->query + p->rows; /* of the keys that causality allows */
  while (p->key < end) {
    if (s->causal && p->key >= past && !KR_FN(any_dead)(at->max, p->rows)) break;
    int64_t next = end;
    if (s->causal && p->key < past)
      next = kr_min(end, p->key + kr_round_up(past - p->key, s->seed ? WORDS : GEMM_MAX_NR));
    p->cols = next - p->key;
    KR_FN(score)(p->rows, j->query + (query * s->heads + p->head) * h, s->heads * h, h, turned + (p->key - block) * h,
                 p->cols, copy, p->s);
    KR_FN(finish_scores)(j, p);
    KR_FN(online_softmax)(p, at, p->key == 0);
    if (s->seed) {
      decide(&j->drop, s, p->b, p->head, p->query, p->rows, p->key, p->cols, keep_step(s), keep);
      KR_FN(drop_weights)(p, keep, keep_step(s), j->kept);
    }
    const int last = next == s->keys || (s->causal && next >= past && !KR_FN(any_dead)(at->max, p->rows));
    if (last) KR_FN(finish_rows)(p, at, f->lse + (p->b * s->heads + p->head) * s->queries + p->query);
    KR_FN(operands)
    t = {.m = p->rows,
         .k = p->cols,
         .cols = depth,
         .a = p->s,
         .b = values + (p->key - block) * apart,
         .ldb = apart,
         .c = f->y + (query * s->heads + p->head) * depth,
         .ldc = s->heads * depth,
         .accumulate = p->key > 0,
         .before = at->ratio,
         .after = last ? at->sum : NULL};
    KR_FN(multiply)(&t, 0);
    p->key = next;
  }
}

/* Blocks [first, end) of queries, of all heads one after the other. */
static void KR_FN(forward_blocks)(const KR_FN(forward) * f, int64_t first, int64_t end, real *scratch) {
  const KR_FN(scores) *j = &f->j;
  const attention_shape *s = &j->s;
  const int64_t h = s->width, depth = s->value_width, rows = KR_FN(forward_rows)(s), copied = KR_FN(values_size)(s);
  const int64_t apart = copied ? KR_FN(apart)(depth) : s->groups * depth;
  real *const turned = TAKE(scratch, kr_round_up(s->step, GEMM_NR) * h), *const copies = TAKE(scratch, copied);
  real *const panel = TAKE(scratch, rows * PANEL_ROW), *const copy = TAKE(scratch, rows * PANEL_ROW);
  const int64_t size = KR_FN(state_size)(s);
  KR_FN(rows_state) state;
  state.max = TAKE(scratch, size), state.sum = TAKE(scratch, size), state.ratio = TAKE(scratch, size);
  int64_t has = -1; /* which block of keys of which head is turned */
  for (int64_t i = first; i < end; ++i) {
    const int64_t b = i / s->blocks / s->heads, head = i / s->blocks % s->heads, q0 = i % s->blocks * s->block;
    const int64_t group = head / s->share, n = kr_min(s->block, s->queries - q0);
    const int64_t lanes =
        kr_ceil_div(n, rows) * kr_round_up(rows, V_LANES); /* past a panel's rows: the last one again */
    for (int64_t key = 0; key < s->keys; key += s->step) {
      const int64_t cols = kr_min(s->step, s->keys - key), wants = (b * s->groups + group) * s->keys + key;
      if (s->causal && key >= q0 + n && !KR_FN(any_dead)(state.max, lanes)) break;
      const int64_t first_key = (b * s->keys + key) * s->groups + group;
      const real *values = j->value + first_key * depth;
      if (has != wants) {
        KR_FN(turn_keys)(j->key + first_key * h, s->groups * h, cols, h, j->scale, turned);
        if (copied) KR_FN(copy_rows)(values, s->groups * depth, cols, depth, copies, apart);
      }
      if (copied) values = copies;
      has = wants;
      for (int64_t q = 0; q < n; q += rows) {
        const int64_t to = q / rows * kr_round_up(rows, V_LANES);
        const KR_FN(rows_state) at = {state.max + to, state.sum + to, state.ratio + to};
        KR_FN(panel) p = {.b = b, .head = head, .query = q0 + q, .key = key, .rows = kr_min(rows, n - q), .s = panel};
        KR_FN(forward_panel)(f, &p, key + cols, turned, values, apart, &at, copy, (uint8_t *)scratch);
      }
    }
  }
}

static void KR_FN(forward_task)(void *arg, int64_t task, int worker) {
  const KR_FN(forward) *f = arg;
  const int64_t all = f->j.s.batch * f->j.s.heads * f->j.s.blocks, first = task * f->per_task;
  KR_FN(forward_blocks)(f, first, kr_min(all, first + f->per_task), f->scratch + worker * f->own);
}

static size_t KR_FN(attention_scratch)(const kr_call *c) {
  const attention_shape s = forward_shape(c);
  const int64_t tasks = kr_ceil_div(s.batch * s.heads * s.blocks, KR_FN(forward_group)(&s));
  return (size_t)(kr_min(c->threads, tasks) * KR_FN(forward_own)(&s)) * sizeof(real);
}

static kr_status KR_FN(attention)(const kr_call *c) {
  KR_FN(forward)
  f = {.j = KR_FN(scores_of)(c, forward_shape(c)), .y = c->out[0].data, .lse = c->out[1].data, .scratch = c->scratch};
  const attention_shape *s = &f.j.s;
  if (s->keys == 0) {
    memset(f.y, 0, (size_t)kr_size(&c->out[0]) * sizeof(real));
    for (int64_t i = 0; i < kr_size(&c->out[1]); ++i) f.lse[i] = (real)-INFINITY;
    return KR_OK;
  }
  f.own = KR_FN(forward_own)(s);
  f.per_task = KR_FN(forward_group)(s);
  kr_parallel(c->threads, kr_ceil_div(s->batch * s->heads * s->blocks, f.per_task), KR_FN(forward_task), &f);
  return KR_OK;
}
