/* Depthwise convolution for one floating type; depthwise.c says what each kernel computes. */

/* `pixels` neighbouring outputs of one vector of channels, all of whose `taps` taps meet the input. */
KR_INLINE void KR_FN(pixels)(const real *x, const real *k, real *y, const line *l, int pixels, int64_t taps,
                             int64_t step, int64_t tap, int64_t lanes) {
  vreal acc[8];
  for (int p = 0; p < pixels; ++p) acc[p] = v_zero();
  for (int64_t r = 0; r < l->rows; ++r) {
    const real *xr = x + r * l->x_row, *kr = k + r * l->k_row;
    for (int64_t t = 0; t < taps; ++t) {
      const vreal weight = KR_FN(load)(kr + t * l->k_tap, lanes);
      for (int p = 0; p < pixels; ++p)
        acc[p] = v_fma(KR_FN(load)(xr + (p * step + t * tap) * l->q, lanes), weight, acc[p]);
    }
  }
  for (int p = 0; p < pixels; ++p) KR_FN(store)(y + p * l->y_step, acc[p], lanes);
}

/* `pixels` outputs from number o on, all channels.  taps, step and tap are those of the line, or constants that let the
 * compiler keep the cells that neighbours share in registers. */
KR_INLINE void KR_FN(block)(const real *x, const real *k, real *y, const line *l, int64_t o, int pixels, int64_t taps,
                            int64_t step, int64_t tap) {
  x += (l->first + o * step) * l->q;
  y += o * l->y_step;
  int64_t j = 0;
  for (; j + V_LANES <= l->q; j += V_LANES) KR_FN(pixels)(x + j, k + j, y + j, l, pixels, taps, step, tap, V_LANES);
  if (j < l->q) KR_FN(pixels)(x + j, k + j, y + j, l, pixels, taps, step, tap, l->q - j);
}

KR_INLINE void KR_FN(blocks)(const real *x, const real *k, real *y, const line *l, int64_t from, int64_t to,
                             int64_t taps, int64_t step, int64_t tap) {
  for (; from + 8 <= to; from += 8) KR_FN(block)(x, k, y, l, from, 8, taps, step, tap);
  for (; from + 4 <= to; from += 4) KR_FN(block)(x, k, y, l, from, 4, taps, step, tap);
  for (; from < to; ++from) KR_FN(block)(x, k, y, l, from, 1, taps, step, tap);
}

/* An output near the border: only the taps that meet the input. */
static void KR_FN(border)(const real *x, const real *k, real *y, const line *l, int64_t o) {
  const int64_t at = l->first + o * l->step;
  const int64_t from = at >= 0 ? 0 : kr_min(kr_ceil_div(-at, l->tap), l->taps);
  const int64_t to = at >= l->in ? from : kr_max(kr_min(kr_ceil_div(l->in - at, l->tap), l->taps), from);
  line clipped = *l;
  clipped.first = l->first + from * l->tap;
  KR_FN(block)(x, k + from * l->k_tap, y, &clipped, o, 1, to - from, l->step, l->tap);
}

/* Outputs [from, to) under 3x3 taps of stride 2, of one vector of channels: weights stay in registers, as do the cells that
 * an output shares with the next one. */
KR_INLINE void KR_FN(along)(const real *x, const real *k, real *y, const line *l, int64_t from, int64_t to,
                            int64_t lanes) {
  const int64_t q = l->q, x_row = l->x_row;
  vreal weight[9], shared[3];
#pragma GCC unroll 9
  for (int i = 0; i < 9; ++i) weight[i] = KR_FN(load)(k + i / 3 * l->k_row + i % 3 * l->k_tap, lanes);
  x += (l->first + 2 * from) * q;
  y += from * l->y_step;
#pragma GCC unroll 3
  for (int r = 0; r < 3; ++r) shared[r] = KR_FN(load)(x + r * x_row, lanes);
  for (; from < to; ++from, x += 2 * q, y += l->y_step) {
    vreal acc = v_zero();
#pragma GCC unroll 3
    for (int r = 0; r < 3; ++r) {
      const real *row = x + r * x_row;
      acc = v_fma(shared[r], weight[3 * r], acc);
      acc = v_fma(KR_FN(load)(row + q, lanes), weight[3 * r + 1], acc);
      shared[r] = KR_FN(load)(row + 2 * q, lanes);
      acc = v_fma(shared[r], weight[3 * r + 2], acc);
    }
    KR_FN(store)(y, acc, lanes);
  }
}

