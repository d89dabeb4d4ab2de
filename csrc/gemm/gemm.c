/* Products of arrays: matmul, and contract for everything that einsum and tensordot need.
 *
 *   matmul     x1, x2[, bias] -> y     y[b] = activation(op(x1[b]) op(x2[b]) + bias)
 *     i[0], i[1]: whether op transposes x1, x2 (their last two dimensions, which exist); i[2]: an activation_code.
 *     Leading dimensions broadcast against each other as NumPy's do; bias has one value for each column.
 *
 *   contract   x1, x2 -> y             y[batch, m, n] = sum over k of x1[batch, m, k] * x2[batch, k, n]
 *     where batch, m, n and k are each any number of dimensions and an operand has its dimensions in any order:
 *     i[0..4) = how many dimensions batch, m, n and k have; then for each dimension, in that order, three numbers: its
 *     length, its stride in x1 and its stride in x2 in elements (0 where it broadcasts or does not occur).
 *
 *   matmul_pack, contract_pack     x2 -> bytes     a right operand of many products, packed once (kr_packing_fn)
 *
 * No input may overlap the output.  Each element is one sum over k as gemm/core.h documents; with one column or few
 * rows it may be the sum of several partial sums.  Relative to sum |x1| |x2| the error is below k times the rounding
 * unit.
 */
#include "gemm/core.h"

/* Dimensions that belong together: lengths, and strides of both operands. */
typedef struct {
  int ndim;
  int64_t total, size[2 * KR_MAX_NDIM], a[2 * KR_MAX_NDIM], b[2 * KR_MAX_NDIM];
} dims;

static void add_dim(dims *d, int64_t size, int64_t a, int64_t b) {
  d->size[d->ndim] = size;
  d->a[d->ndim] = a;
  d->b[d->ndim++] = b;
}

/* Drops dimensions of length 1, merges neighbours that lie behind each other in both operands, and counts. */
static void merge_dims(dims *d) {
  int to = 0;
  d->total = 1;
  for (int from = 0; from < d->ndim; ++from) {
    const int64_t size = d->size[from], a = d->a[from], b = d->b[from];
    d->total *= size;
    if (size == 1) continue;
    if (to > 0 && d->a[to - 1] == a * size && d->b[to - 1] == b * size) {
      d->size[to - 1] *= size;
      d->a[to - 1] = a;
      d->b[to - 1] = b;
    } else {
      d->size[to] = size;
      d->a[to] = a;
      d->b[to++] = b;
    }
  }
  d->ndim = to;
}

/* Offset of a flat position among dimensions with these strides. */
static int64_t offset_at(const dims *d, const int64_t *stride, int64_t position) {
  int64_t at = 0;
  for (int k = d->ndim - 1; k > 0; --k) {
    at += position % d->size[k] * stride[k];
    position /= d->size[k];
  }
  return d->ndim ? at + position * stride[0] : 0;
}

/* The four groups of dimensions of a product; y is (batch, m, n), contiguous. */
typedef struct {
  dims batch, m, n, k;
} product_shape;

static void finish_shape(product_shape *s) {
  /* Where x2 is the same for all batches, their rows make one matrix. */
  int folds = 1;
  for (int d = 0; d < s->batch.ndim; ++d) folds &= s->batch.b[d] == 0;
  if (folds && s->batch.ndim + s->m.ndim <= 2 * KR_MAX_NDIM) {
    for (int d = 0; d < s->m.ndim; ++d) add_dim(&s->batch, s->m.size[d], s->m.a[d], 0);
    s->m = s->batch;
    s->batch.ndim = 0;
  }
  merge_dims(&s->batch);
  merge_dims(&s->m);
  merge_dims(&s->n);
  merge_dims(&s->k);
}

static product_shape matmul_shape(const kr_call *c) {
  const kr_array *x1 = &c->in[0], *x2 = &c->in[1], *y = &c->out[0];
  const int ta = c->i[0] != 0, tb = c->i[1] != 0;
  const int64_t lda = x1->shape[x1->ndim - 1], ldb = x2->shape[x2->ndim - 1];
  product_shape s = {0};
  int64_t a[KR_MAX_NDIM], b[KR_MAX_NDIM];
  int64_t a_step = lda * x1->shape[x1->ndim - 2], b_step = ldb * x2->shape[x2->ndim - 2];
  for (int d = y->ndim - 3; d >= 0; --d) {
    const int da = d - y->ndim + x1->ndim, db = d - y->ndim + x2->ndim;
    const int64_t in_a = da < 0 ? 1 : x1->shape[da], in_b = db < 0 ? 1 : x2->shape[db];
    a[d] = in_a == 1 ? 0 : a_step;
    b[d] = in_b == 1 ? 0 : b_step;
    a_step *= in_a;
    b_step *= in_b;
  }
  for (int d = 0; d < y->ndim - 2; ++d) add_dim(&s.batch, y->shape[d], a[d], b[d]);
  add_dim(&s.m, y->shape[y->ndim - 2], ta ? 1 : lda, 0);
  add_dim(&s.n, y->shape[y->ndim - 1], 0, tb ? ldb : 1);
  add_dim(&s.k, x1->shape[x1->ndim - (ta ? 2 : 1)], ta ? lda : 1, tb ? 1 : ldb);
  finish_shape(&s);
  return s;
}

static product_shape contract_shape(const kr_call *c) {
  product_shape s = {0};
  dims *const groups[4] = {&s.batch, &s.m, &s.n, &s.k};
  const int64_t *d = c->i + 4;
  for (int g = 0; g < 4; ++g)
    for (int64_t j = 0; j < c->i[g]; ++j, d += 3) add_dim(groups[g], d[0], d[1], d[2]);
  finish_shape(&s);
  return s;
}

#include "gemm/skinny.h"
#include "gemm/narrow.h"

#define KR_REAL 32
#include "base/real.h"
#include "gemm/pack.h"
#include "skinny_body.h"
#include "gemm_body.h"
#undef KR_REAL
#define KR_REAL 64
#include "base/real.h"
#include "gemm/pack.h"
#include "skinny_body.h"
#include "gemm_body.h"

#define GEMM_ENTRIES(DTYPE, SUFFIX)                                                                 \
  {"matmul", DTYPE, matmul_##SUFFIX, matmul_scratch_##SUFFIX, matmul_packing_##SUFFIX},             \
      {"matmul_pack", DTYPE, pack_right_##SUFFIX, NULL, NULL},                                      \
      {"contract", DTYPE, contract_##SUFFIX, contract_scratch_##SUFFIX, contract_packing_##SUFFIX}, \
      {"contract_pack", DTYPE, pack_right_##SUFFIX, NULL, NULL},

KR_TABLE(gemm) = {GEMM_ENTRIES(KR_F32, f32) GEMM_ENTRIES(KR_F64, f64) KR_TABLE_END};
