/* What the gradient to the kernel of conv_outer.h plans for both floating types. */
#ifndef KR_CONV_OUTER_PLAN_H
#define KR_CONV_OUTER_PLAN_H

enum {
  OUTER_PIECE = 48,     /* cells of a line where all are one */
  OUTER_CELLS = 192,    /* cells of a chunk, for each column of tiles: their g is half of L1 */
  OUTER_WORK = 1 << 20, /* flops that make a part, */
  OUTER_SIZE = 1 << 21, /* whose sums have so many elements at most */

  FIRST_CHUNK = 16 << 10, /* first layers (conv_first.h): bytes of g that stay in L1 while all tiles pass over them, */
  FIRST_AHEAD = 4 << 10   /* and how many are fetched ahead where there is one */
};

typedef struct {
  conv_job j; /* j.kernel is g */
  int64_t images, groups;
  void *dk;

  int64_t joined;                      /* cells, where they are lines of OUTER_PIECE whatever they belong to; or 0 */
  int whole;                           /* a line of taps is one run of elements */
  int64_t padded;                      /* elements of a line that reaches into the padding, */
  int copies;                          /* which are copied, if there are any */
  int64_t length, lines, size;         /* elements of a run; runs; elements of dk */
  int64_t rows, chunk;                 /* lines of cells: all, of a chunk */
  int64_t row_tiles, col_tiles, tiles; /* of a run; of dk */
  int64_t parts, shares;               /* of a group: parts over cells, shares of the tiles */
  int packed;                          /* g is packed in panels, chunk by chunk */
  int first;                           /* tiles of several lines of taps */
  int64_t ahead, stride;               /* elements of g, fetched so far ahead; from one copied line to the next */
  void *own, *partial;
  int64_t own_bytes, segment_bytes, copy_bytes;
} outer_job;

#endif
