/* Packers for plain matrices, for the callbacks of gemm/core.h; include it after base/real.h, once for each type. */

/* dst[p * width + i] = src[p * ld + i], zero from count to width: the panel's index is contiguous in memory. */
KR_UNUSED static void KR_FN(pack_copy)(const real *src, int64_t ld, int64_t count, int64_t width, int64_t kc,
                                       real *dst) {
  for (int64_t p = 0; p < kc; ++p, src += ld, dst += width) {
    int64_t i = 0;
    for (; i + V_LANES <= count; i += V_LANES) v_store(dst + i, v_load(src + i));
    for (; i < width; i += V_LANES) {
      vreal v = i < count ? v_load_n(src + i, count - i) : v_zero();
      v_store_n(dst + i, v, kr_min(width - i, V_LANES));
    }
  }
}

/* dst[p * width + i] = src[at[i] + p * step], zero from count to width: elements from anywhere. */
KR_UNUSED static void KR_FN(pack_gather)(const real *src, const int64_t *at, int64_t step, int64_t count, int64_t width,
                                         int64_t kc, real *dst) {
  for (int64_t p = 0; p < kc; ++p, src += step, dst += width) {
    for (int64_t i = 0; i < count; ++i) dst[i] = src[at[i]];
    for (int64_t i = count; i < width; ++i) dst[i] = 0;
  }
}

/* dst[p * width + i] = src[i * ld + p], zero from count to width: k is contiguous in memory. */
KR_UNUSED static void KR_FN(pack_transpose)(const real *src, int64_t ld, int64_t count, int64_t width, int64_t kc,
                                            real *dst) {
  int64_t at[GEMM_MAX_NR];
  for (int64_t i = 0; i < count; ++i) at[i] = i * ld;
  KR_FN(pack_gather)(src, at, 1, count, width, kc, dst);
}
