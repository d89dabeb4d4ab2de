/* Reading rows by index: gather, gather_nd, take_along_axis, for every element size; one_hot. */
#include "index.h"

#define ONE_GRAIN 4096 /* elements of a task of one_hot: they stay in L1 between the zeros and the ones */

typedef struct {
  char *y;
  const char *x;
  const int64_t *at;
  int64_t count, rows, n, bytes, group; /* indices per outer step, rows in all, rows of x per outer step, row bytes */
} gather_job;

static void gather_task(void *arg, int64_t task, int worker) {
  (void)worker;
  const gather_job *j = arg;
  const int64_t last = kr_min(j->rows, (task + 1) * j->group);
  int64_t k = task * j->group % j->count;
  const char *base = j->x + task * j->group / j->count * j->n * j->bytes;
  char *y = j->y + task * j->group * j->bytes;
  for (int64_t r = task * j->group; r < last; ++r, y += j->bytes) {
    if (j->at[k] >= 0) kr_copy(y, base + j->at[k] * j->bytes, j->bytes);
    else memset(y, 0, (size_t)j->bytes);
    if (++k == j->count) {
      k = 0;
      base += j->n * j->bytes;
    }
  }
}

static void gather_rows(const kr_call *c, const gather_job *setup) {
  gather_job j = *setup;
  if (j.rows == 0 || j.bytes == 0) return;
  j.group = kr_ceil_div(INDEX_GRAIN * 4, kr_max(j.bytes, 16));
  kr_parallel(c->threads, kr_ceil_div(j.rows, j.group), gather_task, &j);
}

static size_t scratch_in1(const kr_call *c) { return (size_t)kr_size(&c->in[1]) * sizeof(int64_t); }

/* gather: y[a, j..., b] = x[a, index[j...], b] with a the dimensions before axis and b those after it.
 * in: x, index (any integer dtype, any rank).  out: y.  i: axis, how to meet an index outside the axis (0 refuse it,
 * 1 the same but negative ones count from the end, 2 give zeros).  KR_EINDEX: a refused index. */
static kr_status gather(const kr_call *c) {
  const kr_array *x = &c->in[0];
  const int axis = (int)c->i[0];
  int64_t *at = c->scratch;
  const kr_status s = index_resolve(c, 1, x->shape[axis], (int)c->i[1], at);
  if (s != KR_OK) return s;
  const int64_t outer = kr_span(x, 0, axis), count = kr_size(&c->in[1]);
  gather_rows(c, &(gather_job){.y = c->out[0].data,
                               .x = x->data,
                               .at = at,
                               .count = count,
                               .rows = outer * count,
                               .n = x->shape[axis],
                               .bytes = kr_span(x, axis + 1, x->ndim) * kr_itemsize(x->dtype)});
  return KR_OK;
}

/* gather_nd: y[j..., b] = x[index[j..., 0], ..., index[j..., K-1], b].
 * in: x, index (..., K).  out: y.  i: 1 where negative indices count from the end.  KR_EINDEX. */
static kr_status gather_nd(const kr_call *c) {
  const kr_array *x = &c->in[0], *index = &c->in[1];
  int64_t *at = c->scratch;
  const kr_status s = index_resolve_nd(c, 1, x, c->i[0] ? INDEX_WRAP : INDEX_STRICT, at);
  if (s != KR_OK) return s;
  const int k = (int)index->shape[index->ndim - 1];
  const int64_t count = kr_span(index, 0, index->ndim - 1);
  gather_rows(c, &(gather_job){.y = c->out[0].data,
                               .x = x->data,
                               .at = at,
                               .count = count,
                               .rows = count,
                               .n = kr_span(x, 0, k),
                               .bytes = kr_span(x, k, x->ndim) * kr_itemsize(x->dtype)});
  return KR_OK;
}

static size_t gather_nd_scratch(const kr_call *c) {
  const kr_array *index = &c->in[1];
  return (size_t)kr_span(index, 0, index->ndim - 1) * sizeof(int64_t);
}

typedef struct {
  char *y;
  const char *x;
  const int64_t *at;
  int64_t total, count, n, inner, size;
} along_job;

#define ALONG_CASE(BYTES, T)                                                    \
  case BYTES:                                                                   \
    for (int64_t e = task * INDEX_GRAIN; e < last; ++e) {                       \
      const int64_t b = e % j->inner, a = e / j->inner / j->count;              \
      ((T *)j->y)[e] = ((const T *)j->x)[(a * j->n + j->at[e]) * j->inner + b]; \
    }                                                                           \
    break;

static void along_task(void *arg, int64_t task, int worker) {
  (void)worker;
  const along_job *j = arg;
  const int64_t last = kr_min(j->total, (task + 1) * INDEX_GRAIN);
  switch (j->size) {
    ALONG_CASE(1, uint8_t)
    ALONG_CASE(2, uint16_t)
    ALONG_CASE(4, uint32_t)
    ALONG_CASE(8, uint64_t)
    default: break;
  }
}

/* take_along_axis: y[a, j, b] = x[a, index[a, j, b], b].
 * in: x, index (x's shape but along axis).  out: y of index's shape.  i: axis, 1 where negatives count from the end.
 * KR_EINDEX. */
