/* Elementary functions of floats for AVX-512, in place of vmath_body.h's: the same promises (vmath.h) in half the time.
 *
 * What makes the difference are instructions that others lack: scalef, which multiplies by a power of two and
 * overflows and underflows as the true value does; getexp and getmant, which take a number apart and meet 0, infinity
 * and NaN as a logarithm does; and permutations that look sixteen or thirty-two constants up in registers, so that a
 * function is a polynomial of its own in each of many short intervals, without a division and without two branches that
 * are both computed.  Each interval stands on a centre c where the function is a float to 2^-29 or better (S. Gal,
 * Computing elementary functions, 1985; but where it is 0 or near 1 at its end): f(c + r) = f(c) + r (c1 + ... + c5 r^4)
 * rounds once but for the small second term.  Included by vmath.h between float's constants and its functions. */
#ifndef KR_VMATH_AVX512_H
#define KR_VMATH_AVX512_H

/* Sixteenth roots of two, by which exp's powers are multiplied. */
static const float f32_roots[16] KR_ALIGNED = {0x1p+0f,        0x1.0b5586p+0f, 0x1.172b84p+0f, 0x1.2387a6p+0f,
                                               0x1.306fep+0f,  0x1.3dea64p+0f, 0x1.4bfdaep+0f, 0x1.5ab07ep+0f,
                                               0x1.6a09e6p+0f, 0x1.7a1148p+0f, 0x1.8ace54p+0f, 0x1.9c4918p+0f,
                                               0x1.ae89fap+0f, 0x1.c199bep+0f, 0x1.d5818ep+0f, 0x1.ea4afap+0f};

/* x as n ln(2) + r with n a multiple of 1/16 and |r| <= ln(2)/32; gives r, and n plus 3 2^18, whose low bits are the
 * sixteenths. */
KR_INLINE v32f f32_roots_reduce(v32f x, v32f *t) {
  const v32f magic = f32_set1(0x1.8p19f);
  *t = f32_fma(x, f32_set1(K_LOG2E), magic);
  const v32f n = f32_sub(*t, magic);
  return f32_fnma(n, f32_set1(K_LN2_LO), f32_fnma(n, f32_set1(K_LN2_HI), x));
}

/* exp of a reduced r but for the whole part of n, with which scalef goes on.  exp(r) - 1 to 2^-28. */
KR_INLINE v32f f32_roots_power(v32f r, v32f t) {
  const v32f p = f32_fma(f32_mul(r, r), f32_fma(r, f32_set1(0x1.554e6ep-3f), f32_set1(0x1.00019ep-1f)), r);
  const v32f root = _mm512_permutexvar_ps(f32_as_int(t), f32_load(f32_roots));
  return f32_fma(root, p, root);
}

/* exp(x) with x first cut to [low, high]; NaN stays. */
KR_INLINE v32f f32_exp_within(v32f x, float low, float high) {
  v32f t;
  const v32f r = f32_roots_reduce(f32_min(f32_set1(high), f32_max(f32_set1(low), x)), &t);
  return _mm512_scalef_ps(f32_roots_power(r, t), f32_sub(t, f32_set1(0x1.8p19f)));
}

KR_INLINE v32f f32_exp(v32f x) { return f32_exp_within(x, -104.0f, 89.0f); }

/* Nothing overflows, and ln(2) as one float errs by 2^-27 of 1 at most. */
KR_INLINE v32f f32_exp_weight(v32f x) {
  const v32f magic = f32_set1(0x1.8p19f), low = f32_max(f32_set1(-104.0f), x); /* NaN stays */
  const v32f t = f32_fma(low, f32_set1(K_LOG2E), magic), n = f32_sub(t, magic);
  return _mm512_scalef_ps(f32_roots_power(f32_fnma(n, f32_set1(0x1.62e43p-1f), low), t), n);
}

/* One step of Newton's from 14 bits: 1 / d within 0.53 ulp where d and the inverse are normal. */
KR_INLINE v32f f32_inverse(v32f d) {
  const v32f y = _mm512_rcp14_ps(d);
  return f32_fma(y, f32_fnma(d, y, f32_set1(1)), y);
}

