/* Layer and RMS normalisation of rows of up to eight vectors, for one width of real; included by layer_norm_body.h.  nv, a
 * constant, is how many; so is `part`, which says that the last one may be a part of a vector.
 *
 * As many rows as a vector has lanes go together: their sums are taken across lanes at once, and what follows from a sum
 * is computed for all of them side by side.  Rows are read again for each step; they stay in L1.  The next ones are
 * fetched by the steps that do not store, since what is stored is fetched, too.  A step waits for what follows from the
 * sums of the one before, so a step of the next rows goes in between; but not for rows of more than four vectors that come
 * from memory, which are faster in order. */

/* Vector k of a row at p, with zeros past its end. */
#define SHORT_LEFT(n, k) (part && (k) == nv - 1 ? (n) - (k) * V_LANES : V_LANES)
#define SHORT_GET(p, n, k) \
  (part && (k) == nv - 1 ? v_load_n((p) + (k) * V_LANES, SHORT_LEFT(n, k)) : v_load((p) + (k) * V_LANES))
#define SHORT_PUT(p, n, k, v)                                                       \
  do {                                                                              \
    if (part && (k) == nv - 1) v_store_n((p) + (k) * V_LANES, v, SHORT_LEFT(n, k)); \
    else v_store((p) + (k) * V_LANES, v);                                           \
  } while (0)
/* The line where vector k of the same row of the next group begins. */
#define SHORT_FETCH(p, n, k)                                                                \
  if ((k) % (64 / (int)sizeof(real) / V_LANES ? 64 / (int)sizeof(real) / V_LANES : 1) == 0) \
  __builtin_prefetch((p) + (n) * V_LANES + (k) * V_LANES)

KR_INLINE vreal KR_FN(tree)(const vreal *v, int nv) {
  vreal s[8];
#pragma GCC unroll 8
  for (int k = 0; k < nv; ++k) s[k] = v[k];
#pragma GCC unroll 4
  for (int left = nv; left > 1; left = (left + 1) / 2)
#pragma GCC unroll 4
    for (int k = 0; k < left / 2; ++k) s[k] = v_add(s[k], s[k + (left + 1) / 2]);
  return s[0];
}

/* x - mean, and 0 past the end of a row. */
KR_INLINE vreal KR_FN(short_apart)(const real *x, vreal mean, int64_t n, int k, int nv, int part) {
  return KR_FN(keep)(v_sub(SHORT_GET(x, n, k), mean), SHORT_LEFT(n, k));
}

/* The means of m rows at x, 0 where they are not centred. */
KR_INLINE void KR_FN(short_means)(const KR_FN(line_job) * j, const real *x, int64_t m, int nv, int part, real *mean) {
  const int64_t n = part ? j->s.n : nv * V_LANES;
  vreal row[8], sums[V_LANES];
  for (int64_t l = m; l < V_LANES; ++l) sums[l] = v_zero();
  v_store(mean, v_zero());
  if (j->centred) {
    for (int64_t l = 0; l < m; ++l) {
#pragma GCC unroll 8
      for (int k = 0; k < nv; ++k) row[k] = SHORT_GET(x + l * n, n, k);
      sums[l] = KR_FN(tree)(row, nv);
    }
    v_store(mean, v_div(v_hsums(sums), v_set1((real)n)));
  }
}

/* 1 / sqrt(mean of (x - mean)^2 + eps) of the same rows. */
KR_INLINE void KR_FN(short_scales)(const KR_FN(line_job) * j, const real *x, int64_t m, int nv, int part,
                                   const real *mean, real *r) {
  const int64_t n = part ? j->s.n : nv * V_LANES;
  vreal row[8], sums[V_LANES];
  for (int64_t l = m; l < V_LANES; ++l) sums[l] = v_zero();
  for (int64_t l = 0; l < m; ++l) {
    const vreal mu = v_set1(mean[l]);
#pragma GCC unroll 8
    for (int k = 0; k < nv; ++k) {
      const vreal d = KR_FN(short_apart)(x + l * n, mu, n, k, nv, part);
      row[k] = v_mul(d, d);
      SHORT_FETCH(x + l * n, n, k);
    }
    sums[l] = KR_FN(tree)(row, nv);
  }
  const vreal var = v_div(v_hsums(sums), v_set1((real)n));
  v_store(r, v_div(v_set1(1), v_sqrt(v_add(var, v_set1((real)j->eps)))));
}

