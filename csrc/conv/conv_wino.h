/* Winograd's convolution for one floating type, forward and to the input: the transforms, the products of a block of
 * tiles, and the tasks; wino_plan.h has the formulas, conv.c says when.
 *
 * A task takes some groups of WINO_MR tiles, the last one fewer, and shares them out evenly.  It transforms all their
 * channels, then for each panel of filters makes 36 products, each a few register tiles, and transforms those back,
 * adding the bias; transformed source and products stay in its L2.  A sum over channels is one chain, whatever the
 * group. */

#define WINO_W (DIRECT_NV * V_LANES) /* columns of a panel; the last may have fewer vectors */

typedef struct {
  vreal at[WINO_SIDE];
} KR_FN(wino_line);

/* B'. */
KR_INLINE KR_FN(wino_line) KR_FN(wino_source)(KR_FN(wino_line) x) {
  const vreal s = v_set1((real)WINO_S), a = v_set1((real)WINO_A), b = v_set1((real)WINO_B);
  const vreal a2 = v_set1((real)WINO_A2), b2 = v_set1((real)WINO_B2);
  const vreal ea = v_fnma(b2, x.at[2], x.at[4]), oa = v_fnma(b2, x.at[1], x.at[3]);
  const vreal eb = v_fnma(a2, x.at[2], x.at[4]), ob = v_fnma(a2, x.at[1], x.at[3]);
  return (KR_FN(wino_line)){{v_fnma(s, x.at[2], v_add(x.at[0], x.at[4])), v_fma(a, oa, ea), v_fnma(a, oa, ea),
                             v_fma(b, ob, eb), v_fnma(b, ob, eb), v_fnma(s, x.at[3], v_add(x.at[1], x.at[5]))}};
}

/* G for `taps` 3 or 4, without the divisors. */
KR_INLINE KR_FN(wino_line) KR_FN(wino_filter)(KR_FN(wino_line) k, const int taps) {
  const vreal a = v_set1((real)WINO_A), b = v_set1((real)WINO_B);
  const vreal a2 = v_set1((real)WINO_A2), b2 = v_set1((real)WINO_B2);
  const vreal ea = v_fma(a2, k.at[2], k.at[0]), eb = v_fma(b2, k.at[2], k.at[0]);
  const vreal oa = taps == 4 ? v_fma(a2, k.at[3], k.at[1]) : k.at[1];
  const vreal ob = taps == 4 ? v_fma(b2, k.at[3], k.at[1]) : k.at[1];
  return (KR_FN(wino_line)){
      {k.at[0], v_fma(a, oa, ea), v_fnma(a, oa, ea), v_fma(b, ob, eb), v_fnma(b, ob, eb), k.at[taps - 1]}};
}

/* A' for `outs` 3 or 4. */
KR_INLINE KR_FN(wino_line) KR_FN(wino_result)(KR_FN(wino_line) m, const int outs) {
  const vreal a = v_set1((real)WINO_A), b = v_set1((real)WINO_B);
  const vreal a2 = v_set1((real)WINO_A2), b2 = v_set1((real)WINO_B2);
  const vreal sa = v_add(m.at[1], m.at[2]), da = v_mul(a, v_sub(m.at[1], m.at[2]));
  const vreal sb = v_add(m.at[3], m.at[4]), db = v_mul(b, v_sub(m.at[3], m.at[4]));
  KR_FN(wino_line) y = {{v_add(m.at[0], v_add(sa, sb)), v_add(da, db), v_mul(a2, sa)}};
  if (outs == 3) {
    y.at[2] = v_add(v_fma(b2, sb, y.at[2]), m.at[5]);
  } else {
    y.at[2] = v_fma(b2, sb, y.at[2]);
    y.at[3] = v_fma(a2, da, v_fma(b2, db, m.at[5]));
  }
  return y;
}

