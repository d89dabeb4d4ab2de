/* Layer and RMS normalisation of rows of a few whole vectors, which stay in registers, for one width of real; included
 * by layer_norm_body.h.  nv is a constant.  The gradient also keeps its sums over the rows of a chunk there. */

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

/* x becomes x - mean (or stays); gives 1 / sqrt(mean of its square + eps). */
KR_INLINE real KR_FN(centre)(vreal *x, int nv, double eps, int centred) {
  const real n = (real)(nv * V_LANES);
  if (centred) {
    const vreal mean = v_set1(v_hsum(KR_FN(tree)(x, nv)) / n);
#pragma GCC unroll 8
    for (int k = 0; k < nv; ++k) x[k] = v_sub(x[k], mean);
  }
  vreal squares[8];
#pragma GCC unroll 8
  for (int k = 0; k < nv; ++k) squares[k] = v_mul(x[k], x[k]);
  return (real)(1 / sqrt((double)v_hsum(KR_FN(tree)(squares, nv)) / (double)n + eps));
}

KR_INLINE void KR_FN(forward_short)(const KR_FN(line_job) * j, int64_t from, int64_t to, int nv) {
  for (int64_t row = from; row < to; ++row) {
    vreal x[8];
#pragma GCC unroll 8
    for (int k = 0; k < nv; ++k) x[k] = v_load(j->x + (row * nv + k) * V_LANES);
    const vreal r = v_set1(KR_FN(centre)(x, nv, j->eps, j->centred));
#pragma GCC unroll 8
    for (int k = 0; k < nv; ++k) {
      const vreal y = v_mul(v_mul(x[k], r), v_load(j->gamma + k * V_LANES));
      v_store(j->y + (row * nv + k) * V_LANES, j->beta ? v_add(y, v_load(j->beta + k * V_LANES)) : y);
    }
  }
}

/* Rows of one chunk; sums: of g xhat and of g. */
KR_INLINE void KR_FN(backward_short)(const KR_FN(line_job) * j, int64_t from, int64_t to, real *sums, int nv) {
  const real n = (real)(nv * V_LANES);
  vreal dgamma[8], dbeta[8];
#pragma GCC unroll 8
  for (int k = 0; k < nv; ++k) dgamma[k] = dbeta[k] = v_zero();
  for (int64_t row = from; row < to; ++row) {
    vreal x[8], u[8], ux[8];
#pragma GCC unroll 8
    for (int k = 0; k < nv; ++k) x[k] = v_load(j->x + (row * nv + k) * V_LANES);
    const vreal r = v_set1(KR_FN(centre)(x, nv, j->eps, j->centred));
#pragma GCC unroll 8
    for (int k = 0; k < nv; ++k) {
      const vreal g = v_load(j->g + (row * nv + k) * V_LANES);
      x[k] = v_mul(x[k], r);
      u[k] = v_mul(g, v_load(j->gamma + k * V_LANES));
      ux[k] = v_mul(u[k], x[k]);
      dgamma[k] = v_fma(g, x[k], dgamma[k]);
      dbeta[k] = v_add(dbeta[k], g);
    }
    const vreal mean_u = v_set1(j->centred ? v_hsum(KR_FN(tree)(u, nv)) / n : 0);
    const vreal mean_ux = v_set1(v_hsum(KR_FN(tree)(ux, nv)) / n);
#pragma GCC unroll 8
    for (int k = 0; k < nv; ++k)
      v_store(j->y + (row * nv + k) * V_LANES, v_mul(r, v_sub(v_sub(u[k], mean_u), v_mul(x[k], mean_ux))));
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
