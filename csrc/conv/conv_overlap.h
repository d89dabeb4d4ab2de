/* Overlap and add for one floating type; conv.c says when. */

static void KR_FN(source_rows)(const void *ctx, KR_UNUSED int64_t batch, int64_t row, int64_t rows, int64_t k0,
                               int64_t kc, real *dst) {
  const overlap *o = ctx;
  const real *src[GEMM_MAX_MR];
  for (int64_t r = 0; r < rows; ++r) src[r] = (const real *)o->src + (row + r) * o->k + k0;
  KR_FN(pack_rows)(src, rows, rows, kc, dst);
}

/* Columns (tap, filter) of the kernel (*size, c, f), for the forward pass. */
static void KR_FN(columns_of_filters)(const void *ctx, KR_UNUSED int64_t batch, int64_t k0, int64_t kc, int64_t col,
                                      int64_t cols, int64_t width, real *dst) {
  const overlap *o = ctx;
  int64_t at[GEMM_MAX_NR];
  for (int64_t c = 0; c < cols; ++c) at[c] = ((col + c) / o->filters * o->k + k0) * o->filters + (col + c) % o->filters;
  KR_FN(pack_gather)(o->kernel, at, o->filters, cols, width, kc, dst);
}

/* Columns (tap, channel), for the gradient to the input. */
static void KR_FN(columns_of_channels)(const void *ctx, KR_UNUSED int64_t batch, int64_t k0, int64_t kc, int64_t col,
                                       int64_t cols, int64_t width, real *dst) {
  const overlap *o = ctx;
  int64_t at[GEMM_MAX_NR];
  for (int64_t c = 0; c < cols; ++c) at[c] = (col + c) * o->filters + k0;
  KR_FN(pack_gather)(o->kernel, at, 1, cols, width, kc, dst);
}

typedef struct {
  const overlap *o;
  const overlap_cells *c;
  const real *products;
  real *out;
  int64_t rows, grain;
} KR_FN(overlap_sum);

/* Adds one tap's column block to a line of cells. */
KR_INLINE void KR_FN(add_tap)(real *out, int64_t out_step, const real *src, int64_t src_step, int64_t cells,
                              int64_t columns) {
  for (int64_t i = 0; i < cells; ++i, out += out_step, src += src_step) {
    int64_t j = 0;
    for (; j + V_LANES <= columns; j += V_LANES) v_store(out + j, v_add(v_load(out + j), v_load(src + j)));
    for (; j < columns; ++j) out[j] += src[j];
  }
}

/* Lines of cells: each starts as the bias and adds its taps in the order of the patches. */
static void KR_FN(overlap_task)(void *arg, int64_t task, KR_UNUSED int worker) {
  const KR_FN(overlap_sum) *s = arg;
  const overlap *o = s->o;
  const overlap_cells *c = s->c;
  const patches *p = &c->j.p;
  const int64_t n = o->columns, row = o->taps * n, out_step = c->step[2] * n;
  for (int64_t line = task * s->grain; line < kr_min((task + 1) * s->grain, s->rows); ++line) {
    const row_place at = window_row(p->cells, line);
    const int64_t d = c->first[0] + at.d * c->step[0], h = c->first[1] + at.h * c->step[1];
    real *out = s->out + (((at.n * c->size[0] + d) * c->size[1] + h) * c->size[2] + c->first[2]) * n;
    for (int64_t i = 0; i < p->cells[2]; ++i)
      for (int64_t j = 0; j < n; ++j) out[i * out_step + j] = o->bias ? ((const real *)o->bias)[j] : 0;
    for (int64_t t0 = 0; t0 < p->taps[0]; ++t0)
      for (int64_t t1 = 0; t1 < p->taps[1]; ++t1) {
        const int64_t z = p->first[0] + at.d * p->step[0] + t0 * p->tap[0];
        const int64_t y = p->first[1] + at.h * p->step[1] + t1 * p->tap[1];
        if (z < 0 || z >= p->in[0] || y < 0 || y >= p->in[1]) continue;
        const real *src = s->products + ((at.n * p->in[0] + z) * p->in[1] + y) * p->in[2] * row;
        for (int64_t t2 = 0; t2 < p->taps[2]; ++t2) {
          const int64_t x = p->first[2] + t2 * p->tap[2], step = p->step[2];
          const int64_t from = x >= 0 ? 0 : kr_min(kr_ceil_div(-x, step), p->cells[2]);
          const int64_t to = x >= p->in[2] ? from : kr_min(kr_ceil_div(p->in[2] - x, step), p->cells[2]);
          const real *first = src + (x + from * step) * row + kernel_tap(&c->j, t0, t1, t2) * n;
          if (to > from) KR_FN(add_tap)(out + from * out_step, out_step, first, step * row, to - from, n);
        }
      }
    if (o->relu)
      for (int64_t i = 0; i < p->cells[2]; ++i)
        for (int64_t j = 0; j < n; ++j)
          if (out[i * out_step + j] < 0) out[i * out_step + j] = 0;
  }
}