/* B, the transpose of B'. */
KR_INLINE KR_FN(wino_line) KR_FN(wino_spread_line)(KR_FN(wino_line) u) {
  const vreal s = v_set1((real)WINO_S), a = v_set1((real)WINO_A), b = v_set1((real)WINO_B);
  const vreal a2 = v_set1((real)WINO_A2), b2 = v_set1((real)WINO_B2);
  const vreal sa = v_add(u.at[1], u.at[2]), da = v_sub(u.at[1], u.at[2]);
  const vreal sb = v_add(u.at[3], u.at[4]), db = v_sub(u.at[3], u.at[4]);
  return (KR_FN(wino_line)){{u.at[0], v_fnma(b, da, v_fnma(a, db, u.at[5])),
                             v_sub(v_zero(), v_fma(s, u.at[0], v_fma(b2, sa, v_mul(a2, sb)))),
                             v_fma(a, da, v_fnma(s, u.at[5], v_mul(b, db))), v_add(u.at[0], v_add(sa, sb)), u.at[5]}};
}

/* ---- reading tiles ------------------------------------------------------------------------------------------------ */

/* A square of cells: its lines (zeros where they lie outside), and which of its columns lie inside. */
typedef struct {
  const real *line[WINO_SIDE];
  int from, to;
} KR_FN(wino_square);

/* The square of `side` cells at (y, x) of image n of an array with lines of in[2] cells of c elements. */
KR_INLINE KR_FN(wino_square) KR_FN(wino_square_at)(const real *src, const int64_t in[3], int64_t c, int64_t n,
                                                   int64_t y, int64_t x, int side, const real *zeros) {
  KR_FN(wino_square) s = {.from = (int)kr_min(kr_max(0, -x), side), .to = (int)kr_max(0, kr_min(side, in[2] - x))};
  for (int i = 0; i < side; ++i)
    s.line[i] = y + i >= 0 && y + i < in[1] ? src + ((n * in[1] + y + i) * in[2] + x) * c : zeros;
  return s;
}

/* A transform of a square of 6 (of the source) or 4 cells (g, `source` 0) of a vector of channels: element (i, j) goes
 * to dst + (i * 6 + j) * step. */
KR_INLINE void KR_FN(wino_transform)(const KR_FN(wino_square) * s, int64_t at, int64_t c, const int source, real *dst,
                                     int64_t step) {
  const int side = source ? WINO_SIDE : WINO_OUT;
  vreal t[WINO_SIDE][WINO_SIDE];
#pragma GCC unroll 6
  for (int j = 0; j < side; ++j) {
    KR_FN(wino_line) x;
    if (j < s->from || j >= s->to) {
      for (int i = 0; i < WINO_SIDE; ++i) t[i][j] = v_zero();
      continue;
    }
#pragma GCC unroll 6
    for (int i = 0; i < side; ++i) x.at[i] = v_load(s->line[i] + j * c + at);
    x = source ? KR_FN(wino_source)(x) : KR_FN(wino_filter)(x, 4);
#pragma GCC unroll 6
    for (int i = 0; i < WINO_SIDE; ++i) t[i][j] = x.at[i];
  }
#pragma GCC unroll 6
  for (int i = 0; i < WINO_SIDE; ++i) {
    KR_FN(wino_line) x;
#pragma GCC unroll 6
    for (int j = 0; j < side; ++j) x.at[j] = t[i][j];
    x = source ? KR_FN(wino_source)(x) : KR_FN(wino_filter)(x, 4);
#pragma GCC unroll 6
    for (int j = 0; j < WINO_SIDE; ++j) v_store(dst + (i * WINO_SIDE + j) * step, x.at[j]);
  }
}

/* ---- the kernel --------------------------------------------------------------------------------------------------- */

