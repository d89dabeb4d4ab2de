/* One task of a resampling: some rows of the output. */
static void KR_FN(resample_task)(void *arg, int64_t task, int worker) {
  (void)worker;
  const resample_job *job = arg;
  const kr_call *c = job->call;
  const int64_t inner = job->inner, taps = job->taps, last = kr_min(job->rows, (task + 1) * job->group);
  for (int64_t r = task * job->group; r < last; ++r) {
    const int64_t a = r / job->length, j = r % job->length;
    const real *x = (const real *)c->in[0].data + (a * job->n + c->i[2 + j]) * inner;
    real *y = (real *)c->out[0].data + r * inner;
    const double *w = c->f + j * taps;
    for (int64_t b = 0; b < inner; b += V_LANES) {
      const int64_t lanes = kr_min(V_LANES, inner - b);
      vreal sum = v_zero();
      for (int64_t t = 0; t < taps; ++t) sum = v_fma(v_set1((real)w[t]), v_load_n(x + t * inner + b, lanes), sum);
      v_store_n(y + b, sum, lanes);
    }
  }
}
