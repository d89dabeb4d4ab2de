/* Gated recurrent unit for one width of real; included by rnn.c.
 *
 * gates, for each sample and time: z, r, n.  reserve, for each sample and step: with reset_after p = h' u + bias of n's
 * columns, without it r h'; and the state h unless y has it.  The products of z and r come first, that of n second, in
 * either variant. */

/* Shared scratch of the gradient: the gradient to p for each sample and time (reset_after), and the sums of the
 * gradients to the bias over each BLOCK samples, whatever a task takes. */
KR_INLINE int64_t KR_FN(gru_p_size)(const sequence *s) {
  return s->reset_after ? kr_round_up(s->batch * s->time * s->units, 16) : 0;
}
KR_INLINE int64_t KR_FN(gru_shared)(const sequence *s) {
  return KR_FN(gru_p_size)(s) + kr_ceil_div(s->batch, BLOCK) * 3 * KR_FN(width_of)(s);
}

static KR_FN(job) KR_FN(gru_job)(const kr_call *c, int grad) {
  KR_FN(job) j = {.s = sequence_of(c, grad ? 8 : 4)};
  const sequence *s = &j.s;
  if (!grad) {
    j.weights[0] = KR_FN(forward_weights)(s, 0, 2);
    j.weights[1] = KR_FN(forward_weights)(s, 2, 1);
  } else {
    j.weights[0] = KR_FN(backward_weights)(s, 0, s->reset_after ? 3 : 2);
    j.weights[1] = KR_FN(backward_weights)(s, 2, 1);
  }
  j.n_weights = grad && s->reset_after ? 1 : 2;
  j.width = KR_FN(width_of)(s);
  j.own_size = s->block * (TILE + (grad ? 5 : 4) * j.width);
  return j;
}

static void KR_FN(gru_data)(KR_FN(job) * j, const kr_call *c, int grad) {
  const kr_array *y = grad ? &c->in[4] : &c->out[0], *gates = y + 1, *reserve = y + 2;
  const int sequences = j->s.sequences;
  j->u = c->in[1].data;
  j->bias = c->in[2].data;
  j->h0 = c->in[3].data;
  j->y = y->data;
  j->gates = gates->data;
  j->reserve = reserve->data;
  j->reserve_ld = (sequences ? 1 : 2) * j->s.units;
  j->states = sequences ? j->y : j->reserve + j->s.units;
  j->states_ld = sequences ? j->s.units : j->reserve_ld;
}

/* z and r of one step into gates, and without reset_after r h' into reserve; z and r or r h' also into `zs` and
 * `second`. */
static void KR_FN(gru_gates)(const KR_FN(job) * j, int64_t block, int64_t step, const real *h, real *tile, real *zs,
                             real *second) {
  const sequence *s = &j->s;
  const KR_FN(weights) *w = &j->weights[0];
  const int64_t n = s->units, width = j->width, rows = KR_FN(block_rows)(j, block), wide = KR_FN(panel_units)(w);
  const int64_t t = time_of(s, step);
  for (int64_t panel = 0; panel * wide < n; ++panel) {
    const int64_t r_at = KR_FN(panel_vectors)(w, panel) * V_LANES; /* where r's sums lie in the tile */
    KR_FN(multiply)(w, panel, h, width, rows, tile);
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t b = block * s->block + row;
      const real *x = j->x + (b * s->time + t) * 3 * n;
      real *gates = j->gates + (b * s->time + t) * 3 * n;
      for (int64_t q = panel * wide; q < kr_min(n, (panel + 1) * wide); q += V_LANES) {
        const int64_t left = n - q;
        const real *sum = tile + row * TILE + q - panel * wide;
        vreal z = v_sigmoid(v_add(v_add(KR_FN(ld)(x + q, left), KR_FN(ld)(j->bias + q, left)), v_load(sum)));
        vreal r =
            v_sigmoid(v_add(v_add(KR_FN(ld)(x + n + q, left), KR_FN(ld)(j->bias + n + q, left)), v_load(sum + r_at)));
        KR_FN(st)(gates + q, z, left);
        KR_FN(st)(gates + n + q, r, left);
        v_store(zs + row * width + q, z);
        if (!s->reset_after) {
          /* du multiplies this by zero where the step is skipped, so it must be a number there. */
          r = skipped(s, b, t) ? v_zero() : v_mul(r, v_load(h + row * width + q));
          KR_FN(st)(j->reserve + (b * s->time + step) * j->reserve_ld + q, r, left);
        }
        v_store(second + row * width + q, r);
      }
    }
  }
}

