/* Cross-entropies and their gradients, fused.
 *
 * Of rows of n classes, the last dimension of in[0]:
 *   softmax_cross_entropy                in x, t (as x)          out (rows)  sum_j t_j (logsumexp(x) - x_j)
 *   softmax_cross_entropy_grad           in x, t, g (rows)       out dx = g (softmax(x) sum t - t)
 *   sparse_softmax_cross_entropy         in x, label (rows)      out (rows)  logsumexp(x) - x_label
 *   sparse_softmax_cross_entropy_grad    in x, label, g          out dx = g (softmax(x) - onehot(label))
 *   cross_entropy                        in p, t                 out (rows)  -sum_j t_j log(clip(p_j / sum p))
 *   cross_entropy_grad                   in p, t, g              out dp
 *   sparse_cross_entropy                 in p, label             out (rows)  -log(clip(p_label / sum p))
 *   sparse_cross_entropy_grad            in p, label, g          out dp
 * Element by element:
 *   sigmoid_cross_entropy                in x, t                 out log(1 + exp(x)) - t x, without cancellation
 *   sigmoid_cross_entropy_grad           in x, t, g              out dx = g (sigmoid(x) - t)
 *   binary_cross_entropy                 in p, t                 out -(t log clip(p) + (1 - t) log(1 - clip(p)))
 *   binary_cross_entropy_grad            in p, t, g              out dp = g (p - t) / (p (1 - p)), 0 where p is clipped
 * f[0], for the kernels that take probabilities: eps; clip bounds by [eps, 1 - eps].  Its gradient is 1 at the bounds.
 *
 * Labels are int32 or int64; one outside [0, n) gives KR_EINDEX for input 1 before anything is written.  No output may
 * overlap an input.  Rows are computed alone and in a fixed order. */
#include "elementwise/vmath.h"
#include "gemm/core.h"
#include "reduce/op.h"

#define WORK 4096 /* elements of one task: 4 to 10 microseconds */
#define TILE 128  /* rows of a few elements that are done side by side */

#define KR_REAL 32
#include "base/real.h"
#include "crossentropy_body.h"
#undef KR_REAL
#define KR_REAL 64
#include "base/real.h"
#include "crossentropy_body.h"
#undef KR_REAL

KR_TABLE(crossentropy) = {
    {"softmax_cross_entropy", KR_F32, softmax_cross_entropy_f32_kernel, NULL},
    {"softmax_cross_entropy", KR_F64, softmax_cross_entropy_f64_kernel, NULL},
    {"softmax_cross_entropy_grad", KR_F32, softmax_cross_entropy_grad_f32_kernel, NULL},
    {"softmax_cross_entropy_grad", KR_F64, softmax_cross_entropy_grad_f64_kernel, NULL},
    {"sparse_softmax_cross_entropy", KR_F32, sparse_softmax_cross_entropy_f32_kernel, NULL},
    {"sparse_softmax_cross_entropy", KR_F64, sparse_softmax_cross_entropy_f64_kernel, NULL},
    {"sparse_softmax_cross_entropy_grad", KR_F32, sparse_softmax_cross_entropy_grad_f32_kernel, NULL},
    {"sparse_softmax_cross_entropy_grad", KR_F64, sparse_softmax_cross_entropy_grad_f64_kernel, NULL},
    {"cross_entropy", KR_F32, cross_entropy_f32_kernel, NULL},
    {"cross_entropy", KR_F64, cross_entropy_f64_kernel, NULL},
    {"cross_entropy_grad", KR_F32, cross_entropy_grad_f32_kernel, NULL},
    {"cross_entropy_grad", KR_F64, cross_entropy_grad_f64_kernel, NULL},
    {"sparse_cross_entropy", KR_F32, sparse_cross_entropy_f32_kernel, NULL},
    {"sparse_cross_entropy", KR_F64, sparse_cross_entropy_f64_kernel, NULL},
    {"sparse_cross_entropy_grad", KR_F32, sparse_cross_entropy_grad_f32_kernel, NULL},
    {"sparse_cross_entropy_grad", KR_F64, sparse_cross_entropy_grad_f64_kernel, NULL},
    {"sigmoid_cross_entropy", KR_F32, sigmoid_cross_entropy_f32_kernel, NULL},
    {"sigmoid_cross_entropy", KR_F64, sigmoid_cross_entropy_f64_kernel, NULL},
    {"sigmoid_cross_entropy_grad", KR_F32, sigmoid_cross_entropy_grad_f32_kernel, NULL},
    {"sigmoid_cross_entropy_grad", KR_F64, sigmoid_cross_entropy_grad_f64_kernel, NULL},
    {"binary_cross_entropy", KR_F32, binary_cross_entropy_f32_kernel, NULL},
    {"binary_cross_entropy", KR_F64, binary_cross_entropy_f64_kernel, NULL},
    {"binary_cross_entropy_grad", KR_F32, binary_cross_entropy_grad_f32_kernel, NULL},
    {"binary_cross_entropy_grad", KR_F64, binary_cross_entropy_grad_f64_kernel, NULL},
    KR_TABLE_END};
