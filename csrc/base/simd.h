/* One SIMD vocabulary, four dialects.  A kernel is written in it once; -DKR_FOR_<NAME> picks the dialect.
 *
 * Every name below exists as f32_<name> (KR_F32_LANES lanes of float) and f64_<name> (KR_F64_LANES lanes of double);
 * base/real.h gives them type-generic names (v_<name>, vi_<name>, m_<name>).  Types: v32f v32i v32m, v64f v64i v64m:
 * floats, integers of the same width, masks.  The scalar dialect has one lane: plain float and int32_t.
 *
 *   zero() set1(x) load(p) store(p, v)      p needs no alignment beyond its element
 *   load_n(p, n) store_n(p, v, n)           the first n lanes, 0 <= n <= lanes; the others load as 0; memory past n is
 *                                           never touched
 *   load_or(p, n, v)                        likewise, but the others are v's
 *   add sub mul div
 *   fma(a,b,c) = a*b+c  fnma(a,b,c) = c-a*b one rounding where the ISA has the instruction; the scalar dialect rounds
 *                                           twice, so no algorithm may depend on it
 *   min max                                 either operand when one is NaN (whatever the CPU does)
 *   min_nan max_nan                         NaN when either operand is NaN
 *   sqrt abs neg copysign(magnitude, sign)
 *   round floor ceil trunc                  round: to nearest, ties to even
 *   lt le gt ge eq ne isnan                 -> mask; ne is true for NaN, the others false
 *   unordered(a, b)                         -> mask: at least one is NaN
 *   select(m, a, b)                         m ? a : b
 *   m_and m_or m_not  m_any m_all           masks; m_any and m_all give int
 *   to_int(v)                               nearest, ties to even; defined for |v| < 2^31 (float), 2^51 (double)
 *   i_to_real(i) as_int(v) i_as_real(i)     conversion; reinterpretations of the bits
 *   i_set1 i_load i_store i_add i_sub i_and i_or i_xor  i_shl(i, n) i_shr(i, n)    logical shifts, n a constant
 *   i_count(i, m)                           i + 1 in the lanes of the mask m
 *   i_mul_u32(i, j)                         f64 only: the 64-bit products of the low halves of the lanes
 *   i_high(i)                               f64 only: the high halves of the lanes in their low halves; the high halves of
 *                                           the result are anything
 *   i_store_low(p, i, j)                    f64 only: the low halves of i's lanes, then of j's, as uint32
 *   load_u8(p, n) store_u8(p, v, n)         n bytes as the first n lanes, the others load as 0; v holds integers, 0 to 255;
 *                                           n may exceed the lanes
 *   stores_u8(p, v)                         store_u8 of four whole vectors v[0] to v[3], one behind the other
 *   eq_u8(p, n, b)                          the mask of those of the first n lanes whose bytes are b; n as in load_u8
 *   hsum hmax hmin                          across the lanes; hsum in a fixed pairwise order; hmax/hmin keep NaN
 *   hsums(v)                                v: as many vectors as there are lanes; lane l is hsum(v[l]), to the bit
 *   hmaxs(v) hmins(v)                       likewise; anything where a lane is NaN
 *   take(v, i)                              lane l is v's lane i[l]; 0 <= i[l] < lanes
 *   columns(p, s, v)                        four neighbouring columns of as many rows as there are lanes, which begin s
 *                                           elements apart: lane l of v[k] is p[l * s + k]
 */
#ifndef KR_SIMD_H
#define KR_SIMD_H
#include <stdint.h>

#define KR_SIMD static inline __attribute__((always_inline, unused))

#if defined(KR_FOR_AVX512)
#define KR_ISA_SUFFIX avx512
#include "simd_avx512.h"
#elif defined(KR_FOR_AVX2)
#define KR_ISA_SUFFIX avx2
#include "simd_avx2.h"
#elif defined(KR_FOR_NEON)
#define KR_ISA_SUFFIX neon
#include "simd_neon.h"
#else
#define KR_ISA_SUFFIX scalar
#include "simd_scalar.h"
#endif

#ifndef KR_STORES_U8 /* a dialect has a faster one */
KR_SIMD void f32_stores_u8(uint8_t *p, const v32f v[4]) {
  for (int k = 0; k < 4; ++k) f32_store_u8(p + k * KR_F32_LANES, v[k], KR_F32_LANES);
}
#endif
KR_SIMD void f64_stores_u8(uint8_t *p, const v64f v[4]) {
  for (int k = 0; k < 4; ++k) f64_store_u8(p + k * KR_F64_LANES, v[k], KR_F64_LANES);
}

#endif
