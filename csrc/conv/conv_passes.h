/* The three passes of convolution for one floating type; conv.c says what each computes. */

/* ---- forward ---------------------------------------------------------------------------------------------------- */

static void KR_FN(rows_of_patches)(const void *ctx, int64_t group, int64_t row, int64_t rows, int64_t k0, int64_t kc,
                                   real *dst) {
  KR_FN(pack_patches)(&((const conv_job *)ctx)->p, group, row, rows, k0, kc, dst);
}

/* Rows of a matrix with the filters as its columns: the kernel, or g. */
static void KR_FN(rows_of_filters)(const void *ctx, int64_t group, int64_t k0, int64_t kc, int64_t col, int64_t cols,
                                   int64_t width, real *dst) {
  const conv_job *j = ctx;
  const real *src = (const real *)j->kernel + k0 * j->filters + group * j->group_filters + col;
  KR_FN(pack_copy)(src, j->filters, cols, width, kc, dst);
}

static KR_FN(gemm_args) KR_FN(conv_product)(const kr_call *call, conv_job *j) {
  const kr_array *x = &call->in[0], *k = &call->in[1], *y = &call->out[0];
  const window w = conv_window(call->i, x, k, y);
  *j = forward_job(&w, x, k, k->data);
  return (KR_FN(gemm_args)){.batch = group_count(x, k),
                            .m = w.n * product(w.out),
                            .n = j->group_filters,
                            .k = product(w.size) * j->p.group_c,
                            .pack_a = KR_FN(rows_of_patches),
                            .pack_b = KR_FN(rows_of_filters),
                            .ctx = j,
                            .c = y->data,
                            .ldc = j->filters,
                            .c_batch = j->group_filters,
                            .bias = call->n_in > 2 ? call->in[2].data : NULL,
                            .bias_batch = j->group_filters,
                            .activation = call->n_i > 9 ? (int)call->i[9] : GEMM_LINEAR};
}

static size_t KR_FN(scratch_of)(const KR_FN(gemm_args) * g, int threads) {
  return KR_FN(gemm_scratch)(g->batch, g->m, g->n, g->k, threads);
}

static int KR_FN(conv_overlaps)(const kr_call *call, const KR_FN(gemm_args) * g, const conv_job *j, overlap *o) {
  const int64_t source = product(j->p.in), taps = product(j->size);
  *o = (overlap){.src = j->p.src,
                 .kernel = j->kernel,
                 .bias = g->bias,
                 .out = g->c,
                 .scratch = call->scratch,
                 .images = call->in[0].shape[0],
                 .cells = source,
                 .k = j->p.c,
                 .taps = taps,
                 .columns = j->filters,
                 .filters = j->filters,
                 .relu = g->activation == GEMM_RELU,
                 .threads = call->threads};
  o->chunk = KR_FN(overlap_chunk)(o);
  return overlap_pays(g->batch, product(j->p.cells) * taps, source, taps, j->p.c, j->filters, sizeof(real));
}

static size_t KR_FN(conv_scratch)(const kr_call *c) {
  conv_job j;
  overlap o;
  const KR_FN(gemm_args) g = KR_FN(conv_product)(c, &j);
  return KR_FN(conv_overlaps)(c, &g, &j, &o) ? KR_FN(overlap_scratch)(&o) : KR_FN(scratch_of)(&g, c->threads);
}

static kr_status KR_FN(conv)(const kr_call *c) {
  conv_job j;
  overlap o;
  const KR_FN(gemm_args) g = KR_FN(conv_product)(c, &j);
  if (kr_size(&c->out[0]) == 0) return KR_OK;
  if (KR_FN(conv_overlaps)(c, &g, &j, &o)) {
    const overlap_cells cells = all_cells(&j);
    for (int64_t image = 0; image < o.images; image += o.chunk)
      KR_FN(overlap_add)(&o, &cells, image, KR_FN(overlap_multiply)(&o, image, 0));
  } else {
    KR_FN(gemm)(&g, c->threads, c->scratch);
  }
  return KR_OK;
}

/* ---- gradient to the kernel ------------------------------------------------------------------------------------- */

static void KR_FN(columns_of_patches)(const void *ctx, int64_t group, int64_t row, int64_t rows, int64_t k0, int64_t kc,
                                      real *dst) {
  KR_FN(pack_columns)(&((const conv_job *)ctx)->p, group, row, rows, rows, k0, kc, dst);
}

/* The same two matrices the other way round, for few filters: a panel of columns of g, one of columns of patches. */
static void KR_FN(columns_of_g)(const void *ctx, KR_UNUSED int64_t group, int64_t row, int64_t rows, int64_t k0,
                                int64_t kc, real *dst) {
  const conv_job *j = ctx;
  KR_FN(pack_copy)((const real *)j->kernel + k0 * j->filters + row, j->filters, rows, rows, kc, dst);
}

static void KR_FN(patches_as_columns)(const void *ctx, int64_t group, int64_t k0, int64_t kc, int64_t col, int64_t cols,
                                      int64_t width, real *dst) {
  KR_FN(pack_columns)(&((const conv_job *)ctx)->p, group, col, cols, width, k0, kc, dst);
}

