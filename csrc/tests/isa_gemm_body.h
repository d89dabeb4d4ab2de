/* isa_gemm.c for one real type. */

typedef struct {
  const real *a, *b;
  int64_t m, n, k;
} KR_FN(operands);

static void KR_FN(pack_a)(const void *ctx, int64_t batch, int64_t row, int64_t rows, int64_t k0, int64_t kc,
                          real *dst) {
  const KR_FN(operands) *o = ctx;
  CHECK(rows >= 1 && rows <= GEMM_MAX_MR && row >= 0 && row + rows <= o->m, "rows %d at %d", (int)rows, (int)row);
  CHECK(kc >= 1 && kc <= GEMM_MAX_KC && k0 % 16 == 0 && (kc % 16 == 0 || k0 + kc == o->k), "k %d at %d", (int)kc,
        (int)k0);
  for (int64_t p = 0; p < kc; ++p)
    for (int64_t r = 0; r < rows; ++r) dst[p * rows + r] = o->a[(batch * o->m + row + r) * o->k + k0 + p];
}

static void KR_FN(pack_b)(const void *ctx, int64_t batch, int64_t k0, int64_t kc, int64_t col, int64_t cols,
                          int64_t width, real *dst) {
  const KR_FN(operands) *o = ctx;
  CHECK(cols >= 1 && cols <= width && width <= GEMM_MAX_NR && col + cols <= o->n, "columns %d of %d at %d", (int)cols,
        (int)width, (int)col);
  KR_FN(pack_copy)(o->b + (batch * o->k + k0) * o->n + col, o->n, cols, width, kc, dst);
}

static double KR_FN(small)(uint64_t *state) { return (double)(int64_t)(check_random(state) % 17) - 8; }

/* Small integers, so that every order of the additions gives the same.  Batches are groups of columns of C, which has a
 * gap at the end of each row.  mode 0: plain, 1: bias and relu, 2: accumulate. */
static void KR_FN(check_product)(const int64_t shape[4], int mode) {
  const int64_t batch = shape[0], m = shape[1], n = shape[2], k = shape[3], ldc = batch * n + 3;
  uint64_t state = 7;
  real *a = malloc(sizeof(real) * (size_t)(batch * m * k + 1)), *b = malloc(sizeof(real) * (size_t)(batch * k * n + 1));
  real *c = malloc(sizeof(real) * (size_t)(m * ldc)), *bias = malloc(sizeof(real) * (size_t)(batch * n));
  for (int64_t i = 0; i < batch * m * k; ++i) a[i] = (real)KR_FN(small)(&state);
  for (int64_t i = 0; i < batch * k * n; ++i) b[i] = (real)KR_FN(small)(&state);
  for (int64_t i = 0; i < batch * n; ++i) bias[i] = (real)KR_FN(small)(&state);
  const KR_FN(operands) o = {a, b, m, n, k};
  const KR_FN(gemm_args) g = {.batch = batch,
                              .m = m,
                              .n = n,
                              .k = k,
                              .pack_a = KR_FN(pack_a),
                              .pack_b = KR_FN(pack_b),
                              .ctx = &o,
                              .c = c,
                              .ldc = ldc,
                              .c_batch = n,
                              .bias = mode == 1 ? bias : NULL,
                              .bias_batch = n,
                              .accumulate = mode == 2,
                              .activation = mode == 1 ? ACTIVATION_RELU : ACTIVATION_LINEAR};
  for (int threads = 1; threads <= 3; threads += 2) {
    for (int64_t i = 0; i < m * ldc; ++i) c[i] = 5;
    const size_t bytes = KR_FN(gemm_scratch)(batch, m, n, k, threads);
    char *scratch = kr_alloc(bytes + 64);
    memset(scratch, 0x5a, bytes + 64); /* finite garbage, and a fence */
    KR_FN(gemm)(&g, threads, scratch);
    for (int i = 0; i < 64; ++i) CHECK(scratch[bytes + (size_t)i] == 0x5a, "scratch was overrun");
    kr_free(scratch);
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = batch * n; j < ldc; ++j) CHECK(c[i * ldc + j] == 5, "the gap of row %d", (int)i);
      for (int64_t j = 0; j < batch * n; ++j) {
        const int64_t group = j / n;
        double want = mode == 1 ? bias[j] : mode == 2 ? 5 : 0;
        for (int64_t p = 0; p < k; ++p)
          want += (double)a[(group * m + i) * k + p] * (double)b[(group * k + p) * n + j % n];
        if (mode == 1 && want < 0) want = 0;
        CHECK(c[i * ldc + j] == want, "mode %d, shape %d %d %d %d, element %d %d: %g is not %g", mode, (int)batch,
              (int)m, (int)n, (int)k, (int)i, (int)j, (double)c[i * ldc + j], want);
      }
    }
  }
  free(a), free(b), free(c), free(bias);
}

