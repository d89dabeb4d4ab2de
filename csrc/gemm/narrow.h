/* Products with few columns, which do not pay for packing the left operand: how they are recognised and cut up. */
#ifndef KR_GEMM_NARROW_H
#define KR_GEMM_NARROW_H
#include "gemm/direct.h"

/* With rows of x1 along memory, direct tiles win up to 128 columns, and as long as a panel of x2 stays in L2; with
 * columns along memory, outer tiles up to 64 (both measured on convolutions, conv/conv.c). */
enum {
  NARROW_BY_ROWS = 1,
  NARROW_BY_COLUMNS,
  NARROW_ROWS_MOST = 128,
  NARROW_COLUMNS_MOST = 64,
  NARROW_MOST_K = 4096,
  NARROW_LEAST_M = 8,
  NARROW_FLAT = 64,     /* columns from which on a few rows are left to core.h */
  NARROW_WORK = 600000, /* flops that make a task: 4 to 8 us, to 1 or 2 for waking somebody */
  NARROW_CELLS = 64,    /* k of a chunk by columns: its part of x2 stays in L1 */
  NARROW_LEAST_K = 400, /* k of a part by columns at least: its sum passes through memory three times */
  NARROW_TILES = 16,    /* tiles of a task by columns, which reads all of x2 for them; */
  NARROW_EACH = 4,      /* fewer where threads would not have so many tasks each, */
  NARROW_FEWER = 4,     /* but not fewer than so many */
  NARROW_PARTS = 16     /* sums over parts of k at most, */
};
#define NARROW_PARTIAL (1 << 20) /* which have so many elements in all at most */

typedef struct {
  int kind;
  int64_t batch, m, n, k, x1_step, x2_step; /* from one row (by columns: one k) to the next, in elements */
  int64_t tiles, tasks, parts;              /* tiles of rows, and tasks over them (by columns: at most); over k */
  int fetch;                                /* by columns: the next chunk is brought near while one is multiplied */
  int64_t batch_tasks;                      /* > 0: each task computes whole products */
} narrow_plan;

static int plan_narrow(const product_shape *s, narrow_plan *p) {
  if (s->m.ndim != 1 || s->n.ndim != 1 || s->k.ndim != 1 || s->m.total < NARROW_LEAST_M) return 0;
  if (s->batch.total == 0 || s->n.total == 0 || s->k.total == 0) return 0; /* nothing, or sums of nothing */
  *p = (narrow_plan){.batch = s->batch.total, .m = s->m.total, .n = s->n.total, .k = s->k.total, .parts = 1};
  p->tiles = kr_ceil_div(p->m, DIRECT_ROWS);
  const double work = 2.0 * (double)p->m * (double)p->n * (double)p->k / NARROW_WORK;
  const int64_t tasks = kr_pieces(work, 64);
  p->tasks = kr_min(tasks, p->tiles);
  if (p->batch > 1) {
    p->batch_tasks = kr_min(p->batch, kr_pieces((double)p->batch * work, 256));
    p->tasks = 1;
  }
  /* Packing few rows costs less than packing x2, which core.h's first tile does on the way. */
  const int flat = p->batch == 1 && s->n.b[0] == 1 && p->n >= NARROW_FLAT && p->m <= 8 + p->n / 4;
  if (s->k.a[0] == 1 && flat) return 0;
  if (s->k.a[0] == 1 && p->n <= NARROW_ROWS_MOST && p->k <= NARROW_MOST_K) {
    p->kind = NARROW_BY_ROWS;
    p->x1_step = s->m.a[0];
    return 1;
  }
  if (s->m.a[0] == 1 && s->n.b[0] == 1 && p->n <= NARROW_COLUMNS_MOST) {
    p->kind = NARROW_BY_COLUMNS;
    p->x1_step = s->k.a[0];
    p->x2_step = s->k.b[0];
    p->fetch = p->x1_step == p->m && p->x2_step == p->n;
    if (p->batch == 1) {
      p->parts =
          kr_max(1, kr_min(kr_min(NARROW_PARTS, tasks), kr_min(p->k / NARROW_LEAST_K, NARROW_PARTIAL / (p->m * p->n))));
      p->tasks = kr_max(1, kr_min(tasks / p->parts, p->tiles / NARROW_FEWER));
    }
    return 1;
  }
  return 0;
}

#endif
