/* Drives elementwise kernels: one operand flat, or several under NumPy's broadcasting, in blocks that the shape
 * decides.
 *
 * A kernel brings an inner loop over n elements whose operands are either contiguous or one repeated element; the
 * driver collapses dimensions, walks what is left and moves bytes, so it is compiled once for all dtypes.
 */
#ifndef KR_MAP_H
#define KR_MAP_H
#include "../base/bytes.h"

#define KR_MAP_INPUTS 3
#define KR_MAP_BLOCK 16384  /* elements of a task: a few microseconds of work that stay in L2 */
#define KR_MAP_INLINE 32768 /* not worth waking a worker for less */
#define KR_MAP_GATHER 1024  /* elements expanded at a time where the inner dimension is short */
#define KR_MAP_SHORT 48     /* shorter inner dimensions are expanded rather than walked, */
#define KR_MAP_PERIOD 256   /* as are shorter ones of an operand that is the same in all rows: it is expanded once */

/* y[j] = op(x[j]) for j < n; f are the call's attributes. */
typedef void (*kr_unary_fn)(const void *x, void *y, int64_t n, const double *f);
/* y[j] = op(in[0][j step[0]], in[1][j step[1]], ...) for j < n, steps 0 or 1 and not all 0. */
typedef void (*kr_inner_fn)(const void *const *in, const int *step, void *y, int64_t n, const double *f);

typedef struct {
  kr_unary_fn fn;
  const char *x;
  char *y;
  size_t x_size, y_size;
  int64_t n;
  const double *f;
} kr_flat;

static void kr_flat_task(void *arg, int64_t task, KR_UNUSED int worker) {
  const kr_flat *m = arg;
  int64_t lo = task * KR_MAP_BLOCK, n = kr_min(KR_MAP_BLOCK, m->n - lo);
  m->fn(m->x + (size_t)lo * m->x_size, m->y + (size_t)lo * m->y_size, n, m->f);
}

/* Applies fn to every element of the first input. */
static KR_UNUSED kr_status kr_map_flat(const kr_call *c, kr_unary_fn fn, size_t x_size, size_t y_size) {
  kr_flat m = {fn, c->in[0].data, c->out[0].data, x_size, y_size, kr_size(&c->in[0]), c->f};
  if (m.n <= KR_MAP_INLINE) {
    if (m.n > 0) fn(m.x, m.y, m.n, m.f);
  } else {
    kr_parallel(c->threads, kr_ceil_div(m.n, KR_MAP_BLOCK), kr_flat_task, &m);
  }
  return KR_OK;
}

/* How an operand is read where the inner dimension is short. */
typedef enum { KR_MAP_DIRECT, KR_MAP_REPEATED, KR_MAP_PERIODIC, KR_MAP_GATHERED } kr_map_mode;

typedef struct {
  kr_inner_fn fn;
  const char *in[KR_MAP_INPUTS];
  char *out;
  size_t in_size[KR_MAP_INPUTS], out_size;
  const double *f;
  int n_in, ndim;
  int64_t shape[KR_MAX_NDIM];                 /* collapsed, outermost first */
  int64_t stride[KR_MAP_INPUTS][KR_MAX_NDIM]; /* elements */
  int64_t n, block;
  int chunks; /* rows are short: chunks of them, not each */
  kr_map_mode mode[KR_MAP_INPUTS];
} kr_map;

/* Strides of an input seen under the output's shape: 0 where it is broadcast. */
static void kr_map_strides(const kr_array *x, const kr_array *out, int64_t *stride) {
  int64_t step = 1;
  int shift = out->ndim - x->ndim;
  for (int d = out->ndim - 1; d >= 0; --d) {
    int64_t size = d >= shift ? x->shape[d - shift] : 1;
    stride[d] = size == 1 ? 0 : step;
    step *= size;
  }
}

/* Drops dimensions of size 1 and merges neighbours that every operand walks in one stride. */
static void kr_map_collapse(kr_map *m, const kr_array *out, int64_t stride[][KR_MAX_NDIM]) {
  int64_t shape[KR_MAX_NDIM], kept[KR_MAP_INPUTS][KR_MAX_NDIM];
  int n = 0; /* innermost first */
  for (int d = out->ndim - 1; d >= 0; --d) {
    if (out->shape[d] == 1) continue;
    int merge = n > 0;
    for (int k = 0; k < m->n_in && merge; ++k) merge = stride[k][d] == kept[k][n - 1] * shape[n - 1];
    if (merge) {
      shape[n - 1] *= out->shape[d];
      continue;
    }
    for (int k = 0; k < m->n_in; ++k) kept[k][n] = stride[k][d];
    shape[n++] = out->shape[d];
  }
  if (n == 0) { /* one element */
    shape[n++] = 1;
    for (int k = 0; k < m->n_in; ++k) kept[k][0] = 1;
  }
  m->ndim = n;
  for (int g = 0; g < n; ++g) {
    m->shape[g] = shape[n - 1 - g];
    for (int k = 0; k < m->n_in; ++k) m->stride[k][g] = kept[k][n - 1 - g];
  }
}

