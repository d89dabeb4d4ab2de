/* Convolution for one floating type; conv.c says what each kernel computes. */

static const KR_ALIGNED real KR_FN(padding)[GEMM_MAX_KC];

/* ---- patches ---------------------------------------------------------------------------------------------------- */

/* Copies columns [from, from + length) of a line of `size` elements, as far as they exist; the others are 0. */
static void KR_FN(copy_clipped)(const real *line, int64_t size, int64_t from, int64_t length, real *dst) {
  for (int64_t i = 0; i < length; ++i) dst[i] = from + i >= 0 && from + i < size ? line[from + i] : 0;
}

/* Panel of patches as rows: dst[q * rows + r] = patch of cell row + r, column k0 + q. */
static void KR_FN(pack_patches)(const patches *p, int64_t group, int64_t row, int64_t rows, int64_t k0, int64_t kc,
                                real *dst) {
  const int64_t size = p->in[2] * p->c;
  const real *image[GEMM_MAX_MR], *src[GEMM_MAX_MR];
  int64_t at[GEMM_MAX_MR][3];
  real clipped[GEMM_MAX_MR][GEMM_MAX_KC];
  place cell = place_of(p->cells, row);
  for (int64_t r = 0; r < rows; ++r) {
    image[r] = (const real *)p->src + cell.n * product(p->in) * p->c;
    for (int d = 0; d < 3; ++d) at[r][d] = p->first[d] + cell.cell[d] * p->step[d];
    step_place(p->cells, &cell);
  }

  while (kc > 0) {
    const run_part part = part_of_run(p, k0, kc);
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t z = at[r][0] + part.tap[0] * p->tap[0], y = at[r][1] + part.tap[1] * p->tap[1];
      const int64_t x = at[r][2] + part.tap[2] * p->tap[2];
      src[r] = KR_FN(padding);
      if (z < 0 || z >= p->in[0] || y < 0 || y >= p->in[1]) continue;
      const real *line = image[r] + (z * p->in[1] + y) * size;
      if (!whole_lines(p)) {
        if (x >= 0 && x < p->in[2]) src[r] = line + x * p->c + group * p->group_c + part.at;
        continue;
      }
      const int64_t from = x * p->c + part.at;
      if (from >= 0 && from + part.length <= size) {
        src[r] = line + from;
      } else if (from + part.length > 0 && from < size) {
        KR_FN(copy_clipped)(line, size, from, part.length, clipped[r]);
        src[r] = clipped[r];
      }
    }
    KR_FN(pack_rows)(src, rows, rows, part.length, dst);
    dst += rows * part.length;
    k0 += part.length;
    kc -= part.length;
  }
}

/* Copies a few elements. */
KR_INLINE void KR_FN(copy_few)(const real *src, real *dst, int64_t count) {
#if defined(KR_FOR_AVX512)
  for (; count > V_LANES; count -= V_LANES, src += V_LANES, dst += V_LANES) v_store(dst, v_load(src));
  v_store_n(dst, v_load_n(src, count), count);
#else
  for (int64_t i = 0; i < count; ++i) dst[i] = src[i];
#endif
}

/* One part of a run at `count` cells of a line, `rows` elements apart in dst.  `first` is the source position of the
 * part's first tap at the first of these cells. */
static void KR_FN(pack_line)(const patches *p, int64_t group, const run_part *part, const real *line, int64_t first,
                             int64_t count, int64_t rows, real *dst) {
  const int lines = whole_lines(p);
  const int64_t step = p->step[2], lead = lines ? part->at / p->c : 0;
  const int64_t reach = lines ? (part->at + part->length - 1) / p->c : 0; /* cells from the first tap to the last */
  const int64_t good = first + lead >= 0 ? 0 : kr_min(kr_ceil_div(-first - lead, step), count);
  const int64_t left = p->in[2] - first - reach;
  const int64_t bad = left <= 0 ? good : kr_max(good, kr_min(kr_ceil_div(left, step), count));
  const int64_t size = lines ? p->in[2] * p->c : 0; /* a part within one tap is inside the line or all padding */
  int64_t from = first * p->c + (lines ? 0 : group * p->group_c) + part->at, i = 0;
  for (; i < good; ++i, from += step * p->c, dst += rows) KR_FN(copy_clipped)(line, size, from, part->length, dst);
  for (; i < bad; ++i, from += step * p->c, dst += rows) KR_FN(copy_few)(line + from, dst, part->length);
  for (; i < count; ++i, from += step * p->c, dst += rows) KR_FN(copy_clipped)(line, size, from, part->length, dst);
}

