/* The gradient to the kernel by the outer tiles of gemm/direct.h for one floating type; conv.c says when.
 *
 * Element (row, f) of dk, row being (tap, channel), sums x[cell's element `row`] * g[cell][f] over all cells.  The rows of
 * a line of taps (or of one tap, with groups or dilation) are neighbours in x, so a tile of dk walks along a line of
 * cells with constant steps in x and g.  Lines of cells are taken in chunks whose g stays in L1 while all tiles pass
 * over them, and what the next chunk reads is brought near meanwhile.  The cells are cut into parts with a sum each, added
 * in order at the end; tiles are shared out besides.  x and g are read where they lie, but for lines of x that reach into
 * the padding, which are copied with their zeros, and for g of many filters, whose steps would crowd L1 into a few sets. */

/* dst = elements [from, from + count) of a line of `size`, zeros where it has none. */
static void KR_FN(copy_padded)(const real *line, int64_t size, int64_t from, int64_t count, real *dst) {
  const int64_t low = kr_max(0, kr_min(-from, count)), high = kr_max(low, kr_min(size - from, count));
  for (int64_t i = 0; i < low; ++i) dst[i] = 0;
  int64_t i = low;
  for (; i + V_LANES <= high; i += V_LANES) v_store(dst + i, v_load(line + from + i));
  if (i < high) v_store_n(dst + i, v_load_n(line + from + i, high - i), high - i);
  for (i = high; i < count; ++i) dst[i] = 0;
}

/* The line of x that tap line (t0, t1) meets at a line of cells, or NULL. */
static const real *KR_FN(outer_line)(const patches *p, int64_t row, int64_t t0, int64_t t1) {
  const row_place at = window_row(p->cells, row);
  const int64_t z = p->first[0] + at.d * p->step[0] + t0 * p->tap[0];
  const int64_t y = p->first[1] + at.h * p->step[1] + t1 * p->tap[1];
  if (z < 0 || z >= p->in[0] || y < 0 || y >= p->in[1]) return NULL;
  return (const real *)p->src + ((at.n * p->in[0] + z) * p->in[1] + y) * p->in[2] * p->c;
}

/* Segments of one run of taps over a chunk of lines of cells. */
static int64_t KR_FN(outer_segments)(const outer_job *o, int64_t run, int64_t row0, int64_t rows, real *copies,
                                     const real *packed, KR_FN(outer_segment) * segment) {
  const patches *p = &o->j.p;
  const int64_t columns = o->whole ? 1 : p->taps[2], f = o->j.filters, step = p->step[2], cells = p->cells[2];
  const int64_t first = p->first[2] + run % columns * p->tap[2];
  int64_t count = 0, from = 0, to = cells;
  if (o->joined) {
    *segment = (KR_FN(outer_segment)){(const real *)p->src + row0 * cells * p->c,
                                      packed ? packed : (const real *)o->j.kernel + row0 * cells * f,
                                      kr_min(rows * cells, o->joined - row0 * cells)};
    return 1;
  }
  if (!o->whole) { /* the cells at which this tap lies inside */
    from = first >= 0 ? 0 : kr_min(kr_ceil_div(-first, step), cells);
    to = first >= p->in[2] ? from : kr_max(from, kr_min(kr_ceil_div(p->in[2] - first, step), cells));
    if (to == from) return 0;
  }
  for (int64_t row = row0; row < row0 + rows; ++row) {
    const real *x = KR_FN(outer_line)(p, row, run / columns / p->taps[1], run / columns % p->taps[1]);
    const real *g = packed ? packed + ((row - row0) * cells + from) * DIRECT_NV * V_LANES
                           : (const real *)o->j.kernel + (row * cells + from) * f;
    if (x == NULL) continue;
    if (o->copies) {
      real *copy = copies + (row - row0) * o->padded;
      KR_FN(copy_padded)(x, p->in[2] * p->c, first * p->c, o->padded, copy);
      x = copy;
    } else {
      x += (first + from * step) * p->c;
    }
    segment[count++] = (KR_FN(outer_segment)){x, g, to - from};
  }
  return count;
}

/* What a task reads next, g and x, brought near while it multiplies: without that both wait, 1.1 times. */
typedef struct {
  const char *from[2], *to[2];
  int64_t step; /* bytes for each cell of a tile */
} KR_FN(outer_fetch);

