/* Mean and variance of each channel of x (batch, outer, channels, inner) over outer and inner, for one width of real.
 *
 * x is read from memory once.  It is cut into chunks of a size that depends on the shape alone; for each one the mean
 * and the sum of squared differences from it are taken in two passes while the chunk is in cache, and the chunks are
 * merged in order, in double (T. Chan, G. Golub, R. LeVeque, Algorithms for computing the sample variance, 1983).  So a
 * mean that is large beside the deviation costs no accuracy. */
#include "reduce/fold_body.h"

/* Sum of (x - mean)^2 of a row. */
KR_INLINE real KR_FN(row_squares)(const real *x, int64_t n, real mean) {
  vreal m = v_set1(mean), total = v_zero();
  for (int64_t b = 0; b < n; b += 128 * V_LANES) {
    vreal s0 = v_zero(), s1 = v_zero();
    int64_t end = kr_min(n, b + 128 * V_LANES), j = b;
    for (; j + 2 * V_LANES <= end; j += 2 * V_LANES) {
      vreal d0 = v_sub(v_load(x + j), m), d1 = v_sub(v_load(x + j + V_LANES), m);
      s0 = v_fma(d0, d0, s0);
      s1 = v_fma(d1, d1, s1);
    }
    for (; j < end; j += V_LANES) {
      vreal d = KR_FN(keep)(v_sub(KR_FN(ld)(x + j, end - j), m), end - j);
      s0 = v_fma(d, d, s0);
    }
    total = v_add(total, v_add(s0, s1));
  }
  return v_hsum(total);
}

/* Means of m columns over n rows and their sums of squared differences. */
KR_INLINE void KR_FN(column_stats)(const real *x, int64_t n, int64_t s, int64_t m, real *mean, real *squares) {
  KR_FN(cols)(OP_SUM, x, n, s, m, mean);
  for (int64_t j = 0; j < m; ++j) mean[j] /= (real)n;
  for (int64_t j = 0; j < m; j += V_LANES) {
    int64_t w = m - j;
    vreal mu = KR_FN(ld)(mean + j, w), total = v_zero();
    for (int64_t b = 0; b < n; b += 32) {
      vreal part = v_zero();
      for (int64_t r = b; r < kr_min(n, b + 32); ++r) {
        vreal d = v_sub(KR_FN(ld)(x + r * s + j, w), mu);
        part = v_fma(d, d, part);
      }
      total = v_add(total, part);
    }
    KR_FN(st)(squares + j, total, w);
  }
}

/* Merges `parts` partial results of m <= TILE columns, `stride` elements apart: part p holds weight elements, every
 * `period`-th one last_weight. */
static void KR_FN(merge_stats)(const real *mean, const real *squares, int64_t parts, int64_t stride, int64_t m,
                               int64_t weight, int64_t last_weight, int64_t period, real *mean_out, real *squares_out) {
  double mu[TILE], sum[TILE], count = 0;
  memset(mu, 0, sizeof mu);
  memset(sum, 0, sizeof sum);
  for (int64_t p = 0; p < parts; ++p) {
    double w = (double)((p + 1) % period ? weight : last_weight);
    for (int64_t j = 0; j < m; ++j) mu[j] += w * (double)mean[p * stride + j];
    count += w;
  }
  for (int64_t j = 0; j < m; ++j) mu[j] /= count;
  for (int64_t p = 0; p < parts; ++p) {
    double w = (double)((p + 1) % period ? weight : last_weight);
    for (int64_t j = 0; j < m; ++j) {
      double d = (double)mean[p * stride + j] - mu[j];
      sum[j] += (double)squares[p * stride + j] + w * d * d;
    }
  }
  for (int64_t j = 0; j < m; ++j) {
    mean_out[j] = (real)mu[j];
    squares_out[j] = (real)sum[j];
  }
}

