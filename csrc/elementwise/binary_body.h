/* The floating-point kernels of binary.c, once for float and once for double. */

#define LOOP(LOAD_A, LOAD_B, expression)                                              \
  {                                                                                   \
    int64_t j = 0;                                                                    \
    const kr_ahead ahead = kr_ahead_of(ys, ys == as || ys == bs);                     \
    for (; j + 2 * V_LANES <= n; j += 2 * V_LANES) {                                  \
      kr_fetch_ahead(ahead, j * (int64_t)sizeof(real));                               \
      for (int64_t i = j; i < j + 2 * V_LANES; i += V_LANES) {                        \
        vreal a = LOAD_A(v_load(as + i)), b = LOAD_B(v_load(bs + i));                 \
        v_store(ys + i, (expression));                                                \
      }                                                                               \
    }                                                                                 \
    for (; j + V_LANES <= n; j += V_LANES) {                                          \
      vreal a = LOAD_A(v_load(as + j)), b = LOAD_B(v_load(bs + j));                   \
      v_store(ys + j, (expression));                                                  \
    }                                                                                 \
    if (j < n) {                                                                      \
      vreal a = LOAD_A(v_load_n(as + j, n - j)), b = LOAD_B(v_load_n(bs + j, n - j)); \
      v_store_n(ys + j, (expression), n - j);                                         \
    }                                                                                 \
  }
#define EACH(load) load
#define FIRST_A(load) a0
#define FIRST_B(load) b0

/* A kernel from an expression in vectors a and b. */
#define BINARY(name, expression)                                                               \
  static void KR_FN(name##_loop)(const void *const *in, const int *step, void *out, int64_t n, \
                                 KR_UNUSED const double *f) {                                  \
    const real *as = in[0], *bs = in[1];                                                       \
    real *ys = out;                                                                            \
    if (step[0] && step[1]) {                                                                  \
      LOOP(EACH, EACH, expression)                                                             \
    } else if (step[0]) {                                                                      \
      const vreal b0 = v_set1(*bs);                                                            \
      LOOP(EACH, FIRST_B, expression)                                                          \
    } else {                                                                                   \
      const vreal a0 = v_set1(*as);                                                            \
      LOOP(FIRST_A, EACH, expression)                                                          \
    }                                                                                          \
  }                                                                                            \
  static kr_status KR_FN(name)(const kr_call *c) {                                             \
    const size_t sizes[] = {sizeof(real), sizeof(real)};                                       \
    return kr_map_broadcast(c, KR_FN(name##_loop), sizes, sizeof(real));                       \
  }

BINARY(add, v_add(a, b))
BINARY(subtract, v_sub(a, b))
BINARY(multiply, v_mul(a, b))
BINARY(divide, v_div(a, b))
BINARY(maximum, v_max_nan(a, b))
BINARY(minimum, v_min_nan(a, b))
/* Gradients from the output y: in[0] = g, in[1] = y. */
BINARY(relu_grad, v_select(v_gt(b, v_zero()), a, v_select(v_isnan(b), v_mul(a, b), v_zero())))
BINARY(sigmoid_grad, v_mul(a, v_mul(b, v_sub(v_set1(1), b))))
BINARY(tanh_grad, v_mul(a, v_fnma(b, b, v_set1(1))))

#if KR_REAL == 32
#define LIBM(fn) fn##f(a, b)
#define FLOOR floorf
#define COPYSIGN copysignf
#else
#define LIBM(fn) fn(a, b)
#define FLOOR floor
#define COPYSIGN copysign
#endif

/* Python's modulo: the sign of b, NaN for b = 0. */
KR_INLINE real KR_FN(python_mod)(real a, real b) {
  real m = LIBM(fmod);
  if (m == 0) return COPYSIGN(m, b);
  return (m < 0) != (b < 0) ? m + b : m;
}

/* Python's floor division, as NumPy has it: by way of the modulo, because floor(a / b) rounds up where a / b does. */
KR_INLINE real KR_FN(python_floordiv)(real a, real b) {
  if (b == 0) return a / b;
  real m = LIBM(fmod), q = (a - m) / b;
  if (m != 0 && (m < 0) != (b < 0)) q -= 1;
  if (q == 0) return COPYSIGN((real)0, a / b);
  real whole = FLOOR(q);
  return q - whole > (real)0.5 ? whole + 1 : whole;
}

/* v_pow where the exponent is one number for the whole row: the usual ones are products, a root or a quotient. */
static void KR_FN(power_constant)(const real *xs, real y, real *ys, int64_t n) {
  int64_t j = 0;
  const vreal vy = v_set1(y), inf = v_set1((real)HUGE_VAL);
#define POWERS(expression)                  \
  for (; j + V_LANES <= n; j += V_LANES) {  \
    vreal x = v_load(xs + j);               \
    v_store(ys + j, (expression));          \
  }                                         \
  if (j < n) {                              \
    vreal x = v_load_n(xs + j, n - j);      \
    v_store_n(ys + j, (expression), n - j); \
  }
  if (y == 2) {
    POWERS(v_mul(x, x))
  } else if (y == 1) {
    POWERS(x)
  } else if (y == (real)0.5) { /* + 0 makes -0 positive; |-inf|^0.5 is inf */
    POWERS(v_select(v_eq(x, v_neg(inf)), inf, v_sqrt(v_add(x, v_zero()))))
  } else if (y == -1) {
    POWERS(v_div(v_set1(1), x))
  } else {
    POWERS(v_pow(x, vy))
  }
#undef POWERS
}

static void KR_FN(power_loop)(const void *const *in, const int *step, void *out, int64_t n, KR_UNUSED const double *f) {
  const real *as = in[0], *bs = in[1];
  real *ys = out;
  if (!step[1]) {
    KR_FN(power_constant)(as, *bs, ys, n);
  } else if (step[0]) {
    LOOP(EACH, EACH, v_pow(a, b))
  } else {
    const vreal a0 = v_set1(*as);
    LOOP(FIRST_A, EACH, v_pow(a, b))
  }
}
static kr_status KR_FN(power)(const kr_call *c) {
  const size_t sizes[] = {sizeof(real), sizeof(real)};
  return kr_map_broadcast(c, KR_FN(power_loop), sizes, sizeof(real));
}

BINARY_ELEMENT(floor_divide, KR_REAL_SUFFIX, real, real, KR_FN(python_floordiv)(a, b))
BINARY_ELEMENT(mod, KR_REAL_SUFFIX, real, real, KR_FN(python_mod)(a, b))
BINARY_ELEMENT(arctan2, KR_REAL_SUFFIX, real, real, LIBM(atan2))
BINARY_ELEMENT(hypot, KR_REAL_SUFFIX, real, real, LIBM(hypot))
COMPARISONS(KR_REAL_SUFFIX, real)
SELECT(KR_REAL_SUFFIX, real)

#undef LOOP
#undef EACH
#undef FIRST_A
#undef FIRST_B
#undef BINARY
#undef LIBM
#undef FLOOR
#undef COPYSIGN
