/* Constants and polynomial coefficients of vmath_body.h in double; vmath_f32.h says what each is. */
#define K_MANTISSA 52
#define K_BIAS 1023
#define K_SIGN INT64_MIN
#define K_MAGIC 0x1.8p52
#define K_MIN_NORMAL 0x1p-1022
#define K_INF HUGE_VAL
#define K_NAN ((double)NAN)
#define K_CLEAR (-0x100000000) /* keeps 21 significant bits */
#define K_SQRT_HALF_BITS 0x3fe6a09e667f3bcd

#define K_LOG2E 0x1.71547652b82fep+0
#define K_LN2_HI 0x1.62e42fefa38p-1 /* 42 bits */
#define K_LN2_LO 0x1.ef35793c7673p-45
#define K_EXP_MAX 0x1.62e42fefa39efp+9
#define K_HALF_EXP_MAX 0x1.633ce8fb9f87dp+9
#define K_EXP_MIN -0x1.6232bdd7abcd2p+9
#define K_EXPM1_MIN -38.0
#define K_LOG1P_BIG 0x1p60

#define K_LOG2E_HI 0x1.71547p+0 /* 21 bits */
#define K_LOG2E_LO 0x1.94ae0bf85ddf4p-22
#define K_LOG10E_HI 0x1.bcb7bp-2
#define K_LOG10E_LO 0x1.526e50e32a6abp-26
#define K_LOG10_2_HI 0x1.34413509f78p-2 /* 42 bits */
#define K_LOG10_2_LO 0x1.fef311f12b358p-46

/* pi/2 in parts of 33 bits, exact times any |n| < 2^20 */
#define K_2_OVER_PI 0x1.45f306dc9c883p-1
#define K_TRIG_LIMIT 1.6e6
#define K_PIO2_PARTS {0x1.921fb544p+0, 0x1.0b4611a6p-34, 0x1.3198a2ep-69, 0x1.b839a252049c1p-104}

/* 2^-55.6 */
#define K_EXP_Q                                                                                                       \
  {0x1.0000000000005p-1,  0x1.555555555553dp-3,  0x1.555555555217ap-5,  0x1.1111111117acbp-7,  0x1.6c16c17f3011fp-10, \
   0x1.a01a017e9f1aap-13, 0x1.a019a667fce52p-16, 0x1.71de6d0bd8ad5p-19, 0x1.28a2eecd1aeddp-22, 0x1.ae9f7405d01f8p-26}
/* log(1+f) = f - f^2/2 + s (f^2/2 + s^2 R(s^2)), s = f / (2+f), as in fdlibm: 2^-59.5 */
#define K_LOG_R                                                                            \
  {0x1.5555555555593p-1, 0x1.999999997fc65p-2, 0x1.2492494207280p-2, 0x1.c71c51f4f609ep-3, \
   0x1.7466439530facp-3, 0x1.39a13614b5027p-3, 0x1.2f0b0fa4f92e3p-3}
/* 2^-57.9 and 2^-63.9 */
#define K_SIN_S                                                           \
  {-0x1.5555555555548p-3, 0x1.111111110f74dp-7,   -0x1.a01a019becef6p-13, \
   0x1.71de35589576cp-19, -0x1.ae5e4e451d7bfp-26, 0x1.5d8c278a06265p-33}
#define K_COS_C                                                           \
  {0x1.555555555554ap-5,   -0x1.6c16c16c14efcp-10, 0x1.a01a019c75561p-16, \
   -0x1.27e4f7dfb0102p-22, 0x1.1ee9d000bd083p-29,  -0x1.8fa086feede6fp-37}
/* 2^-62.6 */
#define K_ERF_P                                                                                  \
  {0x1.06eba8214db69p-3,  -0x1.812746b0379e6p-2,  0x1.ce2f21a042b20p-4,  -0x1.b82ce3128499cp-6,  \
   0x1.565bcd0db02e5p-8,  -0x1.c02db3d8ed260p-11, 0x1.f9a321a11dfd9p-14, -0x1.f4d1df394e707p-17, \
   0x1.b9def19e196f3p-20, -0x1.5f1d36c38490cp-23, 0x1.f7a4123bbf5e3p-27, -0x1.386ac0ef03aacp-30, \
   0x1.0579ab29ce0b3p-34}
/* 0.45 <= x <= 27.5: 2^-58.6 */
#define K_ERFC_K 4.0
#define K_ERFC_R                                                                                   \
  {0x1.3ba5916e9fd7fp+0,   -0x1.1df1ad154a28ep-3,  0x1.f7f5df66fd51dp-7,   0x1.16ecefcfa53b3p-4,   \
   -0x1.9ddb23c3e7a5bp-4,  0x1.7fee004e121e4p-4,   -0x1.0fb06dfe6eed1p-4,  0x1.3079edf68404cp-5,   \
   -0x1.0962387cfce3cp-6,  0x1.49c6728909d6dp-8,   -0x1.8d4aa20126431p-11, -0x1.a1df2b54db1d2p-13, \
   0x1.3be0df16a7f2ap-13,  -0x1.9957ea3ba1e8ap-16, -0x1.78a5157e697adp-17, 0x1.7f123fa43996fp-18,  \
   0x1.41e5b4f912d15p-22,  -0x1.b95174669a914p-21, 0x1.1f11b9a72b776p-24,  0x1.c44a416b427ebp-24,  \
   -0x1.a1dbae4db68c2p-27, -0x1.64342a5e41672p-27}