/* As 1 / (1/2 + exp(-x) / 2), halved: so the inverse is a normal number where the result is one, and 0 follows. */
KR_INLINE v32f f32_sigmoid(v32f x) {
  const v32f half = f32_set1(0.5f);
  return f32_mul(half, f32_inverse(f32_fma(half, f32_exp_within(f32_neg(x), -104.0f, 88.0f), half)));
}

/* x = 2^e (1 + f) with 3/4 <= 1 + f < 3/2; log(1+f) = f - f^2/2 + f^3 P(f), 2^-27.6.  Of 0 and infinity e is infinite
 * and f is 0; of what is negative f is NaN. */
KR_INLINE v32f f32_log(v32f x) {
  static const float p[] = {0x1.555552p-2f, -0x1.000032p-2f, 0x1.999c2p-3f,   -0x1.5535d2p-3f, 0x1.243c2cp-3f,
                            -0x1.0329ap-3f, 0x1.dc5546p-4f,  -0x1.7b3ae6p-4f, 0x1.4518aep-5f};
  const v32f m = _mm512_getmant_ps(x, _MM_MANT_NORM_p75_1p5, _MM_MANT_SIGN_nan);
  const v32f e = f32_sub(_mm512_getexp_ps(x), _mm512_getexp_ps(m)), f = f32_sub(m, f32_set1(1));
  const v32f square = f32_mul(f, f), half = f32_mul(f32_set1(0.5f), square);
  const v32f tail = f32_mul(f32_mul(square, f), f32_horner(f, p, (int)(sizeof p / sizeof p[0])));
  const v32f low = f32_fma(e, f32_set1(K_LN2_LO), tail);
  return f32_fma(e, f32_set1(K_LN2_HI), f32_sub(f, f32_sub(half, low)));
}

/* Centres, values there and c1, c2, ... of the intervals of a function. */
KR_INLINE v32f f32_looked_up(const float table[32], v32i i) {
  return _mm512_permutex2var_ps(f32_load(table), i, f32_load(table + 16));
}
KR_INLINE v32f f32_piece(const float (*table)[32], v32i i, v32f a, v32f value) {
  const v32f r = f32_sub(a, f32_looked_up(table[0], i));
  v32f q = f32_looked_up(table[6], i);
#pragma GCC unroll 4
  for (int k = 5; k >= 2; --k) q = f32_fma(q, r, f32_looked_up(table[k], i));
  return f32_fma(q, r, value);
}

/* Intervals that grow with a: eighths of the octaves of 1 + scale a, from 1 to 16. */
KR_INLINE v32i f32_eighths(v32f a, float scale) {
  return f32_i_shr(f32_as_int(f32_fma(a, f32_set1(scale), f32_set1(1))), 20);
}

