/* What the recurrent kernels share, for one width of real: the job, its scratch memory, the gradient to the recurrent
 * kernel; included by rnn.c. */

enum { KR_FN(MAX_WEIGHTS) = 2 };

typedef struct {
  sequence s;
  const real *x, *u, *bias, *h0, *c0, *g, *gc;
  real *states; /* the state after each step: sample b at states + (b * time + step) * states_ld */
  int64_t states_ld;
  real *y, *c, *gates, *reserve, *dx, *dh0, *dc0;
  int64_t reserve_ld; /* elements of reserve for each step of a sample */
  KR_FN(weights) weights[KR_FN(MAX_WEIGHTS)];
  int n_weights, ready;    /* ready: the weights come packed */
  real *shared;            /* of the call: see each kernel */
  real *own;               /* of each worker */
  int64_t own_size, width; /* width: units, rounded up to whole vectors */
} KR_FN(job);

KR_INLINE int64_t KR_FN(width_of)(const sequence *s) { return kr_round_up(s->units, V_LANES); }

KR_INLINE KR_FN(weights) KR_FN(forward_weights)(const sequence *s, int from, int gates) {
  return (KR_FN(weights)){
      .ld = s->gates * s->units, .units = s->units, .from = from * s->units, .k = s->units, .gates = gates};
}

KR_INLINE KR_FN(weights) KR_FN(backward_weights)(const sequence *s, int from, int gates) {
  return (KR_FN(weights)){.ld = s->gates * s->units,
                          .units = s->units,
                          .from = from * s->units,
                          .k = gates * s->units,
                          .gates = 1,
                          .transposed = 1};
}

/* Scratch: the packed kernels, what the call shares, what each worker owns, then what du needs. */
static int64_t KR_FN(base_size)(const KR_FN(job) * j, int64_t shared, int threads) {
  int64_t size = kr_round_up(shared, 16);
  for (int k = 0; k < j->n_weights; ++k) size += KR_FN(packed_size)(&j->weights[k]);
  return size + kr_min(threads, kr_max(1, j->s.blocks)) * j->own_size;
}

/* The form of packed weights: {units, gates of them all, gates and kind of the first part, parts}. */
static size_t KR_FN(recurrent_packing)(const KR_FN(job) * j, int64_t form[KR_FORM]) {
  const KR_FN(weights) *w = j->weights;
  int64_t size = 0;
  for (int k = 0; k < j->n_weights; ++k) size += KR_FN(packed_size)(&w[k]);
  memcpy(form, (int64_t[KR_FORM]){j->s.units, j->s.gates, w[0].gates, w[0].transposed, j->n_weights},
         KR_FORM * sizeof *form);
  return size ? KR_PACKED_AT + (size_t)size * sizeof(real) : 0;
}

static real *KR_FN(place_weights)(KR_FN(job) * j, real *p) {
  for (int k = 0; k < j->n_weights; ++k) {
    j->weights[k].u = j->u;
    j->weights[k].packed = p;
    p += KR_FN(packed_size)(&j->weights[k]);
  }
  return p;
}

static real *KR_FN(lay_out)(KR_FN(job) * j, int64_t shared, const kr_call *c) {
  int64_t form[KR_FORM];
  const void *ready = c->packed && KR_FN(recurrent_packing)(j, form) ? kr_packed(c, form) : NULL;
  real *p = KR_FN(place_weights)(j, c->scratch);
  j->ready = ready != NULL;
  if (ready) KR_FN(place_weights)(j, (real *)ready);
  j->shared = p;
  p += kr_round_up(shared, 16);
  j->own = p;
  return p + kr_min(c->threads, kr_max(1, j->s.blocks)) * j->own_size;
}

static void KR_FN(pack_task)(void *arg, int64_t task, int worker) {
  const KR_FN(job) *j = arg;
  (void)worker;
  const int64_t first = KR_FN(panels)(&j->weights[0]);
  if (task < first) KR_FN(pack_panel)(&j->weights[0], task);
  else KR_FN(pack_panel)(&j->weights[1], task - first);
}

static void KR_FN(pack_weights)(KR_FN(job) * j, int threads) {
  int64_t panels = 0;
  for (int k = 0; k < j->n_weights; ++k) panels += KR_FN(panels)(&j->weights[k]);
  kr_parallel(threads, panels, KR_FN(pack_task), j);
}

/* lstm_pack and the others: all gates of u at once, or those of z and r and those of n. */
static kr_status KR_FN(recurrent_pack)(const kr_call *c) {
  KR_FN(job) j = {.s = {.units = c->i[0], .gates = c->i[1]}, .u = c->in[0].data, .n_weights = (int)c->i[4]};
  const int first = (int)c->i[2];
  j.weights[0] = KR_FN(forward_weights)(&j.s, 0, first);
  if (j.n_weights > 1) j.weights[1] = KR_FN(forward_weights)(&j.s, first, (int)(j.s.gates - first));
  KR_FN(place_weights)(&j, kr_pack_to(c));
  KR_FN(pack_weights)(&j, c->threads);
  return KR_OK;
}

