/* AVX2 with FMA: eight floats or four doubles; masks are vectors of all-ones and all-zeros lanes. */
#ifndef KR_SIMD_AVX2_H
#define KR_SIMD_AVX2_H
#include <immintrin.h>
#include <string.h>

#define KR_F32_LANES 8
#define KR_F64_LANES 4
typedef __m256 v32f;
typedef __m256i v32i;
typedef __m256 v32m;
typedef __m256d v64f;
typedef __m256i v64i;
typedef __m256d v64m;

/* The first n lanes as a mask for maskload: a window onto ones followed by zeros. */
static const int32_t kr_avx2_first[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
KR_SIMD __m256i f32_first(int64_t n) { return _mm256_loadu_si256((const __m256i *)(kr_avx2_first + 8 - n)); }
KR_SIMD __m256i f64_first(int64_t n) { return _mm256_loadu_si256((const __m256i *)(kr_avx2_first + 8 - 2 * n)); }

/* By halves and quarters: a masked store takes some eighteen cycles on AMD's cores before Zen 4, these take four. */
KR_SIMD void f32_store_n(float *p, __m256 v, int64_t n) {
  __m128 left = _mm256_castps256_ps128(v);
  if (n & 8) {
    _mm256_storeu_ps(p, v);
    return;
  }
  if (n & 4) {
    _mm_storeu_ps(p, left);
    left = _mm256_extractf128_ps(v, 1);
    p += 4;
  }
  if (n & 2) {
    _mm_storel_pi((__m64 *)p, left);
    left = _mm_movehl_ps(left, left);
    p += 2;
  }
  if (n & 1) _mm_store_ss(p, left);
}
KR_SIMD void f64_store_n(double *p, __m256d v, int64_t n) {
  __m128d left = _mm256_castpd256_pd128(v);
  if (n & 4) {
    _mm256_storeu_pd(p, v);
    return;
  }
  if (n & 2) {
    _mm_storeu_pd(p, left);
    left = _mm256_extractf128_pd(v, 1);
    p += 2;
  }
  if (n & 1) _mm_store_sd(p, left);
}

/* P prefix, T element, I integer element, V vector, PS and EPI suffixes of the intrinsics.  x86 min and max return
 * the second operand where one is NaN, so only a NaN in the first needs care. */
#define KR_AVX2(P, T, I, V, PS, EPI)                                                                       \
  KR_SIMD V P##_zero(void) { return _mm256_setzero_##PS(); }                                               \
  KR_SIMD V P##_set1(T x) { return _mm256_set1_##PS(x); }                                                  \
  KR_SIMD V P##_load(const T *p) { return _mm256_loadu_##PS(p); }                                          \
  KR_SIMD void P##_store(T *p, V v) { _mm256_storeu_##PS(p, v); }                                          \
  KR_SIMD V P##_load_n(const T *p, int64_t n) { return _mm256_maskload_##PS(p, P##_first(n)); }            \
  KR_SIMD V P##_load_or(const T *p, int64_t n, V v) {                                                      \
    return _mm256_or_##PS(P##_load_n(p, n), _mm256_andnot_##PS(_mm256_castsi256_##PS(P##_first(n)), v));   \
  }                                                                                                        \
  KR_SIMD V P##_add(V a, V b) { return _mm256_add_##PS(a, b); }                                            \
  KR_SIMD V P##_sub(V a, V b) { return _mm256_sub_##PS(a, b); }                                            \
  KR_SIMD V P##_mul(V a, V b) { return _mm256_mul_##PS(a, b); }                                            \
  KR_SIMD V P##_div(V a, V b) { return _mm256_div_##PS(a, b); }                                            \
  KR_SIMD V P##_fma(V a, V b, V c) { return _mm256_fmadd_##PS(a, b, c); }                                  \
  KR_SIMD V P##_fnma(V a, V b, V c) { return _mm256_fnmadd_##PS(a, b, c); }                                \
  KR_SIMD V P##_min(V a, V b) { return _mm256_min_##PS(a, b); }                                            \
  KR_SIMD V P##_max(V a, V b) { return _mm256_max_##PS(a, b); }                                            \
  KR_SIMD V P##_sqrt(V a) { return _mm256_sqrt_##PS(a); }                                                  \
  KR_SIMD V P##_abs(V a) { return _mm256_andnot_##PS(_mm256_set1_##PS((T) - 0.0), a); }                    \
  KR_SIMD V P##_neg(V a) { return _mm256_xor_##PS(a, _mm256_set1_##PS((T) - 0.0)); }                       \
  KR_SIMD V P##_copysign(V a, V b) {                                                                       \
    V sign = _mm256_set1_##PS((T) - 0.0);                                                                  \
    return _mm256_or_##PS(_mm256_andnot_##PS(sign, a), _mm256_and_##PS(sign, b));                          \
  }                                                                                                        \
  KR_SIMD V P##_round(V a) { return _mm256_round_##PS(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); } \
  KR_SIMD V P##_floor(V a) { return _mm256_round_##PS(a, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }     \
  KR_SIMD V P##_ceil(V a) { return _mm256_round_##PS(a, _MM_FROUND_TO_POS_INF | _MM_FROUND_NO_EXC); }      \
  KR_SIMD V P##_trunc(V a) { return _mm256_round_##PS(a, _MM_FROUND_TO_ZERO | _MM_FROUND_NO_EXC); }        \
  KR_SIMD V P##_lt(V a, V b) { return _mm256_cmp_##PS(a, b, _CMP_LT_OQ); }                                 \
  KR_SIMD V P##_le(V a, V b) { return _mm256_cmp_##PS(a, b, _CMP_LE_OQ); }                                 \
  KR_SIMD V P##_gt(V a, V b) { return _mm256_cmp_##PS(a, b, _CMP_GT_OQ); }                                 \
  KR_SIMD V P##_ge(V a, V b) { return _mm256_cmp_##PS(a, b, _CMP_GE_OQ); }                                 \
  KR_SIMD V P##_eq(V a, V b) { return _mm256_cmp_##PS(a, b, _CMP_EQ_OQ); }                                 \
  KR_SIMD V P##_ne(V a, V b) { return _mm256_cmp_##PS(a, b, _CMP_NEQ_UQ); }                                \
  KR_SIMD V P##_isnan(V a) { return _mm256_cmp_##PS(a, a, _CMP_UNORD_Q); }                                 \
  KR_SIMD V P##_unordered(V a, V b) { return _mm256_cmp_##PS(a, b, _CMP_UNORD_Q); }                        \
  KR_SIMD V P##_select(V m, V a, V b) { return _mm256_blendv_##PS(b, a, m); }                              \
  KR_SIMD V P##_min_nan(V a, V b) { return P##_select(P##_isnan(a), a, _mm256_min_##PS(a, b)); }           \
  KR_SIMD V P##_max_nan(V a, V b) { return P##_select(P##_isnan(a), a, _mm256_max_##PS(a, b)); }           \
  KR_SIMD V P##_m_and(V a, V b) { return _mm256_and_##PS(a, b); }                                          \
  KR_SIMD V P##_m_or(V a, V b) { return _mm256_or_##PS(a, b); }                                            \
  KR_SIMD V P##_m_not(V a) { return _mm256_xor_##PS(a, _mm256_castsi256_##PS(_mm256_set1_epi32(-1))); }    \
  KR_SIMD int P##_m_any(V a) { return _mm256_movemask_##PS(a) != 0; }                                      \
  KR_SIMD int P##_m_all(V a) { return _mm256_movemask_##PS(a) == (1 << (32 / sizeof(T))) - 1; }            \
  KR_SIMD __m256i P##_as_int(V a) { return _mm256_cast##PS##_si256(a); }                                   \
  KR_SIMD V P##_i_as_real(__m256i a) { return _mm256_castsi256_##PS(a); }                                  \
  KR_SIMD __m256i P##_i_load(const I *p) { return _mm256_loadu_si256((const __m256i *)p); }                \
  KR_SIMD void P##_i_store(I *p, __m256i v) { _mm256_storeu_si256((__m256i *)p, v); }                      \
  KR_SIMD __m256i P##_i_add(__m256i a, __m256i b) { return _mm256_add_##EPI(a, b); }                       \
  KR_SIMD __m256i P##_i_sub(__m256i a, __m256i b) { return _mm256_sub_##EPI(a, b); }                       \
  KR_SIMD __m256i P##_i_count(__m256i a, V m) { return _mm256_sub_##EPI(a, _mm256_cast##PS##_si256(m)); }  \
  KR_SIMD __m256i P##_i_and(__m256i a, __m256i b) { return _mm256_and_si256(a, b); }                       \
  KR_SIMD __m256i P##_i_or(__m256i a, __m256i b) { return _mm256_or_si256(a, b); }                         \
  KR_SIMD __m256i P##_i_xor(__m256i a, __m256i b) { return _mm256_xor_si256(a, b); }                       \
  KR_SIMD __m256i P##_i_shl(__m256i a, int n) { return _mm256_slli_##EPI(a, n); }                          \
  KR_SIMD __m256i P##_i_shr(__m256i a, int n) { return _mm256_srli_##EPI(a, n); }

