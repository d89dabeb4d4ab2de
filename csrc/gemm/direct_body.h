/* The tiles of gemm/direct.h for one real type. */

/* ---- A by rows -------------------------------------------------------------------------------------------------- */

/* `rows` is a constant; rows of the tile from t->rows on are computed from the last row's operands and dropped. */
KR_INLINE void KR_FN(by_rows)(const KR_FN(direct_args) * t, const int rows, const int nv) {
  vreal acc[DIRECT_ROWS][DIRECT_NV];
#pragma GCC unroll 4
  for (int v = 0; v < nv; ++v) {
    const vreal start = t->start ? v_load(t->start + v * V_LANES) : v_zero();
#pragma GCC unroll 12
    for (int r = 0; r < rows; ++r) acc[r][v] = start;
  }
  const real *b = t->b;
  for (int64_t n = 0; n < t->runs; ++n) {
    const int64_t length = t->length[n];
    const real *a[DIRECT_ROWS];
#pragma GCC unroll 12
    for (int r = 0; r < rows; ++r) a[r] = t->a[n * DIRECT_ROWS + r] + length;
    /* Up to zero, which needs no register for the end: twelve pointers leave three. */
    for (int64_t q = -length; q != 0; ++q) {
      vreal bv[DIRECT_NV];
#pragma GCC unroll 4
      for (int v = 0; v < nv; ++v) bv[v] = v_load(b + v * V_LANES);
      b += nv * V_LANES;
#pragma GCC unroll 12
      for (int r = 0; r < rows; ++r) {
        const vreal ar = v_set1(a[r][q]);
#pragma GCC unroll 4
        for (int v = 0; v < nv; ++v) acc[r][v] = v_fma(ar, bv[v], acc[r][v]);
      }
    }
  }
  if (t->relu) {
#pragma GCC unroll 12
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < nv; ++v) acc[r][v] = v_select(v_lt(acc[r][v], v_zero()), v_zero(), acc[r][v]); /* keeps NaN */
  }
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r) {
    if (r >= t->rows) break;
#pragma GCC unroll 4
    for (int v = 0; v < nv; ++v) {
      const int64_t lanes = t->cols - v * V_LANES;
      if (lanes >= V_LANES) v_store(t->c[r] + v * V_LANES, acc[r][v]);
      else if (lanes > 0) v_store_n(t->c[r] + v * V_LANES, acc[r][v], lanes);
    }
  }
}

#define TILE(rows)                                                                                                \
  static void KR_FN(direct_half_##rows)(const KR_FN(direct_args) * t) { KR_FN(by_rows)(t, rows, DIRECT_NV / 2); } \
  static void KR_FN(direct_full_##rows)(const KR_FN(direct_args) * t) { KR_FN(by_rows)(t, rows, DIRECT_NV); }
DIRECT_HEIGHTS(TILE)
#undef TILE

void KR_FN(direct_tile)(const KR_FN(direct_args) * t) {
  const int half = t->width < DIRECT_NV * V_LANES;
#define TRY(height)                           \
  if (t->rows <= height) {                    \
    if (half) KR_FN(direct_half_##height)(t); \
    else KR_FN(direct_full_##height)(t);      \
    return;                                   \
  }
  DIRECT_HEIGHTS(TRY)
#undef TRY
}

/* ---- both operands by columns ------------------------------------------------------------------------------------ */

/* rows, nv and the rest are constants; `edge`: the last vector of columns is not whole; `fetches`: t->fetch comes near, and
 * the rows of x of the next tile, since few sets of L1 hold all steps where these are powers of two. */
KR_INLINE void KR_FN(by_columns)(const KR_FN(outer_args) * t, const int rows, const int nv, const int edge,
                                 const int fetches) {
  vreal acc[DIRECT_ROWS][DIRECT_NV];
  const int64_t rest = edge ? t->cols - (nv - 1) * V_LANES : V_LANES, x_step = t->x_step, g_step = t->g_step;
#define COLUMNS(v) (edge && (v) == nv - 1 ? rest : V_LANES)
#define LOAD(p, v) (edge && (v) == nv - 1 ? v_load_n((p) + (v) * V_LANES, rest) : v_load((p) + (v) * V_LANES))
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < nv; ++v) acc[r][v] = t->first ? v_zero() : LOAD(t->c + r * t->ldc, v);
  const char *fetch = (const char *)t->fetch;
  for (int64_t s = 0; s < t->segments; ++s) {
    const real *x = t->segment[s].x + t->x_at, *g = t->segment[s].g + t->g_at;
    for (int64_t i = t->segment[s].count; i > 0; --i, x += x_step, g += g_step) {
      vreal gv[DIRECT_NV];
#if defined(KR_FOR_SCALAR) /* gcc 12 makes vectors of two steps here, and reads g behind the last one */
      __asm__("" : "+r"(g));
#endif
      if (fetches) {
        __builtin_prefetch(fetch, 0, 2);
        __builtin_prefetch(x + 2 * rows - 1, 0, 3);
        fetch += t->fetch_step;
      }
#pragma GCC unroll 4
      for (int v = 0; v < nv; ++v) gv[v] = LOAD(g, v);
#pragma GCC unroll 12
      for (int r = 0; r < rows; ++r) {
        const vreal xr = v_set1(x[r]);
#pragma GCC unroll 4
        for (int v = 0; v < nv; ++v) acc[r][v] = v_fma(xr, gv[v], acc[r][v]);
      }
    }
  }
#pragma GCC unroll 12
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < nv; ++v) {
      real *c = t->c + r * t->ldc + v * V_LANES;
      if (edge && v == nv - 1) v_store_n(c, acc[r][v], rest);
      else v_store(c, acc[r][v]);
    }
#undef COLUMNS
#undef LOAD
}

#define TILE(rows, nv)                                                                                                 \
  static void KR_FN(outer_##rows##_##nv)(const KR_FN(outer_args) * t) { KR_FN(by_columns)(t, rows, nv, 0, 0); }        \
  static void KR_FN(outer_##rows##_##nv##_near)(const KR_FN(outer_args) * t) { KR_FN(by_columns)(t, rows, nv, 0, 1); } \
  static void KR_FN(outer_##rows##_##nv##_edge)(const KR_FN(outer_args) * t) { KR_FN(by_columns)(t, rows, nv, 1, 0); }
#define TILES(rows) OUTER_VECTORS(rows, TILE)
OUTER_ROWS(TILES)
#undef TILES
#undef TILE

void KR_FN(outer_tile)(const KR_FN(outer_args) * t) {
#define TILE(rows, nv) KR_FN(outer_##rows##_##nv), KR_FN(outer_##rows##_##nv##_near), KR_FN(outer_##rows##_##nv##_edge),
#define TILES(rows) {OUTER_VECTORS(rows, TILE)},
  static void (*const tiles[DIRECT_ROWS][3 * DIRECT_NV])(const KR_FN(outer_args) *) = {OUTER_ROWS(TILES)};
#undef TILES
#undef TILE
  const int64_t vectors = kr_ceil_div(t->cols, V_LANES);
  const int kind = t->cols < vectors * V_LANES ? 2 : t->fetch != NULL;
  tiles[t->rows - 1][3 * (vectors - 1) + kind](t);
}