/* One chunk of n rows of m neighbouring columns; narrow ones are read as fewer, wider rows. */
static void KR_FN(chunk_stats)(const real *x, int64_t n, int64_t s, int64_t m, real *mean, real *squares) {
  int64_t k = 1;
  while (k * m < WIDE) k *= 2;
  if (k == 1 || s != m || n < 4 * k) {
    KR_FN(column_stats)(x, n, s, m, mean, squares);
    return;
  }
  real KR_ALIGNED part_mean[3 * WIDE], part_squares[3 * WIDE];
  int64_t wide = n / k, rest = n - wide * k;
  KR_FN(column_stats)(x, wide, k * m, k * m, part_mean, part_squares);
  if (rest) KR_FN(column_stats)(x + wide * k * m, rest, m, m, part_mean + k * m, part_squares + k * m);
  KR_FN(merge_stats)(part_mean, part_squares, k + (rest > 0), m, m, wide, rest, k + 1, mean, squares);
}

typedef struct {
  const real *x;
  real *mean, *squares; /* partial results: (batch, parts, channels) */
  norm_shape s;
  real *mean_out, *var_out;
} KR_FN(stats_job);

static void KR_FN(stats_task)(void *arg, int64_t task, int worker) {
  (void)worker;
  const KR_FN(stats_job) *j = arg;
  const norm_shape *s = &j->s;
  if (s->inner == 1) {
    int64_t c = task % s->tiles * TILE, chunk = task / s->tiles % s->parts, b = task / s->tiles / s->parts;
    int64_t from = chunk * s->chunk, rows = kr_min(s->chunk, s->outer - from), m = kr_min(TILE, s->channels - c);
    int64_t to = (b * s->parts + chunk) * s->channels + c;
    KR_FN(chunk_stats)
    (j->x + (b * s->outer + from) * s->channels + c, rows, s->channels, m, j->mean + to, j->squares + to);
    return;
  }
  /* Lines of `inner` elements, `group` of them in a task. */
  int64_t lines = s->batch * s->outer * s->channels * s->segments;
  for (int64_t l = task * s->group; l < kr_min(lines, (task + 1) * s->group); ++l) {
    int64_t segment = l % s->segments, line = l / s->segments, channel = line % s->channels;
    int64_t from = segment * s->chunk, n = kr_min(s->chunk, s->inner - from);
    int64_t to = (line / s->channels * s->segments + segment) * s->channels + channel;
    const real *x = j->x + line * s->inner + from;
    real mean = KR_FN(row)(OP_SUM, x, n) / (real)n;
    j->mean[to] = mean;
    j->squares[to] = KR_FN(row_squares)(x, n, mean);
  }
}

static void KR_FN(stats_merge_task)(void *arg, int64_t task, int worker) {
  (void)worker;
  const KR_FN(stats_job) *j = arg;
  const norm_shape *s = &j->s;
  int64_t c = task % s->tiles * TILE, b = task / s->tiles, m = kr_min(TILE, s->channels - c);
  int64_t from = b * s->parts * s->channels + c, to = b * s->channels + c,
          last = s->length - (s->segments - 1) * s->chunk;
  KR_FN(merge_stats)
  (j->mean + from, j->squares + from, s->parts, s->channels, m, s->chunk, last, s->segments, j->mean_out + to,
   j->var_out + to);
}

/* Mean and variance (batch, channels); scratch holds norm_shape's stats_scratch bytes. */
static void KR_FN(stats)(int threads, const norm_shape *s, const real *x, void *scratch, real *mean, real *var) {
  KR_FN(stats_job) j = {.x = x, .mean = scratch, .s = *s, .mean_out = mean, .var_out = var};
  int64_t out = s->batch * s->channels;
  double count = (double)s->outer * (double)s->inner;
  if (count == 0) {
    for (int64_t q = 0; q < out; ++q) mean[q] = var[q] = (real)NAN;
    return;
  }
  j.squares = j.mean + out * s->parts;
  if (s->parts == 1) j.mean = mean, j.squares = var;
  kr_parallel(threads, s->stats_tasks, KR_FN(stats_task), &j);
  if (s->parts > 1) kr_parallel(threads, s->batch * s->tiles, KR_FN(stats_merge_task), &j);
  for (int64_t q = 0; q < out; ++q) var[q] = (real)((double)var[q] / count);
}

static kr_status KR_FN(moments_kernel)(const kr_call *c) {
  norm_shape s = norm_shape_of(c, c->i[0]);
  if (s.batch < 0) return KR_EINTERNAL;
  if (s.batch * s.channels > 0) KR_FN(stats)(c->threads, &s, c->in[0].data, c->scratch, c->out[0].data, c->out[1].data);
  return KR_OK;
}
