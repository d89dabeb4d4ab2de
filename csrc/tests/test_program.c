/* Programs: steps and places, blocks with temporaries, scratch and whole operands, what a reduction makes of each block,
 * host kernels, failures, batches with their rows, taps and exchanges.  Most kernels are this file's own, so that what is
 * tested is the runner; in exactly sized memory, so that the sanitizer sees every step beside it. */
#include <stdatomic.h>
#include <string.h>

#include "check.h"
#include "kr.h"
#include "reduce/chunk.h"

static int64_t size_of(const kr_array *a) {
  int64_t n = 1;
  for (int d = 0; d < a->ndim; ++d) n *= a->shape[d];
  return n;
}

/* y = x + v, v of one row: a block's last row may be any. */
static kr_status add_row(const kr_call *c) {
  const float *x = c->in[0].data, *v = c->in[1].data;
  float *y = c->out[0].data;
  const int64_t m = size_of(&c->in[1]);
  for (int64_t k = 0; k < size_of(&c->in[0]); ++k) y[k] = x[k] + v[k % m];
  return KR_OK;
}

/* y = f[0] x, by way of scratch. */
static size_t scale_scratch(const kr_call *c) { return (size_t)size_of(&c->in[0]) * sizeof(float); }

static kr_status scale(const kr_call *c) {
  const float *x = c->in[0].data;
  float *s = c->scratch;
  const int64_t n = size_of(&c->in[0]);
  for (int64_t k = 0; k < n; ++k) s[k] = (float)c->f[0] * x[k];
  memcpy(c->out[0].data, s, (size_t)n * sizeof(float));
  return KR_OK;
}

/* y = x, which must not be negative. */
static kr_status refuse_negative(const kr_call *c) {
  const float *x = c->in[0].data;
  for (int64_t k = 0; k < size_of(&c->in[0]); ++k) {
    if (x[k] < 0) {
      *c->error = (kr_error){.position = k, .value = (int64_t)x[k], .limit = 7, .input = 0};
      return KR_EINDEX;
    }
    ((float *)c->out[0].data)[k] = x[k];
  }
  return KR_OK;
}

static kr_array floats(int ndim, int64_t a, int64_t b) {
  kr_array x = {.dtype = KR_F32, .ndim = ndim, .shape = {a, b, 1, 1, 1, 1, 1, 1}};
  return x;
}

enum { ROWS = 37, WIDTH = 5 };

/* ---- one step after the other ---------------------------------------------------------------------------------- */

static kr_status host_called(void *user, int32_t step, kr_array *arrays) {
  *(int *)user += step == 1;
  const float *x = arrays[0].data;
  for (int64_t k = 0; k < size_of(&arrays[0]); ++k) ((float *)arrays[1].data)[k] = x[k] + 1;
  return KR_OK;
}

/* slot 1: x, slot 2: y; a temporary in the arena between a kernel and a host kernel. */
static void check_steps(void) {
  double two[] = {2};
  kr_step steps[] = {{.fn = scale, .scratch = scale_scratch, .f = two, .n_f = 1, .first = 0, .n_in = 1, .n_out = 1},
                     {.first = 2, .n_in = 1, .n_out = 1}};
  kr_array arrays[4];
  for (int k = 0; k < 4; ++k) arrays[k] = floats(2, ROWS, WIDTH);
  kr_place places[] = {{1, 0}, {0, 64}, {0, 64}, {2, 0}};
  kr_program p = {.steps = steps, .arrays = arrays, .places = places, .n_steps = 2, .n_arrays = 4};
  const size_t bytes = ROWS * WIDTH * sizeof(float);
  float *x = malloc(bytes), *y = malloc(bytes);
  for (int k = 0; k < ROWS * WIDTH; ++k) x[k] = (float)k;
  char *arena = malloc(64 + bytes), *slots[] = {arena, (char *)x, (char *)y};
  int64_t times[3] = {0};
  int called = 0;
  CHECK(kr_program_scratch(&p, 3) == bytes, "scratch is the most that a step asks for");
  kr_array bound[4];
  memcpy(bound, arrays, sizeof bound);
  kr_run r = {.arrays = bound,
              .slots = slots,
              .host = host_called,
              .user = &called,
              .times = times,
              .batches = 1,
              .threads = 2,
              .scratch = malloc(bytes)};
  CHECK(kr_program_run(&p, &r) == KR_OK && r.done == 1, "runs");
  CHECK(called == 1, "the host kernel was called %d times", called);
  CHECK(times[0] > 0 && times[0] <= times[1] && times[1] <= times[2], "clock readings");
  for (int k = 0; k < ROWS * WIDTH; ++k) CHECK(y[k] == 2 * (float)k + 1, "y[%d] = %g", k, (double)y[k]);
  free(r.scratch);
  free(arena);
  free(x);
  free(y);
}

