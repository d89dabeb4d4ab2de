/* What the direct convolution of conv_direct.h plans for both floating types. */
#ifndef KR_CONV_DIRECT_PLAN_H
#define KR_CONV_DIRECT_PLAN_H
#include "gemm/direct.h"

enum {
  DIRECT_WORK = 4000000,     /* flops that make a task */
  DIRECT_PANELS = 768 << 10, /* bytes of packed kernel that a task works through at a time: they stay in L2 */
  DIRECT_BLOCK = 8,          /* tiles of cells at most that a panel of it meets at a time */
  DIRECT_L1 = 32 << 10, /* bytes of packed kernel that stay in L1: a tile meets all of it, or blocks of tiles a panel */
  DIRECT_SLICE = GEMM_MAX_KC, /* rows of the kernel that a packing task packs; elements of a run at most */
  LINE_WORK = 1 << 20,        /* flops that make a task of lines */
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
  const void *ready;        /* the kernel, packed or transformed once for many calls; or NULL */

  int64_t rows, k, tiles, panels, row_tasks, col_tasks, together, block;
  const void *packed;
  void *start, *own;
  int64_t own_bytes, table_bytes, table_runs, clipped;
  int64_t line_tasks;      /* where cells are taken in lines (conv_lines.h) */
  direct_list taps, lines; /* the runs tap by tap; line by line, where lines are whole */
} direct_job;

static int64_t count_runs(const patches *p, int line) {
  const int64_t length = line ? p->taps[2] * p->c : p->group_c;
  return p->taps[0] * p->taps[1] * (line ? 1 : p->taps[2]) * kr_ceil_div(length, DIRECT_SLICE);
}

/* Cells of a tile of conv_lines.h, which leaves registers for more of them: those heights that fill the usual lines. */
#if defined(KR_FOR_AVX512)
#define LINE_HEIGHTS(X) X(8) X(11) X(13) X(14)
enum { LINE_LEAST = 8, LINE_MOST = 14 };
#elif defined(KR_FOR_AVX2) || defined(KR_FOR_NEON)
#define LINE_HEIGHTS(X) X(4) X(5) X(6)
enum { LINE_LEAST = 4, LINE_MOST = 6 };
#else
#define LINE_HEIGHTS(X) X(4)
enum { LINE_LEAST = 4, LINE_MOST = 4 };
#endif

/* The height that computes fewest cells twice. */
static int64_t line_height(int64_t cells) {
  int64_t best = LINE_LEAST;
#define TRY(height) \
  if (height <= cells && kr_round_up(cells, height) <= kr_round_up(cells, best)) best = height;
  LINE_HEIGHTS(TRY)
#undef TRY
  return best;
}

/* Elements of the source that a line of cells meets. */
static int64_t line_padded(const patches *p) { return ((p->cells[2] - 1) * p->step[2] + p->taps[2]) * p->c; }

/* Whether the patches of neighbouring cells are a step apart that conv_lines.h has as a constant: those of first layers
 * of 1 or 3 channels, stride 1 or 2. */
static int runs_in_lines(const direct_job *d) {
  const patches *p = &d->j.p;
  const int64_t step = p->step[2] * p->c;
  return !d->turned && whole_lines(p) && (step == 1 || step == 3 || step == 6) && p->cells[2] >= LINE_LEAST;
}

/* Tasks of one group.  Each reads its rows of the source and its columns of the kernel: cells are shared out first,
 * since a task's own part of x is small, unless the kernel does not stay in L2 and is read anew by each. */
static void direct_partition(direct_job *d, int64_t panel_bytes, int64_t source_bytes) {
  const double work = 2.0 * (double)d->rows * (double)d->k * (double)d->columns / DIRECT_WORK;
  const int64_t tasks = (int64_t)fmin(fmax(work, 1), 64), rows = kr_min(tasks, kr_max(1, d->tiles));
  const int64_t cols = kr_min(tasks, kr_max(1, d->panels)), kernel_bytes = d->panels * panel_bytes;
  if (kernel_bytes > DIRECT_PANELS && (double)rows * (double)kernel_bytes > (double)cols * (double)source_bytes) {
    d->col_tasks = cols;
    d->row_tasks = kr_max(1, kr_min(rows, tasks / cols));
  } else {
    d->row_tasks = rows;
    d->col_tasks = kr_max(1, kr_min(cols, kr_min(tasks, 16) / rows));
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

#endif
