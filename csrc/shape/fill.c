/* Arrays that repeat themselves: broadcasting, tiling, repeating, constant padding. */
#include "move.h"

/* broadcast_to: x repeated along its dimensions of length 1 and along new leading dimensions.
 * in: x.  out: y of rank >= x's. */
static kr_status broadcast_to(const kr_call *c) {
  const kr_array *x = &c->in[0], *y = &c->out[0];
  int64_t xs[KR_MAX_NDIM], ys[KR_MAX_NDIM];
  const int lead = y->ndim - x->ndim;
  if (lead < 0) return KR_EINTERNAL;
  move_strides(x, xs);
  move_strides(y, ys);
  kr_move m = {.size = kr_itemsize(x->dtype)};
  for (int d = 0; d < y->ndim; ++d) {
    const int stretched = d < lead || x->shape[d - lead] != y->shape[d];
    if (d >= lead && stretched && x->shape[d - lead] != 1) return KR_EINTERNAL;
    move_push(&m, y->shape[d], stretched ? 0 : xs[d - lead], ys[d]);
  }
  move_run(c->threads, &m, y->data, x->data);
  return KR_OK;
}

/* tile: the whole array repeated times[d] times along each dimension.
 * in: x.  out: y, y.shape[d] = times[d] * x.shape[d].  i: times[ndim]. */
static kr_status tile(const kr_call *c) {
  const kr_array *x = &c->in[0], *y = &c->out[0];
  if (c->n_i != x->ndim || y->ndim != x->ndim) return KR_EINTERNAL;
  int64_t xs[KR_MAX_NDIM], ys[KR_MAX_NDIM];
  move_strides(x, xs);
  move_strides(y, ys);
  kr_move m = {.size = kr_itemsize(x->dtype)};
  for (int d = 0; d < x->ndim; ++d) {
    move_push(&m, c->i[d], 0, ys[d] * x->shape[d]);
    move_push(&m, x->shape[d], xs[d], ys[d]);
  }
  move_run(c->threads, &m, y->data, x->data);
  return KR_OK;
}

/* repeat: each element along axis repeated n times in place.
 * in: x.  out: y, y.shape[axis] = n * x.shape[axis].  i: n, axis. */
static kr_status repeat(const kr_call *c) {
  const kr_array *x = &c->in[0];
  const int64_t n = c->i[0];
  const int axis = (int)c->i[1];
  const int64_t outer = kr_span(x, 0, axis + 1), inner = kr_span(x, axis + 1, x->ndim);
  kr_move m = {.size = kr_itemsize(x->dtype)};
  move_push(&m, outer, inner, n * inner);
  move_push(&m, n, 0, inner);
  move_push(&m, inner, 1, 1);
  move_run(c->threads, &m, c->out[0].data, x->data);
  return KR_OK;
}

/* `value` as one element of the dtype; integers from the 64-bit i, floats from f. */
static void element(int32_t dtype, int64_t i, double f, uint64_t *bits) {
  *bits = (uint64_t)i;
  if (dtype == KR_F32) {
    const float x = (float)f;
    memcpy(bits, &x, sizeof x);
  } else if (dtype == KR_F64) {
    memcpy(bits, &f, sizeof f);
  }
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#error "element() relies on the low bytes coming first"
#endif
}

typedef struct {
  char *y;
  int64_t n, size;
  uint64_t bits;
} fill_job;

#define FILL_CASE(BYTES, T)                                               \
  case BYTES: {                                                           \
    T *y = (T *)j->y;                                                     \
    for (int64_t k = task * MOVE_GRAIN; k < last; ++k) y[k] = (T)j->bits; \
    break;                                                                \
  }

static void fill_task(void *arg, int64_t task, int worker) {
  (void)worker;
  const fill_job *j = arg;
  const int64_t last = kr_min(j->n, (task + 1) * MOVE_GRAIN);
  switch (j->size) {
    FILL_CASE(1, uint8_t)
    FILL_CASE(2, uint16_t)
    FILL_CASE(4, uint32_t)
    FILL_CASE(8, uint64_t)
    default: break;
  }
}

/* pad: a border of `value` around x; negative widths cut instead.
 * in: x.  out: y, y.shape[d] = before[d] + x.shape[d] + after[d].  i: before[ndim], value (integers and bool; bits of a
 * float16).  f: value (float32, float64). */
static kr_status pad(const kr_call *c) {
  const kr_array *x = &c->in[0], *y = &c->out[0];
  if (c->n_i != x->ndim + 1 || c->n_f != 1 || y->ndim != x->ndim) return KR_EINTERNAL;
  int64_t xs[KR_MAX_NDIM], ys[KR_MAX_NDIM], from = 0, to = 0;
  move_strides(x, xs);
  move_strides(y, ys);
  kr_move m = {.size = kr_itemsize(x->dtype)};
  int64_t inside = 1;
  for (int d = 0; d < x->ndim; ++d) {
    const int64_t before = c->i[d], first = kr_max(0, before), last = kr_min(y->shape[d], before + x->shape[d]);
    const int64_t n = kr_max(0, last - first);
    inside *= n;
    from += (first - before) * xs[d];
    to += first * ys[d];
    move_push(&m, n, xs[d], ys[d]);
  }
  const int64_t total = kr_size(y);
  if (total > inside) {
    fill_job job = {y->data, total, m.size, 0};
    element(x->dtype, c->i[x->ndim], c->f[0], &job.bits);
    kr_parallel(c->threads, kr_ceil_div(total, MOVE_GRAIN), fill_task, &job);
  }
  if (inside > 0) move_run(c->threads, &m, (char *)y->data + to * m.size, (const char *)x->data + from * m.size);
  return KR_OK;
}

KR_TABLE(fill) = {
    KR_EVERY_DTYPE("broadcast_to", broadcast_to, NULL),
    KR_EVERY_DTYPE("tile", tile, NULL),
    KR_EVERY_DTYPE("repeat", repeat, NULL),
    KR_EVERY_DTYPE("pad", pad, NULL),
    KR_TABLE_END,
};
