/* Batch normalisation for one width of real: statistics by stats_body.h, then one pass with coefficients per channel.
 */

/* Coefficients of each channel, each repeated over the glued rows: out = a g + b (x - mean) + c, where g counts only
 * where slope (x - mean) + shift > 0, if there are such. */
typedef struct {
  real *mean, *a, *b, *c, *slope, *shift;
} KR_FN(coefs);

static KR_FN(coefs) KR_FN(coefs_at)(const norm_shape *s, void *scratch) {
  int64_t n = s->glue * s->channels;
  real *p = scratch;
  return (KR_FN(coefs)){p, p + n, p + 2 * n, p + 3 * n, p + 4 * n, p + 5 * n};
}

static void KR_FN(coefs_repeat)(const norm_shape *s, real *p) {
  for (int64_t k = 1; k < s->glue; ++k) memcpy(p + k * s->channels, p, (size_t)s->channels * sizeof(real));
}

typedef struct {
  const real *x, *g;
  real *y, *sums; /* sums: (parts, 2, channels) of g and of g (x - mean) */
  norm_shape s;
  KR_FN(coefs) k;
  real *sum_g, *sum_gd;
  int relu, gated;
} KR_FN(channel_job);

/* max(v, 0), and v where it is NaN: as the elementwise kernel has it. */
KR_INLINE vreal KR_FN(positive)(vreal v) { return v_select(v_lt(v, v_zero()), v_zero(), v); }

/* The gradient of max(y, 0) for g and the y that it went through, which is NaN where y is: as relu_grad has it. */
KR_INLINE vreal KR_FN(gate)(vreal g, vreal y) {
  const vmask odd = v_isnan(y);
  const vreal open = v_select(v_gt(y, v_zero()), g, v_zero());
  return __builtin_expect(m_any(odd), 0) ? v_select(odd, v_mul(g, y), open) : open;
}

KR_INLINE void KR_FN(affine_row)(const real *x, const real *g, int64_t n, const KR_FN(coefs) * k, int relu, int gated,
                                 real *y) {
  for (int64_t j = 0; j < n; j += V_LANES) {
    int64_t w = n - j;
    vreal d = v_sub(KR_FN(ld)(x + j, w), KR_FN(ld)(k->mean + j, w));
    vreal v = v_fma(d, KR_FN(ld)(k->b + j, w), KR_FN(ld)(k->c + j, w));
    if (g) {
      vreal gj = KR_FN(ld)(g + j, w);
      if (gated) gj = KR_FN(gate)(gj, v_fma(d, KR_FN(ld)(k->slope + j, w), KR_FN(ld)(k->shift + j, w)));
      v = v_fma(gj, KR_FN(ld)(k->a + j, w), v);
    }
    if (relu) v = KR_FN(positive)(v);
    KR_FN(st)(y + j, v, w);
  }
}