KR_AVX2(f32, float, int32_t, __m256, ps, epi32)
KR_AVX2(f64, double, int64_t, __m256d, pd, epi64)
#undef KR_AVX2

KR_SIMD v32i f32_i_set1(int32_t a) { return _mm256_set1_epi32(a); }
KR_SIMD v64i f64_i_set1(int64_t a) { return _mm256_set1_epi64x(a); }
KR_SIMD v32i f32_to_int(v32f a) { return _mm256_cvtps_epi32(a); }
KR_SIMD v32f f32_i_to_real(v32i a) { return _mm256_cvtepi32_ps(a); }
KR_SIMD v64i f64_i_mul_u32(v64i a, v64i b) { return _mm256_mul_epu32(a, b); }
KR_SIMD v64i f64_i_high(v64i a) { return _mm256_shuffle_epi32(a, 0xf5); }
KR_SIMD void f64_i_store_low(uint32_t *p, v64i a, v64i b) {
  const __m256 even = _mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), 0x88);
  _mm256_storeu_si256((__m256i *)p, _mm256_permute4x64_epi64(_mm256_castps_si256(even), 0xd8));
}

/* AVX2 has no conversion between doubles and 64-bit integers.  Adding 1.5 * 2^52 leaves the rounded integer in the low
 * bits of the significand. */
