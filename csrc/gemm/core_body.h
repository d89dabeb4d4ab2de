/* Microkernel, blocking and task partition of gemm/core.h for one real type. */

/* ---- microkernel ------------------------------------------------------------------------------------------------ */

/* c = start + a b for `rows` rows by `nv` vectors; start may be c itself, or one row (start_ld = 0).  Rows of a lie
 * a_row elements apart, columns a_step: all constants, so that the compiler makes displacements of them.  Meanwhile
 * fetch_step bytes from `fetch` on are brought near for each p.  Where it `packs`, a constant too, rows of b come from
 * `fetch`, fetch_step bytes apart, and are written to b besides: a tile has load and store slots to spare, so that this
 * costs next to nothing.  The rows of c below the tile come near to be written, since mostly the next tile's are these. */
KR_INLINE void KR_FN(micro)(const int rows, const int nv, const int a_row, const int a_step, const int packs,
                            int64_t kc, const real *a, const real *b, const real *start, int64_t start_ld, real *c,
                            int64_t ldc, int relu, const char *fetch, int64_t fetch_step) {
  vreal acc[MR][NV];
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < nv; ++v) acc[r][v] = v_load(start + r * start_ld + v * V_LANES);
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r) kr_fetch_to_write(c + (rows + r) * ldc, nv * (int64_t)sizeof(vreal));
  for (int64_t p = 0; p < kc; ++p) {
    vreal bv[NV];
    if (packs) {
      const real *row = (const real *)fetch;
#pragma GCC unroll 8
      for (int v = 0; v < nv; ++v) {
        bv[v] = v_load(row + v * V_LANES);
        v_store((real *)b + v * V_LANES, bv[v]);
        __builtin_prefetch(fetch + PACK_AHEAD * fetch_step + v * (int64_t)sizeof(vreal), 0, 3);
      }
    } else {
      __builtin_prefetch(fetch, 0, 2);
#pragma GCC unroll 8
      for (int v = 0; v < nv; ++v) bv[v] = v_load(b + v * V_LANES);
    }
    fetch += fetch_step;
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
      vreal ar = v_set1(a[r * a_row]);
#pragma GCC unroll 8
      for (int v = 0; v < nv; ++v) acc[r][v] = v_fma(ar, bv[v], acc[r][v]);
    }
    a += a_step;
    b += nv * V_LANES;
  }
  if (relu) {
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < nv; ++v) acc[r][v] = v_select(v_lt(acc[r][v], v_zero()), v_zero(), acc[r][v]); /* keeps NaN */
  }
#pragma GCC unroll 16
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < nv; ++v) v_store(c + r * ldc + v * V_LANES, acc[r][v]);
}

static const KR_ALIGNED real KR_FN(zeros)[NR];

typedef void (*KR_FN(micro_fn))(int64_t kc, const real *a, const real *b, const real *start, int64_t start_ld, real *c,
                                int64_t ldc, int relu, const char *fetch, int64_t fetch_step);

#define MICRO(name, rows, nv, a_row, a_step, packs)                                                               \
  static void KR_FN(name)(int64_t kc, const real *a, const real *b, const real *start, int64_t start_ld, real *c, \
                          int64_t ldc, int relu, const char *fetch, int64_t fetch_step) {                         \
    KR_FN(micro)(rows, nv, a_row, a_step, packs, kc, a, b, start, start_ld, c, ldc, relu, fetch, fetch_step);     \
  }
