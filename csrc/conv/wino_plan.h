/* What Winograd's convolution plans for both floating types, and its transforms' points.
 *
 * A 4 x 4 tile of outputs of a 3 x 3 convolution takes 144 multiply-adds for each pair of a channel and a filter; here
 * it takes 36 (Winograd; Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016).  With tiles of
 * polynomials evaluated at six points,
 *
 *   Y = A' [ (G k G') .* (B' x B) ] A        x 6 x 6, k 3 x 3, Y 4 x 4; .* sums over channels: 36 matrix products
 *
 * and the gradient to the kernel is the same with g, 4 x 4, in the place of k, and 3 x 3 outputs.  The gradient to the
 * input is either a convolution of g with the turned kernel, tile by tile of dx, or the same sums the other way round,
 *
 *   X = B [ (G k G') .* (A g A') ] B'        g 4 x 4, X 6 x 6, .* sums over filters
 *
 * where neighbouring X overlap by two cells and are added: tiles of g instead of dx, of which there are fewer where dx is
 * larger ("spread").  A transform goes through lines and columns; for points 0, a, -a, b, -b and infinity a line of each
 * is
 *
 *   B'   t0 = a^2 b^2 x0 - (a^2 + b^2) x2 + x4       t(+-a) = x4 - b^2 x2 +- a (x3 - b^2 x1)
 *        t5 = a^2 b^2 x1 - (a^2 + b^2) x3 + x5       t(+-b) = x4 - a^2 x2 +- b (x3 - a^2 x1)
 *   G    k0, (k0 +- p k1 + p^2 k2 ...) / N(p), the last k;  N(a) = 2 a^2 (a^2 - b^2), N(b) = 2 b^2 (b^2 - a^2)
 *   A'   y(i) = sum of m(p) p^i, and m(infinity) to the last y
 *
 * The points decide the error.  2/3 and 3/2 leave the root mean square error at 1.8 times that of a direct sum of 64
 * or 256 channels, the largest at 1.4 times (8e-6 of the outputs' root mean square); the usual 1 and 2 leave 4 and 8
 * times.  Their product is 1, which makes two coefficients 1. */
#ifndef KR_CONV_WINO_PLAN_H
#define KR_CONV_WINO_PLAN_H
#include "gemm/tile.h"

#define WINO_A (2.0 / 3)
#define WINO_B (3.0 / 2)
#define WINO_A2 (4.0 / 9)
#define WINO_B2 (9.0 / 4)
#define WINO_S (WINO_A2 + WINO_B2)
#define WINO_NA (2 * WINO_A2 * (WINO_A2 - WINO_B2))
#define WINO_NB (2 * WINO_B2 * (WINO_B2 - WINO_A2))

enum {
  WINO_SIDE = 6, /* of a tile of the source */
  WINO_POINTS = 36,
  WINO_OUT = 4,            /* cells of a side of a tile of the output */
  WINO_MR = GEMM_MR,       /* tiles that a register tile multiplies */
  WINO_GROUPS = 4,         /* register tiles of a task at most, see wino_source_most */
  WINO_TASKS = 24,         /* tasks that there should be, */
  WINO_TASK = 4,           /* tiles that make one */
  WINO_LEAST = 4,          /* tiles of an image at least, */
  WINO_KERNEL = 8192,      /* and one for so many elements (channel, filter), */
  WINO_CLIPPED = 60,       /* of whose cells so many in a hundred are wanted */
  WINO_ROWS = 16,          /* rows of the kernel that a task transforms */
  WINO_SPREAD = 64,        /* tiles of an image at most that are spread: a task has whole images, */
  WINO_SPREAD_V = 1 << 20, /* and their transforms so many bytes at most */

  WINO_GK_V = 768 << 10,  /* gradient to the kernel: bytes of transformed x and g of a block, */
  WINO_GK_TILES = 63,     /* tiles of it at most, odd, so that its 36 planes fall into different sets of the caches */
  WINO_GK_SUMS = 1 << 20, /* bytes of sums of a task */
  WINO_GK_PART = 128,     /* tiles of a part at least */
  WINO_GK_PARTS = 16,     /* parts at most, by shares; but as many as have */
  WINO_GK_ALL = 2 << 20,  /* so many bytes of sums together */
  WINO_GK_LEAST = 64,     /* tiles at least, */
  WINO_GK_KERNEL = 256    /* and one for so many elements (channel, filter) */
};

/* How many tiles a register tile may have. */
#if defined(KR_FOR_AVX512)
#define WINO_ROWS_EACH(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#elif defined(KR_FOR_AVX2) || defined(KR_FOR_NEON)
#define WINO_ROWS_EACH(X) X(1) X(2) X(3) X(4) X(5) X(6)
#else
#define WINO_ROWS_EACH(X) X(1) X(2) X(3) X(4)
#endif

typedef struct {
  conv_job j;
  int64_t images, columns; /* columns: filters, or channels of dx */
  int64_t ty, tx, tiles;   /* tiles of an image by lines and columns; of all images */
  int64_t blocks, panels;  /* vectors of channels; panels of columns */
  int64_t groups, tasks;   /* register tiles of a task */
  int64_t unit;            /* tiles of which a task has a whole number */
  const void *bias;
  void *y;
  int64_t y_image, y_step[3];
  int relu, turned, spread;
  const void *u;     /* transformed kernel */
  void *zeros, *own; /* a line of zeros; of each worker: transformed source, products */
  int64_t v_bytes, own_bytes;
} wino_job;

