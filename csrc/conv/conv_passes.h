/* Convolution forward and its gradient to the kernel for one floating type; conv.c says what each computes. */

/* ---- forward ---------------------------------------------------------------------------------------------------- */

static void KR_FN(rows_of_patches)(const void *ctx, int64_t group, int64_t row, int64_t rows, int64_t k0, int64_t kc,
                                   real *dst) {
  KR_FN(pack_patches)(&((const conv_job *)ctx)->p, group, row, rows, k0, kc, dst);
}

static KR_FN(gemm_args) KR_FN(conv_product)(const kr_call *call, conv_job *j) {
  const kr_array *x = &call->in[0], *k = &call->in[1], *y = &call->out[0];
  const window w = conv_window(call->i, x, k, y);
  *j = forward_job(&w, x, k, k->data);
  return (KR_FN(gemm_args)){.batch = group_count(x, k),
                            .m = w.n * product(w.out),
                            .n = j->group_filters,
                            .k = product(w.size) * j->p.group_c,
                            .pack_a = KR_FN(rows_of_patches),
                            .pack_b = KR_FN(rows_of_filters),
                            .ctx = j,
                            .c = y->data,
                            .ldc = j->filters,
                            .c_batch = j->group_filters,
                            .bias = call->n_in > 2 ? call->in[2].data : NULL,
                            .bias_batch = j->group_filters,
                            .activation = call->n_i > 9 ? (int)call->i[9] : ACTIVATION_LINEAR};
}

static size_t KR_FN(scratch_of)(const KR_FN(gemm_args) * g, int threads) {
  return KR_FN(gemm_scratch)(g->batch, g->m, g->n, g->k, threads);
}

static int KR_FN(conv_overlaps)(const kr_call *call, const KR_FN(gemm_args) * g, const conv_job *j, overlap *o) {
  const int64_t source = product(j->p.in), taps = product(j->size);
  *o = (overlap){.src = j->p.src,
                 .kernel = j->kernel,
                 .bias = g->bias,
                 .out = g->c,
                 .scratch = call->scratch,
                 .images = call->in[0].shape[0],
                 .cells = source,
                 .k = j->p.c,
                 .taps = taps,
                 .columns = j->filters,
                 .filters = j->filters,
                 .relu = g->activation == ACTIVATION_RELU,
                 .threads = call->threads};
  o->chunk = KR_FN(overlap_chunk)(o);
  return overlap_pays(g->batch, product(j->p.cells) * taps, source, taps, j->p.c, j->filters, sizeof(real));
}

static direct_job KR_FN(conv_directly)(const kr_call *call, const conv_job *j) {
  const kr_array *y = &call->out[0];
  const int64_t *cells = j->p.cells, f = j->filters;
  return (direct_job){.j = *j,
                      .images = y->shape[0],
                      .groups = f / j->group_filters,
                      .columns = j->group_filters,
                      .y = y->data,
                      .y_image = product(cells) * f,
                      .y_step = {cells[1] * cells[2] * f, cells[2] * f, f},
                      .bias = call->n_in > 2 ? call->in[2].data : NULL,
                      .biased = call->n_in > 2,
                      .relu = call->n_i > 9 && call->i[9] == ACTIVATION_RELU};
}

static conv_choice KR_FN(choose)(const kr_call *c, conv_job *j, KR_FN(gemm_args) * g, overlap *o) {
  *g = KR_FN(conv_product)(c, j);
  if (wino_pays(j, j->filters, V_LANES)) return CONV_TILES;
  if (KR_FN(conv_overlaps)(c, g, j, o)) return CONV_OVERLAP;
  return runs_directly(j) ? CONV_DIRECT : CONV_PRODUCT;
}

static size_t KR_FN(conv_scratch)(const kr_call *c) {
  conv_job j;
  overlap o;
  KR_FN(gemm_args) g;
  if (kr_size(&c->out[0]) == 0) return 0;
  const conv_choice choice = KR_FN(choose)(c, &j, &g, &o);
  direct_job d = KR_FN(conv_directly)(c, &j);
  wino_job t;
  switch (choice) {
    case CONV_TILES: return KR_FN(wino_plan)(&t, &d, c->threads, NULL);
    case CONV_OVERLAP: return KR_FN(overlap_scratch)(&o);
    case CONV_DIRECT: return KR_FN(direct_plan)(&d, c->threads, NULL);
    default: return KR_FN(scratch_of)(&g, c->threads);
  }
}

static size_t KR_FN(conv_packing)(const kr_call *c, int64_t form[KR_FORM]) {
  conv_job j;
  overlap o;
  KR_FN(gemm_args) g;
  size_t bytes;
  memset(form, 0, KR_FORM * sizeof *form);
  if (kr_size(&c->out[0]) == 0) return 0;
  form[0] = KR_FN(choose)(c, &j, &g, &o);
  form[1] = g.batch;
  switch (form[0]) {
    case CONV_TILES: bytes = (size_t)KR_FN(wino_packed)(j.p.c, j.filters); break;
    case CONV_OVERLAP: bytes = KR_FN(overlap_packing)(&o, &form[2]); break;
    case CONV_DIRECT: bytes = (size_t)(g.batch * KR_FN(direct_packed)(g.k, g.n)); break;
    default: bytes = KR_FN(gemm_packing)(g.batch, g.m, g.n, g.k, &form[2]);
  }
  return bytes ? KR_PACKED_AT + bytes : 0;
}

