/* Runs a reduction over any set of axes as a few passes of the form (outer, n, inner) -> (outer, inner).
 *
 * Dimensions of size 1 are dropped and neighbours that are both reduced or both kept are merged; what remains
 * alternates.  Each pass takes the last reduced group away.  A group that is long is cut into segments whose length
 * depends on the shape alone; every segment gives a partial result, and the partials are the input of the next pass.
 * So the order of all operations is a function of the shape: the same bits at any number of threads.
 *
 * A file that uses this fills a kr_reduction with its inner loops, for elements of any type; the driver moves bytes.
 */
#ifndef KR_REDUCE_DRIVER_H
#define KR_REDUCE_DRIVER_H
#include "base/kernel.h"
#include "reduce/chunk.h"

/* Reduces `rows` contiguous rows of n elements to one accumulator each. */
typedef void (*kr_rows_fn)(const void *x, int64_t rows, int64_t n, void *acc);
/* Reduces n rows of m columns, `stride` elements apart, to m accumulators. */
typedef void (*kr_cols_fn)(const void *x, int64_t n, int64_t stride, int64_t m, void *acc);
typedef struct {
  size_t size; /* bytes of an element that goes in */
  kr_rows_fn rows;
  kr_cols_fn cols;
} kr_fold;
typedef struct {
  kr_fold first; /* input elements to accumulators */
  kr_fold rest;  /* accumulators to accumulators */
  /* Turns m accumulators into results in place, `count` being how many elements each one holds; may be NULL. */
  void (*finish)(void *acc, int64_t m, int64_t count);
} kr_reduction;

#define KR_REDUCE_TILE 1024 /* columns of one task, so that its accumulators stay in L1 */
#define KR_REDUCE_WIDE 1024 /* narrow rows are glued together up to about this many columns */

/* The shape that is left to reduce: alternating groups, reduced[g] says which. */
typedef struct {
  int64_t size[KR_MAX_NDIM], unit[KR_MAX_NDIM]; /* unit: elements of a position of the group's first dimension */
  int reduced[KR_MAX_NDIM];
  int groups;
} kr_shape_left;

typedef struct {
  int64_t outer, n, inner; /* the pass */
  int64_t length, count;   /* of its segments: elements of n in each, and how many there are */
  int group;               /* which group of the shape it takes */
  int last;
} kr_pass;

static void kr_shape_merge(kr_shape_left *s) {
  int out = 0;
  for (int g = 0; g < s->groups; ++g) {
    if (s->size[g] == 1) continue;
    if (out > 0 && s->reduced[out - 1] == s->reduced[g]) {
      s->size[out - 1] *= s->size[g];
      s->unit[out - 1] *= s->size[g];
    } else {
      s->size[out] = s->size[g];
      s->unit[out] = s->unit[g];
      s->reduced[out++] = s->reduced[g];
    }
  }
  s->groups = out;
}

static kr_shape_left kr_shape_start(const kr_array *x, int64_t axes) {
  kr_shape_left s = {.groups = x->ndim};
  for (int d = 0; d < x->ndim; ++d) {
    s.size[d] = x->shape[d];
    s.unit[d] = 1;
    s.reduced[d] = (int)(axes >> d & 1);
  }
  kr_shape_merge(&s);
  return s;
}

/* The next pass over what is left. */
static kr_pass kr_pass_next(const kr_shape_left *s) {
  kr_pass p = {.outer = 1, .n = 1, .inner = 1, .group = -1};
  int others = 0;
  int64_t unit = 1;
  for (int g = s->groups - 1; g >= 0; --g) {
    if (p.group < 0 && s->reduced[g]) {
      p.group = g;
      p.n = s->size[g];
      unit = s->unit[g];
    } else if (p.group < 0) {
      p.inner *= s->size[g];
    } else {
      p.outer *= s->size[g];
      others += s->reduced[g];
    }
  }
  p.length = kr_reduce_chunk(p.n, p.inner, unit);
  p.count = p.length > 0 ? kr_ceil_div(p.n, p.length) : 1;
  p.last = p.count == 1 && others == 0;
  return p;
}

static void kr_shape_reduce(kr_shape_left *s, const kr_pass *p) {
  if (p->group < 0) return;
  s->size[p->group] = p->count;
  s->unit[p->group] = 1;
  kr_shape_merge(s);
}

typedef struct {
  const kr_reduction *r;
  const kr_fold *fold;
  kr_pass p;
  const char *x;
  char *y;
  size_t acc;
  int64_t tiles, group; /* column tiles of a row; outer slices in one task */
  int64_t elements;     /* that one result holds */
} kr_reduce_job;

/* n contiguous rows of m columns: narrow ones are first read as fewer, wider rows. */
static void kr_reduce_narrow(const kr_reduce_job *j, const char *x, int64_t n, int64_t m, char *y) {
  int64_t k = 1;
  while (k * m < KR_REDUCE_WIDE && n >= 16 * k) k *= 2;
  if (k == 1) {
    j->fold->cols(x, n, m, m, y);
    return;
  }
  char KR_ALIGNED wide[3 * KR_REDUCE_WIDE * sizeof(double)];
  int64_t full = n / k * k;
  j->fold->cols(x, n / k, k * m, k * m, wide);
  if (n > full) j->fold->cols(x + full * m * j->fold->size, n - full, m, m, wide + k * m * j->acc);
  j->r->rest.cols(wide, k + (n > full), m, m, y);
}