static void KR_FN(run_blocks)(KR_FN(job) * j, int threads, kr_task_fn block) {
  if (j->s.time > 0 && j->s.batch > 0 && !j->ready) KR_FN(pack_weights)(j, threads);
  kr_parallel(threads, j->s.blocks, block, j);
}

/* The samples of a block, from the first on. */
KR_INLINE int64_t KR_FN(block_rows)(const KR_FN(job) * j, int64_t block) {
  return kr_min(j->s.block, j->s.batch - block * j->s.block);
}

/* Rows of states or gradients of a block (`units` long in memory, `width` here); NULL counts as zeros. */
static void KR_FN(take_rows)(const KR_FN(job) * j, int64_t block, const real *src, real *dst) {
  const int64_t n = j->s.units, rows = KR_FN(block_rows)(j, block);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t q = 0; q < n; q += V_LANES)
      v_store(dst + r * j->width + q, src ? KR_FN(ld)(src + (block * j->s.block + r) * n + q, n - q) : v_zero());
}

static void KR_FN(put_rows)(const KR_FN(job) * j, int64_t block, const real *src, real *dst) {
  const int64_t n = j->s.units, rows = KR_FN(block_rows)(j, block);
  for (int64_t r = 0; r < rows; ++r)
    memcpy(dst + (block * j->s.block + r) * n, src + r * j->width, (size_t)n * sizeof(real));
}

/* Asks for `count` cache lines, `ld` elements apart. */
KR_INLINE void KR_FN(prefetch)(const real *p, int64_t ld, int count) {
  for (int k = 0; k < count; ++k) __builtin_prefetch(p + k * ld);
}

/* ---- the gradient to the recurrent kernel ------------------------------------------------------------------------ */

/* du[:, columns] = sum over samples and steps of a' d.  d has one row for each sample and time; a one for each sample
 * and step. */
typedef struct {
  const KR_FN(job) * j;
  const real *a, *d;
  int64_t a_ld, d_ld;
  int before; /* a is the state after the step: take that of the step before, or h0 */
} KR_FN(long_product);

/* The rows of `a` for sample and time in [k0, k0 + kc): within a sample they lie one behind the other, in either
 * direction, but for h0. */
static void KR_FN(pack_states)(const void *ctx, int64_t batch, int64_t row, int64_t rows, int64_t k0, int64_t kc,
                               real *dst) {
  const KR_FN(long_product) *p = ctx;
  const KR_FN(job) *j = p->j;
  const int64_t time = j->s.time;
  (void)batch;
  while (kc > 0) {
    const int64_t b = k0 / time, t = k0 % time, step = time_of(&j->s, t);
    int64_t run = 1;
    if (step < p->before) {
      KR_FN(pack_copy)(j->h0 + b * j->s.units + row, 0, rows, rows, 1, dst);
    } else {
      run = kr_min(kc, j->s.reverse ? step + 1 - p->before : time - t);
      KR_FN(pack_copy)
      (p->a + (b * time + step - p->before) * p->a_ld + row, j->s.reverse ? -p->a_ld : p->a_ld, rows, rows, run, dst);
    }
    dst += run * rows;
    k0 += run;
    kc -= run;
  }
}

static void KR_FN(pack_steps)(const void *ctx, int64_t batch, int64_t k0, int64_t kc, int64_t col, int64_t cols,
                              int64_t width, real *dst) {
  const KR_FN(long_product) *p = ctx;
  (void)batch;
  KR_FN(pack_copy)(p->d + k0 * p->d_ld + col, p->d_ld, cols, width, kc, dst);
}

static void KR_FN(recurrent_gradient)(const KR_FN(job) * j, const real *a, int64_t a_ld, int before, const real *d,
                                      int64_t d_ld, int from, int gates, real *du, int threads, void *scratch) {
  const KR_FN(long_product) p = {.j = j, .a = a, .d = d, .a_ld = a_ld, .d_ld = d_ld, .before = before};
  const KR_FN(gemm_args) g = {.batch = 1,
                              .m = j->s.units,
                              .n = gates * j->s.units,
                              .k = j->s.batch * j->s.time,
                              .pack_a = KR_FN(pack_states),
                              .pack_b = KR_FN(pack_steps),
                              .ctx = &p,
                              .c = du + from * j->s.units,
                              .ldc = j->s.gates * j->s.units,
                              .rows_b = d,
                              .ldb = d_ld};
  KR_FN(gemm)(&g, threads, scratch);
}

static size_t KR_FN(recurrent_gradient_scratch)(const sequence *s, int gates, int threads) {
  return KR_FN(gemm_scratch)(1, s->units, gates * s->units, s->batch * s->time, threads);
}
