/* Weighted sums of neighbouring rows along an axis: resizing images, and its gradient. */
#include "base/kernel.h"

/* A task makes at least this many output elements; below, waking a thread costs more. */
#define RESAMPLE_GRAIN 16384

typedef struct {
  const kr_call *call;
  int64_t n, length, inner, taps, rows, group;
} resample_job;

#define KR_REAL 32
#include "base/real.h"
#include "resample_body.h"
#undef KR_REAL
#define KR_REAL 64
#include "base/real.h"
#include "resample_body.h"
#undef KR_REAL

static kr_status resample(const kr_call *c, kr_task_fn task) {
  const kr_array *x = &c->in[0], *y = &c->out[0];
  if (c->n_i < 2) return KR_EINTERNAL;
  const int axis = (int)c->i[0];
  resample_job job = {.call = c,
                      .n = x->shape[axis],
                      .length = y->shape[axis],
                      .inner = kr_span(x, axis + 1, x->ndim),
                      .taps = c->i[1],
                      .rows = kr_span(y, 0, axis + 1)};
  if (c->n_i != 2 + job.length || c->n_f != job.length * job.taps) return KR_EINTERNAL;
  for (int64_t j = 0; j < job.length; ++j)
    if (c->i[2 + j] < 0 || c->i[2 + j] + job.taps > job.n) return KR_EINTERNAL;
  if (job.rows * job.inner == 0) return KR_OK;
  job.group = kr_ceil_div(RESAMPLE_GRAIN, job.inner);
  kr_parallel(c->threads, kr_ceil_div(job.rows, job.group), task, &job);
  return KR_OK;
}

/* resample: y[a, j, b] = sum_t w[j, t] x[a, start[j] + t, b], in the order of t.
 * in: x.  out: y, as x but along axis.  i: axis, taps, start[length].  f: w[length * taps], rounded to the dtype. */
static kr_status resample_f32(const kr_call *c) { return resample(c, resample_task_f32); }
static kr_status resample_f64(const kr_call *c) { return resample(c, resample_task_f64); }

KR_TABLE(resample) = {
    {"resample", KR_F32, resample_f32, NULL},
    {"resample", KR_F64, resample_f64, NULL},
    KR_TABLE_END,
};