/* ---- blocks ---------------------------------------------------------------------------------------------------- */

/* An operand that is read by rows, whole, or lies in the worker's scratch. */
static kr_local local(int32_t array, int64_t row_bytes, int64_t offset, kr_array view) {
  kr_local l = {.array = array, .row_bytes = row_bytes, .offset = offset, .view = view};
  return l;
}

enum { BLOCK = 8 };

/* Runs y = refuse_negative(2 (x + v)) in blocks of 8 rows; returns the status. */
static kr_status run_chain(float *x, float *v, float *y, int threads, kr_failure *failure) {
  const int64_t row = WIDTH * sizeof(float);
  double two[] = {2};
  kr_array block = floats(2, BLOCK, WIDTH);
  kr_local add_locals[] = {local(0, row, 0, block), local(1, 0, 0, floats(1, WIDTH, 1)), local(-1, row, 0, block)};
  kr_local scale_locals[] = {local(-1, row, 0, block), local(-1, row, 192, block)};
  kr_local last_locals[] = {local(-1, row, 192, block), local(2, row, 0, block)};
  kr_inner inner[] = {
      {.fn = add_row, .locals = add_locals, .n_in = 2, .n_out = 1},
      {.fn = scale, .scratch = scale_scratch, .locals = scale_locals, .f = two, .n_in = 1, .n_out = 1, .n_f = 1},
      {.fn = refuse_negative, .locals = last_locals, .n_in = 1, .n_out = 1}};
  kr_part part = {.rows = ROWS, .block = BLOCK, .tasks = (ROWS + BLOCK - 1) / BLOCK, .inner = inner, .n_inner = 3};
  kr_blocks blocks = {.parts = &part, .n_parts = 1, .tasks = part.tasks, .temporaries = 384};
  CHECK(kr_blocks_scratch(&blocks) == BLOCK * row, "scratch within blocks is for one block");
  blocks.scratch = blocks.temporaries + 192;
  kr_step step = {.blocks = &blocks, .n_in = 2, .n_out = 1};
  kr_array arrays[] = {floats(2, ROWS, WIDTH), floats(1, WIDTH, 1), floats(2, ROWS, WIDTH)};
  kr_place places[] = {{1, 0}, {2, 0}, {3, 0}};
  kr_program p = {.steps = &step, .arrays = arrays, .places = places, .n_steps = 1, .n_arrays = 3};
  char *slots[] = {NULL, (char *)x, (char *)v, (char *)y};
  CHECK(kr_program_scratch(&p, threads) == blocks.scratch * (size_t)threads, "each worker has scratch");
  kr_array bound[3];
  memcpy(bound, arrays, sizeof bound);
  kr_run r = {.arrays = bound,
              .slots = slots,
              .batches = 1,
              .threads = threads,
              .scratch = malloc(kr_program_scratch(&p, threads))};
  const kr_status status = kr_program_run(&p, &r);
  *failure = r.failure;
  free(r.scratch);
  return status;
}

static void check_blocks(void) {
  float *x = malloc(ROWS * WIDTH * sizeof(float)), *y = malloc(ROWS * WIDTH * sizeof(float));
  float v[WIDTH] = {1, 2, 3, 4, 5};
  kr_failure f;
  for (int threads = 1; threads <= 3; ++threads) {
    for (int k = 0; k < ROWS * WIDTH; ++k) x[k] = (float)k;
    memset(y, 0, ROWS * WIDTH * sizeof(float));
    CHECK(run_chain(x, v, y, threads, &f) == KR_OK, "a chain in blocks");
    for (int k = 0; k < ROWS * WIDTH; ++k) CHECK(y[k] == 2 * ((float)k + v[k % WIDTH]), "y[%d]", k);
    /* Two blocks fail; the earlier one is reported, at its place in the whole array. */
    x[11 * WIDTH + 2] = -50;
    x[30 * WIDTH] = -60;
    CHECK(run_chain(x, v, y, threads, &f) == KR_EINDEX, "a failure within blocks");
    CHECK(f.step == 0 && f.part == 0 && f.inner == 2, "where: %d %d %d", f.step, f.part, f.inner);
    CHECK(f.error.value == -94 && f.error.position == 11 * WIDTH + 2, "what: %d", (int)f.error.value);
  }
  free(x);
  free(y);
}

