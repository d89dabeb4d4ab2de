/* How a reduction over leading dimensions is cut: what the kernels do, and what the executor must know to reduce a chunk
 * at a time itself, to the same bits. */
#ifndef KR_REDUCE_CHUNK_H
#define KR_REDUCE_CHUNK_H
#include <stdint.h>

/* Elements of one task: large enough to hide the cost of handing it out, small enough to stay in L2. */
#define KR_REDUCE_WORK 32768

/* Rows of a chunk of n rows of `inner` columns that are reduced to one; n where they are not cut.  `unit` rows belong to
 * one position of the first reduced dimension, to a sample: a chunk has whole samples where it can, since what makes
 * them often makes whole ones.  A chunk has fewer than twice the least rows, so it is never cut again by itself. */
static inline int64_t kr_reduce_chunk(int64_t n, int64_t inner, int64_t unit) {
  int64_t rows = KR_REDUCE_WORK;
  if (inner > 1) {
    rows = (KR_REDUCE_WORK / inner + 7) / 8 * 8;
    if (rows < 64) rows = 64;
  }
  if (unit > 1 && unit < 2 * rows) rows = (rows + unit - 1) / unit * unit;
  return n >= 2 * rows ? rows : n;
}

#endif
