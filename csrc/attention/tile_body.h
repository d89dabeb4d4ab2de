/* The products of attention for one real type, on operands that are read where they lie.
 *
 *   C[i][j] = after[i] (before[i] C[i][j] + sum over p < k of A[i][p] B[p][j])       i < m, j < cols
 *
 * Heads lie interleaved and are short, so packing them for gemm/core.h had taken a fifth of the time.  Here A is a panel of
 * scores, or of copied rows, or the transpose of one, and rows of B are any distance apart; only what would have to be
 * turned for its lanes, keys and values as right operands of scores, is packed, once for a head.  Every element is one
 * chain of fused multiply-adds in the order of p, as in core.h. */

/* From one row of a panel to the next.  It is a constant, since broadcasts that a multiply-add takes from memory cost half
 * of the rate if their address is a sum of registers; and half a line more than whole ones, since elements of a column
 * would otherwise meet in one bank of L1 (0.8 of the rate). */
#define PANEL_ROW (KEYS + 32 / (int64_t)sizeof(real))

typedef struct {
  int64_t m, k, cols;
  const real *a, *b;
  int64_t ldb;         /* A[i][p] = a[i PANEL_ROW + p], turned: a[p PANEL_ROW + i]; B[p][j] = b[p ldb + j] */
  int64_t from, depth; /* where ldb is 0: B's rows are those from `from` on of turn_keys' panels, which have `depth` */
  real *c;
  int64_t ldc;
  int accumulate;             /* else C begins as zeros */
  const real *before, *after; /* factors of rows; NULL: one */
} KR_FN(operands);

/* Columns of a panel of B: half of GEMM_NR do where there are no more. */
KR_INLINE int64_t KR_FN(panel_width)(int64_t cols) { return cols <= GEMM_NR / 2 ? GEMM_NR / 2 : GEMM_NR; }

KR_INLINE void KR_FN(times_rows)(vreal acc[][GEMM_NV], const real *factor, const int rows, const int nv) {
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r) {
    const vreal f = v_set1(factor[r]);
#pragma GCC unroll 8
    for (int v = 0; v < nv; ++v) acc[r][v] = v_mul(acc[r][v], f);
  }
}

/* Rows [row, row + rows) by nv vectors from `col` on.  rows, nv, turned and edge (the last lanes do not exist) are
 * constants. */
KR_INLINE void KR_FN(tile)(const KR_FN(operands) * t, int64_t row, int64_t col, const real *b, int64_t ldb,
                           const int rows, const int nv, const int turned, const int edge) {
  vreal acc[GEMM_MR][GEMM_NV];
  const int64_t ldc = t->ldc, cols = t->cols - col;
  real *const c = t->c + row * ldc + col;
#define LANES(v) kr_max(0, kr_min(cols - (v) * V_LANES, V_LANES))
#define LOAD(p, v) (edge ? v_load_n((p) + (v) * V_LANES, LANES(v)) : v_load((p) + (v) * V_LANES))
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < nv; ++v) acc[r][v] = t->accumulate ? LOAD(c + r * ldc, v) : v_zero();
  if (t->accumulate && t->before) KR_FN(times_rows)(acc, t->before + row, rows, nv);
  const real *a = t->a + row * (turned ? 1 : PANEL_ROW);
  for (int64_t p = t->k; p > 0; --p) {
    vreal bv[GEMM_NV];
    __asm__("" : "+r"(a)); /* else the compiler adds an index to it */
#pragma GCC unroll 8
    for (int v = 0; v < nv; ++v) bv[v] = LOAD(b, v);
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
      const vreal ar = v_set1(a[r * (turned ? 1 : PANEL_ROW)]);
#pragma GCC unroll 8
      for (int v = 0; v < nv; ++v) acc[r][v] = v_fma(ar, bv[v], acc[r][v]);
    }
    b += ldb;
    a += turned ? PANEL_ROW : 1;
  }
  if (t->after) KR_FN(times_rows)(acc, t->after + row, rows, nv);
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < nv; ++v) {
      if (edge) v_store_n(c + r * ldc + v * V_LANES, acc[r][v], LANES(v));
      else v_store(c + r * ldc + v * V_LANES, acc[r][v]);
    }
#undef LANES
#undef LOAD
}

typedef void (*KR_FN(tile_fn))(const KR_FN(operands) * t, int64_t row, int64_t col, const real *b, int64_t ldb);

#define TILE(name, rows, nv, turned, edge)                                                                   \
  static void KR_FN(name)(const KR_FN(operands) * t, int64_t row, int64_t col, const real *b, int64_t ldb) { \
    KR_FN(tile)(t, row, col, b, ldb, rows, nv, turned, edge);                                                \
  }
