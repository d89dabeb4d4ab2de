/* The floating-point kernels of unary.c, once for float and once for double. */

/* A kernel from an expression in a vector x. */
#define UNARY(name, expression)                                                                     \
  static void KR_FN(name##_loop)(const void *in, void *out, int64_t n, KR_UNUSED const double *f) { \
    const real *xs = in;                                                                            \
    real *ys = out;                                                                                 \
    int64_t j = 0;                                                                                  \
    const kr_ahead ahead = kr_ahead_of(ys, ys == xs);                                               \
    for (; j + V_LANES <= n; j += V_LANES) {                                                        \
      kr_fetch_ahead(ahead, j * (int64_t)sizeof(real));                                             \
      vreal x = v_load(xs + j);                                                                     \
      v_store(ys + j, (expression));                                                                \
    }                                                                                               \
    if (j < n) {                                                                                    \
      vreal x = v_load_n(xs + j, n - j);                                                            \
      v_store_n(ys + j, (expression), n - j);                                                       \
    }                                                                                               \
  }                                                                                                 \
  static kr_status KR_FN(name)(const kr_call *c) {                                                  \
    return kr_map_flat(c, KR_FN(name##_loop), sizeof(real), sizeof(real));                          \
  }

/* A kernel from an expression in one element x, giving elements of type `result`. */
#define ELEMENT(name, result, expression)                                                           \
  static void KR_FN(name##_loop)(const void *in, void *out, int64_t n, KR_UNUSED const double *f) { \
    const real *xs = in;                                                                            \
    result *ys = out;                                                                               \
    for (int64_t j = 0; j < n; ++j) {                                                               \
      const real x = xs[j];                                                                         \
      ys[j] = (result)(expression);                                                                 \
    }                                                                                               \
  }                                                                                                 \
  static kr_status KR_FN(name)(const kr_call *c) {                                                  \
    return kr_map_flat(c, KR_FN(name##_loop), sizeof(real), sizeof(result));                        \
  }

#define ONE v_set1(1)
#define HALF v_set1((real)0.5)

UNARY(exp, v_exp(x))
UNARY(expm1, v_expm1(x))
UNARY(log, v_log(x))
UNARY(log1p, v_log1p(x))
UNARY(log2, v_log2(x))
UNARY(log10, v_log10(x))
UNARY(sin, v_sin(x))
UNARY(cos, v_cos(x))
UNARY(tan, v_tan(x))
UNARY(sinh, v_sinh(x))
UNARY(cosh, v_cosh(x))
UNARY(tanh, v_tanh(x))
UNARY(erf, v_erf(x))
UNARY(erfc, v_erfc(x))
UNARY(sqrt, v_sqrt(x))
UNARY(rsqrt, v_rsqrt(x))
UNARY(reciprocal, v_div(ONE, x))
UNARY(square, v_mul(x, x))
UNARY(negative, v_neg(x))
UNARY(absolute, v_abs(x))
UNARY(floor, v_floor(x))
UNARY(ceil, v_ceil(x))
UNARY(trunc, v_trunc(x))
UNARY(rint, v_round(x))
/* -1, 0 or 1; NaN stays (and so does the sign of zero) */
UNARY(sign, v_select(v_ne(v_abs(x), x), v_select(v_isnan(x), x, v_set1(-1)), v_select(v_gt(x, v_zero()), ONE, x)))

/* Rare enough that libm's element by element does. */
#if KR_REAL == 32
#define LIBM(fn) fn##f(x)
#else
#define LIBM(fn) fn(x)
#endif
ELEMENT(arcsin, real, LIBM(asin))
ELEMENT(arccos, real, LIBM(acos))
ELEMENT(arctan, real, LIBM(atan))
ELEMENT(arcsinh, real, LIBM(asinh))
ELEMENT(arccosh, real, LIBM(acosh))
ELEMENT(arctanh, real, LIBM(atanh))
ELEMENT(cbrt, real, LIBM(cbrt))
ELEMENT(exp2, real, LIBM(exp2))
ELEMENT(erfinv, real, inverse_erf((double)x))
#undef LIBM

ELEMENT(isnan, uint8_t, x != x)
ELEMENT(isinf, uint8_t, x == HUGE_VALF || x == -HUGE_VALF)
ELEMENT(isfinite, uint8_t, x - x == 0)

/* ---- activations; alpha, slope... are f[0] ---------------------------------------------------------------------- */

/* NaN stays NaN */
UNARY(relu, v_max_nan(x, v_zero()))
UNARY(relu6, v_min_nan(v_max_nan(x, v_zero()), v_set1(6)))
/* x, or f[0] x where x < 0 */
UNARY(leaky_relu, v_select(v_lt(x, v_zero()), v_mul(x, v_set1((real)f[0])), x))
/* x, or f[0] expm1(x) where x <= 0 */
UNARY(elu, v_select(v_gt(x, v_zero()), x, v_mul(v_set1((real)f[0]), v_expm1(x))))
/* scale elu(x, alpha) with the constants of Klambauer et al. 2017, equations 14 */
UNARY(selu, v_mul(v_set1((real)1.0507009873554804934193349852946),
                  v_select(v_gt(x, v_zero()), x, v_mul(v_set1((real)1.6732632423543772848170429916717), v_expm1(x)))))
/* x Phi(x) = x erfc(-x / sqrt(2)) / 2 */
UNARY(gelu, v_mul(v_mul(HALF, x), v_erfc(v_mul(x, v_set1((real)-0.70710678118654752440)))))
/* Hendrycks and Gimpel 2016: x (1 + tanh(u)) / 2 with u = sqrt(2/pi) (x + 0.044715 x^3), which is x sigmoid(2u), and
 * that does not cancel in the tail. */
UNARY(gelu_tanh, v_mul(x, v_sigmoid(v_mul(v_set1((real)1.5957691216057307118),
                                          v_fma(v_mul(v_set1((real)0.044715), x), v_mul(x, x), x)))))
UNARY(sigmoid, v_sigmoid(x))
UNARY(log_sigmoid, v_neg(v_softplus(v_neg(x))))
UNARY(softplus, v_softplus(x))
UNARY(silu, v_mul(x, v_sigmoid(x)))
UNARY(softsign, v_div(x, v_add(ONE, v_abs(x))))
/* relu6(x + 3) / 6 */
UNARY(hard_sigmoid, v_div(v_min_nan(v_max_nan(v_add(x, v_set1(3)), v_zero()), v_set1(6)), v_set1(6)))
/* x tanh(softplus(x)) */
UNARY(mish, v_mul(x, v_tanh(v_softplus(x))))

activation_fn KR_FN(activation_loop)(int code) {
  static const activation_fn loops[] = {[ACTIVATION_TANH] = KR_FN(tanh_loop),
                                        [ACTIVATION_SIGMOID] = KR_FN(sigmoid_loop),
                                        [ACTIVATION_GELU] = KR_FN(gelu_loop),
                                        [ACTIVATION_GELU_TANH] = KR_FN(gelu_tanh_loop),
                                        [ACTIVATION_SILU] = KR_FN(silu_loop),
                                        [ACTIVATION_RELU6] = KR_FN(relu6_loop),
                                        [ACTIVATION_SELU] = KR_FN(selu_loop),
                                        [ACTIVATION_SOFTPLUS] = KR_FN(softplus_loop),
                                        [ACTIVATION_SOFTSIGN] = KR_FN(softsign_loop),
                                        [ACTIVATION_HARD_SIGMOID] = KR_FN(hard_sigmoid_loop),
                                        [ACTIVATION_LOG_SIGMOID] = KR_FN(log_sigmoid_loop),
                                        [ACTIVATION_MISH] = KR_FN(mish_loop)};
  return loops[code];
}

#undef UNARY
#undef ELEMENT
#undef ONE
#undef HALF
