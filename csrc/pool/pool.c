/* Max and average pooling over one to three spatial dimensions, with their gradients.
 *
 * x (n, [[d,] h,] w, c), y (n, [[od,] oh,] ow, c).
 * i[0..3) window sizes, i[3..6) strides, i[6..9) cells of padding before each dimension, each as (depth, height, width)
 * with leading 1, 1, 0 for missing dimensions.  Every window must meet the input.  Padding never takes part: it is not
 * a maximum, and an average counts the cells of the input alone.
 *
 *   max_pool         x -> y, place         the largest cell of each window, NaN when the window has one; and the place of
 *                                          the first such cell in its window: the number of the tap, in memory order
 *   max_pool_grad    place, g -> dx        g (like y) goes to its window's place; a cell sums over its windows
 *   max_pool_pick    place, v -> y         the cell of v (like x) at the place: the transpose of max_pool_grad
 *   avg_pool         x -> y                mean over the window's cells
 *   avg_pool_grad    g -> dx               each cell sums g / cells over the windows that cover it
 *
 * place has the shape of y and holds bytes, or int32 where a window has more than 256 taps; the kernels that take it are
 * registered for the dtype of g and v.
 *
 * No input may overlap the output.  Sums run in the order of output positions, so neither threads nor blocks show.
 */
#include "conv/window.h"

typedef struct {
  window w;
  const void *x, *g;
  void *y, *places;
  int wide; /* places are int32, not bytes */
  int64_t c, grain;
} pool_job;

static window pool_window(const kr_call *c, const kr_array *x, const kr_array *y) {
  window w = {.n = x->shape[0], .dilation = {1, 1, 1}};
  window_sizes(w.in, x);
  window_sizes(w.out, y);
  for (int d = 0; d < 3; ++d) {
    w.size[d] = c->i[d];
    w.stride[d] = c->i[3 + d];
    w.pad[d] = c->i[6 + d];
  }
  return w;
}

/* A box of cells inside the input: offset of its first cell, counts and strides in elements; the place of the first
 * cell in its window, and of the one a depth, a row further. */
typedef struct {
  int64_t at, count[3], step[3], place, place_step[2];
} box;

static box window_box(const window *w, int64_t c, int64_t n, const span at[3]) {
  const int64_t step[3] = {w->in[1] * w->in[2] * c, w->in[2] * c, c};
  box b = {.at = n * w->in[0] * step[0]};
  for (int d = 0; d < 3; ++d) {
    b.at += at[d].from * step[d];
    b.count[d] = at[d].to - at[d].from;
    b.step[d] = step[d];
  }
  return b;
}

static int is_box(const box *b, int64_t side) { return b->count[0] == 1 && b->count[1] == side && b->count[2] == side; }

/* The output positions whose window lies inside the input along a dimension. */
static span whole_windows(const window *w, int d) {
  const int64_t from = kr_min(kr_ceil_div(w->pad[d], w->stride[d]), w->out[d]),
                room = w->in[d] + w->pad[d] - w->size[d];
  return (span){from, room < 0 ? from : kr_max(from, kr_min(room / w->stride[d] + 1, w->out[d]))};
}

enum { GRAD_AVERAGE, GRAD_BYTES, GRAD_WIDE }; /* what a window gives; for maxima how places are stored */
enum { GRAD_ROWS = 4 };                       /* rows of windows that a pass over a row of dx takes */
/* Bytes of the cells of dx that go a vector of channels at a time, and of as many of them as do so together. */
enum { GRAD_NARROW = 128, GRAD_BLOCK = 8192 };

/* Fewer channels than lanes: a whole vector from a cell on takes in some of the cells behind it.  Where a row has these
 * yet to come it may be read and written as whole vectors, as what is written too much is written again: parts of vectors
 * take several times as long.  How many windows of a row, and cells of its input, have so many cells of g, y and x behind
 * them; `lanes` of the vectors. */
static int64_t roomy_windows(const window *w, int64_t c, int64_t lanes) {
  const int64_t cells = kr_ceil_div(lanes, c), last = w->in[2] - cells + w->pad[2] - (w->size[2] - 1);
  return last < 0 ? 0 : kr_max(0, kr_min(w->out[2] - cells, last / w->stride[2]) + 1);
}
static int64_t roomy_cells(const window *w, int64_t c, int64_t lanes) {
  const int64_t cells = kr_ceil_div(lanes, c);
  return kr_max(0, kr_min(w->in[2] - cells + 1, (w->out[2] - cells + 1) * w->stride[2] - w->pad[2]));
}

#define KR_REAL 32
#include "base/real.h"
#include "conv/lanes.h"
#include "avg_body.h"
#include "max_body.h"
#include "grad_body.h"
#undef KR_REAL
#define KR_REAL 64
#include "base/real.h"
#include "conv/lanes.h"
#include "avg_body.h"
#include "max_body.h"
#include "grad_body.h"

#define POOL_ENTRIES(DTYPE, SUFFIX)                                                                         \
  {"max_pool", DTYPE, max_pool_##SUFFIX, NULL}, {"max_pool_grad", DTYPE, max_pool_grad_##SUFFIX, NULL},     \
      {"max_pool_pick", DTYPE, max_pool_pick_##SUFFIX, NULL}, {"avg_pool", DTYPE, avg_pool_##SUFFIX, NULL}, \
      {"avg_pool_grad", DTYPE, avg_pool_grad_##SUFFIX, NULL},

KR_TABLE(pool) = {POOL_ENTRIES(KR_F32, f32) POOL_ENTRIES(KR_F64, f64) KR_TABLE_END};
