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
/* Columns of a panel of B, of the type in force; a panel of at most half as many is half as wide. */
#define GEMM_NR (GEMM_NV * V_LANES)

#endif
