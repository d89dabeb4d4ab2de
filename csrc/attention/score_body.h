/* What both passes of attention share for one real type: packing, and bias and masks on a panel of scores. */

#define MASKED ((real)(-0.7 * (KR_REAL == 32 ? (double)FLT_MAX : DBL_MAX)))

typedef struct {
  attention_shape s;
  dropout drop;
  const real *query, *key, *value;
  real scale, kept; /* kept: what dropout multiplies the weights with that it keeps */
} KR_FN(scores);

static KR_FN(scores) KR_FN(scores_of)(const kr_call *c, int extra, int64_t most) {
  KR_FN(scores)
  j = {.query = c->in[0].data, .key = c->in[1].data, .value = c->in[2].data, .scale = (real)c->f[0]};
  j.s = shape_of(c, extra, most);
  j.drop = dropout_of(c, &j.s);
  j.kept = c->f[1] < 1 ? (real)(1 / (1 - c->f[1])) : 0;
  return j;
}

KR_INLINE int64_t KR_FN(panel_width)(int64_t cols) { return cols <= GEMM_NR / 2 ? GEMM_NR / 2 : GEMM_NR; }

/* dst[j * to + i] = src[i * from + j] for i < rows, j < cols. */
static void KR_FN(turn)(const real *src, int64_t from, int64_t rows, int64_t cols, real *dst, int64_t to) {
  if (rows < 4 || cols < 4) {
    for (int64_t j = 0; j < cols; ++j)
      for (int64_t i = 0; i < rows; ++i) dst[j * to + i] = src[i * from + j];
    return;
  }
  for (int64_t i = 0; i < rows; i = i + 4 < rows ? kr_min(i + 4, rows - 4) : rows) {
    const real *four[4] = {src + i * from, src + (i + 1) * from, src + (i + 2) * from, src + (i + 3) * from};
    KR_FN(pack_four_rows)(four, 0, cols, to, dst + i);
  }
}

/* The left operand of gemm_panel, m x k, whose rows lie `ld` apart. */
static void KR_FN(pack_left)(const real *src, int64_t ld, int64_t m, int64_t k, real *dst) {
  const int64_t panels = kr_ceil_div(m, GEMM_MR);
  for (int64_t q = 0; q < panels; ++q) {
    const int64_t row = q * m / panels, rows = (q + 1) * m / panels - row;
    KR_FN(turn)(src + row * ld, ld, rows, k, dst + row * k, rows);
  }
}

/* The same of the transpose of what lies at src, k rows `ld` apart. */
static void KR_FN(pack_left_turned)(const real *src, int64_t ld, int64_t m, int64_t k, real *dst) {
  const int64_t panels = kr_ceil_div(m, GEMM_MR);
  for (int64_t q = 0; q < panels; ++q) {
    const int64_t row = q * m / panels, rows = (q + 1) * m / panels - row;
    KR_FN(pack_copy)(src + row, ld, rows, rows, k, dst + row * k);
  }
}

/* The right operand of gemm_panel: the transpose of `cols` rows, `ld` apart. */
static void KR_FN(pack_right)(const real *src, int64_t ld, int64_t cols, int64_t width, int64_t k, real *dst) {
  KR_FN(turn)(src, ld, cols, k, dst, width);
  KR_FN(pack_zeros)(cols, width, k, dst);
}

KR_INLINE void KR_FN(times)(real *x, int64_t n, real factor) {
  for (int64_t i = 0; i < n; ++i) x[i] *= factor;
}

/* A panel of scores: rows x width, of which `cols` columns exist; queries or keys are in the lanes. */
typedef struct {
  int64_t b, head, query, key; /* of the first element */
  int64_t rows, cols, width;
  int queries_in_lanes;
  real *s, *tile, *spare; /* tile, spare: KEYS or QUERIES x width to work in */
} KR_FN(panel);

