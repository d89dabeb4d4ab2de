/* Elementwise kernels of two operands, and select of three, under NumPy's broadcasting.
 *
 * in: a, b (select: condition as bool, a, b), each with a shape that broadcasts to the output's.  out: y.
 * No attributes.  y may be any operand that has y's shape and dtype.
 *
 * Registered under the dtype of a (select: of its second input).  Comparisons give bool.  maximum and minimum give NaN
 * where either operand is NaN.  mod has the sign of b, floor_divide rounds down.  Integers wrap; their division by zero
 * gives 0, as NumPy's does.  An integer to a negative power is 1 / (its positive power), cut to 0 but for 1 and -1.
 * power, arctan2, hypot and mod are libm's or vmath.h's (1 ULP); x^2, x^0.5 and x^-1 are one operation where the
 * exponent is constant along a row.
 */
#include "map.h"
#include "vmath.h"

/* A kernel from an expression in elements a and b; three loops, so that each can become vector code. */
#define BINARY_ELEMENT(name, suffix, type, result, expression) \
  BINARY_ELEMENT_(KR_PASTE(name##_loop_, suffix), KR_PASTE(name##_, suffix), type, result, expression)
#define BINARY_ELEMENT_(loop, kernel, type, result, expression)                                               \
  static void loop(const void *const *in, const int *step, void *out, int64_t n, KR_UNUSED const double *f) { \
    const type *as = in[0], *bs = in[1];                                                                      \
    result *ys = out;                                                                                         \
    if (step[0] && step[1]) {                                                                                 \
      for (int64_t j = 0; j < n; ++j) {                                                                       \
        const type a = as[j], b = bs[j];                                                                      \
        ys[j] = (result)(expression);                                                                         \
      }                                                                                                       \
    } else if (step[0]) {                                                                                     \
      const type b = *bs;                                                                                     \
      for (int64_t j = 0; j < n; ++j) {                                                                       \
        const type a = as[j];                                                                                 \
        ys[j] = (result)(expression);                                                                         \
      }                                                                                                       \
    } else {                                                                                                  \
      const type a = *as;                                                                                     \
      for (int64_t j = 0; j < n; ++j) {                                                                       \
        const type b = bs[j];                                                                                 \
        ys[j] = (result)(expression);                                                                         \
      }                                                                                                       \
    }                                                                                                         \
  }                                                                                                           \
  static kr_status kernel(const kr_call *c) {                                                                 \
    const size_t sizes[] = {sizeof(type), sizeof(type)};                                                      \
    return kr_map_broadcast(c, loop, sizes, sizeof(result));                                                  \
  }

#define COMPARISONS(suffix, type)                           \
  BINARY_ELEMENT(equal, suffix, type, uint8_t, a == b)      \
  BINARY_ELEMENT(not_equal, suffix, type, uint8_t, a != b)  \
  BINARY_ELEMENT(less, suffix, type, uint8_t, a < b)        \
  BINARY_ELEMENT(less_equal, suffix, type, uint8_t, a <= b) \
  BINARY_ELEMENT(greater, suffix, type, uint8_t, a > b)     \
  BINARY_ELEMENT(greater_equal, suffix, type, uint8_t, a >= b)

/* y = condition ? a : b */
#define SELECT(suffix, type) SELECT_(KR_PASTE(select_loop_, suffix), KR_PASTE(select_, suffix), type)
#define SELECT_(loop, kernel, type)                                                                           \
  static void loop(const void *const *in, const int *step, void *out, int64_t n, KR_UNUSED const double *f) { \
    const uint8_t *cs = in[0];                                                                                \
    const type *as = in[1], *bs = in[2];                                                                      \
    type *ys = out;                                                                                           \
    if (!step[0]) {                                                                                           \
      const type *from = *cs ? as : bs;                                                                       \
      const int64_t s = *cs ? step[1] : step[2];                                                              \
      for (int64_t j = 0; j < n; ++j) ys[j] = from[j * s];                                                    \
    } else if (step[1] && step[2]) {                                                                          \
      for (int64_t j = 0; j < n; ++j) {                                                                       \
        const type a = as[j], b = bs[j];                                                                      \
        ys[j] = cs[j] ? a : b;                                                                                \
      }                                                                                                       \
    } else if (step[1]) {                                                                                     \
      const type b = *bs;                                                                                     \
      for (int64_t j = 0; j < n; ++j) {                                                                       \
        const type a = as[j];                                                                                 \
        ys[j] = cs[j] ? a : b;                                                                                \
      }                                                                                                       \
    } else {                                                                                                  \
      const type a = *as;                                                                                     \
      const int64_t s = step[2];                                                                              \
      for (int64_t j = 0; j < n; ++j) {                                                                       \
        const type b = bs[j * s];                                                                             \
        ys[j] = cs[j] ? a : b;                                                                                \
      }                                                                                                       \
    }                                                                                                         \
  }                                                                                                           \
  static kr_status kernel(const kr_call *c) {                                                                 \
    const size_t sizes[] = {1, sizeof(type), sizeof(type)};                                                   \
    return kr_map_broadcast(c, loop, sizes, sizeof(type));                                                    \
  }

#define KR_REAL_SUFFIX f32
#define KR_REAL 32
#include "../base/real.h"
#include "binary_body.h"
#undef KR_REAL
#undef KR_REAL_SUFFIX
#define KR_REAL_SUFFIX f64
#define KR_REAL 64
#include "../base/real.h"
#include "binary_body.h"
#undef KR_REAL
#undef KR_REAL_SUFFIX

/* Division by 0 and the one quotient that overflows trap in hardware, so both are asked for first. */
#define INTEGERS(suffix, type, utype)                                           \
  KR_INLINE type floordiv_one_##suffix(type a, type b) {                        \
    if (b == 0) return 0;                                                       \
    if (b == -1) return (type)(0 - (utype)a);                                   \
    type q = a / b;                                                             \
    return (a % b != 0 && (a < 0) != (b < 0)) ? q - 1 : q;                      \
  }                                                                             \
  KR_INLINE type mod_one_##suffix(type a, type b) {                             \
    if (b == 0 || b == -1) return 0;                                            \
    type r = a % b;                                                             \
    return (r != 0 && (r < 0) != (b < 0)) ? r + b : r;                          \
  }                                                                             \
  KR_INLINE type power_one_##suffix(type a, type b) {                           \
    if (b < 0) return a == 1 ? 1 : a == -1 ? (b & 1 ? -1 : 1) : 0;              \
    utype base = (utype)a, y = 1;                                               \
    for (; b; b >>= 1, base *= base)                                            \
      if (b & 1) y *= base;                                                     \
    return (type)y;                                                             \
  }                                                                             \
  BINARY_ELEMENT(add, suffix, type, type, (utype)a + (utype)b)                  \
  BINARY_ELEMENT(subtract, suffix, type, type, (utype)a - (utype)b)             \
  BINARY_ELEMENT(multiply, suffix, type, type, (utype)a *(utype)b)              \
  BINARY_ELEMENT(maximum, suffix, type, type, a > b ? a : b)                    \
  BINARY_ELEMENT(minimum, suffix, type, type, a < b ? a : b)                    \
  BINARY_ELEMENT(floor_divide, suffix, type, type, floordiv_one_##suffix(a, b)) \
  BINARY_ELEMENT(mod, suffix, type, type, mod_one_##suffix(a, b))               \
  BINARY_ELEMENT(power, suffix, type, type, power_one_##suffix(a, b))           \
  COMPARISONS(suffix, type)                                                     \
  SELECT(suffix, type)

INTEGERS(i32, int32_t, uint32_t)
INTEGERS(i64, int64_t, uint64_t)
COMPARISONS(u8, uint8_t)
SELECT(u8, uint8_t)
BINARY_ELEMENT(logical_and, u8, uint8_t, uint8_t, (a != 0) & (b != 0))
BINARY_ELEMENT(logical_or, u8, uint8_t, uint8_t, (a | b) != 0)
BINARY_ELEMENT(logical_xor, u8, uint8_t, uint8_t, (a != 0) ^ (b != 0))

#define BOTH(name) \
  {#name, KR_F32, name##_f32, NULL}, { #name, KR_F64, name##_f64, NULL }
#define NUMBERS(name) \
  BOTH(name), {#name, KR_I32, name##_i32, NULL}, { #name, KR_I64, name##_i64, NULL }
#define ALL(name) \
  NUMBERS(name), {#name, KR_U8, name##_u8, NULL}, { #name, KR_BOOL, name##_u8, NULL }

KR_TABLE(binary) = {NUMBERS(add),
                    NUMBERS(subtract),
                    NUMBERS(multiply),
                    BOTH(divide),
                    NUMBERS(floor_divide),
                    NUMBERS(mod),
                    NUMBERS(power),
                    NUMBERS(maximum),
                    NUMBERS(minimum),
                    BOTH(arctan2),
                    BOTH(hypot),
                    BOTH(relu_grad),
                    BOTH(sigmoid_grad),
                    BOTH(tanh_grad),
                    ALL(equal),
                    ALL(not_equal),
                    ALL(less),
                    ALL(less_equal),
                    ALL(greater),
                    ALL(greater_equal),
                    ALL(select),
                    {"logical_and", KR_BOOL, logical_and_u8, NULL},
                    {"logical_or", KR_BOOL, logical_or_u8, NULL},
                    {"logical_xor", KR_BOOL, logical_xor_u8, NULL},
                    KR_TABLE_END};