static void kr_reduce_task(void *arg, int64_t task, int worker) {
  (void)worker;
  const kr_reduce_job *j = arg;
  const kr_pass *p = &j->p;
  size_t in = j->fold->size;
  if (p->count == 1 && j->tiles == 1) { /* whole outer slices */
    int64_t o = task * j->group, end = kr_min(p->outer, o + j->group);
    if (p->inner == 1) j->fold->rows(j->x + o * p->n * in, end - o, p->n, j->y + o * j->acc);
    else
      for (int64_t q = o; q < end; ++q)
        kr_reduce_narrow(j, j->x + q * p->n * p->inner * in, p->n, p->inner, j->y + q * p->inner * j->acc);
    if (p->last && j->r->finish) j->r->finish(j->y + o * p->inner * j->acc, (end - o) * p->inner, j->elements);
    return;
  }
  int64_t tile = task % j->tiles, segment = task / j->tiles % p->count, o = task / j->tiles / p->count;
  int64_t from = segment * p->length, rows = kr_min(p->length, p->n - from);
  const char *x = j->x + (o * p->n + from) * p->inner * in;
  char *y = j->y + (o * p->count + segment) * p->inner * j->acc;
  if (p->inner == 1) {
    j->fold->rows(x, 1, rows, y);
  } else if (j->tiles == 1) {
    kr_reduce_narrow(j, x, rows, p->inner, y);
  } else {
    int64_t c = tile * KR_REDUCE_TILE, m = kr_min(KR_REDUCE_TILE, p->inner - c);
    y += c * j->acc;
    j->fold->cols(x + c * in, rows, p->inner, m, y);
    if (p->last && j->r->finish) j->r->finish(y, m, j->elements);
  }
}

/* Bytes of the two buffers that partial results alternate between. */
static void kr_reduce_buffers(const kr_call *c, size_t acc, size_t bytes[2]) {
  kr_shape_left s = kr_shape_start(&c->in[0], c->i[0]);
  bytes[0] = bytes[1] = 0;
  for (int level = 0;; ++level) {
    kr_pass p = kr_pass_next(&s);
    if (p.last) return;
    size_t need = kr_round_up(p.outer * p.count * p.inner * acc, 64);
    if (need > bytes[level & 1]) bytes[level & 1] = need;
    kr_shape_reduce(&s, &p);
  }
}

static KR_UNUSED size_t kr_reduce_scratch(const kr_call *c, size_t acc) {
  size_t bytes[2];
  kr_reduce_buffers(c, acc, bytes);
  return bytes[0] + bytes[1];
}

/* Runs the pass j->p from j->x to j->y. */
static void kr_reduce_pass(kr_reduce_job *j, int threads) {
  if (j->p.group < 0) { /* nothing to reduce: one row of everything */
    j->p.inner *= j->p.outer;
    j->p.outer = 1;
  }
  j->tiles = j->p.inner > KR_REDUCE_TILE ? kr_ceil_div(j->p.inner, KR_REDUCE_TILE) : 1;
  int64_t slice = j->p.n * j->p.inner;
  j->group = j->p.count == 1 && j->tiles == 1 ? kr_max(1, KR_REDUCE_WORK / kr_max(1, slice)) : 1;
  kr_parallel(threads, kr_ceil_div(j->p.outer, j->group) * j->p.count * j->tiles, kr_reduce_task, j);
}

/* The first pass alone: one row of accumulators for each chunk of the reduced dimensions, which are the leading ones. */
static KR_UNUSED kr_status kr_reduce_chunks(const kr_call *c, const kr_reduction *r) {
  if (kr_size(&c->out[0]) == 0) return KR_OK;
  kr_shape_left s = kr_shape_start(&c->in[0], c->i[0]);
  kr_reduction partial = {r->first, r->rest, NULL};
  kr_reduce_job j = {.r = &partial, .fold = &r->first, .x = c->in[0].data, .acc = r->rest.size, .elements = 1};
  j.p = kr_pass_next(&s);
  j.y = c->out[0].data;
  if (j.p.outer != 1 || j.p.count != c->out[0].shape[0]) return KR_EINTERNAL;
  kr_reduce_pass(&j, c->threads);
  return KR_OK;
}

/* Reduces in[0] over the axes whose bits are set in i[0]; out[0] holds the kept dimensions in order. */
static kr_status kr_reduce_run(const kr_call *c, const kr_reduction *r) {
  if (kr_size(&c->out[0]) == 0) return KR_OK;
  kr_shape_left s = kr_shape_start(&c->in[0], c->i[0]);
  size_t bytes[2];
  kr_reduce_buffers(c, r->rest.size, bytes);
  char *buffer[2] = {c->scratch, (char *)c->scratch + bytes[0]};
  kr_reduce_job j = {.r = r, .fold = &r->first, .x = c->in[0].data, .acc = r->rest.size};
  j.elements = kr_size(&c->in[0]) / kr_size(&c->out[0]);
  for (int level = 0;; ++level) {
    j.p = kr_pass_next(&s);
    j.y = j.p.last ? c->out[0].data : buffer[level & 1];
    kr_reduce_pass(&j, c->threads);
    if (j.p.last) return KR_OK;
    kr_shape_reduce(&s, &j.p);
    j.x = j.y;
    j.fold = &r->rest;
  }
}

#endif