static void KR_FN(along_segments)(const real *x, const real *k, real *y, const line *l, int64_t from, int64_t to) {
  const int64_t segment = walk_segment(l->q * (int64_t)sizeof(real));
  for (; from < to; from += segment) {
    const int64_t end = kr_min(to, from + segment);
    int64_t j = 0;
    for (; j + V_LANES <= l->q; j += V_LANES) KR_FN(along)(x + j, k + j, y + j, l, from, end, V_LANES);
    if (j < l->q) KR_FN(along)(x + j, k + j, y + j, l, from, end, l->q - j);
  }
}

static void KR_FN(run_line)(const real *x, const real *k, real *y, const line *l) {
  const int64_t reach =
      l->in - l->first - (l->taps - 1) * l->tap; /* past the last output whose taps all fit, in cells */
  const int64_t from = l->first >= 0 ? 0 : kr_min(kr_ceil_div(-l->first, l->step), l->count);
  const int64_t to = reach <= 0 ? from : kr_max(kr_min(kr_ceil_div(reach, l->step), l->count), from);
  for (int64_t o = 0; o < from; ++o) KR_FN(border)(x, k, y, l, o);
  if (l->taps == 3 && l->step == 2 && l->tap == 1 && l->rows == 3) KR_FN(along_segments)(x, k, y, l, from, to);
  else if (l->taps == 3 && l->step == 1 && l->tap == 1) KR_FN(blocks)(x, k, y, l, from, to, 3, 1, 1);
  else if (l->taps == 3 && l->step == 2 && l->tap == 1) KR_FN(blocks)(x, k, y, l, from, to, 3, 2, 1);
  else if (l->taps == 5 && l->step == 1 && l->tap == 1) KR_FN(blocks)(x, k, y, l, from, to, 5, 1, 1);
  else KR_FN(blocks)(x, k, y, l, from, to, l->taps, l->step, l->tap);
  for (int64_t o = to; o < l->count; ++o) KR_FN(border)(x, k, y, l, o);
}

/* Repeats each of `cells` values m times. */
static void KR_FN(expand)(const real *x, real *y, int64_t cells, int64_t m) {
  for (int64_t j = 0; j < cells; ++j)
    for (int64_t l = 0; l < m; ++l) *y++ = x[j];
}

/* ---- stride 1: whole rows, or two rows at once -------------------------------------------------------------------- */

static int KR_FN(slides)(const window *w, int64_t c, int64_t m) {
  return KR_FN(takes_flat)(w, c, m) || KR_FN(takes_pairs)(w, c, m);
}

static size_t KR_FN(slide_scratch)(const window *w, slide_job job, int threads) {
  if (KR_FN(takes_pairs)(w, job.q, 1)) return KR_FN(pairs_scratch)(job, threads);
  return (size_t)(threads * KR_FN(flat_area)(&job)) * sizeof(real);
}

static void KR_FN(run_slide)(const window *w, const depthwise_job *arrays, slide_job job, int threads) {
  job.x = arrays->x, job.k = arrays->k, job.y = arrays->y, job.scratch = arrays->scratch;
  if (KR_FN(takes_pairs)(w, job.q, 1)) KR_FN(run_pairs)(&job, threads);
  else KR_FN(run_flat)(&job, threads);
}

/* ---- forward: a task is `grain` rows of y ----------------------------------------------------------------------- */

