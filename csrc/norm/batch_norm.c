/* Moments over a set of axes; batch normalisation, its gradient and its inference form.
 *
 *   moments                 in x                                       out mean, var         i[0] axes, as bits
 *   batch_norm              in x, gamma, beta                          out y, mean, var      i[0] axis, i[1] whether y = max(y, 0)   f[0] eps
 *   batch_norm_grad         in x, gamma, mean, var, gy, gmean, gvar    out dx, dgamma, dbeta     likewise
 *   batch_norm_relu_grad    in x, gamma, beta, mean, var, gy, gmean, gvar   out likewise: gy is the gradient of max(y, 0)
 *   batch_norm_inference    in x, mean, var, gamma, beta               out y                     likewise
 *
 * The moments have the dimensions that are kept.  gamma, beta, mean, var and their gradients are (channels), channels
 * being dimension `axis` of x; all other dimensions are reduced.  With r = 1 / sqrt(var + eps), n elements a channel,
 * and a variance that is divided by n:
 *
 *   y      = (x - mean) r gamma + beta
 *   dbeta  = sum gy
 *   dgamma = r sum gy (x - mean)
 *   dx     = gamma r (gy - dbeta / n - (x - mean) r dgamma / n) + gmean / n + 2 gvar (x - mean) / n
 *
 * (S. Ioffe, C. Szegedy, Batch normalization, 2015.)  y may be x, dx may be x or gy.
 *
 * moments takes axes that leave at most two kept groups: (kept, reduced, kept, reduced), any of which may be missing,
 * else KR_EINTERNAL.  Of no elements the moments are NaN, and where an element is infinite.  Relative error of a
 * variance: about 30 u, whatever the mean. */
#include "shape.h"
#include "reduce/op.h"

#define KR_REAL 32
#include "base/real.h"
#include "stats_body.h"
#include "batch_norm_body.h"
#undef KR_REAL
#define KR_REAL 64
#include "base/real.h"
#include "stats_body.h"
#include "batch_norm_body.h"
#undef KR_REAL

static size_t coefs_bytes(const norm_shape *s, size_t size) { return 6 * (size_t)(s->glue * s->channels) * size; }

#define SCRATCH(width, real)                                                                  \
  static size_t moments_scratch_##width(const kr_call *c) {                                   \
    norm_shape s = norm_shape_of(c, c->i[0]);                                                 \
    return s.batch < 0 ? 0 : norm_stats_scratch(&s, sizeof(real));                            \
  }                                                                                           \
  static size_t batch_norm_scratch_##width(const kr_call *c) {                                \
    norm_shape s = norm_shape_of(c, ~(1ll << c->i[0]));                                       \
    return norm_stats_scratch(&s, sizeof(real)) + coefs_bytes(&s, sizeof(real));              \
  }                                                                                           \
  static size_t inference_scratch_##width(const kr_call *c) {                                 \
    norm_shape s = norm_shape_of(c, ~(1ll << c->i[0]));                                       \
    return coefs_bytes(&s, sizeof(real));                                                     \
  }                                                                                           \
  static size_t grad_scratch_##width(const kr_call *c) {                                      \
    norm_shape s = norm_shape_of(c, ~(1ll << c->i[0]));                                       \
    return 2 * (size_t)(s.parts * s.channels) * sizeof(real) + coefs_bytes(&s, sizeof(real)); \
  }
SCRATCH(f32, float)
SCRATCH(f64, double)

KR_TABLE(batch_norm) = {{"moments", KR_F32, moments_kernel_f32, moments_scratch_f32},
                        {"moments", KR_F64, moments_kernel_f64, moments_scratch_f64},
                        {"batch_norm", KR_F32, batch_norm_kernel_f32, batch_norm_scratch_f32},
                        {"batch_norm", KR_F64, batch_norm_kernel_f64, batch_norm_scratch_f64},
                        {"batch_norm_grad", KR_F32, batch_norm_grad_kernel_f32, grad_scratch_f32},
                        {"batch_norm_grad", KR_F64, batch_norm_grad_kernel_f64, grad_scratch_f64},
                        {"batch_norm_relu_grad", KR_F32, batch_norm_relu_grad_kernel_f32, grad_scratch_f32},
                        {"batch_norm_relu_grad", KR_F64, batch_norm_relu_grad_kernel_f64, grad_scratch_f64},
                        {"batch_norm_inference", KR_F32, batch_norm_inference_kernel_f32, inference_scratch_f32},
                        {"batch_norm_inference", KR_F64, batch_norm_inference_kernel_f64, inference_scratch_f64},
                        KR_TABLE_END};
