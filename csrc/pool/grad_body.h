/* The gradients of max and average pooling for one floating type; pool.c says what each computes.
 *
 * A task is `grain` rows of dx, and a cell sums what the windows over it give, in the order of their positions: of an
 * average its share of g, of a maximum g where the window chose this cell, which its place tells; nothing of x is read.
 * dx is written once. */

/* A row of windows over a row of dx: its first element of g and places; the number of the row's first cell in a window
 * (of column i and window o it is first + i - o * stride); the cells of a window in depth and height; what an average
 * divides by, for windows that are whole in width. */
typedef struct {
  int64_t at, first, cells;
  real whole;
} KR_FN(over);

/* What is known of a window and a cell of it, for all channels. */
typedef struct {
  int64_t at, place;
  vreal share;
} KR_FN(given);

KR_INLINE KR_FN(given) KR_FN(given_by)(const pool_job *job, const KR_FN(over) * r, int64_t o, int64_t iw, int kind) {
  const window *w = &job->w;
  KR_FN(given) g = {.at = r->at + o * job->c, .place = r->first + iw - o * w->stride[2]};
  if (kind == GRAD_AVERAGE) {
    const span at = window_cells(w, 2, o);
    const int64_t width = at.to - at.from;
    g.share = v_set1(width == w->size[2] ? r->whole : 1 / (real)(r->cells * width));
  }
  return g;
}

/* One vector of channels of a window: from where its g, and its places if they are bytes, stand. */
KR_INLINE vreal KR_FN(give_from)(const real *from, const uint8_t *places, int64_t place, vreal share, int kind,
                                 int64_t lanes) {
  const vreal g = KR_FN(load)(from, lanes);
  return kind == GRAD_AVERAGE ? v_mul(g, share) : v_select(v_eq_u8(places, lanes, (uint8_t)place), g, v_zero());
}

/* Where the places of g's element `at` stand; of averages, which have none, any bytes: they are not read. */
KR_INLINE const uint8_t *KR_FN(places_at)(const pool_job *job, int64_t at, int kind) {
  return (const uint8_t *)(kind == GRAD_AVERAGE ? job->g : job->places) + at;
}

KR_INLINE vreal KR_FN(give)(const pool_job *job, const KR_FN(given) * w, int64_t j, int kind, int64_t lanes) {
  const int64_t at = w->at + j;
  const real *g = (const real *)job->g + at;
  if (kind != GRAD_WIDE) return KR_FN(give_from)(g, KR_FN(places_at)(job, at, kind), w->place, w->share, kind, lanes);
  const vmask here = v_eq(KR_FN(load_place)(job->places, at, 1, lanes), v_set1((real)w->place));
  return v_select(here, KR_FN(load)(g, lanes), v_zero());
}

/* A cell under `count` windows, a constant; `lanes` in use where channels are few. */
KR_INLINE void KR_FN(sum_over)(const pool_job *job, const KR_FN(given) * w, int count, real *dx, int kind,
                               int64_t lanes) {
  const int64_t c = job->c;
  if (c < V_LANES) {
    vreal sum = v_zero();
    for (int i = 0; i < count; ++i) sum = v_add(sum, KR_FN(give)(job, &w[i], 0, kind, lanes));
    KR_FN(store)(dx, sum, lanes);
    return;
  }
  for (int64_t j = 0; j < c; j += V_LANES) {
    const int64_t at = kr_min(j, c - V_LANES); /* the last vector overlaps, as parts of vectors take longer */
    vreal sum = v_zero();
    for (int i = 0; i < count; ++i) sum = v_add(sum, KR_FN(give)(job, &w[i], at, kind, V_LANES));
    v_store(dx + at, sum);
  }
}

/* A cell under `rows` by `cols` windows, at most three each, both constants. */
KR_INLINE void KR_FN(few_over)(const pool_job *job, const KR_FN(over) * r, int rows, int cols, int64_t o, int64_t iw,
                               real *dx, int kind, int64_t lanes) {
  KR_FN(given) w[9];
  for (int i = 0; i < rows * cols; ++i) w[i] = KR_FN(given_by)(job, &r[i / cols], o + i % cols, iw, kind);
  KR_FN(sum_over)(job, w, rows * cols, dx, kind, lanes);
}

