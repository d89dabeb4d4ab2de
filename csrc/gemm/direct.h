/* Tiles of a product whose left operand is read where it lies: no panel of A is packed.
 *
 * The engine of gemm/core.h packs both operands.  A packed element of A serves as many multiply-adds as C has columns,
 * and where those are few the packing takes as long as the arithmetic: 3x3 convolutions with 16 to 64 filters ran at
 * half of their limit.  Two tiles do without:
 *
 *   direct_tile    rows of A lie anywhere, in runs along k: C[r][j] = activation(bias[j] + sum over runs and q of
 *                  a[run][r][q] * B[p][j]), p counting through the runs.  B is packed in panels as core.h packs them.
 *   outer_tile     both operands have their columns along memory and k in steps: C[r][j] += sum over segments and i of
 *                  x[i * x_step + r] * g[i * g_step + j]; nothing is packed.
 *
 * Callers own the loops over tiles, and so the partition of the work.  Each element of a tile is one chain of fused
 * multiply-adds in the order of k, as in core.h, so neither the tile that an element falls into nor the threads change
 * its bits.
 */
#ifndef KR_GEMM_DIRECT_H
#define KR_GEMM_DIRECT_H
#include "../base/kernel.h"

#define direct_tile_f32 KR_PASTE(kr_direct_tile_f32_, KR_ISA_SUFFIX)
#define direct_tile_f64 KR_PASTE(kr_direct_tile_f64_, KR_ISA_SUFFIX)
#define outer_tile_f32 KR_PASTE(kr_outer_tile_f32_, KR_ISA_SUFFIX)
#define outer_tile_f64 KR_PASTE(kr_outer_tile_f64_, KR_ISA_SUFFIX)

/* A tile is DIRECT_ROWS by two vectors of accumulators, with two vectors of B and one value of A: what fits into the
 * registers, and for direct_tile a pointer for each row besides.  The portable dialect has vectors of one element; four
 * of them make the loops worth their overhead. */
#if defined(KR_FOR_AVX512)
enum { DIRECT_ROWS = 12, DIRECT_NV = 2 };
#elif defined(KR_FOR_AVX2)
enum { DIRECT_ROWS = 6, DIRECT_NV = 2 };
#elif defined(KR_FOR_NEON)
enum { DIRECT_ROWS = 6, DIRECT_NV = 4 };
#else
enum { DIRECT_ROWS = 4, DIRECT_NV = 4 };
#endif
enum { DIRECT_WIDTH_F32 = DIRECT_NV * KR_F32_LANES, DIRECT_WIDTH_F64 = DIRECT_NV * KR_F64_LANES };

#define KR_DIRECT_DECLARE(T, S)                                                                                          \
  /* Row r of A in run number n, length[n] elements from a[n * DIRECT_ROWS + r] on; row r of C begins at c[r].  B: k  \
   * rows of `width` columns, half of DIRECT_WIDTH or all of it, of which `cols` count.  start: `width` values, or    \
   * NULL. */  \
  typedef struct {                                                                                                       \
    int64_t runs, rows, width, cols;                                                                                     \
    const int64_t *length;                                                                                               \
    const T *const *a;                                                                                                   \
    const T *b, *start;                                                                                                  \
    T *const *c;                                                                                                         \
    int relu;                                                                                                            \
  } direct_args_##S;                                                                                                     \
  void direct_tile_##S(const direct_args_##S *t);                                                                        \
                                                                                                                         \
  typedef struct {                                                                                                       \
    const T *x, *g;                                                                                                      \
    int64_t count;                                                                                                       \
  } outer_segment_##S;                                                                                                   \
  /* C: `rows` by `cols` (at most DIRECT_ROWS by DIRECT_WIDTH), ldc apart; x and g are read `rows` and `cols` elements \
   * from x + x_at, g + g_at of each segment on. */ \
  typedef struct {                                                                                                       \
    int64_t segments, rows, cols, x_at, g_at, x_step, g_step, ldc;                                                       \
    const outer_segment_##S *segment;                                                                                    \
    T *c;                                                                                                                \
    const T *fetch; /* what is to be brought near meanwhile, fetch_step bytes for each step of k; or NULL */             \
    int64_t fetch_step;                                                                                                  \
    int first; /* C starts as zeros, not as what it holds */                                                             \
  } outer_args_##S;                                                                                                      \
  void outer_tile_##S(const outer_args_##S *t);

KR_DIRECT_DECLARE(float, f32)
KR_DIRECT_DECLARE(double, f64)
#undef KR_DIRECT_DECLARE

#endif
