/* Max pooling and the transpose of its gradient for one floating type; pool.c says what each computes. */

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

/* One window, one vector of channels: the maximum, and where it is; the first NaN counts as larger than all. */
static __attribute__((noinline)) void KR_FN(find_nan)(const real *x, const box *b, real *y, void *places, int64_t at,
                                                      int wide, int64_t lanes) {
  vreal best = KR_FN(load)(x, lanes), place = v_set1((real)b->place);
  for (int64_t i = 0; i < b->count[0]; ++i)
    for (int64_t j = 0; j < b->count[1]; ++j)
      for (int64_t k = 0; k < b->count[2]; ++k) {
        const vreal cell = KR_FN(load)(x + i * b->step[0] + j * b->step[1] + k * b->step[2], lanes);
        const vmask hit = m_and(m_not(v_le(cell, best)), v_eq(best, best)); /* larger, or the first NaN */
        best = v_select(hit, cell, best);
        place = v_select(hit, v_set1((real)(b->place + i * b->place_step[0] + j * b->place_step[1] + k)), place);
      }
  KR_FN(store)(y, best, lanes);
  KR_FN(store_place)(places, at, wide, place, lanes);
}

/* Likewise for `nv` vectors, the last of them with `lanes` channels.  One comparison looks for NaNs in two vectors. */
KR_INLINE void KR_FN(find_max)(const real *x, const box *b, const int64_t *counts, real *y, void *places, int64_t at,
                               int wide, int nv, int64_t lanes) {
  vreal best[4], place[4];
  vmask nan[2];
  for (int v = 0; v < nv; ++v) {
    best[v] = KR_FN(load)(x + v * V_LANES, lanes);
    place[v] = v_zero();
    if (nv == 1) nan[0] = v_isnan(best[0]);
    else if (v & 1) nan[v >> 1] = v_unordered(best[v - 1], best[v]);
  }
  for (int64_t i = 0; i < counts[0]; ++i) {
    const real *p = x + i * b->step[0];
    for (int64_t j = 0; j < counts[1]; ++j, p += b->step[1]) {
      __asm__("" : "+r"(p)); /* else the compiler keeps a pointer to each cell, and spills */
      for (int64_t k = 0; k < counts[2]; ++k) {
        if (i + j + k == 0) continue;
        const vreal here = v_set1((real)(i * b->place_step[0] + j * b->place_step[1] + k));
        vreal cell[4];
#pragma GCC unroll 4
        for (int v = 0; v < nv; ++v) {
          cell[v] = KR_FN(load)(p + k * b->step[2] + v * V_LANES, lanes);
          place[v] = v_select(v_gt(cell[v], best[v]), here, place[v]);
          best[v] = v_max(cell[v], best[v]);
          if (nv == 1) nan[0] = m_or(nan[0], v_isnan(cell[0]));
          else if (v & 1) nan[v >> 1] = m_or(nan[v >> 1], v_unordered(cell[v - 1], cell[v]));
        }
      }
    }
  }
  for (int v = 0; v < nv; ++v) {
    KR_FN(store)(y + v * V_LANES, best[v], lanes);
    place[v] = v_add(place[v], v_set1((real)b->place));
  }
  if (nv == 4 && !wide) v_stores_u8((uint8_t *)places + at, place);
  else
    for (int v = 0; v < nv; ++v) KR_FN(store_place)(places, at + v * V_LANES, wide, place[v], lanes);
  /* After the stores: the compiler moves what only one branch needs into it, and keeps all cells until then. */
  if (__builtin_expect(m_any(nv == 4 ? m_or(nan[0], nan[1]) : nan[0]), 0)) {
    const box all = {.count = {counts[0], counts[1], counts[2]},
                     .step = {b->step[0], b->step[1], b->step[2]},
                     .place = b->place,
                     .place_step = {b->place_step[0], b->place_step[1]}};
    for (int v = 0; v < nv; ++v)
      KR_FN(find_nan)(x + v * V_LANES, &all, y + v * V_LANES, places, at + v * V_LANES, wide, lanes);
  }
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

KR_INLINE void KR_FN(max_vector)(const real *x, const box *b, const int64_t *counts, real *y, void *places, int64_t at,
                                 int picks, int wide, int64_t lanes) {
  if (picks) KR_FN(pick)(x, b, counts, y, places, at, wide, lanes);
  else KR_FN(find_max)(x, b, counts, y, places, at, wide, 1, lanes);
}

/* One window, all channels; its places begin at number `at`.  Four vectors at once, `fours`, are two whole lines of each
 * cell. */
KR_INLINE void KR_FN(max_cell)(const real *x, const box *b, const int64_t *counts, real *y, void *places, int64_t at,
                               int64_t c, int picks, int wide, int fours) {
  if (c < V_LANES) {
    KR_FN(max_vector)(x, b, counts, y, places, at, picks, wide, c);
    return;
  }
  int64_t i = 0;
  for (; fours && !picks && i + 4 * V_LANES <= c; i += 4 * V_LANES)
    KR_FN(find_max)(x + i, b, counts, y + i, places, at + i, wide, 4, V_LANES);
  for (; i < c; i += V_LANES) {
    const int64_t j = kr_min(i, c - V_LANES); /* the last vector overlaps: a part of one takes longer */
    KR_FN(max_vector)(x + j, b, counts, y + j, places, at + j, picks, wide, V_LANES);
  }
}

/* A row of `count` windows, the first `roomy` of which have room, `stride` elements apart in x, of `rows` by `cols` cells
 * of a window of `side` columns, all three constants.  Each shape stands alone: among the others the compiler keeps its
 * pointers on the stack (up to 1.08). */
#define WINDOWS(name, picks, side, rows, cols)                                                                      \
  static __attribute__((noinline)) void KR_FN(name##_##side##rows##cols)(const real *x, const box *b, real *y,      \
                                                                         uint8_t *places, int64_t c, int64_t count, \
                                                                         int64_t roomy, int64_t stride) {           \
    const box own = {.step = {0, b->step[1], c}, .place = b->place, .place_step = {0, side}};                       \
    for (int64_t left = c < V_LANES ? kr_min(roomy, count) : 0; left > 0;                                           \
         --left, --count, x += stride, y += c, places += c)                                                         \
      KR_FN(max_vector)(x, &own, (const int64_t[3]){1, rows, cols}, y, places, 0, picks, 0, V_LANES);               \
    for (; count > 0; --count, x += stride, y += c, places += c)                                                    \
      KR_FN(max_cell)(x, &own, (const int64_t[3]){1, rows, cols}, y, places, 0, c, picks, 0, 1);                    \
  }
#define COMMON_WINDOWS(name, picks) \
  WINDOWS(name, picks, 2, 2, 2)     \
  WINDOWS(name, picks, 3, 3, 3)     \
  WINDOWS(name, picks, 3, 3, 2)     \
  WINDOWS(name, picks, 3, 2, 3)
COMMON_WINDOWS(max, 0)
COMMON_WINDOWS(pick, 1)
#undef COMMON_WINDOWS
#undef WINDOWS

KR_INLINE void KR_FN(max_rows)(const pool_job *job, int64_t task, int picks, int wide) {
  const window *w = &job->w;
  const int64_t last = kr_min((task + 1) * job->grain, w->n * w->out[0] * w->out[1]);
  const span whole = whole_windows(w, 2);
  const int64_t roomy = roomy_windows(w, job->c, V_LANES);
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
      const int64_t sides = wide || b.count[0] > 1 ? 0 : 100 * w->size[2] + 10 * b.count[1] + b.count[2];
      const int64_t step = w->stride[2] * job->c, to = (row * w->out[2] + ow) * job->c;
      const real *x = (const real *)job->x + b.at;
      real *y = (real *)job->y + to;
      uint8_t *places = (uint8_t *)job->places + to; /* not where they are wide */
      if (sides == 222)
        (picks ? KR_FN(pick_222) : KR_FN(max_222))(x, &b, y, places, job->c, next - ow, roomy - ow, step);
      else if (sides == 333)
        (picks ? KR_FN(pick_333) : KR_FN(max_333))(x, &b, y, places, job->c, next - ow, roomy - ow, step);
      else if (sides == 332)
        (picks ? KR_FN(pick_332) : KR_FN(max_332))(x, &b, y, places, job->c, next - ow, roomy - ow, step);
      else if (sides == 323)
        (picks ? KR_FN(pick_323) : KR_FN(max_323))(x, &b, y, places, job->c, next - ow, roomy - ow, step);
      else
        for (int64_t i = 0; i < next - ow; ++i)
          KR_FN(max_cell)(x + i * step, &b, b.count, y + i * job->c, job->places, to + i * job->c, job->c, picks, wide,
                          0);
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