/* Panel of patches as columns: dst[q * rows + r] = patch of cell k0 + q, column row + r. */
static void KR_FN(pack_columns)(const patches *p, int64_t group, int64_t row, int64_t rows, int64_t k0, int64_t kc,
                                real *dst) {
  for (int64_t r = 0; r < rows;) {
    const run_part part = part_of_run(p, row + r, rows - r);
    place at = place_of(p->cells, k0);
    for (int64_t q = 0; q < kc;) { /* a line of cells, or what this block has of it */
      const int64_t count = kr_min(p->cells[2] - at.cell[2], kc - q);
      int64_t x[3];
      for (int d = 0; d < 3; ++d) x[d] = p->first[d] + at.cell[d] * p->step[d] + part.tap[d] * p->tap[d];
      real *to = dst + q * rows + r;
      if (x[0] < 0 || x[0] >= p->in[0] || x[1] < 0 || x[1] >= p->in[1]) {
        for (int64_t i = 0; i < count; ++i)
          for (int64_t e = 0; e < part.length; ++e) to[i * rows + e] = 0;
      } else {
        const int64_t line = (at.n * p->in[0] + x[0]) * p->in[1] + x[1];
        KR_FN(pack_line)(p, group, &part, (const real *)p->src + line * p->in[2] * p->c, x[2], count, rows, to);
      }
      q += count;
      at.cell[2] = p->cells[2] - 1;
      step_place(p->cells, &at);
    }
    r += part.length;
  }
}

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

static size_t KR_FN(conv_scratch)(const kr_call *c) {
  conv_job j;
  const KR_FN(gemm_args) g = KR_FN(conv_product)(c, &j);
  return KR_FN(scratch_of)(&g, c->threads);
}

static kr_status KR_FN(conv)(const kr_call *c) {
  conv_job j;
  const KR_FN(gemm_args) g = KR_FN(conv_product)(c, &j);
  KR_FN(gemm)(&g, c->threads, c->scratch);
  return KR_OK;
}

/* ---- gradient to the kernel ------------------------------------------------------------------------------------- */

static void KR_FN(columns_of_patches)(const void *ctx, int64_t group, int64_t row, int64_t rows, int64_t k0, int64_t kc,
                                      real *dst) {
  KR_FN(pack_columns)(&((const conv_job *)ctx)->p, group, row, rows, k0, kc, dst);
}

static KR_FN(gemm_args) KR_FN(grad_kernel_product)(const kr_call *call, conv_job *j) {
  const kr_array *x = &call->in[0], *g = &call->in[1], *dk = &call->out[0];
  const window w = conv_window(call->i, x, dk, g);
  *j = forward_job(&w, x, dk, g->data);
  return (KR_FN(gemm_args)){.batch = group_count(x, dk),
                            .m = product(w.size) * j->p.group_c,
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
  return KR_FN(scratch_of)(&g, c->threads);
}

static kr_status KR_FN(conv_grad_kernel)(const kr_call *c) {
  conv_job j;
  const KR_FN(gemm_args) g = KR_FN(grad_kernel_product)(c, &j);
  KR_FN(gemm)(&g, c->threads, c->scratch);
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
    const int64_t taps[3] = {t / j->p.taps[2] / j->p.taps[1], t / j->p.taps[2] % j->p.taps[1], t % j->p.taps[2]};
    int64_t tap = 0;
    for (int d = 0; d < 3; ++d) tap = tap * j->size[d] + j->last_tap[d] - taps[d] * j->tap_step[d];
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

static size_t KR_FN(conv_grad_input_scratch)(const kr_call *call) {
  const kr_array *g = &call->in[0], *k = &call->in[1], *dx = &call->out[0];
  const window w = conv_window(call->i, dx, k, g);
  size_t most = 0;
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
