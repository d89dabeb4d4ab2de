/* Normalisation of each sample over its trailing dimensions, and the gradients.
 *
 *   layer_norm         in x, gamma, beta    out y = (x - mean) r gamma + beta        r = 1 / sqrt(var + eps)
 *   layer_norm_grad    in x, gamma, g       out dx, dgamma, dbeta
 *   rms_norm           in x, gamma          out y = x r gamma                        r = 1 / sqrt(mean(x^2) + eps)
 *   rms_norm_grad      in x, gamma, g       out dx, dgamma
 *   i[0]    first dimension that is normalised; gamma and beta have the shape of x from there on       f[0]    eps
 *
 * With xhat = (x - mean) r, or x r, and u = g gamma, means over the normalised dimensions:
 *   dx = r (u - mean(u) - xhat mean(u xhat))        (RMS: without mean(u))
 *   dgamma = sum over samples g xhat                dbeta = sum over samples g
 * (J. Ba, J. Kiros, G. Hinton, Layer normalization, 2016; B. Zhang, R. Sennrich, Root mean square layer normalization,
 * 2019.)  The statistics are taken anew for the gradient: a row stays in cache, so that costs less than keeping them.
 * Sums over samples: rows in sequence within chunks of at most 128, chunks in order in double.  y may be x; dx may be x
 * or g. */
#include "base/kernel.h"
#include "reduce/op.h"

#define WORK 32768 /* elements of one task */
#define TILE 512   /* columns whose partial sums are added side by side */

/* Rows that go together (layer_norm_wide.h): vectors of each at most, which bounds the error of its sums, and bytes of all;
 * rows of 4 KB and more would meet in one set of L1. */
enum { WIDE_MOST = 96, WIDE_NEAR = 24 << 10 };

typedef struct {
  int64_t rows, n;
  int64_t group;       /* rows of a forward task */
  int64_t chunk;       /* rows that share a partial sum */
  int64_t chunks;      /* how many such there are */
  int64_t chunk_group; /* chunks of a backward task */
} line_shape;

static line_shape line_shape_of(const kr_call *c) {
  const kr_array *x = &c->in[0];
  line_shape s = {.rows = kr_span(x, 0, (int)c->i[0]), .n = kr_span(x, (int)c->i[0], x->ndim)};
  s.group = kr_max(1, WORK / kr_max(1, s.n));
  s.chunk = kr_min(128, kr_max(32, s.group));
  s.chunks = kr_ceil_div(s.rows, s.chunk);
  s.chunk_group = kr_max(1, s.group / s.chunk);
  return s;
}

#define KR_REAL 32
#include "base/real.h"
#include "layer_norm_body.h"
#undef KR_REAL
#define KR_REAL 64
#include "base/real.h"
#include "layer_norm_body.h"
#undef KR_REAL

static size_t sums_bytes(const kr_call *c, size_t size) {
  line_shape s = line_shape_of(c);
  return 2 * (size_t)(s.chunks * s.n) * size;
}
static size_t scratch_f32(const kr_call *c) { return sums_bytes(c, sizeof(float)); }
static size_t scratch_f64(const kr_call *c) { return sums_bytes(c, sizeof(double)); }

KR_TABLE(layer_norm) = {{"layer_norm", KR_F32, layer_norm_f32, NULL},
                        {"layer_norm", KR_F64, layer_norm_f64, NULL},
                        {"layer_norm_grad", KR_F32, layer_norm_grad_f32, scratch_f32},
                        {"layer_norm_grad", KR_F64, layer_norm_grad_f64, scratch_f64},
                        {"rms_norm", KR_F32, rms_norm_f32, NULL},
                        {"rms_norm", KR_F64, rms_norm_f64, NULL},
                        {"rms_norm_grad", KR_F32, rms_norm_grad_f32, scratch_f32},
                        {"rms_norm_grad", KR_F64, rms_norm_grad_f64, scratch_f64},
                        KR_TABLE_END};
