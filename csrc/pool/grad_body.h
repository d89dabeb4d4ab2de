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

/* One vector of channels of a window. */
KR_INLINE vreal KR_FN(give)(const pool_job *job, const KR_FN(given) * w, int64_t j, int kind, int64_t lanes) {
  const int64_t at = w->at + j;
  const vreal g = KR_FN(load)((const real *)job->g + at, lanes);
  if (kind == GRAD_AVERAGE) return v_mul(g, w->share);
  if (kind == GRAD_BYTES)
    return v_select(v_eq_u8((const uint8_t *)job->places + at, lanes, (uint8_t)w->place), g, v_zero());
  return v_select(v_eq(KR_FN(load_place)(job->places, at, 1, lanes), v_set1((real)w->place)), g, v_zero());
}

/* A cell under `rows` by `cols` windows, at most three each, both constants. */
KR_INLINE void KR_FN(few_over)(const pool_job *job, const KR_FN(over) * r, int rows, int cols, int64_t o, int64_t iw,
                               real *dx, int kind) {
  KR_FN(given) w[9];
  for (int i = 0; i < rows * cols; ++i) w[i] = KR_FN(given_by)(job, &r[i / cols], o + i % cols, iw, kind);
  const int64_t c = job->c;
  for (int64_t j = 0; c >= V_LANES && j < c; j += V_LANES) {
    const int64_t at = kr_min(j, c - V_LANES);
    vreal sum = v_zero();
    for (int i = 0; i < rows * cols; ++i) sum = v_add(sum, KR_FN(give)(job, &w[i], at, kind, V_LANES));
    v_store(dx + at, sum);
  }
  if (c >= V_LANES) return;
  vreal sum = v_zero();
  for (int i = 0; i < rows * cols; ++i) sum = v_add(sum, KR_FN(give)(job, &w[i], 0, kind, c));
  v_store_n(dx, sum, c);
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
  span ow = window_outputs(w, 2, kr_min(iw, w->in[2] - 1), kr_min(iw, w->in[2] - 1) + 1);
  for (; iw < end; ++iw, dx += job->c) {
    while (ow.from * w->stride[2] - w->pad[2] + w->size[2] <= iw) ++ow.from;
    while (ow.to < w->out[2] && ow.to * w->stride[2] - w->pad[2] <= iw) ++ow.to;
    const int64_t cols = ow.to - ow.from, shape = more || rows > 3 || cols > 3 ? 0 : rows * 4 + cols;
    switch (shape) {
      case 5: KR_FN(few_over)(job, r, 1, 1, ow.from, iw, dx, kind); break;
      case 6: KR_FN(few_over)(job, r, 1, 2, ow.from, iw, dx, kind); break;
      case 7: KR_FN(few_over)(job, r, 1, 3, ow.from, iw, dx, kind); break;
      case 9: KR_FN(few_over)(job, r, 2, 1, ow.from, iw, dx, kind); break;
      case 10: KR_FN(few_over)(job, r, 2, 2, ow.from, iw, dx, kind); break;
      case 11: KR_FN(few_over)(job, r, 2, 3, ow.from, iw, dx, kind); break;
      case 13: KR_FN(few_over)(job, r, 3, 1, ow.from, iw, dx, kind); break;
      case 14: KR_FN(few_over)(job, r, 3, 2, ow.from, iw, dx, kind); break;
      case 15: KR_FN(few_over)(job, r, 3, 3, ow.from, iw, dx, kind); break;
      default: KR_FN(many_over)(job, r, rows, (span){ow.from, kr_max(ow.from, ow.to)}, iw, dx, kind, more);
    }
  }
}

/* Windows of two columns with stride two: each gives to two neighbours, one after the other, since stores by turns to both
 * take 1.2 times as long.  Returns how many cells are done.  Beside the loops above the compiler keeps the pointers of
 * these on the stack (0.85), so they stand alone. */
static __attribute__((noinline)) int64_t KR_FN(average_pairs)(const pool_job *job, const KR_FN(over) * r, real *dx) {
  const int64_t pairs = kr_min(job->w.out[2], job->w.in[2] / 2), c = job->c;
  const real *g = (const real *)job->g + r->at;
  const vreal share = v_set1(r->whole);
  for (int64_t o = 0; o < pairs; ++o, g += c, dx += 2 * c) {
    int64_t j = 0;
    for (; j + V_LANES <= c; j += V_LANES) v_store(dx + j, v_mul(v_load(g + j), share));
    for (j = 0; j + V_LANES <= c; j += V_LANES) v_store(dx + c + j, v_mul(v_load(g + j), share));
    if (j < c) {
      const vreal given = v_mul(v_load_n(g + j, c - j), share);
      v_store_n(dx + j, given, c - j);
      v_store_n(dx + c + j, given, c - j);
    }
  }
  return 2 * pairs;
}

