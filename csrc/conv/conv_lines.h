/* Direct convolution of few channels for one floating type: a tile of neighbouring cells of a line, whose patches are a
 * constant step apart; conv.c says when.
 *
 * With 1 or 3 channels a tile of conv_direct.h takes a hundred cycles, and finding where its twelve patches begin three
 * hundred.  Here the lines of x that a line of cells meets are found, and padded, once, and one pointer and constant
 * displacements read all patches of a tile.  The kernel is packed as there, and a cell sums in the same order, so the
 * bits are the same. */

typedef struct {
  const real *const *x; /* of each line of taps: where the first patch of the tile begins */
  const real *b, *start;
  real *c;
  int64_t lines, length, at, c_step, cols; /* length: of a line of taps; at: of the tile in x */
  int relu;
} KR_FN(line_args);

/* rows, step and nv are constants. */
KR_INLINE void KR_FN(line_tile)(const KR_FN(line_args) * t, const int rows, const int step, const int nv) {
  vreal acc[LINE_MOST][DIRECT_NV];
#pragma GCC unroll 4
  for (int v = 0; v < nv; ++v) {
    const vreal start = t->start ? v_load(t->start + v * V_LANES) : v_zero();
#pragma GCC unroll 14
    for (int r = 0; r < rows; ++r) acc[r][v] = start;
  }
  const real *b = t->b;
  for (int64_t n = 0; n < t->lines; ++n) {
    const real *x = t->x[n] + t->at;
    for (int64_t q = t->length; q > 0; --q, ++x, b += nv * V_LANES) {
      vreal bv[DIRECT_NV];
#pragma GCC unroll 4
      for (int v = 0; v < nv; ++v) bv[v] = v_load(b + v * V_LANES);
#pragma GCC unroll 14
      for (int r = 0; r < rows; ++r) {
        const vreal xr = v_set1(x[r * step]);
#pragma GCC unroll 4
        for (int v = 0; v < nv; ++v) acc[r][v] = v_fma(xr, bv[v], acc[r][v]);
      }
    }
  }
  real *c = t->c;
#pragma GCC unroll 14
  for (int r = 0; r < rows; ++r, c += t->c_step)
#pragma GCC unroll 4
    for (int v = 0; v < nv; ++v) {
      const int64_t lanes = t->cols - v * V_LANES;
      vreal y = acc[r][v];
      if (t->relu) y = v_select(v_lt(y, v_zero()), v_zero(), y); /* keeps NaN */
      if (lanes >= V_LANES) v_store(c + v * V_LANES, y);
      else if (lanes > 0) v_store_n(c + v * V_LANES, y, lanes);
    }
}

typedef void (*KR_FN(line_fn))(const KR_FN(line_args) * t);
#define LINE(rows, step)                                                       \
  static void KR_FN(line_##rows##_##step##_half)(const KR_FN(line_args) * t) { \
    KR_FN(line_tile)(t, rows, step, DIRECT_NV / 2);                            \
  }                                                                            \
  static void KR_FN(line_##rows##_##step##_full)(const KR_FN(line_args) * t) { \
    KR_FN(line_tile)(t, rows, step, DIRECT_NV);                                \
  }
#define LINE_EACH(rows) LINE(rows, 1) LINE(rows, 3) LINE(rows, 6)
LINE_HEIGHTS(LINE_EACH)
#undef LINE_EACH
#undef LINE

static KR_FN(line_fn) KR_FN(line_of)(int64_t rows, int64_t step, int half) {
#define TRY(height, s) \
  if (rows == height && step == s) return half ? KR_FN(line_##height##_##s##_half) : KR_FN(line_##height##_##s##_full);
#define TRY_EACH(height) TRY(height, 1) TRY(height, 3) TRY(height, 6)
  LINE_HEIGHTS(TRY_EACH)
#undef TRY_EACH
#undef TRY
  return NULL;
}

static void KR_FN(line_task)(void *arg, int64_t task, int worker) {
  const direct_job *d = arg;
  const patches *p = &d->j.p;
  const int64_t lines = p->taps[0] * p->taps[1], rows = d->images * p->cells[0] * p->cells[1], cells = p->cells[2];
  const int64_t size = p->in[2] * p->c, step = p->step[2] * p->c, first = p->first[2] * p->c;
  const int64_t padded = line_padded(p), height = line_height(cells);
  const int border = first < 0 || first + padded > size;
  const real **x = (const real **)((char *)d->own + worker * d->own_bytes);
  real *const zeros = (real *)(x + kr_round_up(lines, 8)), *copies = zeros + kr_round_up(padded, V_LANES);
  for (int64_t i = 0; i < padded; ++i) zeros[i] = 0;
  for (int64_t row = task * rows / d->line_tasks; row < (task + 1) * rows / d->line_tasks; ++row) {
    const row_place at = window_row(p->cells, row);
    for (int64_t n = 0; n < lines; ++n) {
      x[n] = KR_FN(outer_line)(p, row, n / p->taps[1], n % p->taps[1]);
      if (x[n] == NULL) {
        x[n] = zeros;
      } else if (border) {
        real *copy = copies + n * padded;
        KR_FN(copy_padded)(x[n], size, first, padded, copy);
        x[n] = copy;
      } else {
        x[n] += first;
      }
    }
    real *y = (real *)d->y + at.n * d->y_image + at.d * d->y_step[0] + at.h * d->y_step[1];
    for (int64_t q = 0; q < d->panels; ++q) {
      const int64_t col = q * DIRECT_WIDTH, cols = kr_min(DIRECT_WIDTH, d->columns - col);
      const KR_FN(line_fn) tile = KR_FN(line_of)(height, step, cols <= DIRECT_WIDTH / 2);
      KR_FN(line_args)
      t = {.x = x, .lines = lines, .length = p->taps[2] * p->c, .c_step = d->y_step[2], .cols = cols, .relu = d->relu};
      t.b = (const real *)d->packed + q * d->k * DIRECT_WIDTH;
      t.start = d->biased ? (const real *)d->start + q * DIRECT_WIDTH : NULL;
      for (int64_t cell = 0; cell < cells; cell += height) { /* the last tile may overlap the one before */
        const int64_t from = kr_min(cell, cells - height);
        t.at = from * step;
        t.c = y + from * d->y_step[2] + col;
        tile(&t);
      }
    }
  }
}
