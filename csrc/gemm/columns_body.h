/* Products of columns (core.h) for one real type: the engine with packers of its own, turned or not. */

static void KR_FN(columns_a)(const void *ctx, KR_UNUSED int64_t batch, int64_t row, int64_t rows, int64_t k0,
                             int64_t kc, real *dst) {
  const KR_FN(gemm_args) *g = ctx;
  KR_FN(pack_copy)(g->rows_a + k0 * g->lda + row, g->lda, rows, rows, kc, dst);
}

static void KR_FN(columns_b)(const void *ctx, KR_UNUSED int64_t batch, int64_t k0, int64_t kc, int64_t col,
                             int64_t cols, int64_t width, real *dst) {
  const KR_FN(gemm_args) *g = ctx;
  KR_FN(pack_copy)(g->rows_b + k0 * g->ldb + col, g->ldb, cols, width, kc, dst);
}

/* Tiles have few columns to serve a packed element of x: with few columns of g the product is made turned. */
static int KR_FN(turns)(int64_t m, int64_t n) { return n >= TURN_LEAST_N && n <= TURN_MOST_N && m >= 2 * n; }

int KR_FN(gemm_columns_pay)(int64_t m, int64_t n, int64_t k) {
  return KR_FN(long_sums)(m, n, k) && (n > TURN_MOST_N || KR_FN(turns)(m, n));
}

size_t KR_FN(gemm_columns_scratch)(int64_t m, int64_t n, int64_t k, int threads) {
  return KR_FN(turns)(m, n) ? KR_FN(gemm_scratch)(1, n, m, k, threads) : KR_FN(gemm_scratch)(1, m, n, k, threads);
}

void KR_FN(gemm_columns)(int64_t m, int64_t n, int64_t k, const real *x, int64_t ldx, const real *g, int64_t ldg,
                         real *c, int threads, void *scratch) {
  const int turned = KR_FN(turns)(m, n);
  KR_FN(gemm_args)
  args = {.batch = 1,
          .m = turned ? n : m,
          .n = turned ? m : n,
          .k = k,
          .pack_a = KR_FN(columns_a),
          .pack_b = KR_FN(columns_b),
          .ctx = &args,
          .c = c,
          .ldc = n,
          .rows_a = turned ? g : x,
          .lda = turned ? ldg : ldx,
          .rows_b = turned ? x : g,
          .ldb = turned ? ldx : ldg,
          .turned = turned};
  KR_FN(gemm)(&args, threads, scratch);
}
