/* The simple recurrent layer for one width of real; included by rnn.c.  reserve: the states, unless y has them. */

static KR_FN(job) KR_FN(simple_rnn_job)(const kr_call *c, int grad) {
  KR_FN(job) j = {.s = sequence_of(c, grad ? 6 : 3), .n_weights = 1};
  j.weights[0] = grad ? KR_FN(backward_weights)(&j.s, 0, 1) : KR_FN(forward_weights)(&j.s, 0, 1);
  j.width = KR_FN(width_of)(&j.s);
  j.own_size = j.s.block * (TILE + 2 * j.width);
  return j;
}

static void KR_FN(simple_rnn_data)(KR_FN(job) * j, const kr_call *c, int grad) {
  const kr_array *y = grad ? &c->in[3] : &c->out[0], *reserve = y + 1;
  j->u = c->in[1].data;
  j->h0 = c->in[2].data;
  j->y = y->data;
  j->states = j->s.sequences ? y->data : reserve->data;
  j->states_ld = j->s.units;
}

KR_INLINE vreal KR_FN(activate)(const sequence *s, vreal x) {
  if (s->activation == TANH) return v_tanh(x);
  return s->activation == RELU ? v_select(v_lt(x, v_zero()), v_zero(), x) : x; /* keeps NaN */
}

/* The gradient to the sum, from the state. */
KR_INLINE vreal KR_FN(activate_grad)(const sequence *s, vreal h, vreal g) {
  if (s->activation == TANH) return v_mul(g, v_fnma(h, h, v_set1(1)));
  return s->activation == RELU ? v_select(v_gt(h, v_zero()), g, v_zero()) : g;
}

static void KR_FN(simple_rnn_block)(void *arg, int64_t block, int worker) {
  const KR_FN(job) *j = arg;
  const sequence *s = &j->s;
  const KR_FN(weights) *w = &j->weights[0];
  const int64_t n = s->units, width = j->width, rows = KR_FN(block_rows)(j, block), wide = KR_FN(panel_units)(w);
  real *tile = j->own + worker * j->own_size, *h = tile + s->block * TILE, *next = h + s->block * width;
  KR_FN(take_rows)(j, block, j->h0, h);
  for (int64_t step = 0; step < s->time; ++step) {
    const int64_t t = time_of(s, step);
    for (int64_t panel = 0; panel * wide < n; ++panel) {
      KR_FN(multiply)(w, panel, h, width, rows, tile);
      for (int64_t r = 0; r < rows; ++r) {
        const int64_t b = block * s->block + r;
        const real *x = j->x + (b * s->time + t) * n;
        real *state = j->states + (b * s->time + step) * n;
        for (int64_t q = panel * wide; q < kr_min(n, (panel + 1) * wide); q += V_LANES) {
          vreal v = v_load(h + r * width + q);
          if (!skipped(s, b, t))
            v = KR_FN(activate)(s, v_add(KR_FN(ld)(x + q, n - q), v_load(tile + r * TILE + q - panel * wide)));
          v_store(next + r * width + q, v);
          KR_FN(st)(state + q, v, n - q);
        }
      }
    }
    real *swap = h;
    h = next;
    next = swap;
  }
  if (!s->sequences) KR_FN(put_rows)(j, block, h, j->y);
}

static void KR_FN(simple_rnn_grad_block)(void *arg, int64_t block, int worker) {
  const KR_FN(job) *j = arg;
  const sequence *s = &j->s;
  const KR_FN(weights) *w = &j->weights[0];
  const int64_t n = s->units, width = j->width, rows = KR_FN(block_rows)(j, block), wide = KR_FN(panel_units)(w);
  real *tile = j->own + worker * j->own_size, *dh = tile + s->block * TILE, *d = dh + s->block * width;
  KR_FN(take_rows)(j, block, s->sequences ? NULL : j->g, dh);
  for (int64_t step = s->time - 1; step >= 0; --step) {
    const int64_t t = time_of(s, step);
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t b = block * s->block + r, at = b * s->time + step;
      const int skip = skipped(s, b, t);
      for (int64_t q = 0; q < n; q += V_LANES) {
        vreal g = v_load(dh + r * width + q), h = KR_FN(ld)(j->states + at * n + q, n - q);
        if (s->sequences) g = v_add(g, KR_FN(ld)(j->g + at * n + q, n - q));
        vreal z = skip ? v_zero() : KR_FN(activate_grad)(s, h, g);
        v_store(dh + r * width + q, g);
        v_store(d + r * width + q, z);
        KR_FN(st)(j->dx + (b * s->time + t) * n + q, z, n - q);
      }
    }
    for (int64_t panel = 0; panel * wide < n; ++panel) {
      KR_FN(multiply)(w, panel, d, width, rows, tile);
      for (int64_t r = 0; r < rows; ++r)
        if (!skipped(s, block * s->block + r, t))
          for (int64_t q = panel * wide; q < kr_min(n, (panel + 1) * wide); q += V_LANES)
            v_store(dh + r * width + q, v_load(tile + r * TILE + q - panel * wide));
    }
  }
  KR_FN(put_rows)(j, block, dh, j->dh0);
}

static size_t KR_FN(simple_rnn_scratch)(const kr_call *c) {
  const KR_FN(job) j = KR_FN(simple_rnn_job)(c, 0);
  return (size_t)KR_FN(base_size)(&j, 0, c->threads) * sizeof(real);
}

static size_t KR_FN(simple_rnn_packing)(const kr_call *c, int64_t form[KR_FORM]) {
  const KR_FN(job) j = KR_FN(simple_rnn_job)(c, 0);
  return KR_FN(recurrent_packing)(&j, form);
}

static kr_status KR_FN(simple_rnn)(const kr_call *c) {
  KR_FN(job) j = KR_FN(simple_rnn_job)(c, 0);
  KR_FN(simple_rnn_data)(&j, c, 0);
  j.x = c->in[0].data;
  KR_FN(lay_out)(&j, 0, c);
  KR_FN(run_blocks)(&j, c->threads, KR_FN(simple_rnn_block));
  return KR_OK;
}

static size_t KR_FN(simple_rnn_grad_scratch)(const kr_call *c) {
  const KR_FN(job) j = KR_FN(simple_rnn_job)(c, 1);
  return (size_t)KR_FN(base_size)(&j, 0, c->threads) * sizeof(real) +
         KR_FN(recurrent_gradient_scratch)(&j.s, 1, c->threads);
}

static kr_status KR_FN(simple_rnn_grad)(const kr_call *c) {
  KR_FN(job) j = KR_FN(simple_rnn_job)(c, 1);
  KR_FN(simple_rnn_data)(&j, c, 1);
  j.g = c->in[5].data;
  j.dx = c->out[0].data;
  j.dh0 = c->out[2].data;
  real *rest = KR_FN(lay_out)(&j, 0, c);
  KR_FN(run_blocks)(&j, c->threads, KR_FN(simple_rnn_grad_block));
  KR_FN(recurrent_gradient)(&j, j.states, j.states_ld, 1, j.dx, j.s.units, 0, 1, c->out[1].data, c->threads, rest);
  return KR_OK;
}