static KR_FN(gemm_args) KR_FN(grad_kernel_product)(const kr_call *call, conv_job *j) {
  const kr_array *x = &call->in[0], *g = &call->in[1], *dk = &call->out[0];
  const window w = conv_window(call->i, x, dk, g);
  *j = forward_job(&w, x, dk, g->data);
  const int64_t groups = group_count(x, dk), rows = product(w.size) * j->p.group_c;
  if (few_filters(j, groups))
    return (KR_FN(gemm_args)){.batch = 1,
                              .m = j->filters,
                              .n = rows,
                              .k = w.n * product(w.out),
                              .pack_a = KR_FN(columns_of_g),
                              .pack_b = KR_FN(patches_as_columns),
                              .ctx = j,
                              .c = call->scratch,
                              .ldc = rows};
  return (KR_FN(gemm_args)){.batch = groups,
                            .m = rows,
                            .n = j->group_filters,
                            .k = w.n * product(w.out),
                            .pack_a = KR_FN(columns_of_patches),
                            .pack_b = KR_FN(rows_of_filters),
                            .ctx = j,
                            .c = dk->data,
                            .ldc = j->filters,
                            .c_batch = j->group_filters};
}

static size_t KR_FN(conv_grad_kernel_scratch)(const kr_call *c) {
  conv_job j;
  const KR_FN(gemm_args) g = KR_FN(grad_kernel_product)(c, &j);
  const int64_t turned = few_filters(&j, g.batch) ? kr_round_up(g.m * g.n, 16) : 0;
  return (size_t)turned * sizeof(real) + KR_FN(scratch_of)(&g, c->threads);
}

static kr_status KR_FN(conv_grad_kernel)(const kr_call *c) {
  conv_job j;
  const KR_FN(gemm_args) g = KR_FN(grad_kernel_product)(c, &j);
  if (!few_filters(&j, g.batch)) {
    KR_FN(gemm)(&g, c->threads, c->scratch);
    return KR_OK;
  }
  KR_FN(gemm)(&g, c->threads, (real *)c->scratch + kr_round_up(g.m * g.n, 16));
  real *dk = c->out[0].data;
  for (int64_t col = 0; col < g.n; ++col)
    for (int64_t f = 0; f < g.m; ++f) *dk++ = g.c[f * g.n + col];
  return KR_OK;
}

/* ---- gradient to the input -------------------------------------------------------------------------------------- */

/* Panel of the kernel with channels as its columns: row (tap t, filter) of the product is tap last - t * step. */
static void KR_FN(turned_kernel)(const void *ctx, int64_t group, int64_t k0, int64_t kc, int64_t col, int64_t cols,
                                 int64_t width, real *dst) {
  const conv_job *j = ctx;
  const real *src[GEMM_MAX_NR];
  while (kc > 0) {
    const int64_t t = k0 / j->group_filters, at = k0 % j->group_filters, length = kr_min(j->group_filters - at, kc);
    const int64_t tap =
        kernel_tap(j, t / j->p.taps[2] / j->p.taps[1], t / j->p.taps[2] % j->p.taps[1], t % j->p.taps[2]);
    const real *from = (const real *)j->kernel + (tap * j->kernel_c + col) * j->filters + group * j->group_filters + at;
    for (int64_t c = 0; c < cols; ++c) src[c] = from + c * j->filters;
    KR_FN(pack_rows)(src, cols, width, length, dst);
    dst += length * width;
    k0 += length;
    kc -= length;
  }
}

/* The product for one residue.  With a stride its cells are apart in dx, so it goes through a buffer. */
static KR_FN(gemm_args)
    KR_FN(phase_product)(const kr_call *call, const window *w, int64_t phase, conv_job *j, int64_t cell[3]) {
  const kr_array *g = &call->in[0], *k = &call->in[1], *dx = &call->out[0];
  const int64_t c = dx->shape[dx->ndim - 1];
  *j = phase_job(w, phase, g, k, dx, cell);
  return (KR_FN(gemm_args)){.batch = group_count(dx, k),
                            .m = w->n * product(j->p.cells),
                            .n = j->kernel_c,
                            .k = product(j->p.taps) * j->group_filters,
                            .pack_a = KR_FN(rows_of_patches),
                            .pack_b = KR_FN(turned_kernel),
                            .ctx = j,
                            .c = dx->data,
                            .ldc = c,
                            .c_batch = j->kernel_c};
}

/* Elements of the buffer: the first residue has the most cells. */
static int64_t KR_FN(phase_buffer)(const window *w, int64_t c) {
  int64_t cells = w->n;
  for (int d = 0; d < 3; ++d) cells *= kr_ceil_div(w->in[d], w->stride[d]);
  return phase_count(w) > 1 ? kr_round_up(cells * c, 16) : 0;
}

