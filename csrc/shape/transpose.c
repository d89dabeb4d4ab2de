/* Transposition of any number of dimensions, and tril/triu, for every element size. */
#include "move.h"

/* transpose: y[j0, j1, ...] = x[...] with y.shape[d] = x.shape[perm[d]].
 * in: x.  out: y.  i: perm[ndim].  Cost: one pass; square tiles where the innermost dimension changes. */
static kr_status transpose(const kr_call *c) {
  const kr_array *x = &c->in[0], *y = &c->out[0];
  if (c->n_i != x->ndim || y->ndim != x->ndim) return KR_EINTERNAL;
  int64_t xs[KR_MAX_NDIM], ys[KR_MAX_NDIM];
  move_strides(x, xs);
  move_strides(y, ys);
  kr_move m = {.size = kr_itemsize(x->dtype)};
  for (int d = 0; d < y->ndim; ++d) move_push(&m, y->shape[d], xs[c->i[d]], ys[d]);
  move_run(c->threads, &m, y->data, x->data);
  return KR_OK;
}

/* rearrange: x read as an array of another shape, transposed, and written out flat: splitting dimensions, putting the
 * factors into another order and merging them again in one pass.
 * in: x.  out: y with as many elements.  i: n <= 16, shape[n] (the factors of x's dimensions), perm[n]. */
static kr_status rearrange(const kr_call *c) {
  const int n = c->n_i ? (int)c->i[0] : -1;
  if (n < 0 || n > 2 * KR_MAX_NDIM || c->n_i != 1 + 2 * n) return KR_EINTERNAL;
  const int64_t *shape = c->i + 1, *perm = shape + n;
  int64_t xs[2 * KR_MAX_NDIM], ys[2 * KR_MAX_NDIM], total = 1, count = 1;
  for (int d = n - 1; d >= 0; --d) {
    xs[d] = total;
    total *= shape[d];
    ys[d] = count;
    count *= shape[perm[d]];
  }
  if (total != kr_size(&c->in[0]) || count != kr_size(&c->out[0])) return KR_EINTERNAL;
  kr_move m = {.size = kr_itemsize(c->in[0].dtype)};
  for (int d = 0; d < n; ++d) move_push(&m, shape[perm[d]], xs[perm[d]], ys[d]);
  move_run(c->threads, &m, c->out[0].data, c->in[0].data);
  return KR_OK;
}

typedef struct {
  char *y;
  const char *x;
  int64_t rows, cols, n, k, size, group;
  int upper;
} triangle_job;

static void triangle_task(void *arg, int64_t task, int worker) {
  (void)worker;
  const triangle_job *t = arg;
  const int64_t last = kr_min((task + 1) * t->group, t->n), row_bytes = t->cols * t->size;
  for (int64_t r = task * t->group; r < last; ++r) {
    char *y = t->y + r * row_bytes;
    const char *x = t->x + r * row_bytes;
    /* Columns left of `edge` belong to the lower part (tril: k included; triu: k excluded). */
    int64_t edge = r % t->rows + t->k + (t->upper ? 0 : 1);
    edge = kr_max(0, kr_min(edge, t->cols)) * t->size;
    const int64_t from = t->upper ? edge : 0, to = t->upper ? row_bytes : edge;
    if (y != x) memcpy(y + from, x + from, (size_t)(to - from));
    memset(y, 0, (size_t)from);
    memset(y + to, 0, (size_t)(row_bytes - to));
  }
}

static kr_status triangle(const kr_call *c, int upper) {
  const kr_array *x = &c->in[0];
  if (x->ndim < 2 || c->n_i != 1) return KR_EINTERNAL;
  triangle_job t = {.y = c->out[0].data,
                    .x = x->data,
                    .rows = x->shape[x->ndim - 2],
                    .cols = x->shape[x->ndim - 1],
                    .n = kr_span(x, 0, x->ndim - 1),
                    .k = c->i[0],
                    .size = kr_itemsize(x->dtype),
                    .upper = upper};
  if (kr_size(x) == 0) return KR_OK;
  t.group = kr_ceil_div(MOVE_GRAIN, t.cols);
  kr_parallel(c->threads, kr_ceil_div(t.n, t.group), triangle_task, &t);
  return KR_OK;
}

/* tril, triu: y[..., r, s] = x[..., r, s] where s <= r + k (tril) or s >= r + k (triu), else 0.
 * in: x of rank >= 2.  out: y, may be x.  i: k. */
static kr_status tril(const kr_call *c) { return triangle(c, 0); }
static kr_status triu(const kr_call *c) { return triangle(c, 1); }

KR_TABLE(transpose) = {
    KR_EVERY_DTYPE("transpose", transpose, NULL),
    KR_EVERY_DTYPE("rearrange", rearrange, NULL),
    KR_EVERY_DTYPE("tril", tril, NULL),
    KR_EVERY_DTYPE("triu", triu, NULL),
    KR_TABLE_END,
};