/* A cell under any windows; `more`: adds to what dx holds. */
KR_INLINE void KR_FN(many_over)(const pool_job *job, const KR_FN(over) * r, int64_t rows, span ow, int64_t iw, real *dx,
                                int kind, int more) {
  enum { KEPT = 32 };
  const int64_t cols = ow.to - ow.from, count = rows * cols, kept = kr_min(count, KEPT);
  KR_FN(given) w[KEPT];
  for (int64_t i = 0; i < kept; ++i) w[i] = KR_FN(given_by)(job, &r[i / cols], ow.from + i % cols, iw, kind);
  for (int64_t j = 0; j < job->c; j += V_LANES) {
    const int64_t lanes = kr_min(V_LANES, job->c - j);
    vreal sum = more ? KR_FN(load)(dx + j, lanes) : v_zero();
    for (int64_t i = 0; i < kept; ++i) sum = v_add(sum, KR_FN(give)(job, &w[i], j, kind, lanes));
    for (int64_t i = kept; i < count; ++i) {
      const KR_FN(given) next = KR_FN(given_by)(job, &r[i / cols], ow.from + i % cols, iw, kind);
      sum = v_add(sum, KR_FN(give)(job, &next, j, kind, lanes));
    }
    KR_FN(store)(dx + j, sum, lanes);
  }
}

/* A row of dx, cells [iw, end); dx is where the first stands. */
KR_INLINE void KR_FN(grad_cells)(const pool_job *job, const KR_FN(over) * r, int64_t rows, int64_t iw, int64_t end,
                                 real *dx, int kind, int more) {
  const window *w = &job->w;
  const int64_t roomy = roomy_cells(w, job->c, V_LANES);
  span ow = window_outputs(w, 2, kr_min(iw, w->in[2] - 1), kr_min(iw, w->in[2] - 1) + 1);
  for (; iw < end; ++iw, dx += job->c) {
    while (ow.from * w->stride[2] - w->pad[2] + w->size[2] <= iw) ++ow.from;
    while (ow.to < w->out[2] && ow.to * w->stride[2] - w->pad[2] <= iw) ++ow.to;
    const int64_t lanes = iw < roomy ? V_LANES : job->c;
    const int64_t cols = ow.to - ow.from, shape = more || rows > 3 || cols > 3 ? 0 : rows * 4 + cols;
    switch (shape) {
      case 5: KR_FN(few_over)(job, r, 1, 1, ow.from, iw, dx, kind, lanes); break;
      case 6: KR_FN(few_over)(job, r, 1, 2, ow.from, iw, dx, kind, lanes); break;
      case 7: KR_FN(few_over)(job, r, 1, 3, ow.from, iw, dx, kind, lanes); break;
      case 9: KR_FN(few_over)(job, r, 2, 1, ow.from, iw, dx, kind, lanes); break;
      case 10: KR_FN(few_over)(job, r, 2, 2, ow.from, iw, dx, kind, lanes); break;
      case 11: KR_FN(few_over)(job, r, 2, 3, ow.from, iw, dx, kind, lanes); break;
      case 13: KR_FN(few_over)(job, r, 3, 1, ow.from, iw, dx, kind, lanes); break;
      case 14: KR_FN(few_over)(job, r, 3, 2, ow.from, iw, dx, kind, lanes); break;
      case 15: KR_FN(few_over)(job, r, 3, 3, ow.from, iw, dx, kind, lanes); break;
      default: KR_FN(many_over)(job, r, rows, (span){ow.from, kr_max(ow.from, ow.to)}, iw, dx, kind, more);
    }
  }
}

/* Windows of two columns with stride two: each gives to two neighbours, one after the other, since stores by turns to both
 * take 1.2 times as long.  Returns how many cells are done.  Beside the loops above the compiler keeps the pointers of
 * these on the stack (0.85), so they stand alone. */
