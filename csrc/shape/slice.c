/* Rectangular pieces of an array: slices with steps, diagonals, flips and rolls, and what puts pieces back. */
#include "move.h"

/* The box of count[d] elements that starts at begin[d] and goes in steps step[d], i = begin, step, count; its elements
 * lie densely on the other side.  Returns the offset of its first element in `whole`, or -1 where it would leave it. */
static int64_t box(const kr_call *c, const kr_array *whole, const kr_array *part, kr_move *m, int into) {
  const int n = whole->ndim;
  const int64_t *begin = c->i, *step = c->i + n, *count = c->i + 2 * n;
  int64_t ws[KR_MAX_NDIM], ps[KR_MAX_NDIM], offset = 0, total = 1;
  if (c->n_i != 3 * n) return -1;
  move_strides(whole, ws);
  for (int d = n - 1; d >= 0; --d) {
    ps[d] = total;
    total *= count[d];
  }
  if (total != kr_size(part)) return -1;
  for (int d = 0; d < n; ++d) {
    const int64_t last = begin[d] + (count[d] - 1) * step[d];
    if (count[d] > 0 && (begin[d] < 0 || begin[d] >= whole->shape[d] || last < 0 || last >= whole->shape[d])) return -1;
    offset += count[d] > 0 ? begin[d] * ws[d] : 0;
    move_push(m, count[d], into ? ps[d] : ws[d] * step[d], into ? ws[d] * step[d] : ps[d]);
  }
  return offset;
}

/* strided_slice: the elements x[begin[0] + j0*step[0], begin[1] + j1*step[1], ...] in row-major order of j.
 * in: x.  out: y of any rank with as many elements.  i: begin[n], step[n], count[n], n = rank of x; steps may be
 * negative, not 0. */
static kr_status strided_slice(const kr_call *c) {
  const kr_array *x = &c->in[0];
  kr_move m = {.size = kr_itemsize(x->dtype)};
  const int64_t offset = box(c, x, &c->out[0], &m, 0);
  if (offset < 0) return KR_EINTERNAL;
  move_run(c->threads, &m, c->out[0].data, (const char *)x->data + offset * m.size);
  return KR_OK;
}

static kr_status put(const kr_call *c, const kr_array *part, const kr_array *whole) {
  kr_move m = {.size = kr_itemsize(whole->dtype)};
  const int64_t offset = box(c, whole, part, &m, 1);
  if (offset < 0) return KR_EINTERNAL;
  move_run(c->threads, &m, (char *)whole->data + offset * m.size, part->data);
  return KR_OK;
}

/* strided_slice_grad: zeros of x's shape with g written where strided_slice read.
 * in: g (as many elements as the slice).  out: dx.  i: as strided_slice. */
static kr_status strided_slice_grad(const kr_call *c) {
  const kr_array *dx = &c->out[0];
  const int64_t n = kr_size(dx);
  if (n == 0) return KR_OK;
  if (n != kr_size(&c->in[0])) memset(dx->data, 0, (size_t)(n * kr_itemsize(dx->dtype)));
  return put(c, &c->in[0], dx);
}

/* strided_update: x with u written where strided_slice would read.
 * in: x, u.  out: y of x's shape, may be x.  i: as strided_slice. */
static kr_status strided_update(const kr_call *c) {
  const kr_array *x = &c->in[0], *y = &c->out[0];
  const int64_t n = kr_size(y);
  if (n == 0) return KR_OK;
  if (y->data != x->data && n != kr_size(&c->in[1]))
    move_bytes(c->threads, y->data, x->data, n * kr_itemsize(y->dtype));
  return put(c, &c->in[1], y);
}

/* flip: the order of the elements reversed along some axes.
 * in: x.  out: y of the same shape.  i: for each dimension, 1 where it is reversed. */
static kr_status flip(const kr_call *c) {
  const kr_array *x = &c->in[0];
  if (c->n_i != x->ndim) return KR_EINTERNAL;
  int64_t xs[KR_MAX_NDIM], offset = 0;
  move_strides(x, xs);
  kr_move m = {.size = kr_itemsize(x->dtype)};
  for (int d = 0; d < x->ndim; ++d) {
    if (c->i[d]) offset += (x->shape[d] - 1) * xs[d];
    move_push(&m, x->shape[d], c->i[d] ? -xs[d] : xs[d], xs[d]);
  }
  if (kr_size(x) == 0) return KR_OK;
  move_run(c->threads, &m, c->out[0].data, (const char *)x->data + offset * m.size);
  return KR_OK;
}

