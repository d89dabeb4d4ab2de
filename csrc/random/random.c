/* Random numbers from Philox (philox.h): bits, uniform, normal, truncated normal, integers, dropout, the next seed.
 *
 * in[seed] is the key: two uint32.  The element at flat position k depends on the seed, the stream and k only, so the
 * bits are the same at every thread count; and they are the same on every ISA, because the arithmetic uses neither fma
 * nor the C library.  All of one draw comes from consecutive words: a group of 64 words gives 64 float or 32 double
 * variates (or 64 decisions of dropout, or 32 integers), in order.
 *
 * Kernels without a floating input are registered for the seed's dtype, uint32; the dtype of out[0] chooses the type.
 *
 *   random_bits              out uint32, any shape.  i: stream, number of the first block.
 *   random_uniform           out float32 or float64.  f: low, high  i: stream.  low + (high - low) u, u a multiple of
 *                            2^-24 or 2^-53 in [0, 1); below high even where the sum rounds up.
 *   random_normal            f: mean, standard deviation  i: stream.  Box-Muller in double (quantile.h): float variates
 *                            from 32-bit words reach 6.7 standard deviations, double ones 8.6.
 *   random_truncated_normal  the same, cut off at two standard deviations, by the inverse distribution function.
 *   random_integers          out any integer dtype.  i: stream, low, number of values n (as the bits of a uint64; 0
 * means 2^64).  low + floor(u n / 2^64) for 64 random bits u: the frequencies of two values differ by a factor of at
 * most 1 + n / 2^64.
 *   dropout                  in: x, seed; out like x, may be x's memory, and perhaps a bool like x: what is kept.  f: rate.
 *                            i: nothing, or the shape of the noise (as long as x's, each entry that of x or 1; then
 *                            there is one output).  x (1 / (1 - rate)) with probability 1 - rate, else 0; rate is met to
 *                            2^-32.  Linear in x, and its own transpose.
 *   dropout_again            in: x, kept, as dropout has given it; out like x, may be x's memory.  f: rate.  dropout of x.
 *   next_seed                in: seed; out: the same key but for the second word, which is one more.
 */
#include "base/kernel.h"
#include "philox.h"
#include "quantile.h"

enum { TASK_GROUPS = 128, TASK_WORDS = TASK_GROUPS * WORDS, INLINE_BELOW = 32768 };

typedef struct draw draw;
typedef void (*group_fn)(const draw *d, int64_t group, void *to);

struct draw {
  philox p;
  double f[2];
  int64_t low;
  uint64_t values;
  group_fn group;
  char *out;
  int64_t n, group_bytes; /* bytes of output; of a whole group's output */
};

typedef struct {
  philox p;
  const void *x;
  void *y;
  uint8_t *kept; /* of each element, whether it is kept; or NULL */
  uint8_t *noise;
  double scale;   /* of what is kept */
  uint32_t limit; /* a word up to it keeps its element */
  int64_t n;
  int ndim;
  int64_t shape[KR_MAX_NDIM], stride[KR_MAX_NDIM]; /* of x; of the noise over x's dimensions, 0 where it is repeated */
} dropout;

static philox key(const kr_array *seed, uint64_t stream) { return philox_of(seed->data, stream); }

static kr_status run_dropout(const kr_call *c, size_t element, kr_task_fn dense, kr_task_fn rows);
static kr_status run_dropout_again(const kr_call *c, kr_task_fn task);

#define KR_REAL 32
#include "base/real.h"
#define KR_LIBM(name) name##f
#include "random_body.h"
#undef KR_REAL
#undef KR_LIBM
#define KR_REAL 64
#include "base/real.h"
#define KR_LIBM(name) name
#include "random_body.h"

/* ---- draws ------------------------------------------------------------------------------------------------------ */

static void draw_task(void *arg, int64_t task, int worker) {
  const draw *d = arg;
  KR_ALIGNED char last[WORDS * 4];
  (void)worker;
  for (int64_t g = task * TASK_GROUPS; g < (task + 1) * TASK_GROUPS; ++g) {
    int64_t left = d->n - g * d->group_bytes;
    if (left <= 0) return;
    if (left >= d->group_bytes) {
      d->group(d, g, d->out + g * d->group_bytes);
    } else {
      d->group(d, g, last);
      memcpy(d->out + g * d->group_bytes, last, (size_t)left);
    }
  }
}

