/* Writing rows by index: the gradients of gather, scatter_nd, scatter_update and the segment reductions.
 *
 * Several indices may name the same row.  They meet in the order they stand in the index array, whatever the number of
 * threads: a task owns a range of destination rows, chosen by the shape, and walks the indices that name them.
 */
#include "index.h"

enum { SET, ADD, MAX, MIN, MUL };
#define SCATTER_TASKS 16

typedef struct {
  char *y;           /* (outer, rows, inner) */
  const char *u;     /* (outer, count, inner) */
  const int64_t *at; /* row of each of the count updates, -1: none */
  int64_t count, rows, inner, parts, size;
  int mode, clear; /* clear: the rows start from the operation's neutral element, not from what y holds */
  int64_t *order;  /* the updates of each part, in order */
  int64_t from[SCATTER_TASKS + 1]; /* where in `order` a part's begin */
} scatter_job;

/* First row of a part: row r belongs to part r parts / rows. */
KR_INLINE int64_t part_start(const scatter_job *j, int64_t part) { return kr_ceil_div(j->rows * part, j->parts); }

/* Deals the updates out to the parts, so that each walks its own only. */
static void scatter_deal(scatter_job *j) {
  int64_t next[SCATTER_TASKS + 1] = {0};
  for (int64_t k = 0; k < j->count; ++k)
    if (j->at[k] >= 0) ++next[j->at[k] * j->parts / j->rows + 1];
  for (int64_t p = 0; p < j->parts; ++p) next[p + 1] += next[p];
  memcpy(j->from, next, sizeof next);
  for (int64_t k = 0; k < j->count; ++k)
    if (j->at[k] >= 0) j->order[next[j->at[k] * j->parts / j->rows]++] = k;
}

#define T float
#define NAME(x) x##_f32
#include "scatter_body.h"
#undef T
#undef NAME
#define T double
#define NAME(x) x##_f64
#include "scatter_body.h"
#undef T
#undef NAME
#define T int32_t
#define U uint32_t
#define NAME(x) x##_i32
#include "scatter_body.h"
#undef T
#undef U
#undef NAME
#define T int64_t
#define U uint64_t
#define NAME(x) x##_i64
#include "scatter_body.h"
#undef T
#undef U
#undef NAME

/* Rows copied: what every dtype can do. */
static void set_task(void *arg, int64_t task, int worker) {
  (void)worker;
  const scatter_job *j = arg;
  const int64_t bytes = j->inner * j->size;
  for (int64_t q = j->from[task]; q < j->from[task + 1]; ++q) {
    const int64_t k = j->order[q];
    kr_copy(j->y + j->at[k] * bytes, j->u + k * bytes, bytes);
  }
}

/* How many tasks share the rows of one outer step: enough work in each, and rows long enough that dealing the indices out
 * costs less than it gains. */
static int64_t scatter_parts(int64_t count, int64_t rows, int64_t inner) {
  const int64_t work = (count + rows) * inner / INDEX_GRAIN;
  return kr_max(1, kr_min(kr_min(work, SCATTER_TASKS), kr_min(rows, inner / 4)));
}

static kr_status scatter_run(const kr_call *c, scatter_job *j, int64_t outer, int32_t dtype) {
  if (outer * j->inner * j->rows == 0) return KR_OK;
  j->size = kr_itemsize(dtype);
  j->parts = scatter_parts(j->count, j->rows, j->inner);
  kr_task_fn task = NULL;
  switch (dtype) {
    case KR_F32: task = scatter_task_f32; break;
    case KR_F64: task = scatter_task_f64; break;
    case KR_I32: task = scatter_task_i32; break;
    case KR_I64: task = scatter_task_i64; break;
    default: return KR_EINTERNAL;
  }
  scatter_deal(j);
  kr_parallel(c->threads, outer * j->parts, task, j);
  return KR_OK;
}

/* gather_grad: dx[a, index[j...], b] += g[a, j..., b] on zeros.
 * in: g, index.  out: dx (x's shape).  i: axis, how to meet an index outside the axis (as gather; 2 leaves it out). */