static void KR_FN(gru_block)(void *arg, int64_t block, int worker) {
  const KR_FN(job) *j = arg;
  const sequence *s = &j->s;
  const KR_FN(weights) *w = &j->weights[1];
  const int64_t n = s->units, width = j->width, rows = KR_FN(block_rows)(j, block), wide = KR_FN(panel_units)(w);
  real *tile = j->own + worker * j->own_size, *zs = tile + s->block * TILE, *second = zs + s->block * width;
  real *now = second + s->block * width, *next = now + s->block * width;
  KR_FN(take_rows)(j, block, j->h0, now);
  for (int64_t step = 0; step < s->time; ++step) {
    const int64_t t = time_of(s, step);
    KR_FN(gru_gates)(j, block, step, now, tile, zs, second);
    for (int64_t panel = 0; panel * wide < n; ++panel) {
      KR_FN(multiply)(w, panel, s->reset_after ? now : second, width, rows, tile);
      for (int64_t row = 0; row < rows; ++row) {
        const int64_t b = block * s->block + row;
        const real *x = j->x + (b * s->time + t) * 3 * n + 2 * n;
        real *gate = j->gates + (b * s->time + t) * 3 * n + 2 * n;
        real *keep = j->reserve + (b * s->time + step) * j->reserve_ld;
        real *state = j->states + (b * s->time + step) * j->states_ld;
        for (int64_t q = panel * wide; q < kr_min(n, (panel + 1) * wide); q += V_LANES) {
          const int64_t left = n - q;
          vreal h = v_load(now + row * width + q), z = v_load(zs + row * width + q);
          vreal p = v_add(v_load(tile + row * TILE + q - panel * wide), KR_FN(ld)(j->bias + 2 * n + q, left));
          if (s->reset_after) {
            KR_FN(st)(keep + q, p, left);
            p = v_mul(p, v_load(second + row * width + q));
          }
          vreal a = v_tanh(v_add(KR_FN(ld)(x + q, left), p));
          KR_FN(st)(gate + q, a, left);
          if (!skipped(s, b, t)) h = v_fma(z, h, v_mul(v_sub(v_set1(1), z), a));
          v_store(next + row * width + q, h);
          KR_FN(st)(state + q, h, left);
        }
      }
    }
    real *swap = now;
    now = next;
    next = swap;
  }
  if (!s->sequences) KR_FN(put_rows)(j, block, now, j->y);
}

