/* Direct convolution by lines for one floating type: a tile of neighbouring cells of a line, whose patches are a step
 * apart; conv.c says when.
 *
 * A tile of conv_direct.h finds where each of its patches begins, which takes longer than the arithmetic of 1 or 3
 * channels and half as long as that of 16.  Here the lines of x that a line of cells meets are found once, and few
 * pointers read all patches of a tile.  Lines that reach into the padding are copied with zeros, of long ones only what
 * the tiles at their ends meet; lines in the padding are left out.  The kernel is packed as there.
 *
 * The gradient to the input for stride 2: cells of even and of odd columns meet the same cells of g with other taps.
 * Where the channels are half of a panel, a tile computes both (`paired`): a cell of g that both meet is read once, one
 * that only the left or the right ones meet concerns half of the columns, and dx is written without gaps. */

typedef struct {
  const real *const *x; /* of each run: its elements for the first cell of the line */
  const line_run *const *run;
  const real *b, *start;
  real *c;
  int64_t runs, at, step, c_step, cols, last; /* at: of the tile in x; cols: of a cell, and of the last one */
  int relu;
} KR_FN(line_args);

/* Multiplies a run into vectors [from, to) of columns.  All but x, b, length and, where `fixed` is 0, step are constants;
 * an address is a base, and none, one or two steps, or the only base and what `fixed` makes of the row. */
KR_INLINE void KR_FN(line_steps)(const real *x, int64_t step, const real *b, int64_t length, const int rows,
                                 const int fixed, const int from, const int to, vreal (*acc)[DIRECT_NV]) {
  enum { BASES = (LINE_MOST + 2) / 3 };
  const real *base[BASES];
#pragma GCC unroll 5
  for (int i = 0; i < BASES; ++i) base[i] = x + (fixed ? 0 : 3 * i * step);
  for (; length > 0; --length, b += (to - from) * V_LANES) {
    vreal bv[DIRECT_NV];
    if (fixed) __asm__("" : "+r"(base[0])); /* else the compiler keeps what the next steps read again, and spills */
#pragma GCC unroll 4
    for (int v = from; v < to; ++v) bv[v] = v_load(b + (v - from) * V_LANES);
#pragma GCC unroll 14
    for (int r = 0; r < rows; ++r) {
      const vreal xr = v_set1(fixed ? base[0][r * fixed] : base[r / 3][r % 3 * step]);
#pragma GCC unroll 4
      for (int v = from; v < to; ++v) acc[r][v] = v_fma(xr, bv[v], acc[r][v]);
    }
#pragma GCC unroll 5
    for (int i = 0; i < BASES; ++i) ++base[i];
  }
}

/* rows, fixed, nv and paired are constants. */
KR_INLINE void KR_FN(line_tile)(const KR_FN(line_args) * t, const int rows, const int fixed, const int nv,
                                const int paired) {
  vreal acc[LINE_MOST][DIRECT_NV];
#pragma GCC unroll 4
  for (int v = 0; v < nv; ++v) {
    const vreal start = t->start ? v_load(t->start + v * V_LANES) : v_zero();
#pragma GCC unroll 14
    for (int r = 0; r < rows; ++r) acc[r][v] = start;
  }
  const int64_t step = t->step, at = t->at;
  const real *const *xs = t->x, *const b0 = t->b;
  for (const line_run *const *r = t->run, *const *end = r + t->runs; r != end; ++r) {
    const line_run *run = *r;
    const real *x = *xs++ + at, *b = b0 + run->k * (paired ? nv / 2 : nv) * V_LANES;
    if (!paired || run->part == LINE_ALL) KR_FN(line_steps)(x, step, b, run->length, rows, fixed, 0, nv, acc);
    else if (run->part == LINE_LEFT) KR_FN(line_steps)(x, step, b, run->length, rows, fixed, 0, nv / 2, acc);
    else KR_FN(line_steps)(x, step, b, run->length, rows, fixed, nv / 2, nv, acc);
  }
  if (t->relu) {
#pragma GCC unroll 14
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < nv; ++v) acc[r][v] = v_select(v_lt(acc[r][v], v_zero()), v_zero(), acc[r][v]); /* keeps NaN */
  }
  real *c = t->c;
  const int64_t c_step = t->c_step, cols = t->cols, last = t->last;
  if (cols == nv * V_LANES && last == cols) {
#pragma GCC unroll 14
    for (int r = 0; r < rows; ++r, c += c_step)
#pragma GCC unroll 4
      for (int v = 0; v < nv; ++v) v_store(c + v * V_LANES, acc[r][v]);
    return;
  }
