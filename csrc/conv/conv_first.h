/* The gradient to the kernel of first layers for one floating type: the outer tiles of conv_outer.h for so few channels
 * that one tile holds rows of several lines of taps.
 *
 * With 1 or 3 channels a line of taps is 3 or 9 rows.  Tiles of these alone read g once for each line, and have too few
 * sums to hide the latency of a multiply-add.  Here a tile's rows are up to three runs, one in each of neighbouring lines,
 * whose lengths are constants; a chunk of lines of cells passes through all tiles while its g lies in L1.  Lines that reach
 * into the padding are copied once for all taps. */

#if defined(KR_FOR_AVX512)
/* Rows of the run in each line, vectors of filters. */
#define FIRST_TILES(X) \
  X(3, 3, 3, 1)        \
  X(3, 3, 3, 2) X(9, 9, 9, 1) X(9, 5, 0, 2) X(4, 9, 0, 2) X(5, 5, 3, 1) X(2, 5, 5, 1) X(5, 5, 3, 2) X(2, 5, 5, 2)
#elif defined(KR_FOR_AVX2)
#define FIRST_TILES(X) X(3, 2, 0, 1) X(1, 3, 0, 1) X(3, 2, 0, 2) X(1, 3, 0, 2)
#endif

#if defined(FIRST_TILES)
typedef struct {
  const real *const *x; /* of each line of cells the lines of taps, `lines` of them */
  const real *g;
  int64_t segments, lines, cells, at, x_step, g_step, cols,
      ahead; /* at: of the first run; ahead: of g, to be fetched */
  real *c;
  int64_t ldc;
  int first; /* C starts as zeros, not as what it holds */
} KR_FN(first_args);

/* All but t are constants; `edge`: the last vector of columns is not whole. */
KR_INLINE void KR_FN(first_tile)(const KR_FN(first_args) * t, const int n0, const int n1, const int n2, const int nv,
                                 const int edge) {
  enum { MOST = 27 };
  const int rows = n0 + n1 + n2, fetches = rows < 12 ? nv : 1; /* each of two tiles fetches one vector */
  vreal acc[MOST][DIRECT_NV];
  const int64_t rest = edge ? t->cols - (nv - 1) * V_LANES : V_LANES, x_step = t->x_step, g_step = t->g_step;
  const int64_t ahead = t->ahead;
#define LOAD(p, v) (edge && (v) == nv - 1 ? v_load_n((p) + (v) * V_LANES, rest) : v_load((p) + (v) * V_LANES))
#pragma GCC unroll 28
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < nv; ++v) acc[r][v] = t->first ? v_zero() : LOAD(t->c + r * t->ldc, v);
  const real *g = t->g, *const *x = t->x;
  for (int64_t s = t->segments; s > 0; --s, x += t->lines) {
    const real *x0 = x[0] + t->at, *x1 = n1 ? x[1] : x0, *x2 = n2 ? x[2] : x0;
    for (int64_t i = t->cells; i > 0; --i, g += g_step) {
      vreal gv[DIRECT_NV];
#pragma GCC unroll 4
      for (int v = 0; v < nv; ++v) {
        if (v < fetches) __builtin_prefetch(g + ahead + v * V_LANES, 0, 3);
        gv[v] = LOAD(g, v);
      }
#pragma GCC unroll 28
      for (int r = 0; r < rows; ++r) {
        const vreal xr = v_set1(r < n0 ? x0[r] : r < n0 + n1 ? x1[r - n0] : x2[r - n0 - n1]);
#pragma GCC unroll 4
        for (int v = 0; v < nv; ++v) acc[r][v] = v_fma(xr, gv[v], acc[r][v]);
      }
      x0 += x_step;
      x1 += x_step;
      x2 += x_step;
    }
  }
#pragma GCC unroll 28
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < nv; ++v) {
      real *c = t->c + r * t->ldc + v * V_LANES;
      if (edge && v == nv - 1) v_store_n(c, acc[r][v], rest);
      else v_store(c, acc[r][v]);
    }
#undef LOAD
}

typedef struct {
  int rows;
  void (*whole)(const KR_FN(first_args) *), (*edge)(const KR_FN(first_args) *); /* columns fill the vectors, or not */
} KR_FN(first_kind);

