/* Running sums and products along an axis, and the first-order recurrence that their gradients need.
 *
 *   cumsum, cumprod     in[0] x                 out[0] y, the shape of x
 *                       y_k = y_{k-1} + x_k     (reverse: y_k = y_{k+1} + x_k; cumprod: times)
 *   linear_scan         in[0] a, in[1] b        out[0] s, the shape of both
 *                       s_k = b_k + a_k s_{k-1}         with s_{-1} = 0
 *                       reverse: s_k = b_k + a_{k+1} s_{k+1}       with s_n = 0
 *   i[0]    the axis            i[1]    1 for reverse
 *
 * out may be in[0] (cumsum, cumprod) or in[1] (linear_scan).  Elements are taken one after the other, so a running sum
 * carries at most n - 1 roundings.  Rows are independent: they are what is done in parallel, and side by side, transposed
 * piece by piece or in registers (scan_rows.h), since a sum waits for the one before. */
#include "gemm/turn.h"
#include "shape/move.h"

#define WORK 32768
#define TILE 1024
#define LEAST 64 /* columns of a task; fewer than TILE where threads would be idle, which no bit shows */
enum { SIDE = 64, PIECE = 64, FEW = 8 }; /* rows side by side, elements of a piece of them, too few rows for that */

typedef struct {
  const void *a, *b;
  void *y;
  int64_t outer, n, inner, group, tile, tiles; /* tile: columns of a task */
  int reverse;
} scan_job;

static scan_job scan_shape(const kr_call *c) {
  const kr_array *x = &c->in[0];
  int axis = (int)c->i[0];
  scan_job j = {.a = x->data, .b = c->n_in > 1 ? c->in[1].data : NULL, .y = c->out[0].data, .reverse = (int)c->i[1]};
  j.outer = kr_span(x, 0, axis);
  j.n = x->shape[axis];
  j.inner = kr_span(x, axis + 1, x->ndim);
  const int64_t threads = kr_min(c->threads, j.outer * j.n * j.inner / WORK);
  const int64_t shares = kr_max(1, kr_ceil_div(threads, kr_max(1, j.outer)));
  j.tile = kr_min(TILE, kr_max(LEAST, kr_round_up(kr_ceil_div(j.inner, shares), LEAST)));
  j.tiles = kr_ceil_div(j.inner, j.tile);
  j.group = j.tiles == 1 ? kr_max(1, WORK / kr_max(1, j.n * j.inner)) : 1;
  if (j.inner == 1 && j.outer >= SIDE) j.group = kr_max(j.group, SIDE / 4);
  return j;
}

#if defined(KR_HAS_TURN_BACK)
#define KR_REAL 32
#include "base/real.h"
#include "scan_rows.h"
#undef KR_REAL
#define KR_REAL 64
#include "base/real.h"
#include "scan_rows.h"
#undef KR_REAL
/* Of m rows from number `row` on, as many as fill vectors; how many that are. */
#define SCAN_ROWS(name, T, S, lanes, product)                             \
  static int64_t name##_rows(const scan_job *j, int64_t row, int64_t m) { \
    int64_t done = 0;                                                     \
    for (; done + lanes <= m; done += lanes) {                            \
      const T *x = (const T *)j->a + (row + done) * j->n;                 \
      T *y = (T *)j->y + (row + done) * j->n;                             \
      if (j->reverse) scan_rows_##S(x, y, j->n, 1, product);              \
      else scan_rows_##S(x, y, j->n, 0, product);                         \
    }                                                                     \
    return done;                                                          \
  }
#else
#define SCAN_ROWS(name, T, S, lanes, product) \
  static int64_t name##_rows(KR_UNUSED const scan_job *j, KR_UNUSED int64_t row, KR_UNUSED int64_t m) { return 0; }
#endif

/* m rows from number `row` on, for what starts with x itself. */
#define SCAN_SIDE(name, T, NEXT)                                                                  \
  static void name##_side(const scan_job *j, int64_t row, int64_t m) {                            \
    T KR_ALIGNED block[PIECE * SIDE], carry[SIDE];                                                \
    const T *x = (const T *)j->a + row * j->n;                                                    \
    T *y = (T *)j->y + row * j->n;                                                                \
    for (int64_t at = 0; at < j->n; at += PIECE) {                                                \
      const int64_t count = kr_min(PIECE, j->n - at), from = j->reverse ? j->n - at - count : at; \
      const int64_t step = j->reverse ? -SIDE : SIDE;                                             \
      move_turned(sizeof(T), block, SIDE, x + from, j->n, count, m);                              \
      T *a = block + (j->reverse ? count - 1 : 0) * SIDE;                                         \
      const T *before = carry;                                                                    \
      for (int64_t k = 0; k < count; ++k, before = a, a += step)                                  \
        if (at + k > 0)                                                                           \
          for (int64_t q = 0; q < m; ++q) {                                                       \
            const T last = before[q];                                                             \
            a[q] = (T)(NEXT);                                                                     \
          }                                                                                       \
      memcpy(carry, before, (size_t)m * sizeof(T));                                               \
      move_turned(sizeof(T), y + from, j->n, block, SIDE, m, count);                              \
    }                                                                                             \
  }

