/* Softmax, its logarithm, log-sum-exp, and the gradients of the first two, along neighbouring dimensions of an array.
 *
 *   softmax             in x                out y = exp(x - max) / sum exp(x - max)
 *   log_softmax         in x                out y = x - max - log(sum exp(x - max))
 *   logsumexp           in x                out (outer, inner) max + log(sum exp(x - max))
 *   softmax_grad        in y, g             out dx = y (g - sum g y)
 *   log_softmax_grad    in y, g             out dx = g - exp(y) sum g
 *   i[0]    first dimension that is normalised       i[1]    one past the last
 *
 * The output may be in[0] or in[1], but for logsumexp.  Where every element is -inf, softmax and log_softmax are NaN (as
 * in Keras) and logsumexp is -inf.  Each line is computed alone and in a fixed order.  The relative error of a softmax is
 * that of exp (1 ulp), of its rounded argument (|x - max| / 2 ulp) and of a sum of positive terms (40 + n / (32 lanes)
 * roundings at worst). */
#include "elementwise/vmath.h"
#include "gemm/core.h"
#include "reduce/op.h"

#define WORK 4096 /* elements of one task: 4 to 10 microseconds */
#define TILE 128  /* columns that are done side by side; their maxima and sums live on the stack */

#define KR_REAL 32
#include "base/real.h"
#include "softmax_body.h"
#undef KR_REAL
#define KR_REAL 64
#include "base/real.h"
#include "softmax_body.h"
#undef KR_REAL

KR_TABLE(softmax) = {{"softmax", KR_F32, softmax_f32_kernel, NULL},
                     {"softmax", KR_F64, softmax_f64_kernel, NULL},
                     {"log_softmax", KR_F32, log_softmax_f32_kernel, NULL},
                     {"log_softmax", KR_F64, log_softmax_f64_kernel, NULL},
                     {"logsumexp", KR_F32, logsumexp_f32_kernel, NULL},
                     {"logsumexp", KR_F64, logsumexp_f64_kernel, NULL},
                     {"softmax_grad", KR_F32, softmax_grad_f32_kernel, NULL},
                     {"softmax_grad", KR_F64, softmax_grad_f64_kernel, NULL},
                     {"log_softmax_grad", KR_F32, log_softmax_grad_f32_kernel, NULL},
                     {"log_softmax_grad", KR_F64, log_softmax_grad_f64_kernel, NULL},
                     KR_TABLE_END};
