/* The intrinsics of AVX-512 that the core uses, made of halves for AVX2: so its kernels are tested where no processor has
 * it (make avx512).  Results are those of the instructions, after Intel's Software Developer's Manual, volume 2, but for
 * rcp14, whose table differs from one maker to the next: here it is the inverse, cut to the 14 bits that are promised.
 *
 * This file comes before the compiler's own in the search path.  Types and functions are macros, since that one has the
 * names already.  What is missing here shows when it is compiled, as a call for instructions that are not enabled. */
#ifndef KR_EMULATED_AVX512_H
#define KR_EMULATED_AVX512_H
#include_next <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

#define EMULATED static inline __attribute__((always_inline))
/* Of what goes lane by lane, which in line would take the compiler minutes, and more so when it sanitizes. */
#define EMULATED_CALL static __attribute__((noinline, unused, no_sanitize_address, no_sanitize_undefined))

typedef struct {
  __m256 h[2];
} emulated_ps;
typedef struct {
  __m256d h[2];
} emulated_pd;
typedef struct {
  __m256i h[2];
} emulated_si;
#define __m512 emulated_ps
#define __m512d emulated_pd
#define __m512i emulated_si

/* ---- masks ------------------------------------------------------------------------------------------------------ */

EMULATED __m256 half_mask_ps(__mmask16 m, int half) {
  const __m256i bits = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
  const __m256i all = _mm256_set1_epi32((m >> (8 * half)) & 0xff);
  return _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(all, bits), bits));
}
EMULATED __m256d half_mask_pd(__mmask8 m, int half) {
  const __m256i bits = _mm256_setr_epi64x(1, 2, 4, 8);
  const __m256i all = _mm256_set1_epi64x((m >> (4 * half)) & 0xf);
  return _mm256_castsi256_pd(_mm256_cmpeq_epi64(_mm256_and_si256(all, bits), bits));
}

/* ---- what both types have ----------------------------------------------------------------------------------------- */

/* `expression` with i a constant, not a loop's: a half is never an array's element that has to be looked up. */
#define EACH_HALF(T, expression) \
  T out;                         \
  {                              \
    enum { i = 0 };              \
    out.h[i] = expression;       \
  }                              \
  {                              \
    enum { i = 1 };              \
    out.h[i] = expression;       \
  }                              \
  return out
#define EMULATED_1(T, S, name, of_half) \
  EMULATED T emulated_##name##_##S(T a) { EACH_HALF(T, of_half(a.h[i])); }
#define EMULATED_2(T, S, name, of_half) \
  EMULATED T emulated_##name##_##S(T a, T b) { EACH_HALF(T, of_half(a.h[i], b.h[i])); }
#define EMULATED_3(T, S, name, of_half) \
  EMULATED T emulated_##name##_##S(T a, T b, T c) { EACH_HALF(T, of_half(a.h[i], b.h[i], c.h[i])); }

