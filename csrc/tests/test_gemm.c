/* The matrix product engine of the active ISA. */
#include "check.h"
#include "kr.h"

int check_gemm_scalar(void);
int check_gemm_neon(void);
int check_gemm_avx2(void);
int check_gemm_avx512(void);

int main(void) {
  switch (kr_isa_active()) {
    case KR_ISA_SCALAR: return check_gemm_scalar();
#ifdef KR_HAVE_NEON
    case KR_ISA_NEON: return check_gemm_neon();
#endif
#ifdef KR_HAVE_AVX2
    case KR_ISA_AVX2: return check_gemm_avx2();
#endif
#ifdef KR_HAVE_AVX512
    case KR_ISA_AVX512: return check_gemm_avx512();
#endif
    default: return 1;
  }
}
