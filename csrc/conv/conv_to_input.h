/* The gradient of convolution to its input for one floating type; conv.c says what it computes. */

/* The packed product, for stride 1, where there is one residue and its cells are those of dx. */
static KR_FN(gemm_args) KR_FN(grad_input_product)(const kr_call *call, const window *w, conv_job *j) {
  const kr_array *g = &call->in[0], *k = &call->in[1], *dx = &call->out[0];
  int64_t cell[3];
  *j = phase_job(w, 0, g, k, dx, cell);
  return (KR_FN(gemm_args)){.batch = group_count(dx, k),
                            .m = w->n * product(j->p.cells),
                            .n = j->kernel_c,
                            .k = product(j->p.taps) * j->group_filters,
                            .pack_a = KR_FN(rows_of_patches),
                            .pack_b = KR_FN(turned_kernel),
                            .ctx = j,
                            .c = dx->data,
                            .ldc = dx->shape[dx->ndim - 1],
                            .c_batch = j->kernel_c};
}

/* Whether the residues of even and of odd columns are computed together (conv_lines.h). */
static int KR_FN(pairs_columns)(const kr_call *call, const window *w) {
  const kr_array *k = &call->in[1], *dx = &call->out[0];
  return w->stride[2] == 2 && w->in[2] > 1 && kr_ceil_div(w->in[2], 2) >= LINE_LEAST && group_count(dx, k) == 1 &&
         2 * dx->shape[dx->ndim - 1] == DIRECT_WIDTH;
}

/* Bytes of the packed kernel of one residue. */
static int64_t KR_FN(phase_packed)(const direct_job *d) {
  return d->groups * KR_FN(direct_packed)(product(d->j.p.taps) * d->j.p.group_c, d->columns);
}

/* The convolution of g for one residue, or for that and the next: its cells are apart in dx. */
static direct_job KR_FN(phase_directly)(const kr_call *call, const window *w, int64_t phase) {
  const kr_array *g = &call->in[0], *k = &call->in[1], *dx = &call->out[0];
  const int64_t c = dx->shape[dx->ndim - 1], line = w->in[2] * c, plane = w->in[1] * line;
  int64_t cell[3];
  direct_job d = {.j = phase_job(w, phase, g, k, dx, cell),
                  .images = w->n,
                  .groups = group_count(dx, k),
                  .y_image = w->in[0] * plane,
                  .y_step = {w->stride[0] * plane, w->stride[1] * line, w->stride[2] * c},
                  .turned = 1};
  d.columns = d.last = d.j.kernel_c;
  d.paired = KR_FN(pairs_columns)(call, w);
  if (d.paired) {
    int64_t next[3];
    d.right = phase_job(w, phase + 1, g, k, dx, next);
    d.columns *= 2;
    if (w->in[2] % 2 == 0) d.last = d.columns;
  }
  if (dx->data) d.y = (real *)dx->data + cell[0] * plane + cell[1] * line + cell[2] * c;
  return d;
}

static int KR_FN(grad_input_overlaps)(const kr_call *call, const window *w, overlap *o) {
  const kr_array *g = &call->in[0], *k = &call->in[1], *dx = &call->out[0];
  const int64_t c = k->shape[k->ndim - 2], f = k->shape[k->ndim - 1], source = product(w->out), taps = product(w->size);
  *o = (overlap){.src = g->data,
                 .kernel = k->data,
                 .out = dx->data,
                 .scratch = call->scratch,
                 .images = w->n,
                 .cells = source,
                 .k = f,
                 .taps = taps,
                 .columns = c,
                 .filters = f,
                 .threads = call->threads};
  o->chunk = KR_FN(overlap_chunk)(o);
  int64_t met = 0;
  for (int64_t phase = 0; phase < phase_count(w); ++phase) {
    int64_t cell[3];
    const conv_job j = phase_job(w, phase, g, k, dx, cell);
    met += product(j.p.cells) * product(j.p.taps);
  }
  return overlap_pays(group_count(dx, k), met, source, taps, f, c, sizeof(real));
}

static void KR_FN(grad_input_by_overlap)(const kr_call *call, const window *w, const overlap *o) {
  for (int64_t image = 0; image < o->images; image += o->chunk) {
    const int64_t images = KR_FN(overlap_multiply)(o, image, 1);
    for (int64_t phase = 0; phase < phase_count(w); ++phase) {
      overlap_cells cells;
      cells.j = phase_job(w, phase, &call->in[0], &call->in[1], &call->out[0], cells.first);
      memcpy(cells.size, w->in, sizeof cells.size);
      memcpy(cells.step, w->stride, sizeof cells.step);
      KR_FN(overlap_add)(o, &cells, image, images);
    }
  }
}

