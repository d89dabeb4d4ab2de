/* What both passes of attention share for one real type: bias and masks on a panel of scores, and weights. */

#define MASKED ((real)(-0.7 * (KR_REAL == 32 ? (double)FLT_MAX : DBL_MAX)))

typedef struct {
  attention_shape s;
  dropout drop;
  const real *query, *key, *value;
  real scale, kept; /* kept: what dropout multiplies the weights with that it keeps */
} KR_FN(scores);

static KR_FN(scores) KR_FN(scores_of)(const kr_call *c, attention_shape s) {
  KR_FN(scores)
  j = {.query = c->in[0].data, .key = c->in[1].data, .value = c->in[2].data, .scale = (real)c->f[0]};
  j.s = s;
  j.drop = dropout_of(c, &s);
  j.kept = c->f[1] < 1 ? (real)(1 / (1 - c->f[1])) : 0;
  return j;
}

/* Scores of some queries, a row each, with `cols` keys; rows lie PANEL_ROW apart. */
typedef struct {
  int64_t b, head, query, key; /* of the first element */
  int64_t rows, cols;
  real *s;
} KR_FN(panel);

static void KR_FN(add_bias)(const KR_FN(panel) * p, const real *x, int64_t row, int64_t lane) {
  for (int64_t i = 0; i < p->rows; ++i)
    for (int64_t j = 0; j < p->cols; j += V_LANES) {
      real *s = p->s + i * PANEL_ROW + j;
      const vreal bias = lane ? v_load_n(x + i * row + j, kr_min(V_LANES, p->cols - j)) : v_set1(x[i * row]);
      v_store(s, v_add(v_load(s), bias));
    }
}

static void KR_FN(apply_mask)(const KR_FN(panel) * p, const uint8_t *x, int64_t row, int64_t lane) {
  const vreal masked = v_set1(MASKED);
  for (int64_t i = 0; i < p->rows; ++i) {
    if (!lane && x[i * row]) continue;
    for (int64_t j = 0; j < p->cols; j += V_LANES) {
      real *s = p->s + i * PANEL_ROW + j;
      if (lane) v_store(s, v_select(v_eq_u8(x + i * row + j, p->cols - j, 0), masked, v_load(s)));
      else v_store(s, masked);
    }
  }
}

/* Masks the keys past their query. */
static void KR_FN(apply_causal)(const KR_FN(panel) * p) {
  const vreal masked = v_set1(MASKED);
  for (int64_t i = 0; i < p->rows; ++i) {
    const int64_t allowed = kr_max(0, p->query + i + 1 - p->key); /* of the panel's keys */
    for (int64_t j = allowed / V_LANES * V_LANES; j < p->cols; j += V_LANES) {
      real *s = p->s + i * PANEL_ROW + j;
      v_store(s, v_load_or(s, kr_max(0, kr_min(V_LANES, allowed - j)), masked));
    }
  }
}

/* Scores become logits: bias, then masks. */
static void KR_FN(finish_scores)(const KR_FN(scores) * j, const KR_FN(panel) * p) {
  const attention_shape *s = &j->s;
  if (s->bias) {
    const int64_t *step = s->bias_step;
    const real *x = s->bias->data;
    x += p->b * step[0] + p->head * step[1] + p->query * step[2] + p->key * step[3];
    KR_FN(add_bias)(p, x, step[2], step[3]);
  }
  if (s->mask) {
    const int64_t *step = s->mask_step;
    const uint8_t *x = s->mask->data;
    x += p->b * step[0] + p->head * step[1] + p->query * step[2] + p->key * step[3];
    KR_FN(apply_mask)(p, x, step[2], step[3]);
  }
  if (s->causal) KR_FN(apply_causal)(p);
}
