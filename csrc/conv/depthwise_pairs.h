/* Depthwise convolution of 3x3 and stride 1 over full vectors of channels, for one floating type; depthwise.c says when.
 *
 * A vector of channels walks along two rows of outputs at once.  The nine taps and the sums of three columns of both rows
 * fill sixteen registers; each cell of the four rows below them is read once and meets all the taps that it has to, so
 * that nine multiply-adds take two loads, and no tap lies outside.  An output sums over the columns of taps, in each over
 * its rows, however its row is walked along. */

/* What a walk goes along: x, the first of the rows of cells; y and k at the same channels. */
typedef struct {
  const real *x, *k;
  real *y;
  int64_t x_row, x_step, y_row, y_step, k_step; /* elements from row to row, cell to cell, tap to tap */
  int64_t width, out, pad, segment, channels;
} KR_FN(path);

/* Adds what a column of cells, rows `low` to `high` of those below `outs` rows of outputs, gives to the outputs of three
 * columns. */
KR_INLINE void KR_FN(add_column)(const int outs, const int low, const int high, const real *x, int64_t x_row,
                                 const vreal tap[9], vreal acc[2][3]) {
#pragma GCC unroll 4
  for (int i = low; i < high; ++i) {
    const vreal cell = v_load(x + (i - low) * x_row);
#pragma GCC unroll 2
    for (int p = 0; p < outs; ++p)
#pragma GCC unroll 3
      for (int t = 0; t < 3; ++t)
        if (i >= p && i - p < 3) acc[p][2 - t] = v_fma(cell, tap[3 * (i - p) + t], acc[p][2 - t]);
  }
}

KR_INLINE void KR_FN(put_column)(const int outs, real *y, int64_t y_row, vreal acc[2][3]) {
#pragma GCC unroll 2
  for (int p = 0; p < outs; ++p) v_store(y + p * y_row, acc[p][0]);
}

KR_INLINE void KR_FN(next_column)(const int outs, vreal acc[2][3]) {
#pragma GCC unroll 2
  for (int p = 0; p < outs; ++p) acc[p][0] = acc[p][1], acc[p][1] = acc[p][2], acc[p][2] = v_zero();
}

/* Columns [from, to) of `outs` rows of outputs, of which tap rows `low` to `high` exist, one vector of channels. */
KR_INLINE void KR_FN(walk)(const int outs, const int low, const int high, const KR_FN(path) * w, int64_t j,
                           int64_t from, int64_t to) {
  const int64_t first = kr_max(0, from - w->pad), last = kr_min(w->width, to + 2 - w->pad);
  const int64_t whole = kr_min(kr_max(first, from + 2 - w->pad), last); /* where the first output is complete */
  const int64_t x_row = w->x_row, x_step = w->x_step, y_row = w->y_row, y_step = w->y_step;
  const real *x = w->x + first * x_step + j;
  real *y = w->y + (first + w->pad - 2) * y_step + j;
  vreal tap[9], acc[2][3];
#pragma GCC unroll 9
  for (int t = 0; t < 9; ++t)
    if (t / 3 > low - outs && t / 3 < high) tap[t] = v_load(w->k + t * w->k_step + j);
#pragma GCC unroll 2
  for (int p = 0; p < 2; ++p) acc[p][0] = acc[p][1] = acc[p][2] = v_zero();
  int64_t c = first;
  for (; c < whole; ++c, x += x_step, y += y_step) {
    KR_FN(add_column)(outs, low, high, x, x_row, tap, acc);
    KR_FN(next_column)(outs, acc);
  }
  for (; c < last; ++c, x += x_step, y += y_step) {
    KR_FN(add_column)(outs, low, high, x, x_row, tap, acc);
    KR_FN(put_column)(outs, y, y_row, acc);
    KR_FN(next_column)(outs, acc);
  }
  for (int64_t o = c + w->pad - 2; o < to; ++o, y += y_step) { /* which meet the last columns, or none */
    if (o >= from) KR_FN(put_column)(outs, y, y_row, acc);
    KR_FN(next_column)(outs, acc);
  }
}

KR_INLINE void KR_FN(walk_rows)(const int outs, const int low, const int high, const KR_FN(path) * w) {
  for (int64_t from = 0; from < w->out; from += w->segment)
    for (int64_t j = 0; j < w->channels; j += V_LANES)
      KR_FN(walk)(outs, low, high, w, j, from, kr_min(w->out, from + w->segment));
}

/* One row of outputs near the border. */
static void KR_FN(walk_border)(int64_t low, int64_t high, const KR_FN(path) * w) {
  if (low == 1 && high == 3) KR_FN(walk_rows)(1, 1, 3, w);
  else if (low == 2 && high == 3) KR_FN(walk_rows)(1, 2, 3, w);
  else if (low == 0 && high == 2) KR_FN(walk_rows)(1, 0, 2, w);
  else if (low == 0 && high == 1) KR_FN(walk_rows)(1, 0, 1, w);
  else KR_FN(walk_rows)(1, 0, 0, w); /* nothing but zeros */
}

