/* Moves a box of elements between two strided layouts: the one loop nest behind transpose, slice, flip, tile and pad.
 *
 * A move is a box (shape) with a stride per dimension, in elements, for the source and for the destination; either may
 * be zero in the source (broadcasting) or negative (flipping).  move_run merges dimensions, picks the order of the two
 * innermost loops, cuts the box into planes of bounded size and runs them in parallel; only copies happen, so the order
 * is free.  Destination strides must not make two elements meet.
 */
#ifndef KR_MOVE_H
#define KR_MOVE_H
#include "base/bytes.h"

/* Twice KR_MAX_NDIM, because tile sees each dimension as two, and two more for the cuts. */
#define MOVE_NDIM (2 * KR_MAX_NDIM + 2)
/* Elements from which an inner loop is cut, and that a task has at least: below, waking a thread costs more. */
#define MOVE_GRAIN 32768

typedef struct {
  int ndim;
  int64_t size; /* bytes of an element */
  int64_t shape[MOVE_NDIM], src[MOVE_NDIM], dst[MOVE_NDIM];
} kr_move;

KR_INLINE void move_push(kr_move *m, int64_t n, int64_t src, int64_t dst) {
  m->shape[m->ndim] = n;
  m->src[m->ndim] = src;
  m->dst[m->ndim] = dst;
  ++m->ndim;
}

/* Strides, in elements, of a C-contiguous array. */
KR_INLINE void move_strides(const kr_array *a, int64_t *strides) {
  int64_t s = 1;
  for (int d = a->ndim - 1; d >= 0; --d) {
    strides[d] = s;
    s *= a->shape[d];
  }
}

/* dst[i*dst1 + j*dst0] = src[i*src1 + j*src0] for i < n1, j < n0, where neither inner stride pair is contiguous. */
#define MOVE_LOOPS(T, name)                                                                                                \
  static void plane_##name(T *dst, int64_t dst1, int64_t dst0, const T *src, int64_t src1, int64_t src0, int64_t n1,       \
                           int64_t n0) {                                                                                   \
    for (int64_t i = 0; i < n1; ++i, dst += dst1, src += src1) {                                                           \
      if (dst0 == 1 && src0 == 0) {                                                                                        \
        const T x = *src;                                                                                                  \
        for (int64_t j = 0; j < n0; ++j) dst[j] = x;                                                                       \
      } else if (dst0 == 1 && src0 == -1) {                                                                                \
        for (int64_t j = 0; j < n0; ++j) dst[j] = src[-j];                                                                 \
      } else {                                                                                                             \
        for (int64_t j = 0; j < n0; ++j) dst[j * dst0] = src[j * src0];                                                    \
      }                                                                                                                    \
    }                                                                                                                      \
  }                                                                                                                        \
  /* The same for dst0 == 1 and src1 == 1: a transposition by squares.  Squares go in spans that fill whole lines of the \
   * destination before others evict them (rows a power of two apart share cache sets), in strips of rows that keep the \
   * source's lines in the first cache. */ \
  static void flip_##name(T *dst, int64_t dst1, const T *src, int64_t src0, int64_t n1, int64_t n0) {                      \
    enum { STRIP = 64, B = SQUARE_##name, SPAN = 64 / sizeof(T) > B ? 64 / sizeof(T) : B };                                \
    for (int64_t s = 0; s < n1; s += STRIP) {                                                                              \
      const int64_t end = kr_min(s + STRIP, n1);                                                                           \
      for (int64_t j = 0; j < n0; j += SPAN) {                                                                             \
        const int64_t stop = kr_min(j + SPAN, n0), whole = j + (stop - j) / B * B;                                         \
        int64_t i = s;                                                                                                     \
        for (; i + B <= end; i += B) {                                                                                     \
          for (int64_t q = j; q < whole; q += B) square_##name(dst + i * dst1 + q, dst1, src + q * src0 + i, src0);        \
          for (int64_t r = i; r < i + B; ++r)                                                                              \
            for (int64_t q = whole; q < stop; ++q) dst[r * dst1 + q] = src[q * src0 + r];                                  \
        }                                                                                                                  \
        for (; i < end; ++i)                                                                                               \
          for (int64_t q = j; q < stop; ++q) dst[i * dst1 + q] = src[q * src0 + i];                                        \
      }                                                                                                                    \
    }                                                                                                                      \
  }                                                                                                                        \
  /* The same where n0 is less than a square: along the source. */                                                         \
  static void thin_##name(T *dst, int64_t dst1, const T *src, int64_t src0, int64_t n1, int64_t n0) {                      \
    for (int64_t s = 0; s < n1; s += 64) {                                                                                 \
      const int64_t end = kr_min(s + 64, n1);                                                                              \
      for (int64_t j = 0; j < n0; ++j)                                                                                     \
        for (int64_t i = s; i < end; ++i) dst[i * dst1 + j] = src[j * src0 + i];                                           \
    }                                                                                                                      \
  }