static void KR_FN(forward_task)(void *arg, int64_t task, int worker) {
  const depthwise_job *job = arg;
  const window *w = &job->w;
  const int64_t q = job->c * job->m, width = w->in[2], last = kr_min((task + 1) * job->grain, w->n * w->out[1]);
  line l = {.q = q,
            .count = w->out[2],
            .y_step = q,
            .taps = w->size[2],
            .first = -w->pad[2],
            .step = w->stride[2],
            .tap = w->dilation[2],
            .in = width,
            .k_tap = q,
            .k_row = w->size[2] * q};
  for (int64_t row = task * job->grain; row < last; ++row) {
    const int64_t n = row / w->out[1], oh = row % w->out[1];
    const span t = window_taps(w, 1, oh);
    const int64_t h = oh * w->stride[1] - w->pad[1] + t.from * w->dilation[1];
    const real *x = (const real *)job->x + (n * w->in[1] + h) * width * job->c;
    l.rows = t.to - t.from;
    l.x_row = w->dilation[1] * width * q;
    if (job->m > 1) {
      real *wide = (real *)job->scratch + worker * w->size[1] * width * q;
      for (int64_t r = 0; r < l.rows; ++r)
        KR_FN(expand)(x + r * w->dilation[1] * width * job->c, wide + r * width * q, width * job->c, job->m);
      l.x_row = width * q;
      x = wide;
    }
    KR_FN(run_line)(x, (const real *)job->k + t.from * l.k_row, (real *)job->y + row * w->out[2] * q, &l);
  }
}

static size_t KR_FN(depthwise_conv_scratch)(const kr_call *c) {
  const kr_array *x = &c->in[0], *k = &c->in[1];
  const int64_t m = k->shape[k->ndim - 1], kh = k->ndim == 4 ? k->shape[0] : 1;
  const window w = conv_window(c->i, x, k, &c->out[0]);
  if (KR_FN(slides)(&w, x->shape[x->ndim - 1], m))
    return KR_FN(slide_scratch)(&w, slide_forward(&w, x->shape[x->ndim - 1]), c->threads);
  return m > 1 ? (size_t)(c->threads * kh * kr_span(x, x->ndim - 2, x->ndim) * m) * sizeof(real) : 0;
}

static kr_status KR_FN(depthwise_conv)(const kr_call *call) {
  const kr_array *x = &call->in[0], *k = &call->in[1], *y = &call->out[0];
  if (kr_size(y) == 0) return KR_OK;
  depthwise_job job = {.w = conv_window(call->i, x, k, y),
                       .x = x->data,
                       .k = k->data,
                       .y = y->data,
                       .scratch = call->scratch,
                       .c = x->shape[x->ndim - 1],
                       .m = k->shape[k->ndim - 1]};
  const window *w = &job.w;
  if (KR_FN(slides)(w, job.c, job.m)) {
    KR_FN(run_slide)(w, &job, slide_forward(w, job.c), call->threads);
    return KR_OK;
  }
  const int64_t rows = w->n * w->out[1];
  job.grain = window_grain(rows, w->out[2] * job.c * job.m * w->size[1] * w->size[2]);
  kr_parallel(call->threads, kr_ceil_div(rows, job.grain), KR_FN(forward_task), &job);
  return KR_OK;
}

/* ---- gradient to the input: a task is `grain` rows of dx; job->x is g ---------------------------------------------- */

/* A row of dx under three taps of stride 2: what outputs [from, to) give to it, of one vector of channels of l->rows rows
 * of g, a constant.  Each is read once for three cells, and the cell that it shares with the next one waits in a register.
 * l->first is the pad, l->count the cells, l->in the outputs, behind which zeros follow. */
KR_INLINE void KR_FN(spread)(const real *g, const real *k, real *dx, const line *l, int64_t from, int64_t to,
                             const int rows, int64_t lanes) {
  const int64_t q = l->q, x_row = l->x_row;
  vreal weight[6], shared = v_zero();
#pragma GCC unroll 6
  for (int i = 0; i < 3 * rows; ++i) weight[i] = KR_FN(load)(k + i / 3 * l->k_row + i % 3 * l->k_tap, lanes);
  g += from * q;
  if (from > 0 && from <= l->in)
#pragma GCC unroll 2
    for (int r = 0; r < rows; ++r) shared = v_fma(KR_FN(load)(g - q + r * x_row, lanes), weight[3 * r + 2], shared);
  int64_t at = 2 * from - l->first;
  for (dx += at * q; from < to; ++from, at += 2, g += q, dx += 2 * q) {
    vreal first = shared, second = v_zero();
    shared = v_zero();
    if (from < l->in) {
#pragma GCC unroll 2
      for (int r = 0; r < rows; ++r) {
        const vreal given = KR_FN(load)(g + r * x_row, lanes);
        first = v_fma(given, weight[3 * r], first);
        second = v_fma(given, weight[3 * r + 1], second);
        shared = v_fma(given, weight[3 * r + 2], shared);
      }
    }
    if (at >= 0) KR_FN(store)(dx, first, lanes);
    if (at + 1 >= 0 && at + 1 < l->count) KR_FN(store)(dx + q, second, lanes);
  }
}

