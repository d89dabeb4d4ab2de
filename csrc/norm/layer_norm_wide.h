/* Layer and RMS normalisation of rows of more than eight vectors of which several stay in L1, for one width of real;
 * included by layer_norm_body.h.
 *
 * As many rows as a vector has lanes go together, as in layer_norm_short.h: a row alone would wait for its sums, for what
 * follows from them and for the rows' ends.  The last steps go by WIDE_BLOCK columns, so that weights, and sums of
 * gradients to them, stay in registers for all the rows. */

enum { KR_FN(WIDE_BLOCK) = 4 * V_LANES };

/* Vector at q of a row at p, with zeros past its end. */
KR_INLINE vreal KR_FN(wide_get)(const real *p, int64_t q, int64_t n, const int part) {
  return part ? v_load_n(p + q, n - q) : v_load(p + q);
}

KR_INLINE void KR_FN(wide_put)(real *p, int64_t q, int64_t n, const int part, vreal v) {
  if (part) v_store_n(p + q, v, n - q);
  else v_store(p + q, v);
}

/* Rows of a group, of each element of which so many bytes are to stay in L1; fewer than two: none. */
static int64_t KR_FN(wide_group)(int64_t n, int64_t bytes) {
  return V_LANES > 1 && n > 8 * V_LANES && n <= WIDE_MOST * V_LANES ? kr_min(V_LANES, WIDE_NEAR / (n * bytes)) : 0;
}

/* Brings the columns of a block near of the same row of the next group, `ahead` elements on. */
KR_INLINE void KR_FN(wide_fetch)(const real *p, int64_t ahead) {
  for (int k = 0; k < KR_FN(WIDE_BLOCK); k += 64 / (int)sizeof(real)) __builtin_prefetch(p + ahead + k);
}

/* Sums of a row by lanes: of x, or of (x - mean)^2. */
KR_INLINE vreal KR_FN(wide_sum)(const real *x, int64_t n, int64_t ahead, const int squares, vreal mean) {
  vreal sum[4] = {v_zero(), v_zero(), v_zero(), v_zero()};
  int64_t q = 0;
  for (; q + KR_FN(WIDE_BLOCK) <= n; q += KR_FN(WIDE_BLOCK)) {
    if (squares) KR_FN(wide_fetch)(x + q, ahead);
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
      const vreal v = v_load(x + q + k * V_LANES), d = v_sub(v, mean);
      sum[k] = squares ? v_fma(d, d, sum[k]) : v_add(sum[k], v);
    }
  }
  for (; q < n; q += V_LANES) {
    const vreal v = KR_FN(ld)(x + q, n - q), d = KR_FN(keep)(v_sub(v, mean), n - q);
    sum[0] = squares ? v_fma(d, d, sum[0]) : v_add(sum[0], v);
  }
  return v_add(v_add(sum[0], sum[1]), v_add(sum[2], sum[3]));
}

/* Of m rows at x: their means, 0 where they are not centred, and 1 / sqrt(mean of (x - mean)^2 + eps). */
static void KR_FN(wide_stats)(const KR_FN(line_job) * j, const real *x, int64_t m, real *mean, real *r) {
  const int64_t n = j->s.n;
  const vreal count = v_set1((real)n);
  vreal sums[V_LANES];
  for (int64_t l = m; l < V_LANES; ++l) sums[l] = v_zero();
  v_store(mean, v_zero());
  if (j->centred) {
    for (int64_t l = 0; l < m; ++l) sums[l] = KR_FN(wide_sum)(x + l * n, n, 0, 0, v_zero());
    v_store(mean, v_div(v_hsums(sums), count));
  }
  for (int64_t l = 0; l < m; ++l) sums[l] = KR_FN(wide_sum)(x + l * n, n, m * n, 1, v_set1(mean[l]));
  v_store(r, v_div(v_set1(1), v_sqrt(v_add(v_div(v_hsums(sums), count), v_set1((real)j->eps)))));
}

