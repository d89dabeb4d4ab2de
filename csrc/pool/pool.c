/* Max and average pooling over one to three spatial dimensions, with their gradients.
 *
 * x (n, [[d,] h,] w, c), y (n, [[od,] oh,] ow, c).
 * i[0..3) window sizes, i[3..6) strides, i[6..9) cells of padding before each dimension, each as (depth, height, width)
 * with leading 1, 1, 0 for missing dimensions.  Every window must meet the input.  Padding never takes part: it is not
 * a maximum, and an average counts the cells of the input alone.
 *
 *   max_pool         x -> y       the largest cell of each window; NaN when the window has one
 *   max_pool_grad    x, g -> dx   g (like y) goes to the first largest cell of its window; NaN counts as larger than
 * all max_pool_pick    x, v -> y    the cell of v (like x) at the place of that maximum: the transpose of max_pool_grad
 *   avg_pool         x -> y       mean over the window's cells
 *   avg_pool_grad    g -> dx      each cell sums g / cells over the windows that cover it
 *
 * No input may overlap the output.  Sums run in the order of output positions, so neither threads nor blocks show.
 */
#include "conv/window.h"

enum { MAX, AVG, PICK };

typedef struct {
  window w;
  const void *x, *g; /* g: the second input, or the only one of avg_pool_grad */
  void *y;
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

/* A box of cells inside the input: offset of its first cell, counts and strides in elements. */
typedef struct {
  int64_t at, count[3], step[3];
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

/* The slowest dimension that is longer than 1: a stretch of it is contiguous in memory. */
static int outer_dim(const int64_t in[3]) { return in[0] > 1 ? 0 : in[1] > 1 ? 1 : 2; }

#define KR_REAL 32
#include "base/real.h"
#include "conv/lanes.h"
#include "pool_body.h"
#undef KR_REAL
#define KR_REAL 64
#include "base/real.h"
#include "conv/lanes.h"
#include "pool_body.h"

#define POOL_ENTRIES(DTYPE, SUFFIX)                                                                         \
  {"max_pool", DTYPE, max_pool_##SUFFIX, NULL}, {"max_pool_grad", DTYPE, max_pool_grad_##SUFFIX, NULL},     \
      {"max_pool_pick", DTYPE, max_pool_pick_##SUFFIX, NULL}, {"avg_pool", DTYPE, avg_pool_##SUFFIX, NULL}, \
      {"avg_pool_grad", DTYPE, avg_pool_grad_##SUFFIX, NULL},

KR_TABLE(pool) = {POOL_ENTRIES(KR_F32, f32) POOL_ENTRIES(KR_F64, f64) KR_TABLE_END};