static kr_status run_draw(const kr_call *c, draw *d, group_fn group, int64_t element, int64_t per_group) {
  int64_t n = kr_size(&c->out[0]), tasks = kr_ceil_div(kr_ceil_div(n, per_group), TASK_GROUPS);
  d->p = key(&c->in[0], (uint64_t)c->i[0]);
  if (c->n_f == 2) d->f[0] = c->f[0], d->f[1] = c->f[1];
  d->group = group;
  d->out = c->out[0].data;
  d->n = n * element;
  d->group_bytes = per_group * element;
  kr_parallel(n < INLINE_BELOW ? 1 : c->threads, tasks, draw_task, d);
  return KR_OK;
}

static void bits_group(const draw *d, int64_t group, void *to) {
  uint32_t w[WORDS];
  philox p = d->p;
  p.first = d->values;
  philox_group(&p, group, w);
  memcpy(to, w, sizeof w);
}

static kr_status random_bits(const kr_call *c) {
  draw d = {.values = (uint64_t)c->i[1]};
  return run_draw(c, &d, bits_group, 4, WORDS);
}

static kr_status random_floats(const kr_call *c, group_fn f32, group_fn f64) {
  draw d = {.low = 0};
  if (c->out[0].dtype == KR_F32) return run_draw(c, &d, f32, 4, WORDS);
  if (c->out[0].dtype == KR_F64) return run_draw(c, &d, f64, 8, WORDS / 2);
  return KR_EINTERNAL;
}

static kr_status random_uniform(const kr_call *c) { return random_floats(c, uniform_group_f32, uniform_group_f64); }
static kr_status random_normal(const kr_call *c) { return random_floats(c, normal_group_f32, normal_group_f64); }
static kr_status random_truncated_normal(const kr_call *c) {
  return random_floats(c, truncated_normal_group_f32, truncated_normal_group_f64);
}

/* ---- integers --------------------------------------------------------------------------------------------------- */

/* floor(u n / 2^64), from products of 32-bit halves. */
KR_INLINE uint64_t scaled(uint64_t u, uint64_t n) {
  uint64_t u0 = (uint32_t)u, u1 = u >> 32, n0 = (uint32_t)n, n1 = n >> 32;
  uint64_t middle = u1 * n0 + (u0 * n0 >> 32), other = u0 * n1 + (uint32_t)middle;
  return u1 * n1 + (middle >> 32) + (other >> 32);
}

#define INTEGERS(type)                                                                  \
  static void integers_##type(const draw *d, int64_t group, void *to) {                 \
    uint64_t w[WORDS / 2];                                                              \
    type *out = to;                                                                     \
    philox_group_64(&d->p, group, w);                                                   \
    for (int k = 0; k < WORDS / 2; ++k)                                                 \
      out[k] = (type)((uint64_t)d->low + (d->values ? scaled(w[k], d->values) : w[k])); \
  }
INTEGERS(int8_t)
INTEGERS(uint8_t)
INTEGERS(int16_t)
INTEGERS(uint16_t)
INTEGERS(int32_t)
INTEGERS(uint32_t)
INTEGERS(int64_t)
INTEGERS(uint64_t)

static kr_status random_integers(const kr_call *c) {
  draw d = {.low = c->i[1], .values = (uint64_t)c->i[2]};
  switch (c->out[0].dtype) {
    case KR_I8: return run_draw(c, &d, integers_int8_t, 1, WORDS / 2);
    case KR_U8: return run_draw(c, &d, integers_uint8_t, 1, WORDS / 2);
    case KR_I16: return run_draw(c, &d, integers_int16_t, 2, WORDS / 2);
    case KR_U16: return run_draw(c, &d, integers_uint16_t, 2, WORDS / 2);
    case KR_I32: return run_draw(c, &d, integers_int32_t, 4, WORDS / 2);
    case KR_U32: return run_draw(c, &d, integers_uint32_t, 4, WORDS / 2);
    case KR_I64: return run_draw(c, &d, integers_int64_t, 8, WORDS / 2);
    case KR_U64: return run_draw(c, &d, integers_uint64_t, 8, WORDS / 2);
    default: return KR_EINTERNAL;
  }
}

/* ---- dropout ---------------------------------------------------------------------------------------------------- */

static int64_t noise_size(const kr_call *c) {
  int64_t n = 1;
  for (int d = 0; d < c->n_i; ++d) n *= c->i[d];
  return n;
}