#define PAIRS(name, kind)                                                                                         \
  static __attribute__((noinline)) int64_t KR_FN(name)(const pool_job *job, const KR_FN(over) * r, real * dx) {   \
    const int64_t pairs = kr_min(job->w.out[2], job->w.in[2] / 2), c = job->c, left = r->first, right = left + 1; \
    const int64_t roomy = c < V_LANES ? roomy_cells(&job->w, c, V_LANES) / 2 : 0;                                 \
    const real *g = (const real *)job->g + r->at;                                                                 \
    const uint8_t *places = KR_FN(places_at)(job, r->at, kind);                                                   \
    const vreal share = v_set1(r->whole);                                                                         \
    int64_t o = 0;                                                                                                \
    for (; o < roomy; ++o, g += c, places += c, dx += 2 * c) {                                                    \
      v_store(dx, KR_FN(give_from)(g, places, left, share, kind, V_LANES));                                       \
      v_store(dx + c, KR_FN(give_from)(g, places, right, share, kind, V_LANES));                                  \
    }                                                                                                             \
    for (; o < pairs; ++o, g += c, places += c, dx += 2 * c) {                                                    \
      int64_t j = 0;                                                                                              \
      for (; j + V_LANES <= c; j += V_LANES)                                                                      \
        v_store(dx + j, KR_FN(give_from)(g + j, places + j, left, share, kind, V_LANES));                         \
      for (j = 0; j + V_LANES <= c; j += V_LANES)                                                                 \
        v_store(dx + c + j, KR_FN(give_from)(g + j, places + j, right, share, kind, V_LANES));                    \
      if (j < c) {                                                                                                \
        v_store_n(dx + j, KR_FN(give_from)(g + j, places + j, left, share, kind, c - j), c - j);                  \
        v_store_n(dx + c + j, KR_FN(give_from)(g + j, places + j, right, share, kind, c - j), c - j);             \
      }                                                                                                           \
    }                                                                                                             \
    return 2 * pairs;                                                                                             \
  }
PAIRS(average_pairs, GRAD_AVERAGE)
PAIRS(max_pairs, GRAD_BYTES)
#undef PAIRS

/* Windows [from, to) of three columns with stride two, of a constant number of rows: of one vector of channels, from
 * number j on, the cells that they begin with, which the window before each ends with, and those in their middle; all these
 * windows are whole.  What a window gives is read once for its three cells.  dx is where the row begins. */
KR_INLINE void KR_FN(threes)(const pool_job *job, const KR_FN(over) * r, int rows, int64_t from, int64_t to, int64_t j,
                             real *dx, int kind, int64_t lanes) {
  const int64_t c = job->c, pad = job->w.pad[2];
  const real *g[2];
  const uint8_t *places[2];
  vreal last[2];
  int64_t tap[2];
  for (int i = 0; i < rows; ++i) {
    const int64_t at = r[i].at + (from - 1) * c + j;
    g[i] = (const real *)job->g + at;
    places[i] = KR_FN(places_at)(job, at, kind);
    tap[i] = r[i].first - pad;
    last[i] = KR_FN(give_from)(g[i], places[i], tap[i] + 2, v_set1(r[i].whole), kind, lanes);
  }
  dx += (2 * from - pad) * c + j;
  for (int64_t o = from; o < to; ++o, dx += 2 * c) {
    vreal begin = v_zero(), middle = v_zero();
    for (int i = 0; i < rows; ++i) {
      const vreal share = v_set1(r[i].whole);
      g[i] += c;
      places[i] += c;
      begin = v_add(begin, last[i]);
      begin = v_add(begin, KR_FN(give_from)(g[i], places[i], tap[i], share, kind, lanes));
      middle = v_add(middle, KR_FN(give_from)(g[i], places[i], tap[i] + 1, share, kind, lanes));
      last[i] = KR_FN(give_from)(g[i], places[i], tap[i] + 2, share, kind, lanes);
    }
    KR_FN(store)(dx, begin, lanes);
    KR_FN(store)(dx + c, middle, lanes);
  }
}

