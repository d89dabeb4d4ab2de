/* Matrix products of arrays. */
#include "gemm/core.h"

#define KR_REAL 32
#include "base/real.h"
#include "gemm/pack.h"
#include "gemm_body.h"
#undef KR_REAL
#define KR_REAL 64
#include "base/real.h"
#include "gemm/pack.h"
#include "gemm_body.h"

KR_TABLE(gemm) = {{"matmul", KR_F32, matmul_f32, matmul_scratch_f32},
                  {"matmul", KR_F64, matmul_f64, matmul_scratch_f64},
                  KR_TABLE_END};
