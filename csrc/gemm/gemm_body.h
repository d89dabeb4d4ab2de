/* The kernels of gemm.c for one real type. */

typedef struct {
  product_shape s;
  const real *x1, *x2;
} KR_FN(product);

/* One panel: dst[p * width + i] = src[i-th index of `index`][(k0 + p)-th of k], zero from count to width. */
static void KR_FN(pack_dims)(const real *src, const dims *index, const int64_t *step, int64_t from, int64_t count,
                             int64_t width, const dims *k, const int64_t *k_step, int64_t k0, int64_t kc, real *dst) {
  int64_t at[GEMM_MAX_NR];
  const int64_t even = index->ndim == 1 ? step[0] : 0; /* from one to the next, without the search for others */
  int adjacent = even == 1;
  for (int64_t i = 0; i < count && even; ++i) at[i] = (from + i) * even;
  if (!even) {
    adjacent = 1;
    for (int64_t i = 0; i < count; ++i) {
      at[i] = offset_at(index, step, from + i);
      adjacent &= at[i] == at[0] + i;
    }
  }
  const int last = k->ndim - 1;
  const int64_t length = k->ndim ? k->size[last] : 1, stride = k->ndim ? k_step[last] : 0;
  while (kc > 0) { /* one stretch of the last dimension of k after the other */
    const int64_t run = kr_min(kc, length - k0 % length);
    const real *p = src + offset_at(k, k_step, k0);
    if (adjacent) KR_FN(pack_copy)(p + at[0], stride, count, width, run, dst);
    else KR_FN(pack_gather)(p, at, stride, count, width, run, dst);
    dst += run * width;
    k0 += run;
    kc -= run;
  }
}

static void KR_FN(product_pack_a)(const void *ctx, int64_t batch, int64_t row, int64_t rows, int64_t k0, int64_t kc,
                                  real *dst) {
  const KR_FN(product) *j = ctx;
  const product_shape *s = &j->s;
  KR_FN(pack_dims)
  (j->x1 + offset_at(&s->batch, s->batch.a, batch), &s->m, s->m.a, row, rows, rows, &s->k, s->k.a, k0, kc, dst);
}

static void KR_FN(product_pack_b)(const void *ctx, int64_t batch, int64_t k0, int64_t kc, int64_t col, int64_t cols,
                                  int64_t width, real *dst) {
  const KR_FN(product) *j = ctx;
  const product_shape *s = &j->s;
  KR_FN(pack_dims)
  (j->x2 + offset_at(&s->batch, s->batch.b, batch), &s->n, s->n.b, col, cols, width, &s->k, s->k.b, k0, kc, dst);
}

#include "narrow_body.h"

/* Whether this is a product of columns that gemm_columns is to make. */
static int KR_FN(by_columns)(const product_shape *s) {
  return s->batch.total == 1 && s->m.ndim == 1 && s->n.ndim == 1 && s->k.ndim == 1 && s->m.a[0] == 1 &&
         s->n.b[0] == 1 && KR_FN(gemm_columns_pay)(s->m.total, s->n.total, s->k.total);
}

static size_t KR_FN(product_scratch)(const product_shape *s, int threads) {
  skinny_plan p;
  narrow_plan narrow;
  size_t other;
  if (plan_skinny(s, &p)) return KR_FN(skinny_scratch)(&p);
  if (plan_narrow(s, &narrow)) other = KR_FN(narrow_scratch)(&narrow, threads);
  else other = KR_FN(gemm_scratch)(s->batch.total, s->m.total, s->n.total, s->k.total, threads);
  if (!KR_FN(by_columns)(s)) return other;
  const size_t columns = KR_FN(gemm_columns_scratch)(s->m.total, s->n.total, s->k.total, threads);
  return columns > other ? columns : other; /* a bias or an activation is not known here */
}

/* An activation on all of y, after a product that has no rows to apply it to on the way. */
typedef struct {
  real *y;
  int64_t size;
  activation_fn activate;
} KR_FN(activation_job);

enum { KR_FN(ACTIVATION_PIECE) = 4096 };

static void KR_FN(activation_task)(void *arg, int64_t task, KR_UNUSED int worker) {
  const KR_FN(activation_job) *j = arg;
  real *y = j->y + task * KR_FN(ACTIVATION_PIECE);
  j->activate(y, y, kr_min(KR_FN(ACTIVATION_PIECE), j->size - task * KR_FN(ACTIVATION_PIECE)), NULL);
}