/* Narrow cells go so, some windows at a time, so that the lines of dx stay in cache until all their channels are written. */
KR_INLINE void KR_FN(narrow_threes)(const pool_job *job, const KR_FN(over) * r, int rows, span o, real *dx, int kind) {
  const int64_t c = job->c, most = GRAD_BLOCK / (2 * c * (int64_t)sizeof(real));
  if (c < V_LANES) {
    const int64_t roomy = kr_min(o.to, (roomy_cells(&job->w, c, V_LANES) + job->w.pad[2]) / 2);
    if (o.from < roomy) KR_FN(threes)(job, r, rows, o.from, roomy, 0, dx, kind, V_LANES);
    KR_FN(threes)(job, r, rows, kr_max(o.from, roomy), o.to, 0, dx, kind, c);
    return;
  }
  for (; o.from < o.to; o.from += most)
    for (int64_t j = 0; j < c; j += V_LANES) /* the last vector overlaps */
      KR_FN(threes)(job, r, rows, o.from, kr_min(o.from + most, o.to), kr_min(j, c - V_LANES), dx, kind, V_LANES);
}

/* Of wide ones dx is written in order, which arrays in memory want (else 0.65), and a window is read for each cell. */
KR_INLINE void KR_FN(wide_threes)(const pool_job *job, const KR_FN(over) * r, int rows, span o, real *dx, int kind) {
  const int64_t c = job->c;
  KR_FN(given) begin[4], middle[2];
  for (int i = 0; i < rows; ++i) {
    const KR_FN(given)
        w = {.at = r[i].at + o.from * c, .place = r[i].first - job->w.pad[2], .share = v_set1(r[i].whole)};
    begin[2 * i] = begin[2 * i + 1] = middle[i] = w;
    begin[2 * i].at -= c;
    begin[2 * i].place += 2;
    middle[i].place += 1;
  }
  dx += (2 * o.from - job->w.pad[2]) * c;
  for (; o.from < o.to; ++o.from, dx += 2 * c) {
    KR_FN(sum_over)(job, begin, 2 * rows, dx, kind, V_LANES);
    KR_FN(sum_over)(job, middle, rows, dx + c, kind, V_LANES);
    for (int i = 0; i < rows; ++i) {
      begin[2 * i].at += c;
      begin[2 * i + 1].at += c;
      middle[i].at += c;
    }
  }
}