typedef struct {
  conv_job j; /* j.kernel is g */
  int64_t images, ty, tx, tiles;
  int64_t blocks, panels, share, shares; /* vectors of channels; panels of filters: all, of a share; shares */
  int64_t step, parts, slices;           /* tiles of a block; parts of the tiles; slices of the channels */
  void *dk, *zeros, *sums, *own;
  int64_t sum_size, v_bytes, own_bytes; /* elements of sums of a part */
} wino_kernel_job;

/* Bytes of transformed source of a task, but for one register tile: they are to stay in L2 while the transformed kernel, far
 * larger mostly, passes through it once for each task.  Of 2 MB it takes half, of 512 KB a quarter: there, half runs 128
 * channels at 0.9 of the speed and twice as much at 0.8.  Whole images that are spread fill register tiles better if they
 * are several: half.  It shows in no bits, so this machine's L2 may have a say. */
static int64_t wino_source_most(int spread) {
  const int64_t l2 = kr_cpu_caches()->l2;
  return spread ? l2 / 2 : kr_max(0, kr_min(l2 / 2, l2 - (384 << 10)));
}

/* Whether these patches are those of a 3x3 convolution of planes with neighbouring taps and cells, whose channels and
 * columns fill whole vectors.  The portable dialect has none. */
static int wino_fits(const conv_job *j, int64_t columns, int64_t lanes) {
  const patches *p = &j->p;
  int fits = KR_F32_LANES > 1 && p->group_c == p->c && p->in[0] == 1 && p->cells[0] == 1 && p->taps[0] == 1;
  for (int d = 1; d < 3; ++d) fits &= p->taps[d] == 3 && p->tap[d] == 1 && p->step[d] == 1;
  return fits && p->c > 0 && columns > 0 && p->c % lanes == 0 && columns % lanes == 0;
}

/* Whether it is worth while; the number of images has no say, so that an image's bits do not depend on it. */
static int wino_pays(const conv_job *j, int64_t columns, int64_t lanes) {
  if (!wino_fits(j, columns, lanes)) return 0;
  const int64_t *cells = j->p.cells, tiles = kr_ceil_div(cells[1], WINO_OUT) * kr_ceil_div(cells[2], WINO_OUT);
  return tiles >= WINO_LEAST && tiles * WINO_KERNEL >= j->p.c * columns &&
         cells[1] * cells[2] * 100 >= tiles * WINO_OUT * WINO_OUT * WINO_CLIPPED;
}

/* Whether to spread tiles of g over dx, which has two lines and columns more: by stride 1 of a window that nowhere reaches
 * beyond dx.  `group` are the bytes of a register tile of transformed g, `rows` its tiles. */
static int wino_spreads(const conv_job *j, int64_t columns, int64_t lanes, int64_t group, int64_t rows) {
  const patches *p = &j->p;
  int spreads = wino_fits(j, columns, lanes);
  for (int d = 1; d < 3; ++d) spreads &= p->cells[d] == p->in[d] + 2 && p->first[d] == -2;
  if (!spreads) return 0;
  const int64_t tiles = kr_ceil_div(p->in[1], WINO_OUT) * kr_ceil_div(p->in[2], WINO_OUT);
  const int64_t turned = kr_ceil_div(p->cells[1], WINO_OUT) * kr_ceil_div(p->cells[2], WINO_OUT);
  return tiles >= WINO_LEAST && tiles <= WINO_SPREAD && kr_ceil_div(tiles, rows) * group <= WINO_SPREAD_V &&
         tiles * 5 <= turned * 4 && tiles * WINO_KERNEL >= p->c * columns &&
         p->in[1] * p->in[2] * 100 >= tiles * WINO_OUT * WINO_OUT * WINO_CLIPPED;
}

/* Shares of the panels, of which a task may take w->share, and slices of the channels.  Either makes tasks transform the
 * same again, so a task's work is counted, in hundreds of cycles a tile: for a block, a panel, and the products of both. */
static void wino_kernel_shares(wino_kernel_job *w, int threads) {
  const int64_t most = w->share;
  double least = INFINITY;
  for (int64_t share = most; share > 0; --share)
    for (int64_t slices = 1; slices <= w->blocks; ++slices) {
      const int64_t shares = kr_ceil_div(w->panels, share), blocks = kr_ceil_div(w->blocks, slices);
      const double rounds = (double)kr_ceil_div(w->parts * shares * slices, threads);
      const double cost = rounds * (double)(3 * blocks + 4 * share + 7 * blocks * share);
      if (cost >= least) continue;
      least = cost;
      w->share = share;
      w->shares = shares;
      w->slices = slices;
    }
}

static int wino_kernel_pays(const conv_job *j, int64_t images, int64_t lanes) {
  const int64_t *cells = j->p.cells, tiles = kr_ceil_div(cells[1], WINO_OUT) * kr_ceil_div(cells[2], WINO_OUT);
  return wino_fits(j, j->group_filters, lanes) && tiles * images >= WINO_GK_LEAST &&
         tiles * images * WINO_GK_KERNEL >= j->p.c * j->filters &&
         cells[1] * cells[2] * 100 >= tiles * WINO_OUT * WINO_OUT * WINO_CLIPPED;
}

#endif