static kr_status gather_grad(const kr_call *c) {
  const kr_array *dx = &c->out[0];
  const int axis = (int)c->i[0];
  int64_t *at = c->scratch;
  const kr_status s = index_resolve(c, 1, dx->shape[axis], (int)c->i[1], at);
  if (s != KR_OK) return s;
  scatter_job j = {.y = dx->data,
                   .u = c->in[0].data,
                   .at = at,
                   .order = at + kr_size(&c->in[1]),
                   .count = kr_size(&c->in[1]),
                   .rows = dx->shape[axis],
                   .inner = kr_span(dx, axis + 1, dx->ndim),
                   .mode = ADD,
                   .clear = 1};
  return scatter_run(c, &j, kr_span(dx, 0, axis), dx->dtype);
}

/* Of each index its row, and the order in which they are dealt out. */
static size_t scratch_in1(const kr_call *c) { return 2 * (size_t)kr_size(&c->in[1]) * sizeof(int64_t); }

static size_t scratch_along(const kr_call *c) { return (size_t)kr_size(&c->in[1]) * sizeof(int64_t); }

static size_t scratch_tuples(const kr_call *c, int input) {
  const kr_array *index = &c->in[input];
  return 2 * (size_t)kr_span(index, 0, index->ndim - 1) * sizeof(int64_t);
}
static size_t scratch_nd_in0(const kr_call *c) { return scratch_tuples(c, 0); }
static size_t scratch_nd_in1(const kr_call *c) { return scratch_tuples(c, 1); }

static kr_status tuples(const kr_call *c, int input, int negative, int32_t dtype, scatter_job *j) {
  const kr_array *index = &c->in[input], *y = &c->out[0];
  int64_t *at = c->scratch;
  const kr_status s = index_resolve_nd(c, input, y, negative ? INDEX_WRAP : INDEX_STRICT, at);
  if (s != KR_OK) return s;
  const int k = (int)index->shape[index->ndim - 1];
  j->y = y->data;
  j->at = at;
  j->count = kr_span(index, 0, index->ndim - 1);
  j->order = at + j->count;
  j->rows = kr_span(y, 0, k);
  j->inner = kr_span(y, k, y->ndim);
  j->size = kr_itemsize(dtype);
  return KR_OK;
}

/* scatter_nd: zeros with y[index[j..., 0], ..., index[j..., K-1], b] += u[j..., b].
 * in: index (..., K), u.  out: y.  i: 1 where negative indices count from the end.  Registered for u's dtype. */
static kr_status scatter_nd(const kr_call *c) {
  scatter_job j = {.u = c->in[1].data, .mode = ADD, .clear = 1};
  const kr_status s = tuples(c, 0, c->i[0] != 0, c->out[0].dtype, &j);
  return s != KR_OK ? s : scatter_run(c, &j, 1, c->out[0].dtype);
}

static void copy_base(const kr_call *c) {
  const kr_array *y = &c->out[0];
  if (y->data != c->in[0].data && kr_size(y))
    memcpy(y->data, c->in[0].data, (size_t)(kr_size(y) * kr_itemsize(y->dtype)));
}

/* scatter_update: x with y[index[j...], b] op= u[j..., b]; op is =, +, max, min or *.
 * in: x, index (..., K), u.  out: y, may be x.  i: op (0 set, 1 add, 2 max, 3 min, 4 multiply), 1 where negative
 * indices count from the end.  Of several values set at one place the last one stays. */
static kr_status scatter_update(const kr_call *c) {
  scatter_job j = {.u = c->in[2].data, .mode = (int)c->i[0]};
  const kr_status s = tuples(c, 1, c->i[1] != 0, c->out[0].dtype, &j);
  if (s != KR_OK) return s;
  copy_base(c);
  return scatter_run(c, &j, 1, c->out[0].dtype);
}

/* scatter_set: scatter_update's op 0 for every dtype.  i: 1 where negative indices count from the end. */
static kr_status scatter_set(const kr_call *c) {
  scatter_job j = {.u = c->in[2].data, .mode = SET};
  const kr_status s = tuples(c, 1, c->i[0] != 0, c->out[0].dtype, &j);
  if (s != KR_OK) return s;
  copy_base(c);
  if (j.inner * j.rows == 0) return KR_OK;
  j.parts = scatter_parts(j.count, j.rows, j.inner);
  scatter_deal(&j);
  kr_parallel(c->threads, j.parts, set_task, &j);
  return KR_OK;
}

/* segment_reduce: y[s, b] = op over the rows j of x with id[j] == s; ids outside [0, segments) are left out.
 * in: x (n, ...), id (n).  out: y (segments, ...).  i: op (1 sum, 2 max, 3 min, 4 product).  A segment without rows
 * gets 0, the smallest value (-inf), the largest one, 1. */
