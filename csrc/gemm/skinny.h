/* Products in which one operand is a few vectors: how they are recognised and cut up.  Packing would cost more than the
 * arithmetic; memory is the limit, so the big operand is read once, in its own order. */
#ifndef KR_GEMM_SKINNY_H
#define KR_GEMM_SKINNY_H

enum {
  SKINNY_FEW = 4,        /* vectors at most */
  SKINNY_BLOCK = 2048,   /* outputs of a task at most, of one vector twice as many: their sums stay in L1 */
  SKINNY_ROWS = 8,       /* rows at a time that are added to the sums of one vector; four to those of several */
  SKINNY_WORK = 1 << 15, /* elements of the big operand that make a task */
  SKINNY_CHUNKS = 16     /* pieces of k at most, where there are too few outputs to share out */
};

typedef struct {
  int64_t few, many, batch, k;
  int64_t few_step, few_k, many_step, many_k; /* strides in elements */
  int few_rows;                               /* the few are rows of x1, else columns of x2 */
  int dots;                                   /* each output is a dot product along memory, else rows are summed */
  int64_t block, blocks, chunk, chunks;       /* outputs, and k, of a task */
  int64_t group;                              /* batches of a task */
  int copy_few;                               /* the vectors are copied first, so that k runs along memory */
} skinny_plan;

/* Whether a product is skinny; if so, fills the plan. */
static int plan_skinny(const product_shape *s, skinny_plan *p) {
  if (s->m.ndim > 1 || s->n.ndim > 1 || s->k.ndim > 1 || s->k.total == 0) return 0;
  if (kr_min(s->m.total, s->n.total) > SKINNY_FEW) return 0;
  const int64_t m_step = s->m.ndim ? s->m.a[0] : 0, n_step = s->n.ndim ? s->n.b[0] : 0;
  const int64_t k_a = s->k.ndim ? s->k.a[0] : 1, k_b = s->k.ndim ? s->k.b[0] : 1;
  *p = (skinny_plan){.batch = s->batch.total, .k = s->k.total, .few_rows = s->m.total <= s->n.total};
  if (p->few_rows) {
    p->few = s->m.total, p->few_step = m_step, p->few_k = k_a;
    p->many = s->n.total, p->many_step = n_step, p->many_k = k_b;
  } else {
    p->few = s->n.total, p->few_step = n_step, p->few_k = k_b;
    p->many = s->m.total, p->many_step = m_step, p->many_k = k_a;
  }
  if (p->batch == 0 || p->few == 0) return 0;
  p->dots = !(p->many_step == 1 && p->many > 1);
  if (p->dots && p->many_k != 1) return 0;
  p->copy_few = p->few_k != 1;
  if (p->copy_few && p->batch > 1) return 0;

  p->block = p->dots       ? kr_max(1, kr_min(SKINNY_BLOCK, SKINNY_WORK / p->k))
             : p->few == 1 ? 2 * SKINNY_BLOCK
                           : SKINNY_BLOCK;
  p->blocks = kr_ceil_div(p->many, p->block);
  p->chunks = 1;
  if (p->batch == 1 && p->blocks < SKINNY_CHUNKS / 2)
    p->chunks = kr_max(1, kr_min(SKINNY_CHUNKS, p->k * kr_min(p->block, p->many) / SKINNY_WORK));
  p->chunk = kr_round_up(kr_ceil_div(p->k, p->chunks), 64);
  p->chunks = kr_ceil_div(p->k, p->chunk);
  p->group = p->blocks * p->chunks > 1 ? 1 : kr_max(1, SKINNY_WORK / (p->many * p->k));
  return 1;
}

#endif
