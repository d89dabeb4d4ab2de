/* Convolution over one to three spatial dimensions, with groups, and its gradients, as implicit matrix products.
 *
 * x (n, [[d,] h,] w, c), k ([[kd,] kh,] kw, c / groups, f), y (n, [[od,] oh,] ow, f); with l the group of filter j:
 *   y[n, o, j] = bias[j] + sum over taps t and channels i < c / groups of
 *                x[n, o * stride - pad + t * dilation, l * (c / groups) + i] * k[t, i, j]
 * where cells outside x count as 0.  i[] as conv_window (conv/window.h) has it; the sizes and the number of groups come
 * from the arrays.
 *
 *   conv               x, k[, bias] -> y      i[9], optional: an activation_code, of which it knows relu
 *   conv_grad_input    g, k -> dx             g like y
 *   conv_grad_kernel   x, g -> dk
 *   conv_pack, conv_grad_input_pack   k -> bytes   a kernel of many calls, packed or transformed once (kr_packing_fn)
 *
 * No input may overlap the output.
 *
 * The patches of x are rows of a matrix, one for each output cell, that is never stored: direct tiles read its rows where
 * they lie (conv_direct.h, conv_outer.h), or the callbacks of gemm/core.h pack its panels straight from x.  Layers of
 * 3x3 windows and whole vectors of channels take a quarter of the multiply-adds in tiles (conv_wino.h).  The gradient
 * to the kernel is its transpose times g.  The gradient to the input is a convolution of g, one for each residue of the
 * input cells modulo the stride, since cells of one residue meet the same taps (conv/window.h); with stride 1 there is
 * one, the convolution with the kernel turned round.  Bits are fixed by shape and ISA.
 */
#include "conv/window.h"
#include "gemm/core.h"

/* A matrix of patches: row (image, cell), column (tap, channel of the group); tap t of cell o lies at source position
 * first + o * step + t * tap, and is 0 outside the source. */
typedef struct {
  const void *src;
  int64_t in[3], cells[3], first[3], step[3], tap[3], taps[3];
  int64_t c, group_c; /* channels of the source, and of one group */
} patches;

/* Columns of such a matrix that follow each other in memory are a run: the channels of one tap, or where the taps of a
 * line are neighbours and there is one group, those of a line of taps. */
static int whole_lines(const patches *p) { return p->group_c == p->c && p->tap[2] == 1; }
static int64_t run_length(const patches *p) { return whole_lines(p) ? p->taps[2] * p->c : p->group_c; }

typedef struct {
  int64_t tap[3], at, length; /* the first tap, the first column within the run, how many of its columns */
} run_part;

/* The part of a run that starts at column `k`, `limit` columns at most. */
static run_part part_of_run(const patches *p, int64_t k, int64_t limit) {
  const int64_t run = run_length(p), width = whole_lines(p) ? 1 : p->taps[2], height = p->taps[1];
  if (limit <= 0) return (run_part){.length = 0};
  const int64_t r = k / run, line = r / width, plane = line / height;
  return (run_part){.tap = {plane, line - plane * height, r - line * width},
                    .at = k - r * run,
                    .length = kr_min(run - (k - r * run), limit)};
}

/* The part that follows. */
static void next_part(const patches *p, run_part *part, int64_t limit) {
  int d = whole_lines(p) ? 1 : 2;
  while (d > 0 && ++part->tap[d] == p->taps[d]) part->tap[d--] = 0;
  part->tap[0] += d == 0;
  part->at = 0;
  part->length = kr_min(run_length(p), limit);
}

static int64_t product(const int64_t v[3]) { return v[0] * v[1] * v[2]; }

/* Whether every cell of the source is a patch: a convolution of single taps. */
static int each_cell(const patches *p) {
  int each = 1;
  for (int d = 0; d < 3; ++d) each &= p->taps[d] == 1 && p->first[d] == 0 && p->step[d] == 1 && p->in[d] == p->cells[d];
  return each;
}

/* A cell of an image. */
typedef struct {
  int64_t n, cell[3];
} place;

static place place_of(const int64_t cells[3], int64_t row) {
  const int64_t line = row / cells[2], plane = line / cells[1], n = plane / cells[0];
  return (place){n, {plane - n * cells[0], line - plane * cells[1], row - line * cells[2]}};
}

static void step_place(const int64_t cells[3], place *p) {
  int d = 2;
  while (d >= 0 && ++p->cell[d] == cells[d]) p->cell[d--] = 0;
  p->n += d < 0;
}

/* What the packers of one pass read. */
typedef struct {
  patches p;
  const void *kernel;                       /* or g, for the gradient to the kernel */
  int64_t filters, group_filters, kernel_c; /* of the convolution: k is (*size, kernel_c, filters) */
  int64_t size[3];                          /* of the kernel */
  int64_t last_tap[3], tap_step[3];         /* tap t of the patches is number last - t * step of the kernel */
} conv_job;

static int64_t group_count(const kr_array *x, const kr_array *k) {
  return kr_max(1, x->shape[x->ndim - 1] / kr_max(1, k->shape[k->ndim - 2]));
}