#define MOVE_SQUARE_LOOP(T, name)                                                \
  KR_INLINE void square_##name(T *dst, int64_t ds, const T *src, int64_t ss) {   \
    for (int i = 0; i < SQUARE_##name; ++i)                                      \
      for (int j = 0; j < SQUARE_##name; ++j) dst[i * ds + j] = src[j * ss + i]; \
  }

#define SQUARE_b1 16
#define SQUARE_b2 8
#define SQUARE_b4 8
#define SQUARE_b8 4
MOVE_SQUARE_LOOP(uint8_t, b1)
MOVE_SQUARE_LOOP(uint16_t, b2)

#if defined(__has_builtin)
#if __has_builtin(__builtin_shufflevector)
#define MOVE_SHUFFLE 1
#endif
#endif
#ifdef MOVE_SHUFFLE
typedef uint32_t move_u32x8 __attribute__((vector_size(32)));
typedef uint64_t move_u64x4 __attribute__((vector_size(32)));
#define LOW32(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define HIGH32(a, b) __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#define PAIR_LOW(a, b) __builtin_shufflevector(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
#define PAIR_HIGH(a, b) __builtin_shufflevector(a, b, 2, 3, 10, 11, 6, 7, 14, 15)
#define HALF_LOW(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 8, 9, 10, 11)
#define HALF_HIGH(a, b) __builtin_shufflevector(a, b, 4, 5, 6, 7, 12, 13, 14, 15)

/* 8x8 in three rounds of shuffles: interleave elements, pairs, halves. */
KR_INLINE void square_b4(uint32_t *dst, int64_t ds, const uint32_t *src, int64_t ss) {
  move_u32x8 r[8], t[8];
  for (int i = 0; i < 8; ++i) memcpy(&r[i], src + i * ss, 32);
  for (int i = 0; i < 8; i += 2) {
    t[i] = LOW32(r[i], r[i + 1]);
    t[i + 1] = HIGH32(r[i], r[i + 1]);
  }
  for (int i = 0; i < 8; i += 4)
    for (int k = 0; k < 2; ++k) {
      r[i + 2 * k] = PAIR_LOW(t[i + k], t[i + k + 2]);
      r[i + 2 * k + 1] = PAIR_HIGH(t[i + k], t[i + k + 2]);
    }
  for (int k = 0; k < 4; ++k) {
    t[k] = HALF_LOW(r[k], r[k + 4]);
    t[k + 4] = HALF_HIGH(r[k], r[k + 4]);
  }
  for (int i = 0; i < 8; ++i) memcpy(dst + i * ds, &t[i], 32);
}

KR_INLINE void square_b8(uint64_t *dst, int64_t ds, const uint64_t *src, int64_t ss) {
  move_u64x4 r[4], t[4];
  for (int i = 0; i < 4; ++i) memcpy(&r[i], src + i * ss, 32);
  for (int i = 0; i < 4; i += 2) {
    t[i] = __builtin_shufflevector(r[i], r[i + 1], 0, 4, 2, 6);
    t[i + 1] = __builtin_shufflevector(r[i], r[i + 1], 1, 5, 3, 7);
  }
  for (int k = 0; k < 2; ++k) {
    r[k] = __builtin_shufflevector(t[k], t[k + 2], 0, 1, 4, 5);
    r[k + 2] = __builtin_shufflevector(t[k], t[k + 2], 2, 3, 6, 7);
  }
  for (int i = 0; i < 4; ++i) memcpy(dst + i * ds, &r[i], 32);
}
#undef LOW32
#undef HIGH32
#undef PAIR_LOW
#undef PAIR_HIGH
#undef HALF_LOW
#undef HALF_HIGH
#else
MOVE_SQUARE_LOOP(uint32_t, b4)
MOVE_SQUARE_LOOP(uint64_t, b8)
#endif

MOVE_LOOPS(uint8_t, b1)
MOVE_LOOPS(uint16_t, b2)
MOVE_LOOPS(uint32_t, b4)
MOVE_LOOPS(uint64_t, b8)

#define MOVE_CASE(BYTES, T, name)                                                                  \
  case BYTES:                                                                                      \
    if (d0 == 1 && s1 == 1 && n1 >= SQUARE_##name && n0 >= SQUARE_##name)                          \
      flip_##name((T *)dst, d1, (const T *)src, s0, n1, n0);                                       \
    else if (d0 == 1 && s1 == 1 && n1 > n0) thin_##name((T *)dst, d1, (const T *)src, s0, n1, n0); \
    else plane_##name((T *)dst, d1, d0, (const T *)src, s1, s0, n1, n0);                           \
    break;

/* The two innermost loops. */
static void move_plane(const kr_move *m, char *dst, const char *src) {
  const int a = m->ndim - 2, b = m->ndim - 1;
  const int64_t n1 = m->shape[a], n0 = m->shape[b], s1 = m->src[a], s0 = m->src[b], d1 = m->dst[a], d0 = m->dst[b];
  const int64_t size = m->size;
  if (d0 == 1 && s0 == 1) {
    for (int64_t i = 0; i < n1; ++i) kr_copy(dst + i * d1 * size, src + i * s1 * size, n0 * size);
    return;
  }
  switch (size) {
    MOVE_CASE(1, uint8_t, b1)
    MOVE_CASE(2, uint16_t, b2)
    MOVE_CASE(4, uint32_t, b4)
    MOVE_CASE(8, uint64_t, b8)
    default: break;
  }
}

typedef struct {
  const kr_move *move;
  char *dst;
  const char *src;
  int64_t planes, group; /* planes in all, and in one task */
} move_job;

static void move_task(void *arg, int64_t task, int worker) {
  (void)worker;
  const move_job *job = arg;
  const kr_move *m = job->move;
  const int outer = m->ndim - 2;
  const int64_t first = task * job->group, last = kr_min(first + job->group, job->planes);
  int64_t at[MOVE_NDIM] = {0}, from = 0, to = 0, rest = first;
  for (int d = outer - 1; d >= 0; --d) {
    at[d] = rest % m->shape[d];
    rest /= m->shape[d];
    from += at[d] * m->src[d];
    to += at[d] * m->dst[d];
  }
  for (int64_t plane = first; plane < last; ++plane) {
    move_plane(m, job->dst + to * m->size, job->src + from * m->size);
    for (int d = outer - 1; d >= 0; --d) {
      from += m->src[d];
      to += m->dst[d];
      if (++at[d] < m->shape[d]) break;
      from -= at[d] * m->src[d];
      to -= at[d] * m->dst[d];
      at[d] = 0;
    }
  }
}

/* Drops dimensions of one element and merges neighbours that are one run in both layouts. */
static void move_merge(kr_move *m) {
  int n = 0;
  for (int d = 0; d < m->ndim; ++d) {
    if (m->shape[d] == 1) continue;
    if (n && m->src[n - 1] == m->src[d] * m->shape[d] && m->dst[n - 1] == m->dst[d] * m->shape[d]) {
      m->shape[n - 1] *= m->shape[d];
      m->src[n - 1] = m->src[d];
      m->dst[n - 1] = m->dst[d];
    } else {
      m->shape[n] = m->shape[d];
      m->src[n] = m->src[d];
      m->dst[n] = m->dst[d];
      ++n;
    }
  }
  m->ndim = n;
}

static void move_bring(kr_move *m, int from, int to) {
  const int64_t n = m->shape[from], s = m->src[from], t = m->dst[from];
  const int step = from < to ? 1 : -1;
  for (int d = from; d != to; d += step) {
    m->shape[d] = m->shape[d + step];
    m->src[d] = m->src[d + step];
    m->dst[d] = m->dst[d + step];
  }
  m->shape[to] = n;
  m->src[to] = s;
  m->dst[to] = t;
}

/* Cuts dimension d into chunks of `chunk`: the whole chunks become an outermost dimension and are run by the caller's
 * move; what remains is run here. */
static void move_cut(int threads, kr_move *m, int d, int64_t chunk, char *dst, const char *src);

static void move_planes(int threads, kr_move *m, char *dst, const char *src) {
  if (m->shape[m->ndim - 1] >= 2 * MOVE_GRAIN) move_cut(threads, m, m->ndim - 1, MOVE_GRAIN, dst, src);
  const int64_t rows = kr_max(64, kr_round_up(MOVE_GRAIN / m->shape[m->ndim - 1], 64));
  if (m->shape[m->ndim - 2] >= 2 * rows) move_cut(threads, m, m->ndim - 2, rows, dst, src);
  move_job job = {m, dst, src, 1, 1};
  for (int d = 0; d < m->ndim - 2; ++d) job.planes *= m->shape[d];
  const int64_t plane = m->shape[m->ndim - 2] * m->shape[m->ndim - 1];
  job.group = kr_min(job.planes, kr_ceil_div(MOVE_GRAIN, plane));
  const int64_t tasks = kr_ceil_div(job.planes, job.group);
  if (tasks <= 1) move_task(&job, 0, 0);
  else kr_parallel(threads, tasks, move_task, &job);
}

static void move_cut(int threads, kr_move *m, int d, int64_t chunk, char *dst, const char *src) {
  const int64_t whole = m->shape[d] / chunk, rest = m->shape[d] % chunk;
  if (rest) {
    kr_move tail = *m;
    tail.shape[d] = rest;
    const int64_t skip = whole * chunk * m->size;
    move_planes(threads, &tail, dst + skip * m->dst[d], src + skip * m->src[d]);
  }
  m->shape[d] = chunk;
  const int64_t s = m->src[d] * chunk, t = m->dst[d] * chunk;
  move_push(m, whole, s, t);
  move_bring(m, m->ndim - 1, 0);
}

/* Runs the move.  `dst` and `src` point at the box's first element. */
static void move_run(int threads, kr_move *m, void *dst, const void *src) {
  for (int d = 0; d < m->ndim; ++d)
    if (m->shape[d] == 0) return;
  move_merge(m);
  while (m->ndim < 2) {
    move_push(m, 1, 1, 1);
    move_bring(m, m->ndim - 1, 0);
  }
  const int b = m->ndim - 1;
  /* The loop that walks the source's memory goes next to the innermost one, which walks the destination's: both then
   * run inside a tile. */
  if (m->src[b] != 1 && m->dst[b] == 1)
    for (int d = 0; d < b - 1; ++d)
      if (m->src[d] == 1) {
        move_bring(m, d, b - 1);
        break;
      }
  /* Rows that are copied whole want many of them in the second loop, which costs less to go round than the outer ones. */
  if (m->src[b] == 1 && m->dst[b] == 1 && m->shape[b - 1] < 8) {
    int longest = b - 1;
    for (int d = 0; d < b - 1; ++d)
      if (m->shape[d] > m->shape[longest]) longest = d;
    move_bring(m, longest, b - 1);
  }
  move_planes(threads, m, dst, src);
}

/* A contiguous copy of `bytes`, in parallel where that pays. */
static void move_bytes(int threads, void *dst, const void *src, int64_t bytes) {
  kr_move m = {.size = 1};
  if (bytes % 8 == 0) {
    m.size = 8;
    bytes /= 8;
  }
  move_push(&m, bytes, 1, 1);
  move_run(threads, &m, dst, src);
}

#endif