static size_t dropout_scratch(const kr_call *c) { return c->n_i ? (size_t)noise_size(c) : 0; }

typedef struct {
  const dropout *o;
  int64_t n;
} decisions;

static void decide_task(void *arg, int64_t task, int worker) {
  const decisions *s = arg;
  uint32_t w[WORDS];
  (void)worker;
  for (int64_t at = task * TASK_WORDS; at < kr_min((task + 1) * TASK_WORDS, s->n); at += WORDS) {
    philox_group(&s->o->p, at / WORDS, w);
    for (int64_t k = 0; k < kr_min(WORDS, s->n - at); ++k) s->o->noise[at + k] = w[k] <= s->o->limit;
  }
}

static kr_status run_dropout(const kr_call *c, size_t element, kr_task_fn dense, kr_task_fn rows) {
  const kr_array *x = &c->in[0];
  double keep = 1 - c->f[0], limit = nearbyint(keep * 0x1p32) - 1;
  dropout o = {
      .p = key(&c->in[1], 0), .x = x->data, .y = c->out[0].data, .scale = 1 / keep, .n = kr_size(x), .ndim = x->ndim};
  if (c->n_out > 1) o.kept = c->out[1].data;
  if (o.kept && c->n_i) return KR_EINTERNAL; /* shared noise is small and made again */
  if (o.n == 0) return KR_OK;
  if (limit < 0) {
    memset(o.y, 0, (size_t)o.n * element);
    if (o.kept) memset(o.kept, 0, (size_t)o.n);
    return KR_OK;
  }
  o.limit = (uint32_t)limit;
  int threads = o.n < INLINE_BELOW ? 1 : c->threads;
  if (c->n_i == 0) {
    kr_parallel(threads, kr_ceil_div(o.n, TASK_WORDS), dense, &o);
    return KR_OK;
  }
  if (c->n_i != x->ndim) return KR_EINTERNAL;
  int64_t stride = 1;
  for (int d = x->ndim - 1; d >= 0; --d) {
    if (c->i[d] != x->shape[d] && c->i[d] != 1) return KR_EINTERNAL;
    o.shape[d] = x->shape[d];
    o.stride[d] = c->i[d] == 1 ? 0 : stride;
    stride *= c->i[d];
  }
  o.noise = c->scratch;
  decisions s = {&o, stride};
  kr_parallel(stride < INLINE_BELOW ? 1 : c->threads, kr_ceil_div(stride, TASK_WORDS), decide_task, &s);
  int64_t last = x->shape[x->ndim - 1];
  kr_parallel(threads, kr_ceil_div(o.n / last, kr_max(1, TASK_WORDS / last)), rows, &o);
  return KR_OK;
}

static kr_status run_dropout_again(const kr_call *c, kr_task_fn task) {
  const int64_t n = kr_size(&c->in[0]);
  if (c->n_in != 2 || kr_size(&c->in[1]) != n) return KR_EINTERNAL;
  dropout o = {.x = c->in[0].data, .kept = c->in[1].data, .y = c->out[0].data, .scale = 1 / (1 - c->f[0]), .n = n};
  kr_parallel(n < INLINE_BELOW ? 1 : c->threads, kr_ceil_div(n, TASK_WORDS), task, &o);
  return KR_OK;
}

/* ---- seeds ------------------------------------------------------------------------------------------------------ */

static kr_status next_seed(const kr_call *c) {
  const uint32_t *s = c->in[0].data;
  uint32_t *out = c->out[0].data;
  out[0] = s[0];
  out[1] = s[1] + 1;
  return KR_OK;
}

KR_TABLE(random) = {
    {"random_bits", KR_U32, random_bits, NULL},
    {"random_uniform", KR_U32, random_uniform, NULL},
    {"random_normal", KR_U32, random_normal, NULL},
    {"random_truncated_normal", KR_U32, random_truncated_normal, NULL},
    {"random_integers", KR_U32, random_integers, NULL},
    {"dropout", KR_F32, dropout_run_f32, dropout_scratch},
    {"dropout", KR_F64, dropout_run_f64, dropout_scratch},
    {"dropout_again", KR_F32, dropout_again_f32, NULL},
    {"dropout_again", KR_F64, dropout_again_f64, NULL},
    {"next_seed", KR_U32, next_seed, NULL},
    KR_TABLE_END,
};
