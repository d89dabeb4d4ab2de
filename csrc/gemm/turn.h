/* Turns rows into columns in registers: what packers do with operands whose k runs along memory.
 *
 *   lanes_of_rows(row, at, out)     out[i][r] = row[r][at + i]     for r < V_LANES, i < TURN (16 bytes' worth of elements)
 *   rows_of_lanes(in, row, at)      row[r][at + i] = in[i][r]      the way back; AVX2 only (KR_HAS_TURN_BACK)
 *
 * Pieces of 16 bytes of all rows are loaded straight into the lanes in which they belong, so that the shuffles that are
 * left stay within lanes: two vectors' worth of them for each vector, where transposing squares of 16 bytes takes eight
 * of a quarter of the width.  Only AVX-512 and AVX2 have it (KR_HAS_TURN). */
#ifndef KR_GEMM_TURN_H
#define KR_GEMM_TURN_H
#include "../base/kernel.h"

#if defined(KR_FOR_AVX512)
#define KR_HAS_TURN 1
#define TURN_F32(r)                                                                                                    \
  _mm512_mask_broadcast_f32x4(                                                                                         \
      _mm512_mask_broadcast_f32x4(_mm512_mask_broadcast_f32x4(_mm512_castps128_ps512(_mm_loadu_ps(row[r] + at)), 0xf0, \
                                                              _mm_loadu_ps(row[r + 4] + at)),                          \
                                  0xf00, _mm_loadu_ps(row[r + 8] + at)),                                               \
      0xf000, _mm_loadu_ps(row[r + 12] + at))
#define TURN_F64(r)                                                                                                    \
  _mm512_mask_broadcast_f64x2(                                                                                         \
      _mm512_mask_broadcast_f64x2(_mm512_mask_broadcast_f64x2(_mm512_castpd128_pd512(_mm_loadu_pd(row[r] + at)), 0x0c, \
                                                              _mm_loadu_pd(row[r + 2] + at)),                          \
                                  0x30, _mm_loadu_pd(row[r + 4] + at)),                                                \
      0xc0, _mm_loadu_pd(row[r + 6] + at))
#define TURN_NAME(f) _mm512_##f
#elif defined(KR_FOR_AVX2)
#define KR_HAS_TURN 1
#define TURN_F32(r) \
  _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(row[r] + at)), _mm_loadu_ps(row[r + 4] + at), 1)
#define TURN_F64(r) \
  _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(row[r] + at)), _mm_loadu_pd(row[r + 2] + at), 1)
#define TURN_NAME(f) _mm256_##f
#define KR_HAS_TURN_BACK 1
#endif

#if defined(KR_HAS_TURN)
enum { TURN_F32_STEPS = 4, TURN_F64_STEPS = 2 };
#define turn_steps (KR_REAL == 32 ? TURN_F32_STEPS : TURN_F64_STEPS) /* of the type in force */

/* Squares of four by four within lanes of 16 bytes. */
KR_SIMD void turn_squares_f32(v32f a, v32f b, v32f c, v32f d, v32f *out) {
#define PAIRS(v) TURN_NAME(castps_pd)(v)
#define SINGLES(v) TURN_NAME(castpd_ps)(v)
  const v64f ab = PAIRS(TURN_NAME(unpacklo_ps)(a, b)), cd = PAIRS(TURN_NAME(unpacklo_ps)(c, d));
  const v64f ab2 = PAIRS(TURN_NAME(unpackhi_ps)(a, b)), cd2 = PAIRS(TURN_NAME(unpackhi_ps)(c, d));
  out[0] = SINGLES(TURN_NAME(unpacklo_pd)(ab, cd));
  out[1] = SINGLES(TURN_NAME(unpackhi_pd)(ab, cd));
  out[2] = SINGLES(TURN_NAME(unpacklo_pd)(ab2, cd2));
  out[3] = SINGLES(TURN_NAME(unpackhi_pd)(ab2, cd2));
#undef PAIRS
#undef SINGLES
}

KR_SIMD void lanes_of_rows_f32(const float *const *row, int64_t at, v32f *out) {
  turn_squares_f32(TURN_F32(0), TURN_F32(1), TURN_F32(2), TURN_F32(3), out);
}

KR_SIMD void lanes_of_rows_f64(const double *const *row, int64_t at, v64f *out) {
  const v64f a = TURN_F64(0), b = TURN_F64(1);
  out[0] = TURN_NAME(unpacklo_pd)(a, b);
  out[1] = TURN_NAME(unpackhi_pd)(a, b);
}
#endif

#if defined(KR_HAS_TURN_BACK)
KR_SIMD void rows_of_lanes_f32(const v32f *in, float *const *row, int64_t at) {
  v32f v[4];
  turn_squares_f32(in[0], in[1], in[2], in[3], v);
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) {
    _mm_storeu_ps(row[r] + at, _mm256_castps256_ps128(v[r]));
    _mm_storeu_ps(row[r + 4] + at, _mm256_extractf128_ps(v[r], 1));
  }
}

KR_SIMD void rows_of_lanes_f64(const v64f *in, double *const *row, int64_t at) {
  const v64f v[2] = {_mm256_unpacklo_pd(in[0], in[1]), _mm256_unpackhi_pd(in[0], in[1])};
#pragma GCC unroll 2
  for (int r = 0; r < 2; ++r) {
    _mm_storeu_pd(row[r] + at, _mm256_castpd256_pd128(v[r]));
    _mm_storeu_pd(row[r + 2] + at, _mm256_extractf128_pd(v[r], 1));
  }
}
#endif
#undef TURN_F32
#undef TURN_F64
#undef TURN_NAME

#endif