static KR_FN(outer_fetch) KR_FN(fetch_after)(const outer_job *o, int64_t row, int64_t rows, int64_t tiles) {
  const patches *p = &o->j.p;
  if (rows <= 0) return (KR_FN(outer_fetch)){.step = 0};
  const row_place first = window_row(p->cells, row), last = window_row(p->cells, row + rows - 1);
  const int64_t line = p->in[2] * p->c, g_line = p->cells[2] * o->j.filters;
  const int64_t x0 = kr_max(
      0, (first.n * p->in[0] + p->first[0] + first.d * p->step[0]) * p->in[1] + p->first[1] + first.h * p->step[1]);
  const int64_t x1 = kr_min((last.n * p->in[0] + p->first[0] + last.d * p->step[0]) * p->in[1] + p->first[1] +
                                last.h * p->step[1] + p->taps[1],
                            o->images * p->in[0] * p->in[1]);
  const real *x = p->src, *g = o->j.kernel;
  KR_FN(outer_fetch)
  f = {{(const char *)(g + row * g_line), (const char *)(x + x0 * line)},
       {(const char *)(g + (row + rows) * g_line), (const char *)(x + x1 * line)},
       0};
  const int64_t bytes = (f.to[0] - f.from[0]) + (f.to[1] - f.from[1]);
  f.step = kr_ceil_div(bytes, tiles * rows * p->cells[2]);
  if (f.step > 64) f.step = 0;
  return f;
}

static const real *KR_FN(next_fetch)(KR_FN(outer_fetch) * f, int64_t cells) {
  if (f->step == 0) return NULL;
  const int which = f->from[0] < f->to[0] ? 0 : 1;
  const char *at = f->from[which];
  if (at >= f->to[which]) return NULL;
  f->from[which] += f->step * cells;
  return (const real *)at;
}

/* A part of the cells, a share of the tiles. */
static void KR_FN(outer_task)(void *arg, int64_t task, int worker) {
  const outer_job *o = arg;
  const patches *p = &o->j.p;
  /* Shares of a part follow each other, while what they read lies in cache. */
  const int64_t share = task % o->shares, part = task / o->shares % o->parts, group = task / o->shares / o->parts;
  const int64_t row0 = part * o->rows / o->parts, row1 = (part + 1) * o->rows / o->parts;
  const int64_t tile0 = share * o->tiles / o->shares, tile1 = (share + 1) * o->tiles / o->shares;
  const int64_t per_run = o->row_tiles * o->col_tiles, width = DIRECT_NV * V_LANES;
  char *own = (char *)o->own + worker * o->own_bytes;
  KR_FN(outer_segment) *segment = (KR_FN(outer_segment) *)own;
  real *copies = (real *)(own + o->segment_bytes), *packed = (real *)(own + o->segment_bytes + o->copy_bytes);
  real *dk = o->parts > 1 ? (real *)o->partial + part * o->size : o->dk;
  KR_FN(outer_args) t = {.x_step = p->step[2] * p->c, .g_step = o->j.filters, .ldc = o->j.filters, .segment = segment};
  if (o->packed) t.g_step = width;
  for (int64_t row = row0; row < row1; row += o->chunk) {
    const int64_t rows = kr_min(o->chunk, row1 - row), panel = o->chunk * p->cells[2] * width;
    const int64_t cells =
        kr_min(rows * p->cells[2], (o->joined ? o->joined : o->rows * p->cells[2]) - row * p->cells[2]);
    for (int64_t q = 0; o->packed && q < o->col_tiles; ++q)
      KR_FN(rows_of_filters)(&o->j, group, row * p->cells[2], cells, q * width,
                             kr_min(width, o->j.group_filters - q * width), width, packed + q * panel);
    KR_FN(outer_fetch) near = KR_FN(fetch_after)(o, row + rows, kr_min(o->chunk, row1 - row - rows), tile1 - tile0);
    for (int64_t run = tile0 / per_run; run * per_run < tile1; ++run) {
      t.segments = KR_FN(outer_segments)(o, run, row, rows, copies, o->packed ? packed : NULL, segment);
      t.first = row == row0;
      if (t.segments == 0 && !t.first) continue;
      for (int64_t tile = kr_max(tile0, run * per_run); tile < kr_min(tile1, (run + 1) * per_run); ++tile) {
        const int64_t number = tile - run * per_run;
        const int64_t q = o->packed ? number / o->row_tiles : number % o->col_tiles;
        const int64_t r = o->packed ? number % o->row_tiles : number / o->col_tiles;
        const int64_t e = r * o->length / o->row_tiles;
        t.rows = (r + 1) * o->length / o->row_tiles - e;
        t.cols = kr_min(width, o->j.group_filters - q * width);
        t.x_at = o->whole ? e : group * p->group_c + e;
        const int64_t col = group * o->j.group_filters + q * width;
        t.g_at = o->packed ? q * panel : col;
        t.c = dk + (run * o->length + e) * o->j.filters + col;
        t.fetch_step = near.step;
        t.fetch = KR_FN(next_fetch)(&near, rows * p->cells[2]);
        KR_FN(outer_tile)(&t);
      }
    }
  }
}

