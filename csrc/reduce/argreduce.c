/* argmax and argmin over one axis or over neighbouring ones: the index of the first extreme element.
 *
 *   in[0]   x, any shape           out[0]   int32 (outer, inner): index within the reduced dimensions
 *   i[0]    first reduced dimension        i[1]    one past the last
 *
 * A NaN counts as the extreme, the first one wins, and 0 equals -0, as in NumPy.  infer refuses an empty reduction. */
#include "base/kernel.h"
#include "op.h"

enum { ARG_BLOCK = 4 };   /* vectors of a row whose extreme is taken at a time */
enum { ARG_TURNED = 32 }; /* vectors of the longest rows that are compared side by side */
enum { ARG_ROWS = 4 };    /* rows that are compared between loads and stores of the extremes of columns */
#define WORK 32768        /* elements of a task */
#define TILE 1024         /* columns that are compared side by side */

typedef struct {
  const void *x;
  int32_t *y, *partial;
  int64_t outer, n, inner, segments, length, group, tiles;
} arg_job;

/* Reductions too few to go round are cut into segments, as many as threads can use: an index has no rounding that would
 * show it. */
static arg_job arg_shape(const kr_call *c) {
  const kr_array *x = &c->in[0];
  arg_job j = {.x = x->data, .y = c->out[0].data, .partial = c->scratch};
  j.outer = kr_span(x, 0, (int)c->i[0]);
  j.n = kr_span(x, (int)c->i[0], (int)c->i[1]);
  j.inner = kr_span(x, (int)c->i[1], x->ndim);
  j.tiles = kr_ceil_div(j.inner, TILE);
  const int64_t tasks = c->threads > 1 ? 2 * c->threads : 1;
  const int64_t most = j.n * kr_min(j.inner, TILE) / WORK;
  j.segments = kr_max(1, kr_min(most, kr_ceil_div(tasks, kr_max(1, j.outer * j.tiles))));
  j.length = kr_ceil_div(j.n, j.segments);
  j.segments = kr_ceil_div(j.n, kr_max(1, j.length));
  j.group = j.tiles == 1 && j.segments == 1 ? kr_max(1, WORK / kr_max(1, j.n * j.inner)) : 1;
  return j;
}

static size_t arg_scratch(const kr_call *c) {
  arg_job j = arg_shape(c);
  return j.segments > 1 ? (size_t)(j.outer * j.segments * j.inner) * sizeof(int32_t) : 0;
}

/* Is v a better extreme than best?  A NaN beats everything but an earlier NaN; v != v is false for integers. */
#define BETTER_MAX(v, best) (((v) > (best)) | (((v) != (v)) & ((best) == (best))))
#define BETTER_MIN(v, best) (((v) < (best)) | (((v) != (v)) & ((best) == (best))))

#define KR_REAL 32
#include "base/real.h"
#include "argreduce_body.h"
#undef KR_REAL
#define KR_REAL 64
#include "base/real.h"
#include "argreduce_body.h"
#undef KR_REAL

/* Integers.  Of rows only blocks that improve on the extreme so far are searched for the place. */
#define ARG_INTEGER(name, T, BETTER)                                                 \
  static int64_t name##_row(const T *x, int64_t n) {                                 \
    int64_t at = 0;                                                                  \
    T best = x[0];                                                                   \
    for (int64_t b = 0; b < n; b += 64) {                                            \
      int64_t m = kr_min(64, n - b);                                                 \
      int hit = 0;                                                                   \
      for (int64_t k = 0; k < m; ++k) hit |= BETTER(x[b + k], best);                 \
      if (!hit) continue;                                                            \
      for (int64_t k = b; k < b + m; ++k)                                            \
        if (BETTER(x[k], best)) {                                                    \
          best = x[k];                                                               \
          at = k;                                                                    \
        }                                                                            \
    }                                                                                \
    return at;                                                                       \
  }                                                                                  \
  static void name##_rows(const T *x, int64_t rows, int64_t n, int32_t *y) {         \
    for (int64_t r = 0; r < rows; ++r) y[r] = (int32_t)name##_row(x + r * n, n);     \
  }                                                                                  \
  static void name##_cols(const T *x, int64_t n, int64_t s, int64_t m, int32_t *y) { \
    T best[TILE];                                                                    \
    memcpy(best, x, (size_t)m * sizeof(T));                                          \
    memset(y, 0, (size_t)m * sizeof *y);                                             \
    for (int64_t r = 1; r < n; ++r)                                                  \
      for (int64_t k = 0; k < m; ++k) {                                              \
        T v = x[r * s + k], b = best[k];                                             \
        int better = BETTER(v, b);                                                   \
        best[k] = better ? v : b;                                                    \
        y[k] = better ? (int32_t)r : y[k];                                           \
      }                                                                              \
  }

