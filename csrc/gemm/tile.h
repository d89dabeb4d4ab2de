/* The size of the engine's tiles for this ISA, which kernels that pack for gemm_panel (core.h) need too.
 *
 * A tile is GEMM_MR rows by GEMM_NV vectors of accumulators, which must fit into the registers with GEMM_NV vectors of B
 * and one value of A: 32 registers on AVX-512 and NEON, 16 on AVX2 and on the SSE2 that compilers make of the portable
 * code. */
#ifndef KR_GEMM_TILE_H
#define KR_GEMM_TILE_H

#if defined(KR_FOR_AVX512)
enum { GEMM_MR = 14 };
#define GEMM_NV 2
#elif defined(KR_FOR_AVX2)
enum { GEMM_MR = 6 };
#define GEMM_NV 2
#elif defined(KR_FOR_NEON)
enum { GEMM_MR = 6 };
#define GEMM_NV 4
#else
enum { GEMM_MR = 4 };
#define GEMM_NV (KR_REAL == 32 ? 8 : 4)
#endif
/* X of each height of a tile: all of them get code of their own, so that no row is ever computed in vain. */
#define GEMM_ROWS_TO_4(X) X(1) X(2) X(3) X(4)
#define GEMM_ROWS_TO_6(X) GEMM_ROWS_TO_4(X) X(5) X(6)
#define GEMM_ROWS_TO_14(X) GEMM_ROWS_TO_6(X) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#if defined(KR_FOR_AVX512)
#define GEMM_EACH_ROWS GEMM_ROWS_TO_14
#elif defined(KR_FOR_AVX2) || defined(KR_FOR_NEON)
#define GEMM_EACH_ROWS GEMM_ROWS_TO_6
#else
#define GEMM_EACH_ROWS GEMM_ROWS_TO_4
#endif
/* Columns of a panel of B, of the type in force; a panel of at most half as many is half as wide. */
#define GEMM_NR (GEMM_NV * V_LANES)

#endif
