/* The tiles of gemm/direct.h, once for each ISA, for float and for double. */
#include "gemm/direct.h"

/* What gets code of its own: for the outer tile every height and every number of vectors up to DIRECT_NV; the direct
 * tile computes rows in vain up to the next height, since its callers cut so that this happens once in many tiles. */
#define ROWS_TO_4(X) X(1) X(2) X(3) X(4)
#define ROWS_TO_6(X) ROWS_TO_4(X) X(5) X(6)
#define ROWS_TO_12(X) ROWS_TO_6(X) X(7) X(8) X(9) X(10) X(11) X(12)
#define VECTORS_TO_2(rows, X) X(rows, 1) X(rows, 2)
#define VECTORS_TO_4(rows, X) VECTORS_TO_2(rows, X) X(rows, 3) X(rows, 4)
#if defined(KR_FOR_AVX512) || defined(KR_FOR_AVX2)
#define OUTER_VECTORS VECTORS_TO_2
#else
#define OUTER_VECTORS VECTORS_TO_4
#endif
#if defined(KR_FOR_AVX512)
#define OUTER_ROWS ROWS_TO_12
#define DIRECT_HEIGHTS(X) X(4) X(8) X(12)
#elif defined(KR_FOR_AVX2) || defined(KR_FOR_NEON)
#define OUTER_ROWS ROWS_TO_6
#define DIRECT_HEIGHTS(X) X(2) X(4) X(6)
#else
#define OUTER_ROWS ROWS_TO_4
#define DIRECT_HEIGHTS(X) X(1) X(2) X(4)
#endif

#define KR_REAL 32
#include "base/real.h"
#include "direct_body.h"
#undef KR_REAL
#define KR_REAL 64
#include "base/real.h"
#include "direct_body.h"

KR_TABLE(direct) = {KR_TABLE_END}; /* an engine, no kernels of its own */
