/* Batch normalisation for one width of real: statistics by stats_body.h, then one pass with coefficients per channel.
 */

static KR_FN(coefs) KR_FN(coefs_at)(const norm_shape *s, void *scratch) {
  int64_t n = s->glue * s->channels;
  real *p = scratch;
  return (KR_FN(coefs)){p, p + n, p + 2 * n, p + 3 * n, p + 4 * n, p + 5 * n};
}

/* max(v, 0), and v where it is NaN: as the elementwise kernel has it. */
KR_INLINE vreal KR_FN(positive)(vreal v) { return v_select(v_lt(v, v_zero()), v_zero(), v); }

/* w elements, up to a vector of them; k begins at the first. */
KR_INLINE void KR_FN(affine_step)(const real *x, const real *g, int64_t w, KR_FN(coefs) k, int relu,
                                  enum KR_FN(gating) gating, real *y) {
  vreal d = v_sub(KR_FN(ld)(x, w), KR_FN(ld)(k.mean, w));
  vreal v = v_fma(d, KR_FN(ld)(k.b, w), KR_FN(ld)(k.c, w));
  if (g) {
    vreal gj = KR_FN(ld)(g, w);
    if (gating) gj = KR_FN(gate)(gj, v_fma(d, KR_FN(ld)(k.slope, w), KR_FN(ld)(k.shift, w)), gating);
    v = v_fma(gj, KR_FN(ld)(k.a, w), v);
  }
  if (relu) v = KR_FN(positive)(v);
  KR_FN(st)(y, v, w);
}

KR_INLINE void KR_FN(affine_row)(const real *x, const real *g, int64_t n, KR_FN(coefs) k, int relu,
                                 enum KR_FN(gating) gating, real *y) {
  int64_t j = 0;
  for (; j + V_LANES <= n; j += V_LANES)
    KR_FN(affine_step)(x + j, g ? g + j : NULL, V_LANES, KR_FN(coefs_from)(k, j), relu, gating, y + j);
  if (j < n) KR_FN(affine_step)(x + j, g ? g + j : NULL, n - j, KR_FN(coefs_from)(k, j), relu, gating, y + j);
}

static void KR_FN(affine_task)(void *arg, int64_t task, int worker) {
  (void)worker;
  const KR_FN(channel_job) *j = arg;
  const norm_shape *s = &j->s;
  if (s->inner == 1) { /* some glued rows */
    int64_t row = s->glue * s->channels, total = s->outer * s->channels, step = kr_max(1, WORK / row) * row;
    for (int64_t e = task * step; e < kr_min(total, (task + 1) * step); e += row) {
      int64_t n = kr_min(row, total - e);
      if (j->gating == KR_FN(gated)) KR_FN(affine_row)(j->x + e, j->g + e, n, j->k, 0, KR_FN(gated), j->y + e);
      else if (j->gating) KR_FN(affine_row)(j->x + e, j->g + e, n, j->k, 0, KR_FN(gated_exactly), j->y + e);
      else if (j->g) KR_FN(affine_row)(j->x + e, j->g + e, n, j->k, 0, KR_FN(open), j->y + e);
      else if (j->relu) KR_FN(affine_row)(j->x + e, NULL, n, j->k, 1, KR_FN(open), j->y + e);
      else KR_FN(affine_row)(j->x + e, NULL, n, j->k, 0, KR_FN(open), j->y + e);
    }
    return;
  }
  const real *x = j->x, *g = j->g;
  real *y = j->y;
  const int relu = j->relu, gated = j->gating != KR_FN(open);
  int64_t step = kr_max(1, WORK / s->inner);
  for (int64_t l = task * step; l < kr_min(s->outer * s->channels, (task + 1) * step); ++l) {
    int64_t c = l % s->channels;
    vreal mean = v_set1(j->k.mean[c]), a = v_set1(j->k.a[c]), b = v_set1(j->k.b[c]), plus = v_set1(j->k.c[c]);
    vreal slope = gated ? v_set1(j->k.slope[c]) : v_zero(), shift = gated ? v_set1(j->k.shift[c]) : v_zero();
    for (int64_t q = l * s->inner, end = q + s->inner; q < end; q += V_LANES) {
      vreal d = v_sub(KR_FN(ld)(x + q, end - q), mean), v = v_fma(d, b, plus);
      if (g) {
        vreal gq = KR_FN(ld)(g + q, end - q);
        if (gated) gq = KR_FN(gate)(gq, v_fma(d, slope, shift), KR_FN(gated_exactly));
        v = v_fma(gq, a, v);
      }
      if (relu) v = KR_FN(positive)(v);
      KR_FN(st)(y + q, v, end - q);
    }
  }
}

static void KR_FN(affine)(int threads, KR_FN(channel_job) * j) {
  const norm_shape *s = &j->s;
  KR_FN(coefs_repeat)(s, j->k.mean);
  KR_FN(coefs_repeat)(s, j->k.a);
  KR_FN(coefs_repeat)(s, j->k.b);
  KR_FN(coefs_repeat)(s, j->k.c);
  int64_t lines = s->inner == 1 ? kr_ceil_div(s->outer, s->glue) : s->outer * s->channels;
  int64_t length = s->inner == 1 ? s->glue * s->channels : s->inner;
  kr_parallel(threads, kr_ceil_div(lines, kr_max(1, WORK / length)), KR_FN(affine_task), j);
}

static real KR_FN(rsigma)(real var, double eps) { return (real)(1 / sqrt((double)var + eps)); }

