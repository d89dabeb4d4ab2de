/* Sums of each channel of x (batch, outer, channels, inner) over outer and inner, for one width of real, and the mean
 * and variance that follow from them.
 *
 * Memory is read once.  x is cut into chunks of a size that depends on the shape alone, whose sums of g and of
 * g (x - mean) are taken apart and added in order, in double.  For a gradient, g is one and mean the mean; for the
 * moments g is x - mean itself and mean a guess, of which the sums tell what it lacks:
 *
 *   rest = sum(d) / n,  mean = guess + rest,  variance = (sum(d^2) - n rest^2) / n  with d = x - guess
 *
 * (T. Chan, G. Golub, R. LeVeque, Algorithms for computing the sample variance, 1983, on shifted data).  The difference
 * costs a factor of 1 + rest^2 / variance in accuracy; where that is more than 2, which takes data of which a sample
 * tells nothing, the sums are taken again from the better mean.  A line that is all of its channel, and short enough not
 * to be cut, takes its own mean as the guess: it is in cache when it is read again. */
#include "reduce/fold_body.h"

/* Coefficients of each channel, each repeated over the glued rows: out = a g + b (x - mean) + c, where g counts only
 * where slope (x - mean) + shift > 0, if there are such. */
typedef struct {
  real *mean, *a, *b, *c, *slope, *shift;
} KR_FN(coefs);

/* Those from a channel on.  Passed by value, so that the compiler need not fear that a store changes a pointer. */
KR_INLINE KR_FN(coefs) KR_FN(coefs_from)(KR_FN(coefs) k, int64_t c) {
  return (KR_FN(coefs)){k.mean + c, k.a + c, k.b + c, k.c + c, k.slope + c, k.shift + c};
}

/* Repeats a row of coefficients of all channels over the glued rows. */
static void KR_FN(coefs_repeat)(const norm_shape *s, real *p) {
  for (int64_t k = 1; k < s->glue; ++k) memcpy(p + k * s->channels, p, (size_t)s->channels * sizeof(real));
}

/* Whether g passes through a ReLU, and whether NaN in what went into it must be looked for. */
enum KR_FN(gating) { KR_FN(open), KR_FN(gated), KR_FN(gated_exactly) };

typedef struct {
  const real *x, *g; /* g is NULL for x - mean, where sums are taken */
  real *y, *sums;    /* sums: (batch, parts, 2, channels) of g and of g (x - mean) */
  norm_shape s;
  KR_FN(coefs) k;
  real *sum_g, *sum_gd;
  int relu;
  enum KR_FN(gating) gating;
} KR_FN(channel_job);

/* The gradient of max(y, 0) for g and the y that it went through, which is NaN where y is: as relu_grad has it. */
KR_INLINE vreal KR_FN(gate)(vreal g, vreal y, enum KR_FN(gating) gating) {
  const vreal open = v_select(v_gt(y, v_zero()), g, v_zero());
  if (gating != KR_FN(gated_exactly)) return open;
  const vmask odd = v_isnan(y);
  return __builtin_expect(m_any(odd), 0) ? v_select(odd, v_mul(g, y), open) : open;
}

/* Asks for a line of each of `rows` rows. */
KR_INLINE void KR_FN(fetch_rows)(const real *p, int64_t s, int64_t rows) {
  for (int64_t q = 0; q < rows; ++q) __builtin_prefetch(p + q * s, 0, 3);
}

/* Sums of g and of g (x - mean) over n rows of m columns; k begins at the first column.  Some rows meet in registers before
 * the running sums: eight, or four where g is read as well, since more arrays at once are slower. */
