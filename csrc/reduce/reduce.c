/* Reductions over any set of axes: sum, mean, sum_square, prod, max, min, all, any, count_nonzero.
 *
 *   in[0]   x, any shape           out[0]   the dimensions that are kept, in order (sizes 1 for the others do no harm)
 *   i[0]    the axes to reduce, bit d for dimension d
 *
 * With a second attribute i[1] = 1 they stop after the first pass: out[0] has a row of what is kept for each chunk of the
 * reduced dimensions, which must be the leading ones.  A second call over the first dimension of out (of sum for
 * sum_square and count_nonzero, else of the same) comes to the bits of one call for all.
 *
 * out may not overlap in.  Accuracy of sums in floating point: with u the unit roundoff, the error is at most about
 * 80 (1 + log64(n)) u sum|x|, and near u sqrt(log n) sum|x| in practice.  (A pass shortens what is left at least 64
 * times.  Rows: see row().  Columns: 8 rows at a time in a tree; after glueing, at most 16 such blocks in sequence, then
 * at most 65 for what was glued.)  max and min give NaN where there is one.  An empty sum is 0, an empty product 1, an
 * empty mean NaN; infer refuses an empty max or min.  Integers wrap.
 */
#include "driver.h"
#include "gemm/core.h"
#include "op.h"

enum { SHORT_TILE = 128 }; /* short rows that are transposed at a time */
#define CHUNKED(c) ((c)->n_i > 1 && (c)->i[1])

/* A kernel from two sets of loops: `first` on elements of type in, `rest` on accumulators of type acc.  The loops are
 * the functions <first>_rows, <first>_cols and so on. */
#define KERNEL(name, in, acc, first, rest, finish) KERNEL_(name, in, acc, first, rest, finish)
#define KERNEL_(name, in, acc, first, rest, finish)                                                 \
  static kr_status name##_kernel(const kr_call *c) {                                                \
    static const kr_reduction r = {                                                                 \
        {sizeof(in), first##_rows, first##_cols}, {sizeof(acc), rest##_rows, rest##_cols}, finish}; \
    return CHUNKED(c) ? kr_reduce_chunks(c, &r) : kr_reduce_run(c, &r);                             \
  }                                                                                                 \
  static size_t name##_scratch(const kr_call *c) { return kr_reduce_scratch(c, sizeof(acc)); }

#define KR_REAL 32
#include "base/real.h"
#include "gemm/pack.h"
#include "reduce_body.h"
#undef KR_REAL
#define KR_REAL 64
#include "base/real.h"
#include "gemm/pack.h"
#include "reduce_body.h"
#undef KR_REAL

/* Loops whose operation is associative, so that the compiler may vectorise them as it likes: a is the accumulator of
 * type A, v the element. */
#define LOOPS(name, T, A, START, STEP)                                                   \
  static void name##_rows(const void *from, int64_t rows, int64_t n, void *to) {         \
    for (int64_t r = 0; r < rows; ++r) {                                                 \
      const T *x = (const T *)from + r * n;                                              \
      A a = START;                                                                       \
      for (int64_t k = 0; k < n; ++k) {                                                  \
        T v = x[k];                                                                      \
        a = (A)(STEP);                                                                   \
      }                                                                                  \
      ((A *)to)[r] = a;                                                                  \
    }                                                                                    \
  }                                                                                      \
  static void name##_cols(const void *from, int64_t n, int64_t s, int64_t m, void *to) { \
    A *restrict y = to;                                                                  \
    for (int64_t j = 0; j < m; ++j) y[j] = START;                                        \
    for (int64_t r = 0; r < n; ++r) {                                                    \
      const T *x = (const T *)from + r * s;                                              \
      for (int64_t j = 0; j < m; ++j) {                                                  \
        A a = y[j];                                                                      \
        T v = x[j];                                                                      \
        y[j] = (A)(STEP);                                                                \
      }                                                                                  \
    }                                                                                    \
  }

/* Unsigned arithmetic: overflow wraps and is defined. */
LOOPS(sum_i32, int32_t, int32_t, 0, (uint32_t)a + (uint32_t)v)
LOOPS(sum_i64, int64_t, int64_t, 0, (uint64_t)a + (uint64_t)v)
LOOPS(prod_i32, int32_t, int32_t, 1, (uint32_t)a *(uint32_t)v)
LOOPS(prod_i64, int64_t, int64_t, 1, (uint64_t)a *(uint64_t)v)
LOOPS(max_i32, int32_t, int32_t, INT32_MIN, v > a ? v : a)
LOOPS(max_i64, int64_t, int64_t, INT64_MIN, v > a ? v : a)
LOOPS(min_i32, int32_t, int32_t, INT32_MAX, v < a ? v : a)
LOOPS(min_i64, int64_t, int64_t, INT64_MAX, v < a ? v : a)
LOOPS(any_bool, uint8_t, uint8_t, 0, a | (v != 0))
LOOPS(all_bool, uint8_t, uint8_t, 1, a &(v != 0))
LOOPS(any_i32, int32_t, uint8_t, 0, a | (v != 0))
LOOPS(all_i32, int32_t, uint8_t, 1, a &(v != 0))
LOOPS(any_i64, int64_t, uint8_t, 0, a | (v != 0))
LOOPS(all_i64, int64_t, uint8_t, 1, a &(v != 0))
LOOPS(any_f32, float, uint8_t, 0, a | (v != 0))
LOOPS(all_f32, float, uint8_t, 1, a &(v != 0))
LOOPS(any_f64, double, uint8_t, 0, a | (v != 0))
LOOPS(all_f64, double, uint8_t, 1, a &(v != 0))
LOOPS(count_bool, uint8_t, int32_t, 0, a + (v != 0))
LOOPS(count_i32, int32_t, int32_t, 0, a + (v != 0))
LOOPS(count_i64, int64_t, int32_t, 0, a + (v != 0))
LOOPS(count_f32, float, int32_t, 0, a + (v != 0))
LOOPS(count_f64, double, int32_t, 0, a + (v != 0))

