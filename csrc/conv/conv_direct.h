/* Convolution by the direct tiles of gemm/direct.h for one floating type; conv.c says when.
 *
 * Each output cell is a row of the product: its patch is read where it lies, a run of neighbouring elements at a time,
 * through a table of pointers that serves all columns.  Only the kernel is packed. */

#define DIRECT_WIDTH (DIRECT_NV * V_LANES)

/* The rows of the kernel for a run of a paired job. */
static void KR_FN(pair_pack_task)(void *arg, int64_t task, KR_UNUSED int worker) {
  const direct_job *d = arg;
  const line_run *run = &d->line_run[task];
  const conv_job *const job[2] = {&d->j, &d->right};
  const real *src[GEMM_MAX_NR];
  const int64_t height = d->j.p.taps[1];
  int64_t count = 0;
  for (int i = 0; i < 2; ++i) {
    const int64_t column = tap_at(&job[i]->p, d->first, run->at / d->j.p.c), c = job[i]->kernel_c;
    if (column < 0) continue;
    const int64_t tap = kernel_tap(job[i], run->line / height, run->line % height, column);
    for (int64_t k = 0; k < c; ++k) src[count++] = (const real *)job[i]->kernel + (tap * c + k) * job[i]->filters;
  }
  KR_FN(pack_rows)(src, count, count, run->length, (real *)d->packed + run->k * (DIRECT_WIDTH / 2));
}

static void KR_FN(direct_pack_task)(void *arg, int64_t task, KR_UNUSED int worker) {
  const direct_job *d = arg;
  const int64_t slices = kr_max(1, kr_ceil_div(d->k, DIRECT_SLICE)), slice = task % slices,
                panel = task / slices % d->panels;
  const int64_t group = task / slices / d->panels, k0 = slice * DIRECT_SLICE, kc = kr_min(DIRECT_SLICE, d->k - k0);
  const int64_t col = panel * DIRECT_WIDTH, cols = kr_min(DIRECT_WIDTH, d->columns - col);
  const int64_t width = cols <= DIRECT_WIDTH / 2 ? DIRECT_WIDTH / 2 : DIRECT_WIDTH;
  real *dst = (real *)d->packed + ((group * d->panels + panel) * d->k) * DIRECT_WIDTH + k0 * width;
  if (d->turned) KR_FN(turned_kernel)(&d->j, group, k0, kc, col, cols, width, dst);
  else KR_FN(rows_of_filters)(&d->j, group, k0, kc, col, cols, width, dst);
}

static void KR_FN(direct_pack)(direct_job *d, int threads) {
  const int packers = d->k * d->columns < DIRECT_SLICE * 8 ? 1 : threads;
  if (d->paired) kr_parallel(packers, d->line_runs, KR_FN(pair_pack_task), d);
  else
    kr_parallel(packers, d->groups * d->panels * kr_max(1, kr_ceil_div(d->k, DIRECT_SLICE)), KR_FN(direct_pack_task),
                d);
}

/* The bias in panels of columns, with zeros behind the last. */
static void KR_FN(direct_start)(const direct_job *d) {
  const int64_t width = d->panels * DIRECT_WIDTH;
  real *start = d->start;
  for (int64_t group = 0; group < d->groups; ++group, start += width)
    for (int64_t i = 0; i < width; ++i) start[i] = i < d->columns ? ((const real *)d->bias)[group * d->columns + i] : 0;
}

/* What a worker writes: the table of pointers, and the clipped runs of cells at the border. */
typedef struct {
  const real **a; /* (runs, DIRECT_ROWS) */
  real *clipped;  /* (runs, DIRECT_ROWS, length of a run) */
} KR_FN(direct_own);

static KR_FN(direct_own) KR_FN(direct_own_of)(const direct_job *d, int worker) {
  char *own = (char *)d->own + worker * d->own_bytes;
  return (KR_FN(direct_own)){(const real **)own, (real *)(own + d->table_bytes)};
}

/* A run of a cell at the border: where it lies, or zeros, or a clipped copy. */
static const real *KR_FN(border_run)(const direct_job *d, const direct_run *run, const int64_t x[3], const real *first,
                                     real *clipped) {
  const patches *p = &d->j.p;
  const int64_t at[2] = {x[0] + run->tap[0] * p->tap[0], x[1] + run->tap[1] * p->tap[1]};
  if (at[0] < 0 || at[0] >= p->in[0] || at[1] < 0 || at[1] >= p->in[1]) return KR_FN(padding);
  if (!run->line) {
    const int64_t column = x[2] + run->tap[2] * p->tap[2];
    return column >= 0 && column < p->in[2] ? first : KR_FN(padding);
  }
  const int64_t from = x[2] * p->c + run->at, size = p->in[2] * p->c, length = run->length;
  const int64_t low = kr_max(0, kr_min(-from, length)), high = kr_max(low, kr_min(size - from, length));
  if (low == 0 && high == length) return first;
  if (high == low) return KR_FN(padding);
  for (int64_t i = 0; i < length; i += V_LANES) v_store(clipped + i, v_zero());
  KR_FN(copy_few)(first + low, clipped + low, high - low);
  return clipped;
}