#define THREES(width, name, kind, rows)                                                                            \
  static __attribute__((noinline)) void KR_FN(width##_##name##_##rows)(const pool_job *job, const KR_FN(over) * r, \
                                                                       span o, real * dx) {                        \
    KR_FN(width##_threes)(job, r, rows, o, dx, kind);                                                              \
  }
#define ALL_THREES(name, kind)                                                                                   \
  THREES(narrow, name, kind, 1)                                                                                  \
  THREES(narrow, name, kind, 2)                                                                                  \
  THREES(wide, name, kind, 1)                                                                                    \
  THREES(wide, name, kind, 2)                                                                                    \
  static void KR_FN(name##_threes)(const pool_job *job, const KR_FN(over) * r, int64_t rows, span o, real *dx) { \
    if (job->c * (int64_t)sizeof(real) <= GRAD_NARROW)                                                           \
      (rows == 1 ? KR_FN(narrow_##name##_1) : KR_FN(narrow_##name##_2))(job, r, o, dx);                          \
    else (rows == 1 ? KR_FN(wide_##name##_1) : KR_FN(wide_##name##_2))(job, r, o, dx);                           \
  }
ALL_THREES(average, GRAD_AVERAGE)
ALL_THREES(max, GRAD_BYTES)
#undef ALL_THREES
#undef THREES

/* Row number `row` of dx. */
KR_INLINE void KR_FN(grad_row)(const pool_job *job, int64_t row, int kind) {
  const window *w = &job->w;
  const row_place i = window_row(w->in, row);
  const span od = window_outputs(w, 0, i.d, i.d + 1), oh = window_outputs(w, 1, i.h, i.h + 1);
  const int64_t all = kr_max(0, od.to - od.from) * kr_max(0, oh.to - oh.from);
  real *dx = (real *)job->y + row * w->in[2] * job->c;
  if (all == 0) {
    memset(dx, 0, (size_t)(w->in[2] * job->c) * sizeof(real));
    return;
  }
  int64_t d = od.from, h = oh.from;
  for (int64_t from = 0; from < all; from += GRAD_ROWS) {
    const int64_t rows = kr_min(all - from, GRAD_ROWS);
    KR_FN(over) r[GRAD_ROWS];
    for (int64_t k = 0; k < rows; ++k) {
      const span at_d = window_cells(w, 0, d), at_h = window_cells(w, 1, h);
      const int64_t tap_d = i.d - (d * w->stride[0] - w->pad[0]), tap_h = i.h - (h * w->stride[1] - w->pad[1]);
      r[k] = (KR_FN(over)){.at = ((i.n * w->out[0] + d) * w->out[1] + h) * w->out[2] * job->c,
                           .first = (tap_d * w->size[1] + tap_h) * w->size[2] + w->pad[2],
                           .cells = (at_d.to - at_d.from) * (at_h.to - at_h.from)};
      if (kind == GRAD_AVERAGE) r[k].whole = 1 / (real)(r[k].cells * w->size[2]);
      if (++h == oh.to) {
        h = oh.from;
        ++d;
      }
    }
    int64_t done = 0; /* cells */
    const span whole = whole_windows(w, 2);
    if (kind != GRAD_WIDE && all == 1 && w->size[2] == 2 && w->stride[2] == 2 && w->pad[2] == 0 && w->in[2] >= 2)
      done = (kind == GRAD_AVERAGE ? KR_FN(average_pairs) : KR_FN(max_pairs))(job, r, dx);
    else if (kind != GRAD_WIDE && all <= 2 && w->size[2] == 3 && w->stride[2] == 2 && whole.to - whole.from > 1) {
      const span o = {whole.from + 1, whole.to};
      KR_FN(grad_cells)(job, r, rows, 0, 2 * o.from - w->pad[2], dx, kind, 0);
      (kind == GRAD_AVERAGE ? KR_FN(average_threes) : KR_FN(max_threes))(job, r, all, o, dx);
      done = 2 * o.to - w->pad[2];
    }
    if (done < w->in[2]) KR_FN(grad_cells)(job, r, rows, done, w->in[2], dx + done * job->c, kind, from > 0);
  }
}

#define GRAD_TASK(name, kind)                                                                 \
  static void KR_FN(name)(void *arg, int64_t task, KR_UNUSED int worker) {                    \
    const pool_job *job = arg;                                                                \
    const int64_t rows = job->w.n * job->w.in[0] * job->w.in[1];                              \
    for (int64_t row = task * job->grain; row < kr_min((task + 1) * job->grain, rows); ++row) \
      KR_FN(grad_row)(job, row, kind);                                                        \
  }
GRAD_TASK(avg_grad_task, GRAD_AVERAGE)
GRAD_TASK(max_grad_task, GRAD_BYTES)
GRAD_TASK(wide_grad_task, GRAD_WIDE)
#undef GRAD_TASK

static kr_status KR_FN(pool_grad)(const kr_call *call, pool_job *job, kr_task_fn fn) {
  const kr_array *dx = &call->out[0];
  if (kr_size(dx) == 0) return KR_OK;
  job->y = dx->data;
  job->c = dx->shape[dx->ndim - 1];
  const int64_t rows = job->w.n * job->w.in[0] * job->w.in[1];
  job->grain = window_grain(rows, job->w.in[2] * job->c * 2);
  kr_parallel(call->threads, kr_ceil_div(rows, job->grain), fn, job);
  return KR_OK;
}

static kr_status KR_FN(avg_pool_grad)(const kr_call *call) {
  const kr_array *g = &call->in[0];
  pool_job job = {.w = pool_window(call, &call->out[0], g), .g = g->data};
  return KR_FN(pool_grad)(call, &job, KR_FN(avg_grad_task));
}

static kr_status KR_FN(max_pool_grad)(const kr_call *call) {
  const kr_array *places = &call->in[0], *g = &call->in[1];
  pool_job job = {.w = pool_window(call, &call->out[0], g), .g = g->data, .places = places->data};
  return KR_FN(pool_grad)(call, &job, places->dtype == KR_U8 ? KR_FN(max_grad_task) : KR_FN(wide_grad_task));
}
