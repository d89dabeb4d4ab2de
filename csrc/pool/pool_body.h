/* Pooling for one floating type; pool.c says what each kernel computes. */

/* ---- one window: `nv` vectors of channels, the last of them with `lanes` channels ----------------------------------
 * counts are the box's, or constants that let the compiler unroll the loops of common windows. */

KR_INLINE void KR_FN(reduce_box)(const real *x, const box *b, const int64_t *counts, real *y, int mode, real cells,
                                 int nv, int64_t lanes) {
  vreal acc[4];
  for (int v = 0; v < nv; ++v) acc[v] = mode == MAX ? v_set1((real)-INFINITY) : v_zero();
  for (int64_t i = 0; i < counts[0]; ++i)
    for (int64_t j = 0; j < counts[1]; ++j) {
      const real *p = x + i * b->step[0] + j * b->step[1];
      for (int64_t k = 0; k < counts[2]; ++k, p += b->step[2])
        for (int v = 0; v < nv; ++v) {
          const vreal cell = KR_FN(load)(p + v * V_LANES, lanes);
          acc[v] = mode == MAX ? v_max_nan(cell, acc[v]) : v_add(acc[v], cell);
        }
    }
  for (int v = 0; v < nv; ++v)
    KR_FN(store)(y + v * V_LANES, mode == MAX ? acc[v] : v_div(acc[v], v_set1(cells)), lanes);
}

/* Where the first largest cell of the window is, counting its cells in memory order; with `values`, what stands there
 * in that array instead. */
KR_INLINE vreal KR_FN(first_max)(const real *x, const real *values, const box *b, const int64_t *counts,
                                 int64_t lanes) {
  vreal best = KR_FN(load)(x, lanes), at = values ? KR_FN(load)(values, lanes) : v_zero();
  real index = 0;
  for (int64_t i = 0; i < counts[0]; ++i)
    for (int64_t j = 0; j < counts[1]; ++j)
      for (int64_t k = 0; k < counts[2]; ++k, index += 1) {
        const int64_t offset = i * b->step[0] + j * b->step[1] + k * b->step[2];
        const vreal cell = KR_FN(load)(x + offset, lanes);
        const vmask hit = m_and(m_not(v_le(cell, best)), v_eq(best, best)); /* larger, or the first NaN */
        best = v_select(hit, cell, best);
        at = v_select(hit, values ? KR_FN(load)(values + offset, lanes) : v_set1(index), at);
      }
  return at;
}

/* One output cell, all channels. */
KR_INLINE void KR_FN(pool_cell)(const real *x, const real *values, const box *b, const int64_t *counts, real *y,
                                int64_t c, int mode) {
  const real cells = (real)(counts[0] * counts[1] * counts[2]);
  int64_t j = 0;
  if (mode == PICK) {
    for (; j + V_LANES <= c; j += V_LANES) v_store(y + j, KR_FN(first_max)(x + j, values + j, b, counts, V_LANES));
    if (j < c) v_store_n(y + j, KR_FN(first_max)(x + j, values + j, b, counts, c - j), c - j);
    return;
  }
  for (; j + 4 * V_LANES <= c; j += 4 * V_LANES) KR_FN(reduce_box)(x + j, b, counts, y + j, mode, cells, 4, V_LANES);
  for (; j + V_LANES <= c; j += V_LANES) KR_FN(reduce_box)(x + j, b, counts, y + j, mode, cells, 1, V_LANES);
  if (j < c) KR_FN(reduce_box)(x + j, b, counts, y + j, mode, cells, 1, c - j);
}

/* ---- kernels whose result is like y: a task is `grain` rows of it ----------------------------------------------- */

KR_INLINE void KR_FN(pool_rows)(const pool_job *job, int64_t task, int mode) {
  const window *w = &job->w;
  const int64_t c = job->c, last = kr_min((task + 1) * job->grain, w->n * w->out[0] * w->out[1]);
  for (int64_t row = task * job->grain; row < last; ++row) {
    const row_place o = window_row(w->out, row);
    span at[3] = {window_cells(w, 0, o.d), window_cells(w, 1, o.h)};
    real *y = (real *)job->y + row * w->out[2] * c;
    for (int64_t ow = 0; ow < w->out[2]; ++ow, y += c) {
      at[2] = window_cells(w, 2, ow);
      const box b = window_box(w, c, o.n, at);
      const real *x = (const real *)job->x + b.at, *values = mode == PICK ? (const real *)job->g + b.at : NULL;
      if (is_box(&b, 2)) KR_FN(pool_cell)(x, values, &b, (const int64_t[3]){1, 2, 2}, y, c, mode);
      else if (is_box(&b, 3)) KR_FN(pool_cell)(x, values, &b, (const int64_t[3]){1, 3, 3}, y, c, mode);
      else KR_FN(pool_cell)(x, values, &b, b.count, y, c, mode);
    }
  }
}