/* `cells` cells, of so many of q channels, behind each other. */
static void KR_FN(copy_cells)(const real *x, int64_t cells, int64_t q, int64_t channels, real *to) {
  for (; cells > 0; --cells, x += q, to += channels)
    for (int64_t j = 0; j < channels; j += V_LANES) v_store(to + j, v_load(x + j));
}

/* A task is a share of the channels of a block of rows of an image, or of several. */
static void KR_FN(pairs_task)(void *arg, int64_t task, int worker) {
  const slide_job *job = arg;
  const int64_t q = job->q, share = task % job->shares, group = task / job->shares, vectors = q / V_LANES;
  const int64_t j1 = (share + 1) * vectors / job->shares * V_LANES;
  KR_FN(path)
  w = {.x_step = q,
       .y_row = job->out[1] * q,
       .y_step = q,
       .k_step = job->flipped ? -q : q,
       .width = job->in[1],
       .out = job->out[1],
       .pad = job->pad[1],
       .segment = job->segment};
  for (int64_t b = group * job->grain; b < kr_min((group + 1) * job->grain, job->n * job->blocks); ++b) {
    const int64_t n = b / job->blocks, begin = pairs_cut(job, b % job->blocks),
                  end = pairs_cut(job, b % job->blocks + 1);
    const int64_t top = kr_min(kr_max(0, begin - job->pad[0]), job->in[0]);
    const int64_t bottom = kr_min(job->in[0], end - job->pad[0] + 2);
    for (int64_t j = share * vectors / job->shares * V_LANES; j < j1; j += w.channels) {
      w.channels = job->copied ? kr_min(job->copied, j1 - j) : j1 - j;
      const real *x = (const real *)job->x + (n * job->in[0] + top) * w.width * q + j;
      if (job->copied) {
        real *copy = (real *)job->scratch + worker * job->area;
        KR_FN(copy_cells)(x, (bottom - top) * w.width, q, w.channels, copy);
        x = copy;
        w.x_step = w.channels;
      }
      w.x_row = w.width * w.x_step;
      w.k = (const real *)job->k + (job->flipped ? 8 * q : 0) + j;
      for (int64_t oh = begin; oh < end; ++oh) {
        const int64_t h = oh - job->pad[0], low = kr_max(0, -h), high = kr_min(3, job->in[0] - h);
        w.x = x + (kr_min(h + low, bottom) - top) * w.x_row;
        w.y = (real *)job->y + (n * job->out[0] + oh) * w.y_row + j;
        if (low > 0 || high < 3) KR_FN(walk_border)(low, high, &w);
        else if (h + 4 > job->in[0] || oh + 2 > end) KR_FN(walk_rows)(1, 0, 3, &w);
        else KR_FN(walk_rows)(2, 0, 4, &w), ++oh;
      }
    }
  }
}

/* ---- gradient to the kernel: one row of outputs at a time ------------------------------------------------------ */

/* Adds to the sums of taps in rows `low` to `high` what columns [from, to) of cells give with a row of g, here w->y.
 * A column meets the last three outputs, which stay in registers as the sums do: four loads for nine multiply-adds. */
KR_INLINE void KR_FN(add_walk)(const int low, const int high, const KR_FN(path) * w, int64_t j, int64_t from,
                               int64_t to, real *sum) {
  const int64_t x_row = w->x_row, x_step = w->x_step, g_step = w->y_step;
  const int64_t first = kr_max(from, kr_min(2 - w->pad, to)), last = kr_max(first, kr_min(w->out - w->pad, to));
  const real *x = w->x + from * x_step + j, *g = w->y + j;
  vreal acc[9], met[3];
#pragma GCC unroll 9
  for (int t = 3 * low; t < 3 * high; ++t) acc[t] = v_zero();
  for (int64_t c = from; c < to; ++c, x += x_step) {
    if (c == first && c < last) { /* all three outputs exist */
      met[1] = v_load(g + (c + w->pad - 1) * g_step);
      met[2] = v_load(g + (c + w->pad - 2) * g_step);
      for (const real *next = g + (c + w->pad) * g_step; c < last; ++c, x += x_step, next += g_step) {
        met[0] = v_load(next);
#pragma GCC unroll 3
        for (int r = low; r < high; ++r) {
          const vreal cell = v_load(x + (r - low) * x_row);
#pragma GCC unroll 3
          for (int t = 0; t < 3; ++t) acc[3 * r + t] = v_fma(cell, met[t], acc[3 * r + t]);
        }
        met[2] = met[1], met[1] = met[0];
      }
      if (c == to) break;
    }
#pragma GCC unroll 3
    for (int t = 0; t < 3; ++t) {
      const int64_t o = c + w->pad - t;
      if (o < 0 || o >= w->out) continue;
      const vreal one = v_load(g + o * g_step);
#pragma GCC unroll 3
      for (int r = low; r < high; ++r) acc[3 * r + t] = v_fma(v_load(x + (r - low) * x_row), one, acc[3 * r + t]);
    }
  }
#pragma GCC unroll 9
  for (int t = 3 * low; t < 3 * high; ++t) {
    real *at = sum + t * w->k_step + j;
    v_store(at, v_add(v_load(at), acc[t]));
  }
}