/* Products of columns, whose operands lie as they are to be multiplied, or with gaps. */
static void KR_FN(check_columns)(const int64_t shape[3]) {
  const int64_t m = shape[0], n = shape[1], k = shape[2];
  uint64_t state = 7;
  real *c = malloc(sizeof(real) * (size_t)(m * n + 1)), *want = malloc(sizeof(real) * (size_t)(m * n));
  CHECK(KR_FN(gemm_columns_pay)(m, n, k), "%d x %d x %d do not pay", (int)m, (int)k, (int)n);
  for (int gap = 0; gap <= 3; gap += 3) {
    const int64_t ldx = m + gap, ldg = n + 2 * gap;
    real *x = malloc(sizeof(real) * (size_t)(k * ldx)), *g = malloc(sizeof(real) * (size_t)(k * ldg));
    for (int64_t i = 0; i < k * ldx; ++i) x[i] = (real)KR_FN(small)(&state);
    for (int64_t i = 0; i < k * ldg; ++i) g[i] = (real)KR_FN(small)(&state);
    memset(want, 0, sizeof(real) * (size_t)(m * n));
    for (int64_t p = 0; p < k; ++p)
      for (int64_t i = 0; i < m; ++i)
        for (int64_t j = 0; j < n; ++j) want[i * n + j] += x[p * ldx + i] * g[p * ldg + j]; /* integers below 2^24 */
    for (int threads = 1; threads <= 9; threads += 4) {
      for (int64_t i = 0; i <= m * n; ++i) c[i] = 5;
      const size_t bytes = KR_FN(gemm_columns_scratch)(m, n, k, threads);
      char *scratch = kr_alloc(bytes + 64);
      memset(scratch, 0x5a, bytes + 64);
      KR_FN(gemm_columns)(m, n, k, x, ldx, g, ldg, c, threads, scratch);
      for (int i = 0; i < 64; ++i) CHECK(scratch[bytes + (size_t)i] == 0x5a, "scratch was overrun");
      kr_free(scratch);
      CHECK(c[m * n] == 5, "C was overrun");
      for (int64_t i = 0; i < m * n; ++i)
        CHECK(c[i] == want[i], "%d x %d x %d, gap %d, element %d: %g is not %g", (int)m, (int)k, (int)n, (int)gap,
              (int)i, (double)c[i], (double)want[i]);
    }
    free(x), free(g);
  }
  free(c), free(want);
}

/* Every width and count, with a fence behind the panel and numbers that show where each element came from; whole panels
 * at lengths around one piece of pack_rows and two as well. */
static void KR_FN(check_packers)(void) {
  enum { KC = 2 * PACK_PIECE + 4, LD = KC + 3 };
  static const int64_t lengths[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 33, 47, PACK_PIECE - 1, PACK_PIECE + 3, PACK_PIECE + 4,
                                    KC};
  enum { ANY = 9, ALL = sizeof lengths / sizeof *lengths };
  static real src[(KC + 2) * LD], dst[GEMM_MAX_NR * KC + 1];
  for (size_t i = 0; i < sizeof src / sizeof *src; ++i) src[i] = (real)(i + 1);
  for (int64_t count = 1; count <= GEMM_MAX_NR; ++count)
    for (int64_t width = count; width <= GEMM_MAX_NR; ++width)
      for (int n = 0; n < (count == width ? ALL : ANY); ++n)
        for (int kind = 0; kind < 3; ++kind) {
          const int64_t kc = lengths[n];
          int64_t at[GEMM_MAX_NR];
          const real *rows[GEMM_MAX_NR];
          for (int64_t i = 0; i < count; ++i) rows[i] = src + (at[i] = (count - i) * (LD - 1));
          dst[kc * width] = -1;
          if (kind == 0) KR_FN(pack_copy)(src, LD, count, width, kc, dst);
          if (kind == 1) KR_FN(pack_rows)(rows, count, width, kc, dst);
          if (kind == 2) KR_FN(pack_gather)(src, at, 2, count, width, kc, dst);
          CHECK(dst[kc * width] == -1, "packer %d wrote beyond %d x %d", kind, (int)kc, (int)width);
          for (int64_t p = 0; p < kc; ++p)
            for (int64_t i = 0; i < width; ++i) {
              const int64_t from = kind == 0   ? p * LD + i
                                   : kind == 1 ? at[i < count ? i : 0] + p
                                               : at[i < count ? i : 0] + 2 * p;
              CHECK(dst[p * width + i] == (i < count ? src[from] : 0), "packer %d, %d of %d, k %d of %d", kind, (int)i,
                    (int)width, (int)p, (int)kc);
            }
        }
}
