/* Activations that other kernels apply to rows of their output while these are in cache.
 *
 *   activation_loop(code)(row, row, n, NULL)      the loop of the elementwise kernel of that name, so with its bits
 *
 * for the codes below, in the order of EPILOGUES in kerasish/ops/epilogue.py; NULL for the first two, which kernels
 * apply in registers.
 */
#ifndef KR_ACTIVATION_H
#define KR_ACTIVATION_H
#include "../base/kernel.h"

typedef enum {
  ACTIVATION_LINEAR,
  ACTIVATION_RELU,
  ACTIVATION_TANH,
  ACTIVATION_SIGMOID,
  ACTIVATION_GELU,
  ACTIVATION_GELU_TANH,
  ACTIVATION_SILU,
  ACTIVATION_RELU6,
  ACTIVATION_SELU,
  ACTIVATION_SOFTPLUS,
  ACTIVATION_SOFTSIGN,
  ACTIVATION_HARD_SIGMOID,
  ACTIVATION_LOG_SIGMOID,
  ACTIVATION_MISH
} activation_code;

typedef void (*activation_fn)(const void *in, void *out, int64_t n, const double *f);

#define activation_loop_f32 KR_PASTE(kr_activation_loop_f32_, KR_ISA_SUFFIX)
#define activation_loop_f64 KR_PASTE(kr_activation_loop_f64_, KR_ISA_SUFFIX)
activation_fn activation_loop_f32(int code);
activation_fn activation_loop_f64(int code);

#endif
