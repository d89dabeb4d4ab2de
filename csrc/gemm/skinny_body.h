/* Products of a few vectors with a matrix, for one real type; see skinny.h. */

typedef struct {
  skinny_plan p;
  const product_shape *s;
  const real *few, *many, *bias;
  real *y, *partial; /* partial (chunk, few, many) */
  int64_t few_step;  /* between the vectors, in which k runs along memory */
  int relu;
} KR_FN(skinny_job);

/* sum[r] = dot product of x[r] and row; four accumulators for each vector, then in a fixed order across the lanes. */
KR_INLINE void KR_FN(dots)(const int few, const real *x, int64_t step, const real *row, int64_t k, real *sum) {
  vreal acc[SKINNY_FEW][4];
#pragma GCC unroll 4
  for (int r = 0; r < few; ++r)
#pragma GCC unroll 4
    for (int u = 0; u < 4; ++u) acc[r][u] = v_zero();
  int64_t i = 0;
  for (; i + 4 * V_LANES <= k; i += 4 * V_LANES)
#pragma GCC unroll 4
    for (int u = 0; u < 4; ++u) {
      const vreal v = v_load(row + i + u * V_LANES);
#pragma GCC unroll 4
      for (int r = 0; r < few; ++r) acc[r][u] = v_fma(v_load(x + r * step + i + u * V_LANES), v, acc[r][u]);
    }
  for (; i < k; i += V_LANES) {
    const int64_t lanes = kr_min(V_LANES, k - i);
    const vreal v = v_load_n(row + i, lanes);
#pragma GCC unroll 4
    for (int r = 0; r < few; ++r) acc[r][0] = v_fma(v_load_n(x + r * step + i, lanes), v, acc[r][0]);
  }
#pragma GCC unroll 4
  for (int r = 0; r < few; ++r) sum[r] = v_hsum(v_add(v_add(acc[r][0], acc[r][1]), v_add(acc[r][2], acc[r][3])));
}

/* sum[r][0, count) += x[r][p] * rows[p] over four rows, `ld` apart. */
KR_INLINE void KR_FN(four_rows)(const int few, const real *x, int64_t step, const real *rows, int64_t ld, int64_t count,
                                real *sum) {
  for (int64_t i = 0; i < count; i += V_LANES) {
    const int64_t lanes = kr_min(V_LANES, count - i);
    vreal v[4];
#pragma GCC unroll 4
    for (int u = 0; u < 4; ++u)
      v[u] = lanes == V_LANES ? v_load(rows + u * ld + i) : v_load_n(rows + u * ld + i, lanes);
#pragma GCC unroll 4
    for (int r = 0; r < few; ++r) {
      vreal acc = v_load(sum + r * SKINNY_BLOCK + i);
#pragma GCC unroll 4
      for (int u = 0; u < 4; ++u) acc = v_fma(v_set1(x[r * step + u]), v[u], acc);
      v_store(sum + r * SKINNY_BLOCK + i, acc);
    }
  }
}

KR_INLINE void KR_FN(sum_rows)(const int few, const real *x, int64_t step, const real *rows, int64_t ld, int64_t k,
                               int64_t count, real *sum) {
  int64_t p = 0;
  for (; p + 4 <= k; p += 4) KR_FN(four_rows)(few, x + p, step, rows + p * ld, ld, count, sum);
  for (; p < k; ++p)
    for (int r = 0; r < few; ++r)
      for (int64_t i = 0; i < count; i += V_LANES) {
        const vreal v = v_load_n(rows + p * ld + i, kr_min(V_LANES, count - i));
        real *to = sum + r * SKINNY_BLOCK + i;
        v_store(to, v_fma(v_set1(x[r * step + p]), v, v_load(to)));
      }
}

/* Calls f with the number of vectors as a constant. */
#define FOR_FEW(few, f, ...)                    \
  switch (few) {                                \
    case 1: KR_FN(f)(1, __VA_ARGS__); break;    \
    case 2: KR_FN(f)(2, __VA_ARGS__); break;    \
    case 3: KR_FN(f)(3, __VA_ARGS__); break;    \
    default: KR_FN(f)(SKINNY_FEW, __VA_ARGS__); \
  }

/* Puts the sum of output (r, i) where it belongs. */
KR_INLINE void KR_FN(put)(const KR_FN(skinny_job) * j, real *y, int64_t r, int64_t i, real sum) {
  const skinny_plan *p = &j->p;
  if (j->bias) sum += j->bias[p->few_rows ? i : r];
  if (j->relu && sum < 0) sum = 0;
  y[p->few_rows ? r * p->many + i : i * p->few + r] = sum;
}