/* y of m rows from number `row` on. */
KR_INLINE void KR_FN(short_write)(const KR_FN(line_job) * j, int64_t row, int64_t m, int nv, int part, const real *mean,
                                  const real *r, const vreal *gamma, const vreal *beta) {
  const int64_t n = part ? j->s.n : nv * V_LANES;
  const real *x = j->x + row * n;
  real *y = j->y + row * n;
  for (int64_t l = 0; l < m; ++l, x += n, y += n) {
    const vreal mu = v_set1(mean[l]), vr = v_set1(r[l]);
#pragma GCC unroll 8
    for (int k = 0; k < nv; ++k) SHORT_PUT(y, n, k, v_fma(v_mul(v_sub(SHORT_GET(x, n, k), mu), vr), gamma[k], beta[k]));
  }
}

KR_INLINE void KR_FN(forward_short)(const KR_FN(line_job) * j, int64_t from, int64_t to, int nv, int part) {
  const int64_t n = part ? j->s.n : nv * V_LANES;
  const int between = nv <= 4 || j->near;
  KR_ALIGNED real means[2][V_LANES], r[V_LANES];
  vreal gamma[8], beta[8];
#pragma GCC unroll 8
  for (int k = 0; k < nv; ++k) {
    gamma[k] = SHORT_GET(j->gamma, n, k);
    beta[k] = j->beta ? SHORT_GET(j->beta, n, k) : v_zero();
  }
  int64_t row = from, m = kr_min(V_LANES, to - row), turn = 0;
  if (m > 0) KR_FN(short_means)(j, j->x + row * n, m, nv, part, means[0]);
  /* Loops over the rows of a group, as long as those over the vectors of a row, are constant where a row is one vector. */
  if (nv == 1)
    for (; row + 2 * V_LANES <= to; row += V_LANES, turn ^= 1) {
      KR_FN(short_scales)(j, j->x + row * n, V_LANES, nv, part, means[turn], r);
      KR_FN(short_means)(j, j->x + (row + V_LANES) * n, V_LANES, nv, part, means[turn ^ 1]);
      KR_FN(short_write)(j, row, V_LANES, nv, part, means[turn], r, gamma, beta);
    }
  for (; (m = kr_min(V_LANES, to - row)) > 0; row += V_LANES, turn ^= 1) {
    const int64_t follow = kr_min(V_LANES, to - row - V_LANES);
    KR_FN(short_scales)(j, j->x + row * n, m, nv, part, means[turn], r);
    if (between && follow > 0) KR_FN(short_means)(j, j->x + (row + V_LANES) * n, follow, nv, part, means[turn ^ 1]);
    KR_FN(short_write)(j, row, m, nv, part, means[turn], r, gamma, beta);
    if (!between && follow > 0) KR_FN(short_means)(j, j->x + (row + V_LANES) * n, follow, nv, part, means[turn ^ 1]);
  }
}

