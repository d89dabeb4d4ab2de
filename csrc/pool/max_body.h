/* Max pooling, its gradient and the transpose of that, for one floating type; pool.c says what each computes. */

/* ---- places: numbers of cells in a window, bytes or int32 (`wide`), as reals in registers ------------------------ */

KR_INLINE vreal KR_FN(load_place)(const void *places, int64_t at, int wide, int64_t lanes) {
  if (!wide) return v_load_u8((const uint8_t *)places + at, lanes);
  KR_ALIGNED real part[V_LANES] = {0};
  for (int64_t i = 0; i < lanes; ++i) part[i] = (real)((const int32_t *)places)[at + i];
  return v_load(part);
}

KR_INLINE void KR_FN(store_place)(void *places, int64_t at, int wide, vreal v, int64_t lanes) {
  if (!wide) {
    v_store_u8((uint8_t *)places + at, v, lanes);
    return;
  }
  KR_ALIGNED real part[V_LANES];
  v_store(part, v);
  for (int64_t i = 0; i < lanes; ++i) ((int32_t *)places)[at + i] = (int32_t)part[i];
}

/* ---- forward, and the values at given places --------------------------------------------------------------------- */

/* One window, one vector of channels: the maximum, and where it is. */
KR_INLINE void KR_FN(find_max)(const real *x, const box *b, const int64_t *counts, real *y, void *places, int64_t at,
                               int wide, int64_t lanes) {
  vreal best = KR_FN(load)(x, lanes), place = v_set1((real)b->place);
  for (int64_t i = 0; i < counts[0]; ++i)
    for (int64_t j = 0; j < counts[1]; ++j)
      for (int64_t k = 0; k < counts[2]; ++k) {
        if (i + j + k == 0) continue;
        const vreal cell = KR_FN(load)(x + i * b->step[0] + j * b->step[1] + k * b->step[2], lanes);
        const vmask hit = m_and(m_not(v_le(cell, best)), v_eq(best, best)); /* larger, or the first NaN */
        best = v_select(hit, cell, best);
        place = v_select(hit, v_set1((real)(b->place + i * b->place_step[0] + j * b->place_step[1] + k)), place);
      }
  KR_FN(store)(y, best, lanes);
  KR_FN(store_place)(places, at, wide, place, lanes);
}

/* One window, one vector of channels: what stands in x at the places. */
KR_INLINE void KR_FN(pick)(const real *x, const box *b, const int64_t *counts, real *y, const void *places, int64_t at,
                           int wide, int64_t lanes) {
  const vreal place = KR_FN(load_place)(places, at, wide, lanes);
  vreal value = v_zero();
  for (int64_t i = 0; i < counts[0]; ++i)
    for (int64_t j = 0; j < counts[1]; ++j)
      for (int64_t k = 0; k < counts[2]; ++k) {
        const vmask here = v_eq(place, v_set1((real)(b->place + i * b->place_step[0] + j * b->place_step[1] + k)));
        const real *p = x + i * b->step[0] + j * b->step[1] + k * b->step[2];
        value = v_select(here, KR_FN(load)(p, lanes), value);
      }
  KR_FN(store)(y, value, lanes);
}

/* One output cell, all channels; `at` is its first element. */
KR_INLINE void KR_FN(max_cell)(const pool_job *job, const box *b, const int64_t *counts, int64_t at, int picks,
                               int wide) {
  const real *x = (const real *)job->x + b->at;
  real *y = (real *)job->y + at;
  for (int64_t j = 0; j < job->c; j += V_LANES) {
    const int64_t lanes = kr_min(V_LANES, job->c - j);
    if (lanes == V_LANES) {
      if (picks) KR_FN(pick)(x + j, b, counts, y + j, job->places, at + j, wide, V_LANES);
      else KR_FN(find_max)(x + j, b, counts, y + j, job->places, at + j, wide, V_LANES);
    } else if (picks) {
      KR_FN(pick)(x + j, b, counts, y + j, job->places, at + j, wide, lanes);
    } else {
      KR_FN(find_max)(x + j, b, counts, y + j, job->places, at + j, wide, lanes);
    }
  }
}

/* Output cells [from, to) of a row, whose windows have the same cells.  With place_row, the places from one row of the
 * window to the next, counts is constant and the window whole. */
KR_INLINE void KR_FN(max_cells)(const pool_job *job, box b, const int64_t *counts, int64_t place_row, int64_t row,
                                int64_t from, int64_t to, int picks, int wide) {
  const int64_t step = job->w.stride[2] * job->c;
  if (place_row) b = (box){.at = b.at, .step = {b.step[0], b.step[1], b.step[2]}, .place_step = {0, place_row}};
  for (int64_t ow = from; ow < to; ++ow, b.at += step)
    KR_FN(max_cell)(job, &b, counts, (row * job->w.out[2] + ow) * job->c, picks, wide);
}

