/* Uniform words to normal and truncated normal variates, in double without fma: every step is correctly rounded IEEE
 * arithmetic, so the results have the same bits on every ISA and every machine. */
#ifndef KR_QUANTILE_H
#define KR_QUANTILE_H
#include "../base/kernel.h"

KR_INLINE v64f q_poly(v64f x, const double *c, int n) {
  v64f y = f64_set1(c[n - 1]);
  for (int k = n - 2; k >= 0; --k) y = f64_add(f64_mul(y, x), f64_set1(c[k]));
  return y;
}

/* Natural logarithm for x in (0, 1], at least 2^-1000; within 1 ulp.  As in fdlibm: x = 2^e (1 + f) with 1 + f between
 * sqrt(1/2) and sqrt(2), s = f / (2 + f), log(1 + f) = f - f^2/2 + s (f^2/2 + R(s^2)). */
KR_INLINE v64f q_log(v64f x) {
  static const double R[] = {6.666666666666735130e-01, 3.999999999940941908e-01, 2.857142874366239149e-01,
                             2.222219843214978396e-01, 1.818357216161805012e-01, 1.531383769920937332e-01,
                             1.479819860511658591e-01};
  /* Adding the distance from sqrt(1/2) to 1 carries into the exponent exactly where x is to be halved. */
  v64i bits = f64_i_add(f64_as_int(x), f64_i_set1(0x3ff0000000000000 - 0x3fe6a09e00000000));
  v64f e =
      f64_sub(f64_i_as_real(f64_i_or(f64_i_shr(bits, 52), f64_i_set1(0x4330000000000000))), f64_set1(0x1p52 + 1023));
  v64i significand = f64_i_add(f64_i_and(bits, f64_i_set1(0x000fffffffffffff)), f64_i_set1(0x3fe6a09e00000000));
  v64f f = f64_sub(f64_i_as_real(significand), f64_set1(1));
  v64f s = f64_div(f, f64_add(f64_set1(2), f)), z = f64_mul(s, s), half = f64_mul(f64_set1(0.5), f64_mul(f, f));
  v64f r = f64_mul(z, q_poly(z, R, 7));
  v64f low = f64_add(f64_mul(s, f64_add(half, r)), f64_mul(e, f64_set1(1.90821492927058770002e-10)));
  return f64_add(f64_mul(e, f64_set1(6.93147180369123816490e-01)), f64_sub(f, f64_sub(half, low)));
}

/* sin and cos of 2 pi u, u in [0, 1); absolute error below 2e-16.  4 u = q + r with r in [-1/2, 1/2] exactly, the
 * Taylor polynomials of sin and cos on [-pi/4, pi/4], and the quadrant q. */
KR_INLINE void q_sincos(v64f u, v64f *sine, v64f *cosine) {
  static const double S[] = {-1.66666666666666324348e-01, 8.33333333332248946124e-03,  -1.98412698298579493134e-04,
                             2.75573137070700676789e-06,  -2.50507602534068634195e-08, 1.58969099521155010221e-10};
  static const double C[] = {4.16666666666666019037e-02,  -1.38888888888741095749e-03, 2.48015872894767294178e-05,
                             -2.75573143513906633035e-07, 2.08757232129817482790e-09,  -1.13596475577881948265e-11};
  v64f t = f64_mul(f64_set1(4), u), q = f64_round(t);
  v64f y = f64_mul(f64_sub(t, q), f64_set1(1.57079632679489661923)), z = f64_mul(y, y);
  v64f sin_y = f64_add(y, f64_mul(f64_mul(y, z), q_poly(z, S, 6)));
  v64f cos_y = f64_add(f64_sub(f64_set1(1), f64_mul(f64_set1(0.5), z)), f64_mul(f64_mul(z, z), q_poly(z, C, 6)));
  v64m odd = f64_m_or(f64_eq(q, f64_set1(1)), f64_eq(q, f64_set1(3)));
  v64f s = f64_select(odd, cos_y, sin_y), c = f64_select(odd, sin_y, cos_y);
  v64m lower = f64_m_or(f64_eq(q, f64_set1(2)), f64_eq(q, f64_set1(3)));
  v64m left = f64_m_or(f64_eq(q, f64_set1(1)), f64_eq(q, f64_set1(2)));
  *sine = f64_select(lower, f64_neg(s), s);
  *cosine = f64_select(left, f64_neg(c), c);
}

/* Box and Muller (1958): u in (0, 1] and v in [0, 1) give two independent standard normal variates. */
KR_INLINE void q_normal(v64f u, v64f v, v64f *a, v64f *b) {
  v64f radius = f64_sqrt(f64_mul(f64_set1(-2), q_log(u))), s, c;
  q_sincos(v, &s, &c);
  *a = f64_mul(radius, c);
  *b = f64_mul(radius, s);
}

/* Inverse of the distribution function of a standard normal cut off at two standard deviations; x in (-1, 1) is 2 p
 * - 1. With y = erf(sqrt 2) x, sqrt(2) erfinv(y) / y is smooth in -log(1 - y^2) (the variable of Giles, "Approximating
 * the erfinv function", 2012), here a Chebyshev fit over [0, 2.5], centred; relative error below 2e-15. */
KR_INLINE v64f q_truncated_normal(v64f x) {
  static const double P[] = {1.682294115667585,       0.3528740495272912,      0.003552059302550265,
                             -0.00318732428447273,    0.0002030678913130663,   4.406109174910995e-05,
                             -7.1349997831485866e-06, -4.4208089016469227e-07, 1.8041477354094845e-07,
                             -1.7606995468937517e-09, -3.853883518345952e-09,  2.7618455833079426e-10,
                             7.346055759789545e-11,   -1.0934276785534429e-11, -2.6721515440853575e-12,
                             3.687281312258105e-13,   2.9300686550133487e-13};
  v64f y = f64_mul(f64_set1(0.9544997361036416), x);
  v64f w = f64_neg(q_log(f64_sub(f64_set1(1), f64_mul(y, y))));
  v64f z = f64_mul(y, q_poly(f64_sub(w, f64_set1(1.25)), P, 17));
  return f64_max(f64_set1(-2), f64_min(f64_set1(2), z));
}

#endif
