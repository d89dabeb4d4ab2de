/* AVX-512 (F, DQ, BW, VL): sixteen floats or eight doubles; masks are mask registers. */
#ifndef KR_SIMD_AVX512_H
#define KR_SIMD_AVX512_H
#include <immintrin.h>

#define KR_F32_LANES 16
#define KR_F64_LANES 8
typedef __m512 v32f;
typedef __m512i v32i;
typedef __mmask16 v32m;
typedef __m512d v64f;
typedef __m512i v64i;
typedef __mmask8 v64m;

/* P prefix, T element, I integer element, V vector, M mask, PS and EPI suffixes of the intrinsics.  x86 min and max
 * return the second operand where one is NaN, so only a NaN in the first needs care. */
#define KR_AVX512(P, T, I, V, M, PS, EPI)                                                                              \
  KR_SIMD V P##_zero(void) { return _mm512_setzero_##PS(); }                                                           \
  KR_SIMD V P##_set1(T x) { return _mm512_set1_##PS(x); }                                                              \
  KR_SIMD V P##_load(const T *p) { return _mm512_loadu_##PS(p); }                                                      \
  KR_SIMD void P##_store(T *p, V v) { _mm512_storeu_##PS(p, v); }                                                      \
  KR_SIMD V P##_load_n(const T *p, int64_t n) {                                                                        \
    return _mm512_maskz_loadu_##PS((M)_bzhi_u32(0xffff, (unsigned)n), p);                                              \
  }                                                                                                                    \
  KR_SIMD V P##_load_or(const T *p, int64_t n, V v) {                                                                  \
    return _mm512_mask_loadu_##PS(v, (M)_bzhi_u32(0xffff, (unsigned)n), p);                                            \
  }                                                                                                                    \
  KR_SIMD void P##_store_n(T *p, V v, int64_t n) { _mm512_mask_storeu_##PS(p, (M)_bzhi_u32(0xffff, (unsigned)n), v); } \
  KR_SIMD V P##_add(V a, V b) { return _mm512_add_##PS(a, b); }                                                        \
  KR_SIMD V P##_sub(V a, V b) { return _mm512_sub_##PS(a, b); }                                                        \
  KR_SIMD V P##_mul(V a, V b) { return _mm512_mul_##PS(a, b); }                                                        \
  KR_SIMD V P##_div(V a, V b) { return _mm512_div_##PS(a, b); }                                                        \
  KR_SIMD V P##_fma(V a, V b, V c) { return _mm512_fmadd_##PS(a, b, c); }                                              \
  KR_SIMD V P##_fnma(V a, V b, V c) { return _mm512_fnmadd_##PS(a, b, c); }                                            \
  KR_SIMD V P##_min(V a, V b) { return _mm512_min_##PS(a, b); }                                                        \
  KR_SIMD V P##_max(V a, V b) { return _mm512_max_##PS(a, b); }                                                        \
  KR_SIMD V P##_sqrt(V a) { return _mm512_sqrt_##PS(a); }                                                              \
  KR_SIMD V P##_abs(V a) { return _mm512_abs_##PS(a); }                                                                \
  KR_SIMD V P##_neg(V a) { return _mm512_xor_##PS(a, _mm512_set1_##PS((T) - 0.0)); }                                   \
  KR_SIMD V P##_copysign(V a, V b) {                                                                                   \
    V sign = _mm512_set1_##PS((T) - 0.0);                                                                              \
    return _mm512_or_##PS(_mm512_andnot_##PS(sign, a), _mm512_and_##PS(sign, b));                                      \
  }                                                                                                                    \
  KR_SIMD V P##_round(V a) { return _mm512_roundscale_##PS(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }        \
  KR_SIMD V P##_floor(V a) { return _mm512_roundscale_##PS(a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }            \
  KR_SIMD V P##_ceil(V a) { return _mm512_roundscale_##PS(a, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC); }             \
  KR_SIMD V P##_trunc(V a) { return _mm512_roundscale_##PS(a, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC); }               \
  KR_SIMD M P##_lt(V a, V b) { return _mm512_cmp_##PS##_mask(a, b, _CMP_LT_OQ); }                                      \
  KR_SIMD M P##_le(V a, V b) { return _mm512_cmp_##PS##_mask(a, b, _CMP_LE_OQ); }                                      \
  KR_SIMD M P##_gt(V a, V b) { return _mm512_cmp_##PS##_mask(a, b, _CMP_GT_OQ); }                                      \
  KR_SIMD M P##_ge(V a, V b) { return _mm512_cmp_##PS##_mask(a, b, _CMP_GE_OQ); }                                      \
  KR_SIMD M P##_eq(V a, V b) { return _mm512_cmp_##PS##_mask(a, b, _CMP_EQ_OQ); }                                      \
  KR_SIMD M P##_ne(V a, V b) { return _mm512_cmp_##PS##_mask(a, b, _CMP_NEQ_UQ); }                                     \
  KR_SIMD M P##_isnan(V a) { return _mm512_cmp_##PS##_mask(a, a, _CMP_UNORD_Q); }                                      \
  KR_SIMD M P##_unordered(V a, V b) { return _mm512_cmp_##PS##_mask(a, b, _CMP_UNORD_Q); }                             \
  KR_SIMD V P##_select(M m, V a, V b) { return _mm512_mask_blend_##PS(m, b, a); }                                      \
  KR_SIMD V P##_min_nan(V a, V b) { return _mm512_mask_mov_##PS(_mm512_min_##PS(a, b), P##_isnan(a), a); }             \
  KR_SIMD V P##_max_nan(V a, V b) { return _mm512_mask_mov_##PS(_mm512_max_##PS(a, b), P##_isnan(a), a); }             \
  KR_SIMD M P##_m_and(M a, M b) { return (M)(a & b); }                                                                 \
  KR_SIMD M P##_m_or(M a, M b) { return (M)(a | b); }                                                                  \
  KR_SIMD M P##_m_not(M a) { return (M)~a; }                                                                           \
  KR_SIMD int P##_m_any(M a) { return a != 0; }                                                                        \
  KR_SIMD int P##_m_all(M a) { return a == (M) - 1; }                                                                  \
  KR_SIMD __m512i P##_as_int(V a) { return _mm512_cast##PS##_si512(a); }                                               \
  KR_SIMD V P##_i_as_real(__m512i a) { return _mm512_castsi512_##PS(a); }                                              \
  KR_SIMD __m512i P##_i_set1(I a) { return _mm512_set1_##EPI(a); }                                                     \
  KR_SIMD __m512i P##_i_load(const I *p) { return _mm512_loadu_si512(p); }                                             \
  KR_SIMD void P##_i_store(I *p, __m512i v) { _mm512_storeu_si512(p, v); }                                             \
  KR_SIMD __m512i P##_i_add(__m512i a, __m512i b) { return _mm512_add_##EPI(a, b); }                                   \
  KR_SIMD __m512i P##_i_sub(__m512i a, __m512i b) { return _mm512_sub_##EPI(a, b); }                                   \
  KR_SIMD __m512i P##_i_count(__m512i a, M m) { return _mm512_mask_add_##EPI(a, m, a, _mm512_set1_##EPI(1)); }         \
  KR_SIMD __m512i P##_i_and(__m512i a, __m512i b) { return _mm512_and_si512(a, b); }                                   \
  KR_SIMD __m512i P##_i_or(__m512i a, __m512i b) { return _mm512_or_si512(a, b); }                                     \
  KR_SIMD __m512i P##_i_xor(__m512i a, __m512i b) { return _mm512_xor_si512(a, b); }                                   \
  KR_SIMD __m512i P##_i_shl(__m512i a, int n) { return _mm512_slli_##EPI(a, (unsigned)n); }                            \
  KR_SIMD __m512i P##_i_shr(__m512i a, int n) { return _mm512_srli_##EPI(a, (unsigned)n); }

