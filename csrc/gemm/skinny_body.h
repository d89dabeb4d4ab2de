/* Products of a few vectors with a matrix, for one real type; see skinny.h. */

typedef struct {
  skinny_plan p;
  const product_shape *s;
  const real *few, *many, *bias;
  real *y, *partial; /* partial (chunk, few, many) */
  int64_t few_step;  /* between the vectors, in which k runs along memory */
  int relu;
} KR_FN(skinny_job);

/* The dot products, but for the lanes, of x[r] and as many rows, a constant, `ld` apart: to part[r * V_LANES] and the
 * following.  Four accumulators for each. */
KR_INLINE void KR_FN(dots)(const int few, const int rows, const real *x, int64_t step, const real *row, int64_t ld,
                           int64_t k, vreal *part) {
  vreal acc[2][SKINNY_FEW][4];
#pragma GCC unroll 4
  for (int q = 0; q < rows; ++q)
#pragma GCC unroll 4
    for (int r = 0; r < few; ++r)
#pragma GCC unroll 4
      for (int u = 0; u < 4; ++u) acc[q][r][u] = v_zero();
  int64_t i = 0;
  for (; i + 4 * V_LANES <= k; i += 4 * V_LANES)
#pragma GCC unroll 4
    for (int u = 0; u < 4; ++u)
#pragma GCC unroll 4
      for (int q = 0; q < rows; ++q) {
        const vreal v = v_load(row + q * ld + i + u * V_LANES);
#pragma GCC unroll 4
        for (int r = 0; r < few; ++r) acc[q][r][u] = v_fma(v_load(x + r * step + i + u * V_LANES), v, acc[q][r][u]);
      }
  for (; i + V_LANES <= k; i += V_LANES)
#pragma GCC unroll 4
    for (int q = 0; q < rows; ++q) {
      const vreal v = v_load(row + q * ld + i);
#pragma GCC unroll 4
      for (int r = 0; r < few; ++r) acc[q][r][0] = v_fma(v_load(x + r * step + i), v, acc[q][r][0]);
    }
  if (i < k)
#pragma GCC unroll 4
    for (int q = 0; q < rows; ++q) {
      const vreal v = v_load_n(row + q * ld + i, k - i);
#pragma GCC unroll 4
      for (int r = 0; r < few; ++r) acc[q][r][0] = v_fma(v_load_n(x + r * step + i, k - i), v, acc[q][r][0]);
    }
#pragma GCC unroll 4
  for (int q = 0; q < rows; ++q)
#pragma GCC unroll 4
    for (int r = 0; r < few; ++r) {
      const vreal *a = acc[q][r];
      part[r * V_LANES + q] = v_add(v_add(a[0], a[1]), v_add(a[2], a[3]));
    }
}

/* sum[r * SKINNY_BLOCK + i] = dot product of x[r] and row i of count.  Two rows at a time share the loads of one vector; the
 * lanes of as many as a vector has meet at once, in a fixed order. */
KR_INLINE void KR_FN(dot_rows)(const int few, const real *x, int64_t step, const real *rows, int64_t ld, int64_t k,
                               int64_t count, real *sum) {
  vreal part[SKINNY_FEW * V_LANES];
  for (int64_t i = 0; i < count; i += V_LANES, rows += V_LANES * ld) {
    const int64_t m = kr_min(V_LANES, count - i);
    int64_t q = 0;
    if (few == 1)
      for (; q + 2 <= m; q += 2) KR_FN(dots)(few, 2, x, step, rows + q * ld, ld, k, part + q);
    for (; q < m; ++q) KR_FN(dots)(few, 1, x, step, rows + q * ld, ld, k, part + q);
    for (int r = 0; r < few; ++r) {
      for (q = m; q < V_LANES; ++q) part[r * V_LANES + q] = v_zero();
      v_store(sum + r * SKINNY_BLOCK + i, v_hsums(part + r * V_LANES));
    }
  }
}

/* One vector of sum[r] += x[r][u] * rows[u] over u < `rows`. */
KR_INLINE void KR_FN(add_rows_at)(const int few, const int rows, vreal by[SKINNY_FEW][SKINNY_ROWS], const real *at,
                                  int64_t ld, real *sum, int64_t lanes, const int whole) {
  vreal v[SKINNY_ROWS];
#pragma GCC unroll 8
  for (int u = 0; u < rows; ++u) v[u] = whole ? v_load(at + u * ld) : v_load_n(at + u * ld, lanes);
#pragma GCC unroll 4
  for (int r = 0; r < few; ++r) {
    vreal acc = v_load(sum + r * SKINNY_BLOCK);
#pragma GCC unroll 8
    for (int u = 0; u < rows; ++u) acc = v_fma(by[r][u], v[u], acc);
    v_store(sum + r * SKINNY_BLOCK, acc);
  }
}