/* Where the patches of some cells begin, in x and by position, and whether they lie inside the source. */
typedef struct {
  const real *first[DIRECT_ROWS];
  real *y[DIRECT_ROWS];
  int64_t x[DIRECT_ROWS][3];
  int inside[DIRECT_ROWS], all;
} KR_FN(direct_cells);

static void KR_FN(find_cells)(const direct_job *d, int64_t group, int64_t row, int64_t rows, KR_FN(direct_cells) * at) {
  const patches *p = &d->j.p;
  place cell = place_of(p->cells, row);
  at->all = 1;
  for (int64_t r = 0; r < rows;) { /* a line of cells, or what the tile has of it */
    const int64_t count = kr_min(rows - r, p->cells[2] - cell.cell[2]);
    int64_t line = cell.n, out = cell.n * d->y_image, x[2];
    int within = 1;
    for (int k = 0; k < 2; ++k) {
      x[k] = p->first[k] + cell.cell[k] * p->step[k];
      within &= x[k] >= 0 && x[k] + (p->taps[k] - 1) * p->tap[k] < p->in[k];
      line = line * p->in[k] + x[k];
      out += cell.cell[k] * d->y_step[k];
    }
    const real *src = (const real *)p->src + line * p->in[2] * p->c + group * p->group_c;
    real *y = (real *)d->y + out + group * d->columns;
    const int64_t reach = (p->taps[2] - 1) * p->tap[2];
    for (int64_t i = 0; i < count; ++i, ++r) {
      const int64_t column = p->first[2] + (cell.cell[2] + i) * p->step[2];
      at->x[r][0] = x[0];
      at->x[r][1] = x[1];
      at->x[r][2] = column;
      at->inside[r] = within & (column >= 0) & (column + reach < p->in[2]);
      at->all &= at->inside[r];
      at->first[r] = src + column * p->c;
      at->y[r] = y + (cell.cell[2] + i) * d->y_step[2];
    }
    cell.cell[2] = p->cells[2] - 1;
    step_place(p->cells, &cell);
  }
  for (int64_t r = rows; r < DIRECT_ROWS; ++r) at->first[r] = at->first[rows - 1];
}

/* Pointers of the runs of `rows` cells; gives the list of runs. */
static const direct_list *KR_FN(direct_table)(const direct_job *d, const KR_FN(direct_cells) * at, int64_t rows,
                                              KR_FN(direct_own) own) {
  const patches *p = &d->j.p;
  const direct_list *list = d->lines.count && (at->all || p->c <= DIRECT_CLIPPED) ? &d->lines : &d->taps;
  const real **a = own.a;
  real *clipped = own.clipped;
  for (int64_t n = 0; n < list->count; ++n, a += DIRECT_ROWS) {
    const direct_run *run = &list->run[n];
    for (int64_t r = 0; r < DIRECT_ROWS; ++r) a[r] = at->first[r] + run->offset;
    if (at->all) continue;
    for (int64_t r = 0; r < rows; ++r)
      if (!at->inside[r]) {
        a[r] = KR_FN(border_run)(d, run, at->x[r], a[r], clipped);
        clipped += a[r] == clipped ? kr_round_up(run->length, V_LANES) : 0;
      }
    for (int64_t r = rows; r < DIRECT_ROWS; ++r) a[r] = a[rows - 1];
  }
  return list;
}

/* Blocks of tiles, so that a panel of the kernel stays in L1 while it meets all of them. */
static void KR_FN(direct_task)(void *arg, int64_t task, int worker) {
  const direct_job *d = arg;
  const int64_t col_task = task % d->col_tasks, row_task = task / d->col_tasks % d->row_tasks;
  const int64_t group = task / d->col_tasks / d->row_tasks;
  const int64_t to = (row_task + 1) * d->tiles / d->row_tasks, last = (col_task + 1) * d->panels / d->col_tasks;
  const KR_FN(direct_own) own = KR_FN(direct_own_of)(d, worker);
  for (int64_t q0 = col_task * d->panels / d->col_tasks; q0 < last; q0 += d->together)
    for (int64_t tile = row_task * d->tiles / d->row_tasks, next; tile < to; tile = next) {
      KR_FN(direct_args) t[DIRECT_BLOCK];
      KR_FN(direct_cells) at[DIRECT_BLOCK];
      real *c[DIRECT_ROWS];
      next = kr_min(to, tile + d->block);
      for (int64_t b = 0; b < next - tile; ++b) {
        const KR_FN(direct_own) mine = {own.a + b * d->table_runs * DIRECT_ROWS, own.clipped + b * d->clipped};
        const int64_t row = (tile + b) * DIRECT_ROWS, rows = kr_min(DIRECT_ROWS, d->rows - row);
        KR_FN(find_cells)(d, group, row, rows, &at[b]);
        const direct_list *list = KR_FN(direct_table)(d, &at[b], rows, mine);
        t[b] = (KR_FN(direct_args)){
            .a = mine.a, .c = c, .relu = d->relu, .rows = rows, .runs = list->count, .length = list->length};
      }
      for (int64_t q = q0; q < kr_min(q0 + d->together, last); ++q)
        for (int64_t b = 0; b < next - tile; ++b) {
          const int64_t panel = group * d->panels + q, col = q * DIRECT_WIDTH;
          t[b].cols = kr_min(DIRECT_WIDTH, d->columns - col);
          t[b].width = t[b].cols <= DIRECT_WIDTH / 2 ? DIRECT_WIDTH / 2 : DIRECT_WIDTH;
          t[b].b = (const real *)d->packed + panel * d->k * DIRECT_WIDTH;
          t[b].start = d->biased ? (const real *)d->start + panel * DIRECT_WIDTH : NULL;
          for (int64_t r = 0; r < t[b].rows; ++r) c[r] = at[b].y[r] + col;
          KR_FN(direct_tile)(&t[b]);
        }
    }
}

