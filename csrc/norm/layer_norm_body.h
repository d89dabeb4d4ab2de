/* Layer and RMS normalisation of rows, for one width of real; included by layer_norm.c. */
#include "reduce/fold_body.h"

typedef struct {
  const real *x, *gamma, *beta, *g;
  real *y, *sums; /* sums: (chunks, 2, n) of g xhat and of g */
  line_shape s;
  real *dgamma, *dbeta;
  double eps;
  int centred; /* subtract the mean: layer normalisation; else RMS */
  int near;    /* forward: x and y fit into half of the last cache */
} KR_FN(line_job);

/* Mean (0 where not centred) and 1 / sqrt(variance about it + eps) of a row, which stays in cache between the passes.
 * The next row, and of its gradient where g is given, is fetched meanwhile: a row's first pass would wait for memory, and
 * the others leave it idle. */
KR_INLINE void KR_FN(line_stats)(const real *x, const real *g, int64_t n, double eps, int centred, real *mean,
                                 real *r) {
  enum { LINE = 64 / sizeof(real) };
  *mean = centred ? KR_FN(row)(OP_SUM, x, n) / (real)n : 0;
  const vreal m = v_set1(*mean);
  vreal total = v_zero();
  for (int64_t b = 0; b < n; b += 32 * V_LANES) {
    const int64_t end = kr_min(n, b + 32 * V_LANES);
    vreal part[4] = {v_zero(), v_zero(), v_zero(), v_zero()};
    int64_t j = b;
    for (; j + 4 * V_LANES <= end; j += 4 * V_LANES) {
#pragma GCC unroll 4
      for (int k = 0; k < 4; ++k) {
        const vreal d = v_sub(v_load(x + j + k * V_LANES), m);
        part[k] = v_fma(d, d, part[k]);
      }
      for (int64_t k = 0; k < 4 * V_LANES; k += LINE) {
        __builtin_prefetch(x + n + j + k);
        if (g) __builtin_prefetch(g + n + j + k);
      }
    }
    for (; j < end; j += V_LANES) {
      const vreal d = KR_FN(keep)(v_sub(KR_FN(ld)(x + j, n - j), m), n - j);
      part[0] = v_fma(d, d, part[0]);
      __builtin_prefetch(x + n + j);
      if (g) __builtin_prefetch(g + n + j);
    }
    total = v_add(total, v_add(v_add(part[0], part[1]), v_add(part[2], part[3])));
  }
  *r = (real)(1 / sqrt((double)v_hsum(total) / (double)n + eps));
}

#include "layer_norm_short.h"
#include "layer_norm_wide.h"

static void KR_FN(forward_task)(void *arg, int64_t task, int worker) {
  (void)worker;
  const KR_FN(line_job) *j = arg;
  int64_t n = j->s.n;
  if (SHORT_ROW(forward_short, j, task * j->s.group, kr_min(j->s.rows, (task + 1) * j->s.group))) return;
  const int64_t group = KR_FN(wide_group)(n, 2 * sizeof(real)); /* of x and y */
  if (group > 1) {
    KR_FN(forward_wide)(j, task * j->s.group, kr_min(j->s.rows, (task + 1) * j->s.group), group);
    return;
  }
  for (int64_t row = task * j->s.group; row < kr_min(j->s.rows, (task + 1) * j->s.group); ++row) {
    const real *x = j->x + row * n;
    real *y = j->y + row * n, mean, r;
    KR_FN(line_stats)(x, NULL, n, j->eps, j->centred, &mean, &r);
    vreal m = v_set1(mean), vr = v_set1(r);
    for (int64_t q = 0; q < n; q += V_LANES) {
      int64_t w = n - q;
      vreal v = v_mul(v_mul(v_sub(KR_FN(ld)(x + q, w), m), vr), KR_FN(ld)(j->gamma + q, w));
      if (j->beta) v = v_add(v, KR_FN(ld)(j->beta + q, w));
      KR_FN(st)(y + q, v, w);
    }
  }
}

/* One row of the gradient: dx, and its terms of dgamma and dbeta added to `sums`. */
KR_INLINE void KR_FN(backward_row)(const KR_FN(line_job) * j, int64_t row, real *sums) {
  int64_t n = j->s.n;
  const real *x = j->x + row * n, *g = j->g + row * n;
  real *dx = j->y + row * n, mean, r;
  KR_FN(line_stats)(x, g, n, j->eps, j->centred, &mean, &r);
  vreal m = v_set1(mean), vr = v_set1(r), su = v_zero(), sux = v_zero();
  for (int64_t b = 0; b < n; b += 32 * V_LANES) {
    vreal pu = v_zero(), pux = v_zero();
    for (int64_t q = b; q < kr_min(n, b + 32 * V_LANES); q += V_LANES) {
      int64_t w = n - q;
      vreal xhat = v_mul(v_sub(KR_FN(ld)(x + q, w), m), vr), gq = KR_FN(ld)(g + q, w);
      vreal u = v_mul(gq, KR_FN(ld)(j->gamma + q, w));
      pu = v_add(pu, u);
      pux = v_fma(u, xhat, pux); /* u is zero in the lanes past n */
      KR_FN(st)(sums + q, v_fma(gq, xhat, KR_FN(ld)(sums + q, w)), w);
      if (j->centred) KR_FN(st)(sums + n + q, v_add(KR_FN(ld)(sums + n + q, w), gq), w);
    }
    su = v_add(su, pu);
    sux = v_add(sux, pux);
  }
  vreal mean_u = v_set1(j->centred ? v_hsum(su) / (real)n : 0), mean_ux = v_set1(v_hsum(sux) / (real)n);
  for (int64_t q = 0; q < n; q += V_LANES) {
    int64_t w = n - q;
    vreal xhat = v_mul(v_sub(KR_FN(ld)(x + q, w), m), vr);
    vreal u = v_mul(KR_FN(ld)(g + q, w), KR_FN(ld)(j->gamma + q, w));
    KR_FN(st)(dx + q, v_mul(vr, v_sub(v_sub(u, mean_u), v_mul(xhat, mean_ux))), w);
  }
}

