/* The geometry that pooling and convolution share: a window that slides over up to three spatial dimensions.
 *
 * Arrays are (n, [[d,] h,] w, c); one and two spatial dimensions are three with leading dimensions of size 1.  Output
 * position o and tap k of a dimension meet the input position  o * stride - pad + k * dilation, which lies in the
 * padding when it is outside [0, in).  `pad` counts the cells before the input; those behind it follow from `out`.
 */
#ifndef KR_CONV_WINDOW_H
#define KR_CONV_WINDOW_H
#include "base/kernel.h"

typedef struct {
  int64_t n;
  int64_t in[3], out[3];
  int64_t size[3], stride[3], dilation[3], pad[3];
} window;

typedef struct {
  int64_t from, to; /* half open */
} span;

/* Sizes of the spatial dimensions of (n, ..., c), leading ones filled with 1. */
KR_INLINE void window_sizes(int64_t out[3], const kr_array *a) {
  const int rank = a->ndim - 2;
  for (int d = 0; d < 3; ++d) out[d] = d < 3 - rank ? 1 : a->shape[1 + d - (3 - rank)];
}

/* Window sizes of a convolution kernel (*sizes, cin, cout), leading ones filled with 1. */
KR_INLINE void kernel_sizes(int64_t out[3], const kr_array *k) {
  const int rank = k->ndim - 2;
  for (int d = 0; d < 3; ++d) out[d] = d < 3 - rank ? 1 : k->shape[d - (3 - rank)];
}

/* Geometry of a convolution of x with kernel k that gives y.  i[0..3) strides, i[3..6) dilation, i[6..9) cells of
 * padding before each dimension, each as (depth, height, width) with leading 1, 1, 0 for missing dimensions. */
KR_INLINE window conv_window(const int64_t *i, const kr_array *x, const kr_array *k, const kr_array *y) {
  window w = {.n = x->shape[0]};
  window_sizes(w.in, x);
  window_sizes(w.out, y);
  kernel_sizes(w.size, k);
  for (int d = 0; d < 3; ++d) {
    w.stride[d] = i[d];
    w.dilation[d] = i[3 + d];
    w.pad[d] = i[6 + d];
  }
  return w;
}

/* Which image, depth and height row number `row` of an array of these sizes is. */
typedef struct {
  int64_t n, d, h;
} row_place;

KR_INLINE row_place window_row(const int64_t sizes[3], int64_t row) {
  return (row_place){row / (sizes[0] * sizes[1]), row / sizes[1] % sizes[0], row % sizes[1]};
}

/* The taps that meet the input at output position o. */
KR_INLINE span window_taps(const window *w, int d, int64_t o) {
  const int64_t first = o * w->stride[d] - w->pad[d], step = w->dilation[d], left = w->in[d] - first;
  return (span){first >= 0 ? 0 : kr_min(kr_ceil_div(-first, step), w->size[d]),
                left <= 0 ? 0 : kr_min(kr_ceil_div(left, step), w->size[d])};
}

/* The input cells that the window at output position o covers; needs dilation 1. */
KR_INLINE span window_cells(const window *w, int d, int64_t o) {
  const int64_t first = o * w->stride[d] - w->pad[d];
  return (span){kr_max(first, 0), kr_min(first + w->size[d], w->in[d])};
}

/* The output positions whose window covers a cell in [from, to); needs dilation 1. */
KR_INLINE span window_outputs(const window *w, int d, int64_t from, int64_t to) {
  const int64_t behind = from + w->pad[d] - w->size[d] + 1;
  return (span){behind <= 0 ? 0 : kr_ceil_div(behind, w->stride[d]),
                kr_min((to - 1 + w->pad[d]) / w->stride[d] + 1, w->out[d])};
}

/* The taps of one dimension that cells of one residue meet in the gradient to the input, nearest output first:
 * tap number `tap`, output `out`, then steps of -k_step and +out_step. */
typedef struct {
  int64_t count, tap, k_step, out, out_step;
} residue;

KR_INLINE int64_t gcd(int64_t a, int64_t b) {
  while (b) {
    const int64_t r = a % b;
    a = b;
    b = r;
  }
  return a;
}

KR_INLINE residue window_residue(const window *w, int d, int64_t cell) {
  const int64_t s = w->stride[d], g = gcd(s, w->dilation[d]);
  residue r = {.k_step = s / g, .out_step = w->dilation[d] / g};
  for (int64_t t = 0; t < w->size[d] && t < r.k_step; ++t) {
    const int64_t reach = cell + w->pad[d] - t * w->dilation[d];
    if (reach % s != 0) continue;
    r.count = kr_ceil_div(w->size[d] - t, r.k_step);
    r.tap = t + (r.count - 1) * r.k_step;
    r.out = (cell + w->pad[d] - r.tap * w->dilation[d]) / s;
    break;
  }
  return r;
}

/* Grain of a parallel loop over `rows` equal rows of `work` operations each: rows in a task.  A function of the shape
 * alone, as all splitting must be. */
KR_INLINE int64_t window_grain(int64_t rows, int64_t work) { return kr_max(1, kr_min(rows, 65536 / kr_max(work, 1))); }

#endif