#define TILE(a, b, c, nv)                                                               \
  static void KR_FN(first_##a##_##b##_##c##_##nv)(const KR_FN(first_args) * t) {        \
    KR_FN(first_tile)(t, a, b, c, nv, 0);                                               \
  }                                                                                     \
  static void KR_FN(first_##a##_##b##_##c##_##nv##_edge)(const KR_FN(first_args) * t) { \
    KR_FN(first_tile)(t, a, b, c, nv, 1);                                               \
  }
FIRST_TILES(TILE)
#undef TILE

/* The tiles of all rows, for kernels of so many lines of so many rows. */
typedef struct {
  int lines, length, nv;
  KR_FN(first_kind) tile[2];
} KR_FN(first_layout);

#define TILE(a, b, c, nv) {a + b + c, KR_FN(first_##a##_##b##_##c##_##nv), KR_FN(first_##a##_##b##_##c##_##nv##_edge)}
static const KR_FN(first_layout) KR_FN(first_layouts)[] = {
#if defined(KR_FOR_AVX512)
    {3, 3, 1, {TILE(3, 3, 3, 1)}},
    {3, 3, 2, {TILE(3, 3, 3, 2)}},
    {3, 9, 1, {TILE(9, 9, 9, 1)}},
    {3, 9, 2, {TILE(9, 5, 0, 2), TILE(4, 9, 0, 2)}},
    {5, 5, 1, {TILE(5, 5, 3, 1), TILE(2, 5, 5, 1)}},
    {5, 5, 2, {TILE(5, 5, 3, 2), TILE(2, 5, 5, 2)}},
#else
    {3, 3, 1, {TILE(3, 2, 0, 1), TILE(1, 3, 0, 1)}},
    {3, 3, 2, {TILE(3, 2, 0, 2), TILE(1, 3, 0, 2)}},
#endif
};
#undef TILE

static const KR_FN(first_layout) * KR_FN(first_layout_of)(int64_t lines, int64_t length, int64_t nv) {
  const int count = (int)(sizeof KR_FN(first_layouts) / sizeof *KR_FN(first_layouts));
  for (const KR_FN(first_layout) *l = KR_FN(first_layouts); l < KR_FN(first_layouts) + count; ++l)
    if (l->lines == lines && l->length == length && l->nv == nv) return l;
  return NULL;
}

static int KR_FN(first_fits)(const outer_job *o) {
  const patches *p = &o->j.p;
  return o->groups == 1 && o->whole && p->taps[0] == 1 && p->in[0] == 1 && p->cells[0] == 1 &&
         KR_FN(first_layout_of)(o->lines, o->length, 1) != NULL;
}

/* What a worker writes: the lines of x that a chunk meets, those of each line of cells, copies, and a line of zeros. */
typedef struct {
  const real **line, **x;
  real *copies, *zeros;
} KR_FN(first_own);

/* Lines of x that so many lines of cells meet. */
static int64_t KR_FN(first_lines)(const patches *p, int64_t rows) {
  return (rows - 1) * p->step[1] + (p->taps[1] - 1) * p->tap[1] + 1;
}

static void KR_FN(first_find)(const outer_job *o, row_place at, int64_t rows, KR_FN(first_own) own) {
  const patches *p = &o->j.p;
  const int64_t y0 = p->first[1] + at.h * p->step[1], size = p->in[2] * p->c, left = p->first[2] * p->c;
  const int64_t inside = kr_min(size, o->padded + left);
  for (int64_t l = 0; l < KR_FN(first_lines)(p, rows); ++l) {
    own.line[l] = own.zeros;
    if (y0 + l < 0 || y0 + l >= p->in[1]) continue;
    const real *x = (const real *)p->src + (at.n * p->in[1] + y0 + l) * size;
    own.line[l] = x + left;
    if (!o->copies) continue;
    real *copy = own.copies + l * o->stride; /* whose zeros stand at its ends */
    own.line[l] = copy;
    copy -= left;
    const real *next = x + rows * p->step[1] * size; /* of the chunk that follows */
    int64_t i = 0;
    for (; i + V_LANES <= inside; i += V_LANES) {
      __builtin_prefetch(next + i, 0, 3);
      v_store(copy + i, v_load(x + i));
    }
    if (i < inside) v_store_n(copy + i, v_load_n(x + i, inside - i), inside - i);
  }
  for (int64_t i = 0, l = 0; i < rows; ++i, l += p->step[1])
    for (int64_t t = 0; t < p->taps[1]; ++t) *own.x++ = own.line[l + t * p->tap[1]];
}