/* Forms of a packed x2: {blocks of so many k, k, n, from one k to the next in x2, from one column to the next}. */
static size_t KR_FN(product_packing)(const product_shape *s, int64_t form[KR_FORM]) {
  skinny_plan p;
  narrow_plan narrow;
  if (plan_skinny(s, &p) || plan_narrow(s, &narrow) || KR_FN(by_columns)(s)) return 0;
  if (s->n.ndim > 1 || s->k.ndim != 1) return 0;
  const size_t bytes = KR_FN(gemm_packing)(s->batch.total, s->m.total, s->n.total, s->k.total, &form[0]);
  form[1] = s->k.total;
  form[2] = s->n.total;
  form[3] = s->k.b[0];
  form[4] = s->n.ndim ? s->n.b[0] : 1;
  form[5] = 0;
  return bytes ? KR_PACKED_AT + bytes : 0;
}

static kr_status KR_FN(pack_right)(const kr_call *c) {
  const KR_FN(product) j = {.s = {.batch = {.total = 1},
                                  .k = {.ndim = 1, .total = c->i[1], .size = {c->i[1]}, .b = {c->i[3]}},
                                  .n = {.ndim = 1, .total = c->i[2], .size = {c->i[2]}, .b = {c->i[4]}}},
                            .x2 = c->in[0].data};
  const KR_FN(gemm_args) g = {.k = c->i[1], .n = c->i[2], .pack_b = KR_FN(product_pack_b), .ctx = &j};
  KR_FN(gemm_pack)(&g, c->i[0], c->threads, kr_pack_to(c));
  return KR_OK;
}

static void KR_FN(multiply)(const kr_call *c, const product_shape *s, const real *bias, int activation) {
  skinny_plan p;
  if (plan_skinny(s, &p)) {
    KR_FN(skinny)(c, s, &p, bias, activation == ACTIVATION_RELU);
    KR_FN(activation_job)
    j = {c->out[0].data, s->batch.total * s->m.total * s->n.total, KR_FN(activation_loop)(activation)};
    if (j.activate) kr_parallel(c->threads, kr_ceil_div(j.size, KR_FN(ACTIVATION_PIECE)), KR_FN(activation_task), &j);
    return;
  }
  if (!bias && activation == ACTIVATION_LINEAR && KR_FN(by_columns)(s)) {
    KR_FN(gemm_columns)
    (s->m.total, s->n.total, s->k.total, c->in[0].data, s->k.a[0], c->in[1].data, s->k.b[0], c->out[0].data, c->threads,
     c->scratch);
    return;
  }
  narrow_plan narrow;
  if (plan_narrow(s, &narrow)) {
    KR_FN(narrow)(c, s, &narrow, bias, activation);
    return;
  }
  const KR_FN(product) j = {.s = *s, .x1 = c->in[0].data, .x2 = c->in[1].data};
  KR_FN(gemm_args)
  g = {.batch = s->batch.total,
       .m = s->m.total,
       .n = s->n.total,
       .k = s->k.total,
       .pack_a = KR_FN(product_pack_a),
       .pack_b = KR_FN(product_pack_b),
       .ctx = &j,
       .c = c->out[0].data,
       .ldc = s->n.total,
       .c_batch = s->m.total * s->n.total,
       .bias = bias,
       .activation = activation};
  if (s->batch.total == 1 && s->n.ndim == 1 && s->k.ndim == 1 && s->k.b[0] == 1 && s->n.b[0] == s->k.total)
    g.near = j.x2;
  int64_t form[KR_FORM];
  if (c->packed && KR_FN(product_packing)(s, form)) g.packed = kr_packed(c, form);
  if (s->batch.total == 1 && s->n.ndim == 1 && s->k.ndim == 1 && s->n.b[0] == 1) {
    g.rows_b = j.x2;
    g.ldb = s->k.b[0];
  }
  KR_FN(gemm)(&g, c->threads, c->scratch);
}

static size_t KR_FN(matmul_scratch)(const kr_call *c) {
  const product_shape s = matmul_shape(c);
  return KR_FN(product_scratch)(&s, c->threads);
}

static size_t KR_FN(matmul_packing)(const kr_call *c, int64_t form[KR_FORM]) {
  const product_shape s = matmul_shape(c);
  return KR_FN(product_packing)(&s, form);
}

static kr_status KR_FN(matmul)(const kr_call *c) {
  const product_shape s = matmul_shape(c);
  KR_FN(multiply)(c, &s, c->n_in > 2 ? c->in[2].data : NULL, (int)c->i[2]);
  return KR_OK;
}

static size_t KR_FN(contract_scratch)(const kr_call *c) {
  const product_shape s = contract_shape(c);
  return KR_FN(product_scratch)(&s, c->threads);
}

static size_t KR_FN(contract_packing)(const kr_call *c, int64_t form[KR_FORM]) {
  const product_shape s = contract_shape(c);
  return KR_FN(product_packing)(&s, form);
}

static kr_status KR_FN(contract)(const kr_call *c) {
  const product_shape s = contract_shape(c);
  KR_FN(multiply)(c, &s, NULL, ACTIVATION_LINEAR);
  return KR_OK;
}
