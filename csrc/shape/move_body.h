/* The inner loops of a move for one element type: T, NAME(x), SQUARE (side of a square that is transposed at once), and
 * SHUFFLED where square_<name> exists already.  TURNED: 32 or 64, the bits of T, where gemm/turn.h serves it; LEAST: rows
 * and columns from which on a plane is flipped.  Included by move.c. */

#ifdef TURNED
#define KR_REAL TURNED
#include "base/real.h"
#define LEAST 4
enum { NAME(turned) = 16 / sizeof(T) }; /* elements of a row that lanes_of_rows takes */

/* The last `columns` of elements [i, i + turned) of n <= V_LANES rows of src become as many rows of dst. */
KR_INLINE void NAME(turn)(T *dst, int64_t dst1, const real *const *row, int64_t i, int columns, int64_t n) {
  vreal v[NAME(turned)];
  KR_FN(lanes_of_rows)(row, i, v);
#pragma GCC unroll 4
  for (int q = 0; q < columns; ++q)
    if (n == V_LANES) v_store((real *)dst + (i + q) * dst1, v[q]);
    else v_store_n((real *)dst + (i + q) * dst1, v[q], n);
}

/* dst[i*dst1 + j] = src[i + j*src0]: a transposition through registers, which fills a line of the destination at a time.
 * Strips of the source's columns are as wide as the destination's rows are few enough for the first level of address
 * translation. */
static void NAME(flip)(T *dst, int64_t dst1, const T *src, int64_t src0, int64_t n1, int64_t n0) {
  enum { STRIP = 64, STEP = NAME(turned) };
  for (int64_t s = 0; s < n1;) {
    const int64_t end = n1 - s < STRIP + STEP ? n1 : s + STRIP;
    for (int64_t j = 0; j < n0; j += V_LANES) {
      const int64_t n = kr_min(V_LANES, n0 - j);
      const real *row[V_LANES];
      for (int64_t r = 0; r < V_LANES; ++r) row[r] = (const real *)(src + (j + kr_min(r, n - 1)) * src0);
      for (int64_t i = s; i < end; i += STEP) /* the last ones may overlap those before */
        NAME(turn)(dst + j, dst1, row, kr_min(i, end - STEP), STEP, n);
    }
    s = end;
  }
}

enum { NAME(line) = 64 / sizeof(T) }; /* elements of a line of the caches */

/* A square of lines, by way of one in L1.  Where rows of dst meet in few sets of L1, half a line, which is what vectors of
 * half a line give, would have been evicted before the other half came; elsewhere the way costs more than it gives (0.73
 * to 0.95), as it does where the source's rows all meet in one set (0.88). */
KR_INLINE void NAME(turn_lines)(T *dst, int64_t dst1, const real *const *row, int64_t i) {
  KR_ALIGNED real lines[NAME(line) * NAME(line)];
  for (int64_t g = 0; g < NAME(line); g += V_LANES)
    for (int64_t q = 0; q < NAME(line); q += NAME(turned)) {
      vreal v[NAME(turned)];
      KR_FN(lanes_of_rows)(row + g, i + q, v);
#pragma GCC unroll 4
      for (int r = 0; r < NAME(turned); ++r) v_store(lines + (q + r) * NAME(line) + g, v[r]);
    }
  for (int64_t q = 0; q < NAME(line); ++q)
#pragma GCC unroll 4
    for (int64_t g = 0; g < NAME(line); g += V_LANES)
      v_store((real *)dst + (i + q) * dst1 + g, v_load(lines + q * NAME(line) + g));
}

/* The same by such squares, for a line of columns or more: a function of its own, beside which `flip` stays as fast. */
static __attribute__((noinline)) void NAME(flip_lines)(T *dst, int64_t dst1, const T *src, int64_t src0, int64_t n1,
                                                       int64_t n0) {
  enum { STRIP = 64, LINE = NAME(line) };
  const int64_t whole = n0 / LINE * LINE;
  for (int64_t s = 0; s < n1;) {
    const int64_t end = n1 - s < STRIP + LINE ? n1 : s + STRIP;
    for (int64_t j = 0; j < whole; j += LINE) {
      const real *row[LINE];
      for (int64_t r = 0; r < LINE; ++r) row[r] = (const real *)(src + (j + r) * src0);
      for (int64_t i = s; i < end; i += LINE) NAME(turn_lines)(dst + j, dst1, row, kr_min(i, end - LINE));
    }
    s = end;
  }
  if (whole < n0) NAME(flip)(dst + whole, dst1, src + whole * src0, src0, n1, n0 - whole);
}

/* Whether squares of lines pay. */
static int NAME(crowds)(int64_t dst1, int64_t src0, int64_t n1) {
  return V_LANES < NAME(line) && n1 >= NAME(line) && kr_sets_met(dst1 * (int64_t)sizeof(T)) <= MOVE_SETS &&
         src0 * (int64_t)sizeof(T) % 8192 != 0;
}

#undef KR_REAL
#else
#define LEAST SQUARE

#ifndef SHUFFLED
KR_INLINE void NAME(square)(T *dst, int64_t ds, const T *src, int64_t ss) {
  for (int i = 0; i < SQUARE; ++i)
    for (int j = 0; j < SQUARE; ++j) dst[i * ds + j] = src[j * ss + i];
}
#endif