static int KR_FN(grad_input_overlaps)(const kr_call *call, const window *w, overlap *o) {
  const kr_array *g = &call->in[0], *k = &call->in[1], *dx = &call->out[0];
  const int64_t c = k->shape[k->ndim - 2], f = k->shape[k->ndim - 1], source = product(w->out), taps = product(w->size);
  *o = (overlap){.src = g->data,
                 .kernel = k->data,
                 .out = dx->data,
                 .scratch = call->scratch,
                 .images = w->n,
                 .cells = source,
                 .k = f,
                 .taps = taps,
                 .columns = c,
                 .filters = f,
                 .threads = call->threads};
  o->chunk = KR_FN(overlap_chunk)(o);
  int64_t met = 0;
  for (int64_t phase = 0; phase < phase_count(w); ++phase) {
    int64_t cell[3];
    const conv_job j = phase_job(w, phase, g, k, dx, cell);
    met += product(j.p.cells) * product(j.p.taps);
  }
  return overlap_pays(group_count(dx, k), met, source, taps, f, c, sizeof(real));
}

static void KR_FN(grad_input_by_overlap)(const kr_call *call, const window *w, const overlap *o) {
  for (int64_t image = 0; image < o->images; image += o->chunk) {
    const int64_t images = KR_FN(overlap_multiply)(o, image, 1);
    for (int64_t phase = 0; phase < phase_count(w); ++phase) {
      overlap_cells cells;
      cells.j = phase_job(w, phase, &call->in[0], &call->in[1], &call->out[0], cells.first);
      memcpy(cells.size, w->in, sizeof cells.size);
      memcpy(cells.step, w->stride, sizeof cells.step);
      KR_FN(overlap_add)(o, &cells, image, images);
    }
  }
}

static size_t KR_FN(conv_grad_input_scratch)(const kr_call *call) {
  const kr_array *g = &call->in[0], *k = &call->in[1], *dx = &call->out[0];
  const window w = conv_window(call->i, dx, k, g);
  overlap o;
  size_t most = 0;
  if (KR_FN(grad_input_overlaps)(call, &w, &o)) return KR_FN(overlap_scratch)(&o);
  for (int64_t phase = 0; phase < phase_count(&w); ++phase) {
    conv_job j;
    int64_t cell[3];
    const KR_FN(gemm_args) a = KR_FN(phase_product)(call, &w, phase, &j, cell);
    const size_t bytes = KR_FN(scratch_of)(&a, call->threads);
    if (bytes > most) most = bytes;
  }
  return most + (size_t)KR_FN(phase_buffer)(&w, dx->shape[dx->ndim - 1]) * sizeof(real);
}

typedef struct {
  const window *w;
  const int64_t *cell, *cells;
  const real *src;
  real *dx;
  int64_t c, grain;
} KR_FN(spread_job);

/* Moves lines of one residue's cells to their places in dx. */
static void KR_FN(spread_task)(void *arg, int64_t task, KR_UNUSED int worker) {
  const KR_FN(spread_job) *j = arg;
  const window *w = j->w;
  const int64_t last = kr_min((task + 1) * j->grain, w->n * j->cells[0] * j->cells[1]);
  for (int64_t row = task * j->grain; row < last; ++row) {
    const row_place at = window_row(j->cells, row);
    const int64_t d = j->cell[0] + at.d * w->stride[0], h = j->cell[1] + at.h * w->stride[1];
    const real *src = j->src + row * j->cells[2] * j->c;
    real *dx = j->dx + (((at.n * w->in[0] + d) * w->in[1] + h) * w->in[2] + j->cell[2]) * j->c;
    for (int64_t i = 0; i < j->cells[2]; ++i, src += j->c, dx += w->stride[2] * j->c)
      memcpy(dx, src, (size_t)j->c * sizeof(real));
  }
}

static kr_status KR_FN(conv_grad_input)(const kr_call *call) {
  const kr_array *g = &call->in[0], *k = &call->in[1], *dx = &call->out[0];
  if (kr_size(dx) == 0) return KR_OK;
  const window w = conv_window(call->i, dx, k, g);
  overlap o;
  if (KR_FN(grad_input_overlaps)(call, &w, &o)) {
    KR_FN(grad_input_by_overlap)(call, &w, &o);
    return KR_OK;
  }
  const int64_t c = dx->shape[dx->ndim - 1], phases = phase_count(&w);
  real *buffer = call->scratch;
  for (int64_t phase = 0; phase < phases; ++phase) {
    conv_job j;
    int64_t cell[3];
    KR_FN(gemm_args) a = KR_FN(phase_product)(call, &w, phase, &j, cell);
    if (phases > 1) a.c = buffer;
    KR_FN(gemm)(&a, call->threads, buffer + KR_FN(phase_buffer)(&w, c));
    if (phases == 1) break;
    KR_FN(spread_job) s = {.w = &w, .cell = cell, .cells = j.p.cells, .src = buffer, .dx = dx->data, .c = c};
    const int64_t rows = w.n * s.cells[0] * s.cells[1];
    s.grain = window_grain(rows, s.cells[2] * c);
    kr_parallel(call->threads, kr_ceil_div(rows, s.grain), KR_FN(spread_task), &s);
  }
  return KR_OK;
}
