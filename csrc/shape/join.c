/* Concatenation and splitting along an axis, for every element size. */
#include "move.h"

/* Moves `part`, one slab of `whole` that starts at `start` along axis, into whole (joining) or out of it. */
static void slab(const kr_call *c, const kr_array *whole, const kr_array *part, int axis, int64_t start, int join) {
  const int64_t outer = kr_span(part, 0, axis), inner = kr_span(whole, axis + 1, whole->ndim);
  const int64_t run = part->shape[axis] * inner, pitch = whole->shape[axis] * inner;
  kr_move m = {.size = kr_itemsize(whole->dtype)};
  char *corner = (char *)whole->data + start * inner * m.size;
  move_push(&m, outer, join ? run : pitch, join ? pitch : run);
  move_push(&m, run, 1, 1);
  move_run(c->threads, &m, join ? corner : (char *)part->data, join ? (char *)part->data : corner);
}

/* concatenate: y = the inputs one after another along axis.
 * in: any number of arrays of y's dtype and rank.  out: y.  i: axis. */
static kr_status concatenate(const kr_call *c) {
  const int axis = (int)c->i[0];
  int64_t start = 0;
  if (kr_size(&c->out[0]) == 0) return KR_OK;
  for (int k = 0; k < c->n_in; ++k) {
    slab(c, &c->out[0], &c->in[k], axis, start, 1);
    start += c->in[k].shape[axis];
  }
  return start == c->out[0].shape[axis] ? KR_OK : KR_EINTERNAL;
}

/* split: the outputs are x cut along axis, in order; their shapes say where.
 * in: x.  out: any number of arrays of x's dtype and rank.  i: axis. */
static kr_status split(const kr_call *c) {
  const int axis = (int)c->i[0];
  int64_t start = 0;
  if (kr_size(&c->in[0]) == 0) return KR_OK;
  for (int k = 0; k < c->n_out; ++k) {
    slab(c, &c->in[0], &c->out[k], axis, start, 0);
    start += c->out[k].shape[axis];
  }
  return start <= c->in[0].shape[axis] ? KR_OK : KR_EINTERNAL;
}

KR_TABLE(join) = {
    KR_EVERY_DTYPE("concatenate", concatenate, NULL),
    KR_EVERY_DTYPE("split", split, NULL),
    KR_TABLE_END,
};