#define TILES(rows)                                        \
  TILE(tile_##rows##_half, rows, GEMM_NV / 2, 0, 0)        \
  TILE(tile_##rows##_full, rows, GEMM_NV, 0, 0)            \
  TILE(tile_##rows##_half_edge, rows, GEMM_NV / 2, 0, 1)   \
  TILE(tile_##rows##_full_edge, rows, GEMM_NV, 0, 1)       \
  TILE(turned_##rows##_half, rows, GEMM_NV / 2, 1, 0)      \
  TILE(turned_##rows##_full, rows, GEMM_NV, 1, 0)          \
  TILE(turned_##rows##_half_edge, rows, GEMM_NV / 2, 1, 1) \
  TILE(turned_##rows##_full_edge, rows, GEMM_NV, 1, 1)
GEMM_EACH_ROWS(TILES)
#undef TILES
#undef TILE

/* By rows and whether A is turned, then whether there is an edge and whether the tile is full. */
#define TILE(kind, rows)                                                 \
  {                                                                      \
    {KR_FN(kind##_##rows##_half), KR_FN(kind##_##rows##_full)}, {        \
      KR_FN(kind##_##rows##_half_edge), KR_FN(kind##_##rows##_full_edge) \
    }                                                                    \
  }
#define TILES(rows) {TILE(tile, rows), TILE(turned, rows)},
static const KR_FN(tile_fn) KR_FN(tiles)[GEMM_MR][2][2][2] = {GEMM_EACH_ROWS(TILES)};
#undef TILES
#undef TILE

static void KR_FN(multiply)(const KR_FN(operands) * t, int turned) {
  /* Heights are as equal as they can be. */
  const int64_t panels = kr_ceil_div(t->m, GEMM_MR), high = panels ? kr_ceil_div(t->m, panels) : 0;
  const int64_t low_rows = (panels * high - t->m) * (high - 1); /* of lower tiles, which come first */
  for (int64_t col = 0; col < t->cols; col += GEMM_NR) {
    const int64_t cols = kr_min(GEMM_NR, t->cols - col), width = KR_FN(panel_width)(cols);
    const real *b = t->b + (t->ldb ? col : col * t->depth + t->from * width);
    const int64_t ldb = t->ldb ? t->ldb : width;
    const int edge = t->ldb && cols < width; /* panels of scores have lanes beyond the last key */
    for (int64_t row = 0; row < t->m;) {
      const int64_t rows = row < low_rows ? high - 1 : high;
      KR_FN(tiles)[rows - 1][turned][edge][width == GEMM_NR](t, row, col, b, ldb);
      row += rows;
    }
  }
}

static void KR_FN(copy_rows)(const real *src, int64_t ld, int64_t rows, int64_t size, real *dst, int64_t apart) {
  const int64_t whole = size / V_LANES * V_LANES;
  for (int64_t i = 0; i < rows; ++i, src += ld, dst += apart) {
    for (int64_t j = 0; j < whole; j += V_LANES) v_store(dst + j, v_load(src + j));
    if (whole < size) v_store_n(dst + whole, v_load_n(src + whole, size - whole), size - whole);
  }
}

/* From one to the next of copied rows of keys or values: an odd number of lines. */
static int64_t KR_FN(apart)(int64_t width) {
  return (kr_ceil_div(width * (int64_t)sizeof(real), LINE) | 1) * LINE / (int64_t)sizeof(real);
}

/* Scores: of rows of queries with turned keys, or of g with turned values.  The rows are copied into a panel, for its
 * constant distance; of wide ones, a piece at a time. */
static void KR_FN(score)(int64_t m, const real *x, int64_t ld, int64_t depth, const real *keys, int64_t cols,
                         real *copy, real *c) {
  for (int64_t from = 0; from < depth || from == 0; from += KEYS) {
    const int64_t size = kr_min(KEYS, depth - from);
    KR_FN(copy_rows)(x + from, ld, m, size, copy, PANEL_ROW);
    KR_FN(operands)
    t = {.m = m,
         .k = size,
         .cols = cols,
         .a = copy,
         .b = keys,
         .from = from,
         .depth = depth,
         .c = c,
         .ldc = PANEL_ROW,
         .accumulate = from > 0};
    KR_FN(multiply)(&t, 0);
  }
}

/* Panels of right operands of scores: for each GEMM_NR of the rows at src, `depth` elements that lie ld apart from one
 * row to the next, the panel [depth][panel_width] of their transpose times `factor`.  Lanes past the last row hold what
 * that one holds: their scores are never looked at. */
static void KR_FN(turn_keys)(const real *src, int64_t ld, int64_t rows, int64_t depth, real factor, real *dst) {
  for (int64_t first = 0; first < rows; first += GEMM_NR) {
    const int64_t count = kr_min(GEMM_NR, rows - first), width = KR_FN(panel_width)(count);
    for (int64_t i = 0; i < width; i += V_LANES) {
      const real *row[V_LANES];
      real *to = dst + first * depth + i;
      for (int64_t r = 0; r < V_LANES; ++r) row[r] = src + (first + kr_min(i + r, count - 1)) * ld;
      int64_t p = 0;
#if defined(KR_HAS_TURN)
      const vreal f = v_set1(factor);
      while (depth >= turn_steps && p < depth) {
        vreal v[turn_steps];
        p = kr_min(p, depth - turn_steps); /* the last ones may overlap those before */
        KR_FN(lanes_of_rows)(row, p, v);
        for (int q = 0; q < turn_steps; ++q) v_store(to + (p + q) * width, v_mul(v[q], f));
        p += turn_steps;
      }
#endif
      for (; p < depth; ++p)
        for (int64_t r = 0; r < V_LANES; ++r) to[p * width + r] = row[r][p] * factor;
    }
  }
}