KR_INLINE void KR_FN(spread_rows)(const real *g, const real *k, real *dx, const line *l, const int rows) {
  const int64_t segment = walk_segment(l->q * (int64_t)sizeof(real)), all = kr_ceil_div(l->count + l->first, 2);
  for (int64_t from = 0; from < all; from += segment) {
    const int64_t to = kr_min(all, from + segment);
    int64_t j = 0;
    for (; j + V_LANES <= l->q; j += V_LANES) KR_FN(spread)(g + j, k + j, dx + j, l, from, to, rows, V_LANES);
    if (j < l->q) KR_FN(spread)(g + j, k + j, dx + j, l, from, to, rows, l->q - j);
  }
}

static void KR_FN(grad_input_task)(void *arg, int64_t task, int worker) {
  const depthwise_job *job = arg;
  const window *w = &job->w;
  const int64_t q = job->c * job->m, width = w->in[2], last = kr_min((task + 1) * job->grain, w->n * w->in[1]);
  for (int64_t row = task * job->grain; row < last; ++row) {
    const int64_t n = row / w->in[1];
    real *dx = (real *)job->y + row * width * job->c;
    real *y = job->m > 1 ? (real *)job->scratch + worker * width * q : dx;

    const residue rh = window_residue(w, 1, row % w->in[1]);
    int64_t from = 0, to = rh.count; /* tap rows whose output row exists */
    while (from < to && rh.out + from * rh.out_step < 0) ++from;
    while (to > from && rh.out + (to - 1) * rh.out_step >= w->out[1]) --to;
    const real *g = (const real *)job->x + (n * w->out[1] + rh.out + from * rh.out_step) * w->out[2] * q;

    const int spreads = w->stride[2] == 2 && w->size[2] == 3 && w->dilation[2] == 1 && w->pad[2] >= 0 &&
                        (to - from == 1 || to - from == 2);
    if (spreads) {
      const line l = {.q = q,
                      .count = width,
                      .first = w->pad[2],
                      .in = w->out[2],
                      .k_tap = q,
                      .rows = to - from,
                      .x_row = rh.out_step * w->out[2] * q,
                      .k_row = -rh.k_step * 3 * q};
      const real *k = (const real *)job->k + (rh.tap - from * rh.k_step) * 3 * q;
      if (l.rows == 1) KR_FN(spread_rows)(g, k, y, &l, 1);
      else KR_FN(spread_rows)(g, k, y, &l, 2);
    }
    for (int64_t phase = 0; !spreads && phase < kr_min(w->stride[2], width); ++phase) {
      const residue rw = window_residue(w, 2, phase);
      const line l = {.q = q,
                      .count = kr_ceil_div(width - phase, w->stride[2]),
                      .y_step = w->stride[2] * q,
                      .taps = rw.count,
                      .first = rw.out,
                      .step = 1,
                      .tap = rw.out_step,
                      .in = w->out[2],
                      .k_tap = -rw.k_step * q,
                      .rows = to - from,
                      .x_row = rh.out_step * w->out[2] * q,
                      .k_row = -rh.k_step * w->size[2] * q};
      const real *k = (const real *)job->k + ((rh.tap - from * rh.k_step) * w->size[2] + rw.tap) * q;
      KR_FN(run_line)(g, k, y + phase * q, &l);
    }
    if (job->m > 1)
      for (int64_t j = 0; j < width * job->c; ++j) {
        real sum = y[j * job->m];
        for (int64_t i = 1; i < job->m; ++i) sum += y[j * job->m + i];
        dx[j] = sum;
      }
  }
}

