/* cast: elements from one dtype to another, as NumPy's astype.
 *
 * in: x of any shape.  out: y of the same shape, of the dtype i[0] (a kr_dtype).  Registered under the dtype of x, for
 * all pairs.  y is not x.
 *
 * To bool: whether not zero (NaN is).  Between integers: modulo the target's range.  To floats: to nearest.  Floats to
 * integers: cut towards zero; what the target cannot hold is undefined in C, here it is what NumPy gives on
 * x86: the most negative value for 32 and 64 bits (NaN, too), and its low bits for narrower targets.
 * float64 to float16 rounds once, not by way of float32.
 */
#include "map.h"
#if defined(__F16C__)
#include <immintrin.h>
#endif

typedef struct {
  uint16_t bits;
} half;

/* ---- float16 ---------------------------------------------------------------------------------------------------- */

/* Works on the bits, so that flush-to-zero cannot touch the denormals of either side. */
static float half_to_float(half h) {
  uint32_t sign = (uint32_t)(h.bits & 0x8000) << 16, magnitude = h.bits & 0x7fff, bits;
  if (magnitude >= 0x7c00) {
    bits = 0x7f800000 | (magnitude & 0x3ff) << 13; /* inf, or NaN with its payload */
  } else if (magnitude >= 0x400) {
    bits = (magnitude << 13) + ((127 - 15) << 23);
  } else { /* magnitude 2^-24, exact */
    float f = (float)(int32_t)magnitude * 0x1p-24f;
    memcpy(&bits, &f, sizeof bits);
  }
  bits |= sign;
  float f;
  memcpy(&f, &bits, sizeof f);
  return f;
}

/* To nearest, ties to even. */
static half double_to_half(double x) {
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  uint16_t sign = (uint16_t)(bits >> 48 & 0x8000);
  uint64_t magnitude = bits & INT64_MAX;
  if (magnitude >= (uint64_t)0x7ff << 52) {
    uint16_t payload = magnitude > (uint64_t)0x7ff << 52 ? (uint16_t)(0x200 | (magnitude >> 42 & 0x3ff)) : 0;
    return (half){(uint16_t)(sign | 0x7c00 | payload)};
  }
  int exponent = (int)(magnitude >> 52) - 1023;
  if (exponent > 15) return (half){(uint16_t)(sign | 0x7c00)};
  if (exponent < -25) return (half){sign};
  /* The value is m 2^(exponent-52); m is shifted until its unit is the half's last place. */
  uint64_t m = (magnitude & (((uint64_t)1 << 52) - 1)) | (uint64_t)1 << 52;
  int shift = exponent >= -14 ? 42 : 28 - exponent;
  uint64_t kept = m >> shift, lost = m & (((uint64_t)1 << shift) - 1), tie = (uint64_t)1 << (shift - 1);
  kept += lost > tie || (lost == tie && (kept & 1));
  /* For normal numbers `kept` still has its leading 1, which counts for one in the exponent; a carry does the same. */
  uint64_t biased = exponent >= -14 ? (uint64_t)(exponent + 14) << 10 : 0;
  return (half){(uint16_t)(sign | (biased + kept))};
}

/* ---- one element from double or int64, which hold every source's value ------------------------------------------ */

/* cvttsd2si's answer, without its undefined behaviour */
KR_INLINE int32_t double_to_i32(double x) { return x > -2147483649.0 && x < 2147483648.0 ? (int32_t)x : INT32_MIN; }
KR_INLINE int32_t float_to_i32(float x) { return x >= -0x1p31f && x < 0x1p31f ? (int32_t)x : INT32_MIN; }
#define to_i32(x) _Generic((x), float: float_to_i32, double: double_to_i32)(x)
KR_INLINE int64_t to_i64(double x) { return x >= -0x1p63 && x < 0x1p63 ? (int64_t)x : INT64_MIN; }
KR_INLINE uint64_t to_u64(double x) {
  return x < 0x1p63   ? (uint64_t)to_i64(x)
         : x < 0x1p64 ? (uint64_t)to_i64(x - 0x1p63) + ((uint64_t)1 << 63)
                      : (uint64_t)1 << 63;
}

#define LOOP(source, target, name, expression)                                        \
  static void name(const void *in, void *out, int64_t n, KR_UNUSED const double *f) { \
    const source *xs = in;                                                            \
    target *ys = out;                                                                 \
    for (int64_t j = 0; j < n; ++j) {                                                 \
      const source x = xs[j];                                                         \
      ys[j] = (expression);                                                           \
    }                                                                                 \
  }