static void KR_FN(max_task)(void *job, int64_t task, KR_UNUSED int worker) { KR_FN(pool_rows)(job, task, MAX); }
static void KR_FN(avg_task)(void *job, int64_t task, KR_UNUSED int worker) { KR_FN(pool_rows)(job, task, AVG); }
static void KR_FN(pick_task)(void *job, int64_t task, KR_UNUSED int worker) { KR_FN(pool_rows)(job, task, PICK); }

static kr_status KR_FN(pool)(const kr_call *call, kr_task_fn fn) {
  const kr_array *x = &call->in[0], *y = &call->out[0];
  if (kr_size(y) == 0) return KR_OK;
  pool_job job = {.w = pool_window(call, x, y), .x = x->data, .y = y->data, .c = x->shape[x->ndim - 1]};
  if (call->n_in > 1) job.g = call->in[1].data;
  const window *w = &job.w;
  const int64_t rows = w->n * w->out[0] * w->out[1];
  job.grain = window_grain(rows, w->out[2] * job.c * w->size[0] * w->size[1] * w->size[2]);
  kr_parallel(call->threads, kr_ceil_div(rows, job.grain), fn, &job);
  return KR_OK;
}

static kr_status KR_FN(max_pool)(const kr_call *c) { return KR_FN(pool)(c, KR_FN(max_task)); }
static kr_status KR_FN(avg_pool)(const kr_call *c) { return KR_FN(pool)(c, KR_FN(avg_task)); }
static kr_status KR_FN(max_pool_pick)(const kr_call *c) { return KR_FN(pool)(c, KR_FN(pick_task)); }

/* ---- gradient of max pooling ------------------------------------------------------------------------------------ */

/* Gives g to the window's maximum: adds, or where no two windows share a cell writes.  Only
 * cells `inside` the task's slab along dimension `outer` are touched; -1 says that all are inside. */
KR_INLINE void KR_FN(scatter_max)(const real *x, const real *g, real *dx, const box *b, const int64_t *counts,
                                  span inside, int outer, int add, int64_t lanes) {
  const vreal at = KR_FN(first_max)(x, NULL, b, counts, lanes), gv = KR_FN(load)(g, lanes);
  int64_t cell[3];
  real index = 0;
  for (cell[0] = 0; cell[0] < counts[0]; ++cell[0])
    for (cell[1] = 0; cell[1] < counts[1]; ++cell[1])
      for (cell[2] = 0; cell[2] < counts[2]; ++cell[2], index += 1) {
        if (outer >= 0 && (cell[outer] < inside.from || cell[outer] >= inside.to)) continue;
        real *p = dx + cell[0] * b->step[0] + cell[1] * b->step[1] + cell[2] * b->step[2];
        const vreal here = v_select(v_eq(at, v_set1(index)), gv, v_zero());
        KR_FN(store)(p, add ? v_add(KR_FN(load)(p, lanes), here) : here, lanes);
      }
}

KR_INLINE void KR_FN(scatter_cell)(const pool_job *job, const box *b, const int64_t *counts, span inside, int outer,
                                   const real *g, int add) {
  const real *x = (const real *)job->x + b->at;
  real *dx = (real *)job->y + b->at;
  int64_t j = 0;
  for (; j + V_LANES <= job->c; j += V_LANES)
    KR_FN(scatter_max)(x + j, g + j, dx + j, b, counts, inside, outer, add, V_LANES);
  if (j < job->c) KR_FN(scatter_max)(x + j, g + j, dx + j, b, counts, inside, outer, add, job->c - j);
}

KR_INLINE void KR_FN(scatter_window)(const pool_job *job, const box *b, span inside, int outer, const real *g,
                                     int add) {
  const int whole = inside.from <= 0 && inside.to >= b->count[outer];
  if (whole && is_box(b, 2)) KR_FN(scatter_cell)(job, b, (const int64_t[3]){1, 2, 2}, inside, -1, g, add);
  else if (whole && is_box(b, 3)) KR_FN(scatter_cell)(job, b, (const int64_t[3]){1, 3, 3}, inside, -1, g, add);
  else KR_FN(scatter_cell)(job, b, b->count, inside, outer, g, add);
}

/* A task owns a slab of one image's dx and visits in order all windows that touch it; those on the border of two slabs
 * are looked at twice, so that a cell's sum never depends on who computes it. */