/* One row of one step backwards, all but the products: dx, the gradients d that go to the state, and dh z. */
KR_INLINE void KR_FN(gru_row_grad)(const KR_FN(job) * j, int64_t b, int64_t step, int skip, real *dh, real *d,
                                   real *sums) {
  const sequence *s = &j->s;
  const vreal one = v_set1(1);
  const int64_t n = s->units, width = j->width, t = time_of(s, step), at = b * s->time + step;
  const real *gates = j->gates + (b * s->time + t) * 3 * n, *keep = j->reserve + at * j->reserve_ld;
  const real *before = step ? j->states + (at - 1) * j->states_ld : j->h0 + b * n;
  real *dx = j->dx + (b * s->time + t) * 3 * n, *dp = j->shared + (b * s->time + t) * n;
  for (int64_t q = 0; q < n; q += V_LANES) {
    const int64_t left = n - q;
    vreal g = v_load(dh + q), dz = v_zero(), dr = v_zero(), da = v_zero(), to_p = v_zero();
    if (s->sequences) g = v_add(g, KR_FN(ld)(j->g + at * n + q, left));
    if (!skip) {
      vreal z = KR_FN(ld)(gates + q, left), r = KR_FN(ld)(gates + n + q, left), a = KR_FN(ld)(gates + 2 * n + q, left);
      vreal h = KR_FN(ld)(before + q, left);
      dz = v_mul(v_mul(g, v_sub(h, a)), v_mul(z, v_sub(one, z)));
      da = v_mul(v_mul(g, v_sub(one, z)), v_fnma(a, a, one));
      g = v_mul(g, z);
      if (s->reset_after) {
        to_p = v_mul(da, r);
        dr = v_mul(v_mul(da, KR_FN(ld)(keep + q, left)), v_mul(r, v_sub(one, r)));
      }
    }
    v_store(dh + q, g);
    KR_FN(st)(dx + q, dz, left);
    KR_FN(st)(dx + 2 * n + q, da, left);
    KR_FN(st)(d + q, dz, left);
    v_store(sums + q, v_add(v_load(sums + q), dz));
    if (s->reset_after) {
      KR_FN(st)(dx + n + q, dr, left);
      KR_FN(st)(d + n + q, dr, left);
      KR_FN(st)(d + 2 * n + q, to_p, left);
      KR_FN(st)(dp + q, to_p, left);
      v_store(sums + width + q, v_add(v_load(sums + width + q), dr));
      v_store(sums + 2 * width + q, v_add(v_load(sums + 2 * width + q), to_p));
    } else {
      KR_FN(st)(d + 2 * width + q, da, left);
      v_store(sums + 2 * width + q, v_add(v_load(sums + 2 * width + q), da));
    }
  }
}

/* Without reset_after: the gradient to r h', and from it those to r and to h'. */
static void KR_FN(gru_reset_grad)(const KR_FN(job) * j, int64_t block, int64_t step, real *tile, real *dh, real *d,
                                  real *sums) {
  const sequence *s = &j->s;
  const KR_FN(weights) *w = &j->weights[1];
  const int64_t n = s->units, width = j->width, rows = KR_FN(block_rows)(j, block), wide = KR_FN(panel_units)(w);
  const int64_t t = time_of(s, step);
  for (int64_t panel = 0; panel * wide < n; ++panel) {
    KR_FN(multiply)(w, panel, d + 2 * width, 3 * width, rows, tile);
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t b = block * s->block + row, at = b * s->time + step;
      const real *gates = j->gates + (b * s->time + t) * 3 * n;
      const real *before = step ? j->states + (at - 1) * j->states_ld : j->h0 + b * n;
      real *const of_r = sums + (row / BLOCK * 3 + 1) * width;
      const int skip = skipped(s, b, t);
      for (int64_t q = panel * wide; q < kr_min(n, (panel + 1) * wide); q += V_LANES) {
        const int64_t left = n - q;
        vreal dr = v_zero();
        if (!skip) {
          vreal r = KR_FN(ld)(gates + n + q, left), to = v_load(tile + row * TILE + q - panel * wide);
          dr = v_mul(v_mul(to, KR_FN(ld)(before + q, left)), v_mul(r, v_sub(v_set1(1), r)));
          v_store(dh + row * width + q, v_fma(to, r, v_load(dh + row * width + q)));
        }
        KR_FN(st)(j->dx + (b * s->time + t) * 3 * n + n + q, dr, left);
        KR_FN(st)(d + row * 3 * width + n + q, dr, left);
        v_store(of_r + q, v_add(v_load(of_r + q), dr));
      }
    }
  }
}

