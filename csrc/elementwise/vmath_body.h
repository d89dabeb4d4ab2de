/* The functions of vmath.h, once for float and once for double. */

/* c[0] + c[1] x + ... + c[n-1] x^(n-1) */
KR_INLINE vreal KR_V(horner)(vreal x, const real *c, int n) {
  vreal y = v_set1(c[n - 1]);
#pragma GCC unroll 32
  for (int i = n - 2; i >= 0; --i) y = v_fma(y, x, v_set1(c[i]));
  return y;
}
#if KR_REAL == 32 && defined(KR_FOR_AVX512)
#include "vmath_avx512.h"
#define K_LOOKED_UP 1 /* exp, log, tanh, sigmoid, erf and erfc are there */
#else
#define K_LOOKED_UP 0
#endif
#define K_POLY(x, ...)                                      \
  ({                                                        \
    static const real c_[] = __VA_ARGS__;                   \
    KR_V(horner)((x), c_, (int)(sizeof c_ / sizeof c_[0])); \
  })

/* x where a function is not finite or not a number above `limit`: inf for large x, NaN for NaN. */
KR_INLINE vreal KR_V(upto)(vreal x, real limit, vreal y) {
  return v_select(v_le(x, v_set1(limit)), y, v_mul(x, v_set1(K_INF)));
}

/* ---- exponentials ---------------------------------------------------------------------------------------------- */

/* x = n ln(2) + r with |r| <= ln(2)/2.  *bits holds n in its low bits, so that a shift makes it an exponent. */
KR_INLINE vreal KR_V(exp_reduce)(vreal x, vint *bits) {
  vreal t = v_fma(x, v_set1(K_LOG2E), v_set1(K_MAGIC));
  vreal n = v_sub(t, v_set1(K_MAGIC));
  *bits = v_as_int(t);
  return v_fnma(n, v_set1(K_LN2_LO), v_fnma(n, v_set1(K_LN2_HI), x));
}

/* expm1(r) for a reduced r */
KR_INLINE vreal KR_V(exp_poly)(vreal r) { return v_fma(v_mul(r, r), K_POLY(r, K_EXP_Q), r); }

/* 2^n exp(r): adds to the exponent of a number near 1, right as long as the result is a normal number. */
KR_INLINE vreal KR_V(exp_scale)(vreal r, vint bits) {
  vreal p = v_add(v_set1(1), KR_V(exp_poly)(r));
  return vi_as_real(vi_add(v_as_int(p), vi_shl(bits, K_MANTISSA)));
}

#if !K_LOOKED_UP
KR_INLINE vreal KR_V(exp)(vreal x) {
  vint bits;
  vreal r = KR_V(exp_reduce)(x, &bits);
  vreal y = v_select(v_lt(x, v_set1(K_EXP_MIN)), v_zero(), KR_V(exp_scale)(r, bits));
  return KR_V(upto)(x, K_EXP_MAX, y);
}

/* The maximum is 0, or NaN. */
KR_INLINE vreal KR_V(exp_below)(vreal x) {
  vint bits;
  vreal r = KR_V(exp_reduce)(x, &bits);
  return v_select(v_ge(x, v_set1(K_EXP_MIN)), KR_V(exp_scale)(r, bits), v_max(v_zero(), x));
}
#else
KR_INLINE vreal KR_V(exp_below)(vreal x) { return KR_V(exp)(x); } /* its edges cost nothing */
#endif

#if KR_REAL == 64
KR_INLINE vreal KR_V(exp_weight)(vreal x) { return KR_V(exp)(x); }
#elif !K_LOOKED_UP
/* Nothing overflows, and ln(2) as one float errs by 2^-27 of 1 at most.  At -88.02 the power is -127 and the remainder above
 * 0, so that the exponent becomes 0 and the sign stays; the integer of NaN has no low bits, so that it stays as well. */