KR_AVX512(f32, float, int32_t, __m512, __mmask16, ps, epi32)
KR_AVX512(f64, double, int64_t, __m512d, __mmask8, pd, epi64)
#undef KR_AVX512

KR_SIMD v32i f32_to_int(v32f a) { return _mm512_cvtps_epi32(a); }
KR_SIMD v32f f32_i_to_real(v32i a) { return _mm512_cvtepi32_ps(a); }
KR_SIMD v64i f64_to_int(v64f a) { return _mm512_cvtpd_epi64(a); }
KR_SIMD v64f f64_i_to_real(v64i a) { return _mm512_cvtepi64_pd(a); }
KR_SIMD v64i f64_i_mul_u32(v64i a, v64i b) { return _mm512_mul_epu32(a, b); }
/* A shift would wait for the multiplier's port. */
KR_SIMD v64i f64_i_high(v64i a) { return _mm512_shuffle_epi32(a, 0xf5); }
KR_SIMD void f64_i_store_low(uint32_t *p, v64i a, v64i b) {
  const v64i even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  _mm512_storeu_si512(p, _mm512_permutex2var_epi32(a, even, b));
}

KR_SIMD v32f f32_load_u8(const uint8_t *p, int64_t n) {
  const __m128i bytes =
      n >= 16 ? _mm_loadu_si128((const void *)p) : _mm_maskz_loadu_epi8((__mmask16)_bzhi_u32(0xffff, (unsigned)n), p);
  return _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
}
KR_SIMD void f32_store_u8(uint8_t *p, v32f v, int64_t n) {
  const __m128i bytes = _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(v));
  if (n >= 16) _mm_storeu_si128((void *)p, bytes);
  else _mm_mask_storeu_epi8(p, (__mmask16)_bzhi_u32(0xffff, (unsigned)n), bytes);
}
KR_SIMD v64f f64_load_u8(const uint8_t *p, int64_t n) {
  const __m128i bytes = _mm_maskz_loadu_epi8((__mmask16)_bzhi_u32(0xff, (unsigned)(n < 8 ? n : 8)), p);
  return _mm512_cvtepi32_pd(_mm256_cvtepu8_epi32(bytes));
}
KR_SIMD void f64_store_u8(uint8_t *p, v64f v, int64_t n) {
  const __m128i bytes = _mm256_cvtepi32_epi8(_mm512_cvtpd_epi32(v));
  _mm_mask_storeu_epi8(p, (__mmask16)_bzhi_u32(0xff, (unsigned)(n < 8 ? n : 8)), bytes);
}