/* tile[i * width + j] = x[i * row + j * lane], of bytes as 0 or 1. */
KR_INLINE void KR_FN(spread)(const KR_FN(panel) * p, const void *x, int bytes, int64_t row, int64_t lane) {
  const uint8_t *const byte = x;
  const real *from = x;
  if (row == 1 && lane > 1) {
    if (bytes) {
      for (int64_t j = 0; j < p->cols; ++j)
        for (int64_t i = 0; i < p->rows; ++i) p->spare[j * p->rows + i] = byte[j * lane + i] != 0;
      from = p->spare;
      lane = p->rows;
    }
    KR_FN(turn)(from, lane, p->cols, p->rows, p->tile, p->width);
  } else if (lane == 1) {
    for (int64_t i = 0; i < p->rows; ++i)
      for (int64_t j = 0; j < p->cols; ++j)
        p->tile[i * p->width + j] = bytes ? (real)(byte[i * row + j] != 0) : from[i * row + j];
  } else {
    for (int64_t i = 0; i < p->rows; ++i)
      for (int64_t j = 0; j < p->cols; ++j)
        p->tile[i * p->width + j] = bytes ? (real)(byte[i * row + j * lane] != 0) : from[i * row + j * lane];
  }
  KR_FN(pack_zeros)(p->cols, p->width, p->rows, p->tile);
}

static void KR_FN(add_bias)(const KR_FN(panel) * p, const real *x, int64_t row, int64_t lane) {
  if (lane == 0) {
    for (int64_t i = 0; i < p->rows; ++i)
      for (int64_t j = 0; j < p->width; j += V_LANES) {
        real *s = p->s + i * p->width + j;
        v_store(s, v_add(v_load(s), v_set1(x[i * row])));
      }
    return;
  }
  KR_FN(spread)(p, x, 0, row, lane);
  for (int64_t k = 0; k < p->rows * p->width; k += V_LANES)
    v_store(p->s + k, v_add(v_load(p->s + k), v_load(p->tile + k)));
}

static void KR_FN(mask_row)(const KR_FN(panel) * p, int64_t i) {
  for (int64_t j = 0; j < p->width; j += V_LANES) v_store(p->s + i * p->width + j, v_set1(MASKED));
}

static void KR_FN(apply_mask)(const KR_FN(panel) * p, const uint8_t *x, int64_t row, int64_t lane) {
  if (lane == 0) {
    for (int64_t i = 0; i < p->rows; ++i)
      if (!x[i * row]) KR_FN(mask_row)(p, i);
    return;
  }
  KR_FN(spread)(p, x, 1, row, lane);
  for (int64_t k = 0; k < p->rows * p->width; k += V_LANES)
    v_store(p->s + k, v_select(v_eq(v_load(p->tile + k), v_zero()), v_set1(MASKED), v_load(p->s + k)));
}

/* Masks the keys past their query. */
static void KR_FN(apply_causal)(const KR_FN(panel) * p) {
  KR_ALIGNED real lane[GEMM_MAX_NR];
  const int64_t last_key = p->key + (p->queries_in_lanes ? p->rows : p->cols) - 1;
  if (last_key <= p->query) return;
  for (int j = 0; j < GEMM_MAX_NR; ++j) lane[j] = (real)j;
  for (int64_t i = 0; i < p->rows; ++i) {
    /* Lane j is allowed from this one on, or up to it. */
    const int64_t at = p->queries_in_lanes ? p->key + i - p->query : p->query + i - p->key;
    const vreal limit = v_set1((real)kr_max(-1, kr_min(at, GEMM_MAX_NR)));
    for (int64_t j = 0; j < p->width; j += V_LANES) {
      real *s = p->s + i * p->width + j;
      const vreal v = v_load(lane + j);
      v_store(s, v_select(p->queries_in_lanes ? v_ge(v, limit) : v_le(v, limit), v_load(s), v_set1(MASKED)));
    }
  }
}

/* Scores become logits: bias, then masks. */
static void KR_FN(finish_scores)(const KR_FN(scores) * j, const KR_FN(panel) * p) {
  const attention_shape *s = &j->s;
  const int row = p->queries_in_lanes ? 3 : 2, lane = 5 - row;
  if (s->bias) {
    const int64_t *step = s->bias_step;
    const real *x = s->bias->data;
    x += p->b * step[0] + p->head * step[1] + p->query * step[2] + p->key * step[3];
    KR_FN(add_bias)(p, x, step[row], step[lane]);
  }
  if (s->mask) {
    const int64_t *step = s->mask_step;
    const uint8_t *x = s->mask->data;
    x += p->b * step[0] + p->head * step[1] + p->query * step[2] + p->key * step[3];
    KR_FN(apply_mask)(p, x, step[row], step[lane]);
  }
  if (s->causal) KR_FN(apply_causal)(p);
}