/* Rows of a panel of the kernel, 36 planes of (channels, columns of the panel). */
static void KR_FN(wino_kernel_task)(void *arg, int64_t task, KR_UNUSED int worker) {
  const wino_job *w = arg;
  const conv_job *j = &w->j;
  const int64_t c = j->p.c, slices = kr_ceil_div(c, WINO_ROWS), panel = task / slices, row0 = task % slices * WINO_ROWS;
  const int64_t rows = kr_min(WINO_ROWS, c - row0), col = panel * WINO_W, width = kr_min(WINO_W, w->columns - col);
  const real *kernel = j->kernel;
  KR_ALIGNED real turned[9][WINO_ROWS * WINO_W];
  const real *tap[9];
  const int64_t ld = w->turned ? width : j->filters;
  for (int t = 0; t < 9; ++t) {
    const int64_t at = kernel_tap(j, 0, t / 3, t % 3) * j->kernel_c;
    tap[t] = turned[t];
    if (!w->turned) {
      tap[t] = kernel + (at + row0) * j->filters + col;
      continue;
    }
    const real *src[WINO_W];
    for (int64_t i = 0; i < width; ++i) src[i] = kernel + (at + col + i) * j->filters + row0;
    KR_FN(pack_rows)(src, width, width, rows, turned[t]);
  }
  const real by[WINO_SIDE] = {1, (real)(1 / WINO_NA), (real)(1 / WINO_NA), (real)(1 / WINO_NB), (real)(1 / WINO_NB), 1};
  real *dst = (real *)w->u + panel * WINO_POINTS * c * WINO_W + row0 * width;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t v = 0; v < width; v += V_LANES) {
      vreal t[WINO_SIDE][3];
#pragma GCC unroll 3
      for (int q = 0; q < 3; ++q) {
        KR_FN(wino_line) k;
        for (int i = 0; i < 3; ++i) k.at[i] = v_load(tap[i * 3 + q] + r * ld + v);
        k = KR_FN(wino_filter)(k, 3);
        for (int i = 0; i < WINO_SIDE; ++i) t[i][q] = v_mul(k.at[i], v_set1(by[i]));
      }
      for (int i = 0; i < WINO_SIDE; ++i) {
        KR_FN(wino_line) k = {{t[i][0], t[i][1], t[i][2]}};
        k = KR_FN(wino_filter)(k, 3);
        for (int q = 0; q < WINO_SIDE; ++q)
          v_store(dst + (i * WINO_SIDE + q) * c * width + r * width + v, v_mul(k.at[q], v_set1(by[q])));
      }
    }
}

/* ---- products ----------------------------------------------------------------------------------------------------- */

/* m[r][.] = sum over blocks of channels and q of x[block][r][q] u[block * V_LANES + q][.], for `rows` tiles */
KR_INLINE void KR_FN(wino_product)(const int rows, const int nv, int64_t blocks, const real *x, const real *u,
                                   real *m) {
  vreal acc[WINO_MR][DIRECT_NV];
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < nv; ++v) acc[r][v] = v_zero();
  for (; blocks > 0; --blocks, x += (WINO_POINTS - 1) * WINO_MR * V_LANES + (WINO_MR - 1) * V_LANES)
#pragma GCC unroll 1
    for (int q = 0; q < V_LANES; ++q, ++x, u += nv * V_LANES) {
      vreal uv[DIRECT_NV];
#pragma GCC unroll 4
      for (int v = 0; v < nv; ++v) uv[v] = v_load(u + v * V_LANES);
#pragma GCC unroll 16
      for (int r = 0; r < rows; ++r) {
        const vreal xr = v_set1(x[r * V_LANES]);
#pragma GCC unroll 4
        for (int v = 0; v < nv; ++v) acc[r][v] = v_fma(xr, uv[v], acc[r][v]);
      }
    }
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < nv; ++v) v_store(m + (r * nv + v) * V_LANES, acc[r][v]);
}

typedef void (*KR_FN(wino_product_fn))(int64_t blocks, const real *x, const real *u, real *m);

#define WINO_PRODUCT(rows, nv)                                                                           \
  static void KR_FN(wino_product_##rows##_##nv)(int64_t blocks, const real *x, const real *u, real *m) { \
    KR_FN(wino_product)(rows, nv, blocks, x, u, m);                                                      \
  }
