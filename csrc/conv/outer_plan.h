/* What the gradient to the kernel of conv_outer.h plans for both floating types. */
#ifndef KR_CONV_OUTER_PLAN_H
#define KR_CONV_OUTER_PLAN_H

enum {
  OUTER_CELLS = 192,    /* cells of a chunk: their g, a tile wide, is half of L1 */
  OUTER_TASKS = 32,     /* tasks at most, */
  OUTER_PARTS = 16,     /* of which so many over cells, */
  OUTER_SIZE = 1 << 21, /* whose sums have so many elements at most */
  OUTER_SUM = 8192      /* elements of dk that a task finishes */
};

typedef struct {
  conv_job j; /* j.kernel is g */
  int64_t images, groups;
  void *dk;

  int whole;                           /* a line of taps is one run of elements */
  int64_t length, lines, size;         /* elements of a run; runs; elements of dk */
  int64_t rows, chunk, chunks;         /* lines of cells: all, of a chunk; chunks */
  int64_t row_tiles, col_tiles, tiles; /* of a run; of dk */
  int64_t parts, shares;               /* tasks of a group: over cells, over tiles */
  void *own, *partial;
  int64_t own_bytes, segment_bytes;
} outer_job;

/* Cells of a line whose run of taps does not lie inside the source. */
static int64_t border_cells(const patches *p) {
  int64_t count = 0;
  for (int64_t i = 0; i < p->cells[2]; ++i) {
    const int64_t x = p->first[2] + i * p->step[2];
    count += x < 0 || x + p->taps[2] - 1 >= p->in[2];
  }
  return count;
}

#endif