KR_SIMD v32m f32_eq_u8(const uint8_t *p, int64_t n, uint8_t b) {
  const __m128i value = _mm_set1_epi8((char)b);
  if (n >= 16) return _mm_cmpeq_epi8_mask(_mm_loadu_si128((const void *)p), value);
  const __mmask16 first = (__mmask16)_bzhi_u32(0xffff, (unsigned)n);
  return _mm_mask_cmpeq_epi8_mask(first, _mm_maskz_loadu_epi8(first, p), value);
}
KR_SIMD v64m f64_eq_u8(const uint8_t *p, int64_t n, uint8_t b) {
  const __m128i value = _mm_set1_epi8((char)b);
  if (n >= 8) return (v64m)_mm_cmpeq_epi8_mask(_mm_loadl_epi64((const void *)p), value);
  const __mmask16 first = (__mmask16)_bzhi_u32(0xff, (unsigned)n);
  return (v64m)_mm_mask_cmpeq_epi8_mask(first, _mm_maskz_loadu_epi8(first, p), value);
}

/* Halves onto each other until one lane is left; `op` is a binary function of the vocabulary, so hmax and hmin keep
 * NaN.  Working at full width costs a little and leaves no second copy of the NaN rule. */
#define KR_AVX512_ACROSS_F32(name, op)                              \
  KR_SIMD float f32_##name(v32f a) {                                \
    a = op(a, _mm512_shuffle_f32x4(a, a, _MM_SHUFFLE(1, 0, 3, 2))); \
    a = op(a, _mm512_shuffle_f32x4(a, a, _MM_SHUFFLE(2, 3, 0, 1))); \
    a = op(a, _mm512_permute_ps(a, _MM_SHUFFLE(1, 0, 3, 2)));       \
    a = op(a, _mm512_permute_ps(a, _MM_SHUFFLE(2, 3, 0, 1)));       \
    return _mm512_cvtss_f32(a);                                     \
  }
#define KR_AVX512_ACROSS_F64(name, op)                              \
  KR_SIMD double f64_##name(v64f a) {                               \
    a = op(a, _mm512_shuffle_f64x2(a, a, _MM_SHUFFLE(1, 0, 3, 2))); \
    a = op(a, _mm512_shuffle_f64x2(a, a, _MM_SHUFFLE(2, 3, 0, 1))); \
    a = op(a, _mm512_permute_pd(a, 0x55));                          \
    return _mm512_cvtsd_f64(a);                                     \
  }
KR_AVX512_ACROSS_F32(hsum, f32_add)
KR_AVX512_ACROSS_F32(hmax, f32_max_nan)
KR_AVX512_ACROSS_F32(hmin, f32_min_nan)
KR_AVX512_ACROSS_F64(hsum, f64_add)
KR_AVX512_ACROSS_F64(hmax, f64_max_nan)
KR_AVX512_ACROSS_F64(hmin, f64_min_nan)