/* A part of the lines of cells. */
static void KR_FN(first_task)(void *arg, int64_t part, int worker) {
  const outer_job *o = arg;
  const patches *p = &o->j.p;
  const int64_t f = o->j.filters, width = DIRECT_NV * V_LANES, last = (part + 1) * o->rows / o->parts;
  const int64_t most = KR_FN(first_lines)(p, o->chunk);
  char *at_own = (char *)o->own + worker * o->own_bytes;
  KR_FN(first_own)
  own = {(const real **)at_own, (const real **)at_own + most,
         (real *)(at_own + o->segment_bytes) + (V_LANES - -p->first[2] * p->c % V_LANES) % V_LANES,
         (real *)(at_own + o->segment_bytes + o->copy_bytes)};
  memset(at_own + o->segment_bytes, 0, (size_t)(o->own_bytes - o->segment_bytes));
  KR_FN(first_args) t = {.lines = p->taps[1], .cells = p->cells[2], .x_step = p->step[2] * p->c, .g_step = f, .ldc = f};
  t.first = 1;
  for (int64_t row = part * o->rows / o->parts, rows; row < last; row += rows, t.first = 0) {
    const row_place at = window_row(p->cells, row);
    rows = t.segments = kr_min(kr_min(o->chunk, last - row), p->cells[1] - at.h);
    KR_FN(first_find)(o, at, rows, own);
    for (int64_t q = 0; q < o->col_tiles; ++q) {
      t.cols = kr_min(width, f - q * width);
      const KR_FN(first_layout) *layout = KR_FN(first_layout_of)(o->lines, o->length, kr_ceil_div(t.cols, V_LANES));
      t.g = (const real *)o->j.kernel + row * p->cells[2] * f + q * width;
      t.ahead = o->ahead;
      int64_t r = 0;
      for (const KR_FN(first_kind) *kind = layout->tile; r < o->lines * o->length; r += kind++->rows) {
        t.x = own.x + r / o->length;
        t.at = r % o->length;
        t.c = (real *)(o->parts > 1 ? o->partial : o->dk) + (o->parts > 1 ? part * o->size : 0) + r * f + q * width;
        if (t.cols % V_LANES) kind->edge(&t);
        else kind->whole(&t);
        t.ahead += V_LANES;
      }
    }
  }
}

/* Plans a job of which outer_plan knows the sizes; scratch likewise. */
static size_t KR_FN(first_plan)(outer_job *o, int threads, void *scratch) {
  const patches *p = &o->j.p;
  const int64_t line = p->cells[2] * o->j.filters * (int64_t)sizeof(real), size = (int64_t)sizeof(real);
  const int once = o->col_tiles == 1 && KR_FN(first_layout_of)(o->lines, o->length, 1)->tile[1].rows == 0;
  o->chunk = kr_max(1, kr_min(o->rows, FIRST_CHUNK / line));
  o->ahead = once ? FIRST_AHEAD / size : o->chunk * p->cells[2] * o->j.filters;
  const int64_t work = o->rows * p->cells[2] * 2 * o->lines * o->length * o->j.filters;
  o->parts = near_power(kr_min(work / OUTER_WORK, o->rows));
  o->shares = 1;
  size_t used = 0;
  o->segment_bytes =
      kr_round_up((KR_FN(first_lines)(p, o->chunk) + o->chunk * p->taps[1]) * (int64_t)sizeof(void *), 64);
  o->stride = kr_round_up(o->padded, V_LANES);
  o->copy_bytes = o->copies ? (KR_FN(first_lines)(p, o->chunk) * o->stride + V_LANES) * size : 0;
  o->own_bytes = o->segment_bytes + o->copy_bytes + kr_round_up(o->padded * size, 64);
  o->own = take(scratch, &used, kr_min(threads, o->parts) * o->own_bytes);
  o->partial = take(scratch, &used, o->parts > 1 ? o->parts * o->size * size : 0);
  return used;
}
#endif