KR_INLINE v32f f32_tanh(v32f x) {
  static const float parts[7][32] KR_ALIGNED = {
      {0x1.5d9a64p-1f, 0x1.ab1ddcp-1f, 0x1.f8bb92p-1f, 0x1.233d3ep+0f, 0x1.4a1b34p+0f, 0x1.70f67cp+0f, 0x1.97aab2p+0f,
       0x1.be91e8p+0f, 0x1.f8d2d4p+0f, 0x1.233b8cp+1f, 0x1.4a0904p+1f, 0x1.70ea42p+1f, 0x1.97bec8p+1f, 0x1.be8b0cp+1f,
       0x1.e560c4p+1f, 0x1.061e12p+2f, 0x1.235748p+2f, 0x1.4a0ae6p+2f, 0x1.70d98ep+2f, 0x1.97cc66p+2f, 0x1.bec31ep+2f,
       0x1.e436a6p+2f, 0x1.03b0fcp+3f, 0x1.154a46p+3f, 0x0p+0f,        0x1.d1bc9ap-4f, 0x1.8492fep-3f, 0x1.0fdf74p-2f,
       0x1.5d71a2p-2f, 0x1.ab233ap-2f, 0x1.f8fa98p-2f, 0x1.22feeap-1f},
      {0x1.2fcb66p-1f, 0x1.5d8ef4p-1f, 0x1.82d9dap-1f, 0x1.a0931cp-1f, 0x1.b7cd7ep-1f, 0x1.c9b3fcp-1f, 0x1.d74ee8p-1f,
       0x1.e1a834p-1f, 0x1.ec8a4ap-1f, 0x1.f54c38p-1f, 0x1.fa22acp-1f, 0x1.fccc12p-1f, 0x1.fe4064p-1f, 0x1.ff0baep-1f,
       0x1.ff7ac4p-1f, 0x1.ffb762p-1f, 0x1.ffe2dcp-1f, 0x1.fff74ep-1f, 0x1.fffd6ap-1f, 0x1.ffff3cp-1f, 0x1.ffffc6p-1f,
       0x1.ffffeep-1f, 0x1.fffffap-1f, 0x1.fffffep-1f, 0x0p+0f,        0x1.cfbd6ap-4f, 0x1.7ffa46p-3f, 0x1.09a8eap-2f,
       0x1.507b8ap-2f, 0x1.93f9a2p-2f, 0x1.d3ab34p-2f, 0x1.073e5p-1f},
      {0x1.4bbe72p-1f,  0x1.115876p-1f,  0x1.b76a52p-2f,  0x1.5a219p-2f,   0x1.0c6d94p-2f,  0x1.9b57dp-3f,
       0x1.38991cp-3f,  0x1.d719fap-4f,  0x1.3170a4p-4f,  0x1.52e4aep-5f,  0x1.752ebap-6f,  0x1.98aebp-7f,
       0x1.bed84ap-8f,  0x1.e82f6p-9f,   0x1.0a555ap-9f,  0x1.226358p-10f, 0x1.d2312ap-12f, 0x1.163f6ap-13f,
       0x1.4afda2p-15f, 0x1.87fb76p-17f, 0x1.cfe7bep-19f, 0x1.1fb846p-20f, 0x1.7fb6fp-22f,  0x1.00b5dep-23f,
       0x1p+0f,         0x1.f96fe2p-1f,  0x1.ee008ap-1f,  0x1.dd8a1cp-1f,  0x1.c8b77p-1f,   0x1.b05082p-1f,
       0x1.9534bep-1f,  0x1.78a774p-1f},
      {-0x1.89adf6p-2f,  -0x1.753e38p-2f,  -0x1.4c0224p-2f,  -0x1.199ec6p-2f,  -0x1.cd2772p-3f,  -0x1.6fb884p-3f,
       -0x1.1fc112p-3f,  -0x1.bb2e92p-4f,  -0x1.25d4c6p-4f,  -0x1.4bcefap-5f,  -0x1.70e7e4p-6f,  -0x1.961fe4p-7f,
       -0x1.bd512cp-8f,  -0x1.e744c6p-9f,  -0x1.0a0f56p-9f,  -0x1.223834p-10f, -0x1.d20c54p-12f, -0x1.1635c6p-13f,
       -0x1.4ae088p-15f, -0x1.881c42p-17f, -0x1.d14924p-19f, -0x1.1cfadp-20f,  -0x1.72b924p-22f, -0x1.c2244ep-24f,
       0x1.3988dap-25f,  -0x1.c9cbaep-4f,  -0x1.727ad4p-3f,  -0x1.ef8f1p-3f,   -0x1.2c2688p-2f,  -0x1.551a34p-2f,
       -0x1.721f18p-2f,  -0x1.834fa2p-2f},
      {0x1.8d6502p-7f,  0x1.2259bcp-4f,  0x1.a185b8p-4f,  0x1.c7074p-4f,   0x1.b25f12p-4f,  0x1.7f37c2p-4f,
       0x1.415e7ep-4f,  0x1.03dfdcp-4f,  0x1.69b35p-5f,   0x1.a7d222p-6f,  0x1.e092dep-7f,  0x1.0b5d4cp-7f,
       0x1.26db3cp-8f,  0x1.43a52p-9f,   0x1.620452p-10f, 0x1.82a082p-11f, 0x1.36987cp-12f, 0x1.72bb02p-14f,
       0x1.b9c88p-16f,  0x1.0571a8p-17f, 0x1.363c0ep-19f, 0x1.9d4502p-21f, 0x1.e8349ap-23f, 0x1.970572p-26f,
       -0x1.55566ap-2f, -0x1.43f2c8p-2f, -0x1.26a7b8p-2f, -0x1.fc3e0ep-3f, -0x1.9bd504p-3f, -0x1.3318f6p-3f,
       -0x1.947feep-4f, -0x1.9fa6f4p-5f},
      {0x1.ef190ap-4f,  0x1.2b8a9cp-4f,   0x1.fe7f6ep-6f,   0x1.734b22p-10f,  -0x1.0539e6p-6f,  -0x1.84cf72p-6f,
       -0x1.9f4e0ep-6f, -0x1.832634p-6f,  -0x1.301b28p-6f,  -0x1.842f92p-7f,  -0x1.cb8adcp-8f,  -0x1.0558c2p-8f,
       -0x1.23b6aap-9f, -0x1.42a92ap-10f, -0x1.61fe16p-11f, -0x1.84307cp-12f, -0x1.3ab894p-13f, -0x1.77623p-15f,
       -0x1.c3533p-17f, -0x1.054c1p-18f,  -0x1.199d1cp-20f, -0x1.0aa97cp-21f, -0x1.4024ap-22f,  -0x1.31424p-22f,
       0x1.1e0414p-13f, 0x1.2b61b8p-4f,   0x1.d34e18p-4f,   0x1.28dffap-3f,   0x1.4ee776p-3f,   0x1.5ce772p-3f,
       0x1.52f1e8p-3f,  0x1.370f6ap-3f},
      {-0x1.ef1f5p-5f,  -0x1.f24a2ep-5f, -0x1.86787p-5f,  -0x1.f805ecp-6f,  -0x1.0d42dep-6f, -0x1.65eadcp-8f,
       0x1.47cf46p-11f, 0x1.fc680ep-9f,  0x1.38a276p-8f,  0x1.fb7338p-9f,   0x1.4c123p-9f,   0x1.8b9cdep-10f,
       0x1.c4b858p-11f, 0x1.fb9d98p-12f, 0x1.19a6c2p-12f, 0x1.286774p-13f,  0x1.f6b9a8p-15f, 0x1.2f814ep-16f,
       0x1.5334a6p-18f, 0x1.a4df34p-20f, 0x1.e2895cp-22f, -0x1.d9528ap-23f, 0x1.8e610cp-22f, 0x1.9460e4p-21f,
       0x1.0e0694p-3f,  0x1.7dd36p-4f,   0x1.011da6p-3f,  0x1.75d5f4p-4f,   0x1.2824p-4f,    -0x1.77efcp-5f,
       -0x1.5933cap-7f, -0x1.99fbd4p-5f}};
  const v32f a = f32_min(f32_set1(9.1f), f32_abs(x)); /* from 9.02 on it is 1 */
  const v32i i = f32_eighths(a, 0x1.a5ef92p+0f);
  return f32_copysign(f32_piece(parts, i, a, f32_looked_up(parts[1], i)), x);
}

