/* The matmul kernel for one real type. */

typedef struct {
  const real *data;
  int64_t ld;
  int transpose;               /* for a: stored (k, m); for b: stored (n, k) */
  int64_t stride[KR_MAX_NDIM]; /* elements, of each batch dimension; 0 where it broadcasts */
} KR_FN(operand);

typedef struct {
  KR_FN(operand) a, b;
  int64_t m, n, k, batch;
  int batch_ndim;
  int64_t batch_shape[KR_MAX_NDIM];
} KR_FN(matmul_job);

static const real *KR_FN(matrix)(const KR_FN(matmul_job) * j, const KR_FN(operand) * x, int64_t batch) {
  int64_t at = 0;
  for (int d = j->batch_ndim - 1; d >= 0; --d) {
    at += batch % j->batch_shape[d] * x->stride[d];
    batch /= j->batch_shape[d];
  }
  return x->data + at;
}

static void KR_FN(matmul_pack_a)(const void *ctx, int64_t batch, int64_t row, int64_t rows, int64_t k0, int64_t kc,
                                 real *dst) {
  const KR_FN(matmul_job) *j = ctx;
  const real *a = KR_FN(matrix)(j, &j->a, batch);
  if (j->a.transpose) KR_FN(pack_copy)(a + k0 * j->a.ld + row, j->a.ld, rows, rows, kc, dst);
  else KR_FN(pack_transpose)(a + row * j->a.ld + k0, j->a.ld, rows, rows, kc, dst);
}

static void KR_FN(matmul_pack_b)(const void *ctx, int64_t batch, int64_t k0, int64_t kc, int64_t col, int64_t cols,
                                 int64_t width, real *dst) {
  const KR_FN(matmul_job) *j = ctx;
  const real *b = KR_FN(matrix)(j, &j->b, batch);
  if (j->b.transpose) KR_FN(pack_transpose)(b + col * j->b.ld + k0, j->b.ld, cols, width, kc, dst);
  else KR_FN(pack_copy)(b + k0 * j->b.ld + col, j->b.ld, cols, width, kc, dst);
}

static KR_FN(operand) KR_FN(describe)(const kr_array *x, const kr_array *y, int transpose) {
  KR_FN(operand) o = {.data = x->data, .ld = x->shape[x->ndim - 1], .transpose = transpose};
  int64_t stride = x->shape[x->ndim - 2] * x->shape[x->ndim - 1];
  for (int d = x->ndim - 3, e = y->ndim - 3; d >= 0; --d, --e) {
    o.stride[e] = x->shape[d] == 1 ? 0 : stride;
    stride *= x->shape[d];
  }
  return o;
}

static KR_FN(matmul_job) KR_FN(matmul_prepare)(const kr_call *c) {
  const kr_array *a = &c->in[0], *b = &c->in[1], *y = &c->out[0];
  KR_FN(matmul_job) j = {.a = KR_FN(describe)(a, y, c->i[0] != 0), .b = KR_FN(describe)(b, y, c->i[1] != 0)};
  j.m = y->shape[y->ndim - 2];
  j.n = y->shape[y->ndim - 1];
  j.k = a->shape[a->ndim - (j.a.transpose ? 2 : 1)];
  j.batch_ndim = y->ndim - 2;
  j.batch = kr_span(y, 0, j.batch_ndim);
  memcpy(j.batch_shape, y->shape, sizeof j.batch_shape);
  if (!j.a.transpose && b->ndim == 2) { /* rows of all batches make one matrix */
    if (kr_span(a, 0, a->ndim - 2) == j.batch) {
      j.m *= j.batch;
      j.batch = 1;
      j.batch_ndim = 0;
    }
  }
  return j;
}

static size_t KR_FN(matmul_scratch)(const kr_call *c) {
  const KR_FN(matmul_job) j = KR_FN(matmul_prepare)(c);
  return KR_FN(gemm_scratch)(j.batch, j.m, j.n, j.k, c->threads);
}

static kr_status KR_FN(matmul)(const kr_call *c) {
  const KR_FN(matmul_job) j = KR_FN(matmul_prepare)(c);
  const KR_FN(gemm_args) g = {.batch = j.batch,
                              .m = j.m,
                              .n = j.n,
                              .k = j.k,
                              .pack_a = KR_FN(matmul_pack_a),
                              .pack_b = KR_FN(matmul_pack_b),
                              .ctx = &j,
                              .c = c->out[0].data,
                              .ldc = j.n,
                              .c_batch = j.m * j.n,
                              .bias = c->n_in > 2 ? c->in[2].data : NULL,
                              .activation = (int)c->i[2]};
  KR_FN(gemm)(&g, c->threads, c->scratch);
  return KR_OK;
}