/* Of packed panels of A, and of rows that lie half a panel of B or a whole one apart. */
#define EACH_MICRO(rows)                                           \
  MICRO(micro_##rows##_packing, rows, NV, 1, rows, 1)              \
  MICRO(micro_##rows##_half, rows, NV / 2, 1, rows, 0)             \
  MICRO(micro_##rows##_full, rows, NV, 1, rows, 0)                 \
  MICRO(micro_##rows##_half_rows_half, rows, NV / 2, NR / 2, 1, 0) \
  MICRO(micro_##rows##_half_rows_full, rows, NV / 2, NR, 1, 0)     \
  MICRO(micro_##rows##_full_rows_half, rows, NV, NR / 2, 1, 0)     \
  MICRO(micro_##rows##_full_rows_full, rows, NV, NR, 1, 0)
GEMM_EACH_ROWS(EACH_MICRO)
#undef EACH_MICRO
#undef MICRO

#define HALF(rows) KR_FN(micro_##rows##_half),
#define FULL(rows) KR_FN(micro_##rows##_full),
static const KR_FN(micro_fn) KR_FN(micros)[2][MR + 1] = {{NULL, GEMM_EACH_ROWS(HALF)}, {NULL, GEMM_EACH_ROWS(FULL)}};
#undef HALF
#undef FULL
#define PACKING(rows) KR_FN(micro_##rows##_packing),
static const KR_FN(micro_fn) KR_FN(packing_micros)[MR + 1] = {NULL, GEMM_EACH_ROWS(PACKING)};
#undef PACKING
/* By the distance of the rows of A, then as above. */
#define HALF_HALF(rows) KR_FN(micro_##rows##_half_rows_half),
#define FULL_HALF(rows) KR_FN(micro_##rows##_full_rows_half),
#define HALF_FULL(rows) KR_FN(micro_##rows##_half_rows_full),
#define FULL_FULL(rows) KR_FN(micro_##rows##_full_rows_full),
static const KR_FN(micro_fn)
    KR_FN(micros_of_rows)[2][2][MR + 1] = {{{NULL, GEMM_EACH_ROWS(HALF_HALF)}, {NULL, GEMM_EACH_ROWS(FULL_HALF)}},
                                           {{NULL, GEMM_EACH_ROWS(HALF_FULL)}, {NULL, GEMM_EACH_ROWS(FULL_FULL)}}};
#undef HALF_HALF
#undef FULL_HALF
#undef HALF_FULL
#undef FULL_FULL

/* A panel of A times a panel of B.  At C's right edge the tile goes through a buffer, so that nothing beyond `cols` is
 * read or written. */
static void KR_FN(tile)(int64_t kc, const real *a, int64_t rows, const real *b, int64_t cols, int64_t width,
                        const real *start, int64_t start_ld, real *c, int64_t ldc, int relu, const char *fetch,
                        int64_t fetch_step) {
  KR_FN(micro_fn) micro = KR_FN(micros)[width == NR][rows];
  if (cols == width) {
    micro(kc, a, b, start, start_ld, c, ldc, relu, fetch, fetch_step);
    return;
  }
  KR_ALIGNED real edge[MR * NR] = {0};
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t j = 0; j < width; j += V_LANES)
      v_store(edge + r * width + j, v_load_n(start + r * start_ld + j, clamp(cols - j, 0, V_LANES)));
  micro(kc, a, b, edge, width, edge, width, relu, fetch, fetch_step);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t j = 0; j < cols; j += V_LANES)
      v_store_n(c + r * ldc + j, v_load(edge + r * width + j), kr_min(cols - j, V_LANES));
}

/* gemm_panel, with A packed (lda = 0) or as rows. */
KR_INLINE void KR_FN(panels)(int64_t m, int64_t k, const real *a, int64_t lda, const real *b, int64_t width, real *c,
                             int accumulate) {
  const KR_FN(micro_fn) *micros = lda ? KR_FN(micros_of_rows)[lda == NR][width == NR] : KR_FN(micros)[width == NR];
  const int64_t panels = kr_ceil_div(m, MR);
  for (int64_t q = 0; q < panels; ++q) {
    const int64_t row = q * m / panels, rows = (q + 1) * m / panels - row;
    real *to = c + row * width;
    micros[rows](k, a + row * (lda ? lda : k), b, accumulate ? to : KR_FN(zeros), accumulate ? width : 0, to, width, 0,
                 (const char *)b, 0);
  }
}

void KR_FN(gemm_panel)(int64_t m, int64_t k, const real *a, const real *b, int64_t width, real *c, int accumulate) {
  KR_FN(panels)(m, k, a, 0, b, width, c, accumulate);
}

void KR_FN(gemm_panel_of_rows)(int64_t m, int64_t k, const real *a, int64_t lda, const real *b, int64_t width, real *c,
                               int accumulate) {
  KR_FN(panels)(m, k, a, lda, b, width, c, accumulate);
}

/* ---- partition -------------------------------------------------------------------------------------------------- */

/* Whether tasks are blocks of rows by all columns, else all rows by some columns. */
static int KR_FN(by_rows)(int64_t m, int64_t n) { return m > n || kr_ceil_div(m, MR) > 2 * A_PANELS; }

/* Cuts C for so many threads into `most` tiles at most.  Tasks share the smaller operand, which is packed ahead, and each
 * packs its own piece of the other one just before it is used, so that it is still in the nearest cache. */
static void KR_FN(cut_tiles)(gemm_plan *p, int64_t m, int64_t n, int64_t most, int64_t threads) {
  if (!KR_FN(by_rows)(m, n)) { /* all rows by a few columns: a panel, or more where A leaves L2 */
    const int64_t panels = m * p->kb * p->blocks > NEAR ? B_PANELS : 1;
    p->col_tiles = kr_min(kr_min(kr_max(kr_ceil_div(p->col_panels, panels), 2 * threads), p->col_panels), most);
    if (p->col_tiles < threads) p->row_tiles = clamp(2 * threads / p->col_tiles, 1, kr_max(1, p->row_panels / 2));
    p->row_tiles = clamp(most / p->col_tiles, 1, p->row_tiles);
    return;
  }
  /* A block of rows by all columns: as many blocks as fit into L2, or as the threads share evenly. */
  p->row_tiles = kr_max(kr_ceil_div(p->row_panels, p->a_step), kr_min(4 * threads, p->row_panels / 4));
  if (p->row_tiles > threads) p->row_tiles = kr_round_up(p->row_tiles, threads);
  if (p->row_tiles < threads) p->col_tiles = clamp(2 * threads / p->row_tiles, 1, kr_max(1, p->col_panels / 4));
  p->row_tiles = clamp(p->row_tiles, 1, kr_min(p->row_panels, most));
  p->col_tiles = clamp(most / p->row_tiles, 1, p->col_tiles);
}

/* Whether C is so small, and its sums so long, that tasks cut k: C stays in L2, and both operands pass once. */
static int KR_FN(long_sums)(int64_t m, int64_t n, int64_t k) {
  return m * n <= CHUNK_C && m + n <= CHUNK_MOST && k >= 4 * CHUNK_K &&
         2.0 * (double)m * (double)n * (double)k >= 2.0 * CHUNK_WORK;
}

static gemm_plan KR_FN(plan)(int64_t batch, int64_t m, int64_t n, int64_t k, int64_t threads) {
  gemm_plan p = {.row_tiles = 1, .col_tiles = 1, .chunks = 1, .a_step = A_PANELS, .b_step = kr_ceil_div(B_COLUMNS, NR)};
  p.row_panels = kr_ceil_div(m, MR);
  p.height = m / kr_max(1, p.row_panels);
  p.higher = m - p.height * p.row_panels;
  p.col_panels = kr_ceil_div(n, NR);
  p.b_width = n ? kr_round_up(n, NR / 2) : 0;
  const double work = 2.0 * (double)m * (double)n * (double)k;
  const int whole = batch > 1 && (batch >= MAX_TASKS / 2 || work < 4.0 * CHUNK_WORK);
  const int long_sums = !whole && KR_FN(long_sums)(m, n, k);
  int64_t most = !whole && KR_FN(by_rows)(m, n) ? LONG_KC : KC;
  if (long_sums) { /* an even number of chunks, and of blocks in them, so that threads share them evenly */
    most = kr_min(CHUNK_KC, CHUNK_FLOW / (m + n));
    p.chunks = kr_max(2, kr_pieces(work / CHUNK_WORK, kr_min(k / CHUNK_K, MAX_TASKS)));
    p.chunks -= p.chunks % (p.chunks < 4 ? 2 : 4);
  }
  p.kb = kr_ceil_div(k, p.chunks * kr_max(1, kr_ceil_div(k, p.chunks * most)));
  p.kb = kr_max(16, kr_round_up(p.kb, 16));
  p.blocks = kr_max(1, kr_ceil_div(k, p.kb));
  if (p.kb > KC) p.a_step = kr_max(1, A_PANELS * KC / p.kb);
  if (whole) {
    p.batch_tasks = kr_min(batch, kr_pieces((double)batch * work / CHUNK_WORK, 4 * MAX_TASKS));
  } else if (long_sums) {
    p.col_tiles = clamp(kr_ceil_div(2 * threads, p.chunks), 1, p.col_panels);
    p.b_step = p.col_panels;
  } else {
    KR_FN(cut_tiles)(&p, m, n, kr_pieces(work / TASK_WORK, MAX_TASKS), threads);
    p.share_a = p.col_tiles > 1;
    p.share_b = p.row_tiles > 1;
    if (p.share_a) p.b_step = B_PANELS;
  }

  p.ahead = p.blocks;
  if (p.share_a) p.ahead = clamp(AHEAD / (m * p.kb), 1, p.ahead);
  if (p.share_b) p.ahead = clamp(AHEAD / (p.b_width * p.kb), 1, p.ahead);
  p.a_shared = p.share_a ? kr_round_up(m * p.kb * p.ahead, 16) : 0;
  p.b_shared = p.share_b ? kr_round_up(p.b_width * p.kb * p.ahead, 16) : 0;
  p.a_own = p.share_a ? 0 : kr_round_up(kr_min(p.a_step * MR, m) * p.kb, 16);
  p.b_own = p.share_b ? 0 : kr_round_up(kr_min(p.b_step * NR, p.b_width) * p.kb, 16);
  p.partial = p.chunks > 1 ? kr_round_up(m * n, 16) : 0;
  return p;
}

static int64_t KR_FN(tasks)(const gemm_plan *p) {
  return p->batch_tasks ? p->batch_tasks : p->row_tiles * p->col_tiles * p->chunks;
}

size_t KR_FN(gemm_scratch)(int64_t batch, int64_t m, int64_t n, int64_t k, int threads) {
  if (batch == 0 || m == 0 || n == 0) return 0;
  const gemm_plan p = KR_FN(plan)(batch, m, n, k, threads);
  const int64_t workers = kr_min(threads, KR_FN(tasks)(&p));
  return sizeof(real) *
         (size_t)(p.a_shared + p.b_shared + workers * (p.a_own + p.b_own) + (p.chunks > 1 ? p.chunks * p.partial : 0));
}

/* ---- tasks ------------------------------------------------------------------------------------------------------ */

typedef struct {
  const KR_FN(gemm_args) * g;
  gemm_plan p;
  int64_t batch, block; /* the product in hand, and the first block of those packed ahead */
  real *a_shared, *b_shared, *own, *partial;
} KR_FN(gemm_job);

/* The larger panels come first, which spares a division for each tile. */
static int64_t KR_FN(row_at)(const KR_FN(gemm_job) * j, int64_t panel) {
  return panel * j->p.height + kr_min(panel, j->p.higher);
}

static int64_t KR_FN(block_size)(const KR_FN(gemm_job) * j, int64_t block) {
  return kr_min(j->p.kb, j->g->k - block * j->p.kb);
}

/* Packs panels [from, to) of one block of A, the first one to dst. */
static void KR_FN(pack_a_panels)(const KR_FN(gemm_job) * j, int64_t batch, int64_t block, int64_t from, int64_t to,
                                 real *dst) {
  const int64_t kc = KR_FN(block_size)(j, block);
  if (kc == 0) return;
  for (int64_t panel = from; panel < to; ++panel) {
    const int64_t row = KR_FN(row_at)(j, panel), rows = KR_FN(row_at)(j, panel + 1) - row;
    j->g->pack_a(j->g->ctx, batch, row, rows, block * j->p.kb, kc, dst);
    dst += rows * kc;
  }
}

static int64_t KR_FN(panel_width)(int64_t cols) { return cols <= NR / 2 ? NR / 2 : NR; }

static void KR_FN(pack_b_panels)(const KR_FN(gemm_job) * j, int64_t batch, int64_t block, int64_t from, int64_t to,
                                 real *dst) {
  const int64_t kc = KR_FN(block_size)(j, block);
  if (kc == 0) return;
  for (int64_t panel = from; panel < to; ++panel, dst += NR * kc) {
    const int64_t col = panel * NR, cols = kr_min(NR, j->g->n - col);
    j->g->pack_b(j->g->ctx, batch, block * j->p.kb, kc, col, cols, KR_FN(panel_width)(cols), dst);
  }
}

/* Tasks: for each block packed ahead, groups of panels of A, then of B. */
static void KR_FN(pack_task)(void *arg, int64_t task, int worker) {
  const KR_FN(gemm_job) *j = arg;
  const gemm_plan *p = &j->p;
  const int64_t a_groups = p->share_a ? kr_ceil_div(p->row_panels, PACK_PANELS) : 0;
  const int64_t b_groups = p->share_b ? kr_ceil_div(p->col_panels, PACK_PANELS) : 0;
  const int64_t ahead = task / (a_groups + b_groups), group = task % (a_groups + b_groups), block = j->block + ahead;
  const int64_t kc = KR_FN(block_size)(j, block);
  (void)worker;
  if (group < a_groups) {
    const int64_t from = group * PACK_PANELS, to = kr_min(from + PACK_PANELS, p->row_panels);
    real *dst = j->a_shared + ahead * p->kb * j->g->m + KR_FN(row_at)(j, from) * kc;
    KR_FN(pack_a_panels)(j, j->batch, block, from, to, dst);
  } else {
    const int64_t from = (group - a_groups) * PACK_PANELS, to = kr_min(from + PACK_PANELS, p->col_panels);
    KR_FN(pack_b_panels)(j, j->batch, block, from, to, j->b_shared + ahead * p->kb * p->b_width + from * NR * kc);
  }
}

/* Where the sum of an element begins, and what is done to it when it ends. */
typedef struct {
  int64_t first, last; /* blocks [first, last) make the sum */
  const real *bias;    /* added to zero, or NULL */
  int accumulate, relu;
  activation_fn activate; /* other activations, on rows that are done; or NULL */
  real *c;
  int64_t ldc;
} KR_FN(gemm_out);

/* What comes near while tiles multiply: two stretches of memory, a share of them with each tile. */
typedef struct {
  const char *from[2];
  int64_t bytes[2], tiles[2]; /* of each, and how many tiles bring it */
  int64_t at, left;           /* tiles so far, and still to come */
} KR_FN(stream);

/* The rows of A and B that block `block` + 1 of a sum packs, where they lie behind each other; `tiles` do not pack. */
static KR_FN(stream) KR_FN(next_rows)(const KR_FN(gemm_job) * j, int64_t block, int64_t tiles) {
  const KR_FN(gemm_args) *g = j->g;
  const int64_t next = block + 1, first = next * j->p.kb;
  if (next >= j->p.blocks || tiles <= 0) return (KR_FN(stream)){0};
  const int64_t row = KR_FN(block_size)(j, next) * (int64_t)sizeof(real);
  const int64_t a = g->rows_a && g->lda == g->m ? g->m : 0, b = g->rows_b && g->ldb == g->n ? g->n : 0;
  if (a + b == 0) return (KR_FN(stream)){0};
  const int64_t of_a = tiles * a / (a + b);
  return (KR_FN(stream)){.from = {(const char *)(g->rows_a + first * a), (const char *)(g->rows_b + first * b)},
                         .bytes = {row * a, row * b},
                         .tiles = {of_a, tiles - of_a},
                         .left = tiles};
}

/* The share of the next of the tiles that are left, which makes `kc` steps: *step bytes for each from here on. */
static const char *KR_FN(next_share)(KR_FN(stream) * s, int64_t kc, int64_t *step) {
  const int second = s->at >= s->tiles[0];
  const int64_t at = s->at - (second ? s->tiles[0] : 0);
  ++s->at, --s->left;
  *step = kr_ceil_div(s->bytes[second], s->tiles[second] * kc);
  return s->from[second] + s->bytes[second] * at / s->tiles[second];
}

/* Row panels [p0, p1) times column panels [q0, q1) over blocks [from, to).  Panels of B, or what they are packed from,
 * come from L3, whose latency neither a tile nor the packing hides: tiles bring near what comes next while they
 * multiply. */
static void KR_FN(region)(const KR_FN(gemm_job) * j, const KR_FN(gemm_out) * out, int64_t batch, int64_t p0, int64_t p1,
                          int64_t q0, int64_t q1, int64_t from, int64_t to, int worker) {
  const gemm_plan *p = &j->p;
  const int64_t m = j->g->m, n = j->g->n;
  real *const a_own = j->own + worker * (p->a_own + p->b_own), *const b_own = a_own + p->a_own;
  const int packed = p->share_b || j->g->packed; /* B is, before this task begins */
  const int64_t q_step = packed ? q1 - q0 : p->b_step;
  const int64_t p_step = p->share_a && kr_min(q_step, q1 - q0) <= 2 ? p1 - p0 : p->a_step;
  for (int64_t qa = q0; qa < q1; qa += q_step) {
    const int64_t qe = kr_min(qa + q_step, q1);
    for (int64_t block = from; block < to; ++block) {
      const int64_t kc = KR_FN(block_size)(j, block), ahead = (block - j->block) * p->kb;
      const int starts = block == out->first, relu = out->relu && block == out->last - 1;
      const real *b = j->b_shared + ahead * p->b_width + qa * NR * kc;
      /* Whole panels whose rows lie in memory are packed by the first tile that multiplies them. */
      const int packs = !packed && j->g->rows_b;
      const int one_panel = packs && p1 - p0 <= p_step; /* of B at a time: no other rows come back to it */
      KR_FN(stream)
      stream = p->chunks > 1 && q1 - q0 == p->col_panels ? KR_FN(next_rows)(j, block, (p1 - p0 - 1) * (q1 - q0))
                                                         : (KR_FN(stream)){0};
      if (j->g->packed) {
        b = j->g->packed + block * p->kb * p->b_width + qa * NR * kc;
      } else if (!p->share_b) {
        const int64_t first = packs ? kr_max(qa, kr_min(qe, n / NR)) : qa;
        KR_FN(pack_b_panels)(j, batch, block, first, qe, b_own + (first - qa) * NR * kc);
        b = b_own;
      }
      for (int64_t pa = p0; pa < p1; pa += p_step) {
        const int64_t pe = kr_min(pa + p_step, p1), row0 = KR_FN(row_at)(j, pa);
        const real *a = j->a_shared + ahead * m + row0 * kc;
        if (!p->share_a) {
          KR_FN(pack_a_panels)(j, batch, block, pa, pe, a_own);
          a = a_own;
        }
        const int64_t fetch_step = kr_ceil_div(NR * (int64_t)sizeof(real), pe - pa); /* a share of a panel a tile */
        for (int64_t q = qa; q < qe; ++q) {
          /* What this worker will need next: a packed panel, or what it will pack in this task or the one after. */
          const int64_t next = q + (q + q_step < q1 ? q_step : q1 - q0);
          const real *ahead_b = NULL, *ahead_rows = NULL;
          if (packed) ahead_b = q + 1 < qe ? b + (q + 1 - qa) * NR * kc : NULL;
          else if (j->g->near && p->blocks == 1 && next < p->col_panels) ahead_b = j->g->near + next * NR * kc;
          else if (one_panel && p->blocks == 1 && (next + 1) * NR <= n) ahead_rows = j->g->rows_b + next * NR;
          const int64_t col = q * NR, cols = kr_min(NR, n - col), width = KR_FN(panel_width)(cols);
          for (int64_t panel = pa; panel < pe; ++panel) {
            const int64_t row = KR_FN(row_at)(j, panel), rows = KR_FN(row_at)(j, panel + 1) - row;
            real *c = out->c + row * out->ldc + col;
            const real *start = c;
            int64_t start_ld = out->ldc;
            if (starts && !out->accumulate) {
              start = out->bias ? out->bias + col : KR_FN(zeros);
              start_ld = 0;
            }
            const real *panel_b = one_panel && cols == NR ? b : b + (q - qa) * NR * kc;
            if (packs && panel == p0 && cols == NR) {
              const char *from = (const char *)(j->g->rows_b + block * p->kb * j->g->ldb + col);
              KR_FN(packing_micros)
              [rows](kc, a + (row - row0) *kc, panel_b, start, start_ld, c, out->ldc, relu, from,
                     j->g->ldb *(int64_t)sizeof(real));
              continue;
            }
            int64_t step = 0;
            const char *fetch = stream.left > 0 ? KR_FN(next_share)(&stream, kc, &step) : NULL;
            if (ahead_b) {
              fetch = (const char *)(ahead_b + NR * kc * (panel - pa) / (pe - pa));
              step = fetch_step;
            } else if (ahead_rows && panel == pe - 2) { /* late: a panel of A passes through L2 with each tile */
              fetch = (const char *)ahead_rows;
              step = j->g->ldb * (int64_t)sizeof(real);
            }
            KR_FN(tile)(kc, a + (row - row0) * kc, rows, panel_b, cols, width, start, start_ld, c, out->ldc, relu,
                        fetch ? fetch : (const char *)panel_b, step);
          }
        }
        if (out->activate && block == out->last - 1) {
          const int64_t col = qa * NR, cols = kr_min(qe * NR, n) - col, end = KR_FN(row_at)(j, pe);
          for (int64_t row = row0; row < end; ++row) {
            real *c = out->c + row * out->ldc + col;
            out->activate(c, c, cols, NULL);
          }
        }
      }
    }
  }
}

static KR_FN(gemm_out) KR_FN(output)(const KR_FN(gemm_job) * j, int64_t batch) {
  const KR_FN(gemm_args) *g = j->g;
  return (KR_FN(gemm_out)){.first = 0,
                           .last = j->p.blocks,
                           .bias = g->bias ? g->bias + batch * g->bias_batch : NULL,
                           .accumulate = g->accumulate,
                           .relu = g->activation == ACTIVATION_RELU,
                           .activate = KR_FN(activation_loop)(g->activation),
                           .c = g->c + batch * g->c_batch,
                           .ldc = g->ldc};
}

static void KR_FN(batch_task)(void *arg, int64_t task, int worker) {
  const KR_FN(gemm_job) *j = arg;
  const gemm_plan *p = &j->p;
  for (int64_t b = task * j->g->batch / p->batch_tasks; b < (task + 1) * j->g->batch / p->batch_tasks; ++b) {
    const KR_FN(gemm_out) out = KR_FN(output)(j, b);
    KR_FN(region)(j, &out, b, 0, p->row_panels, 0, p->col_panels, 0, p->blocks, worker);
  }
}

static void KR_FN(tile_task)(void *arg, int64_t task, int worker) {
  const KR_FN(gemm_job) *j = arg;
  const gemm_plan *p = &j->p;
  const int64_t r = task % p->row_tiles, q = task / p->row_tiles % p->col_tiles;
  KR_FN(gemm_out) out = KR_FN(output)(j, j->batch);
  KR_FN(region)(j, &out, j->batch, r * p->row_panels / p->row_tiles, (r + 1) * p->row_panels / p->row_tiles,
                q * p->col_panels / p->col_tiles, (q + 1) * p->col_panels / p->col_tiles, j->block,
                kr_min(j->block + p->ahead, p->blocks), worker);
}

/* Some columns of one chunk of k, into the chunk's own array of partial sums. */
static void KR_FN(chunk_task)(void *arg, int64_t task, int worker) {
  const KR_FN(gemm_job) *j = arg;
  const gemm_plan *p = &j->p;
  const int64_t chunk = task % p->chunks, q = task / p->chunks;
  KR_FN(gemm_out)
  out = {.first = chunk * p->blocks / p->chunks,
         .last = (chunk + 1) * p->blocks / p->chunks,
         .c = j->partial + chunk * p->partial,
         .ldc = j->g->n};
  KR_FN(region)(j, &out, j->batch, 0, p->row_panels, q * p->col_panels / p->col_tiles,
                (q + 1) * p->col_panels / p->col_tiles, out.first, out.last, worker);
}

/* Rows of C that one task finishes, where partial sums are added. */
static int64_t KR_FN(sum_rows_of)(int64_t n) { return kr_max(1, 4096 / n); }

/* Adds the partial sums of some rows, in order. */
static void KR_FN(sum_task)(void *arg, int64_t task, int worker) {
  const KR_FN(gemm_job) *j = arg;
  const int64_t n = j->g->n, step = KR_FN(sum_rows_of)(n), last = kr_min((task + 1) * step, j->g->m);
  const KR_FN(gemm_out) out = KR_FN(output)(j, j->batch);
  (void)worker;
  for (int64_t row = task * step; row < last; ++row) {
    real *c = out.c + row * out.ldc;
    for (int64_t col = 0; col < n; col += V_LANES) {
      const int64_t lanes = kr_min(V_LANES, n - col);
      const real *part = j->partial + row * n + col;
      vreal sum = out.accumulate ? v_load_n(c + col, lanes) : out.bias ? v_load_n(out.bias + col, lanes) : v_zero();
      for (int64_t s = 0; s < j->p.chunks; ++s) sum = v_add(sum, v_load_n(part + s * j->p.partial, lanes));
      if (out.relu) sum = v_select(v_lt(sum, v_zero()), v_zero(), sum);
      v_store_n(c + col, sum, lanes);
    }
    if (out.activate) out.activate(c, c, n, NULL);
  }
}

/* Adds the partial sums of V_LANES rows at most, in order, and writes them as columns of C. */
static void KR_FN(sum_turned_task)(void *arg, int64_t task, int worker) {
  const KR_FN(gemm_job) *j = arg;
  const int64_t n = j->g->n, ldc = j->g->ldc, row = task * V_LANES, rows = kr_min(V_LANES, j->g->m - row);
  KR_ALIGNED real sums[V_LANES * TURN_COLUMNS];
  (void)worker;
  for (int64_t at = 0; at < n; at += TURN_COLUMNS) {
    const int64_t cols = kr_min(TURN_COLUMNS, n - at);
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t col = 0; col < cols; col += V_LANES) {
        const int64_t lanes = kr_min(V_LANES, cols - col);
        const real *part = j->partial + (row + r) * n + at + col;
        vreal sum = v_load_n(part, lanes);
        for (int64_t s = 1; s < j->p.chunks; ++s) sum = v_add(sum, v_load_n(part + s * j->p.partial, lanes));
        v_store(sums + r * TURN_COLUMNS + col, sum);
      }
    real *c = j->g->c + at * ldc + row;
#if defined(KR_HAS_TURN)
    const real *from[V_LANES];
    for (int64_t r = 0; r < V_LANES; ++r) from[r] = sums + kr_min(r, rows - 1) * TURN_COLUMNS;
    for (int64_t col = 0; col < cols; col += turn_steps) {
      vreal v[turn_steps];
      KR_FN(lanes_of_rows)(from, col, v);
      for (int i = 0; i < turn_steps && col + i < cols; ++i) v_store_n(c + (col + i) * ldc, v[i], rows);
    }
#else
    for (int64_t col = 0; col < cols; ++col)
      for (int64_t r = 0; r < rows; ++r) c[col * ldc + r] = sums[r * TURN_COLUMNS + col];
#endif
  }
}

size_t KR_FN(gemm_packing)(int64_t batch, int64_t m, int64_t n, int64_t k, int64_t *kb) {
  if (batch != 1 || m == 0 || n == 0 || k == 0) return 0;
  const gemm_plan p = KR_FN(plan)(1, m, n, k, 1);
  *kb = p.kb;
  return (size_t)(p.b_width * k) * sizeof(real);
}

/* Tasks: for each block, groups of panels. */
static void KR_FN(pack_all_task)(void *arg, int64_t task, int worker) {
  const KR_FN(gemm_job) *j = arg;
  const gemm_plan *p = &j->p;
  const int64_t groups = kr_ceil_div(p->col_panels, PACK_PANELS), block = task / groups;
  const int64_t from = task % groups * PACK_PANELS, to = kr_min(from + PACK_PANELS, p->col_panels);
  (void)worker;
  KR_FN(pack_b_panels)
  (j, 0, block, from, to, j->b_shared + block * p->kb * p->b_width + from * NR * KR_FN(block_size)(j, block));
}

void KR_FN(gemm_pack)(const KR_FN(gemm_args) * g, int64_t kb, int threads, real *dst) {
  KR_FN(gemm_job)
  j = {.g = g,
       .p = {.kb = kb,
             .blocks = kr_ceil_div(g->k, kb),
             .col_panels = kr_ceil_div(g->n, NR),
             .b_width = kr_round_up(g->n, NR / 2)},
       .b_shared = dst};
  kr_parallel(g->n * g->k < PACK_ALONE ? 1 : threads, j.p.blocks * kr_ceil_div(j.p.col_panels, PACK_PANELS),
              KR_FN(pack_all_task), &j);
}

void KR_FN(gemm)(const KR_FN(gemm_args) * g, int threads, void *scratch) {
  if (g->batch == 0 || g->m == 0 || g->n == 0) return;
  KR_FN(gemm_job) j = {.g = g, .p = KR_FN(plan)(g->batch, g->m, g->n, g->k, threads)};
  const gemm_plan *p = &j.p;
  const int64_t tasks = KR_FN(tasks)(p);
  j.a_shared = scratch;
  j.b_shared = j.a_shared + p->a_shared;
  j.own = j.b_shared + p->b_shared;
  j.partial = j.own + kr_min(threads, tasks) * (p->a_own + p->b_own);
  if (g->packed) j.p.share_b = 0;
  if (p->batch_tasks) {
    kr_parallel(threads, tasks, KR_FN(batch_task), &j);
    return;
  }
  const int64_t groups = (p->share_a ? kr_ceil_div(p->row_panels, PACK_PANELS) : 0) +
                         (p->share_b ? kr_ceil_div(p->col_panels, PACK_PANELS) : 0);
  for (j.batch = 0; j.batch < g->batch; ++j.batch) {
    if (p->chunks > 1) {
      kr_parallel(threads, tasks, KR_FN(chunk_task), &j);
      if (g->turned) kr_parallel(threads, kr_ceil_div(g->m, V_LANES), KR_FN(sum_turned_task), &j);
      else kr_parallel(threads, kr_ceil_div(g->m, KR_FN(sum_rows_of)(g->n)), KR_FN(sum_task), &j);
      continue;
    }
    for (j.block = 0; j.block < p->blocks; j.block += p->ahead) {
      const int64_t packed = (p->share_a ? g->m : 0) * g->k + (p->share_b ? g->n : 0) * g->k;
      kr_parallel(packed < PACK_ALONE ? 1 : threads, groups * kr_min(p->ahead, p->blocks - j.block), KR_FN(pack_task),
                  &j);
      kr_parallel(threads, tasks, KR_FN(tile_task), &j);
    }
  }
}