static kr_status segment_reduce(const kr_call *c) {
  const kr_array *y = &c->out[0];
  int64_t *at = c->scratch;
  const kr_status s = index_resolve(c, 1, y->shape[0], INDEX_DROP, at);
  if (s != KR_OK) return s;
  scatter_job j = {.y = y->data,
                   .u = c->in[0].data,
                   .at = at,
                   .order = at + kr_size(&c->in[1]),
                   .count = kr_size(&c->in[1]),
                   .rows = y->shape[0],
                   .inner = kr_span(y, 1, y->ndim),
                   .mode = (int)c->i[0],
                   .clear = 1};
  return scatter_run(c, &j, 1, y->dtype);
}

typedef struct {
  char *y;
  const char *u;
  const int64_t *at;
  int64_t count, rows, inner, outer, group;
  int32_t dtype;
} along_job;

#define ALONG_CASE(DTYPE, T, U)                                  \
  case DTYPE:                                                    \
    for (int64_t a = first; a < last; ++a) {                     \
      T *y = (T *)j->y + a * j->rows * j->inner;                 \
      const T *u = (const T *)j->u + a * j->count * j->inner;    \
      const int64_t *at = j->at + a * j->count * j->inner;       \
      for (int64_t k = 0; k < j->rows * j->inner; ++k) y[k] = 0; \
      for (int64_t k = 0; k < j->count; ++k)                     \
        for (int64_t b = 0; b < j->inner; ++b) {                 \
          T *place = y + at[k * j->inner + b] * j->inner + b;    \
          *place = (T)((U) * place + (U)u[k * j->inner + b]);    \
        }                                                        \
    }                                                            \
    break;

static void along_task(void *arg, int64_t task, int worker) {
  (void)worker;
  const along_job *j = arg;
  const int64_t first = task * j->group, last = kr_min(j->outer, first + j->group);
  switch (j->dtype) {
    ALONG_CASE(KR_F32, float, float)
    ALONG_CASE(KR_F64, double, double)
    ALONG_CASE(KR_I32, int32_t, uint32_t)
    ALONG_CASE(KR_I64, int64_t, uint64_t)
    default: break;
  }
}

/* take_along_axis_grad: dx[a, index[a, j, b], b] += g[a, j, b] on zeros.
 * in: g, index (g's shape).  out: dx.  i: axis, 1 where negative indices count from the end. */
static kr_status take_along_axis_grad(const kr_call *c) {
  const kr_array *dx = &c->out[0], *index = &c->in[1];
  const int axis = (int)c->i[0];
  int64_t *at = c->scratch;
  const kr_status s = index_resolve(c, 1, dx->shape[axis], c->i[1] ? INDEX_WRAP : INDEX_STRICT, at);
  if (s != KR_OK) return s;
  along_job j = {.y = dx->data,
                 .u = c->in[0].data,
                 .at = at,
                 .count = index->shape[axis],
                 .rows = dx->shape[axis],
                 .inner = kr_span(dx, axis + 1, dx->ndim),
                 .outer = kr_span(dx, 0, axis),
                 .dtype = dx->dtype};
  if (j.outer * j.rows * j.inner == 0) return KR_OK;
  j.group = kr_ceil_div(INDEX_GRAIN, (j.rows + j.count) * j.inner);
  kr_parallel(c->threads, kr_ceil_div(j.outer, j.group), along_task, &j);
  return KR_OK;
}

#define NUMERIC(name, fn, scratch) \
  {name, KR_F32, fn, scratch}, {name, KR_F64, fn, scratch}, {name, KR_I32, fn, scratch}, { name, KR_I64, fn, scratch }

KR_TABLE(scatter) = {
    NUMERIC("gather_grad", gather_grad, scratch_in1),
    NUMERIC("take_along_axis_grad", take_along_axis_grad, scratch_along),
    NUMERIC("scatter_nd", scatter_nd, scratch_nd_in0),
    NUMERIC("scatter_update", scatter_update, scratch_nd_in1),
    NUMERIC("segment_reduce", segment_reduce, scratch_in1),
    KR_EVERY_DTYPE("scatter_set", scatter_set, scratch_nd_in1),
    KR_TABLE_END,
};
