/* Finds a kernel by name, dtype and ISA in the tables that families.def lists. */
#include <string.h>

#include "../kr.h"

#define DECLARE(file, isa) extern const kr_kernel kr_table_##file##_##isa[];
#define ENTRY(file, isa) kr_table_##file##_##isa,

#define KR_FAMILY(folder, file) #folder,
static const char *const folders[] = {
#include "../families.def"
    NULL};
#undef KR_FAMILY

#define KR_FAMILY(folder, file) DECLARE(file, scalar)
#include "../families.def"
#undef KR_FAMILY
#define KR_FAMILY(folder, file) ENTRY(file, scalar)
static const kr_kernel *const scalar_tables[] = {
#include "../families.def"
    NULL};
#undef KR_FAMILY

#ifdef KR_HAVE_NEON
#define KR_FAMILY(folder, file) DECLARE(file, neon)
#include "../families.def"
#undef KR_FAMILY
#define KR_FAMILY(folder, file) ENTRY(file, neon)
static const kr_kernel *const neon_tables[] = {
#include "../families.def"
    NULL};
#undef KR_FAMILY
#endif

#ifdef KR_HAVE_AVX2
#define KR_FAMILY(folder, file) DECLARE(file, avx2)
#include "../families.def"
#undef KR_FAMILY
#define KR_FAMILY(folder, file) ENTRY(file, avx2)
static const kr_kernel *const avx2_tables[] = {
#include "../families.def"
    NULL};
#undef KR_FAMILY
#endif

#ifdef KR_HAVE_AVX512
#define KR_FAMILY(folder, file) DECLARE(file, avx512)
#include "../families.def"
#undef KR_FAMILY
#define KR_FAMILY(folder, file) ENTRY(file, avx512)
static const kr_kernel *const avx512_tables[] = {
#include "../families.def"
    NULL};
#undef KR_FAMILY
#endif

static const kr_kernel *const *tables(kr_isa isa) {
  switch (isa) {
#ifdef KR_HAVE_NEON
    case KR_ISA_NEON: return neon_tables;
#endif
#ifdef KR_HAVE_AVX2
    case KR_ISA_AVX2: return avx2_tables;
#endif
#ifdef KR_HAVE_AVX512
    case KR_ISA_AVX512: return avx512_tables;
#endif
    case KR_ISA_SCALAR: return scalar_tables;
    default: return NULL;
  }
}

const kr_kernel *kr_find_isa(const char *name, kr_dtype dtype, kr_isa isa) {
  if (!kr_isa_supported(isa)) return NULL;
  for (const kr_kernel *const *t = tables(isa); *t; ++t)
    for (const kr_kernel *k = *t; k->name; ++k)
      if (k->dtype == (int32_t)dtype && strcmp(k->name, name) == 0) return k;
  return NULL;
}

const kr_kernel *kr_find(const char *name, kr_dtype dtype) { return kr_find_isa(name, dtype, kr_isa_active()); }

const kr_kernel *kr_kernel_at(int64_t index) {
  for (const kr_kernel *const *t = tables(kr_isa_active()); *t; ++t)
    for (const kr_kernel *k = *t; k->name; ++k)
      if (index-- == 0) return k;
  return NULL;
}

const char *kr_family_at(int64_t index, int64_t *kernels) {
  if (index < 0 || index >= (int64_t)(sizeof folders / sizeof *folders) - 1) return NULL;
  *kernels = 0;
  for (const kr_kernel *k = tables(kr_isa_active())[index]; k->name; ++k) ++*kernels;
  return folders[index];
}