/* roll: y[(j + shift) mod n] = x[j] along each axis.
 * in: x.  out: y of the same shape.  i: shift[ndim], 0 <= shift < max(1, n).  At most 2^ndim boxes are copied. */
static kr_status roll(const kr_call *c) {
  const kr_array *x = &c->in[0];
  if (c->n_i != x->ndim) return KR_EINTERNAL;
  if (kr_size(x) == 0) return KR_OK;
  int64_t xs[KR_MAX_NDIM];
  move_strides(x, xs);
  const int64_t size = kr_itemsize(x->dtype);
  for (int corner = 0; corner < 1 << x->ndim; ++corner) {
    kr_move m = {.size = size};
    int64_t from = 0, to = 0;
    int empty = 0;
    for (int d = 0; d < x->ndim; ++d) {
      const int64_t n = x->shape[d], shift = c->i[d];
      if (shift < 0 || shift >= n) return KR_EINTERNAL;
      const int wrapped = corner >> d & 1;
      const int64_t count = wrapped ? shift : n - shift;
      empty |= count == 0;
      from += (wrapped ? n - shift : 0) * xs[d];
      to += (wrapped ? 0 : shift) * xs[d];
      move_push(&m, count, xs[d], xs[d]);
    }
    if (!empty) move_run(c->threads, &m, (char *)c->out[0].data + to * size, (const char *)x->data + from * size);
  }
  return KR_OK;
}

/* The layout of a diagonal: dimensions of x without axis1 and axis2, then the diagonal itself. */
static int64_t diagonal_box(const kr_call *c, const kr_array *whole, const kr_array *part, kr_move *m, int into) {
  const int64_t offset = c->i[0];
  const int a = (int)c->i[1], b = (int)c->i[2];
  int64_t ws[KR_MAX_NDIM], ps[KR_MAX_NDIM];
  move_strides(whole, ws);
  move_strides(part, ps);
  int k = 0;
  for (int d = 0; d < whole->ndim; ++d) {
    if (d == a || d == b) continue;
    move_push(m, part->shape[k], into ? ps[k] : ws[d], into ? ws[d] : ps[k]);
    ++k;
  }
  const int64_t step = ws[a] + ws[b];
  move_push(m, part->shape[k], into ? ps[k] : step, into ? step : ps[k]);
  return offset >= 0 ? offset * ws[b] : -offset * ws[a];
}

/* diagonal: y[..., j] = x[j, j + offset] (or x[j - offset, j] for a negative offset) over axes axis1 and axis2.
 * in: x.  out: y.  i: offset, axis1, axis2. */
static kr_status diagonal(const kr_call *c) {
  if (kr_size(&c->out[0]) == 0) return KR_OK;
  kr_move m = {.size = kr_itemsize(c->in[0].dtype)};
  const int64_t at = diagonal_box(c, &c->in[0], &c->out[0], &m, 0);
  move_run(c->threads, &m, c->out[0].data, (const char *)c->in[0].data + at * m.size);
  return KR_OK;
}

/* diagonal_put: zeros with g on the diagonal that `diagonal` reads: its gradient, and diag of a vector.
 * in: g.  out: dx.  i: offset, axis1, axis2. */
static kr_status diagonal_put(const kr_call *c) {
  const kr_array *dx = &c->out[0];
  if (kr_size(dx) == 0) return KR_OK;
  memset(dx->data, 0, (size_t)(kr_size(dx) * kr_itemsize(dx->dtype)));
  if (kr_size(&c->in[0]) == 0) return KR_OK;
  kr_move m = {.size = kr_itemsize(dx->dtype)};
  const int64_t at = diagonal_box(c, dx, &c->in[0], &m, 1);
  move_run(c->threads, &m, (char *)dx->data + at * m.size, c->in[0].data);
  return KR_OK;
}

KR_TABLE(slice) = {
    KR_EVERY_DTYPE("strided_slice", strided_slice, NULL),
    KR_EVERY_DTYPE("strided_slice_grad", strided_slice_grad, NULL),
    KR_EVERY_DTYPE("strided_update", strided_update, NULL),
    KR_EVERY_DTYPE("flip", flip, NULL),
    KR_EVERY_DTYPE("roll", roll, NULL),
    KR_EVERY_DTYPE("diagonal", diagonal, NULL),
    KR_EVERY_DTYPE("diagonal_put", diagonal_put, NULL),
    KR_TABLE_END,
};