/* Sums the products of `images` images from number `image` on. */
static void KR_FN(overlap_add)(const overlap *o, const overlap_cells *c, int64_t image, int64_t images) {
  const int64_t lines = c->j.p.cells[0] * c->j.p.cells[1];
  KR_FN(overlap_sum)
  s = {.o = o,
       .c = c,
       .products = o->scratch,
       .out = (real *)o->out + image * product(c->size) * o->columns,
       .rows = images * lines};
  s.grain = window_grain(s.rows, c->j.p.cells[2] * o->columns * product(c->j.p.taps));
  kr_parallel(o->threads, kr_ceil_div(s.rows, s.grain), KR_FN(overlap_task), &s);
}

static int64_t KR_FN(overlap_chunk)(const overlap *o) {
  const int64_t bytes = o->cells * o->taps * o->columns * (int64_t)sizeof(real);
  return kr_max(1, kr_min(o->images, OVERLAP_CHUNK / kr_max(bytes, 1)));
}

static int64_t KR_FN(overlap_products)(const overlap *o) {
  return kr_round_up(o->chunk * o->cells * o->taps * o->columns, 16);
}

static size_t KR_FN(overlap_scratch)(const overlap *o) {
  const int64_t n = o->taps * o->columns, last = o->images % o->chunk;
  const size_t whole = KR_FN(gemm_scratch)(1, o->chunk * o->cells, n, o->k, o->threads);
  const size_t rest = KR_FN(gemm_scratch)(1, last * o->cells, n, o->k, o->threads);
  return (size_t)KR_FN(overlap_products)(o) * sizeof(real) + (whole > rest ? whole : rest);
}

/* As gemm_packing; 0 where the last images would be multiplied in other blocks. */
static size_t KR_FN(overlap_packing)(const overlap *o, int64_t *kb) {
  const int64_t last = o->images % o->chunk, n = o->taps * o->columns;
  int64_t other;
  const size_t bytes = KR_FN(gemm_packing)(1, o->chunk * o->cells, n, o->k, kb);
  return last && KR_FN(gemm_packing)(1, last * o->cells, n, o->k, &other) && other != *kb ? 0 : bytes;
}

/* The products of the images from number `image` on; returns of how many. */
static int64_t KR_FN(overlap_multiply)(const overlap *o, int64_t image, int turned) {
  const int64_t images = kr_min(o->chunk, o->images - image), n = o->taps * o->columns;
  overlap part = *o;
  part.src = (const real *)o->src + image * o->cells * o->k;
  const KR_FN(gemm_args) g = {.batch = 1,
                              .m = images * o->cells,
                              .n = n,
                              .k = o->k,
                              .pack_a = KR_FN(source_rows),
                              .pack_b = turned ? KR_FN(columns_of_channels) : KR_FN(columns_of_filters),
                              .ctx = &part,
                              .c = o->scratch,
                              .ldc = n,
                              .packed = o->packed};
  KR_FN(gemm)(&g, o->threads, (real *)o->scratch + KR_FN(overlap_products)(o));
  return images;
}
