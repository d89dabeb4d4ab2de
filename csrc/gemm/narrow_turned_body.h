/* Products by columns with so few columns that vectors along them would be half empty, for one real type.
 *
 * Vectors lie along the rows of C instead, which are neighbours in x1: a tile is C turned, `n` columns of TURNED_ROWS
 * rows, and is turned back in registers once, when its sum is done.  Each element is the same chain of multiply-adds as in
 * an outer tile. */

#if defined(KR_HAS_TURN)
#if defined(KR_FOR_AVX512)
#define TURNED_NV 2
#else
#define TURNED_NV 1
#endif
#define TURNED_ROWS (TURNED_NV * V_LANES)
#define TURNED_COLUMNS(X) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12)
enum { KR_FN(TURNED_LEAST) = 5, KR_FN(TURNED_MOST) = 12 };

/* C[r][j] = sum over i < k of x[i * x_step + r] * g[i * g_step + j], r < rows <= TURNED_ROWS, j < n; rows of C are n
 * elements.  n and `edge`, whether there are fewer rows than TURNED_ROWS, are constants. */
KR_INLINE void KR_FN(turned)(const int n, const int edge, int64_t rows, int64_t k, const real *x, int64_t x_step,
                             const real *g, int64_t g_step, real *c) {
  vreal acc[KR_FN(TURNED_MOST)][TURNED_NV];
#pragma GCC unroll 12
  for (int j = 0; j < n; ++j)
#pragma GCC unroll 2
    for (int v = 0; v < TURNED_NV; ++v) acc[j][v] = v_zero();
  for (int64_t i = 0; i < k; ++i, x += x_step, g += g_step) {
    vreal xv[TURNED_NV];
#pragma GCC unroll 2
    for (int v = 0; v < TURNED_NV; ++v) {
      if (edge) xv[v] = v_load_n(x + v * V_LANES, kr_max(0, kr_min(V_LANES, rows - v * V_LANES)));
      else xv[v] = v_load(x + v * V_LANES);
      __builtin_prefetch(x + TURNED_ROWS + v * V_LANES, 0, 2); /* the next tile's */
    }
#pragma GCC unroll 12
    for (int j = 0; j < n; ++j) {
      const vreal gj = v_set1(g[j]);
#pragma GCC unroll 2
      for (int v = 0; v < TURNED_NV; ++v) acc[j][v] = v_fma(gj, xv[v], acc[j][v]);
    }
  }
  KR_ALIGNED real columns[KR_FN(TURNED_MOST) * TURNED_ROWS];
#pragma GCC unroll 12
  for (int j = 0; j < n; ++j)
#pragma GCC unroll 2
    for (int v = 0; v < TURNED_NV; ++v) v_store(columns + j * TURNED_ROWS + v * V_LANES, acc[j][v]);
#pragma GCC unroll 4
  for (int col = 0; col < n; col += V_LANES) {
    const real *column[V_LANES];
#pragma GCC unroll 16
    for (int j = 0; j < V_LANES; ++j) column[j] = columns + kr_min(col + j, n - 1) * TURNED_ROWS;
    for (int64_t row = 0; row < rows; row += turn_steps) {
      vreal out[turn_steps];
      KR_FN(lanes_of_rows)(column, row, out);
#pragma GCC unroll 4
      for (int i = 0; i < turn_steps; ++i)
        if (!edge || row + i < rows) v_store_n(c + (row + i) * n + col, out[i], kr_min(V_LANES, n - col));
    }
  }
}

typedef void (*KR_FN(turned_fn))(int64_t rows, int64_t k, const real *x, int64_t x_step, const real *g, int64_t g_step,
                                 real *c);

#define TURNED(n)                                                                                                \
  static void KR_FN(turned_##n)(KR_UNUSED int64_t rows, int64_t k, const real *x, int64_t x_step, const real *g, \
                                int64_t g_step, real *c) {                                                       \
    KR_FN(turned)(n, 0, TURNED_ROWS, k, x, x_step, g, g_step, c);                                                \
  }                                                                                                              \
  static void KR_FN(turned_##n##_edge)(int64_t rows, int64_t k, const real *x, int64_t x_step, const real *g,    \
                                       int64_t g_step, real *c) {                                                \
    KR_FN(turned)(n, 1, rows, k, x, x_step, g, g_step, c);                                                       \
  }
TURNED_COLUMNS(TURNED)
#undef TURNED

/* Whether turning pays: vectors along columns would be less than four fifths full. */
static int KR_FN(turns)(int64_t n) {
  return n >= KR_FN(TURNED_LEAST) && n <= KR_FN(TURNED_MOST) && 4 * kr_round_up(n, V_LANES) >= 5 * n;
}

/* The share of the rows that is `share` of `shares`, over all k from x1 and x2 on. */
static void KR_FN(turned_rows)(const narrow_plan *p, int64_t share, int64_t shares, int64_t k, const real *x1,
                               const real *x2, real *c) {
#define TURNED(n) {KR_FN(turned_##n), KR_FN(turned_##n##_edge)},
  static const KR_FN(turned_fn) tiles[][2] = {TURNED_COLUMNS(TURNED)};
#undef TURNED
  const int64_t count = kr_ceil_div(p->m, TURNED_ROWS);
  for (int64_t tile = share * count / shares; tile < (share + 1) * count / shares; ++tile) {
    const int64_t row = tile * TURNED_ROWS, rows = kr_min(TURNED_ROWS, p->m - row);
    tiles[p->n - KR_FN(TURNED_LEAST)][rows < TURNED_ROWS](rows, k, x1 + row, p->x1_step, x2, p->x2_step,
                                                          c + row * p->n);
  }
}
#undef TURNED_NV
#undef TURNED_ROWS
#undef TURNED_COLUMNS
#endif