#include "conv_first.h"

/* Plans a job whose geometry is given and says what scratch it needs, with the addresses in it when `scratch` is one. */
static size_t KR_FN(outer_plan)(outer_job *o, int threads, void *scratch) {
  patches *p = &o->j.p;
  if (each_cell(p)) {
    o->joined = o->images * product(p->cells);
    p->in[2] = p->cells[2] = OUTER_PIECE;
    p->in[0] = p->in[1] = p->cells[0] = p->cells[1] = 1;
    o->images = kr_ceil_div(o->joined, OUTER_PIECE);
  }
  o->whole = whole_lines(p);
  o->length = o->whole ? p->taps[2] * p->c : p->group_c;
  o->lines = p->taps[0] * p->taps[1] * (o->whole ? 1 : p->taps[2]);
  o->size = o->lines * o->length * o->j.filters;
  o->rows = o->images * p->cells[0] * p->cells[1];
  o->row_tiles = kr_ceil_div(o->length, DIRECT_ROWS);
  o->col_tiles = kr_ceil_div(o->j.group_filters, DIRECT_NV * V_LANES);
  o->tiles = o->lines * o->row_tiles * o->col_tiles;
  const int border = p->first[2] < 0 || p->first[2] + (p->cells[2] - 1) * p->step[2] + p->taps[2] > p->in[2];
  o->padded = ((p->cells[2] - 1) * p->step[2] + p->taps[2]) * p->c;
  o->copies = o->whole && border;
#if defined(FIRST_TILES)
  o->first = KR_FN(first_fits)(o);
  if (o->first) return KR_FN(first_plan)(o, threads, scratch);
#endif
  o->packed = o->col_tiles > 2;
  o->chunk = kr_max(1, kr_min(o->rows, OUTER_CELLS / ((o->packed ? 1 : o->col_tiles) * p->cells[2])));
  const int64_t cells = o->rows * p->cells[2], per_cell = 2 * o->lines * o->length * o->j.group_filters;
  const int64_t least = kr_max(PARTITION_CELLS, kr_ceil_div(OUTER_WORK, kr_max(1, per_cell)));
  o->parts =
      near_power(kr_min(kr_min(PARTITION_MOST / o->groups, OUTER_SIZE / o->size), kr_min(cells / least, o->rows)));
  o->shares = even_shares(o->groups * o->parts, o->tiles, threads);
  size_t used = 0;
  o->segment_bytes = kr_round_up(o->chunk * (int64_t)sizeof(KR_FN(outer_segment)), 64);
  o->copy_bytes = kr_round_up(o->copies ? o->chunk * o->padded * (int64_t)sizeof(real) : 0, 64);
  o->own_bytes = o->segment_bytes + o->copy_bytes;
  if (o->packed) o->own_bytes += o->chunk * p->cells[2] * o->col_tiles * DIRECT_NV * V_LANES * (int64_t)sizeof(real);
  o->own = take(scratch, &used, kr_min(threads, o->groups * o->parts * o->shares) * o->own_bytes);
  o->partial = take(scratch, &used, o->parts > 1 ? o->parts * o->size * (int64_t)sizeof(real) : 0);
  return used;
}

static void KR_FN(outer)(outer_job *o, int threads, void *scratch) {
  KR_FN(outer_plan)(o, threads, scratch);
#if defined(FIRST_TILES)
  if (o->first) kr_parallel(threads, o->parts, KR_FN(first_task), o);
#endif
  if (!o->first) kr_parallel(threads, o->groups * o->parts * o->shares, KR_FN(outer_task), o);
  KR_FN(add_parts)(o->partial, o->dk, o->parts, o->size, threads);
}