/* The sums of hsum, pair by pair, of several rows in one vector: what a step frees holds another row.  One operand of a
 * step is a blend where it can be, which does not wait for the port of shuffles. */
#define KR_AVX512_BLOCKS(P, V, S, op, a, b) \
  op(_mm512_mask_blend_##S(P##_UPPER, a, b), _mm512_shuffle_##V(a, b, _MM_SHUFFLE(1, 0, 3, 2)))
#define KR_AVX512_ODD(P, S, op, a, b) op(_mm512_mask_blend_##S(P##_ODD, a, b), _mm512_permutex2var_##S(a, swapped, b))
#define KR_AVX512_FOUR(P, V, S, op, v, i, step)                                     \
  KR_AVX512_ODD(P, S, op, KR_AVX512_BLOCKS(P, V, S, op, v[i], v[(i) + 2 * (step)]), \
                KR_AVX512_BLOCKS(P, V, S, op, v[(i) + (step)], v[(i) + 3 * (step)]))
#define KR_AVX512_PAIRS(op, a, b) \
  op(_mm512_mask_blend_ps(0xcccc, a, b), _mm512_shuffle_ps(a, b, _MM_SHUFFLE(1, 0, 3, 2)))
#define f32_UPPER 0xff00
#define f32_ODD 0xf0f0
#define f64_UPPER 0xf0
#define f64_ODD 0xcc
KR_SIMD v32f f32_hsums(const v32f *v) {
  const __m512i swapped = _mm512_setr_epi32(4, 5, 6, 7, 16, 17, 18, 19, 12, 13, 14, 15, 24, 25, 26, 27);
  const v32f a = KR_AVX512_FOUR(f32, f32x4, ps, f32_add, v, 0, 4), b = KR_AVX512_FOUR(f32, f32x4, ps, f32_add, v, 1, 4);
  const v32f c = KR_AVX512_FOUR(f32, f32x4, ps, f32_add, v, 2, 4), d = KR_AVX512_FOUR(f32, f32x4, ps, f32_add, v, 3, 4);
  const v32f ab = KR_AVX512_PAIRS(f32_add, a, b), cd = KR_AVX512_PAIRS(f32_add, c, d);
  return f32_add(_mm512_shuffle_ps(ab, cd, _MM_SHUFFLE(2, 0, 2, 0)),
                 _mm512_shuffle_ps(ab, cd, _MM_SHUFFLE(3, 1, 3, 1)));
}
KR_SIMD v64f f64_hsums(const v64f *v) {
  const __m512i swapped = _mm512_setr_epi64(2, 3, 8, 9, 6, 7, 12, 13);
  const v64f a = KR_AVX512_FOUR(f64, f64x2, pd, f64_add, v, 0, 2), b = KR_AVX512_FOUR(f64, f64x2, pd, f64_add, v, 1, 2);
  return f64_add(_mm512_unpacklo_pd(a, b), _mm512_unpackhi_pd(a, b));
}
#undef f32_UPPER
#undef f32_ODD
#undef f64_UPPER
#undef f64_ODD
#undef KR_AVX512_PAIRS
#undef KR_AVX512_FOUR
#undef KR_AVX512_ODD
#undef KR_AVX512_BLOCKS

/* Likewise extremes; lower lanes always come first, since the order decides between zeros of either sign. */
#define KR_AVX512_STEP(op, select, a, b, lo, hi) op(select(a, b, lo), select(a, b, hi))
#define KR_AVX512_HALVES(op, select, a, b) \
  KR_AVX512_STEP(op, select, a, b, _MM_SHUFFLE(1, 0, 1, 0), _MM_SHUFFLE(3, 2, 3, 2))
#define KR_AVX512_EVEN(op, select, a, b) \
  KR_AVX512_STEP(op, select, a, b, _MM_SHUFFLE(2, 0, 2, 0), _MM_SHUFFLE(3, 1, 3, 1))
#define KR_AVX512_FOUR(op, select, v, i, step)                                    \
  KR_AVX512_EVEN(op, select, KR_AVX512_HALVES(op, select, v[i], v[(i) + (step)]), \
                 KR_AVX512_HALVES(op, select, v[(i) + 2 * (step)], v[(i) + 3 * (step)]))
#define KR_AVX512_EXTREMES(name, op32, op64)                            \
  KR_SIMD v32f f32_##name(const v32f *v) {                              \
    const v32f a = KR_AVX512_FOUR(op32, _mm512_shuffle_f32x4, v, 0, 4), \
               b = KR_AVX512_FOUR(op32, _mm512_shuffle_f32x4, v, 1, 4); \
    const v32f c = KR_AVX512_FOUR(op32, _mm512_shuffle_f32x4, v, 2, 4), \
               d = KR_AVX512_FOUR(op32, _mm512_shuffle_f32x4, v, 3, 4); \
    const v32f ab = KR_AVX512_HALVES(op32, _mm512_shuffle_ps, a, b),    \
               cd = KR_AVX512_HALVES(op32, _mm512_shuffle_ps, c, d);    \
    return KR_AVX512_EVEN(op32, _mm512_shuffle_ps, ab, cd);             \
  }                                                                     \
  KR_SIMD v64f f64_##name(const v64f *v) {                              \
    const v64f a = KR_AVX512_FOUR(op64, _mm512_shuffle_f64x2, v, 0, 2), \
               b = KR_AVX512_FOUR(op64, _mm512_shuffle_f64x2, v, 1, 2); \
    return op64(_mm512_unpacklo_pd(a, b), _mm512_unpackhi_pd(a, b));    \
  }