#include "conv_lines.h"

static int64_t KR_FN(direct_packed)(int64_t k, int64_t columns) {
  return kr_ceil_div(columns, DIRECT_WIDTH) * k * DIRECT_WIDTH * (int64_t)sizeof(real);
}

/* Plans a job whose geometry is given and says what scratch it needs, with the addresses in it when `scratch` is one. */
static size_t KR_FN(direct_plan)(direct_job *d, int threads, void *scratch) {
  join_lines(d);
  const patches *p = &d->j.p;
  d->rows = d->images * product(p->cells);
  d->k = product(p->taps) * p->group_c;
  if (d->paired) d->k = kr_ceil_div(d->k + product(d->right.p.taps) * p->group_c, 2);
  d->tiles = kr_ceil_div(d->rows, DIRECT_ROWS);
  d->panels = kr_ceil_div(d->columns, DIRECT_WIDTH);
  const int64_t panel_bytes = kr_max(1, d->k * DIRECT_WIDTH * (int64_t)sizeof(real));
  direct_partition(d, panel_bytes, d->images * product(p->in) * p->c * (int64_t)sizeof(real), threads);
  d->together = kr_max(1, DIRECT_PANELS / panel_bytes);
  d->block = d->panels * panel_bytes <= DIRECT_L1 ? 1 : kr_max(1, kr_min(DIRECT_BLOCK, DIRECT_L1 / panel_bytes));

  const int64_t panels = d->groups * d->panels;
  size_t used = 0;
  d->packed = take(scratch, &used, d->groups * KR_FN(direct_packed)(d->k, d->columns));
  d->start = take(scratch, &used, d->biased ? panels * DIRECT_WIDTH * (int64_t)sizeof(real) : 0);
  d->by_lines = d->paired || (d->groups == 1 && lines_pay(p->cells[2], d->k, kr_max(1, d->panels), DIRECT_ROWS));
  if (d->by_lines) {
    plan_lines(d, threads);
    d->line_run = take(scratch, &used, d->line_runs * (int64_t)sizeof(line_run));
    d->table_bytes = kr_round_up(2 * d->line_runs * (int64_t)sizeof(void *), 64);
    d->own_bytes = d->table_bytes + kr_round_up(p->taps[0] * p->taps[1] * d->copied * (int64_t)sizeof(real), 64);
  } else {
    const int64_t runs = kr_max(count_runs(p, 0), count_runs(p, 1));
    d->taps = place_list(scratch, &used, count_runs(p, 0));
    d->lines = place_list(scratch, &used, whole_lines(p) ? count_runs(p, 1) : 0);
    d->table_runs = runs;
    d->table_bytes = kr_round_up(d->block * runs * DIRECT_ROWS * (int64_t)sizeof(real *), 64);
    d->clipped = d->lines.count && p->c <= DIRECT_CLIPPED ? DIRECT_ROWS * (d->k + d->lines.count * V_LANES) : 0;
    d->own_bytes = d->table_bytes + kr_round_up(d->block * d->clipped * (int64_t)sizeof(real), 64);
  }
  d->own = take(scratch, &used, kr_min(threads, d->groups * d->row_tasks * d->col_tasks) * d->own_bytes);
  return used;
}

static void KR_FN(direct)(direct_job *d, int threads, void *scratch) {
  KR_FN(direct_plan)(d, threads, scratch);
  const int64_t tasks = d->groups * d->row_tasks * d->col_tasks;
  if (d->by_lines) list_line_runs(d, d->line_run);
  if (d->ready) d->packed = d->ready;
  else KR_FN(direct_pack)(d, threads);
  if (d->biased) KR_FN(direct_start)(d);
  if (d->by_lines) {
    kr_parallel(threads, tasks, KR_FN(line_task), d);
    return;
  }
  list_runs(&d->j.p, 0, &d->taps);
  if (d->lines.count) list_runs(&d->j.p, 1, &d->lines);
  kr_parallel(threads, tasks, KR_FN(direct_task), d);
}
