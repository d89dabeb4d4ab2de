/* The gradient to the kernel by Winograd's tiles for one floating type; wino_plan.h has the formulas, conv.c says when.
 *
 * A task takes a part of the tiles and a share of the filters and channels, and sums 36 products over its tiles, block by
 * block: the transformed tiles of a block and the sums stay in its L2.  The parts are added in order, and turned back, at
 * the end. */

/* Channels of a register tile; it holds as many vectors of filters as a panel has. */
#if defined(KR_FOR_AVX512)
#define WINO_GK_ROWS(nv) ((nv) == 1 ? V_LANES : V_LANES / 2)
#elif defined(KR_FOR_AVX2)
#define WINO_GK_ROWS(nv) ((nv) == 1 ? V_LANES : kr_min(V_LANES, 4))
#else
#define WINO_GK_ROWS(nv) V_LANES
#endif

/* sums[r][.] += sum over tiles of x[tile][r] g[tile][.], x's tiles V_LANES elements apart. */
KR_INLINE void KR_FN(wino_outer)(const int nv, int64_t tiles, const real *x, const real *g, real *sums) {
  enum { ROWS = V_LANES };
  const int rows = WINO_GK_ROWS(nv);
  vreal acc[ROWS][DIRECT_NV];
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < nv; ++v) acc[r][v] = v_load(sums + (r * nv + v) * V_LANES);
  for (; tiles > 0; --tiles, x += V_LANES, g += nv * V_LANES) {
    vreal gv[DIRECT_NV];
#pragma GCC unroll 4
    for (int v = 0; v < nv; ++v) gv[v] = v_load(g + v * V_LANES);
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
      const vreal xr = v_set1(x[r]);
#pragma GCC unroll 4
      for (int v = 0; v < nv; ++v) acc[r][v] = v_fma(xr, gv[v], acc[r][v]);
    }
  }
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < nv; ++v) v_store(sums + (r * nv + v) * V_LANES, acc[r][v]);
}

#define WINO_OUTER(nv)                                                                          \
  static void KR_FN(wino_outer_##nv)(int64_t tiles, const real *x, const real *g, real *sums) { \
    KR_FN(wino_outer)(nv, tiles, x, g, sums);                                                   \
  }
WINO_OUTER(1)
WINO_OUTER(2)
#if defined(KR_FOR_NEON) || defined(KR_FOR_SCALAR)
WINO_OUTER(3)
WINO_OUTER(4)
#endif
#undef WINO_OUTER

typedef void (*KR_FN(wino_outer_fn))(int64_t tiles, const real *x, const real *g, real *sums);
static const KR_FN(wino_outer_fn) KR_FN(wino_outers)[] = {
    NULL,
    KR_FN(wino_outer_1),
    KR_FN(wino_outer_2),
#if defined(KR_FOR_NEON) || defined(KR_FOR_SCALAR)
    KR_FN(wino_outer_3),
    KR_FN(wino_outer_4),
#endif
};

static void KR_FN(wino_sum_task)(void *arg, int64_t task, int worker) {
  const wino_kernel_job *w = arg;
  const patches *p = &w->j.p;
  const int64_t slice = task % w->slices, share = task / w->slices % w->shares, part = task / w->slices / w->shares;
  const int64_t f = w->j.filters, q0 = share * w->share, q1 = kr_min(w->panels, q0 + w->share);
  const int64_t b0 = slice * w->blocks / w->slices, b1 = (slice + 1) * w->blocks / w->slices;
  const int64_t c0 = b0 * V_LANES, c1 = b1 * V_LANES;
  const int64_t last = (part + 1) * w->tiles / w->parts;
  real *const x = (real *)((char *)w->own + worker * w->own_bytes), *const g = x + w->v_bytes / sizeof(real);
  real *const sums = (real *)w->sums + part * w->sum_size;
  for (int64_t q = q0; q < q1; ++q)
    for (int64_t k = 0, width = kr_min(WINO_W, f - q * WINO_W); k < WINO_POINTS; ++k)
      memset(sums + q * WINO_POINTS * p->c * WINO_W + (k * p->c + c0) * width, 0,
             (size_t)((c1 - c0) * width) * sizeof(real));
  for (int64_t tile = part * w->tiles / w->parts; tile < last; tile += w->step) {
    const int64_t tiles = kr_min(w->step, last - tile);
    for (int64_t t = 0; t < tiles; ++t) {
      const KR_FN(wino_place) at = KR_FN(wino_place_of)(tile + t, w->ty, w->tx);
      const KR_FN(wino_square) s =
          KR_FN(wino_square_at)(p->src, p->in, p->c, at.n, at.y + p->first[1], at.x + p->first[2], WINO_SIDE, w->zeros);
      for (int64_t b = b0; b < b1; ++b)
        KR_FN(wino_transform)(&s, b * V_LANES, p->c, 1, x + (b * WINO_POINTS * w->step + t) * V_LANES,
                              w->step * V_LANES);
      const KR_FN(wino_square) gs =
          KR_FN(wino_square_at)(w->j.kernel, p->cells, f, at.n, at.y, at.x, WINO_OUT, w->zeros);
      for (int64_t q = q0; q < q1; ++q) {
        const int64_t width = kr_min(WINO_W, f - q * WINO_W);
        real *dst = g + (q - q0) * WINO_POINTS * w->step * WINO_W + t * width;
        for (int64_t v = 0; v < width; v += V_LANES)
          KR_FN(wino_transform)(&gs, q * WINO_W + v, f, 0, dst + v, w->step * width);
      }
    }
    for (int64_t q = q0; q < q1; ++q) {
      const int64_t width = kr_min(WINO_W, f - q * WINO_W), nv = width / V_LANES, rows = WINO_GK_ROWS(nv);
      const real *from = g + (q - q0) * WINO_POINTS * w->step * WINO_W;
      real *to = sums + q * WINO_POINTS * p->c * WINO_W;
      const KR_FN(wino_outer_fn) add_product = KR_FN(wino_outers)[nv];
      for (int64_t k = 0; k < WINO_POINTS; ++k, from += w->step * width)
        for (int64_t c = c0; c < c1; c += rows) {
          const real *channels = x + (c / V_LANES * WINO_POINTS + k) * w->step * V_LANES + c % V_LANES;
          add_product(tiles, channels, from, to + (k * p->c + c) * width);
        }
    }
  }
}

