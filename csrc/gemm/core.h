/* The matrix product that matmul, convolution and recurrent kernels share: packed, blocked, register-tiled.
 *
 *     C[b][i][j] = activation( start + sum over p of A[b][i][p] * B[b][p][j] )
 *
 * with start = 0, bias[b][j], or what C held (`accumulate`), and an activation of elementwise/activation.h.  C is
 * row-major with a leading dimension; A and B are never seen: two callbacks pack pieces of them, so that a transposed
 * operand is another packer and a convolution packs its im2col patches straight into cache.  After Goto and van de
 * Geijn, "Anatomy of High-Performance Matrix
 * Multiplication" (2008) and BLIS.
 *
 * A family file that wants it:
 *
 *     #include "base/kernel.h"
 *     #include "gemm/core.h"
 *     #define KR_REAL 32
 *     #include "base/real.h"
 *     #include "gemm/pack.h"        // optional: packers for plain matrices
 *     #include "conv_body.h"        // uses KR_FN(gemm), KR_FN(gemm_scratch), KR_FN(gemm_args)
 *
 *   KR_FN(gemm_args) g = {.batch = 1, .m = m, .n = n, .k = k, .pack_a = ..., .pack_b = ..., .ctx = &job,
 *                         .c = y, .ldc = n, .bias = bias};
 *   KR_FN(gemm)(&g, call->threads, scratch);     // scratch: KR_FN(gemm_scratch)(batch, m, n, k, call->threads) bytes
 *
 * The callbacks are called from several workers at once, in no particular order, perhaps several times for one piece;
 * they write to `dst` alone, and what they write must depend on their arguments only.
 *
 *   pack_a(ctx, batch, row, rows, k0, kc, dst)            dst[p * rows + r]  = A[batch][row + r][k0 + p]
 *       0 <= r < rows <= GEMM_MAX_MR, 0 <= p < kc <= GEMM_MAX_KC: one panel of rows, without gaps
 *   pack_b(ctx, batch, k0, kc, col, cols, width, dst)     dst[p * width + c] = B[batch][k0 + p][col + c]
 *       0 <= c < cols <= width <= GEMM_MAX_NR; columns from cols to width are to be zeros
 *
 * k0 is a multiple of 16 and so is kc unless the piece ends at k; col is a multiple of the panel width.  dst is aligned
 * to its element only.
 *
 * Any of m, n, k and batch may be 0; with k = 0 C becomes activation(start).  Batches are `c_batch` (`bias_batch`)
 * elements apart in C (bias), which also serves groups of a convolution: c_batch = columns of a group, ldc = all
 * columns. C must not overlap what the packers read.
 *
 * Weights that serve many products may be packed once: gemm_packing says of how many bytes that is, and in blocks of
 * how many k, and gemm_pack does it; `packed` has it then, and pack_b is not called.
 *
 * A kernel that keeps a product in cache packs by itself and multiplies panels (tile.h has their size):
 *
 *   gemm_panel(m, k, a, b, width, c, accumulate)          c[i * width + j] (+)= sum over p of A[i][p] * B[p][j]
 *       a: A's rows as panels of nearly equal height, at most GEMM_MR: panel q of n = ceil(m / GEMM_MR) begins at row
 *       q * m / n, at a + k times that, and is laid out as pack_a's; b: one panel as pack_b makes it, `width` GEMM_NR or
 *       GEMM_NR / 2 columns, all of which are computed.
 *   gemm_panel_of_rows(m, k, a, lda, b, width, c, accumulate)
 *       the same with A not packed: rows of k elements, lda apart, which is GEMM_NR or GEMM_NR / 2, as in a C of these.
 *
 * A gradient to weights is a product of columns, C[i][j] = sum over p of x[p][i] * g[p][j], whose operands lie in rows of
 * p, ldx and ldg elements apart:
 *
 *   gemm_columns(m, n, k, x, ldx, g, ldg, c, threads, scratch)     C: rows of n; gemm_columns_scratch(m, n, k, threads)
 *       where gemm_columns_pay(m, n, k): many terms for few elements.  While one block of rows is multiplied, tiles bring
 *       near the one that comes next.
 *
 * Bits.  Each element of C is one chain of fused multiply-adds in the order of p; when C has few tiles and k is large, k
 * is cut into chunks by the shape alone, whose sums are added in order.  How rows and columns are cut follows the threads
 * as well, which does not show.  So results depend on (m, n, k, batch) and the ISA, never on threads, and for a given k
 * a row's bits do not depend on m unless k is cut.
 */
#ifndef KR_GEMM_CORE_H
#define KR_GEMM_CORE_H
#include "../base/kernel.h"
#include "../elementwise/activation.h"
#include "tile.h"

/* ISAs meet at link time here: the engine is compiled once for each (core.c), so its functions carry the ISA's
 * name. */