static size_t KR_FN(depthwise_grad_input_scratch)(const kr_call *c) {
  const kr_array *k = &c->in[1], *dx = &c->out[0];
  const int64_t m = k->shape[k->ndim - 1];
  const window w = conv_window(c->i, dx, k, &c->in[0]);
  if (KR_FN(slides)(&w, dx->shape[dx->ndim - 1], m))
    return KR_FN(slide_scratch)(&w, slide_grad_input(&w, dx->shape[dx->ndim - 1]), c->threads);
  return m > 1 ? (size_t)(c->threads * kr_span(dx, dx->ndim - 2, dx->ndim) * m) * sizeof(real) : 0;
}

static kr_status KR_FN(depthwise_grad_input)(const kr_call *call) {
  const kr_array *g = &call->in[0], *k = &call->in[1], *dx = &call->out[0];
  if (kr_size(dx) == 0) return KR_OK;
  if (kr_size(g) == 0) {
    memset(dx->data, 0, (size_t)kr_size(dx) * sizeof(real));
    return KR_OK;
  }
  depthwise_job job = {.w = conv_window(call->i, dx, k, g),
                       .x = g->data,
                       .k = k->data,
                       .y = dx->data,
                       .scratch = call->scratch,
                       .c = dx->shape[dx->ndim - 1],
                       .m = k->shape[k->ndim - 1]};
  const window *w = &job.w;
  if (KR_FN(slides)(w, job.c, job.m)) {
    KR_FN(run_slide)(w, &job, slide_grad_input(w, job.c), call->threads);
    return KR_OK;
  }
  const int64_t rows = w->n * w->in[1];
  job.grain = window_grain(rows, w->in[2] * job.c * job.m * w->size[1] * w->size[2] / (w->stride[1] * w->stride[2]));
  kr_parallel(call->threads, kr_ceil_div(rows, job.grain), KR_FN(grad_input_task), &job);
  return KR_OK;
}

/* ---- gradient to the kernel: a task is a part of the rows of g, summed into a dk of its own, for a share of the channels
 */

/* Adds the sum over `count` cells of x * g, one vector of channels. */
KR_INLINE void KR_FN(add_products)(const real *x, int64_t x_step, const real *g, int64_t g_step, int64_t count,
                                   real *sum, int64_t lanes) {
  vreal acc[4] = {v_zero(), v_zero(), v_zero(), v_zero()};
  for (; count >= 4; count -= 4, x += 4 * x_step, g += 4 * g_step)
    for (int p = 0; p < 4; ++p)
      acc[p] = v_fma(KR_FN(load)(x + p * x_step, lanes), KR_FN(load)(g + p * g_step, lanes), acc[p]);
  for (; count > 0; --count, x += x_step, g += g_step)
    acc[0] = v_fma(KR_FN(load)(x, lanes), KR_FN(load)(g, lanes), acc[0]);
  const vreal total = v_add(v_add(acc[0], acc[1]), v_add(acc[2], acc[3]));
  KR_FN(store)(sum, v_add(KR_FN(load)(sum, lanes), total), lanes);
}

/* Adds what a row of g gives to `rows` rows of `taps` taps, constants, for one vector of channels: g is read once.  All
 * taps of cells [from, to) lie inside. */
