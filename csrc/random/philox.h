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
  uint32_t key[2];
  uint64_t stream;
  uint64_t first; /* number of the first block */
} philox;

/* One block per 64-bit lane; only the low halves count, which is what the multiplication reads. */
static void philox_group(const philox *p, int64_t group, uint32_t *restrict out) {
  const v64i m0 = f64_i_set1(0xD2511F53), m1 = f64_i_set1(0xCD9E8D57);
  KR_ALIGNED int64_t word[4][BLOCKS];
  for (int l = 0; l < BLOCKS; ++l) {
    uint64_t block = p->first + (uint64_t)group * BLOCKS + (uint64_t)l;
    word[0][l] = (int64_t)block;
    word[1][l] = (int64_t)(block >> 32);
  }
  for (int l = 0; l < BLOCKS; l += KR_F64_LANES) {
    v64i c0 = f64_i_load(&word[0][l]), c1 = f64_i_load(&word[1][l]);
    v64i c2 = f64_i_set1((int64_t)p->stream), c3 = f64_i_set1((int64_t)(p->stream >> 32));
    uint32_t k0 = p->key[0], k1 = p->key[1];
    for (int round = 0; round < 10; ++round) {
      v64i a = f64_i_mul_u32(m0, c0), b = f64_i_mul_u32(m1, c2);
      c0 = f64_i_xor(f64_i_xor(f64_i_shr(b, 32), c1), f64_i_set1(k0));
      c2 = f64_i_xor(f64_i_xor(f64_i_shr(a, 32), c3), f64_i_set1(k1));
      c1 = b;
      c3 = a;
      k0 += 0x9E3779B9u;
      k1 += 0xBB67AE85u;
    }
    f64_i_store(&word[0][l], c0);
    f64_i_store(&word[1][l], c1);
    f64_i_store(&word[2][l], c2);
    f64_i_store(&word[3][l], c3);
  }
  for (int w = 0; w < 4; ++w)
    for (int l = 0; l < BLOCKS; ++l) out[w * BLOCKS + l] = (uint32_t)word[w][l];
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