KR_INLINE void KR_FN(add_walks)(const int low, const int high, const KR_FN(path) * w, real *sum) {
  for (int64_t from = 0; from < w->width; from += w->segment)
    for (int64_t j = 0; j < w->channels; j += V_LANES)
      KR_FN(add_walk)(low, high, w, j, from, kr_min(w->width, from + w->segment), sum);
}

/* Adds what rows [row, row + rows) of g, of one image, give to the sums dk of channels [j0, j1). */
static void KR_FN(add_block)(const slide_job *job, int64_t row, int64_t rows, int64_t j0, int64_t j1, real *dk,
                             real *copy) {
  const int64_t q = job->q, n = row / job->out[0], oh = row % job->out[0];
  const int64_t top = kr_min(kr_max(0, oh - job->pad[0]), job->in[0]);
  const int64_t bottom = kr_min(job->in[0], oh + rows - job->pad[0] + 2);
  KR_FN(path)
  w = {.x_step = q,
       .y_step = q,
       .k_step = q,
       .width = job->in[1],
       .out = job->out[1],
       .pad = job->pad[1],
       .segment = job->segment};
  for (int64_t j = j0; j < j1; j += w.channels) {
    w.channels = job->copied ? kr_min(job->copied, j1 - j) : j1 - j;
    const real *x = (const real *)job->x + (n * job->in[0] + top) * w.width * q + j;
    const real *g = (const real *)job->k + row * w.out * q + j;
    if (job->copied) {
      real *copy_g = copy + (bottom - top) * w.width * w.channels;
      KR_FN(copy_cells)(x, (bottom - top) * w.width, q, w.channels, copy);
      KR_FN(copy_cells)(g, rows * w.out, q, w.channels, copy_g);
      x = copy, g = copy_g;
      w.x_step = w.y_step = w.channels;
    }
    w.x_row = w.width * w.x_step;
    w.y_row = w.out * w.y_step;
    real *sum = dk + j;
    if (job->copied) { /* sums lie as far apart as cells do */
      sum = copy + job->area - 9 * job->copied;
      w.k_step = w.channels;
      memset(sum, 0, (size_t)(9 * w.channels) * sizeof(real));
    }
    for (int64_t i = 0; i < rows; ++i) {
      const int64_t h = oh + i - job->pad[0], low = kr_max(0, -h), high = kr_min(3, job->in[0] - h);
      if (high <= low) continue;
      w.x = x + (h + low - top) * w.x_row;
      w.y = (real *)g + i * w.y_row; /* which is only read */
      if (low == 0 && high == 3) KR_FN(add_walks)(0, 3, &w, sum);
      else if (low == 1 && high == 3) KR_FN(add_walks)(1, 3, &w, sum);
      else if (low == 0 && high == 2) KR_FN(add_walks)(0, 2, &w, sum);
      else if (low == 2) KR_FN(add_walks)(2, 3, &w, sum);
      else if (high == 1) KR_FN(add_walks)(0, 1, &w, sum);
      else KR_FN(add_walks)(1, 2, &w, sum);
    }
    if (!job->copied) continue;
    for (int t = 0; t < 9; ++t)
      for (int64_t i = 0; i < w.channels; i += V_LANES) {
        real *at = dk + t * q + j + i;
        v_store(at, v_add(v_load(at), v_load(sum + t * w.channels + i)));
      }
  }
}

/* Rows [from, to) of g, numbered through all images, into dk for channels [j0, j1). */
static void KR_FN(add_rows_of_g)(const slide_job *job, int64_t from, int64_t to, int64_t j0, int64_t j1, real *dk,
                                 real *copy) {
  for (int64_t rows; from < to; from += rows) {
    rows = kr_min(kr_min(to - from, job->out[0] - from % job->out[0]), PAIRS_ROWS);
    KR_FN(add_block)(job, from, rows, j0, j1, dk, copy);
  }
}

static int KR_FN(takes_pairs)(const window *w, int64_t c, int64_t m) { return takes_pairs(w, c, m, V_LANES); }

static size_t KR_FN(pairs_scratch)(slide_job job, int threads) {
  cut_pairs(&job, sizeof(real), threads);
  return (size_t)(job.area * threads) * sizeof(real);
}

static void KR_FN(run_pairs)(slide_job *job, int threads) {
  cut_pairs(job, sizeof(real), threads);
  kr_parallel(threads, kr_ceil_div(job->n * job->blocks, job->grain) * job->shares, KR_FN(pairs_task), job);
}