static void KR_FN(affine_task)(void *arg, int64_t task, int worker) {
  (void)worker;
  const KR_FN(channel_job) *j = arg;
  const norm_shape *s = &j->s;
  if (s->inner == 1) { /* some glued rows */
    int64_t row = s->glue * s->channels, total = s->outer * s->channels, step = kr_max(1, WORK / row) * row;
    for (int64_t e = task * step; e < kr_min(total, (task + 1) * step); e += row) {
      int64_t n = kr_min(row, total - e);
      if (j->gated) KR_FN(affine_row)(j->x + e, j->g + e, n, &j->k, 0, 1, j->y + e);
      else if (j->g) KR_FN(affine_row)(j->x + e, j->g + e, n, &j->k, 0, 0, j->y + e);
      else if (j->relu) KR_FN(affine_row)(j->x + e, NULL, n, &j->k, 1, 0, j->y + e);
      else KR_FN(affine_row)(j->x + e, NULL, n, &j->k, 0, 0, j->y + e);
    }
    return;
  }
  int64_t step = kr_max(1, WORK / s->inner);
  for (int64_t l = task * step; l < kr_min(s->outer * s->channels, (task + 1) * step); ++l) {
    int64_t c = l % s->channels;
    vreal mean = v_set1(j->k.mean[c]), a = v_set1(j->k.a[c]), b = v_set1(j->k.b[c]), plus = v_set1(j->k.c[c]);
    vreal slope = j->gated ? v_set1(j->k.slope[c]) : v_zero(), shift = j->gated ? v_set1(j->k.shift[c]) : v_zero();
    for (int64_t q = l * s->inner, end = q + s->inner; q < end; q += V_LANES) {
      vreal d = v_sub(KR_FN(ld)(j->x + q, end - q), mean), v = v_fma(d, b, plus);
      if (j->g) {
        vreal g = KR_FN(ld)(j->g + q, end - q);
        if (j->gated) g = KR_FN(gate)(g, v_fma(d, slope, shift));
        v = v_fma(g, a, v);
      }
      if (j->relu) v = KR_FN(positive)(v);
      KR_FN(st)(j->y + q, v, end - q);
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

/* Sums of g and of g (x - mean) over n rows of m columns, four rows at a time; k begins at the first column. */
KR_INLINE void KR_FN(product_columns)(const real *x, const real *g, int64_t n, int64_t s, int64_t m,
                                      const KR_FN(coefs) * k, int gated, real *sum_g, real *sum_gd) {
  for (int64_t r = 0; r < n; r += 4) {
    int64_t left = kr_min(4, n - r);
    for (int64_t j = 0; j < m; j += V_LANES) {
      int64_t w = m - j;
      vreal mu = KR_FN(ld)(k->mean + j, w), a = v_zero(), b = v_zero();
      vreal slope = gated ? KR_FN(ld)(k->slope + j, w) : v_zero(),
            shift = gated ? KR_FN(ld)(k->shift + j, w) : v_zero();
#define ADD_ROWS(rows, LOAD)                                  \
  for (int q = 0; q < (rows); ++q) {                          \
    int64_t at = (r + q) * s + j;                             \
    vreal gq = LOAD(g), dq = v_sub(LOAD(x), mu);              \
    if (gated) gq = KR_FN(gate)(gq, v_fma(dq, slope, shift)); \
    a = v_add(a, gq);                                         \
    b = v_fma(gq, dq, b);                                     \
  }
#define WHOLE(p) v_load(p + at)
#define PART(p) KR_FN(ld)(p + at, w)
      if (left == 4 && w >= V_LANES) {
        ADD_ROWS(4, WHOLE)
      } else {
        ADD_ROWS(left, PART)
      }
#undef ADD_ROWS
#undef WHOLE
#undef PART
      KR_FN(st)(sum_g + j, r ? v_add(KR_FN(ld)(sum_g + j, w), a) : a, w);
      KR_FN(st)(sum_gd + j, r ? v_add(KR_FN(ld)(sum_gd + j, w), b) : b, w);
    }
  }
}

/* out_j = sum over the parts, in order, of p[part * stride + j]; in double. */
static void KR_FN(add_parts)(const real *p, int64_t parts, int64_t stride, int64_t m, real *out) {
  double sum[TILE];
  memset(sum, 0, sizeof sum);
  for (int64_t k = 0; k < parts; ++k)
    for (int64_t j = 0; j < m; ++j) sum[j] += (double)p[k * stride + j];
  for (int64_t j = 0; j < m; ++j) out[j] = (real)sum[j];
}

KR_INLINE void KR_FN(product_chunk)(const KR_FN(channel_job) * j, int64_t task, int gated) {
  const norm_shape *s = &j->s;
  int64_t c = task % s->tiles * TILE, chunk = task / s->tiles, from = chunk * s->chunk;
  int64_t n = kr_min(s->chunk, s->outer - from), m = kr_min(TILE, s->channels - c), at = from * s->channels + c;
  real *sum_g = j->sums + chunk * 2 * s->channels + c, *sum_gd = sum_g + s->channels;
  const real *x = j->x + at, *g = j->g + at;
  KR_FN(coefs) k = {.mean = j->k.mean + c, .slope = j->k.slope + c, .shift = j->k.shift + c};
  if (s->glue == 1 || n < 4 * s->glue) {
    KR_FN(product_columns)(x, g, n, s->channels, m, &k, gated, sum_g, sum_gd);
    return;
  }
  int64_t rows = n / s->glue, rest = n - rows * s->glue, width = s->glue * m;
  real KR_ALIGNED part_g[3 * GLUE], part_gd[3 * GLUE];
  KR_FN(product_columns)(x, g, rows, width, width, &k, gated, part_g, part_gd);
  if (rest) {
    int64_t skip = rows * width;
    KR_FN(product_columns)(x + skip, g + skip, rest, m, m, &k, gated, part_g + width, part_gd + width);
  }
  KR_FN(add_parts)(part_g, s->glue + (rest > 0), m, m, sum_g);
  KR_FN(add_parts)(part_gd, s->glue + (rest > 0), m, m, sum_gd);
}

static void KR_FN(product_task)(void *arg, int64_t task, int worker) {
  (void)worker;
  const KR_FN(channel_job) *j = arg;
  const norm_shape *s = &j->s;
  if (s->inner == 1) {
    if (j->gated) KR_FN(product_chunk)(j, task, 1);
    else KR_FN(product_chunk)(j, task, 0);
    return;
  }
  int64_t lines = s->outer * s->channels * s->segments;
  for (int64_t l = task * s->group; l < kr_min(lines, (task + 1) * s->group); ++l) {
    int64_t segment = l % s->segments, line = l / s->segments, c = line % s->channels;
    int64_t from = line * s->inner + segment * s->chunk, n = kr_min(s->chunk, s->inner - segment * s->chunk);
    int64_t to = (line / s->channels * s->segments + segment) * 2 * s->channels + c;
    vreal mean = v_set1(j->k.mean[c]), a = v_zero(), b = v_zero();
    vreal slope = j->gated ? v_set1(j->k.slope[c]) : v_zero(), shift = j->gated ? v_set1(j->k.shift[c]) : v_zero();
    for (int64_t block = 0; block < n; block += 32 * V_LANES) {
      vreal pa = v_zero(), pb = v_zero();
      for (int64_t q = block; q < kr_min(n, block + 32 * V_LANES); q += V_LANES) {
        vreal g = KR_FN(ld)(j->g + from + q, n - q), d = v_sub(KR_FN(ld)(j->x + from + q, n - q), mean);
        if (j->gated) g = KR_FN(gate)(g, v_fma(d, slope, shift));
        pa = v_add(pa, g);
        pb = v_fma(g, d, pb);
      }
      a = v_add(a, pa);
      b = v_add(b, pb);
    }
    j->sums[to] = v_hsum(a);
    j->sums[to + s->channels] = v_hsum(b);
  }
}

static void KR_FN(product_merge_task)(void *arg, int64_t task, int worker) {
  (void)worker;
  const KR_FN(channel_job) *j = arg;
  const norm_shape *s = &j->s;
  int64_t c = task * TILE, m = kr_min(TILE, s->channels - c);
  KR_FN(add_parts)(j->sums + c, s->parts, 2 * s->channels, m, j->sum_g + c);
  KR_FN(add_parts)(j->sums + s->channels + c, s->parts, 2 * s->channels, m, j->sum_gd + c);
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
  j.gated = c->n_in > 7;
  if (j.gated) {
    const real *beta = c->in[7].data;
    for (int64_t q = 0; q < s.channels; ++q) {
      j.k.slope[q] = gamma[q] * KR_FN(rsigma)(var[q], c->f[0]); /* as batch_norm has made y */
      j.k.shift[q] = beta[q];
    }
    KR_FN(coefs_repeat)(&s, j.k.slope);
    KR_FN(coefs_repeat)(&s, j.k.shift);
  }
  kr_parallel(c->threads, s.stats_tasks, KR_FN(product_task), &j);
  kr_parallel(c->threads, s.tiles, KR_FN(product_merge_task), &j);
  for (int64_t q = 0; q < s.channels; ++q) {
    real r = KR_FN(rsigma)(var[q], c->f[0]);
    dgamma[q] *= r;
    j.k.a[q] = gamma[q] * r;
    j.k.b[q] = 2 * g_var[q] / count - gamma[q] * r * r * dgamma[q] / count;
    j.k.c[q] = g_mean[q] / count - gamma[q] * r * dbeta[q] / count;
  }
  KR_FN(affine)(c->threads, &j);
  return KR_OK;
}
