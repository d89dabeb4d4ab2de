/* What the direct convolution of conv_direct.h plans for both floating types. */
#ifndef KR_CONV_DIRECT_PLAN_H
#define KR_CONV_DIRECT_PLAN_H
#include "gemm/direct.h"
#include "lines_plan.h"

enum {
  DIRECT_WORK = 4000000,     /* flops that make a task */
  DIRECT_PANELS = 768 << 10, /* bytes of packed kernel that a task works through at a time: they stay in L2 */
  DIRECT_BLOCK = 8,          /* tiles of cells at most that a panel of it meets at a time */
  DIRECT_L1 = 32 << 10, /* bytes of packed kernel that stay in L1: a tile meets all of it, or blocks of tiles a panel */
  DIRECT_SLICE = GEMM_MAX_KC, /* rows of the kernel that a packing task packs; elements of a run at most */
  DIRECT_CLIPPED = 32 /* up to so many channels, runs of whole lines are clipped at the border, not cut into taps */
};

/* Elements of a patch that follow each other in memory: some channels of one tap, or (`line`) of a line of taps. */
typedef struct {
  int64_t offset, length, tap[3], at; /* offset: from the first element of the patch; at: from the first of the run */
  int line;
} direct_run;

typedef struct {
  direct_run *run;
  int64_t *length, count;
} direct_list;

typedef struct {
  conv_job j;
  int64_t images, groups, columns; /* columns of a group */
  void *y;                         /* the first cell */
  int64_t y_image, y_step[3];      /* elements from one image, one cell to the next */
  const void *bias;
  int biased, relu, turned; /* turned: the kernel is packed with its channels as columns */
  int spread;               /* Winograd's tiles of g are spread over dx */
  const void *ready;        /* the kernel, packed or transformed once for many calls; or NULL */

  int64_t rows, k, tiles, panels, row_tasks, col_tasks, together, block;
  const void *packed;
  void *start, *own;
  int64_t own_bytes, table_bytes, table_runs, clipped;
  direct_list taps, lines; /* the runs tap by tap; line by line, where lines are whole */

  int by_lines, paired; /* cells are taken in lines (conv_lines.h); their columns are those of two jobs, */
  conv_job right;       /* of which this is the second */
  int64_t last;         /* columns of the last cell of a line of these */
  int64_t first, reach; /* source column of the first cell's first tap; columns from a patch's first tap to its last */
  int64_t height, pieces; /* cells of a tile, pieces of a line */
  int64_t copied;         /* elements of a line of taps that a piece at the border copies */
  int64_t line_runs;
  line_run *line_run;
} direct_job;

static int64_t count_runs(const patches *p, int line) {
  const int64_t length = line ? p->taps[2] * p->c : p->group_c;
  return p->taps[0] * p->taps[1] * (line ? 1 : p->taps[2]) * kr_ceil_div(length, DIRECT_SLICE);
}

/* Tasks of one group.  Each reads its rows of the source and its columns of the kernel: cells are shared out first,
 * since a task's own part of x is small, unless the kernel does not stay in L2 and is read anew by each. */
static void direct_partition(direct_job *d, int64_t panel_bytes, int64_t source_bytes, int threads) {
  const double work = 2.0 * (double)d->rows * (double)d->k * (double)d->columns / DIRECT_WORK;
  const int64_t tasks = kr_pieces(work, PARTITION_MOST), rows = kr_min(tasks, kr_max(1, d->tiles));
  const int64_t cols = kr_min(tasks, kr_max(1, d->panels)), kernel_bytes = d->panels * panel_bytes;
  if (kernel_bytes > DIRECT_PANELS && (double)rows * (double)kernel_bytes > (double)cols * (double)source_bytes) {
    d->col_tasks = cols;
    d->row_tasks = kr_max(1, kr_min(rows, tasks / cols));
  } else {
    d->row_tasks = rows;
    d->col_tasks = kr_max(1, kr_min(cols, kr_min(tasks, 16) / rows));
    if (d->col_tasks == 1) d->row_tasks = even_tasks(rows, threads, kr_min(d->tiles, PARTITION_FINER * rows));
  }
}

/* The next `bytes` of scratch, or NULL where only the size is wanted. */
static void *take(void *scratch, size_t *used, int64_t bytes) {
  void *at = scratch ? (char *)scratch + *used : NULL;
  *used += (size_t)kr_round_up(bytes, 64);
  return at;
}

static direct_list place_list(void *scratch, size_t *used, int64_t count) {
  direct_list list = {.count = count};
  list.run = take(scratch, used, count * (int64_t)sizeof(direct_run));
  list.length = take(scratch, used, count * (int64_t)sizeof(int64_t));
  return list;
}