KR_INLINE void KR_FN(sum_columns)(const real *x, const real *g, int64_t n, int64_t s, int64_t m, KR_FN(coefs) k,
                                  enum KR_FN(gating) gating, real *sum_g, real *sum_gd) {
  const int64_t group = g ? 4 : 8;
  for (int64_t r = 0; r < n; r += group) {
    int64_t left = kr_min(group, n - r);
    for (int64_t j = 0; j < m; j += V_LANES) {
      int64_t w = m - j;
      vreal mu = KR_FN(ld)(k.mean + j, w), a = v_zero(), b = v_zero();
      vreal slope = gating ? KR_FN(ld)(k.slope + j, w) : v_zero(),
            shift = gating ? KR_FN(ld)(k.shift + j, w) : v_zero();
#define ADD_ROWS(rows, LOAD)                                           \
  for (int q = 0; q < (rows); ++q) {                                   \
    int64_t at = (r + q) * s + j;                                      \
    vreal dq = v_sub(LOAD(x), mu), gq = g ? LOAD(g) : dq;              \
    if (gating) gq = KR_FN(gate)(gq, v_fma(dq, slope, shift), gating); \
    a = v_add(a, gq);                                                  \
    b = v_fma(gq, dq, b);                                              \
  }
#define WHOLE(p) v_load(p + at)
#define PART(p) KR_FN(ld)(p + at, w)
      if (left == group && w >= V_LANES) {
        if (j * sizeof(real) % 64 == 0) { /* which pays where arrays come from far, as they do in training */
          KR_FN(fetch_rows)(x + (r + group) * s + j, s, group);
          if (g) KR_FN(fetch_rows)(g + (r + group) * s + j, s, group);
        }
        ADD_ROWS(group, WHOLE)
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

/* total_j = sum over the parts, in order, of p[part * stride + j]. */
KR_INLINE void KR_FN(total_parts)(const real *p, int64_t parts, int64_t stride, int64_t m, double *total) {
  memset(total, 0, (size_t)m * sizeof *total);
  for (int64_t k = 0; k < parts; ++k)
    for (int64_t j = 0; j < m; ++j) total[j] += (double)p[k * stride + j];
}

static void KR_FN(add_parts)(const real *p, int64_t parts, int64_t stride, int64_t m, real *out) {
  double total[TILE];
  KR_FN(total_parts)(p, parts, stride, m, total);
  for (int64_t j = 0; j < m; ++j) out[j] = (real)total[j];
}

/* n rows of m neighbouring columns, of `s` in all; narrow ones are read as fewer, wider rows. */
KR_INLINE void KR_FN(sum_rows)(const real *x, const real *g, int64_t n, const norm_shape *s, int64_t m, KR_FN(coefs) k,
                               enum KR_FN(gating) gating, real *sum_g, real *sum_gd) {
  if (s->glue == 1 || n < 4 * s->glue) {
    KR_FN(sum_columns)(x, g, n, s->channels, m, k, gating, sum_g, sum_gd);
    return;
  }
  int64_t rows = n / s->glue, rest = n - rows * s->glue, width = s->glue * m;
  real KR_ALIGNED part_g[3 * GLUE], part_gd[3 * GLUE];
  KR_FN(sum_columns)(x, g, rows, width, width, k, gating, part_g, part_gd);
  if (rest) {
    int64_t skip = rows * width;
    KR_FN(sum_columns)(x + skip, g ? g + skip : NULL, rest, m, m, k, gating, part_g + width, part_gd + width);
  }
  KR_FN(add_parts)(part_g, s->glue + (rest > 0), m, m, sum_g);
  KR_FN(add_parts)(part_gd, s->glue + (rest > 0), m, m, sum_gd);
}

KR_INLINE int KR_FN(all_finite)(const real *p, int64_t n) {
  for (int64_t i = 0; i < n; ++i)
    if (!isfinite(p[i])) return 0;
  return 1;
}

/* One chunk of rows of up to TILE columns. */
static void KR_FN(sum_chunk)(const KR_FN(channel_job) * j, int64_t task) {
  const norm_shape *s = &j->s;
  int64_t c = task % s->tiles * TILE, chunk = task / s->tiles % s->parts, b = task / s->tiles / s->parts;
  int64_t from = chunk * s->chunk, n = kr_min(s->chunk, s->outer - from), m = kr_min(TILE, s->channels - c);
  int64_t at = (b * s->outer + from) * s->channels + c, line = b * s->glue * s->channels + c;
  real *sum_g = j->sums + (b * s->parts + chunk) * 2 * s->channels + c, *sum_gd = sum_g + s->channels;
  const real *x = j->x + at, *g = j->g ? j->g + at : NULL;
  KR_FN(coefs) k = KR_FN(coefs_from)(j->k, line);
  if (!j->g) KR_FN(sum_rows)(x, NULL, n, s, m, k, KR_FN(open), sum_g, sum_gd);
  else if (!j->gating) KR_FN(sum_rows)(x, g, n, s, m, k, KR_FN(open), sum_g, sum_gd);
  else {
    /* Where y is NaN and g is not looked at, x - mean is NaN or infinite, and so is a sum of it. */
    if (j->gating == KR_FN(gated)) KR_FN(sum_rows)(x, g, n, s, m, k, KR_FN(gated), sum_g, sum_gd);
    if (j->gating == KR_FN(gated_exactly) || !KR_FN(all_finite)(sum_gd, m))
      KR_FN(sum_rows)(x, g, n, s, m, k, KR_FN(gated_exactly), sum_g, sum_gd);
  }
}

/* Sums of g and of g (x - mean) over n elements of a line, but for the lanes; g may be NULL, as in a job. */
KR_INLINE void KR_FN(sum_line)(const real *x, const real *g, int64_t n, vreal mean, enum KR_FN(gating) gating,
                               vreal slope, vreal shift, vreal *sum_g, vreal *sum_gd) {
  /* 32 vectors make a sum, 32 sums make another: a chunk of any number of lanes has short chains of additions. */
  enum { BLOCK = 32 * V_LANES, BLOCKS = 32 * BLOCK };
  *sum_g = *sum_gd = v_zero();
  for (int64_t outer = 0; outer < n; outer += BLOCKS) {
    vreal blocks_g = v_zero(), blocks_gd = v_zero();
    for (int64_t block = outer; block < kr_min(n, outer + BLOCKS); block += BLOCK) {
      vreal a = v_zero(), b = v_zero();
      for (int64_t q = block; q < kr_min(n, block + BLOCK); q += V_LANES) {
        vreal dq = KR_FN(keep)(v_sub(KR_FN(ld)(x + q, n - q), mean), n - q), gq = g ? KR_FN(ld)(g + q, n - q) : dq;
        if (gating) gq = KR_FN(gate)(gq, v_fma(dq, slope, shift), gating);
        a = v_add(a, gq);
        b = v_fma(gq, dq, b);
      }
      blocks_g = v_add(blocks_g, a);
      blocks_gd = v_add(blocks_gd, b);
    }
    *sum_g = v_add(*sum_g, blocks_g);
    *sum_gd = v_add(*sum_gd, blocks_gd);
  }
}

/* One segment of a line of `inner` elements. */
static void KR_FN(sum_segment)(const KR_FN(channel_job) * j, int64_t line, int64_t segment) {
  const norm_shape *s = &j->s;
  int64_t c = line % s->channels, b = line / s->channels / s->outer, part = line / s->channels * s->segments + segment;
  int64_t from = line * s->inner + segment * s->chunk, n = kr_min(s->chunk, s->inner - segment * s->chunk);
  const real *x = j->x + from, *g = j->g ? j->g + from : NULL;
  real *sums = j->sums + part * 2 * s->channels + c;
  const vreal mean = v_set1(j->k.mean[b * s->channels + c]);
  vreal sum_g, sum_gd;
  if (j->gating) {
    const vreal slope = v_set1(j->k.slope[c]), shift = v_set1(j->k.shift[c]);
    KR_FN(sum_line)(x, g, n, mean, KR_FN(gated_exactly), slope, shift, &sum_g, &sum_gd);
  } else {
    KR_FN(sum_line)(x, g, n, mean, KR_FN(open), v_zero(), v_zero(), &sum_g, &sum_gd);
  }
  sums[0] = v_hsum(sum_g);
  sums[s->channels] = v_hsum(sum_gd);
}

static void KR_FN(sum_task)(void *arg, int64_t task, int worker) {
  (void)worker;
  const KR_FN(channel_job) *j = arg;
  const norm_shape *s = &j->s;
  if (s->inner == 1) {
    KR_FN(sum_chunk)(j, task);
    return;
  }
  int64_t lines = s->batch * s->outer * s->channels * s->segments;
  for (int64_t l = task * s->group; l < kr_min(lines, (task + 1) * s->group); ++l)
    KR_FN(sum_segment)(j, l / s->segments, l % s->segments);
}

/* ---- moments ------------------------------------------------------------------------------------------------------ */

/* A guess at the mean of each channel: that of SAMPLE elements far apart, which is exact where all are the same. */
static void KR_FN(guess_task)(void *arg, int64_t task, int worker) {
  (void)worker;
  const KR_FN(channel_job) *j = arg;
  const norm_shape *s = &j->s;
  int64_t c = task % s->tiles * TILE, b = task / s->tiles, m = kr_min(TILE, s->channels - c);
  int64_t n = s->outer * s->inner, count = kr_min(SAMPLE, n);
  const real *first = j->x + (b * s->outer * s->channels + c) * s->inner;
  real *guess = j->k.mean + b * s->glue * s->channels + c;
  double sum[TILE];
  memset(sum, 0, sizeof sum);
  for (int64_t k = 1; k < count; ++k) {
    const int64_t at = k * n / count, outer = at / s->inner;
    const real *x = first + (outer * s->channels - outer) * s->inner + at;
    for (int64_t q = 0; q < m; ++q) sum[q] += (double)x[q * s->inner] - (double)first[q * s->inner];
  }
  for (int64_t q = 0; q < m; ++q) guess[q] = (real)((double)first[q * s->inner] + sum[q] / (double)count);
}

/* The moments, to sum_g and sum_gd, of lines that are alone in their channel and not cut: as many at once as a vector has
 * lanes.  Each takes its own mean as the guess. */
static void KR_FN(alone_task)(void *arg, int64_t task, int worker) {
  (void)worker;
  const KR_FN(channel_job) *j = arg;
  const norm_shape *s = &j->s;
  const int64_t n = s->inner, end = kr_min(s->batch * s->channels, (task + 1) * s->group);
  const vreal count = v_set1((real)n);
  for (int64_t l = task * s->group; l < end; l += V_LANES) {
    const int64_t m = kr_min(V_LANES, end - l);
    KR_ALIGNED real guesses[V_LANES];
    vreal d[V_LANES], dd[V_LANES];
    for (int64_t k = 0; k < V_LANES; ++k) d[k] = k < m ? KR_FN(row_lanes)(OP_SUM, j->x + (l + k) * n, n) : v_zero();
    const vreal guess = v_div(v_hsums(d), count);
    v_store(guesses, guess);
    for (int64_t k = 0; k < V_LANES; ++k) d[k] = dd[k] = v_zero();
    for (int64_t k = 0; k < m; ++k) {
      const real *line = j->x + (l + k) * n;
      KR_FN(sum_line)(line, NULL, n, v_set1(guesses[k]), KR_FN(open), v_zero(), v_zero(), &d[k], &dd[k]);
    }
    const vreal rest = v_div(v_hsums(d), count);
    const vreal var = v_max(v_zero(), v_fnma(rest, rest, v_div(v_hsums(dd), count)));
    KR_FN(st)(j->sum_g + l, v_select(v_isnan(var), var, v_add(guess, rest)), m);
    KR_FN(st)(j->sum_gd + l, var, m);
  }
}

/* What the guess lacks, to sum_g, and the variance, to sum_gd. */
static void KR_FN(stats_merge_task)(void *arg, int64_t task, int worker) {
  (void)worker;
  const KR_FN(channel_job) *j = arg;
  const norm_shape *s = &j->s;
  int64_t c = task % s->tiles * TILE, b = task / s->tiles, m = kr_min(TILE, s->channels - c);
  const real *sums = j->sums + b * s->parts * 2 * s->channels + c;
  real *rest = j->sum_g + b * s->channels + c, *var = j->sum_gd + b * s->channels + c;
  double d[TILE], dd[TILE], n = (double)s->outer * (double)s->inner;
  KR_FN(total_parts)(sums, s->parts, 2 * s->channels, m, d);
  KR_FN(total_parts)(sums + s->channels, s->parts, 2 * s->channels, m, dd);
  for (int64_t q = 0; q < m; ++q) {
    double lacks = d[q] / n, v = dd[q] / n - lacks * lacks;
    rest[q] = (real)lacks;
    var[q] = (real)(v < 0 ? 0 : v);
  }
}

/* Mean and variance (batch, channels); scratch holds norm_stats_scratch bytes. */
static void KR_FN(stats)(int threads, const norm_shape *s, const real *x, void *scratch, real *mean, real *var) {
  int64_t out = s->batch * s->channels, row = s->glue * s->channels;
  if (s->outer * s->inner == 0) {
    for (int64_t q = 0; q < out; ++q) mean[q] = var[q] = (real)NAN;
    return;
  }
  if (s->inner != 1 && s->parts == 1) {
    const KR_FN(channel_job) alone = {.x = x, .s = *s, .sum_g = mean, .sum_gd = var};
    kr_parallel(threads, s->stats_tasks, KR_FN(alone_task), (void *)&alone);
    return;
  }
  real *rest = scratch, *guess = rest + out;
  KR_FN(channel_job) j = {.x = x, .s = *s, .sums = guess + s->batch * row};
  j.k = (KR_FN(coefs)){guess, guess, guess, guess, guess, guess}; /* of which the mean alone is read */
  j.sum_g = rest;
  j.sum_gd = var;
  int again = 0;
  kr_parallel(threads, s->batch * s->tiles, KR_FN(guess_task), &j);
  do {
    for (int64_t b = 0; b < s->batch; ++b) KR_FN(coefs_repeat)(s, guess + b * row);
    kr_parallel(threads, s->stats_tasks, KR_FN(sum_task), &j);
    kr_parallel(threads, s->batch * s->tiles, KR_FN(stats_merge_task), &j);
    int far = 0;
    for (int64_t b = 0; b < s->batch; ++b)
      for (int64_t c = 0; c < s->channels; ++c) {
        int64_t q = b * s->channels + c;
        mean[q] = var[q] == var[q] ? guess[b * row + c] + rest[q] : (real)NAN;
        far |= rest[q] * rest[q] > var[q];
      }
    again = far && !again;
    if (again)
      for (int64_t b = 0; b < s->batch; ++b)
        memcpy(guess + b * row, mean + b * s->channels, (size_t)s->channels * sizeof(real));
  } while (again);
}

static kr_status KR_FN(moments_kernel)(const kr_call *c) {
  norm_shape s = norm_shape_of(c, c->i[0]);
  if (s.batch < 0) return KR_EINTERNAL;
  if (s.batch * s.channels > 0) KR_FN(stats)(c->threads, &s, c->in[0].data, c->scratch, c->out[0].data, c->out[1].data);
  return KR_OK;
}