/* Centres are near eighths; of the first piece, a stands beside the polynomial, which rounds less so. */
KR_INLINE v32f f32_erf(v32f x) {
  static const float parts[7][32] KR_ALIGNED = {
      {0x0p+0f,        0x1.00438p-3f,  0x1.00438p-2f,  0x1.7ff434p-2f, 0x1.ff1758p-2f, 0x1.40007ep-1f, 0x1.7f7bf2p-1f,
       0x1.bfeab4p-1f, 0x1.0001cep+0f, 0x1.1ffd4cp+0f, 0x1.4001f8p+0f, 0x1.5ffe1ep+0f, 0x1.800332p+0f, 0x1.9ff79p+0f,
       0x1.bffb94p+0f, 0x1.e0013ap+0f, 0x1.ffd052p+0f, 0x1.0ffb4ap+1f, 0x1.1ffdap+1f,  0x1.3001b8p+1f, 0x1.3ffbfcp+1f,
       0x1.50063p+1f,  0x1.6003dap+1f, 0x1.6fff24p+1f, 0x1.7ffaa2p+1f, 0x1.900126p+1f, 0x1.a00c88p+1f, 0x1.b045f6p+1f,
       0x1.c0ab6p+1f,  0x1.cfd73ep+1f, 0x1.df3cf2p+1f, 0x1.ea97aap+1f},
      {0x0p+0f,        0x1.1fa916p-3f, 0x1.1b3cdap-2f, 0x1.9dc542p-2f, 0x1.0a18bp-1f,  0x1.3f19cep-1f, 0x1.6bc7ap-1f,
       0x1.91671cp-1f, 0x1.af77fap-1f, 0x1.c6d91ap-1f, 0x1.d8874cp-1f, 0x1.e575e8p-1f, 0x1.eea618p-1f, 0x1.f4f538p-1f,
       0x1.f92c9p-1f,  0x1.fbe634p-1f, 0x1.fd98e8p-1f, 0x1.fea3e6p-1f, 0x1.ff4036p-1f, 0x1.ff9968p-1f, 0x1.ffcaap-1f,
       0x1.ffe51cp-1f, 0x1.fff2d2p-1f, 0x1.fff9bap-1f, 0x1.fffd1ap-1f, 0x1.fffeb4p-1f, 0x1.ffff7p-1f,  0x1.ffffc4p-1f,
       0x1.ffffe8p-1f, 0x1.fffff6p-1f, 0x1.fffffcp-1f, 0x1.fffffep-1f},
      {0x1.06eba8p-3f,  0x1.1c60a2p+0f,  0x1.0f5424p+0f,  0x1.f5f524p-1f,  0x1.c255f8p-1f,  0x1.86e8f2p-1f,
       0x1.49adap-1f,   0x1.0cbefp-1f,   0x1.a90bf2p-2f,  0x1.45f15ap-2f,  0x1.e45bep-3f,   0x1.5ceca4p-3f,
       0x1.e71136p-4f,  0x1.49c098p-4f,  0x1.b06f56p-5f,  0x1.12c9c4p-5f,  0x1.53983p-6f,   0x1.94a198p-7f,
       0x1.d43b56p-8f,  0x1.0680dp-8f,   0x1.1db00ap-9f,  0x1.2c9c7ap-10f, 0x1.332df6p-11f, 0x1.305e98p-12f,
       0x1.245258p-13f, 0x1.0f8b06p-14f, 0x1.e86ef4p-16f, 0x1.a59d3p-17f,  0x1.5d11fap-18f, 0x1.2b8922p-19f,
       0x1.ecf48p-21f,  0x1.f5315p-22f},
      {0x1.6913a4p-22f,  -0x1.1cab92p-3f,  -0x1.0f9ba2p-2f,  -0x1.786c3ap-2f,  -0x1.c1894ep-2f,  -0x1.e8a3e2p-2f,
       -0x1.edda5ap-2f,  -0x1.d637bep-2f,  -0x1.a90eeap-2f,  -0x1.6eac1cp-2f,  -0x1.2ebb4cp-2f,  -0x1.dfc2e8p-3f,
       -0x1.6d5008p-3f,  -0x1.0be716p-3f,  -0x1.7a5d98p-4f,  -0x1.019dcap-4f,  -0x1.537844p-5f,  -0x1.ade3bap-6f,
       -0x1.075e8ap-6f,  -0x1.37b934p-7f,  -0x1.651ae2p-8f,  -0x1.8a8e1ap-9f,  -0x1.a6630cp-10f, -0x1.b5737ep-11f,
       -0x1.b671ap-12f,  -0x1.a8b2b2p-13f, -0x1.8dbdf6p-14f, -0x1.660ca8p-15f, -0x1.369be4p-16f, -0x1.081c3p-17f,
       -0x1.aa44a8p-19f, -0x1.64d428p-20f},
      {-0x1.812dfep-2f, -0x1.6f4c92p-2f, -0x1.3c7faep-2f, -0x1.e116e6p-3f, -0x1.2d428p-3f,  -0x1.c8484ep-5f,
       0x1.acf4fep-6f,  0x1.7c6bcp-4f,   0x1.1b66dp-3f,   0x1.4cb15ep-3f,  0x1.571c6ap-3f,  0x1.437738p-3f,
       0x1.1c244cp-3f,  0x1.d67deep-4f,  0x1.715562p-4f,  0x1.1439d4p-4f,  0x1.8bdf68p-5f,  0x1.0ec2e4p-5f,
       0x1.640826p-6f,  0x1.c1dbc6p-7f,  0x1.11b9p-7f,    0x1.402ceep-8f,  0x1.699ae8p-9f,  0x1.8a1cd2p-10f,
       0x1.9e2d4ap-11f, 0x1.a4490ep-12f, 0x1.9b659p-13f,  0x1.9910a6p-14f, 0x1.89fdbcp-15f, 0x1.478b8ap-16f,
       0x1.da2d72p-17f, 0x1.48a1e4p-17f},
      {0x1.60d4e8p-11f,  0x1.19494ap-4f,  0x1.03e682p-3f,   0x1.54a76ep-3f,   0x1.767d5p-3f,   0x1.6907f8p-3f,
       0x1.34e8cap-3f,   0x1.cc429ep-4f,  0x1.1b466p-4f,    0x1.cbdf56p-6f,   -0x1.8e7894p-8f, -0x1.f19af6p-6f,
       -0x1.6c7b2ep-5f,  -0x1.96b704p-5f, -0x1.8a062cp-5f,  -0x1.5a1de4p-5f,  -0x1.1ae72ap-5f, -0x1.b0b0bp-6f,
       -0x1.3997p-6f,    -0x1.b03c48p-7f, -0x1.190264p-7f,  -0x1.668134p-8f,  -0x1.abf77cp-9f, -0x1.f99aep-10f,
       -0x1.13b552p-10f, -0x1.09e67p-11f, -0x1.e82b3cp-13f, -0x1.3623bep-14f, 0x1.0b8edp-16f,  -0x1.a0ea0cp-14f,
       -0x1.a702c8p-14f, -0x1.740deep-12f},
      {0x1.b6b418p-4f,   0x1.ac19cp-4f,   0x1.693574p-4f,  0x1.75ee66p-5f,   0x1.516932p-8f,   -0x1.67318p-6f,
       -0x1.b38434p-5f,  -0x1.2a8538p-4f, -0x1.1d26bp-4f,  -0x1.f5e4a6p-5f,  -0x1.82419ep-5f,  -0x1.f661eep-6f,
       -0x1.de4f06p-7f,  -0x1.1d4e06p-9f, 0x1.b7948cp-8f,  0x1.761482p-7f,   0x1.a83098p-7f,   0x1.9c7884p-7f,
       0x1.5a3474p-7f,   0x1.0c1d78p-7f,  0x1.983adap-8f,  0x1.1bcce4p-8f,   0x1.6a0ca6p-9f,   0x1.a9db58p-10f,
       0x1.013088p-10f,  0x1.e9ea5ep-12f, 0x1.e2683ap-13f, -0x1.d4bbdcp-11f, -0x1.7ea8f8p-11f, 0x1.371186p-16f,
       -0x1.488f76p-10f, 0x1.59b136p-9f}};
  const v32f a = f32_min(f32_set1(3.93f), f32_abs(x));
  const v32i i = f32_as_int(f32_fma(a, f32_set1(8), f32_set1(K_MAGIC)));
  const v32f value = f32_select(f32_le(a, f32_set1(0.0625f)), a, f32_looked_up(parts[1], i));
  return f32_copysign(f32_piece(parts, i, a, value), x);
}