KR_INLINE vreal KR_V(exp_weight)(vreal x) {
  const vreal low = v_max(v_set1(-88.02f), x);
  const vint n = v_to_int(v_mul(low, v_set1(K_LOG2E)));
  const vreal r = v_fnma(vi_to_real(n), v_set1(0x1.62e43p-1f), low);
  const vreal p = v_fma(v_fma(K_POLY(r, K_EXP_Q), r, v_set1(1)), r, v_set1(1));
  return vi_as_real(vi_add(v_as_int(p), vi_shl(n, K_MANTISSA)));
}
#endif

/* exp(x + tail) for x <= 0 and a tail that is small beside x; the argument is more exact than a real can be. */
KR_INLINE vreal KR_V(exp_tail)(vreal x, vreal tail) {
  vint bits;
  vreal r = v_add(KR_V(exp_reduce)(x, &bits), tail);
  return v_select(v_ge(x, v_set1(K_EXP_MIN)), KR_V(exp_scale)(r, bits), v_zero());
}

/* exp(x) / 2 for x >= 0, finite a little beyond where exp(x) overflows. */
KR_INLINE vreal KR_V(half_exp)(vreal x) {
  vint bits;
  vreal r = KR_V(exp_reduce)(x, &bits);
  return KR_V(upto)(x, K_HALF_EXP_MAX, KR_V(exp_scale)(r, vi_sub(bits, vi_set1(1))));
}

/* 2^n p + (2^n - 1) with p = expm1(r); halved until the end, so that n = 128 does not overflow too early. */
KR_INLINE vreal KR_V(expm1_scale)(vreal r, vint bits) {
  vreal p = KR_V(exp_poly)(r);
  vint exponent = vi_add(vi_shl(bits, K_MANTISSA), vi_set1((ireal)(K_BIAS - 1) << K_MANTISSA));
  vreal half = vi_as_real(exponent);
  vreal y = v_fma(half, p, v_sub(half, v_set1((real)0.5)));
  return v_add(y, y);
}

KR_INLINE vreal KR_V(expm1)(vreal x) {
  vint bits;
  vreal r = KR_V(exp_reduce)(x, &bits);
  vreal y = v_select(v_lt(x, v_set1(K_EXPM1_MIN)), v_set1(-1), KR_V(expm1_scale)(r, bits));
  return v_copysign(KR_V(upto)(x, K_EXP_MAX, y), x);
}

/* ---- logarithms ------------------------------------------------------------------------------------------------ */

/* x = 2^e (1 + f) with sqrt(1/2) <= 1 + f < sqrt(2); *biased holds (e + bias) in the exponent's place.  x is normal and
 * positive; anything else gives finite rubbish that the caller selects away. */
KR_INLINE vreal KR_V(log_reduce)(vreal x, vreal *e, vint *biased) {
  const ireal one = (ireal)K_BIAS << K_MANTISSA, mantissa = ((ireal)1 << K_MANTISSA) - 1;
  vint u = vi_add(v_as_int(x), vi_set1(one - K_SQRT_HALF_BITS));
  vint exponent = vi_shr(u, K_MANTISSA);
  *biased = vi_shl(exponent, K_MANTISSA);
  *e = v_sub(vi_to_real(exponent), v_set1(K_BIAS));
  return v_sub(vi_as_real(vi_add(vi_and(u, vi_set1(mantissa)), vi_set1(K_SQRT_HALF_BITS))), v_set1(1));
}

/* log(1+f) = f - half + tail with half = f^2/2 */
KR_INLINE vreal KR_V(log_tail)(vreal f, KR_UNUSED vreal half) {
#if KR_REAL == 32
  return v_mul(v_mul(v_mul(f, f), f), K_POLY(f, K_LOG_P));
#else
  vreal s = v_div(f, v_add(v_set1(2), f));
  vreal z = v_mul(s, s);
  return v_mul(s, v_fma(z, K_POLY(z, K_LOG_R), half));
#endif
}