/* Patches of x for every cell of the output; `second` is what they are multiplied with. */
static conv_job forward_job(const window *w, const kr_array *x, const kr_array *k, const void *second) {
  conv_job j = {.kernel = second, .filters = k->shape[k->ndim - 1], .kernel_c = k->shape[k->ndim - 2]};
  j.group_filters = j.filters / group_count(x, k);
  j.p = (patches){.src = x->data, .c = x->shape[x->ndim - 1], .group_c = k->shape[k->ndim - 2]};
  for (int d = 0; d < 3; ++d) {
    j.size[d] = w->size[d];
    j.p.in[d] = w->in[d];
    j.p.cells[d] = w->out[d];
    j.p.first[d] = -w->pad[d];
    j.p.step[d] = w->stride[d];
    j.p.tap[d] = w->dilation[d];
    j.p.taps[d] = w->size[d];
    j.tap_step[d] = -1;
  }
  return j;
}

/* The kernel's number of tap t of the patches. */
static int64_t kernel_tap(const conv_job *j, int64_t t0, int64_t t1, int64_t t2) {
  const int64_t t[3] = {t0, t1, t2};
  int64_t tap = 0;
  for (int d = 0; d < 3; ++d) tap = tap * j->size[d] + j->last_tap[d] - t[d] * j->tap_step[d];
  return tap;
}

static int64_t phase_count(const window *w) {
  int64_t phases = 1;
  for (int d = 0; d < 3; ++d) phases *= kr_min(w->stride[d], w->in[d]);
  return phases;
}

/* Patches of g for the input cells of one residue, cell[] + stride * (0, 1, ...) in each dimension. */
static conv_job phase_job(const window *w, int64_t phase, const kr_array *g, const kr_array *k, const kr_array *dx,
                          int64_t cell[3]) {
  conv_job j = {.kernel = k->data, .filters = k->shape[k->ndim - 1], .kernel_c = k->shape[k->ndim - 2]};
  j.group_filters = j.filters / group_count(dx, k);
  j.p = (patches){.src = g->data, .c = j.filters, .group_c = j.group_filters};
  for (int d = 2; d >= 0; --d) {
    const int64_t phases = kr_min(w->stride[d], w->in[d]);
    cell[d] = phase % phases;
    phase /= phases;
    const residue r = window_residue(w, d, cell[d]);
    j.size[d] = w->size[d];
    j.p.in[d] = w->out[d];
    j.p.cells[d] = kr_ceil_div(w->in[d] - cell[d], w->stride[d]);
    j.p.first[d] = r.out;
    j.p.step[d] = 1;
    j.p.tap[d] = r.out_step;
    j.p.taps[d] = r.count;
    j.last_tap[d] = r.tap;
    j.tap_step[d] = r.k_step;
  }
  return j;
}

/* Overlap and add: where a product of patches would have few columns (a vector's width is computed whatever they are)
 * or many rows of padding, every source cell is multiplied with the whole kernel at once, and each output cell then
 * sums what its taps find there. */
typedef struct {
  const void *src, *kernel, *bias;
  void *out, *scratch;
  int64_t images, cells, k; /* of the source; k: its channels */
  int64_t taps, columns, filters;
  int64_t chunk; /* images whose products are in memory at a time */
  int relu, threads;
  const void *packed; /* the kernel, packed once for many calls; or NULL */
} overlap;

/* The cells that sum the same taps, and where they lie in the output. */
typedef struct {
  conv_job j;
  int64_t size[3], first[3], step[3];
} overlap_cells;

enum {
  OVERLAP_CHUNK = 4 << 20, /* bytes of products at a time: what stays in cache until it is summed */
  OVERLAP_MOST = 64 << 20  /* bytes that one image may need */
};

/* Whether overlap and add does less: both sides count multiply-adds, in sixteens of columns; to store, load and add a
 * product takes about as long as six of them.  `met` are the pairs of an output cell and a tap, for one image. */
static int overlap_pays(int64_t groups, int64_t met, int64_t source, int64_t taps, int64_t k, int64_t columns,
                        size_t size) {
  if (groups > 1 || taps == 1 || (double)source * (double)(taps * columns) * (double)size > OVERLAP_MOST) return 0;
  const double patches = (double)met * (double)(k * kr_round_up(columns, 16));
  const double overlap = (double)source * (double)(k * kr_round_up(taps * columns, 16) + 6 * taps * columns);
  return 1.25 * overlap < patches;
}

#include "partition.h"
#include "direct_plan.h"
#include "outer_plan.h"
#include "wino_plan.h"

static overlap_cells all_cells(const conv_job *j) {
  overlap_cells c = {.j = *j};
  for (int d = 0; d < 3; ++d) {
    c.size[d] = j->p.cells[d];
    c.step[d] = 1;
  }
  return c;
}

