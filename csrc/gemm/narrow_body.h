/* Products with few columns, for one real type; see narrow.h. */

#define NARROW_WIDTH (DIRECT_NV * V_LANES)

typedef struct {
  narrow_plan p;
  KR_FN(product) product;
  const real *bias;
  real *y, *packed, *start, *partial;
  int64_t batch; /* the product in hand */
  int relu;
  activation_fn activate; /* other activations, on rows that are done; or NULL */
} KR_FN(narrow_job);

static int64_t KR_FN(narrow_width)(int64_t cols) { return cols <= NARROW_WIDTH / 2 ? NARROW_WIDTH / 2 : NARROW_WIDTH; }

static int64_t KR_FN(narrow_packed)(const narrow_plan *p) {
  return p->kind == NARROW_BY_ROWS ? kr_round_up(kr_ceil_div(p->n, NARROW_WIDTH) * p->k * NARROW_WIDTH, 16) : 0;
}

/* Scratch: the bias, and the packed right operands of as many products as are in hand at a time; or partial sums. */
static size_t KR_FN(narrow_scratch)(const narrow_plan *p, int threads) {
  const int64_t workers = p->batch_tasks ? kr_min(threads, p->batch_tasks) : 1;
  const int64_t start = p->kind == NARROW_BY_ROWS ? kr_round_up(p->n, NARROW_WIDTH) : 0;
  const int64_t partial = p->parts > 1 ? p->parts * p->m * p->n : 0;
  return (size_t)(start + workers * KR_FN(narrow_packed)(p) + partial) * sizeof(real);
}

/* ---- rows of x1 along memory ------------------------------------------------------------------------------------- */

static void KR_FN(narrow_pack_task)(void *arg, int64_t task, KR_UNUSED int worker) {
  const KR_FN(narrow_job) *j = arg;
  const int64_t slices = kr_ceil_div(j->p.k, GEMM_MAX_KC), panel = task / slices, k0 = task % slices * GEMM_MAX_KC;
  const int64_t col = panel * NARROW_WIDTH, cols = kr_min(NARROW_WIDTH, j->p.n - col);
  const int64_t width = KR_FN(narrow_width)(cols);
  KR_FN(product_pack_b)
  (&j->product, j->batch, k0, kr_min(GEMM_MAX_KC, j->p.k - k0), col, cols, width,
   j->packed + panel * j->p.k * NARROW_WIDTH + k0 * width);
}

static void KR_FN(narrow_rows_task)(void *arg, int64_t task, KR_UNUSED int worker) {
  const KR_FN(narrow_job) *j = arg;
  const narrow_plan *p = &j->p;
  const dims *b = &j->product.s.batch;
  const real *x1 = j->product.x1 + offset_at(b, b->a, j->batch);
  real *y = j->y + j->batch * p->m * p->n;
  for (int64_t tile = task * p->tiles / p->tasks; tile < (task + 1) * p->tiles / p->tasks; ++tile) {
    const real *a[DIRECT_ROWS];
    real *c[DIRECT_ROWS];
    const int64_t row = tile * DIRECT_ROWS;
    KR_FN(direct_args)
    t = {.runs = 1, .length = &p->k, .a = a, .c = c, .relu = j->relu, .rows = kr_min(DIRECT_ROWS, p->m - row)};
    for (int64_t r = 0; r < DIRECT_ROWS; ++r) a[r] = x1 + (row + kr_min(r, t.rows - 1)) * p->x1_step;
    for (int64_t col = 0; col < p->n; col += NARROW_WIDTH) {
      t.cols = kr_min(NARROW_WIDTH, p->n - col);
      t.width = KR_FN(narrow_width)(t.cols);
      t.b = j->packed + col * p->k;
      t.start = j->bias ? j->start + col : NULL;
      for (int64_t r = 0; r < t.rows; ++r) c[r] = y + (row + r) * p->n + col;
      KR_FN(direct_tile)(&t);
    }
    if (j->activate) j->activate(y + row * p->n, y + row * p->n, t.rows * p->n, NULL);
  }
}