#define gemm_f32 KR_PASTE(kr_gemm_f32_, KR_ISA_SUFFIX)
#define gemm_f64 KR_PASTE(kr_gemm_f64_, KR_ISA_SUFFIX)
#define gemm_panel_f32 KR_PASTE(kr_gemm_panel_f32_, KR_ISA_SUFFIX)
#define gemm_panel_f64 KR_PASTE(kr_gemm_panel_f64_, KR_ISA_SUFFIX)
#define gemm_panel_of_rows_f32 KR_PASTE(kr_gemm_panel_of_rows_f32_, KR_ISA_SUFFIX)
#define gemm_panel_of_rows_f64 KR_PASTE(kr_gemm_panel_of_rows_f64_, KR_ISA_SUFFIX)
#define gemm_packing_f32 KR_PASTE(kr_gemm_packing_f32_, KR_ISA_SUFFIX)
#define gemm_packing_f64 KR_PASTE(kr_gemm_packing_f64_, KR_ISA_SUFFIX)
#define gemm_pack_f32 KR_PASTE(kr_gemm_pack_f32_, KR_ISA_SUFFIX)
#define gemm_columns_f32 KR_PASTE(kr_gemm_columns_f32_, KR_ISA_SUFFIX)
#define gemm_columns_f64 KR_PASTE(kr_gemm_columns_f64_, KR_ISA_SUFFIX)
#define gemm_columns_pay_f32 KR_PASTE(kr_gemm_columns_pay_f32_, KR_ISA_SUFFIX)
#define gemm_columns_pay_f64 KR_PASTE(kr_gemm_columns_pay_f64_, KR_ISA_SUFFIX)
#define gemm_columns_scratch_f32 KR_PASTE(kr_gemm_columns_scratch_f32_, KR_ISA_SUFFIX)
#define gemm_columns_scratch_f64 KR_PASTE(kr_gemm_columns_scratch_f64_, KR_ISA_SUFFIX)
#define gemm_pack_f64 KR_PASTE(kr_gemm_pack_f64_, KR_ISA_SUFFIX)
#define gemm_scratch_f32 KR_PASTE(kr_gemm_scratch_f32_, KR_ISA_SUFFIX)
#define gemm_scratch_f64 KR_PASTE(kr_gemm_scratch_f64_, KR_ISA_SUFFIX)

enum { GEMM_MAX_MR = 14, GEMM_MAX_NR = 32, GEMM_MAX_KC = 2048 };

#define KR_GEMM_DECLARE(T, S)                                                                                        \
  typedef struct {                                                                                                   \
    int64_t batch, m, n, k;                                                                                          \
    void (*pack_a)(const void *ctx, int64_t batch, int64_t row, int64_t rows, int64_t k0, int64_t kc, T *dst);       \
    void (*pack_b)(const void *ctx, int64_t batch, int64_t k0, int64_t kc, int64_t col, int64_t cols, int64_t width, \
                   T *dst);                                                                                          \
    const void *ctx;                                                                                                 \
    T *c;                                                                                                            \
    int64_t ldc, c_batch; /* elements from one row, one batch of C to the next */                                    \
    const T *bias;        /* n values, or NULL; not together with accumulate */                                      \
    int64_t bias_batch;                                                                                              \
    int accumulate;  /* C += A B */                                                                                  \
    int activation;  /* an activation_code */                                                                        \
    const T *near;   /* B's columns, k elements behind each other, where they lie so; or NULL */                     \
    const T *packed; /* all of B, packed by gemm_pack with what gemm_packing says; or NULL */                        \
    const T *rows_b; /* B's rows, ldb elements apart, where columns are neighbours and batch is 1; or NULL */        \
    int64_t ldb;                                                                                                     \
    const T *rows_a; /* A's columns, lda elements apart, where rows are neighbours and batch is 1; or NULL */        \
    int64_t lda;                                                                                                     \
    int turned; /* C[j][i] instead; of sums that are cut, without bias, accumulate and activation */                 \
  } gemm_args_##S;                                                                                                   \
  void gemm_##S(const gemm_args_##S *g, int threads, void *scratch);                                                 \
  void gemm_panel_##S(int64_t m, int64_t k, const T *a, const T *b, int64_t width, T *c, int accumulate);            \
  void gemm_panel_of_rows_##S(int64_t m, int64_t k, const T *a, int64_t lda, const T *b, int64_t width, T *c,        \
                              int accumulate);                                                                       \
  size_t gemm_scratch_##S(int64_t batch, int64_t m, int64_t n, int64_t k, int threads);                              \
  size_t gemm_packing_##S(int64_t batch, int64_t m, int64_t n, int64_t k, int64_t *kb);                              \
  int gemm_columns_pay_##S(int64_t m, int64_t n, int64_t k);                                                         \
  size_t gemm_columns_scratch_##S(int64_t m, int64_t n, int64_t k, int threads);                                     \
  void gemm_columns_##S(int64_t m, int64_t n, int64_t k, const T *x, int64_t ldx, const T *g, int64_t ldg, T *c,     \
                        int threads, void *scratch);                                                                 \
  void gemm_pack_##S(const gemm_args_##S *g, int64_t kb, int threads, T *dst);

KR_GEMM_DECLARE(float, f32)
KR_GEMM_DECLARE(double, f64)
#undef KR_GEMM_DECLARE

#endif
