/* One lane of plain C: the portable dialect and the reference for the others. */
#ifndef KR_SIMD_SCALAR_H
#define KR_SIMD_SCALAR_H
#include <math.h>
#include <string.h>

#define KR_F32_LANES 1
#define KR_F64_LANES 1
typedef float v32f;
typedef int32_t v32i;
typedef int v32m;
typedef double v64f;
typedef int64_t v64i;
typedef int v64m;

#define KR_SCALAR(P, T, I, U, SUFFIX)                                                              \
  static inline T P##_zero(void) { return 0; }                                                     \
  static inline T P##_set1(T x) { return x; }                                                      \
  static inline T P##_load(const T *p) { return *p; }                                              \
  static inline void P##_store(T *p, T v) { *p = v; }                                              \
  static inline T P##_load_n(const T *p, int64_t n) { return n > 0 ? *p : 0; }                     \
  static inline T P##_load_or(const T *p, int64_t n, T v) { return n > 0 ? *p : v; }               \
  static inline void P##_store_n(T *p, T v, int64_t n) {                                           \
    if (n > 0) *p = v;                                                                             \
  }                                                                                                \
  static inline T P##_add(T a, T b) { return a + b; }                                              \
  static inline T P##_sub(T a, T b) { return a - b; }                                              \
  static inline T P##_mul(T a, T b) { return a * b; }                                              \
  static inline T P##_div(T a, T b) { return a / b; }                                              \
  static inline T P##_fma(T a, T b, T c) { return a * b + c; }                                     \
  static inline T P##_fnma(T a, T b, T c) { return c - a * b; }                                    \
  static inline T P##_min(T a, T b) { return a < b ? a : b; }                                      \
  static inline T P##_max(T a, T b) { return a > b ? a : b; }                                      \
  static inline T P##_min_nan(T a, T b) { return a != a ? a : b != b ? b : a < b ? a : b; }        \
  static inline T P##_max_nan(T a, T b) { return a != a ? a : b != b ? b : a > b ? a : b; }        \
  static inline T P##_sqrt(T a) { return sqrt##SUFFIX(a); }                                        \
  static inline T P##_abs(T a) { return fabs##SUFFIX(a); }                                         \
  static inline T P##_neg(T a) { return -a; }                                                      \
  static inline T P##_copysign(T a, T b) { return copysign##SUFFIX(a, b); }                        \
  static inline T P##_round(T a) { return nearbyint##SUFFIX(a); }                                  \
  static inline T P##_floor(T a) { return floor##SUFFIX(a); }                                      \
  static inline T P##_ceil(T a) { return ceil##SUFFIX(a); }                                        \
  static inline T P##_trunc(T a) { return trunc##SUFFIX(a); }                                      \
  static inline int P##_lt(T a, T b) { return a < b; }                                             \
  static inline int P##_le(T a, T b) { return a <= b; }                                            \
  static inline int P##_gt(T a, T b) { return a > b; }                                             \
  static inline int P##_ge(T a, T b) { return a >= b; }                                            \
  static inline int P##_eq(T a, T b) { return a == b; }                                            \
  static inline int P##_ne(T a, T b) { return a != b; }                                            \
  static inline int P##_isnan(T a) { return a != a; }                                              \
  static inline int P##_unordered(T a, T b) { return a != a || b != b; }                           \
  static inline T P##_select(int m, T a, T b) { return m ? a : b; }                                \
  static inline int P##_m_and(int a, int b) { return a & b; }                                      \
  static inline int P##_m_or(int a, int b) { return a | b; }                                       \
  static inline int P##_m_not(int a) { return !a; }                                                \
  static inline int P##_m_any(int a) { return a; }                                                 \
  static inline int P##_m_all(int a) { return a; }                                                 \
  static inline I P##_to_int(T a) { return (I)nearbyint##SUFFIX(a); }                              \
  static inline T P##_i_to_real(I a) { return (T)a; }                                              \
  static inline I P##_as_int(T a) {                                                                \
    I i;                                                                                           \
    memcpy(&i, &a, sizeof i);                                                                      \
    return i;                                                                                      \
  }                                                                                                \
  static inline T P##_i_as_real(I a) {                                                             \
    T x;                                                                                           \
    memcpy(&x, &a, sizeof x);                                                                      \
    return x;                                                                                      \
  }                                                                                                \
  static inline I P##_i_set1(I a) { return a; }                                                    \
  static inline I P##_i_load(const I *p) { return *p; }                                            \
  static inline void P##_i_store(I *p, I v) { *p = v; }                                            \
  static inline I P##_i_add(I a, I b) { return (I)((U)a + (U)b); }                                 \
  static inline I P##_i_sub(I a, I b) { return (I)((U)a - (U)b); }                                 \
  static inline I P##_i_and(I a, I b) { return a & b; }                                            \
  static inline I P##_i_or(I a, I b) { return a | b; }                                             \
  static inline I P##_i_xor(I a, I b) { return a ^ b; }                                            \
  static inline I P##_i_count(I a, int m) { return a + (m != 0); }                                 \
  static inline I P##_i_shl(I a, int n) { return (I)((U)a << n); }                                 \
  static inline I P##_i_shr(I a, int n) { return (I)((U)a >> n); }                                 \
  static inline T P##_load_u8(const uint8_t *p, int64_t n) { return n > 0 ? (T) * p : 0; }         \
  static inline int P##_eq_u8(const uint8_t *p, int64_t n, uint8_t b) { return n > 0 && *p == b; } \
  static inline void P##_store_u8(uint8_t *p, T v, int64_t n) {                                    \
    if (n > 0) *p = (uint8_t)v;                                                                    \
  }                                                                                                \
  static inline T P##_hsum(T a) { return a; }                                                      \
  static inline T P##_hmax(T a) { return a; }                                                      \
  static inline T P##_hmin(T a) { return a; }

KR_SCALAR(f32, float, int32_t, uint32_t, f)
KR_SCALAR(f64, double, int64_t, uint64_t, )
#undef KR_SCALAR

static inline v64i f64_i_mul_u32(v64i a, v64i b) { return (v64i)((uint64_t)(uint32_t)a * (uint32_t)b); }
static inline v64i f64_i_high(v64i a) { return (v64i)((uint64_t)a >> 32); }
static inline void f64_i_store_low(uint32_t *p, v64i a, v64i b) { p[0] = (uint32_t)a, p[1] = (uint32_t)b; }
static inline float f32_hsums(const float *rows) { return *rows; }
static inline double f64_hsums(const double *rows) { return *rows; }
static inline float f32_hmaxs(const float *rows) { return *rows; }
static inline double f64_hmaxs(const double *rows) { return *rows; }
static inline float f32_hmins(const float *rows) { return *rows; }
static inline double f64_hmins(const double *rows) { return *rows; }
static inline float f32_take(float v, int32_t i) {
  (void)i;
  return v;
}
static inline double f64_take(double v, int64_t i) {
  (void)i;
  return v;
}
static inline void f32_columns(const float *p, int64_t s, float v[4]) {
  (void)s;
  for (int k = 0; k < 4; ++k) v[k] = p[k];
}
static inline void f64_columns(const double *p, int64_t s, double v[4]) {
  (void)s;
  for (int k = 0; k < 4; ++k) v[k] = p[k];
}

#endif
