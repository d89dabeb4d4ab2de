/* Depthwise convolution of stride 1 whose channels fill no vectors, for one floating type; depthwise.c says when.
 *
 * All vectors are full: with the kernel's taps repeated along it, a row of outputs is one run of elements, each of which
 * meets tap t of its tap row t * tap * q elements on.  The rows that a block reads are copied between zeros, so no output
 * is at a border; each vector of them meets all the output rows and tap rows of the block that it belongs to.  An output
 * sums over the columns of taps, in each over its rows, however the rows fall into blocks. */

/* Elements of a row between zeros, of the rows, and of all that a worker needs. */
static int64_t KR_FN(flat_row)(const slide_job *job) {
  return (job->out[1] + (job->taps[1] - 1) * job->tap) * job->q + V_LANES;
}

static int64_t KR_FN(flat_rows)(const slide_job *job) { return (FLAT_ROWS + job->taps[0] - 1) * KR_FN(flat_row)(job); }

static int64_t KR_FN(flat_area)(const slide_job *job) {
  return KR_FN(flat_rows)(job) + job->taps[0] * job->taps[1] * (job->q + V_LANES);
}

static int KR_FN(takes_flat)(const window *w, int64_t c, int64_t m) { return takes_flat(w, c, m, V_LANES); }

/* The kernel, tap row within column, each tap's channels repeated to q + V_LANES. */
static void KR_FN(flat_kernel)(const slide_job *job, real *to) {
  const int64_t rows = job->taps[0], cols = job->taps[1], q = job->q;
  for (int64_t t = 0; t < cols; ++t)
    for (int64_t r = 0; r < rows; ++r, to += q + V_LANES) {
      const int64_t tap = r * cols + t;
      memcpy(to, (const real *)job->k + (job->flipped ? rows * cols - 1 - tap : tap) * q, (size_t)q * sizeof(real));
      for (int64_t j = 0; j < V_LANES; ++j) to[q + j] = to[j];
    }
}

/* The `rows` rows of image n that output rows from oh on read. */
static void KR_FN(flat_copy)(const slide_job *job, int64_t n, int64_t oh, int64_t rows, real *to) {
  const int64_t row = KR_FN(flat_row)(job), q = job->q, cells = row - V_LANES;
  const int64_t head = kr_min(kr_max(job->pad[1], 0) * q, cells), skip = kr_max(-job->pad[1], 0);
  const int64_t held = kr_max(0, kr_min(cells - head, (job->in[1] - skip) * q));
  for (int64_t i = 0; i < rows; ++i, to += row) {
    const int64_t h = oh + i - job->pad[0];
    if (h < 0 || h >= job->in[0]) {
      memset(to, 0, (size_t)row * sizeof(real));
      continue;
    }
    memset(to, 0, (size_t)head * sizeof(real));
    memcpy(to + head, (const real *)job->x + ((n * job->in[0] + h) * job->in[1] + skip) * q,
           (size_t)held * sizeof(real));
    memset(to + head + held, 0, (size_t)(row - head - held) * sizeof(real));
  }
}

/* `rows` rows of outputs at once, of which `kept` exist; rows and tap_rows are constants. */
KR_INLINE void KR_FN(flat_block)(const slide_job *job, const real *x, const real *k, real *y, int64_t kept,
                                 const int rows, const int tap_rows) {
  const int64_t q = job->q, length = job->out[1] * q, row = KR_FN(flat_row)(job), k_row = q + V_LANES;
  for (int64_t f = 0, phase = 0; f < length; f += V_LANES) {
    vreal acc[FLAT_ROWS];
    for (int p = 0; p < rows; ++p) acc[p] = v_zero();
    for (int64_t t = 0; t < job->taps[1]; ++t) {
      const real *xs = x + f + t * job->tap * q, *ks = k + t * tap_rows * k_row + phase;
      vreal weight[5]; /* the most tap rows */
      for (int r = 0; r < tap_rows; ++r) weight[r] = v_load(ks + r * k_row);
#pragma GCC unroll 12
      for (int i = 0; i < rows + tap_rows - 1; ++i) {
        const vreal cells = v_load(xs);
        xs += row;
        __asm__("" : "+r"(xs)); /* else the compiler keeps a pointer to each row, and spills */
#pragma GCC unroll 5
        for (int r = 0; r < tap_rows; ++r)
          if (i - r >= 0 && i - r < rows) acc[i - r] = v_fma(cells, weight[r], acc[i - r]);
      }
    }
    const int64_t lanes = kr_min(V_LANES, length - f);
#pragma GCC unroll 8
    for (int p = 0; p < rows; ++p)
      if (p < kept) KR_FN(store)(y + p * length + f, acc[p], lanes);
    for (phase += V_LANES; phase >= q;) phase -= q;
  }
}

static void KR_FN(flat_task)(void *arg, int64_t task, int worker) {
  const slide_job *job = arg;
  const int64_t row = job->out[1] * job->q, blocks = kr_ceil_div(job->out[0], FLAT_ROWS);
  real *x = (real *)job->scratch + worker * KR_FN(flat_area)(job), *k = x + KR_FN(flat_rows)(job);
  KR_FN(flat_kernel)(job, k);
  for (int64_t b = task * job->grain; b < kr_min((task + 1) * job->grain, job->n * blocks); ++b) {
    const int64_t n = b / blocks, oh = b % blocks * FLAT_ROWS, kept = kr_min(FLAT_ROWS, job->out[0] - oh);
    real *y = (real *)job->y + (n * job->out[0] + oh) * row;
    KR_FN(flat_copy)(job, n, oh, (kept > 4 ? 8 : 4) + job->taps[0] - 1, x);
    if (job->taps[0] == 3 && kept > 4) KR_FN(flat_block)(job, x, k, y, kept, 8, 3);
    else if (job->taps[0] == 3) KR_FN(flat_block)(job, x, k, y, kept, 4, 3);
    else if (kept > 4) KR_FN(flat_block)(job, x, k, y, kept, 8, 5);
    else KR_FN(flat_block)(job, x, k, y, kept, 4, 5);
  }
}

static void KR_FN(run_flat)(slide_job *job, int threads) {
  const int64_t blocks = job->n * kr_ceil_div(job->out[0], FLAT_ROWS);
  job->grain = window_grain(blocks, FLAT_ROWS * job->out[1] * job->q * job->taps[0] * job->taps[1]);
  kr_parallel(threads, kr_ceil_div(blocks, job->grain), KR_FN(flat_task), job);
}
