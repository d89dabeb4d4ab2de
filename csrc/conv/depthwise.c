/* Depthwise convolution in one or two spatial dimensions: each input channel has its own m filters; and its gradients.
 *
 * x (n, [h,] w, c), k ([kh,] kw, c, m), y (n, [oh,] ow, c * m):
 *   y[n, oh, ow, j * m + l] = sum over kh, kw of  x[n, oh*s - p + kh*d, ow*s - p + kw*d, j] * k[kh, kw, j, l]
 * where cells outside x count as 0.  i[] as conv_window (conv/window.h) has it; the sizes come from the arrays.
 *
 *   depthwise_conv              x, k -> y
 *   depthwise_conv_grad_input   g, k -> dx    g like y
 *   depthwise_conv_grad_kernel  x, g -> dk    rows of g are summed one by one, in parts that the shape fixes
 *
 * No input may overlap the output.
 *
 * Every pass works on lines: a row of outputs whose cells meet the taps at a constant step.  The gradient to the input
 * is lines too: the input cells of one residue modulo the stride meet every (stride / gcd(stride, dilation))-th tap.
 * With stride 1, a pass works on whole rows instead where channels would leave lanes empty (depthwise_flat.h), or on two
 * rows at once (depthwise_pairs.h).
 * With m > 1 the rows that are read (or written) are expanded to c * m channels in scratch, so that all arithmetic runs
 * over contiguous channels.
 */
#include "conv/window.h"
#include "conv/partition.h"

/* A line of `count` outputs, y_step elements apart, of q channels.  Output o meets tap t of a tap row at input cell
 * first + o * step + t * tap, tap > 0; what lies outside [0, in) counts as 0.  Element steps k_tap between taps, and
 * x_row, k_row between the `rows` tap rows, may be negative. */
typedef struct {
  int64_t q, count, y_step;
  int64_t taps, first, step, tap, in, k_tap;
  int64_t rows, x_row, k_row;
} line;

/* Parts of the rows of the output, with a sum each, in the gradient to the kernel. */
static int64_t kernel_parts(const window *w) {
  const int64_t rows = w->n * w->out[1];
  return near_power(kr_min(rows, rows * w->out[2] / PARTITION_CELLS));
}

/* On sixteen registers of several lanes, rows of outputs by twos are 1.2 to 3.6 times as fast as lines of single rows, and
 * all taps of stride 2 at once 1.2 times as fast as one by one in the gradient to the kernel.  With AVX-512, where lines
 * keep more in registers, the former was not measured, and the latter took longer (0.95). */
#if defined(KR_FOR_AVX2)
enum { TAKES_PAIRS = 1, AT_ONCE_STRIDE = 2 };
#else
enum { TAKES_PAIRS = 0, AT_ONCE_STRIDE = 1 };
#endif

/* Outputs that a vector of channels walks along, in cells of so many bytes: what the next vector finds in L1 then are the
 * other halves of their lines. */
static int64_t walk_segment(int64_t cell) { return kr_max(4, kr_sets_met(cell)); }

/* How many taps of a row the gradient to the kernel takes at once, or 0 for one by one: of 3x3, three rows of three where
 * they meet the input, 1.15 to 1.5 times as fast, but of stride 2 only along rows that stay in L1 (0.6 to 0.8 on others);
 * of 5x5, a row of five. */
static int taps_at_once(const window *w, int64_t cell) {
  const int64_t size = w->size[2], stride = w->stride[2];
  const int near = stride == 1 || (size == 3 && stride <= AT_ONCE_STRIDE && w->out[2] <= walk_segment(cell));
  return (size == 3 || size == 5) && w->size[1] == size && near ? (int)size : 0;
}

typedef struct {
  window w;
  const void *x, *k;
  void *y, *scratch;
  int64_t c, m, grain;
  int64_t parts, shares; /* gradient to the kernel: parts of the rows, shares of the channels */
} depthwise_job;

/* Passes of stride 1 by whole rows (depthwise_flat.h) or two rows at once (depthwise_pairs.h): y (n, out, q) of
 * x (n, in, q), where output o meets tap t at o - pad + t, in width at o - pad + t * tap; sizes are (height, width).
 * `flipped`: the last tap comes first. */
typedef struct {
  const void *x, *k;
  void *y, *scratch;
  int64_t n, q, in[2], out[2], pad[2], taps[2], tap, grain;
  int flipped;
  /* two rows at once: blocks of rows of an image, shares of the channels, columns of a segment, channels that are copied
   * at a time or 0, and elements of the copies */
  int64_t blocks, shares, segment, copied, area;
} slide_job;

enum { FLAT_ROWS = 8 }; /* rows of outputs in registers */

/* For images of four rows or more and channels that leave lanes empty: with three tap rows, lanes of the only vector or
 * a quarter of all; with five, until the copies of the rows outgrow the first cache. */
static int takes_flat(const window *w, int64_t c, int64_t m, int64_t lanes) {
  const int64_t empty = kr_ceil_div(c, lanes) * lanes - c;
  return m == 1 && w->stride[1] == 1 && w->stride[2] == 1 && w->dilation[1] == 1 && kr_min(w->in[1], w->out[1]) >= 4 &&
         empty > 0 && ((w->size[1] == 3 && (c < lanes || 3 * empty >= c)) || (w->size[1] == 5 && c < 8 * lanes));
}