/* `nv` vectors of columns from q on of m rows. */
KR_INLINE void KR_FN(wide_forward_block)(const KR_FN(line_job) * j, const real *x, real *y, int64_t m, int64_t q,
                                         const int nv, const int part, const real *mean, const real *r) {
  const int64_t n = j->s.n;
  vreal gamma[4], beta[4];
#pragma GCC unroll 4
  for (int k = 0; k < nv; ++k) {
    gamma[k] = KR_FN(wide_get)(j->gamma, q + k * V_LANES, n, part);
    beta[k] = j->beta ? KR_FN(wide_get)(j->beta, q + k * V_LANES, n, part) : v_zero();
  }
  for (int64_t l = 0; l < m; ++l, x += n, y += n) {
    const vreal mu = v_set1(mean[l]), vr = v_set1(r[l]);
#pragma GCC unroll 4
    for (int k = 0; k < nv; ++k) {
      const vreal d = v_sub(KR_FN(wide_get)(x, q + k * V_LANES, n, part), mu);
      KR_FN(wide_put)(y, q + k * V_LANES, n, part, v_fma(v_mul(d, vr), gamma[k], beta[k]));
    }
  }
}

static void KR_FN(forward_wide)(const KR_FN(line_job) * j, int64_t from, int64_t to, int64_t group) {
  const int64_t n = j->s.n;
  KR_ALIGNED real mean[V_LANES], r[V_LANES];
  for (int64_t row = from; row < to; row += group) {
    const int64_t m = kr_min(group, to - row);
    const real *x = j->x + row * n;
    real *y = j->y + row * n;
    KR_FN(wide_stats)(j, x, m, mean, r);
    int64_t q = 0;
    for (; q + KR_FN(WIDE_BLOCK) <= n; q += KR_FN(WIDE_BLOCK)) KR_FN(wide_forward_block)(j, x, y, m, q, 4, 0, mean, r);
    for (; q + V_LANES <= n; q += V_LANES) KR_FN(wide_forward_block)(j, x, y, m, q, 1, 0, mean, r);
    if (q < n) KR_FN(wide_forward_block)(j, x, y, m, q, 1, 1, mean, r);
  }
}

/* Sums of a row by lanes, of u = g gamma and of u (x - mean).  The columns of dx are brought near for the blocks. */
KR_INLINE void KR_FN(wide_products)(const KR_FN(line_job) * j, const real *x, const real *g, const real *dx,
                                    int64_t ahead, vreal mean, vreal *su, vreal *sux) {
  const int64_t n = j->s.n;
  vreal u[2] = {v_zero(), v_zero()}, ux[2] = {v_zero(), v_zero()};
  int64_t q = 0;
  for (; q + KR_FN(WIDE_BLOCK) <= n; q += KR_FN(WIDE_BLOCK)) {
    KR_FN(wide_fetch)(g + q, ahead);
    for (int k = 0; k < KR_FN(WIDE_BLOCK); k += 64 / (int)sizeof(real)) __builtin_prefetch(dx + q + k, 1);
#pragma GCC unroll 4
    for (int k = 0; k < 4; ++k) {
      const vreal v = v_mul(v_load(g + q + k * V_LANES), v_load(j->gamma + q + k * V_LANES));
      u[k % 2] = v_add(u[k % 2], v);
      ux[k % 2] = v_fma(v, v_sub(v_load(x + q + k * V_LANES), mean), ux[k % 2]);
    }
  }
  for (; q < n; q += V_LANES) {
    const vreal v = v_mul(KR_FN(ld)(g + q, n - q), KR_FN(ld)(j->gamma + q, n - q)); /* zero past the end */
    u[0] = v_add(u[0], v);
    ux[0] = v_fma(v, v_sub(KR_FN(ld)(x + q, n - q), mean), ux[0]);
  }
  *su = v_add(u[0], u[1]);
  *sux = v_add(ux[0], ux[1]);
}