#define ARG(name, T, BETTER)                                                                                  \
  static void name##_task(void *arg, int64_t task, int worker) {                                              \
    (void)worker;                                                                                             \
    const arg_job *j = arg;                                                                                   \
    const int64_t q = task % j->segments, tile = task / j->segments % j->tiles, c = tile * TILE;              \
    const int64_t first = task / j->segments / j->tiles * j->group, end = kr_min(j->outer, first + j->group); \
    const int64_t from = q * j->length, n = kr_min(j->length, j->n - from);                                   \
    const T *x = (const T *)j->x + (first * j->n + from) * j->inner + c;                                      \
    int32_t *y = (j->segments > 1 ? j->partial : j->y) + (first * j->segments + q) * j->inner + c;            \
    if (j->inner == 1) {                                                                                      \
      name##_rows(x, end - first, n, y);                                                                      \
      return;                                                                                                 \
    }                                                                                                         \
    for (int64_t o = first; o < end; ++o, x += j->n * j->inner, y += j->inner)                                \
      name##_cols(x, n, j->inner, kr_min(TILE, j->inner - c), y);                                             \
  }                                                                                                           \
  /* The best of the segments' places. */                                                                     \
  static void name##_join(const arg_job *j, int64_t o) {                                                      \
    const T *x = (const T *)j->x + o * j->n * j->inner;                                                       \
    const int32_t *partial = j->partial + o * j->segments * j->inner;                                         \
    for (int64_t k = 0; k < j->inner; ++k) {                                                                  \
      int64_t at = partial[k];                                                                                \
      for (int64_t q = 1; q < j->segments; ++q) {                                                             \
        int64_t next = q * j->length + partial[q * j->inner + k];                                             \
        if (BETTER(x[next * j->inner + k], x[at * j->inner + k])) at = next;                                  \
      }                                                                                                       \
      j->y[o * j->inner + k] = (int32_t)at;                                                                   \
    }                                                                                                         \
  }                                                                                                           \
  static kr_status name##_kernel(const kr_call *c) {                                                          \
    arg_job j = arg_shape(c);                                                                                 \
    if (j.outer == 0 || j.inner == 0) return KR_OK;                                                           \
    if (j.n == 0) return KR_EINTERNAL;                                                                        \
    kr_parallel(c->threads, kr_ceil_div(j.outer, j.group) * j.tiles * j.segments, name##_task, &j);           \
    for (int64_t o = 0; j.segments > 1 && o < j.outer; ++o) name##_join(&j, o);                               \
    return KR_OK;                                                                                             \
  }

ARG(argmax_f32, float, BETTER_MAX)
ARG(argmin_f32, float, BETTER_MIN)
ARG(argmax_f64, double, BETTER_MAX)
ARG(argmin_f64, double, BETTER_MIN)
ARG_INTEGER(argmax_i32, int32_t, BETTER_MAX)
ARG(argmax_i32, int32_t, BETTER_MAX)
ARG_INTEGER(argmin_i32, int32_t, BETTER_MIN)
ARG(argmin_i32, int32_t, BETTER_MIN)
ARG_INTEGER(argmax_i64, int64_t, BETTER_MAX)
ARG(argmax_i64, int64_t, BETTER_MAX)
ARG_INTEGER(argmin_i64, int64_t, BETTER_MIN)
ARG(argmin_i64, int64_t, BETTER_MIN)
ARG_INTEGER(argmax_bool, uint8_t, BETTER_MAX)
ARG(argmax_bool, uint8_t, BETTER_MAX)
ARG_INTEGER(argmin_bool, uint8_t, BETTER_MIN)
ARG(argmin_bool, uint8_t, BETTER_MIN)

KR_TABLE(argreduce) = {{"argmax", KR_F32, argmax_f32_kernel, arg_scratch},
                       {"argmin", KR_F32, argmin_f32_kernel, arg_scratch},
                       {"argmax", KR_F64, argmax_f64_kernel, arg_scratch},
                       {"argmin", KR_F64, argmin_f64_kernel, arg_scratch},
                       {"argmax", KR_I32, argmax_i32_kernel, arg_scratch},
                       {"argmin", KR_I32, argmin_i32_kernel, arg_scratch},
                       {"argmax", KR_I64, argmax_i64_kernel, arg_scratch},
                       {"argmin", KR_I64, argmin_i64_kernel, arg_scratch},
                       {"argmax", KR_BOOL, argmax_bool_kernel, arg_scratch},
                       {"argmin", KR_BOOL, argmin_bool_kernel, arg_scratch},
                       KR_TABLE_END};
