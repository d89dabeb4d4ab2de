/* The kernels that move, gather and resample elements, on the active ISA, against plain loops; the same kernels meet
 * NumPy in tests/kernels/test_shape.py and test_gather.py. */
#include <math.h>
#include <string.h>

#include "check.h"
#include "kr.h"

enum { MOST = 70 * 70 * 8 };
static unsigned char x[MOST * 8], y[MOST * 8], z[MOST * 8];
static const int dtypes[] = {KR_U8, KR_F16, KR_F32, KR_F64};
static const int64_t sizes[] = {1, 2, 4, 8};

static kr_array array(void *data, int dtype, int ndim, const int64_t *shape) {
  kr_array a = {.data = data, .dtype = dtype, .ndim = ndim};
  for (int d = 0; d < KR_MAX_NDIM; ++d) a.shape[d] = d < ndim ? shape[d] : 1;
  return a;
}

static kr_status run(const char *name, int dtype, const kr_array *in, int n_in, kr_array *out, const int64_t *i,
                     int n_i, const double *f, int n_f, kr_error *error) {
  const kr_kernel *k = kr_find(name, (kr_dtype)dtype);
  CHECK(k, "no kernel %s", name);
  if (!k) return KR_EINTERNAL;
  kr_call c = {.in = in,
               .out = out,
               .i = i,
               .f = f,
               .error = error,
               .n_in = n_in,
               .n_out = 1,
               .n_i = n_i,
               .n_f = n_f,
               .threads = 2};
  c.scratch = k->scratch ? kr_alloc(k->scratch(&c)) : NULL;
  const kr_status s = k->fn(&c);
  kr_free(c.scratch);
  return s;
}

static void fill(void) {
  uint64_t state = 1;
  for (size_t j = 0; j < sizeof x; ++j) x[j] = (unsigned char)check_random(&state);
}

/* Every pair of sides around the squares, and a middle dimension that stays between two that change places. */
static void check_transpose(void) {
  static const int64_t sides[] = {1, 3, 4, 7, 8, 9, 15, 16, 17, 63, 64, 65};
  kr_error error;
  for (int t = 0; t < 4; ++t)
    for (int a = 0; a < 12; ++a)
      for (int b = 0; b < 12; ++b)
        for (int64_t mid = 1; mid <= 3; mid += 2) {
          const int64_t m = sides[a], n = sides[b], s = sizes[t];
          const int64_t from[] = {m, mid, n}, to[] = {n, mid, m}, perm[] = {2, 1, 0};
          kr_array in = array(x, dtypes[t], 3, from), out = array(y, dtypes[t], 3, to);
          CHECK(run("transpose", dtypes[t], &in, 1, &out, perm, 3, NULL, 0, &error) == KR_OK, "transpose");
          int wrong = 0;
          for (int64_t i = 0; i < m; ++i)
            for (int64_t k = 0; k < mid; ++k)
              for (int64_t j = 0; j < n; ++j)
                wrong += memcmp(x + ((i * mid + k) * n + j) * s, y + ((j * mid + k) * m + i) * s, (size_t)s) != 0;
          CHECK(!wrong, "transpose of %d x %d x %d, %d bytes: %d wrong", (int)m, (int)mid, (int)n, (int)s, wrong);
        }
}

/* A strided box out of a matrix, back into zeros, and padding that undoes a cut. */
static void check_boxes(void) {
  const int64_t whole[] = {40, 33}, part[] = {13, 16}, box[] = {38, 1, -3, 2, 13, 16};
  kr_error error;
  for (int t = 0; t < 4; ++t) {
    const int64_t s = sizes[t];
    kr_array a = array(x, dtypes[t], 2, whole), b = array(y, dtypes[t], 2, part), c = array(z, dtypes[t], 2, whole);
    CHECK(run("strided_slice", dtypes[t], &a, 1, &b, box, 6, NULL, 0, &error) == KR_OK, "strided_slice");
    CHECK(run("strided_slice_grad", dtypes[t], &b, 1, &c, box, 6, NULL, 0, &error) == KR_OK, "strided_slice_grad");
    static const unsigned char zero[8];
    for (int64_t i = 0; i < 40; ++i)
      for (int64_t j = 0; j < 33; ++j) {
        const int inside = i >= 2 && (38 - i) % 3 == 0 && j % 2 == 1 && j < 32;
        const unsigned char *want = inside ? x + (i * 33 + j) * s : zero;
        CHECK(memcmp(z + (i * 33 + j) * s, want, (size_t)s) == 0, "slice at %d, %d of %d bytes", (int)i, (int)j,
              (int)s);
      }
    const int64_t widths[] = {2, 1, 0}, wide[] = {45, 35};
    const double value = 0;
    kr_array padded = array(y, dtypes[t], 2, wide);
    memset(y, 1, sizeof y);
    CHECK(run("pad", dtypes[t], &a, 1, &padded, widths, 3, &value, 1, &error) == KR_OK, "pad");
    for (int64_t i = 0; i < 45; ++i)
      for (int64_t j = 0; j < 35; ++j) {
        const int inside = i >= 2 && i < 42 && j >= 1 && j < 34;
        const unsigned char *want = inside ? x + ((i - 2) * 33 + j - 1) * s : zero;
        CHECK(memcmp(y + (i * 35 + j) * s, want, (size_t)s) == 0, "pad at %d, %d of %d bytes", (int)i, (int)j, (int)s);
      }
  }
}

