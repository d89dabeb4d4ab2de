/* The elementwise kernels of the active ISA where Python does not reach (under emulation, without NumPy): the elementary
 * functions against long double, broadcasting against plain loops, all float16 values there and back.  The stated
 * error bounds are tested in tests/kernels/test_elementwise.py; here 5 ULP show that nothing is broken. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "check.h"
#include "kr.h"

#define N 4099 /* no multiple of any number of lanes */

static kr_array array(void *data, int dtype, int ndim, const int64_t *shape) {
  kr_array a = {.data = data, .dtype = dtype, .ndim = ndim};
  for (int d = 0; d < KR_MAX_NDIM; ++d) a.shape[d] = d < ndim ? shape[d] : 1;
  return a;
}

static kr_status run(const char *name, int dtype, const kr_array *in, int n_in, kr_array *out, const int64_t *i) {
  const kr_kernel *k = kr_find(name, (kr_dtype)dtype);
  kr_error error;
  kr_call c = {.in = in, .out = out, .i = i, .error = &error, .n_in = n_in, .n_out = 1, .n_i = i != NULL, .threads = 2};
  CHECK(k, "no kernel %s", name);
  return k ? k->fn(&c) : KR_EINTERNAL;
}

static long double sigmoid(long double x) { return 1 / (1 + expl(-x)); }

static const struct {
  const char *name;
  long double (*fn)(long double);
  double low, high;
} functions[] = {{"exp", expl, -80, 80},     {"expm1", expm1l, -80, 80}, {"log", logl, 1e-3, 900},
                 {"log2", log2l, 1e-3, 900}, {"log10", log10l, 1e-3, 9}, {"log1p", log1pl, -0.9, 9},
                 {"sin", sinl, -9000, 9000}, {"cos", cosl, -9000, 9000}, {"tan", tanl, -900, 900},
                 {"sinh", sinhl, -80, 80},   {"cosh", coshl, -80, 80},   {"tanh", tanhl, -9, 9},
                 {"erf", erfl, -6, 6},       {"erfc", erfcl, -5, 9},     {"sigmoid", sigmoid, -80, 80}};

static void check_functions(void) {
  static float xf[N], yf[N];
  static double xd[N], yd[N];
  const int64_t shape[] = {N};
  for (size_t f = 0; f < sizeof functions / sizeof functions[0]; ++f) {
    uint64_t state = f;
    for (int j = 0; j < N; ++j) {
      double u = (double)(check_random(&state) >> 11) * 0x1p-53;
      xd[j] = functions[f].low + (functions[f].high - functions[f].low) * u;
      xf[j] = (float)xd[j];
    }
    kr_array in = array(xf, KR_F32, 1, shape), out = array(yf, KR_F32, 1, shape);
    CHECK(run(functions[f].name, KR_F32, &in, 1, &out, NULL) == KR_OK, "%s", functions[f].name);
    in = array(xd, KR_F64, 1, shape), out = array(yd, KR_F64, 1, shape);
    CHECK(run(functions[f].name, KR_F64, &in, 1, &out, NULL) == KR_OK, "%s", functions[f].name);
    for (int j = 0; j < N; ++j) {
      long double want = functions[f].fn((long double)xf[j]), error = fabsl((long double)yf[j] - want);
      CHECK(error <= 5 * FLT_EPSILON * fabsl(want), "%s(%.9g) = %.9g, not %.9g", functions[f].name, (double)xf[j],
            (double)yf[j], (double)want);
      want = functions[f].fn((long double)xd[j]), error = fabsl((long double)yd[j] - want);
      CHECK(error <= 5 * DBL_EPSILON * fabsl(want), "%s(%.17g) = %.17g, not %.17g", functions[f].name, xd[j], yd[j],
            (double)want);
    }
  }
}

/* (rows, columns) - (columns) and - (rows, 1), for columns around the lanes and KR_MAP_SHORT */
static void check_broadcasting(void) {
  enum { ROWS = 37, MOST = 57 };
  static float x[ROWS * MOST], b[MOST], y[ROWS * MOST];
  for (int columns = 1; columns <= MOST; ++columns) {
    for (int j = 0; j < ROWS * columns; ++j) x[j] = (float)j;
    for (int j = 0; j < MOST; ++j) b[j] = (float)(1000 * j);
    for (int by_row = 0; by_row < 2; ++by_row) {
      const int64_t whole[] = {ROWS, columns}, row[] = {columns}, column[] = {ROWS, 1};
      kr_array in[] = {array(x, KR_F32, 2, whole), by_row ? array(b, KR_F32, 1, row) : array(b, KR_F32, 2, column)};
      kr_array out = array(y, KR_F32, 2, whole);
      CHECK(run("subtract", KR_F32, in, 2, &out, NULL) == KR_OK, "subtract");
      for (int r = 0; r < ROWS; ++r)
        for (int k = 0; k < columns; ++k)
          CHECK(y[r * columns + k] == x[r * columns + k] - b[by_row ? k : r], "row %d, column %d of %d", r, k, columns);
    }
  }
}

static void check_halves(void) {
  static uint16_t halves[65536], back[65536];
  static float wide[65536];
  const int64_t shape[] = {65536}, to_f32 = KR_F32, to_f16 = KR_F16;
  for (int j = 0; j < 65536; ++j) halves[j] = (uint16_t)j;
  kr_array h = array(halves, KR_F16, 1, shape), w = array(wide, KR_F32, 1, shape), b = array(back, KR_F16, 1, shape);
  CHECK(run("cast", KR_F16, &h, 1, &w, &to_f32) == KR_OK, "float16 to float32");
  CHECK(run("cast", KR_F32, &w, 1, &b, &to_f16) == KR_OK, "float32 to float16");
  for (int j = 0; j < 65536; ++j) {
    int nan = (j & 0x7fff) > 0x7c00;
    CHECK(nan ? isnan(wide[j]) && (back[j] & 0x7fff) > 0x7c00 : back[j] == j, "%04x came back as %04x", j, back[j]);
  }
  CHECK(wide[0x3c00] == 1 && wide[0x0001] == 0x1p-24f && wide[0xfbff] == -65504, "float16 values");
}

int main(void) {
  check_functions();
  check_broadcasting();
  check_halves();
  return report();
}
