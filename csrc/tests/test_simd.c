/* The SIMD vocabulary of the active ISA, and what cpu.c says of the machine. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "kr.h"

int check_simd_scalar(void);
int check_simd_neon(void);
int check_simd_avx2(void);
int check_simd_avx512(void);

static int check_active(void) {
  switch (kr_isa_active()) {
    case KR_ISA_SCALAR: return check_simd_scalar();
#ifdef KR_HAVE_NEON
    case KR_ISA_NEON: return check_simd_neon();
#endif
#ifdef KR_HAVE_AVX2
    case KR_ISA_AVX2: return check_simd_avx2();
#endif
#ifdef KR_HAVE_AVX512
    case KR_ISA_AVX512: return check_simd_avx512();
#endif
    default: return 1;
  }
}

static void check_isa(void) {
  const char *wanted = getenv("KERASISH_ISA");
  CHECK(kr_isa_supported(kr_isa_active()), "the active ISA %s is not supported", kr_isa_name(kr_isa_active()));
  if (wanted && kr_isa_parse(wanted) >= 0 && kr_isa_supported((kr_isa)kr_isa_parse(wanted))) {
    CHECK(strcmp(kr_isa_name(kr_isa_active()), wanted) == 0, "KERASISH_ISA=%s gave %s", wanted,
          kr_isa_name(kr_isa_active()));
    CHECK(kr_isa_rejected() == NULL, "KERASISH_ISA=%s was rejected", wanted);
  } else if (wanted) {
    CHECK(kr_isa_rejected() && strcmp(kr_isa_rejected(), wanted) == 0, "KERASISH_ISA=%s was not reported", wanted);
  }
  CHECK(kr_isa_parse("sse9") == -1, "an unknown name was parsed");
  CHECK(kr_isa_set((kr_isa)KR_NUM_ISAS) == -1, "an ISA that does not exist was set");
  for (int isa = 0; isa < KR_NUM_ISAS; ++isa)
    CHECK(kr_isa_parse(kr_isa_name((kr_isa)isa)) == isa, "%s does not come back", kr_isa_name((kr_isa)isa));
  const kr_caches *c = kr_cpu_caches();
  CHECK(c->l1d >= 8 << 10 && c->l2 >= c->l1d && c->l3 > 0, "caches %lld %lld %lld", (long long)c->l1d, (long long)c->l2,
        (long long)c->l3);
}

/* A denormal is zero between enable and restore, and only there. */
static void check_ftz(void) {
  volatile float tiny = 1e-30f, factor = 1e-10f;
  CHECK(tiny * factor != 0, "denormals are already flushed");
#if defined(__x86_64__) || defined(__aarch64__)
  uint64_t outer = kr_ftz_enable();
  CHECK(tiny * factor == 0 || check_keeps_denormals(), "a denormal was not flushed");
  uint64_t inner = kr_ftz_enable();
  kr_ftz_restore(inner);
  CHECK(tiny * factor == 0 || check_keeps_denormals(), "restoring a nested state switched it off");
  kr_ftz_restore(outer);
  CHECK(tiny * factor != 0, "flushing was not switched off");
#endif
}

int main(void) {
  check_isa();
  check_ftz();
  return check_active() | report();
}
