/* Squares of 4- and 8-byte elements transposed in registers, where the compiler has shuffles of generic vectors. */
#ifndef KR_MOVE_SQUARE_H
#define KR_MOVE_SQUARE_H
#include "base/bytes.h"

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define MOVE_SHUFFLE 1
#endif
#endif

#ifdef MOVE_SHUFFLE
typedef uint32_t move_u32x8 __attribute__((vector_size(32)));
typedef uint64_t move_u64x4 __attribute__((vector_size(32)));
#define LOW32(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define HIGH32(a, b) __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#define PAIR_LOW(a, b) __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
#define PAIR_HIGH(a, b) __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15)
#define HALF_LOW(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11)
#define HALF_HIGH(a, b) __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15)

/* 8x8 in three rounds of shuffles: interleave elements, pairs, halves. */
KR_INLINE void square_b4(uint32_t *dst, int64_t ds, const uint32_t *src, int64_t ss) {
  move_u32x8 r[8], t[8];
  for (int i = 0; i < 8; ++i) memcpy(&r[i], src + i * ss, 32);
  for (int i = 0; i < 8; i += 2) {
    t[i] = LOW32(r[i], r[i + 1]);
    t[i + 1] = HIGH32(r[i], r[i + 1]);
  }
  for (int i = 0; i < 8; i += 4)
    for (int k = 0; k < 2; ++k) {
      r[i + 2 * k] = PAIR_LOW(t[i + k], t[i + k + 2]);
      r[i + 2 * k + 1] = PAIR_HIGH(t[i + k], t[i + k + 2]);
    }
  for (int k = 0; k < 4; ++k) {
    t[k] = HALF_LOW(r[k], r[k + 4]);
    t[k + 4] = HALF_HIGH(r[k], r[k + 4]);
  }
  for (int i = 0; i < 8; ++i) memcpy(dst + i * ds, &t[i], 32);
}

KR_INLINE void square_b8(uint64_t *dst, int64_t ds, const uint64_t *src, int64_t ss) {
  move_u64x4 r[4], t[4];
  for (int i = 0; i < 4; ++i) memcpy(&r[i], src + i * ss, 32);
  for (int i = 0; i < 4; i += 2) {
    t[i] = __builtin_shufflevector(r[i], r[i + 1], 0, 4, 2, 6);
    t[i + 1] = __builtin_shufflevector(r[i], r[i + 1], 1, 5, 3, 7);
  }
  for (int k = 0; k < 2; ++k) {
    r[k] = __builtin_shufflevector(t[k], t[k + 2], 0, 1, 4, 5);
    r[k + 2] = __builtin_shufflevector(t[k], t[k + 2], 2, 3, 6, 7);
  }
  for (int i = 0; i < 4; ++i) memcpy(dst + i * ds, &r[i], 32);
}
#undef LOW32
#undef HIGH32
#undef PAIR_LOW
#undef PAIR_HIGH
#undef HALF_LOW
#undef HALF_HIGH
#endif

#endif