/* e ln(2) + log(1+f) */
KR_INLINE vreal KR_V(log_sum)(vreal e, vreal f) {
  vreal half = v_mul(v_set1((real)0.5), v_mul(f, f));
  vreal low = v_fma(e, v_set1(K_LN2_LO), KR_V(log_tail)(f, half));
  return v_fma(e, v_set1(K_LN2_HI), v_sub(f, v_sub(half, low)));
}

/* y, a logarithm of x, but for x that is zero, negative, infinite or NaN. */
KR_INLINE vreal KR_V(log_edges)(vreal x, vreal y) {
  vreal tiny = v_set1(K_MIN_NORMAL);
  vreal low = v_select(v_lt(v_abs(x), tiny), v_set1(-K_INF), v_set1(K_NAN));
  y = v_select(v_lt(x, tiny), low, y);
  return v_select(v_lt(x, v_set1(K_INF)), y, x);
}

#if !K_LOOKED_UP
KR_INLINE vreal KR_V(log)(vreal x) {
  vreal e;
  vint biased;
  vreal f = KR_V(log_reduce)(x, &e, &biased);
  return KR_V(log_edges)(x, KR_V(log_sum)(e, f));
}
#endif

/* log(1+f) as hi + lo with a short hi, so that hi times a short constant is exact. */
KR_INLINE vreal KR_V(log_split)(vreal f, vreal *lo) {
  vreal half = v_mul(v_set1((real)0.5), v_mul(f, f));
  vreal hi = vi_as_real(vi_and(v_as_int(v_sub(f, half)), vi_set1(K_CLEAR)));
  *lo = v_add(v_sub(v_sub(f, hi), half), KR_V(log_tail)(f, half));
  return hi;
}

/* y + (hi + lo) c where c = c_hi + c_lo, summed without losing low parts; y is exact and either 0 or the larger. */
KR_INLINE vreal KR_V(log_scale)(vreal y, vreal y_lo, vreal hi, vreal lo, real c_hi, real c_lo) {
  vreal high = v_mul(hi, v_set1(c_hi));
  vreal low = v_add(v_fma(v_add(lo, hi), v_set1(c_lo), v_mul(lo, v_set1(c_hi))), y_lo);
  vreal sum = v_add(y, high);
  return v_add(v_add(low, v_add(v_sub(y, sum), high)), sum);
}

KR_INLINE vreal KR_V(log2)(vreal x) {
  vreal e, lo;
  vint biased;
  vreal hi = KR_V(log_split)(KR_V(log_reduce)(x, &e, &biased), &lo);
  return KR_V(log_edges)(x, KR_V(log_scale)(e, v_zero(), hi, lo, K_LOG2E_HI, K_LOG2E_LO));
}

KR_INLINE vreal KR_V(log10)(vreal x) {
  vreal e, lo;
  vint biased;
  vreal hi = KR_V(log_split)(KR_V(log_reduce)(x, &e, &biased), &lo);
  vreal y = v_mul(e, v_set1(K_LOG10_2_HI)), y_lo = v_mul(e, v_set1(K_LOG10_2_LO));
  return KR_V(log_edges)(x, KR_V(log_scale)(y, y_lo, hi, lo, K_LOG10E_HI, K_LOG10E_LO));
}

/* The exponent comes from 1 + x, which rounds; f from 2^-e x + (2^-e - 1), whose only rounding is its last. */
KR_INLINE vreal KR_V(log1p)(vreal x) {
  vreal u = v_add(v_set1(1), x), e;
  vint biased;
  vreal f_big = KR_V(log_reduce)(u, &e, &biased);
  vreal scale = vi_as_real(vi_sub(vi_set1((ireal)(2 * K_BIAS) << K_MANTISSA), biased));
  vreal f = v_fma(x, scale, v_sub(scale, v_set1(1)));
  f = v_select(v_gt(x, v_set1(K_LOG1P_BIG)), f_big, f);
  return v_copysign(KR_V(log_edges)(u, KR_V(log_sum)(e, f)), x);
}

/* ---- trigonometry ---------------------------------------------------------------------------------------------- */