/* A sum over rows, whose first half runs in the block that makes them: the bits of the kernel of the whole. */
static void check_reduction(void) {
  enum { N = 3000, M = 24 };
  const int64_t rows = kr_reduce_chunk(N, M), row = M * sizeof(float);
  const int64_t chunks = (N + rows - 1) / rows;
  CHECK(chunks > 1 && N % rows != 0, "%d chunks", (int)chunks);
  float *x = malloc(N * M * sizeof(float)), *scaled = malloc(N * M * sizeof(float)), *part = malloc(chunks * row);
  float want[M], got[M];
  uint64_t state = 5;
  for (int k = 0; k < N * M; ++k) x[k] = (float)(int64_t)(check_random(&state) % 2001) / 1000 - 1;
  double third[] = {1.0 / 3};
  for (int k = 0; k < N * M; ++k) scaled[k] = (float)third[0] * x[k];
  const kr_kernel *sum = kr_find("sum", KR_F32);
  kr_array in = floats(2, N, M), out = floats(1, M, 1);
  kr_error error;
  const int64_t axes[] = {1, 1};
  in.data = scaled;
  out.data = want;
  kr_call whole = {.in = &in, .out = &out, .i = axes, .n_i = 1, .n_in = 1, .n_out = 1, .error = &error, .threads = 2};
  whole.scratch = malloc(sum->scratch(&whole) + 1);
  CHECK(sum->fn(&whole) == KR_OK, "sum");
  free(whole.scratch);

  kr_array block = floats(2, rows, M);
  kr_local scale_locals[] = {local(0, row, 0, block), local(-1, row, 0, block)};
  kr_local sum_locals[] = {local(-1, row, 0, block), local(1, 0, 0, floats(2, 1, M))};
  sum_locals[1].block_bytes = row;
  kr_inner inner[] = {
      {.fn = scale, .scratch = scale_scratch, .locals = scale_locals, .f = third, .n_in = 1, .n_out = 1, .n_f = 1},
      {.fn = sum->fn, .scratch = sum->scratch, .locals = sum_locals, .i = axes, .n_in = 1, .n_out = 1, .n_i = 2}};
  kr_part parts = {.rows = N, .block = rows, .tasks = chunks, .inner = inner, .n_inner = 2};
  kr_blocks blocks = {.parts = &parts, .n_parts = 1, .tasks = chunks};
  blocks.temporaries = (size_t)(rows * row + 63) / 64 * 64;
  blocks.scratch = (blocks.temporaries + kr_blocks_scratch(&blocks) + 63) / 64 * 64;
  kr_step steps[] = {{.blocks = &blocks, .n_in = 1, .n_out = 1},
                     {.fn = sum->fn, .scratch = sum->scratch, .i = axes, .n_i = 1, .first = 2, .n_in = 1, .n_out = 1}};
  kr_array arrays[] = {floats(2, N, M), floats(2, chunks, M), floats(2, chunks, M), floats(1, M, 1)};
  kr_place places[] = {{1, 0}, {2, 0}, {2, 0}, {3, 0}};
  kr_program p = {.steps = steps, .arrays = arrays, .places = places, .n_steps = 2, .n_arrays = 4};
  char *slots[] = {NULL, (char *)x, (char *)part, (char *)got};
  for (int threads = 1; threads <= 3; ++threads) {
    kr_array bound[4];
    memcpy(bound, arrays, sizeof bound);
    kr_run r = {.arrays = bound,
                .slots = slots,
                .batches = 1,
                .threads = threads,
                .scratch = malloc(kr_program_scratch(&p, threads))};
    CHECK(kr_program_run(&p, &r) == KR_OK, "a reduction in blocks");
    CHECK(memcmp(want, got, sizeof got) == 0, "the same bits with %d threads", threads);
    free(r.scratch);
  }
  free(x);
  free(scaled);
  free(part);
}

/* ---- batches --------------------------------------------------------------------------------------------------- */