static kr_status KR_FN(conv_pack)(const kr_call *c) {
  const kr_array *k = &c->in[0];
  const int64_t taps = kr_span(k, 0, k->ndim - 2), channels = k->shape[k->ndim - 2], f = k->shape[k->ndim - 1];
  const int64_t groups = c->i[1];
  real *to = kr_pack_to(c);
  conv_job j = {.p = {.c = groups * channels, .group_c = channels},
                .kernel = k->data,
                .filters = f,
                .group_filters = f / groups,
                .kernel_c = channels,
                .tap_step = {-1, -1, -1}};
  for (int d = 0; d < 3; ++d) j.size[d] = d + k->ndim >= 5 ? k->shape[d + k->ndim - 5] : 1;
  if (c->i[0] == CONV_TILES) {
    wino_job w = {.j = j, .columns = f, .u = to};
    KR_FN(wino_pack)(&w, c->threads);
  } else if (c->i[0] == CONV_DIRECT) {
    direct_job d = {.j = j,
                    .groups = groups,
                    .columns = j.group_filters,
                    .k = taps * channels,
                    .panels = kr_ceil_div(j.group_filters, DIRECT_WIDTH),
                    .packed = to};
    KR_FN(direct_pack)(&d, c->threads);
  } else {
    const overlap o = {.kernel = k->data, .k = channels, .filters = f};
    const int overlaps = c->i[0] == CONV_OVERLAP;
    const KR_FN(gemm_args) g = {.n = overlaps ? taps * f : f,
                                .k = overlaps ? channels : taps * channels,
                                .pack_b = overlaps ? KR_FN(columns_of_filters) : KR_FN(rows_of_filters),
                                .ctx = overlaps ? (const void *)&o : &j};
    KR_FN(gemm_pack)(&g, c->i[2], c->threads, to);
  }
  return KR_OK;
}

static kr_status KR_FN(conv)(const kr_call *c) {
  conv_job j;
  overlap o;
  KR_FN(gemm_args) g;
  int64_t form[KR_FORM];
  if (kr_size(&c->out[0]) == 0) return KR_OK;
  const conv_choice choice = KR_FN(choose)(c, &j, &g, &o);
  const void *ready = c->packed && KR_FN(conv_packing)(c, form) ? kr_packed(c, form) : NULL;
  direct_job d = KR_FN(conv_directly)(c, &j);
  const overlap_cells cells = all_cells(&j);
  d.ready = o.packed = g.packed = ready;
  switch (choice) {
    case CONV_TILES: KR_FN(wino)(&d, c->threads, c->scratch); break;
    case CONV_OVERLAP:
      for (int64_t image = 0; image < o.images; image += o.chunk)
        KR_FN(overlap_add)(&o, &cells, image, KR_FN(overlap_multiply)(&o, image, 0));
      break;
    case CONV_DIRECT: KR_FN(direct)(&d, c->threads, c->scratch); break;
    default: KR_FN(gemm)(&g, c->threads, c->scratch);
  }
  return KR_OK;
}

/* ---- gradient to the kernel ------------------------------------------------------------------------------------- */

static void KR_FN(columns_of_patches)(const void *ctx, int64_t group, int64_t row, int64_t rows, int64_t k0, int64_t kc,
                                      real *dst) {
  KR_FN(pack_columns)(&((const conv_job *)ctx)->p, group, row, rows, rows, k0, kc, dst);
}

/* The same where every cell of x is a patch. */
static void KR_FN(columns_of_cells)(const void *ctx, int64_t group, int64_t row, int64_t rows, int64_t k0, int64_t kc,
                                    real *dst) {
  const patches *p = &((const conv_job *)ctx)->p;
  KR_FN(pack_copy)((const real *)p->src + k0 * p->c + group * p->group_c + row, p->c, rows, rows, kc, dst);
}

/* The same two matrices the other way round, for few filters: a panel of columns of g, one of columns of patches. */
static void KR_FN(columns_of_g)(const void *ctx, KR_UNUSED int64_t group, int64_t row, int64_t rows, int64_t k0,
                                int64_t kc, real *dst) {
  const conv_job *j = ctx;
  KR_FN(pack_copy)((const real *)j->kernel + k0 * j->filters + row, j->filters, rows, rows, kc, dst);
}

static void KR_FN(patches_as_columns)(const void *ctx, int64_t group, int64_t k0, int64_t kc, int64_t col, int64_t cols,
                                      int64_t width, real *dst) {
  KR_FN(pack_columns)(&((const conv_job *)ctx)->p, group, col, cols, width, k0, kc, dst);
}

static conv_job KR_FN(grad_kernel_job)(const kr_call *call) {
  const kr_array *x = &call->in[0], *g = &call->in[1], *dk = &call->out[0];
  const window w = conv_window(call->i, x, dk, g);
  return forward_job(&w, x, dk, g->data);
}

