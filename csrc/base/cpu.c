/* What this CPU is: which ISAs it can run, which one is active, its caches, and flush-to-zero. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../kr.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <xmmintrin.h>
#endif

static const char *const isa_names[KR_NUM_ISAS] = {"scalar", "neon", "avx2", "avx512"};

static atomic_int active = -1;
static pthread_once_t isa_once = PTHREAD_ONCE_INIT;
static pthread_once_t cache_once = PTHREAD_ONCE_INIT;
static char rejected[64];
static kr_caches caches;

/* ---- ISA ------------------------------------------------------------------------------------------------------- */

const char *kr_isa_name(kr_isa isa) { return (unsigned)isa < KR_NUM_ISAS ? isa_names[isa] : "unknown"; }

int kr_isa_parse(const char *name) {
  for (int i = 0; i < KR_NUM_ISAS; ++i)
    if (strcmp(name, isa_names[i]) == 0) return i;
  return -1;
}

#if defined(KR_HAVE_AVX2) || defined(KR_HAVE_AVX512)
/* __builtin_cpu_supports also asks the OS (xgetbv) whether it saves the wide registers; only f16c, which it does not
 * know in every compiler, is read from cpuid directly. */
static int has_avx2(void) {
  unsigned a, b, c, d;
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2") &&
         __get_cpuid(1, &a, &b, &c, &d) && (c & bit_F16C);
}
#endif

int kr_isa_supported(kr_isa isa) {
  switch (isa) {
    case KR_ISA_SCALAR: return 1;
#ifdef KR_HAVE_NEON
    case KR_ISA_NEON: return 1;
#endif
#ifdef KR_HAVE_AVX2
    case KR_ISA_AVX2: return has_avx2();
#endif
#if defined(KR_EMULATED_AVX512) /* for tests: csrc/tests/avx512 */
    case KR_ISA_AVX512: return has_avx2();
#elif defined(KR_HAVE_AVX512)
    case KR_ISA_AVX512:
      return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#endif
    default: return 0;
  }
}

static void choose_isa(void) {
  int isa = KR_NUM_ISAS - 1;
  while (!kr_isa_supported((kr_isa)isa)) --isa;
  const char *wanted = getenv("KERASISH_ISA");
  if (wanted && *wanted) {
    int parsed = kr_isa_parse(wanted);
    if (parsed >= 0 && kr_isa_supported((kr_isa)parsed)) isa = parsed;
    else snprintf(rejected, sizeof rejected, "%s", wanted);
  }
  atomic_store(&active, isa);
}

kr_isa kr_isa_active(void) {
  int isa = atomic_load_explicit(&active, memory_order_relaxed);
  if (isa < 0) {
    pthread_once(&isa_once, choose_isa);
    isa = atomic_load(&active);
  }
  return (kr_isa)isa;
}

int kr_isa_set(kr_isa isa) {
  if (!kr_isa_supported(isa)) return -1;
  kr_isa_active(); /* so that the lazy choice cannot come later and overwrite this one */
  atomic_store(&active, (int)isa);
  return 0;
}

const char *kr_isa_rejected(void) {
  kr_isa_active();
  return *rejected ? rejected : NULL;
}

/* ---- caches ---------------------------------------------------------------------------------------------------- */

/* Reads one attribute of one cache of CPU 0 from sysfs; returns 0 where there is none. */
static int read_cache(int index, const char *attribute, char *text, int size) {
  char path[96];
  snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index, attribute);
  FILE *f = fopen(path, "re");
  if (!f) return 0;
  int ok = fgets(text, size, f) != NULL;
  fclose(f);
  return ok;
}

static void from_sysfs(void) {
  char text[32];
  for (int index = 0; index < 8 && read_cache(index, "level", text, sizeof text); ++index) {
    int level = atoi(text);
    if (!read_cache(index, "type", text, sizeof text) || strncmp(text, "Instruction", 11) == 0) continue;
    if (!read_cache(index, "size", text, sizeof text)) continue;
    char *unit;
    int64_t bytes = strtoll(text, &unit, 10);
    bytes <<= *unit == 'K' ? 10 : *unit == 'M' ? 20 : 0;
    if (level == 1) caches.l1d = bytes;
    else if (level == 2) caches.l2 = bytes;
    else if (level == 3) caches.l3 = bytes;
  }
}

/* sysfs, then the C library (which asks cpuid on x86), then the smallest caches of cores sold in the last ten years:
 * too small a guess costs a few per cent, too large a one thrashes. */
static void find_caches(void) {
  from_sysfs();
#ifdef _SC_LEVEL1_DCACHE_SIZE
  if (caches.l1d <= 0) caches.l1d = sysconf(_SC_LEVEL1_DCACHE_SIZE);
  if (caches.l2 <= 0) caches.l2 = sysconf(_SC_LEVEL2_CACHE_SIZE);
  if (caches.l3 <= 0) caches.l3 = sysconf(_SC_LEVEL3_CACHE_SIZE);
#endif
  if (caches.l1d <= 0) caches.l1d = 32 << 10;
  if (caches.l2 <= 0) caches.l2 = 256 << 10;
  if (caches.l3 <= 0) caches.l3 = 2 << 20;
}

const kr_caches *kr_cpu_caches(void) {
  pthread_once(&cache_once, find_caches);
  return &caches;
}

/* ---- flush-to-zero --------------------------------------------------------------------------------------------- */

/* Only the bits below are changed and restored: rounding mode and exception flags belong to the caller. */
#if defined(__x86_64__)
#define FTZ_DAZ 0x8040u
static uint64_t get_control(void) { return _mm_getcsr(); }
static void set_control(uint64_t v) { _mm_setcsr((unsigned)v); }
#elif defined(__aarch64__)
#define FTZ_DAZ (1u << 24)
static uint64_t get_control(void) {
  uint64_t v;
  __asm__ volatile("mrs %0, fpcr" : "=r"(v));
  return v;
}
static void set_control(uint64_t v) { __asm__ volatile("msr fpcr, %0" ::"r"(v)); }
#else
#define FTZ_DAZ 0u
static uint64_t get_control(void) { return 0; }
static void set_control(uint64_t v) { (void)v; }
#endif

uint64_t kr_ftz_enable(void) {
  uint64_t before = get_control();
  if ((before & FTZ_DAZ) != FTZ_DAZ) set_control(before | FTZ_DAZ);
  return before & FTZ_DAZ;
}

void kr_ftz_restore(uint64_t state) {
  uint64_t now = get_control();
  if ((now & FTZ_DAZ) != state) set_control((now & ~(uint64_t)FTZ_DAZ) | state);
}
