/* Optimizer steps, each one pass over the variable, its gradient and its slots: what they cost is memory traffic.
 *
 * All kernels: in[0] variable, in[1] gradient, in[2] learning rate (0-d, any real dtype), [in[3] iterations before this
 * step (0-d), Adam only], then the slots; out[0] new variable, then the new slots.  Variable, gradient and slots have
 * one shape and dtype; outputs may be the same memory as the variable and the slots.  f[0] is the decoupled weight
 * decay wd: where it is not 0, w - w wd lr stands for w below.  g is the gradient; a prime marks a new value.
 *
 *   sgd_update            w' = w - lr g
 *   sgd_momentum_update   m' = mu m - lr g;  w' = w + m', or w + mu m' - lr g with Nesterov.   f: wd mu   i: nesterov
 *   rmsprop_update        v' = rho v + (1 - rho) g^2;  d = v' + eps, centred: v' - a'^2 + eps, a' = rho a + (1 - rho)
 * g; w' = w - lr g / sqrt(d), or with momentum b' = mu b + lr g / sqrt(d), w' = w - b'. f: wd rho mu eps   i: centred,
 * has momentum   slots: v, [a], [b] adam_update           m' = m + (g - m)(1 - b1);  v' = v + (g^2 - v)(1 - b2);  u =
 * v', AMSGrad: u = u' = max(u, v'); w' = w - alpha m' / (sqrt(u) + eps), alpha = lr sqrt(1 - b2^t) / (1 - b1^t), t =
 * iterations + 1. f: wd b1 b2 eps   i: AMSGrad   slots: m, v, [u].  alpha is worked out in double. adagrad_update a' =
 * a + g^2;  w' = w - lr g / sqrt(a' + eps).   f: wd eps
 *
 * Each element is computed alone and in one order, so neither threads nor the position in the array change a bit.
 */
#include "base/kernel.h"

/* 16 Ki elements of seven arrays of floats are half a megabyte: an even share for workers, far above their overhead. */
enum { TASK_SIZE = 16384, INLINE_BELOW = 2 * TASK_SIZE, MAX_ARRAYS = 5, MAX_COEFFICIENTS = 5 };

typedef struct {
  const char *in[MAX_ARRAYS]; /* variable, gradient, slots */
  char *out[MAX_ARRAYS];      /* variable, slots */
  double c[MAX_COEFFICIENTS];
  double decay; /* wd lr */
  int64_t n;
} update;

static double scalar(const kr_array *a) {
  switch (a->dtype) {
    case KR_F32: return *(const float *)a->data;
    case KR_F64: return *(const double *)a->data;
    case KR_I32: return *(const int32_t *)a->data;
    case KR_U32: return *(const uint32_t *)a->data;
    case KR_I64: return (double)*(const int64_t *)a->data;
    case KR_U64: return (double)*(const uint64_t *)a->data;
    default: return NAN;
  }
}

static kr_status run(const kr_call *c, int slots, const double *coefficients, int n_coefficients, double weight_decay,
                     kr_task_fn task) {
  update u = {.n = kr_size(&c->in[0]), .decay = weight_decay * scalar(&c->in[2])};
  int first_slot = c->n_in - slots;
  if (c->n_in < 3 + slots || c->n_out != 1 + slots) return KR_EINTERNAL;
  for (int k = 0; k < 2 + slots; ++k) {
    const kr_array *a = &c->in[k < 2 ? k : first_slot + k - 2];
    if (kr_size(a) != u.n || a->dtype != c->in[0].dtype) return KR_EINTERNAL;
    u.in[k] = a->data;
  }
  for (int k = 0; k < 1 + slots; ++k) u.out[k] = c->out[k].data;
  memcpy(u.c, coefficients, (size_t)n_coefficients * sizeof *coefficients);
  kr_parallel(u.n < INLINE_BELOW ? 1 : c->threads, kr_ceil_div(u.n, TASK_SIZE), task, &u);
  return KR_OK;
}

#define KR_REAL 32
#include "base/real.h"
#include "update_body.h"
#undef KR_REAL
#define KR_REAL 64
#include "base/real.h"
#include "update_body.h"

KR_TABLE(update) = {
    {"sgd_update", KR_F32, sgd_update_f32, NULL},
    {"sgd_update", KR_F64, sgd_update_f64, NULL},
    {"sgd_momentum_update", KR_F32, sgd_momentum_update_f32, NULL},
    {"sgd_momentum_update", KR_F64, sgd_momentum_update_f64, NULL},
    {"rmsprop_update", KR_F32, rmsprop_update_f32, NULL},
    {"rmsprop_update", KR_F64, rmsprop_update_f64, NULL},
    {"adam_update", KR_F32, adam_update_f32, NULL},
    {"adam_update", KR_F64, adam_update_f64, NULL},
    {"adagrad_update", KR_F32, adagrad_update_f32, NULL},
    {"adagrad_update", KR_F64, adagrad_update_f64, NULL},
    KR_TABLE_END,
};