/* The packed product; that of few filters goes to scratch, transposed. */
static KR_FN(gemm_args) KR_FN(grad_kernel_product)(const kr_call *call, const conv_job *j) {
  const int64_t groups = group_count(&call->in[0], &call->out[0]), rows = product(j->size) * j->p.group_c;
  KR_FN(gemm_args)
  g = {.batch = groups, .k = call->in[0].shape[0] * product(j->p.cells), .ctx = j, .c_batch = j->group_filters};
  if (few_filters(j, groups)) {
    g.m = j->filters;
    g.n = g.ldc = rows;
    g.pack_a = KR_FN(columns_of_g);
    g.pack_b = KR_FN(patches_as_columns);
    g.c = call->scratch;
  } else {
    g.m = rows;
    g.n = j->group_filters;
    g.ldc = j->filters;
    g.pack_a = each_cell(&j->p) ? KR_FN(columns_of_cells) : KR_FN(columns_of_patches);
    g.pack_b = KR_FN(rows_of_filters);
    g.c = call->out[0].data;
  }
  return g;
}

static outer_job KR_FN(grad_kernel_directly)(const kr_call *call, const conv_job *j) {
  return (outer_job){.j = *j,
                     .images = call->in[0].shape[0],
                     .groups = group_count(&call->in[0], &call->out[0]),
                     .dk = call->out[0].data};
}

static wino_kernel_job KR_FN(grad_kernel_by_tiles)(const kr_call *call, const conv_job *j) {
  return (wino_kernel_job){.j = *j, .images = call->in[0].shape[0], .dk = call->out[0].data};
}

/* Where every cell of x is a patch, this is a product of two matrices as they lie. */
static int KR_FN(grad_kernel_by_columns)(const kr_call *call, const conv_job *j) {
  return each_cell(&j->p) && group_count(&call->in[0], &call->out[0]) == 1 &&
         KR_FN(gemm_columns_pay)(j->p.c, j->filters, call->in[0].shape[0] * product(j->p.cells));
}

static size_t KR_FN(conv_grad_kernel_scratch)(const kr_call *c) {
  if (kr_size(&c->in[1]) == 0 || kr_size(&c->out[0]) == 0) return 0;
  const conv_job j = KR_FN(grad_kernel_job)(c);
  if (wino_kernel_pays(&j, c->in[0].shape[0], V_LANES)) {
    wino_kernel_job w = KR_FN(grad_kernel_by_tiles)(c, &j);
    return KR_FN(wino_kernel_plan)(&w, c->threads, NULL);
  }
  const int64_t cells = c->in[0].shape[0] * product(j.p.cells);
  if (KR_FN(grad_kernel_by_columns)(c, &j)) return KR_FN(gemm_columns_scratch)(j.p.c, j.filters, cells, c->threads);
  const int few = few_filters(&j, group_count(&c->in[0], &c->out[0]));
  if (few || !runs_outer(&j)) {
    const KR_FN(gemm_args) g = KR_FN(grad_kernel_product)(c, &j);
    return (few ? (size_t)kr_round_up(g.m * g.n, 16) * sizeof(real) : 0) + KR_FN(scratch_of)(&g, c->threads);
  }
  outer_job o = KR_FN(grad_kernel_directly)(c, &j);
  return KR_FN(outer_plan)(&o, c->threads, NULL);
}

static kr_status KR_FN(conv_grad_kernel)(const kr_call *c) {
  real *dk = c->out[0].data;
  if (kr_size(&c->out[0]) == 0) return KR_OK;
  if (kr_size(&c->in[1]) == 0) {
    memset(dk, 0, (size_t)kr_size(&c->out[0]) * sizeof(real));
    return KR_OK;
  }
  const conv_job j = KR_FN(grad_kernel_job)(c);
  if (wino_kernel_pays(&j, c->in[0].shape[0], V_LANES)) {
    wino_kernel_job w = KR_FN(grad_kernel_by_tiles)(c, &j);
    KR_FN(wino_kernel)(&w, c->threads, c->scratch);
    return KR_OK;
  }
  if (KR_FN(grad_kernel_by_columns)(c, &j)) {
    KR_FN(gemm_columns)
    (j.p.c, j.filters, c->in[0].shape[0] * product(j.p.cells), j.p.src, j.p.c, j.kernel, j.filters, dk, c->threads,
     c->scratch);
    return KR_OK;
  }
  const int few = few_filters(&j, group_count(&c->in[0], &c->out[0]));
  if (!few && runs_outer(&j)) {
    outer_job o = KR_FN(grad_kernel_directly)(c, &j);
    KR_FN(outer)(&o, c->threads, c->scratch);
    return KR_OK;
  }
  const KR_FN(gemm_args) g = KR_FN(grad_kernel_product)(c, &j);
  KR_FN(gemm)(&g, c->threads, (real *)c->scratch + (few ? kr_round_up(g.m * g.n, 16) : 0));
  if (!few) return KR_OK;
  for (int64_t col = 0; col < g.n; ++col)
    for (int64_t f = 0; f < g.m; ++f) *dk++ = g.c[f * g.n + col];
  return KR_OK;
}