static void KR_FN(backward_task)(void *arg, int64_t task, int worker) {
  (void)worker;
  const KR_FN(line_job) *j = arg;
  const line_shape *s = &j->s;
  for (int64_t chunk = task * s->chunk_group; chunk < kr_min(s->chunks, (task + 1) * s->chunk_group); ++chunk) {
    int64_t n = s->n;
    real *sums = j->sums + chunk * 2 * n;
    if (SHORT_ROW(backward_short, j, chunk * s->chunk, kr_min(s->rows, (chunk + 1) * s->chunk), sums)) continue;
    const int64_t group = KR_FN(wide_group)(n, 3 * sizeof(real)); /* of x, g and dx */
    if (group > 1) {
      KR_FN(backward_wide)(j, chunk * s->chunk, kr_min(s->rows, (chunk + 1) * s->chunk), group, sums);
      continue;
    }
    memset(sums, 0, 2 * (size_t)s->n * sizeof(real));
    for (int64_t row = chunk * s->chunk; row < kr_min(s->rows, (chunk + 1) * s->chunk); ++row)
      KR_FN(backward_row)(j, row, sums);
  }
}

/* Adds the chunks' sums in order, in double, TILE columns at a time. */
static void KR_FN(gather_task)(void *arg, int64_t task, int worker) {
  (void)worker;
  const KR_FN(line_job) *j = arg;
  int64_t n = j->s.n, from = task * TILE, m = kr_min(TILE, 2 * n - from);
  double sum[TILE];
  memset(sum, 0, sizeof sum);
  for (int64_t chunk = 0; chunk < j->s.chunks; ++chunk)
    for (int64_t q = 0; q < m; ++q) sum[q] += (double)j->sums[chunk * 2 * n + from + q];
  for (int64_t q = 0; q < m; ++q) {
    int64_t at = from + q;
    if (at < n) j->dgamma[at] = (real)sum[q];
    else if (j->dbeta) j->dbeta[at - n] = (real)sum[q];
  }
}

static kr_status KR_FN(norm_forward)(const kr_call *c, int centred) {
  KR_FN(line_job) j = {.x = c->in[0].data, .gamma = c->in[1].data, .y = c->out[0].data, .s = line_shape_of(c)};
  j.beta = centred ? c->in[2].data : NULL;
  j.eps = c->f[0];
  j.centred = centred;
  j.near = kr_size(&c->in[0]) * 2 * (int64_t)sizeof(real) <= kr_cpu_caches()->l3 / 2;
  if (kr_size(&c->in[0])) kr_parallel(c->threads, kr_ceil_div(j.s.rows, j.s.group), KR_FN(forward_task), &j);
  return KR_OK;
}

static kr_status KR_FN(norm_backward)(const kr_call *c, int centred) {
  KR_FN(line_job) j = {.x = c->in[0].data, .gamma = c->in[1].data, .g = c->in[2].data, .y = c->out[0].data};
  j.s = line_shape_of(c);
  j.sums = c->scratch;
  j.dgamma = c->out[1].data;
  j.dbeta = centred ? c->out[2].data : NULL;
  j.eps = c->f[0];
  j.centred = centred;
  if (j.s.n == 0) return KR_OK;
  kr_parallel(c->threads, kr_ceil_div(j.s.chunks, j.s.chunk_group), KR_FN(backward_task), &j);
  kr_parallel(c->threads, kr_ceil_div(2 * j.s.n, TILE), KR_FN(gather_task), &j);
  return KR_OK;
}

static kr_status KR_FN(layer_norm)(const kr_call *c) { return KR_FN(norm_forward)(c, 1); }
static kr_status KR_FN(layer_norm_grad)(const kr_call *c) { return KR_FN(norm_backward)(c, 1); }
static kr_status KR_FN(rms_norm)(const kr_call *c) { return KR_FN(norm_forward)(c, 0); }
static kr_status KR_FN(rms_norm_grad)(const kr_call *c) { return KR_FN(norm_backward)(c, 0); }