static void KR_FN(gru_grad_block)(void *arg, int64_t block, int worker) {
  const KR_FN(job) *j = arg;
  const sequence *s = &j->s;
  const KR_FN(weights) *w = &j->weights[0];
  const int64_t n = s->units, width = j->width, rows = KR_FN(block_rows)(j, block), wide = KR_FN(panel_units)(w);
  real *tile = j->own + worker * j->own_size, *dh = tile + s->block * TILE;
  real *d = dh + s->block *
                     width; /* (rows, 3 width): with reset_after 3 n of each row in use; else 2 n, then da at 2 width */
  real *sums = j->shared + KR_FN(gru_p_size)(s) + block * s->block / BLOCK * 3 * width;
  memset(sums, 0, (size_t)(kr_ceil_div(rows, BLOCK) * 3 * width) * sizeof(real));
  KR_FN(take_rows)(j, block, s->sequences ? NULL : j->g, dh);
  for (int64_t step = s->time - 1; step >= 0; --step) {
    const int64_t t = time_of(s, step);
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t b = block * s->block + row;
      KR_FN(gru_row_grad)(j, b, step, skipped(s, b, t), dh + row * width, d + row * 3 * width,
                          sums + row / BLOCK * 3 * width);
    }
    if (!s->reset_after) KR_FN(gru_reset_grad)(j, block, step, tile, dh, d, sums);
    for (int64_t panel = 0; panel * wide < n; ++panel) {
      KR_FN(multiply)(w, panel, d, 3 * width, rows, tile);
      for (int64_t row = 0; row < rows; ++row)
        if (!skipped(s, block * s->block + row, t))
          for (int64_t q = panel * wide; q < kr_min(n, (panel + 1) * wide); q += V_LANES) {
            real *to = dh + row * width + q;
            v_store(to, v_add(v_load(to), v_load(tile + row * TILE + q - panel * wide)));
          }
    }
  }
  KR_FN(put_rows)(j, block, dh, j->dh0);
}

static size_t KR_FN(gru_scratch)(const kr_call *c) {
  const KR_FN(job) j = KR_FN(gru_job)(c, 0);
  return (size_t)KR_FN(base_size)(&j, 0, c->threads) * sizeof(real);
}

static size_t KR_FN(gru_packing)(const kr_call *c, int64_t form[KR_FORM]) {
  const KR_FN(job) j = KR_FN(gru_job)(c, 0);
  return KR_FN(recurrent_packing)(&j, form);
}

static kr_status KR_FN(gru)(const kr_call *c) {
  KR_FN(job) j = KR_FN(gru_job)(c, 0);
  KR_FN(gru_data)(&j, c, 0);
  j.x = c->in[0].data;
  KR_FN(lay_out)(&j, 0, c);
  KR_FN(run_blocks)(&j, c->threads, KR_FN(gru_block));
  return KR_OK;
}

static size_t KR_FN(gru_grad_scratch)(const kr_call *c) {
  const KR_FN(job) j = KR_FN(gru_job)(c, 1);
  const size_t first = KR_FN(recurrent_gradient_scratch)(&j.s, 2, c->threads);
  const size_t second = KR_FN(recurrent_gradient_scratch)(&j.s, 1, c->threads);
  return (size_t)KR_FN(base_size)(&j, KR_FN(gru_shared)(&j.s), c->threads) * sizeof(real) +
         (first > second ? first : second);
}

static kr_status KR_FN(gru_grad)(const kr_call *c) {
  KR_FN(job) j = KR_FN(gru_job)(c, 1);
  const sequence *s = &j.s;
  const int64_t n = s->units;
  real *du = c->out[1].data, *dbias = c->out[2].data;
  KR_FN(gru_data)(&j, c, 1);
  j.g = c->in[7].data;
  j.dx = c->out[0].data;
  j.dh0 = c->out[3].data;
  real *rest = KR_FN(lay_out)(&j, KR_FN(gru_shared)(s), c);
  KR_FN(run_blocks)(&j, c->threads, KR_FN(gru_grad_block));
  for (int64_t k = 0; k < 3 * n; ++k) {
    double sum = 0;
    for (int64_t b = 0; b < kr_ceil_div(s->batch, BLOCK); ++b)
      sum += (double)j.shared[KR_FN(gru_p_size)(s) + (b * 3 + k / n) * j.width + k % n];
    dbias[k] = (real)sum;
  }
  KR_FN(recurrent_gradient)(&j, j.states, j.states_ld, 1, j.dx, 3 * n, 0, 2, du, c->threads, rest);
  if (s->reset_after) KR_FN(recurrent_gradient)(&j, j.states, j.states_ld, 1, j.shared, n, 2, 1, du, c->threads, rest);
  else KR_FN(recurrent_gradient)(&j, j.reserve, j.reserve_ld, 0, j.dx + 2 * n, 3 * n, 2, 1, du, c->threads, rest);
  return KR_OK;
}
