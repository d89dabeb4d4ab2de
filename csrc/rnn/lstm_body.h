/* Long short-term memory for one width of real; included by rnn.c.
 *
 * gates, for each sample and time: i, f, g, o.  reserve, for each sample and step: c, and the state h unless y has it. */

static KR_FN(job) KR_FN(lstm_job)(const kr_call *c, int grad) {
  KR_FN(job) j = {.s = sequence_of(c, grad ? 9 : 4), .n_weights = 1};
  j.weights[0] = grad ? KR_FN(backward_weights)(&j.s, 0, 4) : KR_FN(forward_weights)(&j.s, 0, 4);
  j.width = KR_FN(width_of)(&j.s);
  j.own_size = j.s.block * (TILE + (grad ? 6 : 3) * j.width);
  return j;
}

static void KR_FN(lstm_data)(KR_FN(job) * j, const kr_call *c, int grad) {
  const int sequences = j->s.sequences;
  j->u = c->in[1].data;
  j->h0 = c->in[2].data;
  j->c0 = c->in[3].data;
  j->y = grad ? c->in[4].data : c->out[0].data;
  j->gates = grad ? c->in[5].data : c->out[2].data;
  j->reserve = grad ? c->in[6].data : c->out[3].data;
  j->reserve_ld = (sequences ? 1 : 2) * j->s.units;
  j->states = sequences ? j->y : j->reserve + j->s.units;
  j->states_ld = sequences ? j->s.units : j->reserve_ld;
}

/* The gates of one vector of units, into `keep`, and c: x of the four gates lies `n` apart, their sums V_LANES apart in
 * the tile. */
KR_INLINE vreal KR_FN(lstm_gates)(const real *x, const real *tile, int64_t n, int64_t left, real *keep, vreal c) {
  vreal i = v_sigmoid(v_add(KR_FN(ld)(x, left), v_load(tile)));
  vreal f = v_sigmoid(v_add(KR_FN(ld)(x + n, left), v_load(tile + V_LANES)));
  vreal g = v_tanh(v_add(KR_FN(ld)(x + 2 * n, left), v_load(tile + 2 * V_LANES)));
  vreal o = v_sigmoid(v_add(KR_FN(ld)(x + 3 * n, left), v_load(tile + 3 * V_LANES)));
  KR_FN(st)(keep, i, left);
  KR_FN(st)(keep + n, f, left);
  KR_FN(st)(keep + 2 * n, g, left);
  KR_FN(st)(keep + 3 * n, o, left);
  return v_fma(i, g, v_mul(f, c));
}

static void KR_FN(lstm_block)(void *arg, int64_t block, int worker) {
  const KR_FN(job) *j = arg;
  const sequence *s = &j->s;
  const KR_FN(weights) *w = &j->weights[0];
  const int64_t n = s->units, width = j->width, rows = KR_FN(block_rows)(j, block);
  real *tile = j->own + worker * j->own_size, *cell = tile + s->block * TILE;
  real *now = cell + s->block * width, *next = now + s->block * width;
  KR_FN(take_rows)(j, block, j->h0, now);
  KR_FN(take_rows)(j, block, j->c0, cell);
  for (int64_t step = 0; step < s->time; ++step) {
    const int64_t t = time_of(s, step);
    for (int64_t q = 0; q < n; q += V_LANES) {
      for (int64_t r = 0; r < rows; ++r) { /* what the gates will read arrives while the product runs */
        const int64_t b = block * s->block + r;
        KR_FN(prefetch)(j->x + (b * s->time + t) * 4 * n + q, n, 4);
      }
      KR_FN(multiply)(w, q / V_LANES, now, width, rows, tile);
      /* First c of all samples, then h: the tanh of c would otherwise stand at the end of one long chain, which the CPU
       * cannot overlap with the next sample's. */
      for (int64_t r = 0; r < rows; ++r) {
        const int64_t b = block * s->block + r;
        const int64_t at = (b * s->time + t) * 4 * n + q;
        vreal old = v_load(cell + r * width + q);
        vreal c = KR_FN(lstm_gates)(j->x + at, tile + r * TILE, n, n - q, j->gates + at, old);
        if (skipped(s, b, t)) c = old;
        v_store(cell + r * width + q, c);
        KR_FN(st)(j->reserve + (b * s->time + step) * j->reserve_ld + q, c, n - q);
      }
      for (int64_t r = 0; r < rows; ++r) {
        const int64_t b = block * s->block + r, at = b * s->time + step;
        vreal h = v_load(now + r * width + q);
        if (!skipped(s, b, t))
          h = v_mul(KR_FN(ld)(j->gates + (b * s->time + t) * 4 * n + 3 * n + q, n - q),
                    v_tanh(v_load(cell + r * width + q)));
        v_store(next + r * width + q, h);
        KR_FN(st)(j->states + at * j->states_ld + q, h, n - q);
      }
    }
    real *swap = now;
    now = next;
    next = swap;
  }
  if (!s->sequences) KR_FN(put_rows)(j, block, now, j->y);
  KR_FN(put_rows)(j, block, cell, j->c);
}