KR_INLINE void KR_FN(add_taps)(const window *w, const real *x, int64_t x_row, const real *g, int64_t q, int64_t from,
                               int64_t to, real *sum, const int rows, const int taps, int64_t lanes) {
  const int64_t step = w->stride[2], tap = w->dilation[2], first = -w->pad[2], width = w->in[2];
  vreal acc[9];
  for (int i = 0; i < taps * rows; ++i) acc[i] = v_zero();
  const real *at = x + (first + from * step) * q, *gs = g + from * q;
  int64_t next = from;
  if (taps == 5 && rows == 1 && step == 1 && tap == 1 && from + 5 <= to) { /* cells stay in registers for five taps */
    vreal cells[5];
    for (int t = 0; t < 4; ++t) cells[t] = KR_FN(load)(at + t * q, lanes);
    for (; next + 5 <= to; next += 5) {
      for (int i = 0; i < 5; ++i, at += q, gs += q) {
        const vreal gv = KR_FN(load)(gs, lanes);
        cells[(i + 4) % 5] = KR_FN(load)(at + 4 * q, lanes);
        for (int t = 0; t < 5; ++t) acc[t] = v_fma(cells[(i + t) % 5], gv, acc[t]);
      }
    }
  }
  for (int64_t o = next; o < to; ++o, at += step * q, gs += q) {
    const vreal gv = KR_FN(load)(gs, lanes);
    for (int r = 0; r < rows; ++r)
      for (int t = 0; t < taps; ++t)
        acc[taps * r + t] = v_fma(KR_FN(load)(at + r * x_row + t * tap * q, lanes), gv, acc[taps * r + t]);
  }
  for (int64_t o = from > 0 ? 0 : to; o < w->out[2]; o = o + 1 == from ? to : o + 1) { /* the others */
    const vreal gv = KR_FN(load)(g + o * q, lanes);
    for (int t = 0; t < taps; ++t) {
      const int64_t cell = first + o * step + t * tap;
      if (cell < 0 || cell >= width) continue;
      for (int r = 0; r < rows; ++r)
        acc[taps * r + t] = v_fma(KR_FN(load)(x + r * x_row + cell * q, lanes), gv, acc[taps * r + t]);
    }
  }
  for (int i = 0; i < taps * rows; ++i)
    KR_FN(store)(sum + i * q, v_add(KR_FN(load)(sum + i * q, lanes), acc[i]), lanes);
}

static void KR_FN(grad_kernel_task)(void *arg, int64_t task, int worker) {
  const depthwise_job *job = arg; /* x: the input, k: g, y: the partial sums, scratch: a row of x for each worker */
  const window *w = &job->w;
  const int64_t q = job->c * job->m, width = w->in[2], rows = w->n * w->out[1];
  const int64_t share = task % job->shares, part = task / job->shares, vectors = kr_ceil_div(q, V_LANES);
  const int64_t q0 = share * vectors / job->shares * V_LANES;
  const int64_t q1 = kr_min(q, (share + 1) * vectors / job->shares * V_LANES);
  real *dk = (real *)job->y + part * w->size[1] * w->size[2] * q;
  for (int64_t tap = 0; tap < w->size[1] * w->size[2]; ++tap)
    memset(dk + tap * q + q0, 0, (size_t)(q1 - q0) * sizeof(real));
  if (job->m == 1 && KR_FN(takes_pairs)(w, q, 1)) {
    slide_job slide = slide_forward(w, q);
    cut_pairs(&slide, sizeof(real), 1);
    slide.x = job->x, slide.k = job->k;
    KR_FN(add_rows_of_g)
    (&slide, part * rows / job->parts, (part + 1) * rows / job->parts, q0, q1, dk,
     (real *)job->scratch + worker * slide.area);
    return;
  }
  for (int64_t row = part * rows / job->parts; row < (part + 1) * rows / job->parts; ++row) {
    const int64_t n = row / w->out[1], oh = row % w->out[1];
    const real *g = (const real *)job->k + row * w->out[2] * q;
    const span th = window_taps(w, 1, oh);
    const int cols = job->m == 1 ? taps_at_once(w, q * (int64_t)sizeof(real)) : 0,
              at_once = cols == 3 && th.to - th.from == 3 ? 3 : cols > 0;
    for (int64_t kh = th.from; at_once && kh < th.to; kh += at_once) {
      const int64_t h = oh * w->stride[1] - w->pad[1] + kh * w->dilation[1], x_row = w->dilation[1] * width * q;
      const real *x = (const real *)job->x + (n * w->in[1] + h) * width * q;
      const int64_t reach = width + w->pad[2] - (cols - 1) * w->dilation[2];
      const int64_t from = kr_min(kr_ceil_div(w->pad[2], w->stride[2]), w->out[2]);
      const int64_t to = reach <= 0 ? from : kr_max(from, kr_min(kr_ceil_div(reach, w->stride[2]), w->out[2]));
      real *sum = dk + kh * cols * q;
      int64_t j = q0;
      for (; j + V_LANES <= q1; j += V_LANES)
        if (at_once == 3) KR_FN(add_taps)(w, x + j, x_row, g + j, q, from, to, sum + j, 3, 3, V_LANES);
        else if (cols == 3) KR_FN(add_taps)(w, x + j, x_row, g + j, q, from, to, sum + j, 1, 3, V_LANES);
        else KR_FN(add_taps)(w, x + j, x_row, g + j, q, from, to, sum + j, 1, 5, V_LANES);
      if (j == q1) continue;
      if (at_once == 3) KR_FN(add_taps)(w, x + j, x_row, g + j, q, from, to, sum + j, 3, 3, q1 - j);
      else if (cols == 3) KR_FN(add_taps)(w, x + j, x_row, g + j, q, from, to, sum + j, 1, 3, q1 - j);
      else KR_FN(add_taps)(w, x + j, x_row, g + j, q, from, to, sum + j, 1, 5, q1 - j);
    }
    for (int64_t kh = th.from; !at_once && kh < th.to; ++kh) {
      const int64_t h = oh * w->stride[1] - w->pad[1] + kh * w->dilation[1];
      const real *x = (const real *)job->x + (n * w->in[1] + h) * width * job->c;
      if (job->m > 1) {
        real *wide = (real *)job->scratch + worker * width * q;
        KR_FN(expand)(x, wide, width * job->c, job->m);
        x = wide;
      }
      for (int64_t kw = 0; kw < w->size[2]; ++kw) {
        const int64_t at = kw * w->dilation[2] - w->pad[2], step = w->stride[2];
        const int64_t from = at >= 0 ? 0 : kr_ceil_div(-at, step);
        const int64_t to = width <= at ? 0 : kr_min(kr_ceil_div(width - at, step), w->out[2]);
        if (to <= from) continue;
        const real *xs = x + (at + from * step) * q, *gs = g + from * q;
        real *sum = dk + (kh * w->size[2] + kw) * q;
        int64_t j = q0;
        for (; j + V_LANES <= q1; j += V_LANES)
          KR_FN(add_products)(xs + j, step * q, gs + j, q, to - from, sum + j, V_LANES);
        if (j < q1) KR_FN(add_products)(xs + j, step * q, gs + j, q, to - from, sum + j, q1 - j);
      }
    }
  }
}