static __attribute__((noinline)) int64_t KR_FN(max_pairs)(const pool_job *job, const KR_FN(over) * r, real *dx) {
  const int64_t pairs = kr_min(job->w.out[2], job->w.in[2] / 2), c = job->c;
  const real *g = (const real *)job->g + r->at;
  const uint8_t *places = (const uint8_t *)job->places + r->at, left = (uint8_t)r->first, right = left + 1;
  for (int64_t o = 0; o < pairs; ++o, g += c, places += c, dx += 2 * c) {
    int64_t j = 0;
    for (; j + V_LANES <= c; j += V_LANES)
      v_store(dx + j, v_select(v_eq_u8(places + j, V_LANES, left), v_load(g + j), v_zero()));
    for (j = 0; j + V_LANES <= c; j += V_LANES)
      v_store(dx + c + j, v_select(v_eq_u8(places + j, V_LANES, right), v_load(g + j), v_zero()));
    if (j < c) {
      const vreal gv = v_load_n(g + j, c - j);
      v_store_n(dx + j, v_select(v_eq_u8(places + j, c - j, left), gv, v_zero()), c - j);
      v_store_n(dx + c + j, v_select(v_eq_u8(places + j, c - j, right), gv, v_zero()), c - j);
    }
  }
  return 2 * pairs;
}

/* Windows of three columns with stride two, of at most two rows: of one vector of channels from number j on, the cells
 * that windows [from, to) begin with, which the one before ends with, and those in the middle; all of them, and number
 * from - 1, are whole.  What a window gives is read once for its three cells. */
KR_INLINE void KR_FN(threes)(const pool_job *job, const KR_FN(over) * r, const int rows, int64_t from, int64_t to,
                             int64_t j, real *dx, int kind, int64_t lanes) {
  const int64_t c = job->c;
  const real *g[2];
  const uint8_t *places[2], *none = NULL;
  vreal last[2];
  for (int i = 0; i < rows; ++i) {
    const int64_t at = r[i].at + (from - 1) * c + j;
    g[i] = (const real *)job->g + at;
    places[i] = kind == GRAD_BYTES ? (const uint8_t *)job->places + at : none;
    const vreal given = KR_FN(load)(g[i], lanes);
    if (kind == GRAD_AVERAGE) last[i] = v_mul(given, v_set1(r[i].whole));
    else last[i] = v_select(v_eq_u8(places[i], lanes, (uint8_t)(r[i].first - job->w.pad[2] + 2)), given, v_zero());
  }
  dx += (2 * from - job->w.pad[2]) * c + j;
  for (int64_t o = from; o < to; ++o, dx += 2 * c) {
    vreal begin = v_zero(), middle = v_zero();
    for (int i = 0; i < rows; ++i) {
      const vreal given = KR_FN(load)(g[i] += c, lanes);
      begin = v_add(begin, last[i]);
      if (kind == GRAD_AVERAGE) {
        last[i] = v_mul(given, v_set1(r[i].whole));
        begin = v_add(begin, last[i]);
        middle = v_add(middle, last[i]);
      } else {
        const uint8_t *p = places[i] += c, tap = (uint8_t)(r[i].first - job->w.pad[2]);
        begin = v_add(begin, v_select(v_eq_u8(p, lanes, tap), given, v_zero()));
        middle = v_add(middle, v_select(v_eq_u8(p, lanes, tap + 1), given, v_zero()));
        last[i] = v_select(v_eq_u8(p, lanes, tap + 2), given, v_zero());
      }
    }
    KR_FN(store)(dx, begin, lanes);
    KR_FN(store)(dx + c, middle, lanes);
  }
}

#define THREES(name, kind)                                                                                        \
  static __attribute__((noinline)) void KR_FN(name)(const pool_job *job, const KR_FN(over) * r, int rows, span o, \
                                                    real *dx) {                                                   \
    const int64_t c = job->c;                                                                                     \
    for (int64_t j = 0; c >= V_LANES && j < c; j += V_LANES) {                                                    \
      const int64_t at = kr_min(j, c - V_LANES); /* the last vector overlaps, as masks take longer */             \
      if (rows == 1) KR_FN(threes)(job, r, 1, o.from, o.to, at, dx, kind, V_LANES);                               \
      else KR_FN(threes)(job, r, 2, o.from, o.to, at, dx, kind, V_LANES);                                         \
    }                                                                                                             \
    if (c < V_LANES && rows == 1) KR_FN(threes)(job, r, 1, o.from, o.to, 0, dx, kind, c);                         \
    if (c < V_LANES && rows == 2) KR_FN(threes)(job, r, 2, o.from, o.to, 0, dx, kind, c);                         \
  }
THREES(average_threes, GRAD_AVERAGE)
THREES(max_threes, GRAD_BYTES)
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
      done = kind == GRAD_AVERAGE ? KR_FN(average_pairs)(job, r, dx) : KR_FN(max_pairs)(job, r, dx);
    else if (kind != GRAD_WIDE && all <= 2 && w->size[2] == 3 && w->stride[2] == 2 && whole.to - whole.from > 1 &&
             w->in[2] * job->c * (int64_t)sizeof(real) <= GRAD_CACHED) {
      const span o = {whole.from + 1, whole.to};
      if (kind == GRAD_AVERAGE) KR_FN(average_threes)(job, r, (int)all, o, dx);
      else KR_FN(max_threes)(job, r, (int)all, o, dx);
      KR_FN(grad_cells)(job, r, rows, 0, 2 * o.from - w->pad[2], dx, kind, 0);
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