static kr_status take_along_axis(const kr_call *c) {
  const kr_array *x = &c->in[0], *index = &c->in[1];
  const int axis = (int)c->i[0];
  int64_t *at = c->scratch;
  const kr_status s = index_resolve(c, 1, x->shape[axis], c->i[1] ? INDEX_WRAP : INDEX_STRICT, at);
  if (s != KR_OK) return s;
  along_job j = {.y = c->out[0].data,
                 .x = x->data,
                 .at = at,
                 .total = kr_size(index),
                 .count = index->shape[axis],
                 .n = x->shape[axis],
                 .inner = kr_span(x, axis + 1, x->ndim),
                 .size = kr_itemsize(x->dtype)};
  if (kr_size(&c->out[0]) != j.total) return KR_EINTERNAL;
  kr_parallel(c->threads, kr_ceil_div(j.total, INDEX_GRAIN), along_task, &j);
  return KR_OK;
}

typedef struct {
  const kr_array *x;
  char *y;
  int64_t outer, depth, inner, size, group; /* group: steps of outer in a task */
  uint64_t one;                             /* the bits of 1 in y's dtype, low bytes first */
} one_job;

#define ONE_LOOP(T, INDEX)                                                                           \
  for (int64_t a = first; a < last; ++a)                                                             \
    for (int64_t b = 0; b < inner; ++b) {                                                            \
      const int64_t v = INDEX;                                                                       \
      if ((uint64_t)v < (uint64_t)depth) y[(a * depth + v) * inner + b] = one; /* not if negative */ \
    }
#define ONE_CASE(T)                                                                 \
  {                                                                                 \
    T one, *y = (T *)j->y;                                                          \
    memcpy(&one, &j->one, sizeof one);                                              \
    const int32_t *ids = x->data;                                                   \
    if (x->dtype != KR_I32) ONE_LOOP(T, kr_index(x->data, x->dtype, a * inner + b)) \
    else if (inner > 1) ONE_LOOP(T, ids[a * inner + b])                             \
    else {                                                                          \
      T *row = y + first * depth;                                                   \
      for (int64_t a = first; a < last; ++a, row += depth)                          \
        if ((uint64_t)ids[a] < (uint64_t)depth) row[ids[a]] = one;                  \
    }                                                                               \
  }                                                                                 \
  break

/* Zeros and ones of a piece that stays in cache between. */
static void one_task(void *arg, int64_t task, int worker) {
  (void)worker;
  const one_job *j = arg;
  const kr_array *x = j->x;
  const int64_t first = task * j->group, last = kr_min(j->outer, first + j->group);
  const int64_t depth = j->depth, inner = j->inner, bytes = depth * inner * j->size;
  memset(j->y + first * bytes, 0, (size_t)((last - first) * bytes));
  switch (j->size) {
    case 1: ONE_CASE(uint8_t);
    case 2: ONE_CASE(uint16_t);
    case 4: ONE_CASE(uint32_t);
    default: ONE_CASE(uint64_t);
  }
}
#undef ONE_LOOP
#undef ONE_CASE

/* one_hot: y[a, v, b] = 1 where x[a, b] == v, else 0; an x outside [0, depth) gives zeros.
 * in: x (integers).  out: y of any dtype, depth = y.shape[axis].  i: axis. */
static kr_status one_hot(const kr_call *c) {
  const kr_array *y = &c->out[0];
  const int axis = (int)c->i[0];
  one_job j = {.x = &c->in[0], .y = y->data, .one = 1, .size = kr_itemsize(y->dtype)};
  j.outer = kr_span(y, 0, axis), j.depth = y->shape[axis], j.inner = kr_span(y, axis + 1, y->ndim);
  if (y->dtype == KR_F16) j.one = 0x3C00;
  if (y->dtype == KR_F32) j.one = 0x3F800000;
  if (y->dtype == KR_F64) j.one = 0x3FF0000000000000;
  if (kr_size(y) == 0) return KR_OK;
  j.group = kr_max(1, ONE_GRAIN / (j.depth * j.inner));
  kr_parallel(c->threads, kr_ceil_div(j.outer, j.group), one_task, &j);
  return KR_OK;
}

/* check_index: 1, where every x lies in [0, i[0]).
 * in: x (integers).  out: one bool.  KR_EINDEX. */
static kr_status check_index(const kr_call *c) {
  const kr_array *x = &c->in[0];
  const int64_t n = kr_size(x);
  for (int64_t k = 0; k < n; ++k) {
    const int64_t v = kr_index(x->data, x->dtype, k);
    if (v < 0 || v >= c->i[0]) return kr_index_error(c, 0, k, v, c->i[0]);
  }
  *(uint8_t *)c->out[0].data = 1;
  return KR_OK;
}

KR_TABLE(gather) = {
    KR_EVERY_DTYPE("gather", gather, scratch_in1),
    KR_EVERY_DTYPE("gather_nd", gather_nd, gather_nd_scratch),
    KR_EVERY_DTYPE("take_along_axis", take_along_axis, scratch_in1),
    {"check_index", KR_I8, check_index, NULL},
    {"check_index", KR_U8, check_index, NULL},
    {"check_index", KR_I16, check_index, NULL},
    {"check_index", KR_U16, check_index, NULL},
    {"check_index", KR_I32, check_index, NULL},
    {"check_index", KR_U32, check_index, NULL},
    {"check_index", KR_I64, check_index, NULL},
    {"check_index", KR_U64, check_index, NULL},
    {"one_hot", KR_I8, one_hot, NULL},
    {"one_hot", KR_U8, one_hot, NULL},
    {"one_hot", KR_I16, one_hot, NULL},
    {"one_hot", KR_U16, one_hot, NULL},
    {"one_hot", KR_I32, one_hot, NULL},
    {"one_hot", KR_U32, one_hot, NULL},
    {"one_hot", KR_I64, one_hot, NULL},
    {"one_hot", KR_U64, one_hot, NULL},
    KR_TABLE_END,
};
