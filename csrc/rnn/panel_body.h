/* Products of a block of states with the packed recurrent kernel, for one width of real; included by rnn.c.
 *
 * The packed kernel is made of panels of NV vectors: `gates` gates by NV / gates vectors of each, so that all gates of a
 * unit meet in one tile.  The last panel has fewer vectors; within a vector, columns past the units are zeros. */

enum { KR_FN(TILE) = NV * V_LANES };
#define TILE KR_FN(TILE)

/* tile[r] (+)= sum over p of a[r][p] b[p] for `rows` samples and `nv` vectors. */
KR_INLINE void KR_FN(micro)(const int rows, const int nv, int64_t kc, const real *a, int64_t lda, const real *b,
                            real *tile, int first) {
  vreal acc[MR][NV];
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < nv; ++v) acc[r][v] = first ? v_zero() : v_load(tile + r * TILE + v * V_LANES);
  for (int64_t p = 0; p < kc; ++p, b += nv * V_LANES) {
    vreal ar[MR];
#pragma GCC unroll 8
    for (int r = 0; r < rows; ++r) ar[r] = v_set1(a[r * lda + p]);
#pragma GCC unroll 4
    for (int v = 0; v < nv; ++v) {
      vreal bv = v_load(b + v * V_LANES);
#pragma GCC unroll 8
      for (int r = 0; r < rows; ++r) acc[r][v] = v_fma(ar[r], bv, acc[r][v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < nv; ++v) v_store(tile + r * TILE + v * V_LANES, acc[r][v]);
}

typedef void (*KR_FN(micro_fn))(int64_t kc, const real *a, int64_t lda, const real *b, real *tile, int first);

#define MICRO(rows, nv)                                                                                     \
  static void KR_FN(micro_##rows##_##nv)(int64_t kc, const real *a, int64_t lda, const real *b, real *tile, \
                                         int first) {                                                       \
    KR_FN(micro)(rows, nv, kc, a, lda, b, tile, first);                                                     \
  }
#define MICROS(rows) MICRO(rows, 1) MICRO(rows, 2) MICRO(rows, 3) MICRO(rows, 4)
EACH_ROWS(MICROS)
#undef MICRO
#undef MICROS

#define NAMES(rows) \
  {KR_FN(micro_##rows##_1), KR_FN(micro_##rows##_2), KR_FN(micro_##rows##_3), KR_FN(micro_##rows##_4)},
static const KR_FN(micro_fn) KR_FN(micros)[MR][NV] = {EACH_ROWS(NAMES)};
#undef NAMES

/* A part of the recurrent kernel, as it is multiplied: columns [from, from + gates units) of u, forwards; or, transposed,
 * the k columns from `from` on as the rows of a matrix with one column for each unit (then gates is 1). */
typedef struct {
  const real *u;
  int64_t ld, units, from, k;
  int gates, transposed;
  real *packed;
} KR_FN(weights);

KR_INLINE int64_t KR_FN(panel_units)(const KR_FN(weights) * w) { return NV / w->gates * V_LANES; }
KR_INLINE int64_t KR_FN(panels)(const KR_FN(weights) * w) { return kr_ceil_div(w->units, KR_FN(panel_units)(w)); }
KR_INLINE int64_t KR_FN(packed_size)(const KR_FN(weights) * w) {
  return kr_round_up(KR_FN(panels)(w) * w->k * TILE, 16);
}
/* Vectors of each gate in a panel. */
KR_INLINE int KR_FN(panel_vectors)(const KR_FN(weights) * w, int64_t panel) {
  const int64_t wide = KR_FN(panel_units)(w);
  return (int)kr_ceil_div(kr_min(wide, w->units - panel * wide), V_LANES);
}

static void KR_FN(pack_panel)(const KR_FN(weights) * w, int64_t panel) {
  const int64_t wide = KR_FN(panel_units)(w), col = panel * wide, count = kr_min(wide, w->units - col);
  const int vectors = KR_FN(panel_vectors)(w, panel);
  real *dst = w->packed + panel * w->k * TILE;
  if (w->transposed) {
    const real *rows[TILE];
    for (int64_t j = 0; j < count; ++j) rows[j] = w->u + (col + j) * w->ld + w->from;
    KR_FN(pack_rows)(rows, count, vectors * V_LANES, w->k, dst);
    return;
  }
  for (int64_t p = 0; p < w->k; ++p)
    for (int gate = 0; gate < w->gates; ++gate)
      for (int64_t j = 0; j < vectors * V_LANES; j += V_LANES, dst += V_LANES)
        v_store(dst, KR_FN(ld)(w->u + p * w->ld + w->from + gate * w->units + col + j, count - j));
}

/* tile = a times one panel for the samples of a block. */
static void KR_FN(multiply)(const KR_FN(weights) * w, int64_t panel, const real *a, int64_t lda, int64_t rows,
                            real *tile) {
  const int nv = w->gates * KR_FN(panel_vectors)(w, panel);
  const int64_t tiles = kr_ceil_div(rows, MR);
  const real *b = w->packed + panel * w->k * TILE;
  for (int64_t p = 0; p < w->k; p += KC) {
    const int64_t kc = kr_min(KC, w->k - p);
    for (int64_t q = 0; q < tiles; ++q) {
      const int64_t r = q * rows / tiles, n = (q + 1) * rows / tiles - r;
      KR_FN(micros)[n - 1][nv - 1](kc, a + r * lda + p, lda, b + p * nv * V_LANES, tile + r * TILE, p == 0);
    }
  }
}