/* One vector of units, backwards: the gradients d of the four sums, and of c before the step. */
KR_INLINE void KR_FN(lstm_gates_grad)(const real *gates, vreal c, vreal before, int64_t n, int64_t left, vreal dh,
                                      vreal *dc, vreal d[4]) {
  const vreal one = v_set1(1);
  vreal i = KR_FN(ld)(gates, left), f = KR_FN(ld)(gates + n, left), g = KR_FN(ld)(gates + 2 * n, left);
  vreal o = KR_FN(ld)(gates + 3 * n, left), tc = v_tanh(c);
  vreal total = v_fma(v_mul(dh, o), v_fnma(tc, tc, one), *dc);
  d[0] = v_mul(v_mul(total, g), v_mul(i, v_sub(one, i)));
  d[1] = v_mul(v_mul(total, before), v_mul(f, v_sub(one, f)));
  d[2] = v_mul(v_mul(total, i), v_fnma(g, g, one));
  d[3] = v_mul(v_mul(dh, tc), v_mul(o, v_sub(one, o)));
  *dc = v_mul(total, f);
}

static void KR_FN(lstm_grad_block)(void *arg, int64_t block, int worker) {
  const KR_FN(job) *j = arg;
  const sequence *s = &j->s;
  const KR_FN(weights) *w = &j->weights[0];
  const int64_t n = s->units, width = j->width, rows = KR_FN(block_rows)(j, block), wide = KR_FN(panel_units)(w);
  real *tile = j->own + worker * j->own_size, *dh = tile + s->block * TILE, *dc = dh + s->block * width;
  real *d = dc + s->block * width; /* (rows, 4 width): the gradients of the sums, 4 n of each row in use */
  KR_FN(take_rows)(j, block, s->sequences ? NULL : j->g, dh);
  KR_FN(take_rows)(j, block, j->gc, dc);
  for (int64_t step = s->time - 1; step >= 0; --step) {
    const int64_t t = time_of(s, step);
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t b = block * s->block + r, at = b * s->time + step;
      const real *gates = j->gates + (b * s->time + t) * 4 * n, *c = j->reserve + at * j->reserve_ld;
      const real *before = step ? c - j->reserve_ld : j->c0 + b * n;
      real *dx = j->dx + (b * s->time + t) * 4 * n, *dr = d + r * 4 * width;
      const int skip = skipped(s, b, t);
      for (int64_t q = 0; q < n; q += V_LANES) {
        vreal g = v_load(dh + r * width + q), gc = v_load(dc + r * width + q);
        vreal sums[4] = {v_zero(), v_zero(), v_zero(), v_zero()};
        if (s->sequences) g = v_add(g, KR_FN(ld)(j->g + at * n + q, n - q));
        if (!skip) {
          const vreal now = KR_FN(ld)(c + q, n - q), old = KR_FN(ld)(before + q, n - q);
          KR_FN(lstm_gates_grad)(gates + q, now, old, n, n - q, g, &gc, sums);
        }
        v_store(dh + r * width + q, g);
        v_store(dc + r * width + q, gc);
#pragma GCC unroll 4
        for (int k = 0; k < 4; ++k) {
          KR_FN(st)(dr + k * n + q, sums[k], n - q);
          KR_FN(st)(dx + k * n + q, sums[k], n - q);
        }
      }
    }
    for (int64_t panel = 0; panel * wide < n; ++panel) {
      KR_FN(multiply)(w, panel, d, 4 * width, rows, tile);
      for (int64_t r = 0; r < rows; ++r)
        if (!skipped(s, block * s->block + r, t))
          for (int64_t q = panel * wide; q < kr_min(n, (panel + 1) * wide); q += V_LANES)
            v_store(dh + r * width + q, v_load(tile + r * TILE + q - panel * wide));
    }
  }
  KR_FN(put_rows)(j, block, dh, j->dh0);
  KR_FN(put_rows)(j, block, dc, j->dc0);
}

static size_t KR_FN(lstm_scratch)(const kr_call *c) {
  const KR_FN(job) j = KR_FN(lstm_job)(c, 0);
  return (size_t)KR_FN(base_size)(&j, 0, c->threads) * sizeof(real);
}

static size_t KR_FN(lstm_packing)(const kr_call *c, int64_t form[KR_FORM]) {
  const KR_FN(job) j = KR_FN(lstm_job)(c, 0);
  return KR_FN(recurrent_packing)(&j, form);
}

static kr_status KR_FN(lstm)(const kr_call *c) {
  KR_FN(job) j = KR_FN(lstm_job)(c, 0);
  KR_FN(lstm_data)(&j, c, 0);
  j.x = c->in[0].data;
  j.c = c->out[1].data;
  KR_FN(lay_out)(&j, 0, c);
  KR_FN(run_blocks)(&j, c->threads, KR_FN(lstm_block));
  return KR_OK;
}

static size_t KR_FN(lstm_grad_scratch)(const kr_call *c) {
  const KR_FN(job) j = KR_FN(lstm_job)(c, 1);
  return (size_t)KR_FN(base_size)(&j, 0, c->threads) * sizeof(real) +
         KR_FN(recurrent_gradient_scratch)(&j.s, 4, c->threads);
}

static kr_status KR_FN(lstm_grad)(const kr_call *c) {
  KR_FN(job) j = KR_FN(lstm_job)(c, 1);
  KR_FN(lstm_data)(&j, c, 1);
  j.g = c->in[7].data;
  j.gc = c->in[8].data;
  j.dx = c->out[0].data;
  j.dh0 = c->out[2].data;
  j.dc0 = c->out[3].data;
  real *rest = KR_FN(lay_out)(&j, 0, c);
  KR_FN(run_blocks)(&j, c->threads, KR_FN(lstm_grad_block));
  KR_FN(recurrent_gradient)(&j, j.states, j.states_ld, 1, j.dx, 4 * j.s.units, 0, 4, c->out[1].data, c->threads, rest);
  return KR_OK;
}
