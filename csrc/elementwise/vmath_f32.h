/* Constants and polynomial coefficients of vmath_body.h in float. */
#define K_MANTISSA 23
#define K_BIAS 127
#define K_SIGN INT32_MIN
#define K_MAGIC 0x1.8p23f /* adding it rounds to an integer and leaves that integer in the low bits */
#define K_MIN_NORMAL 0x1p-126f
#define K_INF HUGE_VALF
#define K_NAN NAN
#define K_CLEAR (-0x1000) /* keeps 12 significant bits, so that a square is exact */
#define K_SQRT_HALF_BITS 0x3f3504f3

#define K_LOG2E 0x1.715476p+0f
#define K_LN2_HI 0x1.62ep-1f /* 14 bits: exact times any exponent */
#define K_LN2_LO 0x1.0bfbe8p-15f
#define K_EXP_MAX 0x1.62e42ep+6f      /* the largest x with a finite exp(x) */
#define K_HALF_EXP_MAX 0x1.65a9f8p+6f /* the largest x with a finite exp(x) / 2 */
#define K_EXP_MIN -0x1.5d589ep+6f     /* the smallest x with a normal exp(x) */
#define K_EXPM1_MIN -18.0f            /* below, expm1(x) rounds to -1 */
#define K_LOG1P_BIG 0x1p60f           /* above, 1 + x is x */

#define K_LOG2E_HI 0x1.714p+0f /* 12 bits */
#define K_LOG2E_LO 0x1.47652ap-12f
#define K_LOG10E_HI 0x1.bcap-2f
#define K_LOG10E_LO 0x1.7b1526p-14f
#define K_LOG10_2_HI 0x1.344p-2f /* 14 bits */
#define K_LOG10_2_LO 0x1.3509f6p-18f

/* pi/2 in parts of 11 bits, exact times any |n| < 2^13 */
#define K_2_OVER_PI 0x1.45f306p-1f
#define K_TRIG_LIMIT 12000.0f
#define K_PIO2_PARTS {0x1.92p+0f, 0x1.fb4p-12f, 0x1.444p-24f, 0x1.68cp-39f, 0x1.1a6262p-54f}

/* exp(r) = 1 + r + r^2 q(r) on |r| <= ln(2)/2, relative to expm1: 2^-26.2 */
#define K_EXP_Q {0x1.fffffep-2f, 0x1.5554bp-3f, 0x1.555674p-5f, 0x1.1227f6p-7f, 0x1.6bebf2p-10f}
/* log(1+f) = f - f^2/2 + f^3 P(f) on sqrt(1/2) <= 1+f <= sqrt(2): 2^-30.3 */
#define K_LOG_P                                                                        \
  {0x1.555548p-2f,  -0x1.000006p-2f, 0x1.99a4b6p-3f,  -0x1.555c4ep-3f, 0x1.233768p-3f, \
   -0x1.fc2206p-4f, 0x1.e6f06ap-4f,  -0x1.de3c16p-4f, 0x1.1457acp-4f}
/* sin(r) = r + r^3 S(r^2): 2^-28; cos(r) = 1 - r^2/2 + r^4 C(r^2): 2^-33; |r| <= pi/4 */
#define K_SIN_S {-0x1.555544p-3f, 0x1.110726p-7f, -0x1.993ce2p-13f}
#define K_COS_C {0x1.55554ap-5f, -0x1.6c0c1ep-10f, 0x1.99e538p-16f}
/* erf(x) = x + x P(x^2) on |x| <= 1: 2^-29.4 */
#define K_ERF_P \
  {0x1.06eba8p-3f, -0x1.81273ep-2f, 0x1.ce2cf8p-4f, -0x1.b7f90ep-6f, 0x1.5405b2p-8f, -0x1.a3f7p-11f, 0x1.496a32p-14f}
/* (1+2x) exp(x^2) erfc(x) = R(t), t = (x-k)/(x+k), 0.45 <= x <= 10.5: 2^-29.5 */
#define K_ERFC_K 2.5f
#define K_ERFC_R                                                                      \
  {0x1.43cc7p+0f,  -0x1.f52c6p-4f, -0x1.959a8cp-4f, 0x1.42d3bp-3f,   -0x1.a5c4f8p-4f, \
   0x1.0c5488p-5f, 0x1.f7717p-11f, -0x1.1ce0f2p-8f, 0x1.acad2cp-12f, 0x1.17104ep-11f}