/* new = old + x, of one row each: `old` and `new` change places after each batch, and the first of new is logged. */
static void check_batches(void) {
  enum { BATCHES = 4, TOTAL = 6 };
  kr_step step = {.fn = add_row, .n_in = 2, .n_out = 1};
  kr_array arrays[] = {floats(2, 1, WIDTH), floats(1, WIDTH, 1), floats(2, 1, WIDTH)};
  kr_place places[] = {{1, 0}, {2, 0}, {3, 0}};
  kr_program p = {.steps = &step, .arrays = arrays, .places = places, .n_steps = 1, .n_arrays = 3};
  float *data = malloc(TOTAL * WIDTH * sizeof(float)), input[WIDTH], old[WIDTH] = {0}, new[WIDTH];
  for (int k = 0; k < TOTAL * WIDTH; ++k) data[k] = (float)(k / WIDTH * 10);
  char *slots[] = {NULL, (char *)input, (char *)old, (char *)new};
  kr_feed feed = {.source = (const char *)data, .row_bytes = WIDTH * sizeof(float), .slot = 1};
  const int64_t rows[BATCHES] = {5, 0, 3, 3};
  const int32_t swaps[] = {2, 3}, taps[] = {2};
  double log[BATCHES] = {0};
  kr_array bound[3];
  for (int ordered = 0; ordered < 2; ++ordered) {
    memcpy(bound, arrays, sizeof bound);
    memset(old, 0, sizeof old);
    char *mine[4];
    memcpy(mine, slots, sizeof mine);
    bound[2].ndim = 2;
    kr_run r = {.arrays = bound,
                .slots = mine,
                .feeds = &feed,
                .n_feeds = 1,
                .rows = ordered ? NULL : rows,
                .swaps = swaps,
                .n_swaps = 1,
                .taps = taps,
                .n_taps = 1,
                .log = log,
                .batches = BATCHES,
                .batch_rows = 1,
                .threads = 1};
    CHECK(kr_program_run(&p, &r) == KR_OK && r.done == BATCHES, "batches");
    double sum = 0;
    for (int b = 0; b < BATCHES; ++b) {
      sum += ordered ? 10 * b : 10 * (double)rows[b];
      CHECK(log[b] == sum, "log[%d] = %g, not %g", b, log[b], sum);
    }
    CHECK(mine[2] == (char *)old && mine[3] == (char *)new, "an even number of exchanges");
    CHECK(old[WIDTH - 1] == (float)sum, "the last value is where the first was");
  }
  free(data);
}

/* Rows of more than a task's share come in parallel. */
static void check_wide_batches(void) {
  enum { N = 300, WIDE = 4096, TAKEN = 200 };
  double one[] = {1};
  kr_step step = {.fn = scale, .scratch = scale_scratch, .f = one, .n_f = 1, .n_in = 1, .n_out = 1};
  kr_array arrays[] = {floats(2, TAKEN, WIDE), floats(2, TAKEN, WIDE)};
  kr_place places[] = {{1, 0}, {2, 0}};
  kr_program p = {.steps = &step, .arrays = arrays, .places = places, .n_steps = 1, .n_arrays = 2};
  const size_t bytes = (size_t)TAKEN * WIDE * sizeof(float);
  float *data = malloc((size_t)N * WIDE * sizeof(float)), *in = malloc(bytes), *out = malloc(bytes);
  int64_t rows[TAKEN];
  for (int k = 0; k < N * WIDE; ++k) data[k] = (float)k;
  for (int k = 0; k < TAKEN; ++k) rows[k] = (k * 7) % N;
  char *slots[] = {NULL, (char *)in, (char *)out};
  kr_feed feed = {.source = (const char *)data, .row_bytes = WIDE * sizeof(float), .slot = 1};
  kr_array bound[2];
  memcpy(bound, arrays, sizeof bound);
  kr_run r = {.arrays = bound,
              .slots = slots,
              .feeds = &feed,
              .n_feeds = 1,
              .rows = rows,
              .batches = 1,
              .batch_rows = TAKEN,
              .threads = 3,
              .scratch = malloc(bytes)};
  CHECK(kr_program_run(&p, &r) == KR_OK, "wide rows");
  int wrong = 0;
  for (int k = 0; k < TAKEN; ++k) wrong += memcmp(out + k * WIDE, data + rows[k] * WIDE, WIDE * sizeof(float)) != 0;
  CHECK(wrong == 0, "%d rows are wrong", wrong);
  free(r.scratch);
  free(data);
  free(in);
  free(out);
}

/* A failing batch stops the run; those before it stand. */
static void check_failure(void) {
  kr_step step = {.fn = refuse_negative, .n_in = 1, .n_out = 1};
  kr_array arrays[] = {floats(2, 1, 2), floats(2, 1, 2)};
  kr_place places[] = {{1, 0}, {2, 0}};
  kr_program p = {.steps = &step, .arrays = arrays, .places = places, .n_steps = 1, .n_arrays = 2};
  float data[] = {1, 2, 3, 4, 5, -6, 7, 8}, in[2], out[2];
  char *slots[] = {NULL, (char *)in, (char *)out};
  kr_feed feed = {.source = (const char *)data, .row_bytes = 2 * sizeof(float), .slot = 1};
  kr_array bound[2];
  memcpy(bound, arrays, sizeof bound);
  kr_run r = {
      .arrays = bound, .slots = slots, .feeds = &feed, .n_feeds = 1, .batches = 4, .batch_rows = 1, .threads = 1};
  CHECK(kr_program_run(&p, &r) == KR_EINDEX, "fails");
  CHECK(r.done == 2 && r.failure.step == 0 && r.failure.error.position == 1, "after %d batches", (int)r.done);
}

int main(void) {
  check_steps();
  check_blocks();
  check_reduction();
  check_batches();
  check_wide_batches();
  check_failure();
  return report();
}