static kr_map_mode kr_map_mode_of(const kr_map *m, int k) {
  int64_t step = 1;
  int direct = 1, outer = 0, last = m->ndim - 1;
  for (int g = last; g >= 0; --g) {
    direct &= m->stride[k][g] == step;
    outer |= g < last && m->stride[k][g] != 0;
    step *= m->shape[g];
  }
  if (direct) return KR_MAP_DIRECT;
  if (outer) return KR_MAP_GATHERED;
  return m->stride[k][last] ? KR_MAP_PERIODIC : KR_MAP_REPEATED;
}

/* Index of a flat output position, and where each input stands there. */
static void kr_map_seek(const kr_map *m, int64_t position, int64_t *index, int64_t *offset) {
  for (int k = 0; k < m->n_in; ++k) offset[k] = 0;
  for (int g = m->ndim - 1; g >= 0; --g) {
    index[g] = position % m->shape[g];
    position /= m->shape[g];
    for (int k = 0; k < m->n_in; ++k) offset[k] += index[g] * m->stride[k][g];
  }
}

/* Goes to the start of the next row. */
static void kr_map_next(const kr_map *m, int64_t *index, int64_t *offset) {
  int g = m->ndim - 1;
  for (int k = 0; k < m->n_in; ++k) offset[k] -= index[g] * m->stride[k][g];
  index[g] = 0;
  while (--g >= 0) {
    for (int k = 0; k < m->n_in; ++k) offset[k] += m->stride[k][g];
    if (++index[g] < m->shape[g]) return;
    for (int k = 0; k < m->n_in; ++k) offset[k] -= index[g] * m->stride[k][g];
    index[g] = 0;
  }
}

/* Output positions [lo, hi), row by row. */
static void kr_map_rows(const kr_map *m, int64_t lo, int64_t hi) {
  int64_t index[KR_MAX_NDIM], offset[KR_MAP_INPUTS];
  int last = m->ndim - 1, step[KR_MAP_INPUTS];
  for (int k = 0; k < m->n_in; ++k) step[k] = (int)m->stride[k][last];
  kr_map_seek(m, lo, index, offset);
  while (lo < hi) {
    int64_t n = kr_min(m->shape[last] - index[last], hi - lo);
    const void *in[KR_MAP_INPUTS];
    for (int k = 0; k < m->n_in; ++k) in[k] = m->in[k] + (size_t)offset[k] * m->in_size[k];
    m->fn(in, step, m->out + (size_t)lo * m->out_size, n, m->f);
    lo += n;
    kr_map_next(m, index, offset);
  }
}

/* Rows of one element each, whose places lie `apart` bytes apart; writes up to 15 bytes past the last. */
KR_INLINE void kr_map_fill_rows(char *to, const char *from, int64_t apart, size_t size, int64_t bytes, int64_t rows) {
  for (; rows > 0; --rows, from += apart, to += bytes) {
    char piece[16];
    for (size_t j = 0; j < 16; j += size) memcpy(piece + j, from, size);
    for (int64_t j = 0; j < bytes; j += 16) memcpy(to + j, piece, 16);
  }
}

/* Writes out what input k has in so many rows from output position lo on, the start of one. */
static void kr_map_expand(const kr_map *m, int k, int64_t lo, int64_t rows, char *to) {
  int64_t index[KR_MAX_NDIM], offset[KR_MAP_INPUTS];
  const int last = m->ndim - 1;
  const size_t size = m->in_size[k];
  const int64_t bytes = m->shape[last] * (int64_t)size, apart = m->stride[k][last - 1] * (int64_t)size;
  kr_map_seek(m, lo, index, offset);
  while (rows > 0) {
    const int64_t run = kr_min(m->shape[last - 1] - index[last - 1], rows);
    const char *from = m->in[k] + (size_t)offset[k] * size;
    if (m->stride[k][last]) {
      kr_copy_rows(to, bytes, from, apart, bytes, run);
    } else {
      switch (size) {
        case 1: kr_map_fill_rows(to, from, apart, 1, bytes, run); break;
        case 2: kr_map_fill_rows(to, from, apart, 2, bytes, run); break;
        case 4: kr_map_fill_rows(to, from, apart, 4, bytes, run); break;
        default: kr_map_fill_rows(to, from, apart, 8, bytes, run);
      }
    }
    to += run * bytes;
    rows -= run;
    index[last - 1] += run - 1;
    for (int i = 0; i < m->n_in; ++i) offset[i] += (run - 1) * m->stride[i][last - 1];
    kr_map_next(m, index, offset);
  }
}