/* j: of the first residue; groups are seen in its channels. */
static int KR_FN(grad_input_by_tiles)(const window *w, const conv_job *j) {
  return phase_count(w) == 1 && wino_pays(j, j->kernel_c, V_LANES);
}

static int KR_FN(grad_input_spreads)(const window *w, const conv_job *j) {
  const int64_t group = WINO_POINTS * WINO_MR * j->p.c * (int64_t)sizeof(real);
  return phase_count(w) == 1 && wino_spreads(j, j->kernel_c, V_LANES, group, WINO_MR);
}

/* Tiles of g, each with the kernel as it is. */
static direct_job KR_FN(spread_directly)(const kr_call *call, const window *w) {
  direct_job d = KR_FN(phase_directly)(call, w, 0);
  d.spread = 1;
  for (int k = 0; k < 3; ++k) {
    d.j.p.first[k] = d.j.last_tap[k] = 0;
    d.j.tap_step[k] = -1;
  }
  return d;
}

static conv_choice KR_FN(choose_to_input)(const kr_call *call, const window *w, conv_job *j, KR_FN(gemm_args) * a,
                                          overlap *o) {
  *a = KR_FN(grad_input_product)(call, w, j);
  if (KR_FN(grad_input_spreads)(w, j)) return CONV_SPREAD;
  if (KR_FN(grad_input_by_tiles)(w, j)) return CONV_TILES;
  if (KR_FN(grad_input_overlaps)(call, w, o)) return CONV_OVERLAP;
  return phase_count(w) == 1 && !runs_directly(j) ? CONV_PRODUCT : CONV_DIRECT;
}

static size_t KR_FN(conv_grad_input_scratch)(const kr_call *call) {
  const kr_array *g = &call->in[0], *k = &call->in[1], *dx = &call->out[0];
  const window w = conv_window(call->i, dx, k, g);
  conv_job j;
  overlap o;
  KR_FN(gemm_args) a;
  direct_job d;
  wino_job t;
  size_t most = 0;
  if (kr_size(dx) == 0) return 0;
  switch (KR_FN(choose_to_input)(call, &w, &j, &a, &o)) {
    case CONV_TILES: d = KR_FN(phase_directly)(call, &w, 0); return KR_FN(wino_plan)(&t, &d, call->threads, NULL);
    case CONV_SPREAD: d = KR_FN(spread_directly)(call, &w); return KR_FN(wino_plan)(&t, &d, call->threads, NULL);
    case CONV_OVERLAP: return KR_FN(overlap_scratch)(&o);
    case CONV_PRODUCT: return KR_FN(scratch_of)(&a, call->threads);
    default: break;
  }
  for (int64_t phase = 0; phase < phase_count(&w); phase += 1 + KR_FN(pairs_columns)(call, &w)) {
    d = KR_FN(phase_directly)(call, &w, phase);
    const size_t bytes = KR_FN(direct_plan)(&d, call->threads, NULL);
    if (bytes > most) most = bytes;
  }
  return most;
}

static size_t KR_FN(conv_grad_input_packing)(const kr_call *call, int64_t form[KR_FORM]) {
  const kr_array *g = &call->in[0], *k = &call->in[1], *dx = &call->out[0];
  const window w = conv_window(call->i, dx, k, g);
  conv_job j;
  overlap o;
  KR_FN(gemm_args) a;
  size_t bytes = 0;
  memset(form, 0, KR_FORM * sizeof *form);
  if (kr_size(dx) == 0 || !window_to_form(&w, form + 3)) return 0;
  form[0] = KR_FN(choose_to_input)(call, &w, &j, &a, &o);
  form[1] = a.batch;
  switch (form[0]) {
    case CONV_TILES:
    case CONV_SPREAD: bytes = (size_t)KR_FN(wino_packed)(j.p.c, j.kernel_c); break;
    case CONV_OVERLAP: bytes = KR_FN(overlap_packing)(&o, &form[2]); break;
    case CONV_PRODUCT: bytes = KR_FN(gemm_packing)(a.batch, a.m, a.n, a.k, &form[2]); break;
    default:
      if (KR_FN(pairs_columns)(call, &w)) return 0;
      for (int64_t phase = 0; phase < phase_count(&w); ++phase) {
        const direct_job d = KR_FN(phase_directly)(call, &w, phase);
        bytes += (size_t)KR_FN(phase_packed)(&d);
      }
  }
  return bytes ? KR_PACKED_AT + bytes : 0;
}

