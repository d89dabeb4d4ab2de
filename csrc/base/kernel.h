/* What every kernel file includes first: the ISA it is being compiled for, its table, and small helpers on arrays.
 *
 * A kernel file is compiled once for each ISA.  Code that is the same for float and double is written once in a
 * <file>_body.h that is included twice:
 *
 *     #define KR_REAL 32
 *     #include "base/real.h"       // real, vreal, v_add..., KR_FN(name) -> name_f32
 *     #include "unary_body.h"
 *     #undef KR_REAL
 *     #define KR_REAL 64
 *     #include "base/real.h"
 *     #include "unary_body.h"
 *
 *     KR_TABLE(unary) = {
 *       {"exp", KR_F32, exp_f32, NULL},
 *       {"exp", KR_F64, exp_f64, NULL},
 *       KR_TABLE_END
 *     };
 *
 * All functions but the table are static, so that the ISAs never meet at link time.
 */
#ifndef KR_KERNEL_H
#define KR_KERNEL_H
#include <float.h>
#include <math.h>
#include <string.h>

#include "../kr.h"
#include "simd.h"

#define KR_PASTE_(a, b) a##b
#define KR_PASTE(a, b) KR_PASTE_(a, b)
#define KR_TABLE(file) const kr_kernel KR_PASTE(kr_table_##file##_, KR_ISA_SUFFIX)[]
#define KR_TABLE_END {NULL, 0, NULL, NULL}
#define KR_UNUSED __attribute__((unused))
#define KR_ALIGNED __attribute__((aligned(64)))
#define KR_INLINE static inline __attribute__((always_inline, unused))

KR_INLINE int64_t kr_min(int64_t a, int64_t b) { return a < b ? a : b; }
KR_INLINE int64_t kr_max(int64_t a, int64_t b) { return a > b ? a : b; }
/* How many pieces so much work makes, 1 to `most`.  No fmin: a call of libm after wide vectors takes longer than plans. */
KR_INLINE int64_t kr_pieces(double work, int64_t most) {
  if (work < 1) return 1;
  if (work >= (double)most) return most;
  return (int64_t)work;
}
KR_INLINE int64_t kr_ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
KR_INLINE int64_t kr_round_up(int64_t a, int64_t b) { return kr_ceil_div(a, b) * b; }

/* Brings lines of memory near that will soon be written, as this core's own: a store that misses waits for both.  Every
 * processor with AVX2 takes the instruction, the first of them as one that does nothing. */
KR_INLINE void kr_fetch_to_write(const void *p, int64_t bytes) {
  for (int64_t at = 0; at < bytes; at += 64) {
#if defined(KR_FOR_AVX2) || defined(KR_FOR_AVX512)
    __asm__ volatile("prefetchw %0" : : "m"(((const char *)p)[at]));
#else
    __builtin_prefetch((const char *)p + at, 1, 3);
#endif
  }
}

/* The lines that a stream of stores will come to, so many bytes ahead.  What is to be read is fetched ahead by the processor,
 * what is to be written hardly on Zen 3, where this was measured; with other ISAs nothing is done. */
#define KR_AHEAD 512
typedef struct {
  const char *at;
  int64_t mask; /* 0 where there is nothing to fetch */
} kr_ahead;

/* Of stores to y; `read`: y is an operand as well, so its lines are there. */
KR_INLINE kr_ahead kr_ahead_of(const void *y, int read) {
  return read ? (kr_ahead){y, 0} : (kr_ahead){(const char *)y + KR_AHEAD, -1};
}

KR_INLINE void kr_fetch_ahead(KR_UNUSED kr_ahead a, KR_UNUSED int64_t bytes) {
#if defined(KR_FOR_AVX2)
  __builtin_prefetch(a.at + (bytes & a.mask), 1);
#endif
}

/* How many of L1's 64 sets hold the lines of one column of rows that lie so many bytes apart: a multiple of a large power
 * of two leaves few, and rows crowd each other out. */
KR_INLINE int64_t kr_sets_met(int64_t bytes) {
  int64_t sets = 64;
  if (bytes % 64) return sets;
  for (int64_t lines = bytes / 64; sets > 1 && lines % 2 == 0; lines /= 2) sets /= 2;
  return sets;
}

/* Number of elements. */
KR_INLINE int64_t kr_size(const kr_array *a) {
  int64_t n = 1;
  for (int d = 0; d < a->ndim; ++d) n *= a->shape[d];
  return n;
}

/* Product of shape[from, to). */
KR_INLINE int64_t kr_span(const kr_array *a, int from, int to) {
  int64_t n = 1;
  for (int d = from; d < to; ++d) n *= a->shape[d];
  return n;
}

/* Packed weights (kr_packing_fn): the form, then the bytes. */
enum { KR_PACKED_AT = 64 };

/* What is packed, where a call brings it in this form; else NULL. */
KR_INLINE const void *kr_packed(const kr_call *c, const int64_t form[KR_FORM]) {
  if (!c->packed || memcmp(c->packed, form, KR_FORM * sizeof *form) != 0) return NULL;
  return (const char *)c->packed + KR_PACKED_AT;
}

/* Where a packing kernel writes to, behind the form. */
KR_INLINE void *kr_pack_to(const kr_call *c) {
  memcpy(c->out[0].data, c->i, KR_FORM * sizeof *c->i);
  return (char *)c->out[0].data + KR_PACKED_AT;
}

KR_INLINE kr_status kr_index_error(const kr_call *c, int input, int64_t position, int64_t value, int64_t limit) {
  c->error->input = input;
  c->error->position = position;
  c->error->value = value;
  c->error->limit = limit;
  return KR_EINDEX;
}

#endif
