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

/* One element of any dtype: integers from the 64-bit i, floats from f, a float16's bits from i. */
typedef union {
  uint8_t b1;
  uint16_t b2;
  uint32_t b4;
  uint64_t b8;
  float f32;
  double f64;
} element;

static element make_element(int32_t dtype, int64_t i, double f) {
  element e = {.b8 = 0};
  if (dtype == KR_F32) e.f32 = (float)f;
  else if (dtype == KR_F64) e.f64 = f;
  else if (kr_itemsize(dtype) == 1) e.b1 = (uint8_t)i;
  else if (kr_itemsize(dtype) == 2) e.b2 = (uint16_t)i;
  else if (kr_itemsize(dtype) == 4) e.b4 = (uint32_t)i;
  else e.b8 = (uint64_t)i;
  return e;
}

/* pad: a border of `value` around x; negative widths cut instead.
 * in: x.  out: y, y.shape[d] = before[d] + x.shape[d] + after[d].  i: before[ndim], value (integers and bool; bits of a
 * float16).  f: value (float32, float64). */
static kr_status pad(const kr_call *c) {
  const kr_array *x = &c->in[0], *y = &c->out[0];
  const int n = x->ndim;
  if (c->n_i != n + 1 || c->n_f != 1 || y->ndim != n) return KR_EINTERNAL;
  int64_t xs[KR_MAX_NDIM], ys[KR_MAX_NDIM], first[KR_MAX_NDIM], count[KR_MAX_NDIM], from = 0, inside = 0;
  move_strides(x, xs);
  move_strides(y, ys);
  kr_move m = {.size = kr_itemsize(x->dtype)};
  for (int d = 0; d < n; ++d) {
    const int64_t before = c->i[d];
    first[d] = kr_min(kr_max(0, before), y->shape[d]);
    count[d] = kr_max(0, kr_min(y->shape[d], before + x->shape[d]) - first[d]);
    from += (first[d] - before) * xs[d];
    inside += first[d] * ys[d];
    move_push(&m, count[d], xs[d], ys[d]);
  }
  char *out = y->data;
  const element value = make_element(x->dtype, c->i[n], c->f[0]);
  /* The border as two slabs for each dimension: inside in the dimensions before it, whole in those after it. */
  int64_t corner = 0;
  for (int d = 0; d < n; ++d) {
    const int64_t behind = first[d] + count[d];
    for (int side = 0; side < 2; ++side) {
      kr_move slab = {.size = m.size};
      for (int e = 0; e < d; ++e) move_push(&slab, count[e], 0, ys[e]);
      move_push(&slab, side ? y->shape[d] - behind : first[d], 0, ys[d]);
      for (int e = d + 1; e < n; ++e) move_push(&slab, y->shape[e], 0, ys[e]);
      move_run(c->threads, &slab, out + (corner + (side ? behind * ys[d] : 0)) * m.size, &value);
    }
    corner += first[d] * ys[d];
  }
  for (int d = 0; d < n; ++d)
    if (count[d] == 0) return KR_OK;
  move_run(c->threads, &m, out + inside * m.size, (const char *)x->data + from * m.size);
  return KR_OK;
}

KR_TABLE(fill) = {
    KR_EVERY_DTYPE("broadcast_to", broadcast_to, NULL),
    KR_EVERY_DTYPE("tile", tile, NULL),
    KR_EVERY_DTYPE("repeat", repeat, NULL),
    KR_EVERY_DTYPE("pad", pad, NULL),
    KR_TABLE_END,
};
