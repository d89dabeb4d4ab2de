/* The update formulas for one floating type, one vector at a time, and the loop that streams the arrays through them.
 */

/* x: variable (weight decay already taken off), gradient, slots.  y: new variable, new slots.  c: coefficients. */
typedef void (*KR_FN(formula))(const vreal *x, vreal *y, const vreal *c);

/* c: lr */
KR_INLINE void KR_FN(sgd)(const vreal *x, vreal *y, const vreal *c) { y[0] = v_fnma(x[1], c[0], x[0]); }

/* c: lr, momentum */
KR_INLINE void KR_FN(sgd_momentum)(const vreal *x, vreal *y, const vreal *c) {
  y[1] = v_sub(v_mul(x[2], c[1]), v_mul(x[1], c[0]));
  y[0] = v_add(x[0], y[1]);
}

KR_INLINE void KR_FN(sgd_nesterov)(const vreal *x, vreal *y, const vreal *c) {
  vreal step = v_mul(x[1], c[0]);
  y[1] = v_sub(v_mul(x[2], c[1]), step);
  y[0] = v_add(x[0], v_sub(v_mul(y[1], c[1]), step));
}

/* c: lr, rho, 1 - rho, epsilon, momentum */
KR_INLINE vreal KR_FN(rmsprop_velocity)(const vreal *x, const vreal *c) {
  return v_fma(c[1], x[2], v_mul(c[2], v_mul(x[1], x[1])));
}
KR_INLINE vreal KR_FN(rmsprop_average)(vreal average, const vreal *x, const vreal *c) {
  return v_fma(c[1], average, v_mul(c[2], x[1]));
}
KR_INLINE vreal KR_FN(rmsprop_step)(vreal variance, const vreal *x, const vreal *c) {
  return v_div(v_mul(c[0], x[1]), v_sqrt(v_add(variance, c[3])));
}

KR_INLINE void KR_FN(rmsprop)(const vreal *x, vreal *y, const vreal *c) {
  y[1] = KR_FN(rmsprop_velocity)(x, c);
  y[0] = v_sub(x[0], KR_FN(rmsprop_step)(y[1], x, c));
}

KR_INLINE void KR_FN(rmsprop_momentum)(const vreal *x, vreal *y, const vreal *c) {
  y[1] = KR_FN(rmsprop_velocity)(x, c);
  y[2] = v_fma(c[4], x[3], KR_FN(rmsprop_step)(y[1], x, c));
  y[0] = v_sub(x[0], y[2]);
}

KR_INLINE void KR_FN(rmsprop_centered)(const vreal *x, vreal *y, const vreal *c) {
  y[1] = KR_FN(rmsprop_velocity)(x, c);
  y[2] = KR_FN(rmsprop_average)(x[3], x, c);
  y[0] = v_sub(x[0], KR_FN(rmsprop_step)(v_fnma(y[2], y[2], y[1]), x, c));
}

KR_INLINE void KR_FN(rmsprop_centered_momentum)(const vreal *x, vreal *y, const vreal *c) {
  y[1] = KR_FN(rmsprop_velocity)(x, c);
  y[2] = KR_FN(rmsprop_average)(x[3], x, c);
  y[3] = v_fma(c[4], x[4], KR_FN(rmsprop_step)(v_fnma(y[2], y[2], y[1]), x, c));
  y[0] = v_sub(x[0], y[3]);
}

/* c: alpha, 1 - beta_1, 1 - beta_2, epsilon */
KR_INLINE void KR_FN(adam_moments)(const vreal *x, vreal *y, const vreal *c) {
  y[1] = v_fma(v_sub(x[1], x[2]), c[1], x[2]);
  y[2] = v_fma(v_sub(v_mul(x[1], x[1]), x[3]), c[2], x[3]);
}
KR_INLINE vreal KR_FN(adam_step)(vreal moment, vreal velocity, const vreal *c) {
  return v_div(v_mul(moment, c[0]), v_add(v_sqrt(velocity), c[3]));
}

KR_INLINE void KR_FN(adam)(const vreal *x, vreal *y, const vreal *c) {
  KR_FN(adam_moments)(x, y, c);
  y[0] = v_sub(x[0], KR_FN(adam_step)(y[1], y[2], c));
}

KR_INLINE void KR_FN(adam_amsgrad)(const vreal *x, vreal *y, const vreal *c) {
  KR_FN(adam_moments)(x, y, c);
  y[3] = v_max_nan(x[4], y[2]);
  y[0] = v_sub(x[0], KR_FN(adam_step)(y[1], y[3], c));
}

/* c: lr, epsilon */
KR_INLINE void KR_FN(adagrad)(const vreal *x, vreal *y, const vreal *c) {
  y[1] = v_fma(x[1], x[1], x[2]);
  y[0] = v_sub(x[0], v_div(v_mul(c[0], x[1]), v_sqrt(v_add(y[1], c[1]))));
}

