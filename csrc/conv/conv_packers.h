/* The packers of convolution for one floating type; conv.c says what each kernel computes. */

static const KR_ALIGNED real KR_FN(padding)[GEMM_MAX_KC];

/* ---- patches ---------------------------------------------------------------------------------------------------- */

/* Copies columns [from, from + length) of a line of `size` elements, as far as they exist; the others are 0. */
static void KR_FN(copy_clipped)(const real *line, int64_t size, int64_t from, int64_t length, real *dst) {
  for (int64_t i = 0; i < length; ++i) dst[i] = from + i >= 0 && from + i < size ? line[from + i] : 0;
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

/* A cell whose patch is to be packed: the source position of its first tap, and the element there. */
typedef struct {
  int64_t x[3], offset;
  int inside; /* the whole patch lies inside the source */
} KR_FN(patch);

static KR_FN(patch) KR_FN(patch_at)(const patches *p, const place *cell) {
  KR_FN(patch) at = {.inside = 1, .offset = cell->n};
  for (int d = 0; d < 3; ++d) {
    at.x[d] = p->first[d] + cell->cell[d] * p->step[d];
    at.inside &= at.x[d] >= 0 && at.x[d] + (p->taps[d] - 1) * p->tap[d] < p->in[d];
    at.offset = at.offset * p->in[d] + at.x[d];
  }
  at.offset *= p->c;
  return at;
}

/* The elements of a part in a patch at the border: in the source, in `clipped`, or zeros. */
static const real *KR_FN(border_part)(const patches *p, const run_part *part, const KR_FN(patch) * at, int64_t offset,
                                      real *clipped) {
  const int64_t z = at->x[0] + part->tap[0] * p->tap[0], y = at->x[1] + part->tap[1] * p->tap[1];
  const int64_t x = at->x[2] + part->tap[2] * p->tap[2], size = p->in[2] * p->c;
  if (z < 0 || z >= p->in[0] || y < 0 || y >= p->in[1]) return KR_FN(padding);
  const real *src = (const real *)p->src + at->offset + offset;
  if (!whole_lines(p)) return x >= 0 && x < p->in[2] ? src : KR_FN(padding);
  const int64_t from = x * p->c + part->at;
  if (from >= 0 && from + part->length <= size) return src;
  if (from + part->length <= 0 || from >= size) return KR_FN(padding);
  KR_FN(copy_clipped)(src - from, size, from, part->length, clipped);
  return clipped;
}

/* pack_rows for rows many of which follow each other in memory element by element (one channel, stride 1). */
static void KR_FN(pack_neighbours)(const real *const *src, int64_t rows, int64_t length, real *dst) {
  for (int64_t r = 0, next; r < rows; r = next) {
    for (next = r + 1; next < rows && src[next] == src[next - 1] + 1;) ++next;
    for (int64_t q = 0; q < length; ++q) KR_FN(copy_few)(src[r] + q, dst + q * rows + r, next - r);
  }
}

/* Panel of patches as rows: dst[q * rows + r] = patch of cell row + r, column k0 + q. */
static void KR_FN(pack_patches)(const patches *p, int64_t group, int64_t row, int64_t rows, int64_t k0, int64_t kc,
                                real *dst) {
  KR_FN(patch) at[GEMM_MAX_MR];
  const real *src[GEMM_MAX_MR];
  real clipped[GEMM_MAX_MR][GEMM_MAX_KC];
  place cell = place_of(p->cells, row);
  for (int64_t r = 0; r < rows; ++r) {
    at[r] = KR_FN(patch_at)(p, &cell);
    step_place(p->cells, &cell);
  }
  for (run_part part = part_of_run(p, k0, kc); kc > 0; next_part(p, &part, kc)) {
    const int64_t line = part.tap[0] * p->tap[0] * p->in[1] + part.tap[1] * p->tap[1];
    const int64_t offset = (line * p->in[2] + part.tap[2] * p->tap[2]) * p->c + group * p->group_c + part.at;
    for (int64_t r = 0; r < rows; ++r)
      src[r] = at[r].inside ? (const real *)p->src + at[r].offset + offset
                            : KR_FN(border_part)(p, &part, &at[r], offset, clipped[r]);
    if (p->c * p->step[2] == 1) KR_FN(pack_neighbours)(src, rows, part.length, dst);
    else KR_FN(pack_rows)(src, rows, rows, part.length, dst);
    dst += rows * part.length;
    kc -= part.length;
  }
}

/* One part of a run at `count` cells of a line, `width` elements apart in dst.  `first` is the source position of the
 * part's first tap at the first of these cells. */
static void KR_FN(pack_line)(const patches *p, int64_t group, const run_part *part, const real *line, int64_t first,
                             int64_t count, int64_t width, real *dst) {
  const int lines = whole_lines(p);
  const int64_t step = p->step[2], lead = lines ? part->at / p->c : 0;
  const int64_t reach = lines ? (part->at + part->length - 1) / p->c : 0; /* cells from the first tap to the last */
  const int64_t good = first + lead >= 0 ? 0 : kr_min(kr_ceil_div(-first - lead, step), count);
  const int64_t left = p->in[2] - first - reach;
  const int64_t bad = left <= 0 ? good : kr_max(good, kr_min(kr_ceil_div(left, step), count));
  const int64_t size = lines ? p->in[2] * p->c : 0; /* a part within one tap is inside the line or all padding */
  int64_t from = first * p->c + (lines ? 0 : group * p->group_c) + part->at, i = 0;
  for (; i < good; ++i, from += step * p->c, dst += width) KR_FN(copy_clipped)(line, size, from, part->length, dst);
  for (; i < bad; ++i, from += step * p->c, dst += width) KR_FN(copy_few)(line + from, dst, part->length);
  for (; i < count; ++i, from += step * p->c, dst += width) KR_FN(copy_clipped)(line, size, from, part->length, dst);
}

/* Panel of patches as columns: dst[q * width + r] = patch of cell k0 + q, column row + r. */
static void KR_FN(pack_columns)(const patches *p, int64_t group, int64_t row, int64_t rows, int64_t width, int64_t k0,
                                int64_t kc, real *dst) {
  for (int64_t r = 0; r < rows;) {
    const run_part part = part_of_run(p, row + r, rows - r);
    place at = place_of(p->cells, k0);
    for (int64_t q = 0; q < kc;) { /* a line of cells, or what this block has of it */
      const int64_t count = kr_min(p->cells[2] - at.cell[2], kc - q);
      int64_t x[3];
      for (int d = 0; d < 3; ++d) x[d] = p->first[d] + at.cell[d] * p->step[d] + part.tap[d] * p->tap[d];
      real *to = dst + q * width + r;
      if (x[0] < 0 || x[0] >= p->in[0] || x[1] < 0 || x[1] >= p->in[1]) {
        for (int64_t i = 0; i < count; ++i)
          for (int64_t e = 0; e < part.length; ++e) to[i * width + e] = 0;
      } else {
        const int64_t line = (at.n * p->in[0] + x[0]) * p->in[1] + x[1];
        KR_FN(pack_line)(p, group, &part, (const real *)p->src + line * p->in[2] * p->c, x[2], count, width, to);
      }
      q += count;
      at.cell[2] = p->cells[2] - 1;
      step_place(p->cells, &at);
    }
    r += part.length;
  }
  KR_FN(pack_zeros)(rows, width, kc, dst);
}

/* ---- the kernel ------------------------------------------------------------------------------------------------- */

/* Rows of a matrix with the filters as its columns: the kernel, or g. */
static void KR_FN(rows_of_filters)(const void *ctx, int64_t group, int64_t k0, int64_t kc, int64_t col, int64_t cols,
                                   int64_t width, real *dst) {
  const conv_job *j = ctx;
  const real *src = (const real *)j->kernel + k0 * j->filters + group * j->group_filters + col;
  KR_FN(pack_copy)(src, j->filters, cols, width, kc, dst);
}

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