/* ---- columns of x1 along memory ---------------------------------------------------------------------------------- */

#include "narrow_turned_body.h"

static void KR_FN(narrow_columns_task)(void *arg, int64_t task, KR_UNUSED int worker) {
  const KR_FN(narrow_job) *j = arg;
  const narrow_plan *p = &j->p;
  const int64_t part = task % p->parts, share = task / p->parts;
  const int64_t from = part * p->k / p->parts, to = (part + 1) * p->k / p->parts;
  const dims *b = &j->product.s.batch;
  const real *x1 = j->product.x1 + offset_at(b, b->a, j->batch), *x2 = j->product.x2 + offset_at(b, b->b, j->batch);
  real *c = p->parts > 1 ? j->partial + part * p->m * p->n : j->y + j->batch * p->m * p->n;
#if defined(KR_HAS_TURN)
  if (KR_FN(turns)(p->n)) {
    KR_FN(turned_rows)(p, share, p->tasks, to - from, x1 + from * p->x1_step, x2 + from * p->x2_step, c);
    return;
  }
#endif
  KR_FN(outer_segment) segment;
  KR_FN(outer_args)
  t = {.segments = 1, .segment = &segment, .x_step = p->x1_step, .g_step = p->x2_step, .ldc = p->n};
  const int64_t first = share * p->tiles / p->tasks, last = (share + 1) * p->tiles / p->tasks;
  for (int64_t k = from; k < to; k += NARROW_CELLS) {
    segment = (KR_FN(outer_segment)){x1 + k * p->x1_step, x2 + k * p->x2_step, kr_min(NARROW_CELLS, to - k)};
    t.first = k == from;
    /* Meanwhile the next chunk comes near, x1's part of it first: a share with each tile. */
    const int64_t next = k + NARROW_CELLS, ahead = p->fetch ? kr_min(NARROW_CELLS, to - next) : 0;
    const int64_t tiles = (last - first) * kr_ceil_div(p->n, NARROW_WIDTH), x1_tiles = tiles * p->m / (p->m + p->n);
    int64_t at = 0;
    for (int64_t tile = first; tile < last; ++tile) {
      t.x_at = tile * p->m / p->tiles;
      t.rows = (tile + 1) * p->m / p->tiles - t.x_at;
      for (t.g_at = 0; t.g_at < p->n; t.g_at += NARROW_WIDTH, ++at) {
        t.cols = kr_min(NARROW_WIDTH, p->n - t.g_at);
        t.c = c + t.x_at * p->n + t.g_at;
        if (ahead > 0) {
          const int of_x1 = at < x1_tiles;
          const real *rows = of_x1 ? x1 + next * p->x1_step : x2 + next * p->x2_step;
          const int64_t size = ahead * (of_x1 ? p->m : p->n), shares = of_x1 ? x1_tiles : tiles - x1_tiles;
          t.fetch = rows + size * (of_x1 ? at : at - x1_tiles) / shares;
          t.fetch_step = kr_ceil_div(size * (int64_t)sizeof(real), shares * segment.count);
        }
        KR_FN(outer_tile)(&t);
      }
    }
    t.fetch = NULL;
  }
}

/* Rows that one task finishes. */
static int64_t KR_FN(narrow_rows_of)(int64_t n) { return kr_max(1, 4096 / n); }

/* Some rows of y: the parts, in order, then the bias and the activation. */
static void KR_FN(narrow_finish_task)(void *arg, int64_t task, KR_UNUSED int worker) {
  const KR_FN(narrow_job) *j = arg;
  const narrow_plan *p = &j->p;
  const int64_t step = KR_FN(narrow_rows_of)(p->n);
  real *y = j->y + j->batch * p->m * p->n;
  const real *sums = p->parts > 1 ? j->partial : y;
  const int64_t first = task * step, end = kr_min(first + step, p->m);
  for (int64_t row = first; row < end; ++row)
    for (int64_t col = 0; col < p->n; col += V_LANES) {
      const int64_t lanes = kr_min(V_LANES, p->n - col), at = row * p->n + col;
      vreal sum = v_load_n(sums + at, lanes);
      for (int64_t k = 1; k < p->parts; ++k) sum = v_add(sum, v_load_n(sums + k * p->m * p->n + at, lanes));
      if (j->bias) sum = v_add(sum, v_load_n(j->bias + col, lanes));
      if (j->relu) sum = v_select(v_lt(sum, v_zero()), v_zero(), sum);
      v_store_n(y + at, sum, lanes);
    }
  if (j->activate) j->activate(y + first * p->n, y + first * p->n, (end - first) * p->n, NULL);
}

