/* NEON on AArch64: four floats or two doubles; masks are unsigned vectors of all-ones and all-zeros lanes. */
#ifndef KR_SIMD_NEON_H
#define KR_SIMD_NEON_H
#include <arm_neon.h>
#include <string.h>

#define KR_F32_LANES 4
#define KR_F64_LANES 2
typedef float32x4_t v32f;
typedef int32x4_t v32i;
typedef uint32x4_t v32m;
typedef float64x2_t v64f;
typedef int64x2_t v64i;
typedef uint64x2_t v64m;

/* P prefix, T element, I integer element; V, VI, VM vectors; F, S, U suffixes of the intrinsics.  NEON's min and max
 * return NaN where one operand is, which serves both flavours. */
#define KR_NEON(P, T, I, V, VI, VM, F, S, U)                                                                    \
  KR_SIMD V P##_zero(void) { return vdupq_n_##F(0); }                                                           \
  KR_SIMD V P##_set1(T x) { return vdupq_n_##F(x); }                                                            \
  KR_SIMD V P##_load(const T *p) { return vld1q_##F(p); }                                                       \
  KR_SIMD void P##_store(T *p, V v) { vst1q_##F(p, v); }                                                        \
  KR_SIMD V P##_load_or(const T *p, int64_t n, V v) {                                                           \
    T part[sizeof(V) / sizeof(T)];                                                                              \
    vst1q_##F(part, v);                                                                                         \
    for (int64_t i = 0; i < n; ++i) part[i] = p[i];                                                             \
    return vld1q_##F(part);                                                                                     \
  }                                                                                                             \
  KR_SIMD V P##_load_n(const T *p, int64_t n) { return P##_load_or(p, n, P##_zero()); }                         \
  KR_SIMD void P##_store_n(T *p, V v, int64_t n) {                                                              \
    T part[sizeof(V) / sizeof(T)];                                                                              \
    vst1q_##F(part, v);                                                                                         \
    for (int64_t i = 0; i < n; ++i) p[i] = part[i];                                                             \
  }                                                                                                             \
  KR_SIMD V P##_add(V a, V b) { return vaddq_##F(a, b); }                                                       \
  KR_SIMD V P##_sub(V a, V b) { return vsubq_##F(a, b); }                                                       \
  KR_SIMD V P##_mul(V a, V b) { return vmulq_##F(a, b); }                                                       \
  KR_SIMD V P##_div(V a, V b) { return vdivq_##F(a, b); }                                                       \
  KR_SIMD V P##_fma(V a, V b, V c) { return vfmaq_##F(c, a, b); }                                               \
  KR_SIMD V P##_fnma(V a, V b, V c) { return vfmsq_##F(c, a, b); }                                              \
  KR_SIMD V P##_min(V a, V b) { return vminq_##F(a, b); }                                                       \
  KR_SIMD V P##_max(V a, V b) { return vmaxq_##F(a, b); }                                                       \
  KR_SIMD V P##_min_nan(V a, V b) { return vminq_##F(a, b); }                                                   \
  KR_SIMD V P##_max_nan(V a, V b) { return vmaxq_##F(a, b); }                                                   \
  KR_SIMD V P##_sqrt(V a) { return vsqrtq_##F(a); }                                                             \
  KR_SIMD V P##_abs(V a) { return vabsq_##F(a); }                                                               \
  KR_SIMD V P##_neg(V a) { return vnegq_##F(a); }                                                               \
  KR_SIMD V P##_copysign(V a, V b) { return vbslq_##F(vreinterpretq_##U##_##F(vdupq_n_##F((T) - 0.0)), b, a); } \
  KR_SIMD V P##_round(V a) { return vrndnq_##F(a); }                                                            \
  KR_SIMD V P##_floor(V a) { return vrndmq_##F(a); }                                                            \
  KR_SIMD V P##_ceil(V a) { return vrndpq_##F(a); }                                                             \
  KR_SIMD V P##_trunc(V a) { return vrndq_##F(a); }                                                             \
  KR_SIMD VM P##_lt(V a, V b) { return vcltq_##F(a, b); }                                                       \
  KR_SIMD VM P##_le(V a, V b) { return vcleq_##F(a, b); }                                                       \
  KR_SIMD VM P##_gt(V a, V b) { return vcgtq_##F(a, b); }                                                       \
  KR_SIMD VM P##_ge(V a, V b) { return vcgeq_##F(a, b); }                                                       \
  KR_SIMD VM P##_eq(V a, V b) { return vceqq_##F(a, b); }                                                       \
  KR_SIMD VM P##_m_and(VM a, VM b) { return vandq_##U(a, b); }                                                  \
  KR_SIMD VM P##_m_or(VM a, VM b) { return vorrq_##U(a, b); }                                                   \
  KR_SIMD VM P##_m_not(VM a) { return veorq_##U(a, vdupq_n_##U((u##I) - 1)); }                                  \
  KR_SIMD VM P##_ne(V a, V b) { return P##_m_not(vceqq_##F(a, b)); }                                            \
  KR_SIMD VM P##_isnan(V a) { return P##_ne(a, a); }                                                            \
  KR_SIMD VM P##_unordered(V a, V b) { return P##_m_or(P##_isnan(a), P##_isnan(b)); }                           \
  KR_SIMD int P##_m_any(VM a) { return vmaxvq_u32(vreinterpretq_u32_##U(a)) != 0; }                             \
  KR_SIMD int P##_m_all(VM a) { return vminvq_u32(vreinterpretq_u32_##U(a)) != 0; }                             \
  KR_SIMD V P##_select(VM m, V a, V b) { return vbslq_##F(m, a, b); }                                           \
  KR_SIMD VI P##_to_int(V a) { return vcvtnq_##S##_##F(a); }                                                    \
  KR_SIMD V P##_i_to_real(VI a) { return vcvtq_##F##_##S(a); }                                                  \
  KR_SIMD VI P##_as_int(V a) { return vreinterpretq_##S##_##F(a); }                                             \
  KR_SIMD V P##_i_as_real(VI a) { return vreinterpretq_##F##_##S(a); }                                          \
  KR_SIMD VI P##_i_set1(I a) { return vdupq_n_##S(a); }                                                         \
  KR_SIMD VI P##_i_load(const I *p) { return vld1q_##S(p); }                                                    \
  KR_SIMD void P##_i_store(I *p, VI v) { vst1q_##S(p, v); }                                                     \
  KR_SIMD VI P##_i_add(VI a, VI b) { return vaddq_##S(a, b); }                                                  \
  KR_SIMD VI P##_i_sub(VI a, VI b) { return vsubq_##S(a, b); }                                                  \
  KR_SIMD VI P##_i_count(VI a, VM m) { return vsubq_##S(a, vreinterpretq_##S##_##U(m)); }                       \
  KR_SIMD VI P##_i_and(VI a, VI b) { return vandq_##S(a, b); }                                                  \
  KR_SIMD VI P##_i_or(VI a, VI b) { return vorrq_##S(a, b); }                                                   \
  KR_SIMD VI P##_i_xor(VI a, VI b) { return veorq_##S(a, b); }                                                  \
  KR_SIMD VI P##_i_shl(VI a, int n) { return vshlq_##S(a, vdupq_n_##S(n)); }                                    \
  KR_SIMD VI P##_i_shr(VI a, int n) {                                                                           \
    return vreinterpretq_##S##_##U(vshlq_##U(vreinterpretq_##U##_##S(a), vdupq_n_##S(-n)));                     \
  }

