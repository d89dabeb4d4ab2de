/* Measures the arithmetic limit of the machine, for profiles: fused multiply-adds on registers that wait for nothing.
 *
 * fma_peak: no inputs.  out: two floats, a sum (so that nothing is optimized away) and the floating-point operations of
 *   one round on all threads.  i[0]: rounds.
 */
#include "base/kernel.h"

#define KR_REAL 32
#include "base/real.h"

enum { CHAINS = 10 }; /* more than latency times units need on the CPUs of today, and few enough for 16 registers */

typedef struct {
  int64_t rounds;
  float sum[KR_MAX_THREADS];
} probe;

static void probe_task(void *arg, int64_t task, KR_UNUSED int worker) {
  probe *p = arg;
  vreal x[CHAINS];
  const vreal a = v_set1(0.999f), b = v_set1(0.001f);
  for (int k = 0; k < CHAINS; ++k) x[k] = v_set1((float)k);
  for (int64_t n = 0; n < p->rounds; ++n)
    for (int k = 0; k < CHAINS; ++k) x[k] = v_fma(x[k], a, b);
  for (int k = 1; k < CHAINS; ++k) x[0] = v_add(x[0], x[k]);
  float lanes[V_LANES];
  v_store(lanes, x[0]);
  p->sum[task] = lanes[0];
}

static kr_status fma_peak(const kr_call *c) {
  probe p = {.rounds = c->i[0]};
  float *out = c->out[0].data;
  kr_parallel(c->threads, c->threads, probe_task, &p);
  out[0] = 0;
  for (int k = 0; k < c->threads; ++k) out[0] += p.sum[k];
  out[1] = 2.0f * V_LANES * CHAINS * (float)c->threads;
  return KR_OK;
}

KR_TABLE(probe) = {{"fma_peak", KR_F32, fma_peak, NULL}, KR_TABLE_END};