/* FIRST gives the value at the end where the scan starts, NEXT at k from its neighbour `last`; `step` elements lead
 * from the neighbour to k in the direction of the scan, and `couple` is the a_k of the header's formula. */
#define SCAN(name, T, FIRST, NEXT, ROWS, SIDE_BY_SIDE)                                                        \
  static void name##_task(void *arg, int64_t task, int worker) {                                              \
    (void)worker;                                                                                             \
    const scan_job *j = arg;                                                                                  \
    int64_t c = task % j->tiles * j->tile, m = kr_min(j->tile, j->inner - c), o = task / j->tiles * j->group; \
    int64_t step = j->reverse ? -j->inner : j->inner, end = kr_min(j->outer, o + j->group);                   \
    int64_t (*turned)(const scan_job *, int64_t, int64_t) = ROWS;                                             \
    void (*side)(const scan_job *, int64_t, int64_t) = SIDE_BY_SIDE;                                          \
    if (turned && j->inner == 1) o += turned(j, o, end - o);                                                  \
    for (int64_t rows; side && j->inner == 1 && j->n >= FEW && end - o >= FEW; o += rows) {                   \
      rows = kr_min(SIDE, end - o);                                                                           \
      side(j, o, rows);                                                                                       \
    }                                                                                                         \
    for (; o < end; ++o) {                                                                                    \
      int64_t start = o * j->n * j->inner + c + (j->reverse ? (j->n - 1) * j->inner : 0);                     \
      const T *a = (const T *)j->a + start, *b = j->b ? (const T *)j->b + start : NULL;                       \
      T *y = (T *)j->y + start;                                                                               \
      (void)b;                                                                                                \
      for (int64_t q = 0; q < m; ++q) y[q] = (T)(FIRST);                                                      \
      T last = y[0]; /* of a single column stays in a register */                                             \
      for (int64_t k = 1; k < j->n; ++k) {                                                                    \
        const T *couple = j->reverse ? a : a + step;                                                          \
        (void)couple;                                                                                         \
        a += step, y += step, b = b ? b + step : NULL;                                                        \
        for (int64_t q = 0; q < m; ++q) {                                                                     \
          if (m > 1) last = y[q - step];                                                                      \
          y[q] = last = (T)(NEXT);                                                                            \
        }                                                                                                     \
      }                                                                                                       \
    }                                                                                                         \
  }                                                                                                           \
  static kr_status name##_kernel(const kr_call *c) {                                                          \
    scan_job j = scan_shape(c);                                                                               \
    if (kr_size(&c->out[0]) == 0) return KR_OK;                                                               \
    kr_parallel(c->threads, kr_ceil_div(j.outer, j.group) * j.tiles, name##_task, &j);                        \
    return KR_OK;                                                                                             \
  }

#define RUNNING(name, T, NEXT, ROWS) \
  SCAN_SIDE(name, T, NEXT)           \
  SCAN(name, T, a[q], NEXT, ROWS, name##_side)
SCAN_ROWS(cumsum_f32, float, f32, KR_F32_LANES, 0)
SCAN_ROWS(cumsum_f64, double, f64, KR_F64_LANES, 0)
SCAN_ROWS(cumprod_f32, float, f32, KR_F32_LANES, 1)
SCAN_ROWS(cumprod_f64, double, f64, KR_F64_LANES, 1)
RUNNING(cumsum_f32, float, last + a[q], cumsum_f32_rows)
RUNNING(cumsum_f64, double, last + a[q], cumsum_f64_rows)
RUNNING(cumsum_i32, int32_t, (uint32_t)last + (uint32_t)a[q], NULL)
RUNNING(cumsum_i64, int64_t, (uint64_t)last + (uint64_t)a[q], NULL)
RUNNING(cumprod_f32, float, a[q] * last, cumprod_f32_rows)
RUNNING(cumprod_f64, double, a[q] * last, cumprod_f64_rows)
RUNNING(cumprod_i32, int32_t, (uint32_t)a[q] * (uint32_t)last, NULL)
RUNNING(cumprod_i64, int64_t, (uint64_t)a[q] * (uint64_t)last, NULL)
SCAN(linear_scan_f32, float, b[q], b[q] + couple[q] * last, NULL, NULL)
SCAN(linear_scan_f64, double, b[q], b[q] + couple[q] * last, NULL, NULL)

KR_TABLE(scan) = {{"cumsum", KR_F32, cumsum_f32_kernel, NULL},
                  {"cumsum", KR_F64, cumsum_f64_kernel, NULL},
                  {"cumsum", KR_I32, cumsum_i32_kernel, NULL},
                  {"cumsum", KR_I64, cumsum_i64_kernel, NULL},
                  {"cumprod", KR_F32, cumprod_f32_kernel, NULL},
                  {"cumprod", KR_F64, cumprod_f64_kernel, NULL},
                  {"cumprod", KR_I32, cumprod_i32_kernel, NULL},
                  {"cumprod", KR_I64, cumprod_i64_kernel, NULL},
                  {"linear_scan", KR_F32, linear_scan_f32_kernel, NULL},
                  {"linear_scan", KR_F64, linear_scan_f64_kernel, NULL},
                  KR_TABLE_END};