/* sin and cos of the reduced argument r = x - n pi/2; returns the quadrant n, of which the low two bits count.  n times
 * each part of pi/2 is exact, so the rounding error of each subtraction is known and collected in e. */
KR_INLINE vint KR_V(sincos)(vreal x, vreal *s, vreal *c) {
  static const real parts[] = K_PIO2_PARTS;
  enum { LAST = (int)(sizeof parts / sizeof parts[0]) - 1 };
  vreal t = v_fma(x, v_set1(K_2_OVER_PI), v_set1(K_MAGIC));
  vreal n = v_sub(t, v_set1(K_MAGIC)), r = v_fnma(n, v_set1(parts[0]), x), e = v_zero();
#pragma GCC unroll 8
  for (int i = 1; i < LAST; ++i) {
    vreal next = v_fnma(n, v_set1(parts[i]), r);
    e = v_add(e, v_fnma(n, v_set1(parts[i]), v_sub(r, next)));
    r = next;
  }
  r = v_add(r, v_fnma(n, v_set1(parts[LAST]), e));
  vreal z = v_mul(r, r);
  *s = v_fma(v_mul(r, z), K_POLY(z, K_SIN_S), r);
  *c = v_fma(v_mul(z, z), K_POLY(z, K_COS_C), v_fnma(v_set1((real)0.5), z, v_set1(1)));
  return v_as_int(t);
}

/* The top two bits of `quadrant`: odd ones are +-2.0, so "is odd" is a comparison with 0. */
KR_INLINE vint KR_V(quadrant_bits)(vint quadrant) { return vi_shl(quadrant, 8 * (int)sizeof(real) - 2); }

KR_INLINE vreal KR_V(quadrant_value)(vint quadrant, vreal even, vreal odd) {
  vint top = KR_V(quadrant_bits)(quadrant);
  vreal y = v_select(v_ne(vi_as_real(top), v_zero()), odd, even);
  return vi_as_real(vi_xor(v_as_int(y), vi_and(top, vi_set1(K_SIGN))));
}

/* Replaces the lanes whose argument is too large for the reduction (or not finite) by libm's value. */
static __attribute__((noinline, unused)) vreal KR_V(trig_large)(vreal x, vreal y, double (*fn)(double)) {
  KR_ALIGNED real xs[V_LANES];
  KR_ALIGNED real ys[V_LANES];
  v_store(xs, x);
  v_store(ys, y);
  for (int i = 0; i < V_LANES; ++i)
    if (!(fabs((double)xs[i]) <= K_TRIG_LIMIT)) ys[i] = (real)fn((double)xs[i]);
  return v_load(ys);
}

KR_INLINE vreal KR_V(trig_edges)(vreal x, vreal y, double (*fn)(double)) {
  if (m_all(v_le(v_abs(x), v_set1(K_TRIG_LIMIT)))) return y;
  return KR_V(trig_large)(x, y, fn);
}

KR_INLINE vreal KR_V(sin)(vreal x) {
  vreal s, c;
  vint quadrant = KR_V(sincos)(x, &s, &c);
  vreal y = KR_V(quadrant_value)(quadrant, s, c);
  return KR_V(trig_edges)(x, v_select(v_eq(x, v_zero()), x, y), sin);
}

KR_INLINE vreal KR_V(cos)(vreal x) {
  vreal s, c;
  vint quadrant = KR_V(sincos)(x, &s, &c);
  vreal y = KR_V(quadrant_value)(vi_add(quadrant, vi_set1(1)), s, c);
  return KR_V(trig_edges)(x, y, cos);
}

KR_INLINE vreal KR_V(tan)(vreal x) {
  vreal s, c;
  vint quadrant = KR_V(sincos)(x, &s, &c);
  vmask odd = v_ne(vi_as_real(KR_V(quadrant_bits)(quadrant)), v_zero());
  vreal y = v_div(v_select(odd, v_neg(c), s), v_select(odd, s, c));
  return KR_V(trig_edges)(x, v_select(v_eq(x, v_zero()), x, y), tan);
}

/* ---- hyperbolic functions and their kin -------------------------------------------------------------------------- */

