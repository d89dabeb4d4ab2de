/* Moves a box of elements between two strided layouts: the one loop nest behind transpose, slice, flip, tile and pad.
 *
 * A move is a box (shape) with a stride per dimension, in elements, for the source and for the destination; either may
 * be zero in the source (broadcasting) or negative (flipping).  move_run merges dimensions, picks the order of the two
 * innermost loops, cuts the box into planes of bounded size and runs them in parallel; only copies happen, so the order
 * is free.  Destination strides must not make two elements meet.
 */
#ifndef KR_MOVE_H
#define KR_MOVE_H
#include "base/bytes.h"

/* Twice KR_MAX_NDIM, because tile sees each dimension as two, and two more for the cuts. */
#define MOVE_NDIM (2 * KR_MAX_NDIM + 2)
/* Elements from which an inner loop is cut, and that a task has at least: below, waking a thread costs more. */
#define MOVE_GRAIN 32768

typedef struct {
  int ndim;
  int64_t size; /* bytes of an element */
  int64_t shape[MOVE_NDIM], src[MOVE_NDIM], dst[MOVE_NDIM];
} kr_move;

KR_INLINE void move_push(kr_move *m, int64_t n, int64_t src, int64_t dst) {
  m->shape[m->ndim] = n;
  m->src[m->ndim] = src;
  m->dst[m->ndim] = dst;
  ++m->ndim;
}

/* Strides, in elements, of a C-contiguous array. */
KR_INLINE void move_strides(const kr_array *a, int64_t *strides) {
  int64_t s = 1;
  for (int d = a->ndim - 1; d >= 0; --d) {
    strides[d] = s;
    s *= a->shape[d];
  }
}

#define move_run KR_PASTE(kr_move_run_, KR_ISA_SUFFIX)
#define move_bytes KR_PASTE(kr_move_bytes_, KR_ISA_SUFFIX)
#define move_turned KR_PASTE(kr_move_turned_, KR_ISA_SUFFIX)

/* Runs the move.  `dst` and `src` point at the box's first element. */
void move_run(int threads, kr_move *m, void *dst, const void *src);

/* A contiguous copy of `bytes`, in parallel where that pays; elements of 8 bytes need not be aligned. */
void move_bytes(int threads, void *dst, const void *src, int64_t bytes);

/* dst[i*dst1 + j] = src[i + j*src0] for i < n1, j < n0, elements of 4 or 8 bytes: a transposition, on this thread. */
void move_turned(int64_t size, void *dst, int64_t dst1, const void *src, int64_t src0, int64_t n1, int64_t n0);

#endif
