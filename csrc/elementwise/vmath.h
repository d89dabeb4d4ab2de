/* Elementary functions on vectors, in every SIMD dialect, for float and double: f32_exp(v32f), f64_exp(v64f), and so
 * on; between base/real.h inclusions the type-generic names v_exp... work.
 *
 * Each lane's result depends on that lane alone, so a tail computed with v_load_n has the bits of a full vector.
 * Largest error in units of the last place, over all inputs whose result is a normal number; measured against long
 * double on every dialect and asserted in tests/kernels/test_elementwise.py, so the table is a promise:
 *
 *     function      f32   f64   at the edges
 *     exp           1.1   1.1   above ln(max) inf; below ln(smallest normal number) 0
 *     expm1         2     2.5   -inf -> -1; keeps the sign of zero
 *     log           1     1     0 -> -inf; < 0 -> nan
 *     log2 log10    1     1     0 -> -inf; < 0 -> nan; log2 is exact at powers of two
 *     log1p         1.5   1.5   -1 -> -inf; < -1 -> nan; keeps the sign of zero
 *     sin cos       2     2     inf -> nan; |x| > 12000 (f32), 1.6e6 (f64) goes to libm lane by lane
 *     tan           4     4     as sin
 *     sinh          2.5   2.5   overflows where the true value does; keeps the sign of zero
 *     cosh          2     2     overflows where the true value does
 *     tanh          3     3     +-inf -> +-1; keeps the sign of zero
 *     sigmoid       3.1   3     1 / (1 + exp(-x))
 *     softplus      2     2     max(x, 0) + log1p(exp(-|x|))
 *     erf           1.5   1.5   +-inf -> +-1; keeps the sign of zero
 *     erfc          4.5   4.5   full relative accuracy in the tail
 *     rsqrt         1.5   1.5   1 / sqrt(x): 0 -> inf, < 0 -> nan
 *     pow           0.51  1     as C's pow; f64 is libm's, lane by lane
 *
 * exp_below(x) is exp(x), to the same bits, for x that is not above 0.
 *
 * exp_weight(x) is exp(x) for x that is not above 0 by more than rounding, to 2^-23 of 1, the largest weight of a softmax:
 * it saves two of twelve operations with AVX-512, five of eighteen in float elsewhere.  What would be denormal may be
 * anything as small.
 *
 * NaN gives NaN everywhere (but pow(1, nan) = pow(nan, 0) = 1).  Denormal arguments of the logarithms count as 0 and
 * denormal results may be 0: so it is under flush-to-zero, in which kernels run, and so it stays without it.
 *
 * On AVX-512 floats have functions of their own (vmath_avx512.h).  The polynomials are minimax fits (Remez, weighted for
 * relative error).  No algorithm here needs fma to round once: the scalar dialect's does not, and products that must be
 * exact have short factors instead.
 */
#ifndef KR_VMATH_H
#define KR_VMATH_H
#include "../base/kernel.h"

#define v_horner KR_V(horner)
#define v_exp KR_V(exp)
#define v_exp_below KR_V(exp_below)
#define v_exp_weight KR_V(exp_weight)
#define v_expm1 KR_V(expm1)
#define v_log KR_V(log)
#define v_log2 KR_V(log2)
#define v_log10 KR_V(log10)
#define v_log1p KR_V(log1p)
#define v_sin KR_V(sin)
#define v_cos KR_V(cos)
#define v_tan KR_V(tan)
#define v_sinh KR_V(sinh)
#define v_cosh KR_V(cosh)
#define v_tanh KR_V(tanh)
#define v_sigmoid KR_V(sigmoid)
#define v_softplus KR_V(softplus)
#define v_erf KR_V(erf)
#define v_erfc KR_V(erfc)
#define v_rsqrt KR_V(rsqrt)
#define v_pow KR_V(pow)

#define KR_REAL 64
#include "../base/real.h"
#include "vmath_f64.h"
#include "vmath_body.h"
#undef KR_REAL
#define KR_REAL 32
#include "../base/real.h"
#include "vmath_f32.h"
#include "vmath_body.h"
#undef KR_REAL

#endif