/* (t + t / (t+1)) / 2 with t = expm1(|x|); halves first where t overflows. */
KR_INLINE vreal KR_V(sinh)(vreal x) {
  vreal a = v_abs(x), t = KR_V(expm1)(a);
  vreal small = v_mul(v_set1((real)0.5), v_add(t, v_div(t, v_add(t, v_set1(1)))));
  vreal y = v_select(v_lt(a, v_set1((real)40)), small, KR_V(half_exp)(a));
  return v_copysign(y, x);
}

KR_INLINE vreal KR_V(cosh)(vreal x) {
  vreal h = KR_V(half_exp)(v_abs(x));
  return v_add(h, v_div(v_set1((real)0.25), h));
}

#if !K_LOOKED_UP
/* -t / (t+2) with t = expm1(-2|x|), which never overflows and never cancels; |x| is cut where t rounds to -1. */
KR_INLINE vreal KR_V(tanh)(vreal x) {
  vint bits;
  vreal a = v_mul(v_set1(-2), v_abs(x));
  vreal r = KR_V(exp_reduce)(v_max(v_set1(K_EXPM1_MIN), a), &bits);
  vreal t = KR_V(expm1_scale)(r, bits);
  return v_copysign(v_div(t, v_add(t, v_set1(2))), x);
}

KR_INLINE vreal KR_V(sigmoid)(vreal x) { return v_div(v_set1(1), v_add(v_set1(1), KR_V(exp)(v_neg(x)))); }
#endif

/* log1p(t) for 0 <= t <= 1, where the exponent of 1 + t is 0 or 1 and f is exact. */
KR_INLINE vreal KR_V(log1p_unit)(vreal t) {
  vreal one = v_set1(1);
  vmask upper = v_gt(t, v_set1((real)0.41421356237309504880));
  vreal e = v_select(upper, one, v_zero());
  return KR_V(log_sum)(e, v_select(upper, v_mul(v_sub(t, one), v_set1((real)0.5)), t));
}

KR_INLINE vreal KR_V(softplus)(vreal x) {
  return v_add(v_max(x, v_zero()), KR_V(log1p_unit)(KR_V(exp_below)(v_neg(v_abs(x)))));
}

/* ---- error function -------------------------------------------------------------------------------------------- */

#if !K_LOOKED_UP
/* erf(a) for 0 <= a <= 1 */
KR_INLINE vreal KR_V(erf_small)(vreal a) { return v_fma(a, K_POLY(v_mul(a, a), K_ERF_P), a); }

/* erfc(a) for a >= 0.45.  exp(-a^2) has its argument in two parts: the rounding of a^2 alone would cost a^2 ULP. */
KR_INLINE vreal KR_V(erfc_large)(vreal a) {
  vreal k = v_set1(K_ERFC_K);
  vreal t = v_div(v_sub(a, k), v_add(a, k));
  vreal r = v_div(K_POLY(t, K_ERFC_R), v_fma(v_set1(2), a, v_set1(1)));
  vreal high = vi_as_real(vi_and(v_as_int(a), vi_set1(K_CLEAR)));
  vreal tail = v_mul(v_sub(high, a), v_add(high, a));
  return v_mul(r, KR_V(exp_tail)(v_neg(v_mul(high, high)), tail));
}

KR_INLINE vreal KR_V(erf)(vreal x) {
  vreal a = v_abs(x);
  vreal y = v_select(v_lt(a, v_set1(1)), KR_V(erf_small)(a), v_sub(v_set1(1), KR_V(erfc_large)(a)));
  y = v_select(v_lt(a, v_set1((real)7)), y, v_select(v_isnan(x), x, v_set1(1)));
  return v_copysign(y, x);
}