static void KR_FN(narrow_finish)(KR_FN(narrow_job) * j, int threads) {
  if (j->p.parts == 1 && !j->bias && !j->relu && !j->activate) return;
  kr_parallel(threads, kr_ceil_div(j->p.m, KR_FN(narrow_rows_of)(j->p.n)), KR_FN(narrow_finish_task), j);
}

/* Some whole products, one after the other on this worker. */
static void KR_FN(narrow_batch_task)(void *arg, int64_t task, int worker) {
  KR_FN(narrow_job) j = *(const KR_FN(narrow_job) *)arg;
  const narrow_plan *p = &j.p;
  if (j.packed) j.packed += worker * KR_FN(narrow_packed)(p);
  const int64_t last = (task + 1) * p->batch / p->batch_tasks;
  for (j.batch = task * p->batch / p->batch_tasks; j.batch < last; ++j.batch)
    if (p->kind == NARROW_BY_COLUMNS) {
      KR_FN(narrow_columns_task)(&j, 0, worker);
      KR_FN(narrow_finish)(&j, 1);
    } else {
      const int64_t pieces = kr_ceil_div(p->n, NARROW_WIDTH) * kr_ceil_div(p->k, GEMM_MAX_KC);
      for (int64_t piece = 0; piece < pieces; ++piece) KR_FN(narrow_pack_task)(&j, piece, worker);
      KR_FN(narrow_rows_task)(&j, 0, worker);
    }
}

static void KR_FN(narrow)(const kr_call *call, const product_shape *s, const narrow_plan *p, const real *bias,
                          int activation) {
  KR_FN(narrow_job)
  j = {.p = *p,
       .product = {.s = *s, .x1 = call->in[0].data, .x2 = call->in[1].data},
       .bias = bias,
       .y = call->out[0].data,
       .start = call->scratch,
       .partial = call->scratch,
       .relu = activation == ACTIVATION_RELU,
       .activate = KR_FN(activation_loop)(activation)};
  const int64_t columns = kr_round_up(p->n, NARROW_WIDTH), panels = columns / NARROW_WIDTH;
  if (p->kind == NARROW_BY_ROWS) {
    j.packed = j.start + columns;
    for (int64_t col = 0; bias && col < columns; ++col) j.start[col] = col < p->n ? bias[col] : 0;
  }
  if (p->kind == NARROW_BY_COLUMNS && !p->batch_tasks) /* where rows are cut shows in no bit, so it suits the threads */
    j.p.tasks = kr_min(p->tasks, kr_max(p->tiles / NARROW_TILES, kr_ceil_div(NARROW_EACH * call->threads, p->parts)));
  if (p->batch_tasks) {
    kr_parallel(call->threads, p->batch_tasks, KR_FN(narrow_batch_task), &j);
  } else if (p->kind == NARROW_BY_COLUMNS) {
    kr_parallel(call->threads, j.p.tasks * p->parts, KR_FN(narrow_columns_task), &j);
    KR_FN(narrow_finish)(&j, call->threads);
  } else {
    const int64_t pieces = panels * kr_ceil_div(p->k, GEMM_MAX_KC);
    kr_parallel(p->tasks == 1 ? 1 : call->threads, pieces, KR_FN(narrow_pack_task), &j);
    kr_parallel(call->threads, p->tasks, KR_FN(narrow_rows_task), &j);
  }
}
#undef NARROW_WIDTH