/* Rows read and added back; an index that is out of range is reported. */
static void check_rows(void) {
  enum { ROWS = 50, WIDE = 19, COUNT = 300 };
  static float table[ROWS * WIDE], rows[COUNT * WIDE], back[ROWS * WIDE], want[ROWS * WIDE];
  static int32_t index[COUNT];
  const int64_t shape[] = {ROWS, WIDE}, count[] = {COUNT}, read[] = {COUNT, WIDE}, strict[] = {0, 0};
  kr_error error = {0};
  uint64_t state = 3;
  for (int j = 0; j < ROWS * WIDE; ++j) table[j] = (float)(check_random(&state) % 1000);
  for (int j = 0; j < COUNT; ++j) index[j] = (int32_t)(check_random(&state) % ROWS);
  kr_array in[] = {array(table, KR_F32, 2, shape), array(index, KR_I32, 1, count)}, out = array(rows, KR_F32, 2, read);
  CHECK(run("gather", KR_F32, in, 2, &out, strict, 2, NULL, 0, &error) == KR_OK, "gather");
  for (int j = 0; j < COUNT; ++j)
    for (int b = 0; b < WIDE; ++b) {
      CHECK(rows[j * WIDE + b] == table[index[j] * WIDE + b], "gather at %d, %d", j, b);
      want[index[j] * WIDE + b] += rows[j * WIDE + b];
    }
  kr_array g[] = {out, in[1]}, dx = array(back, KR_F32, 2, shape);
  CHECK(run("gather_grad", KR_F32, g, 2, &dx, strict, 2, NULL, 0, &error) == KR_OK, "gather_grad");
  CHECK(memcmp(back, want, sizeof back) == 0, "gather_grad");
  index[7] = ROWS;
  CHECK(run("gather", KR_F32, in, 2, &out, strict, 2, NULL, 0, &error) == KR_EINDEX, "an index out of range");
  CHECK(error.input == 1 && error.position == 7 && error.value == ROWS && error.limit == ROWS, "what was reported");
}

static void check_resample(void) {
  enum { N = 9, LENGTH = 14, TAPS = 3, MOST_INNER = 37 };
  static float xs[N * MOST_INNER], ys[LENGTH * MOST_INNER];
  int64_t i[2 + LENGTH] = {0, TAPS};
  double f[LENGTH * TAPS];
  kr_error error;
  uint64_t state = 5;
  for (int j = 0; j < N * MOST_INNER; ++j) xs[j] = (float)((double)(check_random(&state) >> 11) * 0x1p-53);
  for (int j = 0; j < LENGTH; ++j) i[2 + j] = j / 2 < N - TAPS ? j / 2 : N - TAPS;
  for (int j = 0; j < LENGTH * TAPS; ++j) f[j] = (double)(check_random(&state) >> 11) * 0x1p-53 - 0.5;
  for (int64_t inner = 1; inner <= MOST_INNER; ++inner) {
    const int64_t from[] = {N, inner}, to[] = {LENGTH, inner};
    kr_array in = array(xs, KR_F32, 2, from), out = array(ys, KR_F32, 2, to);
    CHECK(run("resample", KR_F32, &in, 1, &out, i, 2 + LENGTH, f, LENGTH * TAPS, &error) == KR_OK, "resample");
    for (int j = 0; j < LENGTH; ++j)
      for (int64_t b = 0; b < inner; ++b) {
        double want = 0;
        for (int t = 0; t < TAPS; ++t) want += f[j * TAPS + t] * (double)xs[(i[2 + j] + t) * inner + b];
        CHECK(fabs((double)ys[j * inner + b] - want) < 1e-6, "resample at %d, %d of %d", j, (int)b, (int)inner);
      }
  }
}

int main(void) {
  fill();
  check_transpose();
  check_boxes();
  check_rows();
  check_resample();
  return report();
}