static size_t KR_FN(depthwise_grad_kernel_scratch)(const kr_call *c) {
  const kr_array *x = &c->in[0], *g = &c->in[1], *dk = &c->out[0];
  const window w = conv_window(c->i, x, dk, g);
  const int64_t q = g->shape[g->ndim - 1], m = dk->shape[dk->ndim - 1], rows = w.n * w.out[1];
  if (kr_size(dk) == 0 || rows * w.out[2] == 0) return 0;
  const int64_t parts = kernel_parts(&w);
  const size_t sums = (size_t)(parts > 1 ? parts * kr_size(dk) : 0) * sizeof(real);
  if (KR_FN(takes_pairs)(&w, q, m)) return sums + KR_FN(pairs_scratch)(slide_forward(&w, q), c->threads);
  return sums + (size_t)(m > 1 ? c->threads * w.in[2] * q : 0) * sizeof(real);
}

static kr_status KR_FN(depthwise_grad_kernel)(const kr_call *call) {
  const kr_array *x = &call->in[0], *g = &call->in[1], *dk = &call->out[0];
  const int64_t size = kr_size(dk);
  if (size == 0) return KR_OK;
  if (kr_size(g) == 0) {
    memset(dk->data, 0, (size_t)size * sizeof(real));
    return KR_OK;
  }
  depthwise_job job = {.w = conv_window(call->i, x, dk, g),
                       .x = x->data,
                       .k = g->data,
                       .y = dk->data,
                       .scratch = call->scratch,
                       .c = x->shape[x->ndim - 1],
                       .m = dk->shape[dk->ndim - 1]};
  job.parts = kernel_parts(&job.w);
  job.shares = job.m > 1 ? 1 : even_shares(job.parts, kr_ceil_div(job.c, V_LANES), call->threads);
  if (job.parts > 1) {
    job.y = call->scratch;
    job.scratch = (real *)call->scratch + job.parts * size;
  }
  kr_parallel(call->threads, job.parts * job.shares, KR_FN(grad_kernel_task), &job);
  KR_FN(add_parts)(job.y, dk->data, job.parts, size, call->threads);
  return KR_OK;
}
