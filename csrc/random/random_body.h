/* Groups of variates for one floating type. */

/* Variates that a group of 64 words gives: 64 floats or 32 doubles. */
#define GROUP (WORDS * 32 / KR_REAL)

/* [0, 1) on a grid of 2^-24 or 2^-53, scaled; rounding must not reach the upper end. */
static void KR_FN(uniform_group)(const draw *d, int64_t group, void *to) {
  real *out = to, scale = (real)(d->f[1] - d->f[0]), low = (real)d->f[0], last = (real)d->f[1];
  if (last > low) last = KR_LIBM(nextafter)(last, low);
#if KR_REAL == 32
  uint32_t w[WORDS];
  philox_group(&d->p, group, w);
  for (int k = 0; k < GROUP; ++k) out[k] = (real)(int32_t)(w[k] >> 8) * 0x1p-24f;
#else
  uint64_t w[WORDS / 2];
  philox_group_64(&d->p, group, w);
  for (int k = 0; k < GROUP; ++k) out[k] = (real)(int64_t)(w[k] >> 11) * 0x1p-53;
#endif
  for (int k = 0; k < GROUP; ++k) {
    real x = low + scale * out[k];
    out[k] = x < last ? x : last;
  }
}

/* The words of a group as doubles: 32 (float) or the upper 53 (double) bits of each. */
static void KR_FN(words)(const draw *d, int64_t group, double *out) {
#if KR_REAL == 32
  uint32_t w[WORDS];
  philox_group(&d->p, group, w);
#else
  uint64_t w[WORDS / 2];
  philox_group_64(&d->p, group, w);
  for (int k = 0; k < GROUP; ++k) w[k] >>= 11;
#endif
  for (int k = 0; k < GROUP; ++k) out[k] = (double)w[k];
}

#if KR_REAL == 32
#define ONE_WORD 0x1p-32
#else
#define ONE_WORD 0x1p-53
#endif

static void KR_FN(affine)(const draw *d, const double *z, real *out) {
  for (int k = 0; k < GROUP; ++k) out[k] = (real)(d->f[0] + d->f[1] * z[k]);
}

/* Words k and 16 + k of each 32 make the pair k. */
static void KR_FN(normal_group)(const draw *d, int64_t group, void *to) {
  KR_ALIGNED double w[GROUP];
  KR_FN(words)(d, group, w);
  for (int at = 0; at < GROUP; at += 2 * BLOCKS)
    for (int k = at; k < at + BLOCKS; k += KR_F64_LANES) {
      v64f u = f64_mul(f64_add(f64_load(w + k), f64_set1(1)), f64_set1(ONE_WORD)), a, b;
      q_normal(u, f64_mul(f64_load(w + k + BLOCKS), f64_set1(ONE_WORD)), &a, &b);
      f64_store(w + k, a);
      f64_store(w + k + BLOCKS, b);
    }
  KR_FN(affine)(d, w, to);
}

static void KR_FN(truncated_normal_group)(const draw *d, int64_t group, void *to) {
  KR_ALIGNED double w[GROUP];
  KR_FN(words)(d, group, w);
  for (int k = 0; k < GROUP; k += KR_F64_LANES) {
    v64f p = f64_mul(f64_add(f64_load(w + k), f64_set1(0.5)), f64_set1(2 * ONE_WORD));
    f64_store(w + k, q_truncated_normal(f64_sub(p, f64_set1(1))));
  }
  KR_FN(affine)(d, w, to);
}

/* x scale where the element's word says so, else 0; and what it says, to `kept` if there is such. */
static void KR_FN(dropout_span)(const dropout *o, int64_t from, int64_t to) {
  const real *x = o->x;
  real *y = o->y, scale = (real)o->scale;
  uint8_t *kept = o->kept, says[WORDS];
  uint32_t w[WORDS], limit = o->limit;
  for (int64_t at = from; at < to; at += WORDS) {
    int64_t n = kr_min(WORDS, to - at);
    philox_group(&o->p, at / WORDS, w);
    if (n == WORDS)
      for (int k = 0; k < WORDS; ++k) y[at + k] = w[k] <= limit ? x[at + k] * scale : 0;
    else
      for (int k = 0; k < n; ++k) y[at + k] = w[k] <= limit ? x[at + k] * scale : 0;
    if (!kept) continue;
    for (int k = 0; k < WORDS; ++k) says[k] = w[k] <= limit;
    memcpy(kept + at, says, (size_t)n);
  }
}

static void KR_FN(dropout_task)(void *arg, int64_t task, int worker) {
  const dropout *o = arg;
  (void)worker;
  KR_FN(dropout_span)(o, task * TASK_WORDS, kr_min((task + 1) * TASK_WORDS, o->n));
}

/* One row (the last dimension) per step: `noise` is its row of decisions, or its one decision. */
static void KR_FN(dropout_rows)(void *arg, int64_t task, int worker) {
  const dropout *o = arg;
  int64_t last = o->shape[o->ndim - 1], rows = o->n / last;
  int64_t per_task = kr_max(1, TASK_WORDS / last), end = kr_min(rows, (task + 1) * per_task);
  real scale = (real)o->scale;
  (void)worker;
  for (int64_t row = task * per_task; row < end; ++row) {
    const uint8_t *noise = o->noise;
    int64_t left = row;
    for (int d = o->ndim - 2; d >= 0; --d) {
      noise += left % o->shape[d] * o->stride[d];
      left /= o->shape[d];
    }
    const real *x = (const real *)o->x + row * last;
    real *y = (real *)o->y + row * last;
    if (o->stride[o->ndim - 1])
      for (int64_t k = 0; k < last; ++k) y[k] = noise[k] ? x[k] * scale : 0;
    else
      for (int64_t k = 0; k < last; ++k) y[k] = *noise ? x[k] * scale : 0;
  }
}

static kr_status KR_FN(dropout_run)(const kr_call *c) {
  return run_dropout(c, sizeof(real), KR_FN(dropout_task), KR_FN(dropout_rows));
}

/* dropout by what it has kept before. */
static void KR_FN(dropout_again_task)(void *arg, int64_t task, int worker) {
  const dropout *o = arg;
  const int64_t to = kr_min((task + 1) * TASK_WORDS, o->n);
  const real *x = o->x;
  const uint8_t *kept = o->kept;
  real *y = o->y;
  const vreal scale = v_set1((real)o->scale);
  int64_t at = task * TASK_WORDS;
  (void)worker;
  for (; at + V_LANES <= to; at += V_LANES)
    v_store(y + at, v_select(v_eq_u8(kept + at, V_LANES, 0), v_zero(), v_mul(v_load(x + at), scale)));
  if (at < to) {
    const vmask dropped = v_eq_u8(kept + at, to - at, 0);
    v_store_n(y + at, v_select(dropped, v_zero(), v_mul(v_load_n(x + at, to - at), scale)), to - at);
  }
}

static kr_status KR_FN(dropout_again)(const kr_call *c) { return run_dropout_again(c, KR_FN(dropout_again_task)); }
#undef GROUP
#undef ONE_WORD