static kr_status KR_FN(conv_grad_input_pack)(const kr_call *c) {
  const kr_array *k = &c->in[0];
  const int64_t groups = c->i[1], channels = k->shape[k->ndim - 2], filters = k->shape[k->ndim - 1];
  /* A call of the same geometry: what is packed depends on no sizes but the kernel's. */
  int64_t i[9];
  window_of_form(c->i + 3, i);
  kr_array in[2] = {*k, *k}, dx = *k;
  for (int d = 1; d < k->ndim - 1; ++d) {
    in[0].shape[d] = 1;
    dx.shape[d] = i[d + 4 - k->ndim];
  }
  in[0].shape[0] = dx.shape[0] = 1;
  in[0].shape[k->ndim - 1] = filters;
  dx.shape[k->ndim - 1] = groups * channels;
  dx.data = NULL;
  const kr_call like = {.in = in, .out = &dx, .i = i, .n_in = 2, .n_out = 1, .threads = c->threads};
  const window w = conv_window(i, &dx, k, &in[0]);
  char *to = kr_pack_to(c);
  if (c->i[0] == CONV_TILES || c->i[0] == CONV_SPREAD) {
    const direct_job d =
        c->i[0] == CONV_SPREAD ? KR_FN(spread_directly)(&like, &w) : KR_FN(phase_directly)(&like, &w, 0);
    wino_job t = {.j = d.j, .columns = d.columns, .turned = 1, .u = to};
    KR_FN(wino_pack)(&t, c->threads);
  } else if (c->i[0] == CONV_OVERLAP) {
    const overlap o = {.kernel = k->data, .k = filters, .filters = filters};
    const KR_FN(gemm_args)
        g = {.n = product(w.size) * channels, .k = filters, .pack_b = KR_FN(columns_of_channels), .ctx = &o};
    KR_FN(gemm_pack)(&g, c->i[2], c->threads, (real *)to);
  } else if (c->i[0] == CONV_PRODUCT) {
    conv_job j;
    const KR_FN(gemm_args) g = KR_FN(grad_input_product)(&like, &w, &j);
    KR_FN(gemm_pack)(&g, c->i[2], c->threads, (real *)to);
  } else {
    for (int64_t phase = 0; phase < phase_count(&w); ++phase) {
      direct_job d = KR_FN(phase_directly)(&like, &w, phase);
      d.k = product(d.j.p.taps) * d.j.p.group_c;
      d.panels = kr_ceil_div(d.columns, DIRECT_WIDTH);
      d.packed = to;
      KR_FN(direct_pack)(&d, c->threads);
      to += KR_FN(phase_packed)(&d);
    }
  }
  return KR_OK;
}

static kr_status KR_FN(conv_grad_input)(const kr_call *call) {
  const kr_array *g = &call->in[0], *k = &call->in[1], *dx = &call->out[0];
  if (kr_size(dx) == 0) return KR_OK;
  const window w = conv_window(call->i, dx, k, g);
  conv_job j;
  overlap o;
  KR_FN(gemm_args) a;
  direct_job d;
  int64_t form[KR_FORM];
  const conv_choice choice = KR_FN(choose_to_input)(call, &w, &j, &a, &o);
  const char *ready = call->packed && KR_FN(conv_grad_input_packing)(call, form) ? kr_packed(call, form) : NULL;
  switch (choice) {
    case CONV_TILES:
    case CONV_SPREAD:
      d = choice == CONV_SPREAD ? KR_FN(spread_directly)(call, &w) : KR_FN(phase_directly)(call, &w, 0);
      d.ready = ready;
      KR_FN(wino)(&d, call->threads, call->scratch);
      return KR_OK;
    case CONV_OVERLAP:
      o.packed = ready;
      KR_FN(grad_input_by_overlap)(call, &w, &o);
      return KR_OK;
    case CONV_PRODUCT:
      a.packed = (const real *)ready;
      KR_FN(gemm)(&a, call->threads, call->scratch);
      return KR_OK;
    default: break;
  }
  for (int64_t phase = 0; phase < phase_count(&w); phase += 1 + KR_FN(pairs_columns)(call, &w)) {
    d = KR_FN(phase_directly)(call, &w, phase);
    d.ready = ready;
    if (ready) ready += KR_FN(phase_packed)(&d);
    KR_FN(direct)(&d, call->threads, call->scratch);
  }
  return KR_OK;
}
