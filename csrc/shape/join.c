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

/* Rows that are shorter than this, in bytes, are put together, or taken apart, in blocks of so many: each line of them is
 * brought near once for all its parts. */
#define JOIN_BLOCK 16384

typedef struct {
  char *whole;
  const kr_array *parts;
  int n, axis, join;
  int64_t rows, group, pitch, inner; /* pitch: bytes of a row of the whole; inner: of an index of the axis */
} join_job;

static void join_task(void *arg, int64_t task, int worker) {
  (void)worker;
  const join_job *j = arg;
  const int64_t last = kr_min((task + 1) * j->group, j->rows), most = kr_max(1, JOIN_BLOCK / j->pitch);
  for (int64_t from = task * j->group; from < last; from += most) {
    const int64_t rows = kr_min(most, last - from);
    char *corner = j->whole + from * j->pitch;
    for (int k = 0; k < j->n; ++k) {
      const int64_t run = j->parts[k].shape[j->axis] * j->inner;
      char *part = (char *)j->parts[k].data + from * run;
      if (run == 0) continue; /* it may have no memory, either */
      if (j->join) kr_copy_rows(corner, j->pitch, part, run, run, rows);
      else kr_copy_rows(part, run, corner, j->pitch, run, rows);
      corner += run;
    }
  }
}

/* All `n` parts of `whole`, one after another along axis, into it (joining) or out of it. */
static kr_status slabs(const kr_call *c, const kr_array *whole, const kr_array *parts, int n, int join) {
  const int axis = (int)c->i[0];
  int64_t end = 0;
  for (int k = 0; k < n; ++k) end += parts[k].shape[axis];
  if (join ? end != whole->shape[axis] : end > whole->shape[axis]) return KR_EINTERNAL;
  if (kr_size(whole) == 0) return KR_OK;
  join_job j = {.whole = whole->data, .parts = parts, .n = n, .axis = axis, .join = join};
  j.rows = kr_span(whole, 0, axis);
  j.inner = kr_span(whole, axis + 1, whole->ndim) * kr_itemsize(whole->dtype);
  j.pitch = whole->shape[axis] * j.inner;
  if (j.pitch >= JOIN_BLOCK || j.rows == 1) {
    int64_t start = 0;
    for (int k = 0; k < n; ++k) {
      slab(c, whole, &parts[k], axis, start, join);
      start += parts[k].shape[axis];
    }
    return KR_OK;
  }
  j.group = kr_ceil_div(MOVE_GRAIN * kr_itemsize(whole->dtype), j.pitch);
  kr_parallel(c->threads, kr_ceil_div(j.rows, j.group), join_task, &j);
  return KR_OK;
}

/* concatenate: y = the inputs one after another along axis.
 * in: any number of arrays of y's dtype and rank.  out: y.  i: axis. */
static kr_status concatenate(const kr_call *c) { return slabs(c, &c->out[0], c->in, c->n_in, 1); }

/* split: the outputs are x cut along axis, in order; their shapes say where.
 * in: x.  out: any number of arrays of x's dtype and rank.  i: axis. */
static kr_status split(const kr_call *c) { return slabs(c, &c->in[0], c->out, c->n_out, 0); }

KR_TABLE(join) = {
    KR_EVERY_DTYPE("concatenate", concatenate, NULL),
    KR_EVERY_DTYPE("split", split, NULL),
    KR_TABLE_END,
};