#pragma GCC unroll 14
  for (int r = 0; r < rows; ++r, c += c_step)
#pragma GCC unroll 4
    for (int v = 0; v < nv; ++v) {
      const int64_t lanes = (r < rows - 1 ? cols : last) - v * V_LANES;
      if (lanes >= V_LANES) v_store(c + v * V_LANES, acc[r][v]);
      else if (lanes > 0) v_store_n(c + v * V_LANES, acc[r][v], lanes);
    }
}

/* Steps of first layers, of 1 and 3 channels, are constants: their runs are so short that a single base shows. */
#define LINE_FIXED(X, rows) X(rows, 1) X(rows, 3) X(rows, 6)
typedef void (*KR_FN(line_fn))(const KR_FN(line_args) * t);
#define FIXED(rows, step)                                                    \
  static void KR_FN(line_half_##rows##_##step)(const KR_FN(line_args) * t) { \
    KR_FN(line_tile)(t, rows, step, DIRECT_NV / 2, 0);                       \
  }                                                                          \
  static void KR_FN(line_full_##rows##_##step)(const KR_FN(line_args) * t) { \
    KR_FN(line_tile)(t, rows, step, DIRECT_NV, 0);                           \
  }
#define LINE(rows)                                                                                                    \
  LINE_FIXED(FIXED, rows)                                                                                             \
  static void KR_FN(line_half_##rows)(const KR_FN(line_args) * t) { KR_FN(line_tile)(t, rows, 0, DIRECT_NV / 2, 0); } \
  static void KR_FN(line_full_##rows)(const KR_FN(line_args) * t) { KR_FN(line_tile)(t, rows, 0, DIRECT_NV, 0); }     \
  static void KR_FN(line_pair_##rows)(const KR_FN(line_args) * t) { KR_FN(line_tile)(t, rows, 0, DIRECT_NV, 1); }
LINE_HEIGHTS(LINE)
#undef LINE
#undef FIXED

static KR_FN(line_fn) KR_FN(line_of)(int64_t rows, int64_t step, int half, int paired) {
#define FIXED(height, s) \
  if (step == s && !paired) return half ? KR_FN(line_half_##height##_##s) : KR_FN(line_full_##height##_##s);
#define TRY(height)                                                                                           \
  if (rows == height) {                                                                                       \
    LINE_FIXED(FIXED, height)                                                                                 \
    return half ? KR_FN(line_half_##height) : paired ? KR_FN(line_pair_##height) : KR_FN(line_full_##height); \
  }
  LINE_HEIGHTS(TRY)
#undef TRY
#undef FIXED
  return NULL;
}

/* What a worker writes: of each run that is not left out its elements and itself, and copies of lines. */
typedef struct {
  const real **x;
  const line_run **run;
  real *copies;
} KR_FN(line_own);

static KR_FN(line_own) KR_FN(line_own_of)(const direct_job *d, int worker) {
  char *own = (char *)d->own + worker * d->own_bytes;
  return (KR_FN(line_own)){(const real **)own, (const line_run **)own + d->line_runs, (real *)(own + d->table_bytes)};
}

/* Finds the runs of `count` cells from number `cell` on of a line; returns how many there are. */
static int64_t KR_FN(find_runs)(const direct_job *d, row_place at, int64_t cell, int64_t count, KR_FN(line_own) own) {
  const patches *p = &d->j.p;
  const int64_t column = d->first + cell * p->step[2], columns = (count - 1) * p->step[2] + d->reach + 1;
  const int64_t z0 = p->first[0] + at.d * p->step[0], y0 = p->first[1] + at.h * p->step[1], size = p->in[2] * p->c;
  const int border = column < 0 || column + columns > p->in[2];
  const line_run *run = d->line_run, *end = run + d->line_runs;
  int64_t runs = 0, z = z0, y = y0;
  for (int64_t line = 0; run != end; ++line) {
    if (z >= 0 && z < p->in[0] && y >= 0 && y < p->in[1]) {
      const real *x = (const real *)p->src + ((at.n * p->in[0] + z) * p->in[1] + y) * size;
      if (border) {
        KR_FN(copy_padded)(x, size, column * p->c, columns * p->c, own.copies);
        x = own.copies;
        own.copies += d->copied;
      } else {
        x += column * p->c;
      }
      for (; run != end && run->line == line; ++run) {
        own.x[runs] = x + run->at;
        own.run[runs++] = run;
      }
    }
    while (run != end && run->line == line) ++run;
    y += p->tap[1];
    if ((line + 1) % p->taps[1] == 0) {
      y = y0;
      z += p->tap[0];
    }
  }
  return runs;
}

/* Pieces of lines: some neighbouring tiles, so that a panel of the kernel stays in L1 while it meets all of them. */
static void KR_FN(line_task)(void *arg, int64_t task, int worker) {
  const direct_job *d = arg;
  const patches *p = &d->j.p;
  const int64_t cells = p->cells[2], h = d->height, step = p->step[2] * p->c, tiles = kr_ceil_div(cells, h);
  const int64_t col_task = task % d->col_tasks, row_task = task / d->col_tasks;
  const int64_t units = d->images * p->cells[0] * p->cells[1] * d->pieces, last = (row_task + 1) * units / d->row_tasks;
  const int64_t panels = (col_task + 1) * d->panels / d->col_tasks;
  const KR_FN(line_own) own = KR_FN(line_own_of)(d, worker);
  for (int64_t q0 = col_task * d->panels / d->col_tasks; q0 < panels; q0 += d->together)
    for (int64_t unit = row_task * units / d->row_tasks; unit < last; ++unit) {
      const int64_t row = unit / d->pieces, piece = unit % d->pieces;
      const int64_t from = piece * tiles / d->pieces, to = (piece + 1) * tiles / d->pieces;
      /* A line's last tile may overlap the one before. */
      const int64_t first = kr_min(from * h, cells - h), count = kr_min(to * h, cells) - first;
      const row_place at = window_row(p->cells, row);
      real *y = (real *)d->y + at.n * d->y_image + at.d * d->y_step[0] + at.h * d->y_step[1] + first * d->y_step[2];
      KR_FN(line_args)
      t = {.x = own.x, .run = own.run, .step = step, .c_step = d->y_step[2], .relu = d->relu};
      t.runs = KR_FN(find_runs)(d, at, first, count, own);
      for (int64_t q = q0; q < kr_min(q0 + d->together, panels); ++q) {
        const int64_t col = q * DIRECT_WIDTH;
        t.cols = kr_min(DIRECT_WIDTH, d->columns - col);
        const KR_FN(line_fn) tile = KR_FN(line_of)(h, step, t.cols <= DIRECT_WIDTH / 2, d->paired);
        t.b = (const real *)d->packed + q * d->k * DIRECT_WIDTH;
        t.start = d->biased ? (const real *)d->start + q * DIRECT_WIDTH : NULL;
        for (int64_t i = from; i < to; ++i) {
          const int64_t cell = kr_min(i * h, cells - h) - first;
          t.at = cell * step;
          t.last = first + cell + h == cells && d->paired ? d->last : t.cols;
          t.c = y + cell * d->y_step[2] + col;
          tile(&t);
        }
      }
    }
}