/* ACLE has no reinterpretation of a type as itself. */
#define vreinterpretq_u32_u32(a) (a)
KR_NEON(f32, float, int32_t, float32x4_t, int32x4_t, uint32x4_t, f32, s32, u32)
KR_NEON(f64, double, int64_t, float64x2_t, int64x2_t, uint64x2_t, f64, s64, u64)
#undef vreinterpretq_u32_u32
#undef KR_NEON

KR_SIMD v64i f64_i_mul_u32(v64i a, v64i b) {
  return vreinterpretq_s64_u64(vmull_u32(vmovn_u64(vreinterpretq_u64_s64(a)), vmovn_u64(vreinterpretq_u64_s64(b))));
}

KR_SIMD v64i f64_i_high(v64i a) { return vreinterpretq_s64_u64(vshrq_n_u64(vreinterpretq_u64_s64(a), 32)); }
KR_SIMD void f64_i_store_low(uint32_t *p, v64i a, v64i b) {
  vst1q_u32(p, vuzp1q_u32(vreinterpretq_u32_s64(a), vreinterpretq_u32_s64(b)));
}

/* vaddvq pairs neighbours on every CPU: the order is part of the instruction.  vmaxvq and vminvq keep NaN. */
KR_SIMD float f32_hsum(v32f a) { return vaddvq_f32(a); }
KR_SIMD float f32_hmax(v32f a) { return vmaxvq_f32(a); }
KR_SIMD float f32_hmin(v32f a) { return vminvq_f32(a); }
KR_SIMD double f64_hsum(v64f a) { return vaddvq_f64(a); }
KR_SIMD v32f f32_hsums(const v32f *v) { return vpaddq_f32(vpaddq_f32(v[0], v[1]), vpaddq_f32(v[2], v[3])); }
KR_SIMD v64f f64_hsums(const v64f *v) { return vpaddq_f64(v[0], v[1]); }
KR_SIMD v32f f32_hmaxs(const v32f *v) { return vpmaxq_f32(vpmaxq_f32(v[0], v[1]), vpmaxq_f32(v[2], v[3])); }
KR_SIMD v64f f64_hmaxs(const v64f *v) { return vpmaxq_f64(v[0], v[1]); }
KR_SIMD v32f f32_hmins(const v32f *v) { return vpminq_f32(vpminq_f32(v[0], v[1]), vpminq_f32(v[2], v[3])); }
KR_SIMD v64f f64_hmins(const v64f *v) { return vpminq_f64(v[0], v[1]); }
/* A lookup takes bytes: those of lane i begin at 4 i or 8 i. */
KR_SIMD v32f f32_take(v32f v, v32i i) {
  const uint32x4_t bytes = vmlaq_n_u32(vdupq_n_u32(0x03020100), vreinterpretq_u32_s32(i), 0x04040404);
  return vreinterpretq_f32_u8(vqtbl1q_u8(vreinterpretq_u8_f32(v), vreinterpretq_u8_u32(bytes)));
}
KR_SIMD v64f f64_take(v64f v, v64i i) {
  const uint32x4_t twice = vreinterpretq_u32_s64(vsliq_n_s64(i, i, 32)); /* there are no products of 64 bits */
  const uint32x4_t base = vreinterpretq_u32_u64(vdupq_n_u64(0x0706050403020100));
  return vreinterpretq_f64_u8(
      vqtbl1q_u8(vreinterpretq_u8_f64(v), vreinterpretq_u8_u32(vmlaq_n_u32(base, twice, 0x08080808))));
}
KR_SIMD void f32_columns(const float *p, int64_t s, v32f v[4]) {
  const v32f a = vld1q_f32(p), b = vld1q_f32(p + s), c = vld1q_f32(p + 2 * s), d = vld1q_f32(p + 3 * s);
  const v32f even = vzip1q_f32(a, c), odd = vzip1q_f32(b, d), even_up = vzip2q_f32(a, c), odd_up = vzip2q_f32(b, d);
  v[0] = vzip1q_f32(even, odd), v[1] = vzip2q_f32(even, odd);
  v[2] = vzip1q_f32(even_up, odd_up), v[3] = vzip2q_f32(even_up, odd_up);
}
KR_SIMD void f64_columns(const double *p, int64_t s, v64f v[4]) {
  for (int k = 0; k < 4; k += 2) {
    const v64f a = vld1q_f64(p + k), b = vld1q_f64(p + s + k);
    v[k] = vzip1q_f64(a, b), v[k + 1] = vzip2q_f64(a, b);
  }
}
KR_SIMD double f64_hmax(v64f a) { return vmaxvq_f64(a); }
KR_SIMD double f64_hmin(v64f a) { return vminvq_f64(a); }