static void KR_FN(max_grad_task)(void *arg, int64_t task, KR_UNUSED int worker) {
  const pool_job *job = arg;
  const window *w = &job->w;
  const int outer = outer_dim(w->in);
  const int64_t slabs = kr_ceil_div(w->in[outer], job->grain), n = task / slabs;
  const span slab = {task % slabs * job->grain, kr_min((task % slabs + 1) * job->grain, w->in[outer])};

  int disjoint = 1, covered = 1;
  int64_t cells = job->c; /* in one step of the outer dimension */
  for (int d = 0; d < 3; ++d) {
    disjoint &= w->size[d] <= w->stride[d];
    covered &= w->size[d] >= w->stride[d] && w->out[d] * w->stride[d] - w->pad[d] >= w->in[d];
    if (d > outer) cells *= w->in[d];
  }
  if (!disjoint || !covered)
    memset((real *)job->y + (n * w->in[outer] + slab.from) * cells, 0,
           (size_t)((slab.to - slab.from) * cells) * sizeof(real));

  span out[3];
  for (int d = 0; d < 3; ++d) out[d] = d == outer ? window_outputs(w, d, slab.from, slab.to) : (span){0, w->out[d]};
  for (int64_t od = out[0].from; od < out[0].to; ++od)
    for (int64_t oh = out[1].from; oh < out[1].to; ++oh)
      for (int64_t ow = out[2].from; ow < out[2].to; ++ow) {
        const span at[3] = {window_cells(w, 0, od), window_cells(w, 1, oh), window_cells(w, 2, ow)};
        const box b = window_box(w, job->c, n, at);
        const span inside = {slab.from - at[outer].from, slab.to - at[outer].from};
        const real *g = (const real *)job->g + (((n * w->out[0] + od) * w->out[1] + oh) * w->out[2] + ow) * job->c;
        if (disjoint) KR_FN(scatter_window)(job, &b, inside, outer, g, 0);
        else KR_FN(scatter_window)(job, &b, inside, outer, g, 1);
      }
}

static kr_status KR_FN(max_pool_grad)(const kr_call *call) {
  const kr_array *x = &call->in[0], *g = &call->in[1], *dx = &call->out[0];
  if (kr_size(dx) == 0) return KR_OK;
  pool_job job = {.w = pool_window(call, x, g), .x = x->data, .g = g->data, .y = dx->data, .c = x->shape[x->ndim - 1]};
  const window *w = &job.w;
  const int outer = outer_dim(w->in);
  const int64_t cells = kr_size(x) / (w->n * w->in[outer]);
  job.grain = kr_round_up(window_grain(w->in[outer], 2 * cells), w->stride[outer]);
  kr_parallel(call->threads, w->n * kr_ceil_div(w->in[outer], job.grain), KR_FN(max_grad_task), &job);
  return KR_OK;
}

/* ---- gradient of average pooling: a task is `grain` rows of dx ------------------------------------------------------
 */

static void KR_FN(avg_grad_task)(void *arg, int64_t task, KR_UNUSED int worker) {
  const pool_job *job = arg;
  const window *w = &job->w;
  const int64_t c = job->c, last = kr_min((task + 1) * job->grain, w->n * w->in[0] * w->in[1]);
  for (int64_t row = task * job->grain; row < last; ++row) {
    const row_place i = window_row(w->in, row);
    const span od = window_outputs(w, 0, i.d, i.d + 1), oh = window_outputs(w, 1, i.h, i.h + 1);
    real *dx = (real *)job->y + row * w->in[2] * c;
    memset(dx, 0, (size_t)(w->in[2] * c) * sizeof(real));
    for (int64_t d = od.from; d < od.to; ++d)
      for (int64_t h = oh.from; h < oh.to; ++h) {
        const span at_d = window_cells(w, 0, d), at_h = window_cells(w, 1, h);
        const int64_t cells = (at_d.to - at_d.from) * (at_h.to - at_h.from);
        const real *g = (const real *)job->g + ((i.n * w->out[0] + d) * w->out[1] + h) * w->out[2] * c;
        for (int64_t ow = 0; ow < w->out[2]; ++ow, g += c) {
          const span at = window_cells(w, 2, ow);
          const vreal scale = v_set1(1 / (real)(cells * (at.to - at.from)));
          for (int64_t j = 0; j < c; j += V_LANES) {
            const int64_t lanes = kr_min(V_LANES, c - j);
            const vreal share = v_mul(KR_FN(load)(g + j, lanes), scale);
            for (real *p = dx + at.from * c + j; p < dx + at.to * c; p += c)
              KR_FN(store)(p, v_add(KR_FN(load)(p, lanes), share), lanes);
          }
        }
      }
  }
}

static kr_status KR_FN(avg_pool_grad)(const kr_call *call) {
  const kr_array *g = &call->in[0], *dx = &call->out[0];
  if (kr_size(dx) == 0) return KR_OK;
  pool_job job = {.w = pool_window(call, dx, g), .g = g->data, .y = dx->data, .c = dx->shape[dx->ndim - 1]};
  const window *w = &job.w;
  const int64_t rows = w->n * w->in[0] * w->in[1];
  job.grain = window_grain(rows, w->in[2] * job.c * 4);
  kr_parallel(call->threads, kr_ceil_div(rows, job.grain), KR_FN(avg_grad_task), &job);
  return KR_OK;
}