#define WINO_EACH_NV(rows) WINO_PRODUCT(rows, 1) WINO_PRODUCT(rows, 2)
WINO_ROWS_EACH(WINO_EACH_NV)
#undef WINO_EACH_NV
#if defined(KR_FOR_NEON) || defined(KR_FOR_SCALAR)
#define WINO_EACH_NV(rows) WINO_PRODUCT(rows, 3) WINO_PRODUCT(rows, 4)
WINO_ROWS_EACH(WINO_EACH_NV)
#undef WINO_EACH_NV
#endif
#undef WINO_PRODUCT

/* By vectors of columns and tiles. */
#define ENTRY_1(rows) KR_FN(wino_product_##rows##_1),
#define ENTRY_2(rows) KR_FN(wino_product_##rows##_2),
#define ENTRY_3(rows) KR_FN(wino_product_##rows##_3),
#define ENTRY_4(rows) KR_FN(wino_product_##rows##_4),
static const KR_FN(wino_product_fn) KR_FN(wino_products)[][WINO_MR + 1] = {
    {NULL},
    {NULL, WINO_ROWS_EACH(ENTRY_1)},
    {NULL, WINO_ROWS_EACH(ENTRY_2)},
#if defined(KR_FOR_NEON) || defined(KR_FOR_SCALAR)
    {NULL, WINO_ROWS_EACH(ENTRY_3)},
    {NULL, WINO_ROWS_EACH(ENTRY_4)},
#endif
};
#undef ENTRY_1
#undef ENTRY_2
#undef ENTRY_3
#undef ENTRY_4

/* ---- back --------------------------------------------------------------------------------------------------------- */

/* The columns of a tile's products, m's elements `step` apart, turned back: `lines` lines of 6, by A' (4) or by B (6). */
KR_INLINE void KR_FN(wino_columns)(const real *m, int64_t step, const int lines, KR_FN(wino_line) * t) {
#pragma GCC unroll 6
  for (int j = 0; j < WINO_SIDE; ++j) {
    KR_FN(wino_line) x;
#pragma GCC unroll 6
    for (int i = 0; i < WINO_SIDE; ++i) x.at[i] = v_load(m + (i * WINO_SIDE + j) * step);
    x = lines == WINO_SIDE ? KR_FN(wino_spread_line)(x) : KR_FN(wino_result)(x, WINO_OUT);
#pragma GCC unroll 6
    for (int i = 0; i < lines; ++i) t[i].at[j] = x.at[i];
  }
}

/* A tile of the output, `high` by `wide` cells of it, for one vector of columns; m's elements are `step` apart. */
KR_INLINE void KR_FN(wino_back)(const real *m, int64_t step, vreal bias, int relu, real *y, int64_t line, int64_t cell,
                                int64_t high, int64_t wide) {
  KR_FN(wino_line) t[WINO_OUT];
  KR_FN(wino_columns)(m, step, WINO_OUT, t);
#pragma GCC unroll 4
  for (int i = 0; i < WINO_OUT; ++i) {
    if (i >= high) break;
    const KR_FN(wino_line) x = KR_FN(wino_result)(t[i], WINO_OUT);
#pragma GCC unroll 4
    for (int j = 0; j < WINO_OUT; ++j) {
      if (j >= wide) break;
      vreal out = v_add(x.at[j], bias);
      if (relu) out = v_select(v_lt(out, v_zero()), v_zero(), out); /* keeps NaN */
      v_store(y + i * line + j * cell, out);
    }
  }
}

/* Adds a tile of dx, `high` by `wide` cells of it, to what tiles above and on the left have left in its first two lines
 * (`below`) and columns (`right`); the other cells it is the first to write. */
