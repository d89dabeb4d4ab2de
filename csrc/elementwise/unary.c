/* Elementwise kernels of one operand: y[j] = op(x[j]).
 *
 * in: x of any shape.  out: y of the same shape, dtype of x, or bool for isnan, isinf, isfinite and logical_not.  y may
 * be x where the dtypes agree.  Errors of the elementary functions are vmath.h's; arcsin and what else comes from libm
 * have libm's; docs/accuracy.md has the bounds of all.  Attributes: f[0] of leaky_relu and elu.
 */
#include "activation.h"
#include "map.h"
#include "vmath.h"

/* Inverse of erf.  A first guess by Winitzki's formula (relative error 2e-3), then Halley's steps on erf or, in the
 * tail, on erfc: x - u / (1 + x u) with u = (erf(x) - y) / erf'(x), which triples the correct digits. */
static double inverse_erf(double y) {
  const double a = 0.147, two_over_sqrt_pi = 1.1283791670955125739;
  double m = fabs(y), rest = 1 - m;
  if (!(m < 1)) return m == 1 ? copysign(HUGE_VAL, y) : (double)NAN;
  if (m < 1e-8) return y / two_over_sqrt_pi;
  double l = log(rest) + log1p(m), b = 2 / (3.14159265358979323846 * a) + l / 2;
  double x = sqrt(sqrt(b * b - l / a) - b);
  for (int step = 0; step < 3; ++step) {
    double error = m < 0.5 ? erf(x) - m : rest - erfc(x);
    double u = error / (two_over_sqrt_pi * exp(-x * x));
    x -= u / (1 + x * u);
  }
  return copysign(x, y);
}

#define KR_REAL 32
#include "../base/real.h"
#include "unary_body.h"
#undef KR_REAL
#define KR_REAL 64
#include "../base/real.h"
#include "unary_body.h"
#undef KR_REAL

/* Integers wrap, as NumPy's do; the arithmetic is unsigned because signed overflow is undefined. */
#define INTEGER(name, suffix, type, expression)                                                       \
  static void name##_loop_##suffix(const void *in, void *out, int64_t n, KR_UNUSED const double *f) { \
    const type *xs = in;                                                                              \
    type *ys = out;                                                                                   \
    for (int64_t j = 0; j < n; ++j) {                                                                 \
      const type x = xs[j];                                                                           \
      ys[j] = (type)(expression);                                                                     \
    }                                                                                                 \
  }                                                                                                   \
  static kr_status name##_##suffix(const kr_call *c) {                                                \
    return kr_map_flat(c, name##_loop_##suffix, sizeof(type), sizeof(type));                          \
  }
#define INTEGERS(suffix, type, utype)                              \
  INTEGER(negative, suffix, type, 0 - (utype)x)                    \
  INTEGER(absolute, suffix, type, x < 0 ? 0 - (utype)x : (utype)x) \
  INTEGER(square, suffix, type, (utype)x *(utype)x)                \
  INTEGER(sign, suffix, type, (x > 0) - (x < 0))                   \
  INTEGER(relu, suffix, type, x > 0 ? x : 0)

INTEGERS(i32, int32_t, uint32_t)
INTEGERS(i64, int64_t, uint64_t)
INTEGER(logical_not, bool, uint8_t, !x)

#define BOTH(name) \
  {#name, KR_F32, name##_f32, NULL}, { #name, KR_F64, name##_f64, NULL }
#define ALL(name) \
  BOTH(name), {#name, KR_I32, name##_i32, NULL}, { #name, KR_I64, name##_i64, NULL }

KR_TABLE(unary) = {
    BOTH(exp),          BOTH(expm1),      BOTH(log),        BOTH(log1p),
    BOTH(log2),         BOTH(log10),      BOTH(sin),        BOTH(cos),
    BOTH(tan),          BOTH(sinh),       BOTH(cosh),       BOTH(tanh),
    BOTH(erf),          BOTH(erfc),       BOTH(erfinv),     BOTH(sqrt),
    BOTH(rsqrt),        BOTH(reciprocal), BOTH(floor),      BOTH(ceil),
    BOTH(trunc),        BOTH(rint),       BOTH(arcsin),     BOTH(arccos),
    BOTH(arctan),       BOTH(arcsinh),    BOTH(arccosh),    BOTH(arctanh),
    BOTH(cbrt),         BOTH(exp2),       BOTH(isnan),      BOTH(isinf),
    BOTH(isfinite),     BOTH(relu6),      BOTH(leaky_relu), BOTH(elu),
    BOTH(selu),         BOTH(gelu),       BOTH(gelu_tanh),  BOTH(sigmoid),
    BOTH(log_sigmoid),  BOTH(softplus),   BOTH(silu),       BOTH(softsign),
    BOTH(hard_sigmoid), BOTH(mish),       ALL(negative),    ALL(absolute),
    ALL(square),        ALL(sign),        ALL(relu),        {"logical_not", KR_BOOL, logical_not_bool, NULL},
    KR_TABLE_END};