static void KR_FN(skinny_piece)(const KR_FN(skinny_job) * j, int64_t batch, int64_t block, int64_t chunk) {
  const skinny_plan *p = &j->p;
  const int64_t i0 = block * p->block, count = kr_min(p->block, p->many - i0);
  const int64_t k0 = chunk * p->chunk, kc = kr_min(p->chunk, p->k - k0);
  const dims *b = &j->s->batch;
  const real *few = j->few + offset_at(b, p->few_rows ? b->a : b->b, batch) + k0;
  const real *many = j->many + offset_at(b, p->few_rows ? b->b : b->a, batch) + i0 * p->many_step + k0 * p->many_k;
  real *y = j->y + batch * p->few * p->many, *part = j->partial + chunk * p->few * p->many;
  if (p->dots) {
    for (int64_t i = 0; i < count; ++i) {
      real sum[SKINNY_FEW];
      FOR_FEW(p->few, dots, few, j->few_step, many + i * p->many_step, kc, sum)
      for (int64_t r = 0; r < p->few; ++r)
        if (p->chunks > 1) part[r * p->many + i0 + i] = sum[r];
        else KR_FN(put)(j, y, r, i0 + i, sum[r]);
    }
    return;
  }
  KR_ALIGNED real sum[SKINNY_FEW * SKINNY_BLOCK];
  memset(sum, 0, (size_t)(p->few * SKINNY_BLOCK) * sizeof(real));
  FOR_FEW(p->few, sum_rows, few, j->few_step, many, p->many_k, kc, count, sum)
  for (int64_t r = 0; r < p->few; ++r) {
    if (p->chunks > 1) memcpy(part + r * p->many + i0, sum + r * SKINNY_BLOCK, (size_t)count * sizeof(real));
    else
      for (int64_t i = 0; i < count; ++i) KR_FN(put)(j, y, r, i0 + i, sum[r * SKINNY_BLOCK + i]);
  }
}
#undef FOR_FEW

static void KR_FN(skinny_task)(void *arg, int64_t task, int worker) {
  const KR_FN(skinny_job) *j = arg;
  const skinny_plan *p = &j->p;
  const int64_t chunk = task % p->chunks, block = task / p->chunks % p->blocks, group = task / p->chunks / p->blocks;
  const int64_t last = kr_min((group + 1) * p->group, p->batch);
  (void)worker;
  for (int64_t batch = group * p->group; batch < last; ++batch) KR_FN(skinny_piece)(j, batch, block, chunk);
}

static size_t KR_FN(skinny_scratch)(const skinny_plan *p) {
  return sizeof(real) *
         (size_t)((p->copy_few ? p->few * p->k : 0) + (p->chunks > 1 ? p->chunks * p->few * p->many : 0));
}

static void KR_FN(skinny)(const kr_call *c, const product_shape *s, const skinny_plan *p, const real *bias, int relu) {
  KR_FN(skinny_job) j = {.p = *p, .s = s, .bias = bias, .y = c->out[0].data, .few_step = p->few_step, .relu = relu};
  j.few = c->in[p->few_rows ? 0 : 1].data;
  j.many = c->in[p->few_rows ? 1 : 0].data;
  j.partial = c->scratch;
  if (p->copy_few) {
    real *copy = c->scratch;
    for (int64_t r = 0; r < p->few; ++r)
      for (int64_t q = 0; q < p->k; ++q) copy[r * p->k + q] = j.few[r * p->few_step + q * p->few_k];
    j.few = copy;
    j.few_step = p->k;
    j.partial += p->few * p->k;
  }
  /* Little work is not worth waking anybody. */
  const int threads = p->batch * p->many * p->k < SKINNY_WORK ? 1 : c->threads;
  kr_parallel(threads, kr_ceil_div(p->batch, p->group) * p->blocks * p->chunks, KR_FN(skinny_task), &j);
  if (p->chunks == 1) return;
  for (int64_t r = 0; r < p->few; ++r)
    for (int64_t i = 0; i < p->many; ++i) {
      real sum = 0;
      for (int64_t q = 0; q < p->chunks; ++q) sum += j.partial[(q * p->few + r) * p->many + i];
      KR_FN(put)(&j, j.y, r, i, sum);
    }
}