KR_SIMD v64i f64_to_int(v64f a) {
  const v64f magic = _mm256_set1_pd(0x1.8p52);
  return _mm256_sub_epi64(_mm256_castpd_si256(_mm256_add_pd(a, magic)), _mm256_castpd_si256(magic));
}

/* The whole range, correctly rounded: the high 32 bits biased as 2^84 + 2^63 + high * 2^32 and the low ones as
 * 2^52 + low are both exact doubles, and so is the first difference; the one rounding is in the last addition. */
KR_SIMD v64f f64_i_to_real(v64i a) {
  v64i high = _mm256_xor_si256(_mm256_srli_epi64(a, 32), _mm256_set1_epi64x(0x4530000080000000));
  v64i low = _mm256_blend_epi32(a, _mm256_set1_epi64x(0x4330000000000000), 0xaa);
  v64f exact = _mm256_sub_pd(_mm256_castsi256_pd(high), _mm256_set1_pd(0x1p84 + 0x1p63 + 0x1p52));
  return _mm256_add_pd(exact, _mm256_castsi256_pd(low));
}

/* The first n of `all` bytes, 8 or 4, as the low ones of a number.  memcpy of a length that only the call knows takes
 * several times as long as a kernel's other work on a few channels. */
KR_SIMD uint64_t avx2_bytes(const uint8_t *p, int64_t n, int64_t all) {
  uint64_t bytes = 0;
  if (n >= all) {
    memcpy(&bytes, p, (size_t)all);
    return bytes;
  }
  uint32_t four;
  uint16_t two;
  if (n & 4) {
    memcpy(&four, p, 4);
    bytes = four;
  }
  if (n & 2) {
    memcpy(&two, p + (n & 4), 2);
    bytes |= (uint64_t)two << 8 * (n & 4);
  }
  if (n & 1) bytes |= (uint64_t)p[n - 1] << 8 * (n - 1);
  return bytes;
}
KR_SIMD void avx2_store_bytes(uint8_t *p, uint64_t bytes, int64_t n, int64_t all) {
  if (n >= all) {
    memcpy(p, &bytes, (size_t)all);
    return;
  }
  const uint32_t four = (uint32_t)bytes;
  const uint16_t two = (uint16_t)(bytes >> 8 * (n & 4));
  if (n & 4) memcpy(p, &four, 4);
  if (n & 2) memcpy(p + (n & 4), &two, 2);
  if (n & 1) p[n - 1] = (uint8_t)(bytes >> 8 * (n - 1));
}