static kr_status KR_FN(batch_norm_kernel)(const kr_call *c) {
  norm_shape s = norm_shape_of(c, ~(1ll << c->i[0]));
  const real *gamma = c->in[1].data, *beta = c->in[2].data;
  real *mean = c->out[1].data, *var = c->out[2].data;
  if (s.channels == 0) return KR_OK;
  KR_FN(stats)(c->threads, &s, c->in[0].data, c->scratch, mean, var);
  if (kr_size(&c->in[0]) == 0) return KR_OK;
  KR_FN(channel_job) j = {.x = c->in[0].data, .y = c->out[0].data, .s = s, .relu = c->n_i > 1 && c->i[1]};
  j.k = KR_FN(coefs_at)(&s, (char *)c->scratch + norm_stats_scratch(&s, sizeof(real)));
  for (int64_t q = 0; q < s.channels; ++q) {
    j.k.mean[q] = mean[q];
    j.k.a[q] = 0;
    j.k.b[q] = gamma[q] * KR_FN(rsigma)(var[q], c->f[0]);
    j.k.c[q] = beta[q];
  }
  KR_FN(affine)(c->threads, &j);
  return KR_OK;
}

static kr_status KR_FN(batch_norm_inference_kernel)(const kr_call *c) {
  norm_shape s = norm_shape_of(c, ~(1ll << c->i[0]));
  const real *mean = c->in[1].data, *var = c->in[2].data, *gamma = c->in[3].data, *beta = c->in[4].data;
  if (kr_size(&c->in[0]) == 0) return KR_OK;
  KR_FN(channel_job) j = {.x = c->in[0].data, .y = c->out[0].data, .s = s, .k = KR_FN(coefs_at)(&s, c->scratch)};
  j.relu = c->n_i > 1 && c->i[1];
  for (int64_t q = 0; q < s.channels; ++q) {
    j.k.mean[q] = mean[q];
    j.k.a[q] = 0;
    j.k.b[q] = gamma[q] * KR_FN(rsigma)(var[q], c->f[0]);
    j.k.c[q] = beta[q];
  }
  KR_FN(affine)(c->threads, &j);
  return KR_OK;
}

static void KR_FN(grad_merge_task)(void *arg, int64_t task, int worker) {
  (void)worker;
  const KR_FN(channel_job) *j = arg;
  const norm_shape *s = &j->s;
  int64_t c = task * TILE, m = kr_min(TILE, s->channels - c);
  KR_FN(add_parts)(j->sums + c, s->parts, 2 * s->channels, m, j->sum_g + c);
  KR_FN(add_parts)(j->sums + s->channels + c, s->parts, 2 * s->channels, m, j->sum_gd + c);
}

/* With finite coefficients y is NaN only where x - mean is NaN or infinite, which shows in the sums, and in dx. */
static enum KR_FN(gating) KR_FN(gating_for)(const real *p, const real *q, int64_t n) {
  return KR_FN(all_finite)(p, n) && KR_FN(all_finite)(q, n) ? KR_FN(gated) : KR_FN(gated_exactly);
}

static kr_status KR_FN(batch_norm_grad_kernel)(const kr_call *c) {
  norm_shape s = norm_shape_of(c, ~(1ll << c->i[0]));
  const real *gamma = c->in[1].data, *mean = c->in[2].data, *var = c->in[3].data;
  const real *g_mean = c->in[5].data, *g_var = c->in[6].data;
  real *dgamma = c->out[1].data, *dbeta = c->out[2].data, count = (real)(s.outer * s.inner);
  if (kr_size(&c->in[0]) == 0) {
    memset(dgamma, 0, (size_t)s.channels * sizeof(real));
    memset(dbeta, 0, (size_t)s.channels * sizeof(real));
    return KR_OK;
  }
  KR_FN(channel_job) j = {.x = c->in[0].data, .g = c->in[4].data, .y = c->out[0].data, .s = s};
  j.sums = c->scratch;
  j.k = KR_FN(coefs_at)(&s, (char *)c->scratch + 2 * s.parts * s.channels * (int64_t)sizeof(real));
  j.sum_g = dbeta;
  j.sum_gd = dgamma; /* becomes the gradient of gamma below */
  memcpy(j.k.mean, mean, (size_t)s.channels * sizeof(real));
  KR_FN(coefs_repeat)(&s, j.k.mean);
  if (c->n_in > 7) {
    const real *beta = c->in[7].data;
    for (int64_t q = 0; q < s.channels; ++q) {
      j.k.slope[q] = gamma[q] * KR_FN(rsigma)(var[q], c->f[0]); /* as batch_norm has made y */
      j.k.shift[q] = beta[q];
    }
    KR_FN(coefs_repeat)(&s, j.k.slope);
    KR_FN(coefs_repeat)(&s, j.k.shift);
    j.gating = KR_FN(gating_for)(j.k.slope, j.k.shift, s.channels);
  }
  kr_parallel(c->threads, s.stats_tasks, KR_FN(sum_task), &j);
  kr_parallel(c->threads, s.tiles, KR_FN(grad_merge_task), &j);
  for (int64_t q = 0; q < s.channels; ++q) {
    real r = KR_FN(rsigma)(var[q], c->f[0]);
    dgamma[q] *= r;
    j.k.a[q] = gamma[q] * r;
    j.k.b[q] = 2 * g_var[q] / count - gamma[q] * r * r * dgamma[q] / count;
    j.k.c[q] = g_mean[q] / count - gamma[q] * r * dbeta[q] / count;
  }
  if (j.gating == KR_FN(gated)) j.gating = KR_FN(gating_for)(j.k.b, j.k.c, s.channels);
  KR_FN(affine)(c->threads, &j);
  return KR_OK;
}
