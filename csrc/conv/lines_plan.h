/* What the direct convolution by lines of conv_lines.h plans for both floating types. */
#ifndef KR_CONV_LINES_PLAN_H
#define KR_CONV_LINES_PLAN_H

/* Cells of a tile: heights that leave registers for one vector of x and a panel of the kernel, and that fill the usual
 * lines.  LINE_GAIN: cycles that a tile of conv_direct.h takes to find its patches, beyond those of lines. */
#if defined(KR_FOR_AVX512)
#define LINE_HEIGHTS(X) X(7) X(8) X(10) X(11) X(12) X(13) X(14)
enum { LINE_LEAST = 7, LINE_MOST = 14, LINE_GAIN = 144 };
#elif defined(KR_FOR_AVX2) || defined(KR_FOR_NEON)
#define LINE_HEIGHTS(X) X(4) X(5) X(6)
enum { LINE_LEAST = 4, LINE_MOST = 6, LINE_GAIN = 60 };
#else
#define LINE_HEIGHTS(X) X(4)
enum { LINE_LEAST = 4, LINE_MOST = 4, LINE_GAIN = 40 };
#endif

enum { LINE_WORK = 1 << 20 }; /* flops that make a task */

/* What a line of cells takes in tiles of a height: a row of the kernel costs a tile a cycle for each cell, and one more. */
static int64_t line_cost(int64_t cells, int64_t height) { return kr_ceil_div(cells, height) * (height + 1); }

/* The height that takes least; the last tile of a line may compute cells of the one before again. */
static int64_t line_height(int64_t cells) {
  int64_t best = LINE_LEAST;
#define TRY(height) \
  if (height <= cells && line_cost(cells, height) <= line_cost(cells, best)) best = height;
  LINE_HEIGHTS(TRY)
#undef TRY
  return best;
}

/* Whether cells are to be taken in lines, for k rows of the kernel, rather than in any tiles of `rows`. */
static int lines_pay(int64_t cells, int64_t k, int64_t panels, int64_t rows) {
  if (cells < LINE_LEAST) return 0;
  const double tiles = (double)cells / (double)rows * (double)((rows + 1) * k + LINE_GAIN / panels);
  return (double)line_cost(cells, line_height(cells)) * (double)k <= tiles;
}

/* Elements that follow each other in the patches of all cells of a line, and the columns that they meet. */
enum { LINE_ALL, LINE_LEFT, LINE_RIGHT };
typedef struct {
  int64_t line, at, length; /* which line of taps; from the first element that a patch has there */
  int64_t k;                /* rows of the packed kernel before it; half rows where columns are in two parts */
  int part;
} line_run;

#endif