/* For 3x3 and channels that fill vectors, where images have rows to pair. */
static int takes_pairs(const window *w, int64_t c, int64_t m, int64_t lanes) {
  int fits = TAKES_PAIRS && m == 1 && c % lanes == 0 && kr_min(w->in[1], w->out[1]) >= 2;
  for (int d = 1; d < 3; ++d)
    fits = fits && w->size[d] == 3 && w->stride[d] == 1 && w->dilation[d] == 1 && w->pad[d] >= 0 && w->pad[d] <= 2;
  return fits;
}

enum {
  PAIRS_ROWS = 16,         /* rows of outputs of a block */
  PAIRS_NEAR = 1 << 12,    /* bytes of a row of which four, and two of outputs, stay in L1 from vector to vector */
  PAIRS_SEGMENT = 1 << 11, /* bytes of a row that are walked along otherwise */
  PAIRS_LEAST = 8,         /* columns of a segment at least: each begins with two more */
  PAIRS_COPIED = 256,      /* bytes of a cell that are copied at a time, */
  PAIRS_SETS = 4           /* where cells meet in so many sets of L1 or fewer */
};

/* Cells that lie a multiple of 1 KB apart meet in few of the sets of L1, and loads wait for stores to the same place in a
 * page: they are copied together first, 1.7 to 3.6 times as fast with 256 to 2048 channels. */
static void cut_pairs(slide_job *job, size_t size, int threads) {
  const int64_t row = job->in[1] * job->q * (int64_t)size;
  job->blocks = kr_ceil_div(job->out[0], PAIRS_ROWS);
  const int64_t blocks = job->n * job->blocks;
  job->grain = window_grain(blocks, kr_min(PAIRS_ROWS, job->out[0]) * job->out[1] * job->q * 9);
  job->shares =
      even_shares(kr_ceil_div(blocks, job->grain), kr_ceil_div(job->q * (int64_t)size, PAIRS_COPIED), threads);
  job->copied = kr_sets_met(job->q * (int64_t)size) <= PAIRS_SETS ? PAIRS_COPIED / (int64_t)size : 0;
  job->area = job->copied * (kr_min(job->in[0], PAIRS_ROWS + 4) * job->in[1] + PAIRS_ROWS * job->out[1] + 9);
  job->segment = job->copied || row <= PAIRS_NEAR ? kr_max(job->in[1], job->out[1])
                                                  : kr_max(PAIRS_LEAST, PAIRS_SEGMENT / (job->q * (int64_t)size));
}

/* The first row of a block.  Pairs begin with the first row that has all its tap rows, which cuts keep in step with. */
static int64_t pairs_cut(const slide_job *job, int64_t block) {
  if (block == 0) return 0;
  return block == job->blocks ? job->out[0] : job->pad[0] + block * job->out[0] / job->blocks / 2 * 2;
}

static slide_job slide_forward(const window *w, int64_t c) {
  return (slide_job){.n = w->n,
                     .q = c,
                     .in = {w->in[1], w->in[2]},
                     .out = {w->out[1], w->out[2]},
                     .pad = {w->pad[1], w->pad[2]},
                     .taps = {w->size[1], w->size[2]},
                     .tap = w->dilation[2]};
}

static slide_job slide_grad_input(const window *w, int64_t c) {
  return (slide_job){.n = w->n,
                     .q = c,
                     .in = {w->out[1], w->out[2]},
                     .out = {w->in[1], w->in[2]},
                     .pad = {w->size[1] - 1 - w->pad[1], (w->size[2] - 1) * w->dilation[2] - w->pad[2]},
                     .taps = {w->size[1], w->size[2]},
                     .tap = w->dilation[2],
                     .flipped = 1};
}

#define KR_REAL 32
#include "base/real.h"
#include "conv/lanes.h"
#include "conv/conv_parts.h"
#include "depthwise_flat.h"
#include "depthwise_pairs.h"
#include "depthwise_body.h"
#undef KR_REAL
#define KR_REAL 64
#include "base/real.h"
#include "conv/lanes.h"
#include "conv/conv_parts.h"
#include "depthwise_flat.h"
#include "depthwise_pairs.h"
#include "depthwise_body.h"

#define DEPTHWISE_ENTRIES(DTYPE, SUFFIX)                                                                          \
  {"depthwise_conv", DTYPE, depthwise_conv_##SUFFIX, depthwise_conv_scratch_##SUFFIX},                            \
      {"depthwise_conv_grad_input", DTYPE, depthwise_grad_input_##SUFFIX, depthwise_grad_input_scratch_##SUFFIX}, \
      {"depthwise_conv_grad_kernel", DTYPE, depthwise_grad_kernel_##SUFFIX, depthwise_grad_kernel_scratch_##SUFFIX},

KR_TABLE(depthwise) = {DEPTHWISE_ENTRIES(KR_F32, f32) DEPTHWISE_ENTRIES(KR_F64, f64) KR_TABLE_END};