/* Rows of one chunk; sums: of g xhat and of g. */
KR_INLINE void KR_FN(backward_short)(const KR_FN(line_job) * j, int64_t from, int64_t to, real *sums, int nv,
                                     int part) {
  const int64_t n = part ? j->s.n : nv * V_LANES;
  const int between = nv <= 4;
  const vreal count = v_set1((real)n);
  KR_ALIGNED real means[2][V_LANES], rs[2][V_LANES], by_x[V_LANES], shift[V_LANES];
  vreal dgamma[8], dbeta[8], gamma[8];
#pragma GCC unroll 8
  for (int k = 0; k < nv; ++k) {
    dgamma[k] = dbeta[k] = v_zero();
    gamma[k] = SHORT_GET(j->gamma, n, k);
  }
  if (between && from < to) {
    KR_FN(short_means)(j, j->x + from * n, kr_min(V_LANES, to - from), nv, part, means[0]);
    KR_FN(short_scales)(j, j->x + from * n, kr_min(V_LANES, to - from), nv, part, means[0], rs[0]);
  }
  for (int64_t row = from, turn = 0; row < to; row += V_LANES, turn ^= between) {
    const int64_t m = kr_min(V_LANES, to - row), next = row + V_LANES, follow = kr_min(V_LANES, to - next);
    real *mean = means[turn], *r = rs[turn];
    vreal u[8], ux[8], part_u[V_LANES], part_ux[V_LANES];
    if (!between) {
      KR_FN(short_means)(j, j->x + row * n, m, nv, part, mean);
      KR_FN(short_scales)(j, j->x + row * n, m, nv, part, mean, r);
    }
    for (int64_t l = m; l < V_LANES; ++l) part_u[l] = part_ux[l] = v_zero();
    for (int64_t l = 0; l < m; ++l) {
      const real *x = j->x + (row + l) * n, *g = j->g + (row + l) * n;
      const vreal mu = v_set1(mean[l]), vr = v_set1(r[l]);
#pragma GCC unroll 8
      for (int k = 0; k < nv; ++k) {
        const vreal gk = SHORT_GET(g, n, k), xhat = v_mul(KR_FN(short_apart)(x, mu, n, k, nv, part), vr);
        u[k] = v_mul(gk, gamma[k]);
        ux[k] = v_mul(u[k], xhat);
        dgamma[k] = v_fma(gk, xhat, dgamma[k]);
        dbeta[k] = v_add(dbeta[k], gk);
        SHORT_FETCH(g, n, k);
      }
      part_u[l] = KR_FN(tree)(u, nv);
      part_ux[l] = KR_FN(tree)(ux, nv);
    }
    /* dx = r u - r mean(u) - r^2 mean(u xhat) (x - mean) */
    const vreal vr = v_load(r), scale = v_neg(v_div(vr, count));
    v_store(shift, j->centred ? v_mul(scale, v_hsums(part_u)) : v_zero());
    v_store(by_x, v_mul(v_mul(scale, vr), v_hsums(part_ux)));
    if (between && follow > 0) KR_FN(short_means)(j, j->x + next * n, follow, nv, part, means[turn ^ 1]);
    for (int64_t l = 0; l < m; ++l) {
      const real *x = j->x + (row + l) * n, *g = j->g + (row + l) * n;
      real *dx = j->y + (row + l) * n;
      const vreal mu = v_set1(mean[l]), by_u = v_set1(r[l]), by_d = v_set1(by_x[l]), rest = v_set1(shift[l]);
#pragma GCC unroll 8
      for (int k = 0; k < nv; ++k) {
        const vreal d = v_sub(SHORT_GET(x, n, k), mu), uk = v_mul(SHORT_GET(g, n, k), gamma[k]);
        SHORT_PUT(dx, n, k, v_fma(d, by_d, v_fma(uk, by_u, rest)));
      }
    }
    if (between && follow > 0) KR_FN(short_scales)(j, j->x + next * n, follow, nv, part, means[turn ^ 1], rs[turn ^ 1]);
  }
#pragma GCC unroll 8
  for (int k = 0; k < nv; ++k) {
    SHORT_PUT(sums, n, k, dgamma[k]);
    SHORT_PUT(sums + n, n, k, dbeta[k]);
  }
}
#undef SHORT_LEFT
#undef SHORT_GET
#undef SHORT_PUT
#undef SHORT_FETCH

/* Calls f with the number of vectors as a constant; says whether rows of n elements have such a form.  The gradient of a
 * row of one element is 0 to the bit elsewhere, here up to a rounding. */
#define SHORT_ROW(f, ...)                                         \
  (n == V_LANES                ? (KR_FN(f)(__VA_ARGS__, 1, 0), 1) \
   : n == 2 * V_LANES          ? (KR_FN(f)(__VA_ARGS__, 2, 0), 1) \
   : n == 4 * V_LANES          ? (KR_FN(f)(__VA_ARGS__, 4, 0), 1) \
   : n == 8 * V_LANES          ? (KR_FN(f)(__VA_ARGS__, 8, 0), 1) \
   : n > 8 * V_LANES || n == 1 ? 0                                \
   : n > 7 * V_LANES           ? (KR_FN(f)(__VA_ARGS__, 8, 1), 1) \
   : n > 6 * V_LANES           ? (KR_FN(f)(__VA_ARGS__, 7, 1), 1) \
   : n > 5 * V_LANES           ? (KR_FN(f)(__VA_ARGS__, 6, 1), 1) \
   : n > 4 * V_LANES           ? (KR_FN(f)(__VA_ARGS__, 5, 1), 1) \
   : n > 3 * V_LANES           ? (KR_FN(f)(__VA_ARGS__, 4, 1), 1) \
   : n > 2 * V_LANES           ? (KR_FN(f)(__VA_ARGS__, 3, 1), 1) \
   : n > V_LANES               ? (KR_FN(f)(__VA_ARGS__, 2, 1), 1) \
                               : (KR_FN(f)(__VA_ARGS__, 1, 1), 1))
