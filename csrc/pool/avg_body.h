/* Average pooling for one floating type; pool.c says what it computes. */

/* ---- forward: a task is `grain` rows of y; `nv` vectors of channels, the last of them with `lanes` channels --------- */

/* Counts are the box's, or constants that let the compiler unroll the loops of common windows. */
KR_INLINE void KR_FN(average_box)(const real *x, const box *b, const int64_t *counts, real *y, real cells, int nv,
                                  int64_t lanes) {
  vreal acc[4];
  for (int v = 0; v < nv; ++v) acc[v] = v_zero();
  for (int64_t i = 0; i < counts[0]; ++i)
    for (int64_t j = 0; j < counts[1]; ++j) {
      const real *p = x + i * b->step[0] + j * b->step[1];
      for (int64_t k = 0; k < counts[2]; ++k, p += b->step[2])
        for (int v = 0; v < nv; ++v) acc[v] = v_add(acc[v], KR_FN(load)(p + v * V_LANES, lanes));
    }
  for (int v = 0; v < nv; ++v) KR_FN(store)(y + v * V_LANES, v_div(acc[v], v_set1(cells)), lanes);
}

/* Output cells, `step` elements apart in x, whose windows have the same cells; the first `roomy` have room. */
KR_INLINE void KR_FN(average_cells)(const real *x, const box *b, const int64_t *counts, real *y, int64_t c,
                                    int64_t count, int64_t roomy, int64_t step) {
  const real cells = (real)(counts[0] * counts[1] * counts[2]);
  if (c < V_LANES) {
    const int64_t whole = kr_max(0, kr_min(count, roomy));
    for (int64_t o = 0; o < whole; ++o) KR_FN(average_box)(x + o * step, b, counts, y + o * c, cells, 1, V_LANES);
    for (int64_t o = whole; o < count; ++o) KR_FN(average_box)(x + o * step, b, counts, y + o * c, cells, 1, c);
    return;
  }
  for (; count > 0; --count, x += step, y += c) {
    int64_t j = 0;
    for (; j + 4 * V_LANES <= c; j += 4 * V_LANES) KR_FN(average_box)(x + j, b, counts, y + j, cells, 4, V_LANES);
    for (; j + V_LANES <= c; j += V_LANES) KR_FN(average_box)(x + j, b, counts, y + j, cells, 1, V_LANES);
    if (j < c) KR_FN(average_box)(x + c - V_LANES, b, counts, y + c - V_LANES, cells, 1, V_LANES); /* overlaps */
  }
}

static void KR_FN(avg_task)(void *arg, int64_t task, KR_UNUSED int worker) {
  const pool_job *job = arg;
  const window *w = &job->w;
  const int64_t c = job->c, last = kr_min((task + 1) * job->grain, w->n * w->out[0] * w->out[1]);
  const int64_t step = w->stride[2] * c;
  const span whole = whole_windows(w, 2);
  const int64_t roomy = roomy_windows(w, c, V_LANES);
  for (int64_t row = task * job->grain; row < last; ++row) {
    const row_place o = window_row(w->out, row);
    span at[3] = {window_cells(w, 0, o.d), window_cells(w, 1, o.h)};
    real *y = (real *)job->y + row * w->out[2] * c;
    for (int64_t ow = 0, next; ow < w->out[2]; ow = next) {
      next = ow < whole.from || ow >= whole.to ? ow + 1 : whole.to;
      at[2] = window_cells(w, 2, ow);
      const box b = window_box(w, c, o.n, at);
      const real *x = (const real *)job->x + b.at;
      real *ys = y + ow * c;
      if (is_box(&b, 2)) KR_FN(average_cells)(x, &b, (const int64_t[3]){1, 2, 2}, ys, c, next - ow, roomy - ow, step);
      else if (is_box(&b, 3))
        KR_FN(average_cells)(x, &b, (const int64_t[3]){1, 3, 3}, ys, c, next - ow, roomy - ow, step);
      else KR_FN(average_cells)(x, &b, b.count, ys, c, next - ow, roomy - ow, step);
    }
  }
}

/* Fills the job of a kernel whose result is like y, and runs it over rows of y. */
static kr_status KR_FN(pool)(const kr_call *call, const kr_array *x, pool_job *job, kr_task_fn fn) {
  const kr_array *y = &call->out[0];
  if (kr_size(y) == 0) return KR_OK;
  job->w = pool_window(call, x, y);
  job->x = x->data;
  job->y = y->data;
  job->c = x->shape[x->ndim - 1];
  const window *w = &job->w;
  const int64_t rows = w->n * w->out[0] * w->out[1];
  job->grain = window_grain(rows, w->out[2] * job->c * w->size[0] * w->size[1] * w->size[2]);
  kr_parallel(call->threads, kr_ceil_div(rows, job->grain), fn, job);
  return KR_OK;
}

static kr_status KR_FN(avg_pool)(const kr_call *c) {
  pool_job job = {0};
  return KR_FN(pool)(c, &c->in[0], &job, KR_FN(avg_task));
}
