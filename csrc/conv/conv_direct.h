/* Convolution by the direct tiles of gemm/direct.h for one floating type; conv.c says when.
 *
 * Each output cell is a row of the product: its patch is read where it lies, a run of neighbouring elements at a time,
 * through a table of pointers that serves all columns.  Only the kernel is packed. */

#define DIRECT_WIDTH (DIRECT_NV * V_LANES)

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
  if (!d->biased || slice > 0) return;
  real *start = (real *)d->start + (group * d->panels + panel) * DIRECT_WIDTH;
  for (int64_t i = 0; i < width; ++i) start[i] = i < cols ? ((const real *)d->bias)[group * d->columns + col + i] : 0;
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
  memset(clipped, 0, (size_t)low * sizeof(real));
  KR_FN(copy_few)(first + low, clipped + low, high - low);
  memset(clipped + high, 0, (size_t)(length - high) * sizeof(real));
  return clipped;
}

/* Pointers of the runs of `rows` cells from number `row` on, and where they go in y; gives the list of runs. */
static const direct_list *KR_FN(direct_table)(const direct_job *d, int64_t group, int64_t row, int64_t rows,
                                              KR_FN(direct_own) own, real **y) {
  const patches *p = &d->j.p;
  place cell = place_of(p->cells, row);
  int64_t x[DIRECT_ROWS][3];
  const real *first[DIRECT_ROWS];
  int inside[DIRECT_ROWS], all = 1;
  for (int64_t r = 0; r < rows; ++r) {
    int64_t at = cell.n, out = cell.n * d->y_image;
    inside[r] = 1;
    for (int k = 0; k < 3; ++k) {
      x[r][k] = p->first[k] + cell.cell[k] * p->step[k];
      inside[r] &= x[r][k] >= 0 && x[r][k] + (p->taps[k] - 1) * p->tap[k] < p->in[k];
      at = at * p->in[k] + x[r][k];
      out += cell.cell[k] * d->y_step[k];
    }
    all &= inside[r];
    first[r] = (const real *)p->src + at * p->c + group * p->group_c;
    y[r] = (real *)d->y + out + group * d->columns;
    step_place(p->cells, &cell);
  }
  for (int64_t r = rows; r < DIRECT_ROWS; ++r) first[r] = first[rows - 1];
  const direct_list *list = d->lines.count && (all || p->c <= DIRECT_CLIPPED) ? &d->lines : &d->taps;
  const real **a = own.a;
  real *clipped = own.clipped;
  for (int64_t n = 0; n < list->count; ++n, a += DIRECT_ROWS) {
    const direct_run *run = &list->run[n];
    for (int64_t r = 0; r < DIRECT_ROWS; ++r) a[r] = first[r] + run->offset;
    if (all) continue;
    for (int64_t r = 0; r < rows; ++r)
      if (!inside[r]) {
        a[r] = KR_FN(border_run)(d, run, x[r], a[r], clipped);
        clipped += a[r] == clipped ? run->length : 0;
      }
    for (int64_t r = rows; r < DIRECT_ROWS; ++r) a[r] = a[rows - 1];
  }
  return list;
}