KR_INLINE vreal KR_V(erfc)(vreal x) {
  vreal a = v_abs(x), one = v_set1(1);
  vmask negative = v_lt(x, v_zero());
  vreal large = KR_V(erfc_large)(a);
  large = v_select(v_lt(a, v_set1((real)28)), large, v_select(v_isnan(x), x, v_zero()));
  large = v_select(negative, v_sub(v_set1(2), large), large);
  return v_select(v_lt(a, v_set1((real)0.5)), v_sub(one, v_copysign(KR_V(erf_small)(a), x)), large);
}
#endif

/* ---- powers ---------------------------------------------------------------------------------------------------- */

KR_INLINE vreal KR_V(rsqrt)(vreal x) { return v_div(v_set1(1), v_sqrt(x)); }

#if KR_REAL == 64
/* |x|^y as exp(y log|x|) and then C's rules for signs and the special pairs.  Good to |y log x| 2^-52, so for float
 * arguments it is correctly rounded but for rare ties. */
KR_INLINE vreal KR_V(pow_loose)(vreal x, vreal y) {
  vreal one = v_set1(1), zero = v_zero(), a = v_abs(x);
  vreal p = KR_V(exp)(v_mul(y, KR_V(log)(a)));
  vreal half = v_mul(y, v_set1(0.5));
  vmask whole = v_eq(v_trunc(y), y), odd = m_and(whole, v_ne(v_trunc(half), half));
  vmask finite = v_lt(a, v_set1(K_INF)), nonzero = v_gt(a, zero);
  p = v_select(m_and(v_lt(x, zero), m_and(m_and(finite, nonzero), m_not(whole))), v_set1(K_NAN), p);
  p = v_select(odd, v_copysign(p, x), p);
  p = v_select(m_and(v_eq(a, one), v_eq(v_abs(y), v_set1(K_INF))), one, p);
  return v_select(m_or(v_eq(y, zero), v_eq(x, one)), one, p);
}

static __attribute__((noinline, unused)) vreal KR_V(pow)(vreal x, vreal y) {
  KR_ALIGNED double xs[V_LANES];
  KR_ALIGNED double ys[V_LANES];
  v_store(xs, x);
  v_store(ys, y);
  for (int i = 0; i < V_LANES; ++i) xs[i] = pow(xs[i], ys[i]);
  return v_load(xs);
}
#else
KR_INLINE vreal KR_V(pow)(vreal x, vreal y) {
  KR_ALIGNED float xs[V_LANES];
  KR_ALIGNED float ys[V_LANES];
  KR_ALIGNED double xd[V_LANES];
  KR_ALIGNED double yd[V_LANES];
  v_store(xs, x);
  v_store(ys, y);
  for (int i = 0; i < V_LANES; ++i) xd[i] = (double)xs[i], yd[i] = (double)ys[i];
  for (int i = 0; i < V_LANES; i += KR_F64_LANES) f64_store(xd + i, f64_pow_loose(f64_load(xd + i), f64_load(yd + i)));
  for (int i = 0; i < V_LANES; ++i) xs[i] = (float)xd[i];
  return v_load(xs);
}
#endif

#undef K_POLY
#undef K_LOOKED_UP
#undef K_MANTISSA
#undef K_BIAS
#undef K_SIGN
#undef K_MAGIC
#undef K_MIN_NORMAL
#undef K_INF
#undef K_NAN
#undef K_CLEAR
#undef K_SQRT_HALF_BITS
#undef K_LOG2E
#undef K_LN2_HI
#undef K_LN2_LO
#undef K_EXP_MAX
#undef K_HALF_EXP_MAX
#undef K_EXP_MIN
#undef K_EXPM1_MIN
#undef K_LOG1P_BIG
#undef K_LOG2E_HI
#undef K_LOG2E_LO
#undef K_LOG10E_HI
#undef K_LOG10E_LO
#undef K_LOG10_2_HI
#undef K_LOG10_2_LO
#undef K_2_OVER_PI
#undef K_TRIG_LIMIT
#undef K_PIO2_PARTS
#undef K_EXP_Q
#undef K_LOG_P
#undef K_LOG_R
#undef K_SIN_S
#undef K_COS_C
#undef K_ERF_P
#undef K_ERFC_K
#undef K_ERFC_R