KR_AVX512_EXTREMES(hmaxs, f32_max, f64_max)
KR_AVX512_EXTREMES(hmins, f32_min, f64_min)
#undef KR_AVX512_EXTREMES

KR_SIMD v32f f32_take(v32f v, v32i i) { return _mm512_permutexvar_ps(i, v); }
KR_SIMD v64f f64_take(v64f v, v64i i) { return _mm512_permutexvar_pd(i, v); }

/* Quarters of rows side by side, so that no shuffle crosses them. */
KR_SIMD v32f f32_four_rows(const float *p, int64_t apart) {
  v32f v = _mm512_castps128_ps512(_mm_loadu_ps(p));
  v = _mm512_mask_broadcast_f32x4(v, 0x00f0, _mm_loadu_ps(p + apart));
  v = _mm512_mask_broadcast_f32x4(v, 0x0f00, _mm_loadu_ps(p + 2 * apart));
  return _mm512_mask_broadcast_f32x4(v, 0xf000, _mm_loadu_ps(p + 3 * apart));
}
KR_SIMD void f32_columns(const float *p, int64_t s, v32f v[4]) {
  const v32f a = f32_four_rows(p, 4 * s), b = f32_four_rows(p + s, 4 * s);
  const v32f c = f32_four_rows(p + 2 * s, 4 * s), d = f32_four_rows(p + 3 * s, 4 * s);
  const v32f ab = _mm512_unpacklo_ps(a, b), cd = _mm512_unpacklo_ps(c, d);
  const v32f ab_up = _mm512_unpackhi_ps(a, b), cd_up = _mm512_unpackhi_ps(c, d);
  v[0] = _mm512_shuffle_ps(ab, cd, _MM_SHUFFLE(1, 0, 1, 0)), v[1] = _mm512_shuffle_ps(ab, cd, _MM_SHUFFLE(3, 2, 3, 2));
  v[2] = _mm512_shuffle_ps(ab_up, cd_up, _MM_SHUFFLE(1, 0, 1, 0));
  v[3] = _mm512_shuffle_ps(ab_up, cd_up, _MM_SHUFFLE(3, 2, 3, 2));
}
KR_SIMD v64f f64_four_rows(const double *p, int64_t apart) {
  v64f v = _mm512_castpd128_pd512(_mm_loadu_pd(p));
  v = _mm512_mask_broadcast_f64x2(v, 0x0c, _mm_loadu_pd(p + apart));
  v = _mm512_mask_broadcast_f64x2(v, 0x30, _mm_loadu_pd(p + 2 * apart));
  return _mm512_mask_broadcast_f64x2(v, 0xc0, _mm_loadu_pd(p + 3 * apart));
}
KR_SIMD void f64_columns(const double *p, int64_t s, v64f v[4]) {
  for (int k = 0; k < 4; k += 2) {
    const v64f a = f64_four_rows(p + k, 2 * s), b = f64_four_rows(p + s + k, 2 * s);
    v[k] = _mm512_unpacklo_pd(a, b), v[k + 1] = _mm512_unpackhi_pd(a, b);
  }
}
#undef KR_AVX512_FOUR
#undef KR_AVX512_EVEN
#undef KR_AVX512_HALVES
#undef KR_AVX512_STEP
#undef KR_AVX512_ACROSS_F32
#undef KR_AVX512_ACROSS_F64

#endif