KR_INLINE void KR_FN(wino_spread)(const real *m, int64_t step, real *y, int64_t line, int64_t cell, int below,
                                  int right, int64_t high, int64_t wide) {
  KR_FN(wino_line) t[WINO_SIDE];
  KR_FN(wino_columns)(m, step, WINO_SIDE, t);
#pragma GCC unroll 6
  for (int i = 0; i < WINO_SIDE; ++i) {
    if (i >= high) break;
    const KR_FN(wino_line) x = KR_FN(wino_spread_line)(t[i]);
#pragma GCC unroll 6
    for (int j = 0; j < WINO_SIDE; ++j) {
      if (j >= wide) break;
      real *to = y + i * line + j * cell;
      const int met = (i < WINO_SIDE - WINO_OUT && below) || (j < WINO_SIDE - WINO_OUT && right);
      v_store(to, met ? v_add(v_load(to), x.at[j]) : x.at[j]);
    }
  }
}

/* ---- tasks -------------------------------------------------------------------------------------------------------- */

typedef struct {
  int64_t n, y, x; /* image; the tile's first cell */
} KR_FN(wino_place);

KR_INLINE KR_FN(wino_place) KR_FN(wino_place_of)(int64_t tile, int64_t ty, int64_t tx) {
  const int64_t row = tile / tx;
  return (KR_FN(wino_place)){row / ty, row % ty * WINO_OUT, tile % tx * WINO_OUT};
}

static void KR_FN(wino_task)(void *arg, int64_t task, int worker) {
  const wino_job *w = arg;
  const patches *p = &w->j.p;
  const int64_t group = WINO_MR * V_LANES, unit = w->unit, units = w->tiles / unit;
  const int64_t tile0 = task * units / w->tasks * unit;
  const int64_t tiles = (task + 1) * units / w->tasks * unit - tile0, groups = kr_ceil_div(tiles, WINO_MR);
  real *const source = (real *)((char *)w->own + worker * w->own_bytes), *const m = source + w->v_bytes / sizeof(real);
  int64_t first[WINO_SPREAD / WINO_MR + 2]; /* of a group; all have about as many */
  for (int64_t g = 0; g <= groups; ++g) first[g] = g * tiles / groups;
  for (int64_t g = 0; g < groups; ++g)
    for (int64_t t = first[g]; t < first[g + 1]; ++t) {
      const KR_FN(wino_place) at = KR_FN(wino_place_of)(tile0 + t, w->ty, w->tx);
      const KR_FN(wino_square) s =
          KR_FN(wino_square_at)(p->src, p->in, p->c, at.n, at.y + p->first[1], at.x + p->first[2],
                                w->spread ? WINO_OUT : WINO_SIDE, w->zeros);
      real *dst = source + g * w->blocks * WINO_POINTS * group + (t - first[g]) * V_LANES;
      for (int64_t b = 0; b < w->blocks; ++b, dst += WINO_POINTS * group)
        if (w->spread) KR_FN(wino_transform)(&s, b * V_LANES, p->c, 0, dst, group);
        else KR_FN(wino_transform)(&s, b * V_LANES, p->c, 1, dst, group);
    }
  for (int64_t q = 0; q < w->panels; ++q) {
    const int64_t col = q * WINO_W, width = kr_min(WINO_W, w->columns - col), size = WINO_MR * width;
    const real *u = (const real *)w->u + q * WINO_POINTS * p->c * WINO_W;
    const KR_FN(wino_product_fn) *const multiply = KR_FN(wino_products)[width / V_LANES];
    for (int64_t k = 0; k < WINO_POINTS; ++k, u += p->c * width)
      for (int64_t g = 0; g < groups; ++g)
        multiply[first[g + 1] - first[g]](w->blocks, source + (g * w->blocks * WINO_POINTS + k) * group, u,
                                          m + (g * WINO_POINTS + k) * size);
    for (int64_t g = 0; g < groups; ++g)
      for (int64_t t = first[g]; t < first[g + 1]; ++t) {
        const KR_FN(wino_place) at = KR_FN(wino_place_of)(tile0 + t, w->ty, w->tx);
        const real *from = m + g * WINO_POINTS * size + (t - first[g]) * width;
        real *y = (real *)w->y + at.n * w->y_image + at.y * w->y_step[1] + at.x * w->y_step[2] + col;
        for (int64_t v = 0; v < width && w->spread; v += V_LANES)
          KR_FN(wino_spread)(from + v, size, y + v, w->y_step[1], w->y_step[2], at.y > 0, at.x > 0, p->cells[1] - at.y,
                             p->cells[2] - at.x);
        for (int64_t v = 0; v < width && !w->spread; v += V_LANES)
          KR_FN(wino_back)(from + v, size, w->bias ? v_load((const real *)w->bias + col + v) : v_zero(), w->relu, y + v,
                           w->y_step[1], w->y_step[2], p->cells[1] - at.y, p->cells[2] - at.x);
      }
  }
}