/* A row of dk: divides and transforms back. */
static void KR_FN(wino_finish_task)(void *arg, int64_t row, KR_UNUSED int worker) {
  const wino_kernel_job *w = arg;
  const int64_t c = w->j.p.c, f = w->j.filters;
  const real by[WINO_SIDE] = {1, (real)(1 / WINO_NA), (real)(1 / WINO_NA), (real)(1 / WINO_NB), (real)(1 / WINO_NB), 1};
  for (int64_t col = 0; col < f; col += V_LANES) {
    const int64_t q = col / WINO_W, width = kr_min(WINO_W, f - q * WINO_W);
    const real *from = (const real *)w->sums + q * WINO_POINTS * c * WINO_W + row * width + col % WINO_W;
    vreal t[3][WINO_SIDE];
    for (int j = 0; j < WINO_SIDE; ++j) {
      KR_FN(wino_line) m;
      for (int i = 0; i < WINO_SIDE; ++i) {
        const real *at = from + (i * WINO_SIDE + j) * c * width;
        m.at[i] = v_mul(v_load(at), v_set1(by[i]));
      }
      m = KR_FN(wino_result)(m, 3);
      for (int i = 0; i < 3; ++i) t[i][j] = v_mul(m.at[i], v_set1(by[j]));
    }
    for (int i = 0; i < 3; ++i) {
      KR_FN(wino_line) m;
      for (int j = 0; j < WINO_SIDE; ++j) m.at[j] = t[i][j];
      m = KR_FN(wino_result)(m, 3);
      for (int j = 0; j < 3; ++j) v_store((real *)w->dk + ((i * 3 + j) * c + row) * f + col, m.at[j]);
    }
  }
}

static size_t KR_FN(wino_kernel_plan)(wino_kernel_job *w, int threads, void *scratch) {
  const patches *p = &w->j.p;
  const int64_t f = w->j.filters, size = (int64_t)sizeof(real);
  w->ty = kr_ceil_div(p->cells[1], WINO_OUT);
  w->tx = kr_ceil_div(p->cells[2], WINO_OUT);
  w->tiles = w->images * w->ty * w->tx;
  w->blocks = p->c / V_LANES;
  w->panels = kr_ceil_div(f, WINO_W);
  w->share = kr_max(1, kr_min(w->panels, WINO_GK_SUMS / (WINO_POINTS * p->c * WINO_W * size)));
  const int64_t shares = kr_ceil_div(w->panels, w->share);
  w->step = WINO_GK_V / (WINO_POINTS * (p->c + w->share * WINO_W) * size);
  w->step = kr_max(1, kr_min(w->step, WINO_GK_TILES) - 1) | 1;
  w->sum_size = w->panels * WINO_POINTS * p->c * WINO_W;
  const int64_t most = kr_max(WINO_GK_PARTS / shares, WINO_GK_ALL / (w->sum_size * size));
  w->parts = near_power(kr_min(w->tiles / WINO_GK_PART, most));
  wino_kernel_shares(w, threads);
  w->v_bytes = kr_round_up(WINO_POINTS * w->step * p->c * size, 64);
  w->own_bytes = w->v_bytes + kr_round_up(WINO_POINTS * w->step * w->share * WINO_W * size, 64);
  size_t used = 0;
  w->zeros = take(scratch, &used, WINO_SIDE * kr_max(p->c, f) * size);
  w->sums = take(scratch, &used, w->parts * w->sum_size * size);
  w->own = take(scratch, &used, kr_min(threads, w->parts * w->shares * w->slices) * w->own_bytes);
  return used;
}

static void KR_FN(wino_kernel)(wino_kernel_job *w, int threads, void *scratch) {
  KR_FN(wino_kernel_plan)(w, threads, scratch);
  memset(w->zeros, 0, (size_t)(WINO_SIDE * kr_max(w->j.p.c, w->j.filters)) * sizeof(real));
  kr_parallel(threads, w->parts * w->shares * w->slices, KR_FN(wino_sum_task), w);
  KR_FN(add_parts)(w->sums, w->sums, w->parts, w->sum_size, threads);
  kr_parallel(threads, w->j.p.c, KR_FN(wino_finish_task), w);
}