/* ---- which algorithm -------------------------------------------------------------------------------------------------
 * Winograd's tiles come first, then overlap and add, where they compute so much less (wino_pays, overlap_pays).
 * Otherwise what it costs to pack decides:
 *
 *   all three            Winograd        3x3, stride 1, whole vectors of channels and filters: 1.9 to 2.9 times as fast as
 *                                        what follows for 16 to 256 channels, at 1.8 times the error (wino_plan.h).
 *                                        Not where an image has fewer than 4 tiles, or so few beside the kernel's
 *                                        elements that its transform would take longer than the products.
 *   to input             Winograd spread Where dx has a quarter more tiles than g: 11 x 11 to 13 x 13 cells, 1.7 times.
 *   forward, to input    direct tiles    A packed element of a patch serves as many multiply-adds as there are columns;
 *                                        read in place, layers of 16 to 128 filters run 1.2 to 1.8 times as fast.
 *                        in lines        Neighbouring cells of a line instead of any: 1.5 to 2 times as fast with 1 or
 *                                        3 channels, 1.0 to 1.2 with more, where tiles fill lines (lines_plan.h).
 *                        of two columns  To the input, stride 2, channels of half a panel: 1.3 to 1.4 times as fast
 *                                        with 3x3 taps, twice with one.
 *                        packed (GEMM)   Direct tiles stream a panel of the kernel, k rows, from L2 for each tile of
 *                                        cells: from 4096 rows on they lose (3x3, 512 channels: 0.8).
 *   to kernel            outer tiles     Up to 128 filters, for the same reason: 1.1 to 2.0 times as fast; with more than
 *                                        64 g is packed, which leaves 1.1.
 *                        packed (GEMM)   With more, steps of 1 KB and more in x crowd L1 into a few sets, and sums pass
 *                                        through L2 for each chunk of cells (256 filters: 0.9 to 1.0, 512: 0.65).
 *                        by columns      Single taps of stride 1 and more than 64 filters: x and g as they lie are the
 *                                        operands of gemm_columns (64 to 256 channels: 1.35 times as fast).
 *                        its transpose   Up to 8 filters, a part of a vector, with a kernel of 32 elements or more.
 */
enum { DIRECT_MOST_ROWS = 4096, OUTER_MOST_FILTERS = 128 };

static int runs_directly(const conv_job *j) { return product(j->p.taps) * j->p.group_c <= DIRECT_MOST_ROWS; }
static int runs_outer(const conv_job *j) { return j->group_filters <= OUTER_MOST_FILTERS; }

static int few_filters(const conv_job *j, int64_t groups) {
  return groups == 1 && j->filters <= 8 && product(j->size) * j->kernel_c >= 32;
}

/* What is chosen; and forms of a packed kernel: {one of these, groups, blocks of so many k}, to the input also the
 * window. */
typedef enum { CONV_TILES = 1, CONV_SPREAD, CONV_OVERLAP, CONV_DIRECT, CONV_PRODUCT } conv_choice;

/* Strides, dilation and padding in three numbers, if they are small and every residue has a cell. */
static int window_to_form(const window *w, int64_t form[3]) {
  const int64_t *const from[3] = {w->stride, w->dilation, w->pad};
  for (int q = 0; q < 3; ++q) {
    form[q] = 0;
    for (int d = 0; d < 3; ++d) {
      if (from[q][d] < 0 || from[q][d] >> 16 || w->in[d] < w->stride[d]) return 0;
      form[q] = form[q] << 16 | from[q][d];
    }
  }
  return 1;
}

static void window_of_form(const int64_t form[3], int64_t i[9]) {
  for (int k = 0; k < 9; ++k) i[k] = form[k / 3] >> 16 * (2 - k % 3) & 0xffff;
}

#define KR_REAL 32
#include "base/real.h"
#include "conv/lanes.h"
#include "gemm/pack.h"
#include "conv_packers.h"
#include "conv_overlap.h"
#include "conv_parts.h"
#include "conv_outer.h"
#include "conv_direct.h"
#include "conv_wino.h"
#include "conv_wino_kernel.h"
#include "conv_passes.h"
#include "conv_to_input.h"
#undef KR_REAL
#define KR_REAL 64
#include "base/real.h"
#include "conv/lanes.h"
#include "gemm/pack.h"
#include "conv_packers.h"
#include "conv_overlap.h"
#include "conv_parts.h"
#include "conv_outer.h"
#include "conv_direct.h"
#include "conv_wino.h"
#include "conv_wino_kernel.h"
#include "conv_passes.h"
#include "conv_to_input.h"

#define CONV_ENTRIES(DTYPE, SUFFIX)                                                          \
  {"conv", DTYPE, conv_##SUFFIX, conv_scratch_##SUFFIX, conv_packing_##SUFFIX},              \
      {"conv_pack", DTYPE, conv_pack_##SUFFIX, NULL},                                        \
      {"conv_grad_input", DTYPE, conv_grad_input_##SUFFIX, conv_grad_input_scratch_##SUFFIX, \
       conv_grad_input_packing_##SUFFIX},                                                    \
      {"conv_grad_input_pack", DTYPE, conv_grad_input_pack_##SUFFIX, NULL},                  \
      {"conv_grad_kernel", DTYPE, conv_grad_kernel_##SUFFIX, conv_grad_kernel_scratch_##SUFFIX},

KR_TABLE(conv) = {CONV_ENTRIES(KR_F32, f32) CONV_ENTRIES(KR_F64, f64) KR_TABLE_END};
