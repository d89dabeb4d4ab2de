/* Packers for the callbacks of gemm/core.h; include it after base/real.h, once for each type.
 *
 * Each makes one panel, or some rows of one, of `width` columns: columns from `count` on become zeros.
 */
#ifndef KR_GEMM_PACK_H
#define KR_GEMM_PACK_H
#include "gemm/turn.h"
enum {
  PACK_PIECE = 64, /* elements of a row that pack_rows moves at a time */
  TURN_LEAST = 32  /* that are worth fetching pointers for */
};
/* Four of two vectors of four; compilers agree on vectors but not on this name. */
#if defined(__clang__)
#define PACK_SHUFFLE(V, I, a, b, i, j, k, l) __builtin_shufflevector(a, b, i, j, k, l)
#else
#define PACK_SHUFFLE(V, I, a, b, i, j, k, l) __builtin_shuffle(a, b, (I){i, j, k, l})
#endif
#endif

typedef real KR_FN(pack_four) __attribute__((vector_size(4 * sizeof(real))));
typedef ireal KR_FN(pack_index) __attribute__((vector_size(4 * sizeof(real))));

/* pack_copy for `full` whole vectors and, where rest > 0, a last one of which `have` elements exist.  What a whole store
 * leaves beyond the row is made good by the rows that follow; the last ones, which fewer or none follow, are cut. */
KR_INLINE void KR_FN(pack_vectors)(const real *src, int64_t ld, int64_t full, int64_t have, int64_t rest, int64_t kc,
                                   real *dst) {
  const int64_t width = full * V_LANES + rest;
  const int64_t whole = rest ? kc - kr_min(kc, kr_ceil_div(V_LANES - rest, width)) : kc;
  for (int64_t p = 0; p < kc; ++p, src += ld, dst += width) {
    for (int64_t v = 0; v < full; ++v) v_store(dst + v * V_LANES, v_load(src + v * V_LANES));
    if (!rest) continue;
    const vreal last = v_load_n(src + full * V_LANES, have);
    if (p < whole) v_store(dst + full * V_LANES, last);
    else v_store_n(dst + full * V_LANES, last, rest);
  }
}

/* dst[p * width + i] = src[p * ld + i]: neighbours in the panel are neighbours in memory. */
KR_UNUSED static void KR_FN(pack_copy)(const real *src, int64_t ld, int64_t count, int64_t width, int64_t kc,
                                       real *dst) {
  const int64_t full = count / V_LANES, have = count % V_LANES, rest = width - full * V_LANES;
  if (full == 1 && rest == 0) KR_FN(pack_vectors)(src, ld, 1, 0, 0, kc, dst);
  else if (full == 2 && rest == 0) KR_FN(pack_vectors)(src, ld, 2, 0, 0, kc, dst);
  else if (rest <= V_LANES) KR_FN(pack_vectors)(src, ld, full, have, rest, kc, dst);
  else
    for (int64_t p = 0; p < kc; ++p)
      for (int64_t i = 0; i < width; ++i) dst[p * width + i] = i < count ? src[p * ld + i] : 0;
}

KR_INLINE void KR_FN(pack_zeros)(int64_t count, int64_t width, int64_t kc, real *dst) {
  if (count < width)
    for (int64_t p = 0; p < kc; ++p) memset(dst + p * width + count, 0, (size_t)(width - count) * sizeof(real));
}

/* Four rows of pack_rows, from element k0 on: moves 4 x 4 blocks through registers; the last block may overlap the one
 * before. */
KR_INLINE void KR_FN(pack_four_rows)(const real *const *src, int64_t k0, int64_t kc, int64_t width, real *dst) {
  typedef KR_FN(pack_four) four;
  typedef KR_FN(pack_index) index;
  for (int64_t p = 0; p < kc;) {
    four a, b, c, d;
    memcpy(&a, src[0] + k0 + p, sizeof a);
    memcpy(&b, src[1] + k0 + p, sizeof b);
    memcpy(&c, src[2] + k0 + p, sizeof c);
    memcpy(&d, src[3] + k0 + p, sizeof d);
    const four ac = PACK_SHUFFLE(four, index, a, c, 0, 4, 1, 5), bd = PACK_SHUFFLE(four, index, b, d, 0, 4, 1, 5);
    const four ac2 = PACK_SHUFFLE(four, index, a, c, 2, 6, 3, 7), bd2 = PACK_SHUFFLE(four, index, b, d, 2, 6, 3, 7);
    const four t[4] = {PACK_SHUFFLE(four, index, ac, bd, 0, 4, 1, 5), PACK_SHUFFLE(four, index, ac, bd, 2, 6, 3, 7),
                       PACK_SHUFFLE(four, index, ac2, bd2, 0, 4, 1, 5),
                       PACK_SHUFFLE(four, index, ac2, bd2, 2, 6, 3, 7)};
    for (int i = 0; i < 4; ++i) memcpy(dst + (p + i) * width, &t[i], sizeof t[i]);
    if (p + 4 == kc) break;
    p = kr_min(p + 4, kc - 4);
  }
}