/* dst[i*dst1 + j] = src[i + j*src0]: a transposition by squares.  Squares go in spans that fill whole lines of the
 * destination before others evict them (rows a power of two apart share cache sets), in strips of rows that keep the
 * source's lines in the first cache. */
static void NAME(flip)(T *dst, int64_t dst1, const T *src, int64_t src0, int64_t n1, int64_t n0) {
  enum { STRIP = 64, SPAN = 64 / sizeof(T) > SQUARE ? 64 / sizeof(T) : SQUARE };
  for (int64_t s = 0; s < n1; s += STRIP) {
    const int64_t end = kr_min(s + STRIP, n1);
    for (int64_t j = 0; j < n0; j += SPAN) {
      const int64_t stop = kr_min(j + SPAN, n0), whole = j + (stop - j) / SQUARE * SQUARE;
      int64_t i = s;
      for (; i + SQUARE <= end; i += SQUARE) {
        for (int64_t q = j; q < whole; q += SQUARE) NAME(square)(dst + i * dst1 + q, dst1, src + q * src0 + i, src0);
        for (int64_t r = i; r < i + SQUARE; ++r)
          for (int64_t q = whole; q < stop; ++q) dst[r * dst1 + q] = src[q * src0 + r];
      }
      for (; i < end; ++i)
        for (int64_t q = j; q < stop; ++q) dst[i * dst1 + q] = src[q * src0 + i];
    }
  }
}

#endif

/* A constant number of rows side by side, such as the channels of images: for these the compiler has shuffles. */
KR_INLINE void NAME(interleave)(T *restrict dst, const T *restrict src, int64_t src0, int64_t n1, const int n0) {
  for (int64_t i = 0; i < n1; ++i)
#pragma GCC unroll 4
    for (int j = 0; j < n0; ++j) dst[i * n0 + j] = src[j * src0 + i];
}

KR_INLINE void NAME(deinterleave)(T *restrict dst, int64_t dst1, const T *restrict src, const int n1, int64_t n0) {
  for (int64_t j = 0; j < n0; ++j)
#pragma GCC unroll 4
    for (int i = 0; i < n1; ++i) dst[i * dst1 + j] = src[j * n1 + i];
}

/* The same where n0 is less than a square: along the source. */
static void NAME(thin)(T *dst, int64_t dst1, const T *src, int64_t src0, int64_t n1, int64_t n0) {
  for (int64_t s = 0; s < n1; s += 64) {
    const int64_t end = kr_min(s + 64, n1);
    for (int64_t j = 0; j < n0; ++j)
      for (int64_t i = s; i < end; ++i) dst[i * dst1 + j] = src[j * src0 + i];
  }
}

/* dst[i*dst1 + j*dst0] = src[i*src1 + j*src0] for i < n1, j < n0. */
static void NAME(plane)(T *dst, int64_t dst1, int64_t dst0, const T *src, int64_t src1, int64_t src0, int64_t n1,
                        int64_t n0) {
  if (dst0 == 1 && src1 == 1 && dst1 == n0 && n0 >= 2 && n0 <= 4 && n1 >= 16) {
    if (n0 == 2) NAME(interleave)(dst, src, src0, n1, 2);
    else if (n0 == 3) NAME(interleave)(dst, src, src0, n1, 3);
    else NAME(interleave)(dst, src, src0, n1, 4);
    return;
  }
  if (dst0 == 1 && src1 == 1 && src0 == n1 && n1 >= 2 && n1 <= 4 && n0 >= 16) {
    if (n1 == 2) NAME(deinterleave)(dst, dst1, src, 2, n0);
    else if (n1 == 3) NAME(deinterleave)(dst, dst1, src, 3, n0);
    else NAME(deinterleave)(dst, dst1, src, 4, n0);
    return;
  }
  if (dst0 == 1 && src1 == 1 && src0 != 0 && n1 >= LEAST && n0 >= LEAST) {
#ifdef TURNED
    if (NAME(crowds)(dst1, src0, n1)) {
      NAME(flip_lines)(dst, dst1, src, src0, n1, n0);
      return;
    }
#endif
    NAME(flip)(dst, dst1, src, src0, n1, n0);
    return;
  }
  if (dst0 == 1 && src1 == 1 && src0 != 0 && n1 > n0) {
    NAME(thin)(dst, dst1, src, src0, n1, n0);
    return;
  }
  for (int64_t i = 0; i < n1; ++i, dst += dst1, src += src1) {
    if (dst0 == 1 && src0 == 0) {
      const T x = *src;
      for (int64_t j = 0; j < n0; ++j) dst[j] = x;
    } else if (dst0 == 1 && src0 == -1) {
      for (int64_t j = 0; j < n0; ++j) dst[j] = src[-j];
    } else if (dst0 == 1 && src0 == 2) { /* a constant, which the compiler has shuffles for */
      for (int64_t j = 0; j < n0; ++j) dst[j] = src[2 * j];
    } else if (dst0 == 1) {
#pragma GCC unroll 4
      for (int64_t j = 0; j < n0; ++j) dst[j] = src[j * src0];
    } else {
      for (int64_t j = 0; j < n0; ++j) dst[j * dst0] = src[j * src0];
    }
  }
}

#undef LEAST
#undef TURNED
#undef T
#undef NAME
#undef SQUARE
#undef SHUFFLED
