/* What the gradient to the kernel of conv_outer.h plans for both floating types. */
#ifndef KR_CONV_OUTER_PLAN_H
#define KR_CONV_OUTER_PLAN_H

enum {
  OUTER_PIECE = 48,     /* cells of a line where all are one */
  OUTER_CELLS = 192,    /* cells of a chunk, for each column of tiles: their g is half of L1 */
  OUTER_TASKS = 32,     /* tasks at most, */
  OUTER_PARTS = 16,     /* of which so many over cells, */
  OUTER_SIZE = 1 << 21, /* whose sums have so many elements at most */
  OUTER_SUM = 8192      /* elements of dk that a task finishes */
};

typedef struct {
  conv_job j; /* j.kernel is g */
  int64_t images, groups;
  void *dk;

  int64_t joined;                      /* cells, where they are lines of OUTER_PIECE whatever they belong to; or 0 */
  int whole;                           /* a line of taps is one run of elements */
  int64_t padded, copies;              /* elements of a line that reaches into the padding; of those of a chunk, or 0 */
  int64_t length, lines, size;         /* elements of a run; runs; elements of dk */
  int64_t rows, chunk, chunks;         /* lines of cells: all, of a chunk; chunks */
  int64_t row_tiles, col_tiles, tiles; /* of a run; of dk */
  int64_t parts, shares;               /* tasks of a group: over cells, over tiles */
  int packed;                          /* g is packed in panels, chunk by chunk */
  void *own, *partial;
  int64_t own_bytes, segment_bytes, copy_bytes;
} outer_job;

#endif