#define KR_NEON_BYTES(P, T, V, M, U, F, LANES)                                         \
  KR_SIMD M P##_eq_u8(const uint8_t *p, int64_t n, uint8_t b) {                        \
    U part[LANES] = {0};                                                               \
    for (int64_t i = 0; i < (n < LANES ? n : LANES); ++i) part[i] = (U) - (p[i] == b); \
    M m;                                                                               \
    memcpy(&m, part, sizeof m);                                                        \
    return m;                                                                          \
  }                                                                                    \
  KR_SIMD V P##_load_u8(const uint8_t *p, int64_t n) {                                 \
    T part[LANES] = {0};                                                               \
    for (int64_t i = 0; i < (n < LANES ? n : LANES); ++i) part[i] = p[i];              \
    return vld1q_##F(part);                                                            \
  }                                                                                    \
  KR_SIMD void P##_store_u8(uint8_t *p, V v, int64_t n) {                              \
    T part[LANES];                                                                     \
    vst1q_##F(part, v);                                                                \
    for (int64_t i = 0; i < (n < LANES ? n : LANES); ++i) p[i] = (uint8_t)part[i];     \
  }
KR_NEON_BYTES(f32, float, v32f, v32m, uint32_t, f32, 4)
KR_NEON_BYTES(f64, double, v64f, v64m, uint64_t, f64, 2)
#undef KR_NEON_BYTES

#endif