/* `lanes` elements from `at` on. */
KR_INLINE void KR_FN(step)(const real *const *in, real *const *out, int64_t at, int64_t lanes, int n_in, int n_out,
                           const vreal *decay, const vreal *c, KR_FN(formula) formula) {
  vreal x[MAX_ARRAYS], y[MAX_ARRAYS];
  for (int k = 0; k < n_in; ++k) x[k] = lanes == V_LANES ? v_load(in[k] + at) : v_load_n(in[k] + at, lanes);
  if (decay) x[0] = v_fnma(x[0], *decay, x[0]);
  formula(x, y, c);
  for (int k = 0; k < n_out; ++k)
    if (lanes == V_LANES) v_store(out[k] + at, y[k]);
    else v_store_n(out[k] + at, y[k], lanes);
}

/* One task's share of the arrays.  `n_in`, `n_out`, `decays` and `formula` are constants where this is inlined; pointers
 * are copied, since the compiler must fear that a store changes those of `u`. */
KR_INLINE void KR_FN(stream)(const update *u, int64_t task, int n_in, int n_out, int decays, KR_FN(formula) formula) {
  int64_t at = task * TASK_SIZE, to = kr_min(at + TASK_SIZE, u->n);
  vreal c[MAX_COEFFICIENTS];
  const vreal decay = v_set1((real)u->decay);
  const real *in[MAX_ARRAYS];
  real *out[MAX_ARRAYS];
  for (int k = 0; k < MAX_COEFFICIENTS; ++k) c[k] = v_set1((real)u->c[k]);
  for (int k = 0; k < n_in; ++k) in[k] = (const real *)u->in[k];
  for (int k = 0; k < n_out; ++k) out[k] = (real *)u->out[k];
  for (; at + V_LANES <= to; at += V_LANES)
    KR_FN(step)(in, out, at, V_LANES, n_in, n_out, decays ? &decay : NULL, c, formula);
  if (at < to) KR_FN(step)(in, out, at, to - at, n_in, n_out, decays ? &decay : NULL, c, formula);
}

#define TASK(name, slots)                                                                                  \
  static void KR_FN(name##_task)(void *u, int64_t task, int worker) {                                      \
    (void)worker;                                                                                          \
    if (((const update *)u)->decay != 0) KR_FN(stream)(u, task, 2 + (slots), 1 + (slots), 1, KR_FN(name)); \
    else KR_FN(stream)(u, task, 2 + (slots), 1 + (slots), 0, KR_FN(name));                                 \
  }
TASK(sgd, 0)
TASK(sgd_momentum, 1)
TASK(sgd_nesterov, 1)
TASK(rmsprop, 1)
TASK(rmsprop_momentum, 2)
TASK(rmsprop_centered, 2)
TASK(rmsprop_centered_momentum, 3)
TASK(adam, 2)
TASK(adam_amsgrad, 3)
TASK(adagrad, 1)
#undef TASK

static kr_status KR_FN(sgd_update)(const kr_call *c) {
  return run(c, 0, (double[]){scalar(&c->in[2])}, 1, c->f[0], KR_FN(sgd_task));
}

static kr_status KR_FN(sgd_momentum_update)(const kr_call *c) {
  return run(c, 1, (double[]){scalar(&c->in[2]), c->f[1]}, 2, c->f[0],
             c->i[0] ? KR_FN(sgd_nesterov_task) : KR_FN(sgd_momentum_task));
}

static kr_status KR_FN(rmsprop_update)(const kr_call *c) {
  static const kr_task_fn tasks[2][2] = {
      {KR_FN(rmsprop_task), KR_FN(rmsprop_momentum_task)},
      {KR_FN(rmsprop_centered_task), KR_FN(rmsprop_centered_momentum_task)},
  };
  int centered = c->i[0] != 0, momentum = c->i[1] != 0;
  return run(c, 1 + centered + momentum, (double[]){scalar(&c->in[2]), c->f[1], 1 - c->f[1], c->f[3], c->f[2]}, 5,
             c->f[0], tasks[centered][momentum]);
}

static kr_status KR_FN(adam_update)(const kr_call *c) {
  double step = scalar(&c->in[3]) + 1;
  double alpha = scalar(&c->in[2]) * sqrt(1 - pow(c->f[2], step)) / (1 - pow(c->f[1], step));
  int amsgrad = c->i[0] != 0;
  return run(c, 2 + amsgrad, (double[]){alpha, 1 - c->f[1], 1 - c->f[2], c->f[3]}, 4, c->f[0],
             amsgrad ? KR_FN(adam_amsgrad_task) : KR_FN(adam_task));
}

static kr_status KR_FN(adagrad_update)(const kr_call *c) {
  return run(c, 1, (double[]){scalar(&c->in[2]), c->f[1]}, 2, c->f[0], KR_FN(adagrad_task));
}