/* R element, T vector, M mask, S suffix of the intrinsics, N lanes of a half. */
#define EMULATED_REAL(R, T, M, S, N)                                                                             \
  EMULATED T emulated_set1_##S(R x) { EACH_HALF(T, _mm256_set1_##S(x)); }                                        \
  EMULATED T emulated_setzero_##S(void) { EACH_HALF(T, _mm256_setzero_##S()); }                                  \
  EMULATED T emulated_loadu_##S(const void *p) { EACH_HALF(T, _mm256_loadu_##S((const R *)p + N * i)); }         \
  EMULATED void emulated_storeu_##S(void *p, T v) {                                                              \
    _mm256_storeu_##S((R *)p, v.h[0]);                                                                           \
    _mm256_storeu_##S((R *)p + N, v.h[1]);                                                                       \
  }                                                                                                              \
  EMULATED T emulated_maskz_loadu_##S(M m, const void *p) {                                                      \
    EACH_HALF(T, _mm256_maskload_##S((const R *)p + N * i, _mm256_cast##S##_si256(half_mask_##S(m, i))));        \
  }                                                                                                              \
  EMULATED T emulated_mask_blend_##S(M m, T a, T b) {                                                            \
    EACH_HALF(T, _mm256_blendv_##S(a.h[i], b.h[i], half_mask_##S(m, i)));                                        \
  }                                                                                                              \
  EMULATED T emulated_mask_loadu_##S(T other, M m, const void *p) {                                              \
    return emulated_mask_blend_##S(m, other, emulated_maskz_loadu_##S(m, p));                                    \
  }                                                                                                              \
  EMULATED T emulated_mask_mov_##S(T other, M m, T v) { return emulated_mask_blend_##S(m, other, v); }           \
  EMULATED void emulated_mask_storeu_##S(void *p, M m, T v) {                                                    \
    _mm256_maskstore_##S((R *)p, _mm256_cast##S##_si256(half_mask_##S(m, 0)), v.h[0]);                           \
    _mm256_maskstore_##S((R *)p + N, _mm256_cast##S##_si256(half_mask_##S(m, 1)), v.h[1]);                       \
  }                                                                                                              \
  EMULATED_2(T, S, add, _mm256_add_##S)                                                                          \
  EMULATED_2(T, S, sub, _mm256_sub_##S)                                                                          \
  EMULATED_2(T, S, mul, _mm256_mul_##S)                                                                          \
  EMULATED_2(T, S, div, _mm256_div_##S)                                                                          \
  EMULATED_2(T, S, min, _mm256_min_##S)                                                                          \
  EMULATED_2(T, S, max, _mm256_max_##S)                                                                          \
  EMULATED_2(T, S, and, _mm256_and_##S)                                                                          \
  EMULATED_2(T, S, or, _mm256_or_##S)                                                                            \
  EMULATED_2(T, S, xor, _mm256_xor_##S)                                                                          \
  EMULATED_2(T, S, andnot, _mm256_andnot_##S)                                                                    \
  EMULATED_2(T, S, unpacklo, _mm256_unpacklo_##S)                                                                \
  EMULATED_2(T, S, unpackhi, _mm256_unpackhi_##S)                                                                \
  EMULATED_3(T, S, fmadd, _mm256_fmadd_##S)                                                                      \
  EMULATED_3(T, S, fmsub, _mm256_fmsub_##S)                                                                      \
  EMULATED_3(T, S, fnmadd, _mm256_fnmadd_##S)                                                                    \
  EMULATED_1(T, S, sqrt, _mm256_sqrt_##S)                                                                        \
  EMULATED T emulated_abs_##S(T a) { EACH_HALF(T, _mm256_andnot_##S(_mm256_set1_##S((R) - 0.0), a.h[i])); }      \
  EMULATED emulated_si emulated_cast##S##_si512(T a) { EACH_HALF(emulated_si, _mm256_cast##S##_si256(a.h[i])); } \
  EMULATED T emulated_castsi512_##S(emulated_si a) { EACH_HALF(T, _mm256_castsi256_##S(a.h[i])); }               \
  EMULATED_CALL T emulated_permutex2var_##S(T a, emulated_si index, T b) {                                       \
    R from[4 * N], to[2 * N];                                                                                    \
    emulated_storeu_##S(from, a);                                                                                \
    emulated_storeu_##S(from + 2 * N, b);                                                                        \
    for (int i = 0; i < 2 * N; ++i) to[i] = from[emulated_lane(index, i, sizeof(R)) & (4 * N - 1)];              \
    return emulated_loadu_##S(to);                                                                               \
  }                                                                                                              \
  /* Lanes of 16 bytes: two of a, then two of b, as the bits of `which` say. */                                  \
  EMULATED_CALL T emulated_shuffle_lanes_##S(T a, T b, int which) {                                              \
    R from[2][2 * N], to[2 * N];                                                                                 \
    emulated_storeu_##S(from[0], a);                                                                             \
    emulated_storeu_##S(from[1], b);                                                                             \
    for (int lane = 0; lane < 4; ++lane)                                                                         \
      memcpy(to + lane * N / 2, from[lane >= 2] + (which >> (2 * lane) & 3) * N / 2, 16);                        \
    return emulated_loadu_##S(to);                                                                               \
  }

EMULATED_CALL int64_t emulated_lane(emulated_si v, int i, int bytes) {
  int64_t as64[8];
  int32_t as32[16];
  memcpy(as64, &v, sizeof v);
  memcpy(as32, &v, sizeof v);
  return bytes == 8 ? as64[i] : as32[i];
}
EMULATED_REAL(float, emulated_ps, __mmask16, ps, 8)
EMULATED_REAL(double, emulated_pd, __mmask8, pd, 4)

#define _mm512_set1_ps emulated_set1_ps
#define _mm512_set1_pd emulated_set1_pd
#define _mm512_setzero_ps emulated_setzero_ps
#define _mm512_setzero_pd emulated_setzero_pd
#define _mm512_loadu_ps emulated_loadu_ps
#define _mm512_loadu_pd emulated_loadu_pd
#define _mm512_storeu_ps emulated_storeu_ps
#define _mm512_storeu_pd emulated_storeu_pd
#define _mm512_maskz_loadu_ps emulated_maskz_loadu_ps
#define _mm512_maskz_loadu_pd emulated_maskz_loadu_pd
#define _mm512_mask_loadu_ps emulated_mask_loadu_ps
#define _mm512_mask_loadu_pd emulated_mask_loadu_pd
#define _mm512_mask_blend_ps emulated_mask_blend_ps
#define _mm512_mask_blend_pd emulated_mask_blend_pd
#define _mm512_mask_mov_ps emulated_mask_mov_ps
#define _mm512_mask_mov_pd emulated_mask_mov_pd
#define _mm512_mask_storeu_ps emulated_mask_storeu_ps
#define _mm512_mask_storeu_pd emulated_mask_storeu_pd
#define _mm512_add_ps emulated_add_ps
#define _mm512_add_pd emulated_add_pd
#define _mm512_sub_ps emulated_sub_ps
#define _mm512_sub_pd emulated_sub_pd
#define _mm512_mul_ps emulated_mul_ps
#define _mm512_mul_pd emulated_mul_pd
#define _mm512_div_ps emulated_div_ps
#define _mm512_div_pd emulated_div_pd
#define _mm512_min_ps emulated_min_ps
#define _mm512_min_pd emulated_min_pd
#define _mm512_max_ps emulated_max_ps
#define _mm512_max_pd emulated_max_pd
#define _mm512_and_ps emulated_and_ps
#define _mm512_and_pd emulated_and_pd
#define _mm512_or_ps emulated_or_ps
#define _mm512_or_pd emulated_or_pd
#define _mm512_xor_ps emulated_xor_ps
#define _mm512_xor_pd emulated_xor_pd
#define _mm512_andnot_ps emulated_andnot_ps
#define _mm512_andnot_pd emulated_andnot_pd
#define _mm512_unpacklo_ps emulated_unpacklo_ps
#define _mm512_unpacklo_pd emulated_unpacklo_pd
#define _mm512_unpackhi_ps emulated_unpackhi_ps
#define _mm512_unpackhi_pd emulated_unpackhi_pd
#define _mm512_fmadd_ps emulated_fmadd_ps
#define _mm512_fmadd_pd emulated_fmadd_pd
#define _mm512_fmsub_ps emulated_fmsub_ps
#define _mm512_fnmadd_ps emulated_fnmadd_ps
#define _mm512_fnmadd_pd emulated_fnmadd_pd
#define _mm512_sqrt_ps emulated_sqrt_ps
#define _mm512_sqrt_pd emulated_sqrt_pd
#define _mm512_abs_ps emulated_abs_ps
#define _mm512_abs_pd emulated_abs_pd
#define _mm512_castps_si512 emulated_castps_si512
#define _mm512_castpd_si512 emulated_castpd_si512
#define _mm512_castsi512_ps emulated_castsi512_ps
#define _mm512_castsi512_pd emulated_castsi512_pd
#define _mm512_permutex2var_ps emulated_permutex2var_ps
#define _mm512_permutex2var_pd emulated_permutex2var_pd
#define _mm512_shuffle_f32x4 emulated_shuffle_lanes_ps
#define _mm512_shuffle_f64x2 emulated_shuffle_lanes_pd

/* ---- immediates: macros, since the halves' own must be constants --------------------------------------------------- */

#undef _mm512_cmp_ps_mask
#undef _mm512_cmp_pd_mask
#define _mm512_cmp_ps_mask(a, b, how)                                       \
  ((__mmask16)(_mm256_movemask_ps(_mm256_cmp_ps((a).h[0], (b).h[0], how)) | \
               _mm256_movemask_ps(_mm256_cmp_ps((a).h[1], (b).h[1], how)) << 8))
#define _mm512_cmp_pd_mask(a, b, how)                                      \
  ((__mmask8)(_mm256_movemask_pd(_mm256_cmp_pd((a).h[0], (b).h[0], how)) | \
              _mm256_movemask_pd(_mm256_cmp_pd((a).h[1], (b).h[1], how)) << 4))
#undef _mm512_roundscale_ps
#undef _mm512_roundscale_pd
#define _mm512_roundscale_ps(a, how) ((emulated_ps){{_mm256_round_ps((a).h[0], how), _mm256_round_ps((a).h[1], how)}})
#define _mm512_roundscale_pd(a, how) ((emulated_pd){{_mm256_round_pd((a).h[0], how), _mm256_round_pd((a).h[1], how)}})
#undef _mm512_shuffle_ps
#undef _mm512_permute_ps
#undef _mm512_permute_pd
#undef _mm512_shuffle_epi32
#define _mm512_shuffle_ps(a, b, which) \
  ((emulated_ps){{_mm256_shuffle_ps((a).h[0], (b).h[0], which), _mm256_shuffle_ps((a).h[1], (b).h[1], which)}})
#define _mm512_permute_ps(a, which) \
  ((emulated_ps){{_mm256_permute_ps((a).h[0], which), _mm256_permute_ps((a).h[1], which)}})
#define _mm512_permute_pd(a, which) \
  ((emulated_pd){{_mm256_permute_pd((a).h[0], (which) & 15), _mm256_permute_pd((a).h[1], (which) >> 4)}})
#define _mm512_shuffle_epi32(a, which) \
  ((emulated_si){{_mm256_shuffle_epi32((a).h[0], which), _mm256_shuffle_epi32((a).h[1], which)}})

/* ---- lanes of one type only ---------------------------------------------------------------------------------------- */

EMULATED emulated_ps emulated_castpd_ps(emulated_pd a) { EACH_HALF(emulated_ps, _mm256_castpd_ps(a.h[i])); }
EMULATED emulated_pd emulated_castps_pd(emulated_ps a) { EACH_HALF(emulated_pd, _mm256_castps_pd(a.h[i])); }
/* The upper lanes are undefined: not zero, so that nobody relies on it. */
EMULATED emulated_ps emulated_castps128_ps512(__m128 a) {
  EACH_HALF(emulated_ps, i ? _mm256_set1_ps(0x1p100f) : _mm256_insertf128_ps(_mm256_set1_ps(0x1p100f), a, 0));
}
EMULATED emulated_pd emulated_castpd128_pd512(__m128d a) {
  EACH_HALF(emulated_pd, i ? _mm256_set1_pd(0x1p100) : _mm256_insertf128_pd(_mm256_set1_pd(0x1p100), a, 0));
}
EMULATED emulated_ps emulated_mask_broadcast_f32x4(emulated_ps other, __mmask16 m, __m128 a) {
  EACH_HALF(emulated_ps, _mm256_blendv_ps(other.h[i], _mm256_set_m128(a, a), half_mask_ps(m, i)));
}
EMULATED emulated_pd emulated_mask_broadcast_f64x2(emulated_pd other, __mmask8 m, __m128d a) {
  EACH_HALF(emulated_pd, _mm256_blendv_pd(other.h[i], _mm256_set_m128d(a, a), half_mask_pd(m, i)));
}
EMULATED float emulated_cvtss_f32(emulated_ps a) { return _mm256_cvtss_f32(a.h[0]); }
EMULATED double emulated_cvtsd_f64(emulated_pd a) { return _mm256_cvtsd_f64(a.h[0]); }
EMULATED_CALL emulated_ps emulated_permutexvar_ps(emulated_si index, emulated_ps a) {
  float from[16], to[16];
  emulated_storeu_ps(from, a);
  for (int i = 0; i < 16; ++i) to[i] = from[emulated_lane(index, i, 4) & 15];
  return emulated_loadu_ps(to);
}
EMULATED_CALL emulated_pd emulated_permutexvar_pd(emulated_si index, emulated_pd a) {
  double from[8], to[8];
  emulated_storeu_pd(from, a);
  for (int i = 0; i < 8; ++i) to[i] = from[emulated_lane(index, i, 8) & 7];
  return emulated_loadu_pd(to);
}
#define _mm512_castpd_ps emulated_castpd_ps
#define _mm512_castps_pd emulated_castps_pd
#define _mm512_castps128_ps512 emulated_castps128_ps512
#define _mm512_castpd128_pd512 emulated_castpd128_pd512
#define _mm512_mask_broadcast_f32x4 emulated_mask_broadcast_f32x4
#define _mm512_mask_broadcast_f64x2 emulated_mask_broadcast_f64x2
#define _mm512_cvtss_f32 emulated_cvtss_f32
#define _mm512_cvtsd_f64 emulated_cvtsd_f64
#define _mm512_permutexvar_ps emulated_permutexvar_ps
#define _mm512_permutexvar_pd emulated_permutexvar_pd

/* ---- integers ------------------------------------------------------------------------------------------------------ */

EMULATED_2(emulated_si, epi32, add, _mm256_add_epi32)
EMULATED_2(emulated_si, epi64, add, _mm256_add_epi64)
EMULATED_2(emulated_si, epi32, sub, _mm256_sub_epi32)
EMULATED_2(emulated_si, epi64, sub, _mm256_sub_epi64)
EMULATED_2(emulated_si, epu32, mul, _mm256_mul_epu32)
EMULATED_2(emulated_si, si512, and, _mm256_and_si256)
EMULATED_2(emulated_si, si512, or, _mm256_or_si256)
EMULATED_2(emulated_si, si512, xor, _mm256_xor_si256)
EMULATED emulated_si emulated_set1_epi32(int32_t x) { EACH_HALF(emulated_si, _mm256_set1_epi32(x)); }
EMULATED emulated_si emulated_set1_epi64(int64_t x) { EACH_HALF(emulated_si, _mm256_set1_epi64x(x)); }
EMULATED emulated_si emulated_slli_epi32(emulated_si a, int n) { EACH_HALF(emulated_si, _mm256_slli_epi32(a.h[i], n)); }
EMULATED emulated_si emulated_slli_epi64(emulated_si a, int n) { EACH_HALF(emulated_si, _mm256_slli_epi64(a.h[i], n)); }
EMULATED emulated_si emulated_srli_epi32(emulated_si a, int n) { EACH_HALF(emulated_si, _mm256_srli_epi32(a.h[i], n)); }
EMULATED emulated_si emulated_srli_epi64(emulated_si a, int n) { EACH_HALF(emulated_si, _mm256_srli_epi64(a.h[i], n)); }
EMULATED emulated_si emulated_loadu_si512(const void *p) {
  EACH_HALF(emulated_si, _mm256_loadu_si256((const __m256i *)p + i));
}
EMULATED void emulated_storeu_si512(void *p, emulated_si v) {
  _mm256_storeu_si256((__m256i *)p, v.h[0]);
  _mm256_storeu_si256((__m256i *)p + 1, v.h[1]);
}
EMULATED emulated_si emulated_mask_add_epi32(emulated_si other, __mmask16 m, emulated_si a, emulated_si b) {
  const emulated_ps sum = emulated_castsi512_ps(emulated_add_epi32(a, b));
  return emulated_castps_si512(emulated_mask_blend_ps(m, emulated_castsi512_ps(other), sum));
}
EMULATED emulated_si emulated_mask_add_epi64(emulated_si other, __mmask8 m, emulated_si a, emulated_si b) {
  const emulated_pd sum = emulated_castsi512_pd(emulated_add_epi64(a, b));
  return emulated_castpd_si512(emulated_mask_blend_pd(m, emulated_castsi512_pd(other), sum));
}
EMULATED emulated_si emulated_permutex2var_epi32(emulated_si a, emulated_si index, emulated_si b) {
  return emulated_castps_si512(emulated_permutex2var_ps(emulated_castsi512_ps(a), index, emulated_castsi512_ps(b)));
}
#define _mm512_add_epi32 emulated_add_epi32
#define _mm512_add_epi64 emulated_add_epi64
#define _mm512_sub_epi32 emulated_sub_epi32
#define _mm512_sub_epi64 emulated_sub_epi64
#define _mm512_mul_epu32 emulated_mul_epu32
#define _mm512_and_si512 emulated_and_si512
#define _mm512_or_si512 emulated_or_si512
#define _mm512_xor_si512 emulated_xor_si512
#define _mm512_set1_epi32 emulated_set1_epi32
#define _mm512_set1_epi64 emulated_set1_epi64
#undef _mm512_slli_epi32
#undef _mm512_slli_epi64
#undef _mm512_srli_epi32
#undef _mm512_srli_epi64
#define _mm512_slli_epi32 emulated_slli_epi32
#define _mm512_slli_epi64 emulated_slli_epi64
#define _mm512_srli_epi32 emulated_srli_epi32
#define _mm512_srli_epi64 emulated_srli_epi64
#define _mm512_loadu_si512 emulated_loadu_si512
#define _mm512_storeu_si512 emulated_storeu_si512
#define _mm512_mask_add_epi32 emulated_mask_add_epi32
#define _mm512_mask_add_epi64 emulated_mask_add_epi64
#define _mm512_permutex2var_epi32 emulated_permutex2var_epi32
#undef _mm512_setr_epi32
#undef _mm512_setr_epi64
#define _mm512_setr_epi32(...) emulated_loadu_si512((const int32_t[16]){__VA_ARGS__})
#define _mm512_setr_epi64(...) emulated_loadu_si512((const int64_t[8]){__VA_ARGS__})

/* ---- conversions --------------------------------------------------------------------------------------------------- */

EMULATED emulated_ps emulated_cvtepi32_ps(emulated_si a) { EACH_HALF(emulated_ps, _mm256_cvtepi32_ps(a.h[i])); }
EMULATED emulated_si emulated_cvtps_epi32(emulated_ps a) { EACH_HALF(emulated_si, _mm256_cvtps_epi32(a.h[i])); }
EMULATED emulated_pd emulated_cvtepi32_pd(__m256i a) {
  return (emulated_pd){
      {_mm256_cvtepi32_pd(_mm256_castsi256_si128(a)), _mm256_cvtepi32_pd(_mm256_extracti128_si256(a, 1))}};
}
EMULATED __m256i emulated_cvtpd_epi32(emulated_pd a) {
  return _mm256_set_m128i(_mm256_cvtpd_epi32(a.h[1]), _mm256_cvtpd_epi32(a.h[0]));
}
EMULATED_CALL emulated_pd emulated_cvtepi64_pd(emulated_si a) {
  double to[8];
  for (int i = 0; i < 8; ++i) to[i] = (double)emulated_lane(a, i, 8);
  return emulated_loadu_pd(to);
}
EMULATED_CALL emulated_si emulated_cvtpd_epi64(emulated_pd a) {
  double from[8];
  int64_t to[8];
  emulated_storeu_pd(from, a);
  for (int i = 0; i < 8; ++i) to[i] = _mm_cvtsd_si64(_mm_set_sd(from[i]));
  return emulated_loadu_si512(to);
}
EMULATED emulated_si emulated_cvtepu8_epi32(__m128i a) {
  return (emulated_si){{_mm256_cvtepu8_epi32(a), _mm256_cvtepu8_epi32(_mm_srli_si128(a, 8))}};
}
EMULATED_CALL __m128i emulated_cvtepi32_epi8(emulated_si a) {
  uint8_t to[16];
  for (int i = 0; i < 16; ++i) to[i] = (uint8_t)emulated_lane(a, i, 4);
  return _mm_loadu_si128((const __m128i *)to);
}
EMULATED __m128i emulated_256_cvtepi32_epi8(__m256i a) {
  return emulated_cvtepi32_epi8((emulated_si){{a, _mm256_setzero_si256()}});
}
#define _mm512_cvtepi32_ps emulated_cvtepi32_ps
#define _mm512_cvtps_epi32 emulated_cvtps_epi32
#define _mm512_cvtepi32_pd emulated_cvtepi32_pd
#define _mm512_cvtpd_epi32 emulated_cvtpd_epi32
#define _mm512_cvtepi64_pd emulated_cvtepi64_pd
#define _mm512_cvtpd_epi64 emulated_cvtpd_epi64
#define _mm512_cvtepu8_epi32 emulated_cvtepu8_epi32
#define _mm512_cvtepi32_epi8 emulated_cvtepi32_epi8
#define _mm256_cvtepi32_epi8 emulated_256_cvtepi32_epi8

/* ---- bytes --------------------------------------------------------------------------------------------------------- */

EMULATED __m128i emulated_maskz_loadu_epi8(__mmask16 m, const void *p) {
  uint8_t to[16] = {0};
  for (int i = 0; i < 16; ++i)
    if (m >> i & 1) to[i] = ((const uint8_t *)p)[i];
  return _mm_loadu_si128((const __m128i *)to);
}
EMULATED void emulated_mask_storeu_epi8(void *p, __mmask16 m, __m128i v) {
  uint8_t from[16];
  _mm_storeu_si128((__m128i *)from, v);
  for (int i = 0; i < 16; ++i)
    if (m >> i & 1) ((uint8_t *)p)[i] = from[i];
}
EMULATED __mmask16 emulated_cmpeq_epi8_mask(__m128i a, __m128i b) {
  return (__mmask16)_mm_movemask_epi8(_mm_cmpeq_epi8(a, b));
}
EMULATED __mmask16 emulated_mask_cmpeq_epi8_mask(__mmask16 m, __m128i a, __m128i b) {
  return m & emulated_cmpeq_epi8_mask(a, b);
}
#define _mm_maskz_loadu_epi8 emulated_maskz_loadu_epi8
#define _mm_mask_storeu_epi8 emulated_mask_storeu_epi8
#define _mm_cmpeq_epi8_mask emulated_cmpeq_epi8_mask
#define _mm_mask_cmpeq_epi8_mask emulated_mask_cmpeq_epi8_mask

/* ---- numbers taken apart: lane by lane, and as the control word says of subnormal ones ------------------------------ */

EMULATED float emulated_operand(float x) { return _mm_getcsr() & 0x40 && fabsf(x) < 0x1p-126f ? copysignf(0, x) : x; }
EMULATED float emulated_getexp(float x) {
  x = fabsf(emulated_operand(x));
  return x > 0 && x < INFINITY ? (float)ilogbf(x) : x == 0 ? -INFINITY : x;
}
/* To [3/4, 3/2); NaN of what is negative. */
EMULATED float emulated_getmant(float x) {
  x = emulated_operand(x);
  if (isnan(x)) return x;
  if (x < 0) return NAN;
  if (x == 0 || isinf(x)) return 1;
  const double m = scalb((double)x, -ilogbf(x));
  return (float)(m < 1.5 ? m : m / 2);
}
/* In double the product is exact; the way to float rounds it, once. */
EMULATED float emulated_scalef(float a, float b) {
  a = emulated_operand(a);
  b = floorf(b);
  if (isinf(b) && (b > 0 ? a == 0 : isinf(a))) return NAN;
  return (float)((double)a * exp2(fmin(fmax(b, -400), 400)));
}
EMULATED float emulated_rcp14(float x) {
  x = emulated_operand(x);
  uint32_t bits;
  float y = 1 / x;
  if (isnan(y) || isinf(y) || y == 0) return y;
  memcpy(&bits, &y, sizeof y);
  bits &= 0xfffffe00;
  memcpy(&y, &bits, sizeof y);
  return y;
}
#define EMULATED_LANES(name, arguments, ...)                           \
  EMULATED_CALL emulated_ps emulated_##name##_ps arguments {           \
    float from[2][16], to[16];                                         \
    emulated_storeu_ps(from[0], a);                                    \
    emulated_storeu_ps(from[1], b);                                    \
    for (int i = 0; i < 16; ++i) to[i] = emulated_##name(__VA_ARGS__); \
    return emulated_loadu_ps(to);                                      \
  }
#define b a
EMULATED_LANES(getexp, (emulated_ps a), from[0][i])
EMULATED_LANES(getmant, (emulated_ps a), from[0][i])
EMULATED_LANES(rcp14, (emulated_ps a), from[0][i])
#undef b
EMULATED_LANES(scalef, (emulated_ps a, emulated_ps b), from[0][i], from[1][i])
#undef _mm512_getmant_ps
#undef _mm512_getexp_ps
#define _mm512_getexp_ps emulated_getexp_ps
#define _mm512_getmant_ps(a, interval, sign)                                                            \
  ({                                                                                                    \
    _Static_assert((interval) == _MM_MANT_NORM_p75_1p5 && (sign) == _MM_MANT_SIGN_nan, "what is used"); \
    emulated_getmant_ps(a);                                                                             \
  })
#define _mm512_scalef_ps emulated_scalef_ps
#define _mm512_rcp14_ps emulated_rcp14_ps

#endif