static void KR_FN(direct_task)(void *arg, int64_t task, int worker) {
  const direct_job *d = arg;
  const int64_t col_task = task % d->col_tasks, row_task = task / d->col_tasks % d->row_tasks;
  const int64_t group = task / d->col_tasks / d->row_tasks;
  const int64_t from = row_task * d->tiles / d->row_tasks, to = (row_task + 1) * d->tiles / d->row_tasks;
  const int64_t last = (col_task + 1) * d->panels / d->col_tasks;
  const KR_FN(direct_own) own = KR_FN(direct_own_of)(d, worker);
  KR_FN(direct_args) t = {.a = own.a, .relu = d->relu};
  for (int64_t q0 = col_task * d->panels / d->col_tasks; q0 < last; q0 += d->together) {
    for (int64_t tile = from; tile < to; ++tile) {
      real *y[DIRECT_ROWS], *c[DIRECT_ROWS];
      const int64_t row = tile * DIRECT_ROWS;
      t.rows = kr_min(DIRECT_ROWS, d->rows - row);
      const direct_list *list = KR_FN(direct_table)(d, group, row, t.rows, own, y);
      t.runs = list->count;
      t.length = list->length;
      t.c = c;
      for (int64_t q = q0; q < kr_min(q0 + d->together, last); ++q) {
        const int64_t panel = group * d->panels + q, col = q * DIRECT_WIDTH;
        t.cols = kr_min(DIRECT_WIDTH, d->columns - col);
        t.width = t.cols <= DIRECT_WIDTH / 2 ? DIRECT_WIDTH / 2 : DIRECT_WIDTH;
        t.b = (const real *)d->packed + panel * d->k * DIRECT_WIDTH;
        t.start = d->biased ? (const real *)d->start + panel * DIRECT_WIDTH : NULL;
        for (int64_t r = 0; r < t.rows; ++r) c[r] = y[r] + col;
        KR_FN(direct_tile)(&t);
      }
    }
  }
}

/* Plans a job whose geometry is given and says what scratch it needs, with the addresses in it when `scratch` is one. */
static size_t KR_FN(direct_plan)(direct_job *d, int threads, void *scratch) {
  const patches *p = &d->j.p;
  d->rows = d->images * product(p->cells);
  d->k = product(p->taps) * p->group_c;
  d->tiles = kr_ceil_div(d->rows, DIRECT_ROWS);
  d->panels = kr_ceil_div(d->columns, DIRECT_WIDTH);
  const double work = 2.0 * (double)d->rows * (double)d->k * (double)d->columns;
  d->row_tasks = kr_max(1, kr_min(kr_min(64, d->tiles), (int64_t)fmin(work / DIRECT_WORK, 64)));
  d->col_tasks = kr_max(1, kr_min(d->panels, (int64_t)fmin(work / DIRECT_WORK, 16) / d->row_tasks));
  d->together = kr_max(1, DIRECT_PANELS / kr_max(1, d->k * DIRECT_WIDTH * (int64_t)sizeof(real)));

  const int64_t panels = d->groups * d->panels, runs = kr_max(count_runs(p, 0), count_runs(p, 1));
  size_t used = 0;
  d->packed = take(scratch, &used, panels * d->k * DIRECT_WIDTH * (int64_t)sizeof(real));
  d->start = take(scratch, &used, d->biased ? panels * DIRECT_WIDTH * (int64_t)sizeof(real) : 0);
  d->taps = place_list(scratch, &used, count_runs(p, 0));
  d->lines = place_list(scratch, &used, whole_lines(p) ? count_runs(p, 1) : 0);
  d->table_bytes = kr_round_up(runs * DIRECT_ROWS * (int64_t)sizeof(real *), 64);
  const int64_t clipped = d->lines.count && p->c <= DIRECT_CLIPPED ? DIRECT_ROWS * d->k : 0;
  d->own_bytes = d->table_bytes + kr_round_up(clipped * (int64_t)sizeof(real), 64);
  d->own = take(scratch, &used, kr_min(threads, d->groups * d->row_tasks * d->col_tasks) * d->own_bytes);
  return used;
}

static void KR_FN(direct)(direct_job *d, int threads, void *scratch) {
  KR_FN(direct_plan)(d, threads, scratch);
  list_runs(&d->j.p, 0, &d->taps);
  if (d->lines.count) list_runs(&d->j.p, 1, &d->lines);
  kr_parallel(d->k * d->columns < DIRECT_SLICE * 8 ? 1 : threads,
              d->groups * d->panels * kr_max(1, kr_ceil_div(d->k, DIRECT_SLICE)), KR_FN(direct_pack_task), d);
  kr_parallel(threads, d->groups * d->row_tasks * d->col_tasks, KR_FN(direct_task), d);
}