/* erfc(a) = exp(-a^2) erfcx(a), with a^2 in two parts, since its rounding alone would cost a^2 ulp. */
KR_INLINE v32f f32_erfc(v32f x) {
  static const float parts[7][32] KR_ALIGNED = {
      {0x1.87c424p-1f, 0x1.de9e78p-1f, 0x1.1acf9p+0f,  0x1.46649ep+0f, 0x1.71e8ap+0f,  0x1.9d83bp+0f,  0x1.c90594p+0f,
       0x1.f486cep+0f, 0x1.1ade2ap+1f, 0x1.46587ap+1f, 0x1.71f134p+1f, 0x1.9d909ep+1f, 0x1.c8de5ep+1f, 0x1.f487cep+1f,
       0x1.101c68p+2f, 0x1.25c676p+2f, 0x1.4667ap+2f,  0x1.71f3a8p+2f, 0x1.9d8306p+2f, 0x1.c8f36cp+2f, 0x1.f454e4p+2f,
       0x1.1003bcp+3f, 0x1.25c65ap+3f, 0x1.3b864ap+3f, 0x1.5b6f92p-5f, 0x1.05382p-3f,  0x1.b3736p-3f,  0x1.303f58p-2f,
       0x1.87aa84p-2f, 0x1.dec1aep-2f, 0x1.1adb44p-1f, 0x1.4667ap-1f},
      {0x1.00b8a8p-1f, 0x1.c8c7e8p-2f, 0x1.9a30c6p-2f, 0x1.7360c8p-2f, 0x1.52c4a4p-2f, 0x1.36f942p-2f, 0x1.1f27aap-2f,
       0x1.0a838ep-2f, 0x1.e0a3bap-3f, 0x1.a84e78p-3f, 0x1.7b3a9cp-3f, 0x1.5680dep-3f, 0x1.3847dcp-3f, 0x1.1ea498p-3f,
       0x1.08cbep-3f,  0x1.ec4258p-4f, 0x1.bcdd4ep-4f, 0x1.8a0c0ap-4f, 0x1.6186fp-4f,  0x1.40945p-4f,  0x1.253d9p-4f,
       0x1.0e03d8p-4f, 0x1.f48212p-5f, 0x1.d25d8ap-5f, 0x1.e863d2p-1f, 0x1.bde796p-1f, 0x1.9911c6p-1f, 0x1.7921dap-1f,
       0x1.5cd188p-1f, 0x1.43f3fep-1f, 0x1.2df468p-1f, 0x1.1a57a2p-1f},
      {-0x1.71b86p-2f,  -0x1.2d75dp-2f,  -0x1.f2527p-3f,  -0x1.a0eed2p-3f, -0x1.60e69p-3f,  -0x1.2dab4ep-3f,
       -0x1.045b68p-3f, -0x1.c52d0cp-4f, -0x1.752b94p-4f, -0x1.26a2c2p-4f, -0x1.db62p-5f,   -0x1.86b88p-5f,
       -0x1.46ba94p-5f, -0x1.14961cp-5f, -0x1.d9dd48p-6f, -0x1.9aaba4p-6f, -0x1.50a0b6p-6f, -0x1.091074p-6f,
       -0x1.abd222p-7f, -0x1.6079ep-7f,  -0x1.275bdap-7f, -0x1.f56f2ep-8f, -0x1.af1f7p-8f,  -0x1.7696bcp-8f,
       -0x1.0c26d4p+0f, -0x1.cffb32p-1f, -0x1.93c686p-1f, -0x1.61a028p-1f, -0x1.36e4bcp-1f, -0x1.12cf94p-1f,
       -0x1.e8321ep-2f, -0x1.b37a1p-2f},
      {0x1.cd16a6p-3f, 0x1.5df338p-3f,  0x1.0ddebp-3f,   0x1.a65b24p-4f,  0x1.4f3892p-4f,  0x1.0d53fep-4f,
       0x1.b609dcp-5f, 0x1.680742p-5f,  0x1.11375p-5f,   0x1.85aaf6p-6f,  0x1.1df41ap-6f,  0x1.ae6acap-7f,
       0x1.4bbca8p-7f, 0x1.040a4ap-7f,  0x1.9e80ep-8f,   0x1.4fd88ap-8f,  0x1.f50c32p-9f,  0x1.5fe128p-9f,
       0x1.000e88p-9f, 0x1.800be8p-10f, 0x1.2738e2p-10f, 0x1.ce8f86p-11f, 0x1.71436ap-11f, 0x1.2b649ep-11f,
       0x1.d1a4fp-1f,  0x1.82b986p-1f,  0x1.4337bp-1f,   0x1.101074p-1f,  0x1.cbcfe2p-2f,  0x1.86f04ep-2f,
       0x1.4e3416p-2f, 0x1.1f1074p-2f},
      {-0x1.01c188p-3f,  -0x1.6fb59cp-4f,  -0x1.0ae972p-4f,  -0x1.89d2a4p-5f,  -0x1.273448p-5f, -0x1.c0bc44p-6f,
       -0x1.59d4aap-6f,  -0x1.0de28p-6f,   -0x1.7c2584p-7f,  -0x1.ed75e2p-8f,  -0x1.4b7d7cp-8f, -0x1.cb3ae6p-9f,
       -0x1.479596p-9f,  -0x1.dd3ab8p-10f, -0x1.62f3fep-10f, -0x1.0d80cp-10f,  -0x1.6f022p-11f, -0x1.cd2ab2p-12f,
       -0x1.2f47a8p-12f, -0x1.9ec2d8p-13f, -0x1.24e57p-13f,  -0x1.a7f7e8p-14f, -0x1.3a844p-14f, -0x1.dc317cp-15f,
       -0x1.585abcp-1f,  -0x1.1471cap-1f,  -0x1.bebe46p-2f,  -0x1.6bb8c2p-2f,  -0x1.293822p-2f, -0x1.e926bp-3f,
       -0x1.94c70ep-3f,  -0x1.509f72p-3f},
      {0x1.085716p-4f,  0x1.64989p-5f,   0x1.ea536ap-6f,  0x1.56eb3ep-6f,  0x1.e7fde8p-7f,  0x1.6079p-7f,
       0x1.02f558p-7f,  0x1.80b7a4p-8f,  0x1.fb48fcp-9f,  0x1.2d4366p-9f,  0x1.747aeap-10f, 0x1.dcc1cep-11f,
       0x1.3ba6bap-11f, 0x1.ac9258p-12f, 0x1.2a184ap-12f, 0x1.a922c4p-13f, 0x1.09ed0ap-13f, 0x1.2b8e82p-14f,
       0x1.649792p-15f, 0x1.bd27bcp-16f, 0x1.20fb98p-16f, 0x1.82e5ep-17f,  0x1.0abc6ep-17f, 0x1.79a26cp-18f,
       0x1.c37022p-2f,  0x1.5f6d54p-2f,  0x1.141288p-2f,  0x1.b4076cp-3f,  0x1.5a0274p-3f,  0x1.145adcp-3f,
       0x1.bd7932p-4f,  0x1.67415ep-4f},
      {-0x1.f4240cp-6f,  -0x1.4394f2p-6f,  -0x1.a990e4p-7f,  -0x1.1b7962p-7f,  -0x1.9030ap-8f,   -0x1.16e636p-8f,
       -0x1.b171cp-9f,   -0x1.1447c2p-9f,  -0x1.44395ap-10f, -0x1.646d52p-11f, -0x1.94490ep-12f, -0x1.e3d436p-13f,
       -0x1.2edee6p-13f, -0x1.824564p-14f, -0x1.dcab8ep-15f, -0x1.56016ep-15f, -0x1.7ac2b4p-16f, -0x1.7f8f6ep-17f,
       -0x1.9f97bp-18f,  -0x1.d99ff6p-19f, -0x1.15ce1cp-19f, -0x1.5f3d56p-20f, -0x1.c7fad2p-21f, -0x1.485ee4p-21f,
       -0x1.18fd46p-2f,  -0x1.8b3bccp-3f,  -0x1.30cbe4p-3f,  -0x1.de1f3ap-4f,  -0x1.d0bd36p-4f,  -0x1.0c644ep-4f,
       -0x1.98e296p-5f,  -0x1.6bbedap-5f}};
  const v32f a = f32_min(f32_set1(10.19f), f32_abs(x)), square = f32_mul(a, a);
  v32f t;
  const v32f r = f32_sub(f32_roots_reduce(f32_neg(square), &t), _mm512_fmsub_ps(a, a, square));
  const v32i i = f32_eighths(a, 0x1.787878p+0f);
  const v32f y = f32_mul(f32_piece(parts, i, a, f32_looked_up(parts[1], i)), f32_roots_power(r, t));
  const v32f scaled = _mm512_scalef_ps(y, f32_sub(t, f32_set1(0x1.8p19f)));
  return f32_select(f32_lt(x, f32_zero()), f32_sub(f32_set1(2), scaled), scaled);
}

#endif