/* From integers (and bool, whose bytes are 0 and 1). */
#define FROM_INTEGER(s, source)                                    \
  LOOP(source, uint8_t, s##_to_bool, x != 0)                       \
  LOOP(source, int8_t, s##_to_i8, (int8_t)x)                       \
  LOOP(source, uint8_t, s##_to_u8, (uint8_t)x)                     \
  LOOP(source, int16_t, s##_to_i16, (int16_t)x)                    \
  LOOP(source, uint16_t, s##_to_u16, (uint16_t)x)                  \
  LOOP(source, int32_t, s##_to_i32, (int32_t)x)                    \
  LOOP(source, uint32_t, s##_to_u32, (uint32_t)x)                  \
  LOOP(source, int64_t, s##_to_i64, (int64_t)x)                    \
  LOOP(source, uint64_t, s##_to_u64, (uint64_t)x)                  \
  LOOP(source, half, s##_to_f16, double_to_half((double)(float)x)) \
  LOOP(source, float, s##_to_f32, (float)x)                        \
  LOOP(source, double, s##_to_f64, (double)x)

/* From floats; VALUE makes a float or double of an element. */
#define FROM_REAL(s, source, VALUE)                              \
  LOOP(source, uint8_t, s##_to_bool, VALUE(x) != 0)              \
  LOOP(source, int8_t, s##_to_i8, (int8_t)to_i32(VALUE(x)))      \
  LOOP(source, uint8_t, s##_to_u8, (uint8_t)to_i32(VALUE(x)))    \
  LOOP(source, int16_t, s##_to_i16, (int16_t)to_i32(VALUE(x)))   \
  LOOP(source, uint16_t, s##_to_u16, (uint16_t)to_i32(VALUE(x))) \
  LOOP(source, int32_t, s##_to_i32, to_i32(VALUE(x)))            \
  LOOP(source, uint32_t, s##_to_u32, (uint32_t)to_i64(VALUE(x))) \
  LOOP(source, int64_t, s##_to_i64, to_i64(VALUE(x)))            \
  LOOP(source, uint64_t, s##_to_u64, to_u64(VALUE(x)))           \
  LOOP(source, float, s##_to_f32, (float)VALUE(x))               \
  LOOP(source, double, s##_to_f64, (double)VALUE(x))

#define SAME(x) (x)
FROM_INTEGER(bool, uint8_t)
FROM_INTEGER(i8, int8_t)
FROM_INTEGER(u8, uint8_t)
FROM_INTEGER(i16, int16_t)
FROM_INTEGER(u16, uint16_t)
FROM_INTEGER(i32, int32_t)
FROM_INTEGER(u32, uint32_t)
FROM_INTEGER(i64, int64_t)
FROM_INTEGER(u64, uint64_t)
FROM_REAL(f16, half, half_to_float)
FROM_REAL(f32, float, SAME)
FROM_REAL(f64, double, SAME)
LOOP(half, half, f16_to_f16, x)
LOOP(double, half, f64_to_f16, double_to_half(x))

#if defined(__F16C__)
static void f32_to_f16(const void *in, void *out, int64_t n, KR_UNUSED const double *f) {
  const float *xs = in;
  uint16_t *ys = out;
  int64_t j = 0;
  for (; j + 8 <= n; j += 8)
    _mm_storeu_si128((__m128i *)(ys + j), _mm256_cvtps_ph(_mm256_loadu_ps(xs + j), _MM_FROUND_TO_NEAREST_INT));
  for (; j < n; ++j) ys[j] = (uint16_t)_cvtss_sh(xs[j], _MM_FROUND_TO_NEAREST_INT);
}

static void f16_to_f32_fast(const void *in, void *out, int64_t n, KR_UNUSED const double *f) {
  const uint16_t *xs = in;
  float *ys = out;
  int64_t j = 0;
  for (; j + 8 <= n; j += 8) _mm256_storeu_ps(ys + j, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(xs + j))));
  for (; j < n; ++j) ys[j] = _cvtsh_ss(xs[j]);
}
#else
LOOP(float, half, f32_to_f16, double_to_half((double)x))
#define f16_to_f32_fast f16_to_f32
#endif

/* ---- the pairs -------------------------------------------------------------------------------------------------- */

#define ROW(s, F32)                                                         \
  {s##_to_bool, s##_to_i8,  s##_to_u8,  s##_to_i16, s##_to_u16, s##_to_i32, \
   s##_to_u32,  s##_to_i64, s##_to_u64, s##_to_f16, F32,        s##_to_f64}

static const size_t element_size[KR_NUM_DTYPES] = {1, 1, 1, 2, 2, 4, 4, 8, 8, 2, 4, 8};
static const kr_unary_fn loops[KR_NUM_DTYPES][KR_NUM_DTYPES] = {
    ROW(bool, bool_to_f32), ROW(i8, i8_to_f32),        ROW(u8, u8_to_f32),   ROW(i16, i16_to_f32),
    ROW(u16, u16_to_f32),   ROW(i32, i32_to_f32),      ROW(u32, u32_to_f32), ROW(i64, i64_to_f32),
    ROW(u64, u64_to_f32),   ROW(f16, f16_to_f32_fast), ROW(f32, f32_to_f32), ROW(f64, f64_to_f32)};

static kr_status cast(const kr_call *c) {
  int64_t target = c->i[0];
  if (target < 0 || target >= KR_NUM_DTYPES || target != c->out[0].dtype) return KR_EINTERNAL;
  int32_t source = c->in[0].dtype;
  return kr_map_flat(c, loops[source][target], element_size[source], element_size[target]);
}

KR_TABLE(cast) = {{"cast", KR_BOOL, cast, NULL},
                  {"cast", KR_I8, cast, NULL},
                  {"cast", KR_U8, cast, NULL},
                  {"cast", KR_I16, cast, NULL},
                  {"cast", KR_U16, cast, NULL},
                  {"cast", KR_I32, cast, NULL},
                  {"cast", KR_U32, cast, NULL},
                  {"cast", KR_I64, cast, NULL},
                  {"cast", KR_U64, cast, NULL},
                  {"cast", KR_F16, cast, NULL},
                  {"cast", KR_F32, cast, NULL},
                  {"cast", KR_F64, cast, NULL},
                  KR_TABLE_END};