static int64_t KR_FN(wino_packed)(int64_t c, int64_t columns) {
  return kr_ceil_div(columns, WINO_W) * WINO_POINTS * c * WINO_W * (int64_t)sizeof(real);
}

static void KR_FN(wino_pack)(wino_job *w, int threads) {
  w->panels = kr_ceil_div(w->columns, WINO_W);
  kr_parallel(threads, w->panels * kr_ceil_div(w->j.p.c, WINO_ROWS), KR_FN(wino_kernel_task), w);
}

/* Plans the convolution that `d` describes and says what scratch it needs, with the addresses when there is some. */
static size_t KR_FN(wino_plan)(wino_job *w, const direct_job *d, int threads, void *scratch) {
  const patches *p = &d->j.p;
  *w = (wino_job){.j = d->j,
                  .images = d->images,
                  .columns = d->columns,
                  .bias = d->bias,
                  .y = d->y,
                  .y_image = d->y_image,
                  .y_step = {d->y_step[0], d->y_step[1], d->y_step[2]},
                  .relu = d->relu,
                  .turned = d->turned,
                  .spread = d->spread};
  w->ty = kr_ceil_div(d->spread ? p->in[1] : p->cells[1], WINO_OUT);
  w->tx = kr_ceil_div(d->spread ? p->in[2] : p->cells[2], WINO_OUT);
  const int64_t image = w->ty * w->tx;
  w->tiles = w->images * image;
  w->blocks = p->c / V_LANES;
  w->panels = kr_ceil_div(w->columns, WINO_W);
  const int64_t group = WINO_POINTS * WINO_MR * p->c * (int64_t)sizeof(real), all = kr_ceil_div(w->tiles, WINO_MR);
  w->unit = d->spread ? image : 1;
  w->groups =
      kr_max(1, kr_min(kr_min(WINO_GROUPS, wino_source_most(d->spread) / group), threads > 1 ? all / WINO_TASKS : all));
  const int64_t units = w->tiles / w->unit, each = kr_max(1, w->groups * WINO_MR / w->unit);
  const int64_t most = kr_ceil_div(units, kr_max(1, WINO_TASK / w->unit));
  w->tasks = threads > 1 ? even_tasks(kr_ceil_div(units, each), threads, most) : kr_ceil_div(units, each);
  w->groups = kr_ceil_div(kr_ceil_div(units, w->tasks) * w->unit, WINO_MR);
  w->v_bytes = w->groups * group;
  w->own_bytes = w->v_bytes + w->groups * WINO_POINTS * WINO_MR * WINO_W * (int64_t)sizeof(real);
  size_t used = 0;
  w->u = take(scratch, &used, KR_FN(wino_packed)(p->c, w->columns));
  w->zeros = take(scratch, &used, WINO_SIDE * p->c * (int64_t)sizeof(real));
  w->own = take(scratch, &used, kr_min(threads, w->tasks) * w->own_bytes);
  return used;
}

static void KR_FN(wino)(const direct_job *d, int threads, void *scratch) {
  wino_job w;
  KR_FN(wino_plan)(&w, d, threads, scratch);
  memset(w.zeros, 0, (size_t)(WINO_SIDE * w.j.p.c) * sizeof(real));
  if (d->ready) w.u = d->ready;
  else KR_FN(wino_pack)(&w, threads);
  kr_parallel(threads, w.tasks, KR_FN(wino_task), &w);
}
