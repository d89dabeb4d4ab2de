/* Recurrent layers over whole sequences, and their gradients through time.
 *
 * The projection x of the inputs (a product over all steps at once, bias included) comes ready; these kernels add the
 * product of the state with the recurrent kernel, step after step, and apply the gates.  S is the sigmoid.
 *
 *   simple_rnn       in x, u, h0[, mask]              out y, reserve              h = act(x + h' u)
 *   lstm             in x, u, h0, c0[, mask]          out y, c, gates, reserve    c = f c' + i g, h = o tanh(c) with
 *                    i, f, o = S(x + h' u), g = tanh(x + h' u); the columns of x and u are i, f, g, o
 *   gru              in x, u, bias, h0[, mask]        out y, gates, reserve       h = z h' + (1 - z) n with z, r = S(x + q)
 *                    the columns of x, u and bias are z, r, n; q = h' u + bias in those of z and r, and
 *                    n = tanh(x + r (h' u + bias)) with reset_after, n = tanh(x + (r h') u + bias) without
 *   simple_rnn_grad  in x, u, h0, y, reserve, g[, mask]                      out dx, du, dh0
 *   lstm_grad        in x, u, h0, c0, y, gates, reserve, g, gc[, mask]       out dx, du, dh0, dc0
 *   gru_grad         in x, u, bias, h0, y, gates, reserve, g[, mask]         out dx, du, dbias, dh0
 *
 *   simple_rnn_pack, lstm_pack, gru_pack      in u                            out bytes: u packed once for many calls
 *
 *   x (batch, time, gates units), u (units, gates units), bias (gates units), h0 and c0 (batch, units)
 *   mask     (batch, time) bool; where it is false the state stays as it is
 *   y        sequences: (batch, time, units), the state after each step, in the order of the steps; else (batch,
 *            units), the last one.  c: the last cell state.  g and gc: gradients to y and c
 *   gates    the gates in the order of x's columns and times, and reserve what else the gradient needs of the steps: as
 *            integers of real's width, so that nobody takes them for values.  gates may lie where x lies, and dx where
 *            gates lie: most of what a step touches would else be fetched from memory twice.  Gradients take of x its
 *            shape alone
 *   i[0]     sequences      i[1]    reverse: steps go from the last time to the first
 *   i[2]     gru: reset_after; simple_rnn: act, 0 for tanh, 1 for relu, 2 for none
 *
 * (S. Hochreiter, J. Schmidhuber, Long short-term memory, 1997; K. Cho et al., Learning phrase representations using
 * RNN encoder-decoder, 2014; reset_after: the variant of cuDNN.)
 *
 * A task is a block of samples, which it takes through all steps alone: no barrier stands between steps, and the
 * recurrent kernel, packed once for all, passes through the caches of each worker.  Each element is one chain of
 * multiply-adds over the state, so bits depend neither on the block nor on threads.  du is one long product over all
 * steps and samples at the end. */
#include "base/bytes.h"
#include "base/kernel.h"
#include "elementwise/vmath.h"
#include "gemm/core.h"
#include "reduce/op.h"

/* A tile of accumulators: MR samples by NV vectors, with one value of each sample and one vector of the recurrent
 * kernel in registers beside it. */
enum { NV = 4 };
#if defined(KR_FOR_AVX512) || defined(KR_FOR_NEON)
enum { MR = 6 };
#define EACH_ROWS(X) X(1) X(2) X(3) X(4) X(5) X(6)
#else
enum { MR = 3 };
#define EACH_ROWS(X) X(1) X(2) X(3)
#endif
enum {
  KC = 128,  /* rows of a panel of the recurrent kernel that pass through L1 at a time */
  BLOCK = 8, /* samples of a task, */
  WIDE = 32  /* or some times as many where the recurrent kernel takes half of L2 or more, to read it less often */
};

typedef struct {
  int64_t batch, time, units, gates;
  int64_t block, blocks; /* samples of a task; tasks */
  int sequences, reverse, reset_after, activation;
  const unsigned char *mask; /* NULL: no step is skipped */
} sequence;

static sequence sequence_of(const kr_call *c, int mask) {
  const kr_array *x = &c->in[0];
  sequence s = {.batch = x->shape[0], .time = x->shape[1], .units = c->in[1].shape[0]};
  s.gates = s.units ? c->in[1].shape[1] / s.units : 1;
  const int64_t bytes = s.units * s.units * s.gates * kr_itemsize(c->in[1].dtype);
  s.block = BLOCK;
  if (bytes * 2 >= kr_cpu_caches()->l2)
    s.block = kr_max(BLOCK, kr_min(WIDE, kr_round_up(kr_ceil_div(s.batch, c->threads), BLOCK)));
  s.block = kr_min(kr_max(1, s.batch), s.block);
  s.blocks = kr_ceil_div(s.batch, s.block);
  s.sequences = c->i[0] != 0;
  s.reverse = c->i[1] != 0;
  s.reset_after = c->i[2] != 0;
  s.activation = (int)c->i[2];
  s.mask = c->n_in > mask ? c->in[mask].data : NULL;
  return s;
}

enum { TANH, RELU, LINEAR };

/* The position in time of a step. */
KR_INLINE int64_t time_of(const sequence *s, int64_t step) { return s->reverse ? s->time - 1 - step : step; }

KR_INLINE int skipped(const sequence *s, int64_t sample, int64_t t) {
  return s->mask && !s->mask[sample * s->time + t];
}

#define KR_REAL 32
#include "base/real.h"
#include "gemm/pack.h"
#include "reduce/fold_body.h"
#include "panel_body.h"
#include "sequence_body.h"
#include "simple_rnn_body.h"
#include "lstm_body.h"
#include "gru_body.h"
#undef KR_REAL
#define KR_REAL 64
#include "base/real.h"
#include "gemm/pack.h"
#include "reduce/fold_body.h"
#include "panel_body.h"
#include "sequence_body.h"
#include "simple_rnn_body.h"
#include "lstm_body.h"
#include "gru_body.h"

#define BOTH(name)                                                                                          \
  {#name, KR_F32, name##_f32, name##_scratch_f32, name##_packing_f32},                                      \
      {#name, KR_F64, name##_f64, name##_scratch_f64, name##_packing_f64},                                  \
      {#name "_pack", KR_F32, recurrent_pack_f32, NULL}, {#name "_pack", KR_F64, recurrent_pack_f64, NULL}, \
      {#name "_grad", KR_F32, name##_grad_f32, name##_grad_scratch_f32}, {                                  \
    #name "_grad", KR_F64, name##_grad_f64, name##_grad_scratch_f64                                         \
  }
KR_TABLE(rnn) = {BOTH(simple_rnn), BOTH(lstm), BOTH(gru), KR_TABLE_END};
