/* Layer and RMS normalisation of rows of a few whole vectors, for one width of real; included by layer_norm_body.h.  nv
 * is a constant.
 *
 * As many rows as a vector has lanes go together: their sums are taken across lanes at once, and what follows from a sum
 * is computed for all of them side by side.  Rows are read again for each step; they stay in L1. */

KR_INLINE vreal KR_FN(tree)(const vreal *v, int nv) {
  vreal s[8];
#pragma GCC unroll 8
  for (int k = 0; k < nv; ++k) s[k] = v[k];
#pragma GCC unroll 4
  for (int half = nv / 2; half > 0; half /= 2)
#pragma GCC unroll 4
    for (int k = 0; k < half; ++k) s[k] = v_add(s[k], s[k + half]);
  return s[0];
}

/* Of m rows at x: their means, 0 where they are not centred, and 1 / sqrt(mean of (x - mean)^2 + eps). */
KR_INLINE void KR_FN(short_stats)(const KR_FN(line_job) * j, const real *x, int64_t m, int nv, real *mean, real *r) {
  const vreal share = v_set1(1 / (real)(nv * V_LANES)); /* exact: a power of two */
  vreal row[8], part[V_LANES];
  for (int64_t l = m; l < V_LANES; ++l) part[l] = v_zero();
  v_store(mean, v_zero());
  if (j->centred) {
    for (int64_t l = 0; l < m; ++l) {
#pragma GCC unroll 8
      for (int k = 0; k < nv; ++k) row[k] = v_load(x + (l * nv + k) * V_LANES);
      part[l] = KR_FN(tree)(row, nv);
    }
    v_store(mean, v_mul(v_hsums(part), share));
  }
  for (int64_t l = 0; l < m; ++l) {
    const vreal mu = v_set1(mean[l]);
#pragma GCC unroll 8
    for (int k = 0; k < nv; ++k) {
      const vreal d = v_sub(v_load(x + (l * nv + k) * V_LANES), mu);
      row[k] = v_mul(d, d);
    }
    part[l] = KR_FN(tree)(row, nv);
  }
  const vreal var = v_mul(v_hsums(part), share);
  v_store(r, v_div(v_set1(1), v_sqrt(v_add(var, v_set1((real)j->eps)))));
}

KR_INLINE void KR_FN(forward_short)(const KR_FN(line_job) * j, int64_t from, int64_t to, int nv) {
  KR_ALIGNED real mean[V_LANES], r[V_LANES];
  vreal gamma[8], beta[8];
#pragma GCC unroll 8
  for (int k = 0; k < nv; ++k) {
    gamma[k] = v_load(j->gamma + k * V_LANES);
    beta[k] = j->beta ? v_load(j->beta + k * V_LANES) : v_zero();
  }
  for (int64_t row = from; row < to; row += V_LANES) {
    const int64_t m = kr_min(V_LANES, to - row), at = row * nv * V_LANES;
    KR_FN(short_stats)(j, j->x + at, m, nv, mean, r);
    for (int64_t l = 0; l < m; ++l) {
      const vreal mu = v_set1(mean[l]), vr = v_set1(r[l]);
#pragma GCC unroll 8
      for (int k = 0; k < nv; ++k) {
        const int64_t q = at + (l * nv + k) * V_LANES;
        v_store(j->y + q, v_fma(v_mul(v_sub(v_load(j->x + q), mu), vr), gamma[k], beta[k]));
      }
    }
  }
}

/* Rows of one chunk; sums: of g xhat and of g. */
KR_INLINE void KR_FN(backward_short)(const KR_FN(line_job) * j, int64_t from, int64_t to, real *sums, int nv) {
  const vreal share = v_set1(1 / (real)(nv * V_LANES));
  KR_ALIGNED real mean[V_LANES], r[V_LANES], by_x[V_LANES], shift[V_LANES];
  vreal dgamma[8], dbeta[8], gamma[8];
#pragma GCC unroll 8
  for (int k = 0; k < nv; ++k) {
    dgamma[k] = dbeta[k] = v_zero();
    gamma[k] = v_load(j->gamma + k * V_LANES);
  }
  for (int64_t row = from; row < to; row += V_LANES) {
    const int64_t m = kr_min(V_LANES, to - row), at = row * nv * V_LANES;
    vreal u[8], ux[8], part_u[V_LANES], part_ux[V_LANES];
    KR_FN(short_stats)(j, j->x + at, m, nv, mean, r);
    for (int64_t l = m; l < V_LANES; ++l) part_u[l] = part_ux[l] = v_zero();
    for (int64_t l = 0; l < m; ++l) {
      const vreal mu = v_set1(mean[l]), vr = v_set1(r[l]);
#pragma GCC unroll 8
      for (int k = 0; k < nv; ++k) {
        const int64_t q = at + (l * nv + k) * V_LANES;
        const vreal g = v_load(j->g + q), xhat = v_mul(v_sub(v_load(j->x + q), mu), vr);
        u[k] = v_mul(g, gamma[k]);
        ux[k] = v_mul(u[k], xhat);
        dgamma[k] = v_fma(g, xhat, dgamma[k]);
        dbeta[k] = v_add(dbeta[k], g);
      }
      part_u[l] = KR_FN(tree)(u, nv);
      part_ux[l] = KR_FN(tree)(ux, nv);
    }
    /* dx = r u - r mean(u) - r^2 mean(u xhat) (x - mean) */
    const vreal vr = v_load(r), scale = v_neg(v_mul(vr, share));
    v_store(shift, j->centred ? v_mul(scale, v_hsums(part_u)) : v_zero());
    v_store(by_x, v_mul(v_mul(scale, vr), v_hsums(part_ux)));
    for (int64_t l = 0; l < m; ++l) {
      const vreal mu = v_set1(mean[l]), by_u = v_set1(r[l]), by_d = v_set1(by_x[l]), rest = v_set1(shift[l]);
#pragma GCC unroll 8
      for (int k = 0; k < nv; ++k) {
        const int64_t q = at + (l * nv + k) * V_LANES;
        const vreal d = v_sub(v_load(j->x + q), mu), uq = v_mul(v_load(j->g + q), gamma[k]);
        v_store(j->y + q, v_fma(d, by_d, v_fma(uq, by_u, rest)));
      }
    }
  }
#pragma GCC unroll 8
  for (int k = 0; k < nv; ++k) {
    v_store(sums + k * V_LANES, dgamma[k]);
    v_store(sums + (nv + k) * V_LANES, dbeta[k]);
  }
}

/* Calls f with the number of vectors as a constant; says whether rows of n elements have such a form. */
#define SHORT_ROW(f, ...)                             \
  (n == V_LANES       ? (KR_FN(f)(__VA_ARGS__, 1), 1) \
   : n == 2 * V_LANES ? (KR_FN(f)(__VA_ARGS__, 2), 1) \
   : n == 4 * V_LANES ? (KR_FN(f)(__VA_ARGS__, 4), 1) \
   : n == 8 * V_LANES ? (KR_FN(f)(__VA_ARGS__, 8), 1) \
                      : 0)