KR_SIMD v32f f32_load_u8(const uint8_t *p, int64_t n) {
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128((int64_t)avx2_bytes(p, n, 8))));
}
KR_SIMD v32m f32_eq_u8(const uint8_t *p, int64_t n, uint8_t b) {
  if (n < 8) return _mm256_and_ps(f32_eq(f32_load_u8(p, n), f32_set1(b)), _mm256_castsi256_ps(f32_first(n)));
  int64_t bytes;
  memcpy(&bytes, p, 8);
  const __m256i spread =
      _mm256_setr_epi32(0x80808000, 0x80808001, 0x80808002, 0x80808003, 0x80808004, 0x80808005, 0x80808006, 0x80808007);
  const __m256i x = _mm256_shuffle_epi8(_mm256_set1_epi64x(bytes), spread);
  return _mm256_castsi256_ps(_mm256_cmpeq_epi32(x, _mm256_set1_epi32(b)));
}
KR_SIMD void f32_store_u8(uint8_t *p, v32f v, int64_t n) {
  const __m256i words = _mm256_cvtps_epi32(v);
  const __m128i halves = _mm_packs_epi32(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
  avx2_store_bytes(p, (uint64_t)_mm_cvtsi128_si64(_mm_packus_epi16(halves, halves)), n, 8);
}
/* Packing takes the halves of its operands apart; one permutation puts the four bytes of each half of a vector right. */
#define KR_STORES_U8
KR_SIMD void f32_stores_u8(uint8_t *p, const v32f v[4]) {
  const __m256i a = _mm256_packs_epi32(_mm256_cvtps_epi32(v[0]), _mm256_cvtps_epi32(v[1]));
  const __m256i b = _mm256_packs_epi32(_mm256_cvtps_epi32(v[2]), _mm256_cvtps_epi32(v[3]));
  const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  _mm256_storeu_si256((__m256i *)p, _mm256_permutevar8x32_epi32(_mm256_packus_epi16(a, b), order));
}
KR_SIMD v64f f64_load_u8(const uint8_t *p, int64_t n) {
  return _mm256_cvtepi32_pd(_mm_cvtepu8_epi32(_mm_cvtsi32_si128((int)avx2_bytes(p, n, 4))));
}
KR_SIMD v64m f64_eq_u8(const uint8_t *p, int64_t n, uint8_t b) {
  if (n >= 4) return f64_eq(f64_load_u8(p, n), f64_set1(b));
  return _mm256_and_pd(f64_eq(f64_load_u8(p, n), f64_set1(b)), _mm256_castsi256_pd(f64_first(n)));
}
KR_SIMD void f64_store_u8(uint8_t *p, v64f v, int64_t n) {
  const __m128i words = _mm256_cvtpd_epi32(v), halves = _mm_packs_epi32(words, words);
  avx2_store_bytes(p, (uint32_t)_mm_cvtsi128_si32(_mm_packus_epi16(halves, halves)), n, 4);
}

/* Halves onto each other until one lane is left; `op` is a binary function of the vocabulary, so hmax and hmin keep
 * NaN. */
#define KR_AVX2_ACROSS_F32(name, op)                          \
  KR_SIMD float f32_##name(v32f a) {                          \
    a = op(a, _mm256_permute2f128_ps(a, a, 1));               \
    a = op(a, _mm256_permute_ps(a, _MM_SHUFFLE(1, 0, 3, 2))); \
    a = op(a, _mm256_permute_ps(a, _MM_SHUFFLE(2, 3, 0, 1))); \
    return _mm256_cvtss_f32(a);                               \
  }