#if defined(KR_HAS_TURN)
/* Up to a vector of rows of pack_rows.  Where there are fewer, what is stored beyond them is made good by what is packed
 * next, the following column's first rows; but not in the last column, where nothing follows. */
KR_INLINE void KR_FN(pack_turned)(const real *const *src, int64_t count, int64_t k0, int64_t kc, int64_t last,
                                  int64_t width, real *dst) {
  const real *row[V_LANES];
  for (int64_t r = 0; r < V_LANES; ++r) row[r] = src[kr_min(r, count - 1)] + k0;
  const int64_t n = kr_min(count, V_LANES), whole = last && n < V_LANES ? kc - 1 : kc; /* stored beyond the rows */
  int64_t p = 0;
  for (; p + 4 * turn_steps <= whole; p += 4 * turn_steps) { /* four at a time: pointers are loaded once */
    vreal v[4][turn_steps];
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) KR_FN(lanes_of_rows)(row, p + i * turn_steps, v[i]);
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i)
#pragma GCC unroll 4
      for (int q = 0; q < turn_steps; ++q) v_store(dst + (p + i * turn_steps + q) * width, v[i][q]);
  }
  while (p < kc) {
    vreal v[turn_steps];
    p = kr_min(p, kc - turn_steps); /* the last ones may overlap those before */
    KR_FN(lanes_of_rows)(row, p, v);
    for (int q = 0; q < turn_steps; ++q)
      if (p + q < whole) v_store(dst + (p + q) * width, v[q]);
      else v_store_n(dst + (p + q) * width, v[q], n);
    p += turn_steps;
  }
}

/* pack_rows for more than half a vector of rows.  The last ones come first: what they store beyond themselves belongs to
 * the first ones. */
KR_UNUSED static __attribute__((noinline)) void KR_FN(pack_by_turning)(const real *const *src, int64_t count,
                                                                       int64_t width, int64_t kc, real *dst) {
  for (int64_t p = 0, piece; p < kc; p += piece) {
    piece = kc - p < PACK_PIECE + 4 ? kc - p : PACK_PIECE;
    for (int64_t i = (count - 1) / V_LANES * V_LANES; i >= 0; i -= V_LANES)
      KR_FN(pack_turned)(src + i, count - i, p, piece, p + piece == kc, width, dst + p * width + i);
  }
}
#endif

/* dst[p * width + i] = src[i][p]: k runs along memory. */
KR_UNUSED static void KR_FN(pack_rows)(const real *const *src, int64_t count, int64_t width, int64_t kc, real *dst) {
  if (count < 4 || kc < 4) {
    for (int64_t p = 0; p < kc; ++p)
      for (int64_t i = 0; i < count; ++i) dst[p * width + i] = src[i][p];
#if defined(KR_HAS_TURN)
  } else if (count > V_LANES / 2 && kc >= TURN_LEAST) {
    KR_FN(pack_by_turning)(src, count, width, kc, dst);
#endif
  } else {
    /* Piece by piece along k, so that the panel is not swept, and brought into L1, once for each four rows. */
    for (int64_t p = 0; p < kc;) {
      const int64_t piece = kc - p < PACK_PIECE + 4 ? kc - p : PACK_PIECE;
      for (int64_t i = 0; i < count; i = i + 4 < count ? kr_min(i + 4, count - 4) : count)
        KR_FN(pack_four_rows)(src + i, p, piece, width, dst + p * width + i);
      p += piece;
    }
  }
  KR_FN(pack_zeros)(count, width, kc, dst);
}

/* dst[p * width + i] = src[at[i] + p * step]: elements from anywhere. */
KR_UNUSED static void KR_FN(pack_gather)(const real *src, const int64_t *at, int64_t step, int64_t count, int64_t width,
                                         int64_t kc, real *dst) {
  if (step == 1) {
    const real *rows[GEMM_MAX_NR];
    for (int64_t i = 0; i < count; ++i) rows[i] = src + at[i];
    KR_FN(pack_rows)(rows, count, width, kc, dst);
    return;
  }
  for (int64_t p = 0; p < kc; ++p)
    for (int64_t i = 0; i < count; ++i) dst[p * width + i] = src[at[i] + p * step];
  KR_FN(pack_zeros)(count, width, kc, dst);
}
