/* Mean and variance of each channel of x (batch, outer, channels, inner) over outer and inner, for one width of real.
 *
 * x is read from memory once.  It is cut into chunks of a size that depends on the shape alone; for each one the mean
 * and the sum of squared differences from it are taken in two passes while the chunk is in cache, and the chunks are
 * merged in order, in double (T. Chan, G. Golub, R. LeVeque, Algorithms for computing the sample variance, 1983).  So a
 * mean that is large beside the deviation costs no accuracy. */
#include "reduce/fold_body.h"

/* One partial result: mean is the rounded mean, rest what it lacks (mean of x - mean), squares the sum of squared
 * differences from mean + rest.  Without rest, a mean of 1000 deviations would leave its rounding in the variance. */
typedef struct {
  real *mean, *rest, *squares;
} KR_FN(parts);

KR_INLINE KR_FN(parts) KR_FN(parts_at)(KR_FN(parts) p, int64_t at) {
  return (KR_FN(parts)){p.mean + at, p.rest + at, p.squares + at};
}

KR_INLINE void KR_FN(row_stats)(const real *x, int64_t n, KR_FN(parts) out) {
  real mean = KR_FN(row)(OP_SUM, x, n) / (real)n;
  vreal m = v_set1(mean), sum = v_zero(), squares = v_zero();
  for (int64_t b = 0; b < n; b += 32 * V_LANES) {
    vreal part = v_zero(), part_squares = v_zero();
    for (int64_t j = b; j < kr_min(n, b + 32 * V_LANES); j += V_LANES) {
      vreal d = KR_FN(keep)(v_sub(KR_FN(ld)(x + j, n - j), m), n - j);
      part = v_add(part, d);
      part_squares = v_fma(d, d, part_squares);
    }
    sum = v_add(sum, part);
    squares = v_add(squares, part_squares);
  }
  real rest = v_hsum(sum) / (real)n;
  *out.mean = mean;
  *out.rest = rest;
  *out.squares = v_hsum(squares) - rest * rest * (real)n;
}

/* The same for each of m columns of n rows. */
KR_INLINE void KR_FN(column_stats)(const real *x, int64_t n, int64_t s, int64_t m, KR_FN(parts) out) {
  KR_FN(cols)(OP_SUM, x, n, s, m, out.mean);
  vreal count = v_set1((real)n);
  for (int64_t j = 0; j < m; j += V_LANES) KR_FN(st)(out.mean + j, v_div(KR_FN(ld)(out.mean + j, m - j), count), m - j);
  /* Row by row, as memory lies: eight rows meet in registers before the running sums. */
  for (int64_t r = 0; r < n; r += 8) {
    int64_t left = kr_min(8, n - r);
    for (int64_t j = 0; j < m; j += V_LANES) {
      int64_t w = m - j;
      const real *p = x + r * s + j;
      vreal mean = KR_FN(ld)(out.mean + j, w), sum = v_zero(), squares = v_zero();
#define ADD_ROWS(rows, LOAD)         \
  for (int q = 0; q < (rows); ++q) { \
    vreal d = v_sub(LOAD, mean);     \
    sum = v_add(sum, d);             \
    squares = v_fma(d, d, squares);  \
  }
      if (left == 8 && w >= V_LANES) {
        ADD_ROWS(8, v_load(p + q * s))
      } else {
        ADD_ROWS(left, KR_FN(ld)(p + q * s, w))
      }
#undef ADD_ROWS
      KR_FN(st)(out.rest + j, r ? v_add(KR_FN(ld)(out.rest + j, w), sum) : sum, w);
      KR_FN(st)(out.squares + j, r ? v_add(KR_FN(ld)(out.squares + j, w), squares) : squares, w);
    }
  }
  for (int64_t j = 0; j < m; j += V_LANES) {
    int64_t w = m - j;
    vreal rest = v_div(KR_FN(ld)(out.rest + j, w), count);
    KR_FN(st)(out.rest + j, rest, w);
    KR_FN(st)(out.squares + j, v_fnma(v_mul(rest, rest), count, KR_FN(ld)(out.squares + j, w)), w);
  }
}

/* Merges `count` partial results of m <= TILE columns, `stride` elements apart: each holds `weight` elements, every
 * `period`-th one `last_weight`.  Means are taken as differences from the first one, which are small and so keep
 * `rest`. */
static void KR_FN(merge_stats)(KR_FN(parts) p, int64_t count, int64_t stride, int64_t m, int64_t weight,
                               int64_t last_weight, int64_t period, KR_FN(parts) out) {
  double mean[TILE], squares[TILE], total = 0;
  memset(mean, 0, sizeof mean);
  memset(squares, 0, sizeof squares);
#define APART(k, j) ((double)p.mean[(k) * stride + (j)] - (double)p.mean[j] + (double)p.rest[(k) * stride + (j)])
  for (int64_t k = 0; k < count; ++k) {
    double w = (double)((k + 1) % period ? weight : last_weight);
    for (int64_t j = 0; j < m; ++j) mean[j] += w * APART(k, j);
    total += w;
  }
  for (int64_t j = 0; j < m; ++j) mean[j] /= total;
  for (int64_t k = 0; k < count; ++k) {
    double w = (double)((k + 1) % period ? weight : last_weight);
    for (int64_t j = 0; j < m; ++j) {
      double d = APART(k, j) - mean[j];
      squares[j] += (double)p.squares[k * stride + j] + w * d * d;
    }
  }
#undef APART
  for (int64_t j = 0; j < m; ++j) {
    out.mean[j] = (real)((double)p.mean[j] + mean[j]);
    out.rest[j] = (real)((double)p.mean[j] - (double)out.mean[j] + mean[j]);
    out.squares[j] = (real)squares[j];
  }
}