#define KR_AVX2_ACROSS_F64(name, op)            \
  KR_SIMD double f64_##name(v64f a) {           \
    a = op(a, _mm256_permute2f128_pd(a, a, 1)); \
    a = op(a, _mm256_permute_pd(a, 5));         \
    return _mm256_cvtsd_f64(a);                 \
  }
KR_AVX2_ACROSS_F32(hsum, f32_add)
KR_AVX2_ACROSS_F32(hmax, f32_max_nan)
KR_AVX2_ACROSS_F32(hmin, f32_min_nan)
KR_AVX2_ACROSS_F64(hsum, f64_add)
KR_AVX2_ACROSS_F64(hmax, f64_max_nan)
KR_AVX2_ACROSS_F64(hmin, f64_min_nan)

/* The sums of hsum, pair by pair, of several rows in one vector: what a step frees holds another row.  One operand of a
 * step is a blend where it can be, which does not wait for the port of shuffles. */
KR_SIMD v32f f32_two_sums(v32f a, v32f b) {
  return f32_add(_mm256_blend_ps(a, b, 0xf0), _mm256_permute2f128_ps(a, b, 0x21));
}
KR_SIMD v32f f32_four_sums(v32f a, v32f b) {
  return f32_add(_mm256_blend_ps(a, b, 0xcc), _mm256_shuffle_ps(a, b, _MM_SHUFFLE(1, 0, 3, 2)));
}
KR_SIMD v32f f32_hsums(const v32f *v) {
  const v32f a = f32_four_sums(f32_two_sums(v[0], v[4]), f32_two_sums(v[1], v[5]));
  const v32f b = f32_four_sums(f32_two_sums(v[2], v[6]), f32_two_sums(v[3], v[7]));
  return f32_add(_mm256_shuffle_ps(a, b, _MM_SHUFFLE(2, 0, 2, 0)), _mm256_shuffle_ps(a, b, _MM_SHUFFLE(3, 1, 3, 1)));
}
KR_SIMD v64f f64_two_sums(v64f a, v64f b) {
  return f64_add(_mm256_blend_pd(a, b, 0xc), _mm256_permute2f128_pd(a, b, 0x21));
}
KR_SIMD v64f f64_hsums(const v64f *v) {
  const v64f a = f64_two_sums(v[0], v[2]), b = f64_two_sums(v[1], v[3]);
  return f64_add(_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));
}