/* The same where all rows are alike: one row, then twice as much each time. */
static void kr_map_repeat(const kr_map *m, int k, int64_t lo, int64_t rows, char *to) {
  const int64_t row = m->shape[m->ndim - 1] * (int64_t)m->in_size[k], all = rows * row;
  kr_map_expand(m, k, lo, 1, to);
  for (int64_t done = row, more; done < all; done += more) {
    more = kr_min(done, all - done);
    memcpy(to + done, to, (size_t)more);
  }
}

/* Output positions [lo, hi), a few hundred at a time, with the operands that do not lie as needed expanded into a
 * buffer: rows of three channels would otherwise cost more calls than arithmetic.  lo is the start of a row. */
static void kr_map_chunks(const kr_map *m, int64_t lo, int64_t hi) {
  KR_ALIGNED char buffer[KR_MAP_INPUTS][KR_MAP_GATHER * 8 + 64]; /* kr_map_fill_rows needs 15 more */
  int64_t row = m->shape[m->ndim - 1], chunk = KR_MAP_GATHER / row * row;
  int step[KR_MAP_INPUTS];
  for (int k = 0; k < m->n_in; ++k) {
    step[k] = m->mode[k] != KR_MAP_REPEATED;
    if (m->mode[k] == KR_MAP_PERIODIC) kr_map_repeat(m, k, lo, kr_min(chunk, hi - lo) / row, buffer[k]);
  }
  for (; lo < hi; lo += chunk) {
    int64_t n = kr_min(chunk, hi - lo);
    const void *in[KR_MAP_INPUTS];
    for (int k = 0; k < m->n_in; ++k) {
      in[k] = buffer[k];
      if (m->mode[k] == KR_MAP_DIRECT) in[k] = m->in[k] + (size_t)lo * m->in_size[k];
      if (m->mode[k] == KR_MAP_REPEATED) in[k] = m->in[k];
      if (m->mode[k] == KR_MAP_GATHERED) kr_map_expand(m, k, lo, n / row, buffer[k]);
    }
    m->fn(in, step, m->out + (size_t)lo * m->out_size, n, m->f);
  }
}

static void kr_map_task(void *arg, int64_t task, KR_UNUSED int worker) {
  const kr_map *m = arg;
  int64_t lo = task * m->block, hi = kr_min(lo + m->block, m->n);
  if (m->chunks) kr_map_chunks(m, lo, hi);
  else kr_map_rows(m, lo, hi);
}

/* Applies fn to the inputs of the call, broadcast to the shape of its output.  Sizes are bytes of an element. */
static KR_UNUSED kr_status kr_map_broadcast(const kr_call *c, kr_inner_fn fn, const size_t *in_size, size_t out_size) {
  int64_t stride[KR_MAP_INPUTS][KR_MAX_NDIM];
  kr_map m = {
      .fn = fn, .out = c->out[0].data, .out_size = out_size, .f = c->f, .n_in = c->n_in, .n = kr_size(&c->out[0])};
  if (m.n == 0) return KR_OK;
  if (m.n_in > KR_MAP_INPUTS) return KR_EINTERNAL;
  for (int k = 0; k < m.n_in; ++k) {
    m.in[k] = c->in[k].data;
    m.in_size[k] = in_size[k];
    kr_map_strides(&c->in[k], &c->out[0], stride[k]);
  }
  kr_map_collapse(&m, &c->out[0], stride);
  const int64_t row = m.shape[m.ndim - 1];
  int gathered = 0;
  for (int k = 0; k < m.n_in; ++k) {
    m.mode[k] = kr_map_mode_of(&m, k);
    gathered |= m.mode[k] == KR_MAP_GATHERED;
  }
  m.chunks = m.ndim > 1 && row < (gathered ? KR_MAP_SHORT : KR_MAP_PERIOD);
  if (m.n <= KR_MAP_INLINE) {
    m.block = m.n;
    kr_map_task(&m, 0, 0);
  } else {
    m.block = m.chunks ? KR_MAP_BLOCK / row * row : KR_MAP_BLOCK;
    kr_parallel(c->threads, kr_ceil_div(m.n, m.block), kr_map_task, &m);
  }
  return KR_OK;
}

#endif