KR_INLINE void KR_FN(max_rows)(const pool_job *job, int64_t task, int picks, int wide) {
  const window *w = &job->w;
  const int64_t last = kr_min((task + 1) * job->grain, w->n * w->out[0] * w->out[1]);
  const span whole = whole_windows(w, 2);
  for (int64_t row = task * job->grain; row < last; ++row) {
    const row_place o = window_row(w->out, row);
    span at[3] = {window_cells(w, 0, o.d), window_cells(w, 1, o.h)};
    const int64_t first[3] = {o.d * w->stride[0] - w->pad[0], o.h * w->stride[1] - w->pad[1]};
    for (int64_t ow = 0, next; ow < w->out[2]; ow = next) {
      next = ow < whole.from || ow >= whole.to ? ow + 1 : whole.to;
      at[2] = window_cells(w, 2, ow);
      box b = window_box(w, job->c, o.n, at);
      for (int d = 0; d < 3; ++d)
        b.place = b.place * w->size[d] + at[d].from - (d < 2 ? first[d] : ow * w->stride[2] - w->pad[2]);
      b.place_step[0] = w->size[1] * w->size[2];
      b.place_step[1] = w->size[2];
      if (w->size[2] == 2 && is_box(&b, 2) && b.place == 0)
        KR_FN(max_cells)(job, b, (const int64_t[3]){1, 2, 2}, 2, row, ow, next, picks, wide);
      else if (w->size[2] == 3 && is_box(&b, 3) && b.place == 0)
        KR_FN(max_cells)(job, b, (const int64_t[3]){1, 3, 3}, 3, row, ow, next, picks, wide);
      else KR_FN(max_cells)(job, b, b.count, 0, row, ow, next, picks, wide);
    }
  }
}

static void KR_FN(max_task)(void *job, int64_t task, KR_UNUSED int worker) {
  if (((const pool_job *)job)->wide) KR_FN(max_rows)(job, task, 0, 1);
  else KR_FN(max_rows)(job, task, 0, 0);
}

static void KR_FN(pick_task)(void *job, int64_t task, KR_UNUSED int worker) {
  if (((const pool_job *)job)->wide) KR_FN(max_rows)(job, task, 1, 1);
  else KR_FN(max_rows)(job, task, 1, 0);
}

static kr_status KR_FN(max_pool)(const kr_call *call) {
  pool_job job = {.places = call->out[1].data, .wide = call->out[1].dtype != KR_U8};
  return KR_FN(pool)(call, &call->in[0], &job, KR_FN(max_task));
}

static kr_status KR_FN(max_pool_pick)(const kr_call *call) {
  pool_job job = {.places = call->in[0].data, .wide = call->in[0].dtype != KR_U8};
  return KR_FN(pool)(call, &call->in[1], &job, KR_FN(pick_task));
}

/* ---- gradient: a task is `grain` rows of dx ---------------------------------------------------------------------- */

/* The windows over one row of dx: output rows (od, oh), and the cell's number in a window of each, without its column.
 * g and places are read where the windows chose this cell, and nothing else of x is needed. */
typedef struct {
  span od, oh;
  int64_t n, d, h;
} KR_FN(grad_row);

/* One cell of dx, one vector of channels. */
KR_INLINE void KR_FN(grad_cell)(const pool_job *job, const KR_FN(grad_row) * r, span ow, int64_t iw, int64_t j,
                                int wide, int64_t lanes, real *dx) {
  const window *w = &job->w;
  vreal sum = v_zero();
  for (int64_t d = r->od.from; d < r->od.to; ++d)
    for (int64_t h = r->oh.from; h < r->oh.to; ++h) {
      const int64_t tap_d = r->d - (d * w->stride[0] - w->pad[0]), tap_h = r->h - (h * w->stride[1] - w->pad[1]);
      const int64_t tap = (tap_d * w->size[1] + tap_h) * w->size[2] + iw + w->pad[2];
      const int64_t row = ((r->n * w->out[0] + d) * w->out[1] + h) * w->out[2];
      for (int64_t o = ow.from; o < ow.to; ++o) {
        const int64_t at = (row + o) * job->c + j;
        const vmask here =
            v_eq(KR_FN(load_place)(job->places, at, wide, lanes), v_set1((real)(tap - o * w->stride[2])));
        sum = v_add(sum, v_select(here, KR_FN(load)((const real *)job->g + at, lanes), v_zero()));
      }
    }
  KR_FN(store)(dx, sum, lanes);
}

