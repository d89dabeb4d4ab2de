/* Philox4x32-10, the counter-based generator of Salmon, Moraes, Dror and Shaw, "Parallel random numbers: as easy as
 * 1, 2, 3" (SC 2011): block n of a stream is a function of (key, n), so any part of the output can be made alone.
 *
 * The key is the seed (two 32-bit words); the counter is the block number (low 64 bits) and the stream (high 64 bits).
 * Sixteen blocks make a group of 64 words.  Word w of the group's block l stands at position 16 w + l of the group,
 * on every ISA, so that vectors need no transposition.
 */
#ifndef KR_PHILOX_H
#define KR_PHILOX_H
#include "../base/kernel.h"

enum { BLOCKS = 16, WORDS = 4 * BLOCKS };

typedef struct {
  uint64_t round[2][10]; /* the key's two words at each round */
  uint64_t stream;
  uint64_t first; /* number of the first block */
} philox;

/* seed: two uint32 */
static philox philox_of(const void *seed, uint64_t stream) {
  philox p = {.stream = stream};
  uint32_t key[2];
  memcpy(key, seed, sizeof key);
  for (uint32_t r = 0; r < 10; ++r) {
    p.round[0][r] = key[0] + r * 0x9E3779B9u;
    p.round[1][r] = key[1] + r * 0xBB67AE85u;
  }
  return p;
}

/* One block per 64-bit lane; only the low halves count, which is what the multiplication reads.  A round waits for two
 * products in a row, so SIDE vectors of blocks go side by side. */
static void philox_group(const philox *p, int64_t group, uint32_t *restrict out) {
  enum { SIDE = 2 };
  static const int64_t lane[BLOCKS] KR_ALIGNED = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
  const v64i m0 = f64_i_set1(0xD2511F53), m1 = f64_i_set1(0xCD9E8D57);
  const v64i block = f64_i_set1((int64_t)(p->first + (uint64_t)group * BLOCKS));
  for (int l = 0; l < BLOCKS; l += SIDE * KR_F64_LANES) {
    v64i c0[SIDE], c1[SIDE], c2[SIDE], c3[SIDE];
#pragma GCC unroll 2
    for (int s = 0; s < SIDE; ++s) {
      c0[s] = f64_i_add(block, f64_i_load(lane + l + s * KR_F64_LANES));
      c1[s] = f64_i_high(c0[s]);
      c2[s] = f64_i_set1((int64_t)p->stream);
      c3[s] = f64_i_set1((int64_t)(p->stream >> 32));
    }
#pragma GCC unroll 10
    for (int round = 0; round < 10; ++round) {
      const v64i k0 = f64_i_set1((int64_t)p->round[0][round]), k1 = f64_i_set1((int64_t)p->round[1][round]);
#pragma GCC unroll 2
      for (int s = 0; s < SIDE; ++s) {
        const v64i a = f64_i_mul_u32(m0, c0[s]), b = f64_i_mul_u32(m1, c2[s]);
        c0[s] = f64_i_xor(f64_i_xor(f64_i_high(b), c1[s]), k0);
        c2[s] = f64_i_xor(f64_i_xor(f64_i_high(a), c3[s]), k1);
        c1[s] = b;
        c3[s] = a;
      }
    }
    f64_i_store_low(out + l, c0[0], c0[1]);
    f64_i_store_low(out + l + BLOCKS, c1[0], c1[1]);
    f64_i_store_low(out + l + 2 * BLOCKS, c2[0], c2[1]);
    f64_i_store_low(out + l + 3 * BLOCKS, c3[0], c3[1]);
  }
}

/* The 32 words of 64 bits of a group: words 0 and 1 of its blocks, then words 2 and 3. */
static void philox_group_64(const philox *p, int64_t group, uint64_t *restrict out) {
  uint32_t w[WORDS];
  philox_group(p, group, w);
  for (int half = 0; half < 2; ++half)
    for (int l = 0; l < BLOCKS; ++l)
      out[half * BLOCKS + l] = w[2 * half * BLOCKS + l] | (uint64_t)w[(2 * half + 1) * BLOCKS + l] << 32;
}

#endif