/* Likewise extremes; lower lanes always come first, since the order decides between zeros of either sign. */
#define KR_AVX2_EXTREMES(name, op32, op64)                                                                           \
  KR_SIMD v32f f32_two_##name(v32f a, v32f b) {                                                                      \
    return op32(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));                             \
  }                                                                                                                  \
  KR_SIMD v32f f32_four_##name(v32f a, v32f b) {                                                                     \
    return op32(_mm256_shuffle_ps(a, b, _MM_SHUFFLE(1, 0, 1, 0)), _mm256_shuffle_ps(a, b, _MM_SHUFFLE(3, 2, 3, 2))); \
  }                                                                                                                  \
  KR_SIMD v32f f32_##name(const v32f *v) {                                                                           \
    const v32f a = f32_four_##name(f32_two_##name(v[0], v[4]), f32_two_##name(v[1], v[5]));                          \
    const v32f b = f32_four_##name(f32_two_##name(v[2], v[6]), f32_two_##name(v[3], v[7]));                          \
    return op32(_mm256_shuffle_ps(a, b, _MM_SHUFFLE(2, 0, 2, 0)), _mm256_shuffle_ps(a, b, _MM_SHUFFLE(3, 1, 3, 1))); \
  }                                                                                                                  \
  KR_SIMD v64f f64_two_##name(v64f a, v64f b) {                                                                      \
    return op64(_mm256_permute2f128_pd(a, b, 0x20), _mm256_permute2f128_pd(a, b, 0x31));                             \
  }                                                                                                                  \
  KR_SIMD v64f f64_##name(const v64f *v) {                                                                           \
    const v64f a = f64_two_##name(v[0], v[2]), b = f64_two_##name(v[1], v[3]);                                       \
    return op64(_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b));                                                 \
  }
KR_AVX2_EXTREMES(hmaxs, f32_max, f64_max)
KR_AVX2_EXTREMES(hmins, f32_min, f64_min)
#undef KR_AVX2_EXTREMES

KR_SIMD v32f f32_take(v32f v, v32i i) { return _mm256_permutevar8x32_ps(v, i); }
KR_SIMD v64f f64_take(v64f v, v64i i) { /* by halves of lanes: 2 i, and 2 i + 1 above it */
  const v64i low = _mm256_add_epi64(i, i), both = _mm256_or_si256(low, _mm256_slli_epi64(low, 32));
  const v64i halves = _mm256_add_epi64(both, _mm256_set1_epi64x((int64_t)1 << 32));
  return _mm256_castps_pd(_mm256_permutevar8x32_ps(_mm256_castpd_ps(v), halves));
}

/* Quarters of rows side by side, so that no shuffle crosses the middle; loads of 16 bytes rarely cross the end of a line.
 */
KR_SIMD v32f f32_two_rows(const float *p, int64_t apart) {
  return _mm256_blend_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm256_broadcast_ps((const __m128 *)(p + apart)),
                         0xf0);
}
KR_SIMD void f32_columns(const float *p, int64_t s, v32f v[4]) {
  const v32f a = f32_two_rows(p, 4 * s), b = f32_two_rows(p + s, 4 * s);
  const v32f c = f32_two_rows(p + 2 * s, 4 * s), d = f32_two_rows(p + 3 * s, 4 * s);
  const v32f ab = _mm256_unpacklo_ps(a, b), cd = _mm256_unpacklo_ps(c, d);
  const v32f ab_up = _mm256_unpackhi_ps(a, b), cd_up = _mm256_unpackhi_ps(c, d);
  v[0] = _mm256_shuffle_ps(ab, cd, _MM_SHUFFLE(1, 0, 1, 0)), v[1] = _mm256_shuffle_ps(ab, cd, _MM_SHUFFLE(3, 2, 3, 2));
  v[2] = _mm256_shuffle_ps(ab_up, cd_up, _MM_SHUFFLE(1, 0, 1, 0));
  v[3] = _mm256_shuffle_ps(ab_up, cd_up, _MM_SHUFFLE(3, 2, 3, 2));
}
KR_SIMD v64f f64_two_rows(const double *p, int64_t apart) {
  return _mm256_blend_pd(_mm256_castpd128_pd256(_mm_loadu_pd(p)), _mm256_broadcast_pd((const __m128d *)(p + apart)),
                         0xc);
}
KR_SIMD void f64_columns(const double *p, int64_t s, v64f v[4]) {
  for (int k = 0; k < 4; k += 2) {
    const v64f a = f64_two_rows(p + k, 2 * s), b = f64_two_rows(p + s + k, 2 * s);
    v[k] = _mm256_unpacklo_pd(a, b), v[k + 1] = _mm256_unpackhi_pd(a, b);
  }
}
#undef KR_AVX2_ACROSS_F32
#undef KR_AVX2_ACROSS_F64

#endif