/* Cells from number iw on of a row. */
KR_INLINE void KR_FN(grad_cells)(const pool_job *job, const KR_FN(grad_row) * r, int64_t iw, real *dx, int wide) {
  const window *w = &job->w;
  span ow = window_outputs(w, 2, kr_min(iw, w->in[2] - 1), kr_min(iw, w->in[2] - 1) + 1);
  for (; iw < w->in[2]; ++iw, dx += job->c) {
    while (ow.from * w->stride[2] - w->pad[2] + w->size[2] <= iw) ++ow.from;
    while (ow.to < w->out[2] && ow.to * w->stride[2] - w->pad[2] <= iw) ++ow.to;
    const span at = {ow.from, kr_max(ow.from, ow.to)};
    int64_t j = 0;
    for (; j + V_LANES <= job->c; j += V_LANES) KR_FN(grad_cell)(job, r, at, iw, j, wide, V_LANES, dx + j);
    if (j < job->c) KR_FN(grad_cell)(job, r, at, iw, j, wide, job->c - j, dx + j);
  }
}

/* Windows of two columns with stride two: each gives to two neighbours.  Returns how many cells are done. */
KR_INLINE int64_t KR_FN(grad_pairs)(const pool_job *job, const KR_FN(grad_row) * r, real *dx) {
  const window *w = &job->w;
  const int64_t pairs = kr_min(w->out[2], w->in[2] / 2), c = job->c;
  const int64_t tap_d = r->d - (r->od.from * w->stride[0] - w->pad[0]);
  const int64_t tap_h = r->h - (r->oh.from * w->stride[1] - w->pad[1]), tap = (tap_d * w->size[1] + tap_h) * 2;
  const int64_t row = ((r->n * w->out[0] + r->od.from) * w->out[1] + r->oh.from) * w->out[2] * c;
  const vreal left = v_set1((real)tap), right = v_set1((real)(tap + 1));
  const real *g = (const real *)job->g + row;
  const uint8_t *places = (const uint8_t *)job->places + row;
  for (int64_t o = 0; o < pairs; ++o, g += c, places += c, dx += 2 * c) {
    int64_t j = 0;
    for (; j + V_LANES <= c; j += V_LANES) {
      const vreal place = v_load_u8(places + j, V_LANES), gv = v_load(g + j);
      v_store(dx + j, v_select(v_eq(place, left), gv, v_zero()));
      v_store(dx + c + j, v_select(v_eq(place, right), gv, v_zero()));
    }
    if (j < c) {
      const vreal place = v_load_u8(places + j, c - j), gv = v_load_n(g + j, c - j);
      v_store_n(dx + j, v_select(v_eq(place, left), gv, v_zero()), c - j);
      v_store_n(dx + c + j, v_select(v_eq(place, right), gv, v_zero()), c - j);
    }
  }
  return 2 * pairs;
}

static void KR_FN(max_grad_task)(void *arg, int64_t task, KR_UNUSED int worker) {
  const pool_job *job = arg;
  const window *w = &job->w;
  const int64_t last = kr_min((task + 1) * job->grain, w->n * w->in[0] * w->in[1]);
  const int pairs = !job->wide && w->size[2] == 2 && w->stride[2] == 2 && w->pad[2] == 0;
  for (int64_t row = task * job->grain; row < last; ++row) {
    const row_place i = window_row(w->in, row);
    const KR_FN(grad_row) r = {.od = window_outputs(w, 0, i.d, i.d + 1),
                               .oh = window_outputs(w, 1, i.h, i.h + 1),
                               .n = i.n,
                               .d = i.d,
                               .h = i.h};
    real *dx = (real *)job->y + row * w->in[2] * job->c;
    const int64_t over = kr_max(0, r.od.to - r.od.from) * kr_max(0, r.oh.to - r.oh.from);
    if (over == 0) {
      memset(dx, 0, (size_t)(w->in[2] * job->c) * sizeof(real));
      continue;
    }
    const int64_t done = pairs && over == 1 ? KR_FN(grad_pairs)(job, &r, dx) : 0;
    if (job->wide) KR_FN(grad_cells)(job, &r, done, dx + done * job->c, 1);
    else KR_FN(grad_cells)(job, &r, done, dx + done * job->c, 0);
  }
}

static kr_status KR_FN(max_pool_grad)(const kr_call *call) {
  const kr_array *places = &call->in[0], *g = &call->in[1], *dx = &call->out[0];
  if (kr_size(dx) == 0) return KR_OK;
  pool_job job = {.w = pool_window(call, dx, g),
                  .g = g->data,
                  .y = dx->data,
                  .places = places->data,
                  .wide = places->dtype != KR_U8,
                  .c = dx->shape[dx->ndim - 1]};
  const window *w = &job.w;
  const int64_t rows = w->n * w->in[0] * w->in[1];
  job.grain = window_grain(rows, w->in[2] * job.c * 2);
  kr_parallel(call->threads, kr_ceil_div(rows, job.grain), KR_FN(max_grad_task), &job);
  return KR_OK;
}