/* sum[r][0, count) += x[r][p] * rows[p] over a constant number of rows, `ld` apart. */
KR_INLINE void KR_FN(add_rows)(const int few, const int rows, const real *x, int64_t step, const real *from, int64_t ld,
                               int64_t count, real *sum) {
  vreal by[SKINNY_FEW][SKINNY_ROWS];
#pragma GCC unroll 4
  for (int r = 0; r < few; ++r)
#pragma GCC unroll 8
    for (int u = 0; u < rows; ++u) by[r][u] = v_set1(x[r * step + u]);
  int64_t i = 0;
  for (; i + V_LANES <= count; i += V_LANES) KR_FN(add_rows_at)(few, rows, by, from + i, ld, sum + i, V_LANES, 1);
  if (i < count) KR_FN(add_rows_at)(few, rows, by, from + i, ld, sum + i, count - i, 0);
}

KR_INLINE void KR_FN(sum_rows)(const int few, const real *x, int64_t step, const real *rows, int64_t ld, int64_t k,
                               int64_t count, real *sum) {
  int64_t p = 0;
  if (few == 1)
    for (; p + SKINNY_ROWS <= k; p += SKINNY_ROWS)
      KR_FN(add_rows)(few, SKINNY_ROWS, x + p, step, rows + p * ld, ld, count, sum);
  for (; p + 4 <= k; p += 4) KR_FN(add_rows)(few, 4, x + p, step, rows + p * ld, ld, count, sum);
  for (; p < k; ++p) KR_FN(add_rows)(few, 1, x + p, step, rows + p * ld, ld, count, sum);
}

/* Calls f with the number of vectors as a constant. */
#define FOR_FEW(few, f, ...)                    \
  switch (few) {                                \
    case 1: KR_FN(f)(1, __VA_ARGS__); break;    \
    case 2: KR_FN(f)(2, __VA_ARGS__); break;    \
    case 3: KR_FN(f)(3, __VA_ARGS__); break;    \
    default: KR_FN(f)(SKINNY_FEW, __VA_ARGS__); \
  }

/* Puts the sums of outputs (r, i0) to (r, i0 + count) where they belong, by way of `sum` itself. */
static void KR_FN(put)(const KR_FN(skinny_job) * j, real *y, int64_t r, int64_t i0, int64_t count, real *sum) {
  const skinny_plan *p = &j->p;
  if (j->bias)
    for (int64_t i = 0; i < count; ++i) sum[i] += j->bias[p->few_rows ? i0 + i : r];
  if (j->relu)
    for (int64_t i = 0; i < count; ++i) sum[i] = sum[i] < 0 ? 0 : sum[i];
  if (p->few_rows) memcpy(y + r * p->many + i0, sum, (size_t)count * sizeof(real));
  else
    for (int64_t i = 0; i < count; ++i) y[(i0 + i) * p->few + r] = sum[i];
}

static void KR_FN(skinny_piece)(const KR_FN(skinny_job) * j, int64_t batch, int64_t block, int64_t chunk) {
  const skinny_plan *p = &j->p;
  const int64_t i0 = block * p->block, count = kr_min(p->block, p->many - i0);
  const int64_t k0 = chunk * p->chunk, kc = kr_min(p->chunk, p->k - k0);
  const dims *b = &j->s->batch;
  const real *few = j->few + offset_at(b, p->few_rows ? b->a : b->b, batch) + k0;
  const real *many = j->many + offset_at(b, p->few_rows ? b->b : b->a, batch) + i0 * p->many_step + k0 * p->many_k;
  real *y = j->y + batch * p->few * p->many, *part = j->partial + chunk * p->few * p->many;
  KR_ALIGNED real sum[SKINNY_FEW * SKINNY_BLOCK];
  if (p->dots) {
    FOR_FEW(p->few, dot_rows, few, j->few_step, many, p->many_step, kc, count, sum)
  } else {
    const int64_t whole = kr_round_up(count, V_LANES); /* sums are read and written by vectors */
    for (int64_t r = 0; r < p->few; ++r) memset(sum + r * SKINNY_BLOCK, 0, (size_t)whole * sizeof(real));
    FOR_FEW(p->few, sum_rows, few, j->few_step, many, p->many_k, kc, count, sum)
  }
  for (int64_t r = 0; r < p->few; ++r)
    if (p->chunks > 1) memcpy(part + r * p->many + i0, sum + r * SKINNY_BLOCK, (size_t)count * sizeof(real));
    else KR_FN(put)(j, y, r, i0, count, sum + r * SKINNY_BLOCK);
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
    for (int64_t i0 = 0; i0 < p->many; i0 += SKINNY_BLOCK) {
      const int64_t count = kr_min(SKINNY_BLOCK, p->many - i0);
      const real *part = j.partial + r * p->many + i0;
      real sum[SKINNY_BLOCK];
      memset(sum, 0, (size_t)count * sizeof(real));
      for (int64_t q = 0; q < p->chunks; ++q, part += p->few * p->many)
        for (int64_t i = 0; i < count; ++i) sum[i] += part[i];
      KR_FN(put)(&j, j.y, r, i0, count, sum);
    }
}