typedef struct {
  KR_ALIGNED real mean[V_LANES], r[V_LANES], by_x[V_LANES], shift[V_LANES];
} KR_FN(wide_rows);

KR_INLINE void KR_FN(wide_backward_block)(const KR_FN(line_job) * j, const real *x, const real *g, real *dx, int64_t m,
                                          int64_t q, const int nv, const int part, const KR_FN(wide_rows) * of,
                                          real *sums) {
  const int64_t n = j->s.n;
  vreal dgamma[4], dbeta[4];
#pragma GCC unroll 4
  for (int k = 0; k < nv; ++k) {
    dgamma[k] = KR_FN(wide_get)(sums, q + k * V_LANES, n, part);
    dbeta[k] = KR_FN(wide_get)(sums + n, q + k * V_LANES, n, part);
  }
  for (int64_t l = 0; l < m; ++l, x += n, g += n, dx += n) {
    const vreal mu = v_set1(of->mean[l]), vr = v_set1(of->r[l]), by_d = v_set1(of->by_x[l]),
                rest = v_set1(of->shift[l]);
#pragma GCC unroll 4
    for (int k = 0; k < nv; ++k) {
      const int64_t at = q + k * V_LANES;
      const vreal d = v_sub(KR_FN(wide_get)(x, at, n, part), mu), gk = KR_FN(wide_get)(g, at, n, part);
      const vreal gr = v_mul(gk, vr);
      dgamma[k] = v_fma(gr, d, dgamma[k]);
      dbeta[k] = v_add(dbeta[k], gk);
      KR_FN(wide_put)(dx, at, n, part, v_fma(d, by_d, v_fma(gr, KR_FN(wide_get)(j->gamma, at, n, part), rest)));
    }
  }
#pragma GCC unroll 4
  for (int k = 0; k < nv; ++k) {
    KR_FN(wide_put)(sums, q + k * V_LANES, n, part, dgamma[k]);
    KR_FN(wide_put)(sums + n, q + k * V_LANES, n, part, dbeta[k]);
  }
}

/* Rows of one chunk; sums: of g xhat and of g. */
static void KR_FN(backward_wide)(const KR_FN(line_job) * j, int64_t from, int64_t to, int64_t group, real *sums) {
  const int64_t n = j->s.n;
  const vreal count = v_set1((real)n);
  KR_FN(wide_rows) of;
  memset(sums, 0, 2 * (size_t)n * sizeof(real));
  for (int64_t row = from; row < to; row += group) {
    const int64_t m = kr_min(group, to - row);
    const real *x = j->x + row * n, *g = j->g + row * n;
    real *dx = j->y + row * n;
    vreal su[V_LANES], sux[V_LANES];
    KR_FN(wide_stats)(j, x, m, of.mean, of.r);
    for (int64_t l = m; l < V_LANES; ++l) su[l] = sux[l] = v_zero();
    for (int64_t l = 0; l < m; ++l)
      KR_FN(wide_products)(j, x + l * n, g + l * n, dx + l * n, m * n, v_set1(of.mean[l]), &su[l], &sux[l]);
    /* dx = r u - r mean(u) - r^3 mean(u (x - mean)) (x - mean) */
    const vreal r = v_load(of.r), scale = v_neg(v_div(r, count));
    v_store(of.shift, j->centred ? v_mul(scale, v_hsums(su)) : v_zero());
    v_store(of.by_x, v_mul(v_mul(v_mul(scale, r), r), v_hsums(sux)));
    int64_t q = 0;
    for (; q + KR_FN(WIDE_BLOCK) <= n; q += KR_FN(WIDE_BLOCK))
      KR_FN(wide_backward_block)(j, x, g, dx, m, q, 4, 0, &of, sums);
    for (; q + V_LANES <= n; q += V_LANES) KR_FN(wide_backward_block)(j, x, g, dx, m, q, 1, 0, &of, sums);
    if (q < n) KR_FN(wide_backward_block)(j, x, g, dx, m, q, 1, 1, &of, sums);
  }
}