static void list_runs(const patches *p, int line, direct_list *list) {
  const int64_t whole = line ? p->taps[2] * p->c : p->group_c, columns = line ? 1 : p->taps[2];
  int64_t n = 0;
  for (int64_t t = 0; t < p->taps[0] * p->taps[1] * columns; ++t) {
    const int64_t tap[3] = {t / columns / p->taps[1], t / columns % p->taps[1], t % columns};
    const int64_t row = tap[0] * p->tap[0] * p->in[1] + tap[1] * p->tap[1];
    for (int64_t at = 0; at < whole; at += DIRECT_SLICE, ++n) {
      list->length[n] = kr_min(DIRECT_SLICE, whole - at);
      list->run[n] = (direct_run){.offset = (row * p->in[2] + tap[2] * p->tap[2]) * p->c + at,
                                  .length = list->length[n],
                                  .tap = {tap[0], tap[1], tap[2]},
                                  .at = at,
                                  .line = line};
    }
  }
}

/* A product of the cells with a matrix: they are one line, whatever they belong to. */
static void join_lines(direct_job *d) {
  patches *p = &d->j.p;
  int joins = d->groups == 1 && !d->paired;
  for (int k = 0; k < 3; ++k)
    joins &= p->taps[k] == 1 && p->first[k] == 0 && p->step[k] == 1 && p->in[k] == p->cells[k];
  joins &= d->y_step[1] == p->cells[2] * d->y_step[2] && d->y_step[0] == p->cells[1] * d->y_step[1];
  if (!joins || d->y_image != p->cells[0] * d->y_step[0]) return;
  p->in[2] = p->cells[2] = d->images * product(p->cells);
  p->in[0] = p->in[1] = p->cells[0] = p->cells[1] = d->images = 1;
}

/* The number of the tap that meets source column `first` + `column`, or -1. */
static int64_t tap_at(const patches *p, int64_t first, int64_t column) {
  const int64_t from = first + column - p->first[2];
  return from >= 0 && from % p->tap[2] == 0 && from / p->tap[2] < p->taps[2] ? from / p->tap[2] : -1;
}

/* What the cells of a line meet of the lines of taps; gives the number of runs. */
static int64_t list_line_runs(const direct_job *d, line_run *run) {
  const patches *p = &d->j.p;
  const int64_t lines = p->taps[0] * p->taps[1];
  int64_t n = 0, k = 0;
  if (d->paired) {
    for (int64_t at = 0; at < lines * (d->reach + 1); ++at) {
      const int64_t column = at % (d->reach + 1);
      const int left = tap_at(p, d->first, column) >= 0, right = tap_at(&d->right.p, d->first, column) >= 0;
      if (!left && !right) continue;
      const int part = left && right ? LINE_ALL : left ? LINE_LEFT : LINE_RIGHT;
      if (run) run[n] = (line_run){at / (d->reach + 1), column * p->c, p->c, k, part};
      k += (left + right) * p->c;
      ++n;
    }
    return n;
  }
  const int whole = whole_lines(p);
  const int64_t columns = whole ? kr_min(p->taps[2], 1) : p->taps[2], length = whole ? p->taps[2] * p->c : p->c;
  for (; n < lines * columns; ++n, k += length)
    if (run) run[n] = (line_run){n / columns, n % columns * p->tap[2] * p->c, length, k, LINE_ALL};
  return n;
}

/* Plans the lines of a job whose tasks direct_partition has planned. */
static void plan_lines(direct_job *d, int threads) {
  const patches *p = &d->j.p, *right = d->paired && d->right.p.taps[2] ? &d->right.p : p;
  const int64_t first = p->taps[2] ? p->first[2] : right->first[2];
  d->first = kr_min(first, right->first[2]);
  d->reach =
      kr_max(first + (p->taps[2] - 1) * p->tap[2], right->first[2] + (right->taps[2] - 1) * right->tap[2]) - d->first;
  d->reach = kr_max(0, d->reach);
  d->height = line_height(p->cells[2]);
  const int64_t tiles = kr_ceil_div(p->cells[2], d->height), block = tiles > DIRECT_BLOCK ? d->block : tiles;
  d->pieces = kr_ceil_div(tiles, block);
  const double work = 2.0 * (double)d->rows * (double)d->k * (double)d->columns / LINE_WORK;
  const int64_t most = kr_max(1, d->images * p->cells[0] * p->cells[1] * d->pieces);
  d->row_tasks = kr_min(d->row_tasks, most);
  const int64_t tasks = kr_pieces(work, PARTITION_MOST);
  if (d->col_tasks == 1) d->row_tasks = even_tasks(tasks, threads, kr_min(most, PARTITION_FINER * tasks));
  const int64_t columns = (kr_min(p->cells[2], block * d->height) - 1) * p->step[2] + d->reach + 1;
  const int border = d->first < 0 || d->first + (p->cells[2] - 1) * p->step[2] + d->reach + 1 > p->in[2];
  d->copied = border ? columns * p->c : 0;
  d->line_runs = list_line_runs(d, NULL);
}

#endif