KERNEL(sum_i32, int32_t, int32_t, sum_i32, sum_i32, NULL)
KERNEL(sum_i64, int64_t, int64_t, sum_i64, sum_i64, NULL)
KERNEL(prod_i32, int32_t, int32_t, prod_i32, prod_i32, NULL)
KERNEL(prod_i64, int64_t, int64_t, prod_i64, prod_i64, NULL)
KERNEL(max_i32, int32_t, int32_t, max_i32, max_i32, NULL)
KERNEL(max_i64, int64_t, int64_t, max_i64, max_i64, NULL)
KERNEL(min_i32, int32_t, int32_t, min_i32, min_i32, NULL)
KERNEL(min_i64, int64_t, int64_t, min_i64, min_i64, NULL)
KERNEL(any_bool, uint8_t, uint8_t, any_bool, any_bool, NULL)
KERNEL(all_bool, uint8_t, uint8_t, all_bool, all_bool, NULL)
KERNEL(any_i32, int32_t, uint8_t, any_i32, any_bool, NULL)
KERNEL(all_i32, int32_t, uint8_t, all_i32, all_bool, NULL)
KERNEL(any_i64, int64_t, uint8_t, any_i64, any_bool, NULL)
KERNEL(all_i64, int64_t, uint8_t, all_i64, all_bool, NULL)
KERNEL(any_f32, float, uint8_t, any_f32, any_bool, NULL)
KERNEL(all_f32, float, uint8_t, all_f32, all_bool, NULL)
KERNEL(any_f64, double, uint8_t, any_f64, any_bool, NULL)
KERNEL(all_f64, double, uint8_t, all_f64, all_bool, NULL)
KERNEL(count_bool, uint8_t, int32_t, count_bool, sum_i32, NULL)
KERNEL(count_i32, int32_t, int32_t, count_i32, sum_i32, NULL)
KERNEL(count_i64, int64_t, int32_t, count_i64, sum_i32, NULL)
KERNEL(count_f32, float, int32_t, count_f32, sum_i32, NULL)
KERNEL(count_f64, double, int32_t, count_f64, sum_i32, NULL)

#define ENTRY(op, dtype, function) {op, dtype, function##_kernel, function##_scratch}

KR_TABLE(reduce) = {ENTRY("sum", KR_F32, sum_f32), ENTRY("sum", KR_F64, sum_f64), ENTRY("sum", KR_I32, sum_i32),
                    ENTRY("sum", KR_I64, sum_i64), ENTRY("mean", KR_F32, mean_f32), ENTRY("mean", KR_F64, mean_f64),
                    ENTRY("sum_square", KR_F32, sum_square_f32), ENTRY("sum_square", KR_F64, sum_square_f64),
                    ENTRY("prod", KR_F32, prod_f32), ENTRY("prod", KR_F64, prod_f64), ENTRY("prod", KR_I32, prod_i32),
                    ENTRY("prod", KR_I64, prod_i64), ENTRY("max", KR_F32, max_f32), ENTRY("max", KR_F64, max_f64),
                    ENTRY("max", KR_I32, max_i32), ENTRY("max", KR_I64, max_i64), ENTRY("max", KR_BOOL, any_bool),
                    ENTRY("min", KR_F32, min_f32), ENTRY("min", KR_F64, min_f64), ENTRY("min", KR_I32, min_i32),
                    ENTRY("min", KR_I64, min_i64), ENTRY("min", KR_BOOL, all_bool),
                    /* any and all give bool; NaN counts as true. */
                    ENTRY("any", KR_BOOL, any_bool), ENTRY("any", KR_I32, any_i32), ENTRY("any", KR_I64, any_i64),
                    ENTRY("any", KR_F32, any_f32), ENTRY("any", KR_F64, any_f64), ENTRY("all", KR_BOOL, all_bool),
                    ENTRY("all", KR_I32, all_i32), ENTRY("all", KR_I64, all_i64), ENTRY("all", KR_F32, all_f32),
                    ENTRY("all", KR_F64, all_f64),
                    /* count_nonzero gives int32. */
                    ENTRY("count_nonzero", KR_BOOL, count_bool), ENTRY("count_nonzero", KR_I32, count_i32),
                    ENTRY("count_nonzero", KR_I64, count_i64), ENTRY("count_nonzero", KR_F32, count_f32),
                    ENTRY("count_nonzero", KR_F64, count_f64), KR_TABLE_END};