/* One chunk of n rows of m neighbouring columns; narrow ones are read as fewer, wider rows. */
static void KR_FN(chunk_stats)(const real *x, int64_t n, int64_t s, int64_t m, KR_FN(parts) out) {
  int64_t k = 1;
  while (k * m < WIDE && n >= 16 * k) k *= 2;
  if (k == 1 || s != m) {
    KR_FN(column_stats)(x, n, s, m, out);
    return;
  }
  real KR_ALIGNED mean[3 * WIDE], rest[3 * WIDE], squares[3 * WIDE];
  KR_FN(parts) p = {mean, rest, squares};
  int64_t wide = n / k, left = n - wide * k;
  KR_FN(column_stats)(x, wide, k * m, k * m, p);
  if (left) KR_FN(column_stats)(x + wide * k * m, left, m, m, KR_FN(parts_at)(p, k * m));
  KR_FN(merge_stats)(p, k + (left > 0), m, m, wide, left, k + 1, out);
}

typedef struct {
  const real *x;
  KR_FN(parts) parts; /* (batch, parts, channels) */
  norm_shape s;
  KR_FN(parts) out; /* (batch, channels) */
} KR_FN(stats_job);

static void KR_FN(stats_task)(void *arg, int64_t task, int worker) {
  (void)worker;
  const KR_FN(stats_job) *j = arg;
  const norm_shape *s = &j->s;
  if (s->inner == 1) {
    int64_t c = task % s->tiles * TILE, chunk = task / s->tiles % s->parts, b = task / s->tiles / s->parts;
    int64_t from = chunk * s->chunk, rows = kr_min(s->chunk, s->outer - from), m = kr_min(TILE, s->channels - c);
    const real *x = j->x + (b * s->outer + from) * s->channels + c;
    KR_FN(chunk_stats)(x, rows, s->channels, m, KR_FN(parts_at)(j->parts, (b * s->parts + chunk) * s->channels + c));
    return;
  }
  /* Lines of `inner` elements, in segments, `group` of them in a task. */
  int64_t lines = s->batch * s->outer * s->channels * s->segments;
  for (int64_t l = task * s->group; l < kr_min(lines, (task + 1) * s->group); ++l) {
    int64_t segment = l % s->segments, line = l / s->segments, channel = line % s->channels;
    int64_t from = segment * s->chunk, to = (line / s->channels * s->segments + segment) * s->channels + channel;
    KR_FN(row_stats)(j->x + line * s->inner + from, kr_min(s->chunk, s->inner - from), KR_FN(parts_at)(j->parts, to));
  }
}

static void KR_FN(stats_merge_task)(void *arg, int64_t task, int worker) {
  (void)worker;
  const KR_FN(stats_job) *j = arg;
  const norm_shape *s = &j->s;
  int64_t c = task % s->tiles * TILE, b = task / s->tiles, m = kr_min(TILE, s->channels - c);
  int64_t last = s->length - (s->segments - 1) * s->chunk;
  KR_FN(merge_stats)(KR_FN(parts_at)(j->parts, b * s->parts * s->channels + c), s->parts, s->channels, m, s->chunk,
                     last, s->segments, KR_FN(parts_at)(j->out, b * s->channels + c));
}

/* Mean and variance (batch, channels); scratch holds norm_stats_scratch bytes. */
static void KR_FN(stats)(int threads, const norm_shape *s, const real *x, void *scratch, real *mean, real *var) {
  int64_t out = s->batch * s->channels, each = out * s->parts;
  double count = (double)s->outer * (double)s->inner;
  if (count == 0) {
    for (int64_t q = 0; q < out; ++q) mean[q] = var[q] = (real)NAN;
    return;
  }
  real *p = scratch;
  KR_FN(stats_job) j = {.x = x, .s = *s, .out = {mean, p, var}, .parts = {p + out, p + out + each, p + out + 2 * each}};
  if (s->parts == 1) j.parts = j.out;
  kr_parallel(threads, s->stats_tasks, KR_FN(stats_task), &j);
  if (s->parts > 1) kr_parallel(threads, s->batch * s->tiles, KR_FN(stats_merge_task), &j);
  for (int64_t q = 0; q < out; ++q) {
    mean[q] += j.out.rest[q];
    var[q] = (real)((double)(var[q] < 0 ? 0 : var[q]) / count);
  }
}

static kr_status KR_FN(moments_kernel)(const kr_call *c) {
  norm_shape s = norm_shape_of(c, c->i[0]);
  if (s.batch < 0) return KR_EINTERNAL;
  if (s.batch * s.channels > 0) KR_FN(stats)(c->threads, &s, c->in[0].data, c->scratch, c->out[0].data, c->out[1].data);
  return KR_OK;
}
