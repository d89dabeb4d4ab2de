/* Programs: steps and places, what is kept from one run to the next, blocks with temporaries, scratch and whole operands, what a reduction makes of each block,
 * host kernels, failures, batches with their rows, taps and exchanges.  Most kernels are this file's own, so that what is
 * tested is the runner; in exactly sized memory, so that the sanitizer sees every step beside it. */
#include <pthread.h>
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

enum { ROWS = 37, WIDTH = 5, FEW = 8 };

/* A program and one run of it, for one batch unless a test says more. */
typedef struct {
  kr_program p;
  kr_run r;
  kr_array bound[FEW];
  char *slots[FEW];
} rig;

static void set_up(rig *g, const kr_step *steps, int n_steps, kr_array *arrays, const kr_place *places, int n_arrays,
                   char *const *slots, int threads) {
  memset(g, 0, sizeof *g);
  g->p = (kr_program){.steps = steps, .arrays = arrays, .places = places, .n_steps = n_steps, .n_arrays = n_arrays};
  memcpy(g->bound, arrays, (size_t)n_arrays * sizeof *arrays);
  for (int k = 0; k < n_arrays; ++k) g->slots[places[k].slot] = slots[places[k].slot];
  g->r = (kr_run){.arrays = g->bound, .slots = g->slots, .batches = 1, .threads = threads};
  g->r.scratch = malloc(kr_program_scratch(&g->p, threads) + 1);
}

/* Runs it, and gives back what was taken for it. */
static kr_status run_rig(rig *g) {
  const size_t ahead = kr_program_ahead(&g->r);
  if (ahead) g->r.ahead = malloc(ahead);
  const kr_status status = kr_program_run(&g->p, &g->r);
  free(g->r.ahead);
  free(g->r.scratch);
  return status;
}

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
  const size_t bytes = ROWS * WIDTH * sizeof(float);
  float *x = malloc(bytes), *y = malloc(bytes);
  for (int k = 0; k < ROWS * WIDTH; ++k) x[k] = (float)k;
  char *arena = malloc(64 + bytes), *slots[] = {arena, (char *)x, (char *)y};
  int64_t times[3] = {0};
  int called = 0;
  rig g;
  set_up(&g, steps, 2, arrays, places, 4, slots, 2);
  CHECK(kr_program_scratch(&g.p, 3) == bytes, "scratch is the most that a step asks for");
  g.r.host = host_called;
  g.r.user = &called;
  g.r.times = times;
  CHECK(run_rig(&g) == KR_OK && g.r.done == 1, "runs");
  CHECK(called == 1, "the host kernel was called %d times", called);
  CHECK(times[0] > 0 && times[0] <= times[1] && times[1] <= times[2], "clock readings");
  for (int k = 0; k < ROWS * WIDTH; ++k) CHECK(y[k] == 2 * (float)k + 1, "y[%d] = %g", k, (double)y[k]);
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

/* Runs y = refuse_negative(2 (x + v)) in blocks of 8 rows, which may be divided into `most` tasks; returns the status. */
static kr_status run_chain(float *x, float *v, float *y, int threads, int64_t most, kr_failure *failure) {
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
  kr_blocks blocks = {.parts = &part, .n_parts = 1, .tasks = part.tasks, .temporaries = 384, .most = most};
  CHECK(kr_blocks_scratch(&blocks) == BLOCK * row, "scratch within blocks is for one block");
  blocks.scratch = blocks.temporaries + 192;
  kr_step step = {.blocks = &blocks, .n_in = 2, .n_out = 1};
  kr_array arrays[] = {floats(2, ROWS, WIDTH), floats(1, WIDTH, 1), floats(2, ROWS, WIDTH)};
  kr_place places[] = {{1, 0}, {2, 0}, {3, 0}};
  char *slots[] = {NULL, (char *)x, (char *)v, (char *)y};
  rig g;
  set_up(&g, &step, 1, arrays, places, 3, slots, threads);
  CHECK(kr_program_scratch(&g.p, threads) == blocks.scratch * (size_t)threads, "each worker has scratch");
  const kr_status status = run_rig(&g);
  *failure = g.r.failure;
  return status;
}

static void check_blocks(void) {
  float *x = malloc(ROWS * WIDTH * sizeof(float)), *y = malloc(ROWS * WIDTH * sizeof(float));
  float v[WIDTH] = {1, 2, 3, 4, 5};
  kr_failure f;
  static const int64_t most[] = {0, 1, 11, 64, 1000};
  for (int n = 0; n < 20; ++n) {
    const int threads = n % 4 + 1;
    for (int k = 0; k < ROWS * WIDTH; ++k) x[k] = (float)k;
    memset(y, 0, ROWS * WIDTH * sizeof(float));
    CHECK(run_chain(x, v, y, threads, most[n / 4], &f) == KR_OK, "a chain in blocks");
    for (int k = 0; k < ROWS * WIDTH; ++k) CHECK(y[k] == 2 * ((float)k + v[k % WIDTH]), "y[%d]", k);
    /* Two blocks fail; the earlier one is reported, at its place in the whole array. */
    x[11 * WIDTH + 2] = -50;
    x[30 * WIDTH] = -60;
    CHECK(run_chain(x, v, y, threads, most[n / 4], &f) == KR_EINDEX, "a failure within blocks");
    CHECK(f.step == 0 && f.part == 0 && f.inner == 2, "where: %d %d %d", f.step, f.part, f.inner);
    CHECK(f.error.value == -94 && f.error.position == 11 * WIDTH + 2, "what: %d", (int)f.error.value);
  }
  free(x);
  free(y);
}

/* A sum over rows, whose first half runs in the block that makes them: the bits of the kernel of the whole. */
static void check_reduction(void) {
  enum { N = 3000, M = 24 };
  const int64_t rows = kr_reduce_chunk(N, M, 1), row = M * sizeof(float);
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
  kr_part parts = {.rows = N, .block = rows, .tasks = chunks, .inner = inner, .n_inner = 2, .fixed = 1};
  kr_blocks blocks = {.parts = &parts, .n_parts = 1, .tasks = chunks, .most = 1000};
  blocks.temporaries = (size_t)(rows * row + 63) / 64 * 64;
  blocks.scratch = (blocks.temporaries + kr_blocks_scratch(&blocks) + 63) / 64 * 64;
  kr_step steps[] = {{.blocks = &blocks, .n_in = 1, .n_out = 1},
                     {.fn = sum->fn, .scratch = sum->scratch, .i = axes, .n_i = 1, .first = 2, .n_in = 1, .n_out = 1}};
  kr_array arrays[] = {floats(2, N, M), floats(2, chunks, M), floats(2, chunks, M), floats(1, M, 1)};
  kr_place places[] = {{1, 0}, {2, 0}, {2, 0}, {3, 0}};
  char *slots[] = {NULL, (char *)x, (char *)part, (char *)got};
  for (int threads = 1; threads <= 3; ++threads) {
    rig g;
    set_up(&g, steps, 2, arrays, places, 4, slots, threads);
    CHECK(run_rig(&g) == KR_OK, "a reduction in blocks");
    CHECK(memcmp(want, got, sizeof got) == 0, "the same bits with %d threads", threads);
  }
  free(x);
  free(scaled);
  free(part);
}

/* ---- batches --------------------------------------------------------------------------------------------------- */

/* Lets slot 1 have batches of rows of `data`, which are `bytes` each. */
static void feed(rig *g, kr_feed *f, const float *data, int64_t bytes, const int64_t *rows, int64_t batches,
                 int64_t batch_rows) {
  *f = (kr_feed){.source = (const char *)data, .row_bytes = bytes, .slot = 1};
  g->r.feeds = f;
  g->r.n_feeds = 1;
  g->r.rows = rows;
  g->r.batches = batches;
  g->r.batch_rows = batch_rows;
}

static const kr_place one_each[] = {{1, 0}, {2, 0}, {3, 0}};
static const int32_t swaps[] = {2, 3};

/* new = old + x, of one row each: `old` and `new` change places after each batch, and the first of new is logged. */
static void check_batches(void) {
  enum { BATCHES = 4, TOTAL = 6 };
  kr_step step = {.fn = add_row, .n_in = 2, .n_out = 1};
  kr_array arrays[] = {floats(2, 1, WIDTH), floats(1, WIDTH, 1), floats(2, 1, WIDTH)};
  float *data = malloc(TOTAL * WIDTH * sizeof(float)), input[WIDTH] = {0}, old[WIDTH], new[WIDTH];
  for (int k = 0; k < TOTAL * WIDTH; ++k) data[k] = (float)(k / WIDTH * 10 + 1);
  char *slots[] = {NULL, (char *)input, (char *)old, (char *)new};
  const int64_t rows[BATCHES] = {5, 0, 3, 3};
  const int32_t taps[] = {2};
  for (int ordered = 1; ordered >= 0; --ordered) {
    double log[BATCHES] = {0}, sum = 0;
    memset(old, 0, sizeof old);
    rig g;
    kr_feed f;
    set_up(&g, &step, 1, arrays, one_each, 3, slots, 1);
    feed(&g, &f, data, WIDTH * sizeof(float), ordered ? NULL : rows, BATCHES, 1);
    g.r.swaps = swaps;
    g.r.n_swaps = 1;
    g.r.taps = taps;
    g.r.n_taps = 1;
    g.r.log = log;
    CHECK(run_rig(&g) == KR_OK && g.r.done == BATCHES, "batches");
    for (int b = 0; b < BATCHES; ++b) {
      sum += (double)data[(ordered ? b : rows[b]) * WIDTH];
      CHECK(log[b] == sum, "log[%d] = %g, not %g", b, log[b], sum);
    }
    CHECK(g.slots[2] == (char *)old && g.slots[3] == (char *)new, "an even number of exchanges");
    CHECK(old[WIDTH - 1] == (float)sum, "the last value is where the first was");
    CHECK(input[0] == (ordered ? 0 : data[3 * WIDTH]), "rows in order are read where they lie, others are copied");
  }
  free(data);
}

/* The sums of many batches whose rows come by number: copied by one thread, by several, and beside the step before. */
static void check_gathering(int64_t wide) {
  enum { N = 500, TAKEN = 20, BATCHES = 41 };
  const size_t row = (size_t)wide * sizeof(float), bytes = TAKEN * row;
  kr_step step = {.fn = add_row, .n_in = 2, .n_out = 1};
  kr_array arrays[] = {floats(2, TAKEN, wide), floats(2, TAKEN, wide), floats(2, TAKEN, wide)};
  float *data = malloc(N * row), *in = malloc(bytes), *sums[2] = {malloc(bytes), malloc(bytes)};
  float *want = calloc(1, bytes);
  int64_t rows[TAKEN * BATCHES];
  uint64_t state = 3;
  for (int64_t k = 0; k < N * wide; ++k) data[k] = (float)(check_random(&state) % 100);
  for (int k = 0; k < TAKEN * BATCHES; ++k) {
    rows[k] = (int64_t)(check_random(&state) % N);
    for (int64_t j = 0; j < wide; ++j) want[k % TAKEN * wide + j] += data[rows[k] * wide + j];
  }
  for (int threads = 1; threads <= 4; ++threads) {
    char *slots[] = {NULL, (char *)in, (char *)sums[0], (char *)sums[1]};
    memset(sums[0], 0, bytes);
    rig g;
    kr_feed f;
    set_up(&g, &step, 1, arrays, one_each, 3, slots, threads);
    feed(&g, &f, data, (int64_t)row, rows, BATCHES, TAKEN);
    g.r.swaps = swaps;
    g.r.n_swaps = 1;
    CHECK((kr_program_ahead(&g.r) > 0) == (threads > 1 && bytes > 16384), "a second buffer for %d bytes", (int)bytes);
    CHECK(run_rig(&g) == KR_OK && g.r.done == BATCHES, "batches by row number");
    CHECK(memcmp(sums[1], want, bytes) == 0, "%d floats a row, %d threads: the sums", (int)wide, threads);
  }
  free(data);
  free(in);
  free(sums[0]);
  free(sums[1]);
  free(want);
}

static void *gather_in_thread(void *arg) {
  (void)arg;
  check_gathering(512);
  return NULL;
}

/* Only one run at a time has the workers, and only one their spare time. */
static void check_runs_at_once(void) {
  pthread_t threads[3];
  for (int k = 0; k < 3; ++k) pthread_create(&threads[k], NULL, gather_in_thread, NULL);
  for (int k = 0; k < 3; ++k) pthread_join(threads[k], NULL);
}

/* A failing batch stops the run; those before it stand, and nobody writes to the next one's buffer any more. */
static void check_failure(void) {
  enum { WIDE = 8192 };
  for (int threads = 1; threads <= 2; ++threads) {
    kr_step step = {.fn = refuse_negative, .n_in = 1, .n_out = 1};
    kr_array arrays[] = {floats(2, 1, WIDE), floats(2, 1, WIDE)};
    const size_t row = WIDE * sizeof(float);
    float *data = calloc(4, row), *in = malloc(row), *out = malloc(row);
    const int64_t rows[] = {3, 0, 2, 1};
    data[2 * WIDE + 1] = -6;
    char *slots[] = {NULL, (char *)in, (char *)out};
    rig g;
    kr_feed f;
    set_up(&g, &step, 1, arrays, one_each, 2, slots, threads);
    feed(&g, &f, data, (int64_t)row, rows, 4, 1);
    CHECK(run_rig(&g) == KR_EINDEX, "fails");
    CHECK(g.r.done == 2 && g.r.failure.step == 0 && g.r.failure.error.position == 1, "after %d", (int)g.r.done);
    free(data);
    free(in);
    free(out);
  }
}

/* ---- what is kept ---------------------------------------------------------------------------------------------- */

/* y = x + what is packed, which is one number. */
static kr_status add_packed(const kr_call *c) {
  const float *x = c->in[0].data;
  for (int64_t k = 0; k < size_of(&c->in[0]); ++k)
    ((float *)c->out[0].data)[k] = x[k] + (c->packed ? *(const float *)c->packed : 1000);
  return KR_OK;
}

/* slot 1: w, slot 2: what is kept of it, slot 3: x, slot 4: y.  kept = 2 w; y = x + kept, by a kernel or in blocks. */
static void check_kept(int in_blocks) {
  double two[] = {2};
  const int64_t row = WIDTH * sizeof(float);
  kr_array one = floats(1, 1, 1), rows = floats(2, ROWS, WIDTH), block = floats(2, BLOCK, WIDTH);
  kr_local locals[] = {local(0, row, 0, block), local(2, row, 0, block)};
  kr_inner inner = {.fn = add_packed, .locals = locals, .n_in = 1, .n_out = 1, .packed = 2};
  kr_part part = {.rows = ROWS, .block = BLOCK, .tasks = (ROWS + BLOCK - 1) / BLOCK, .inner = &inner, .n_inner = 1};
  kr_blocks blocks = {.parts = &part, .tasks = part.tasks, .n_parts = 1};
  kr_step steps[] = {{.fn = scale, .scratch = scale_scratch, .f = two, .n_f = 1, .first = 0, .n_in = 1, .n_out = 1},
                     {.fn = add_packed, .first = 2, .n_in = 1, .n_out = 1, .packed = 3}};
  kr_array by_kernel[] = {one, one, rows, rows, one}, by_blocks[] = {one, one, rows, one, rows};
  kr_place kernel_places[] = {{1, 0}, {2, 0}, {3, 0}, {4, 0}, {2, 0}};
  kr_place block_places[] = {{1, 0}, {2, 0}, {3, 0}, {2, 0}, {4, 0}};
  if (in_blocks) steps[1] = (kr_step){.blocks = &blocks, .first = 2, .n_in = 2, .n_out = 1};
  const size_t bytes = ROWS * WIDTH * sizeof(float);
  float w = 3, kept = -1, *x = calloc(1, bytes), *y = malloc(bytes);
  char *slots[] = {NULL, (char *)&w, (char *)&kept, (char *)x, (char *)y};
  const char made[] = {1}, not_made[] = {0};
  for (int run = 0; run < 3; ++run) {
    rig g;
    set_up(&g, steps, 2, in_blocks ? by_blocks : by_kernel, in_blocks ? block_places : kernel_places, 5, slots, 2);
    g.p.n_kept = 1;
    g.r.made = run == 0 ? NULL : run == 1 ? made : not_made;
    CHECK(run_rig(&g) == KR_OK, "runs");
    const float want = run < 2 ? 6 : 10;
    for (int k = 0; k < ROWS * WIDTH; ++k) CHECK(y[k] == want, "run %d: y[%d] = %g", run, k, (double)y[k]);
    w = 5; /* which is seen when it is said to be */
  }
  free(x);
  free(y);
}

/* In a run of several batches, what is kept is made for the first of them. */
static void check_kept_batches(void) {
  double two[] = {2};
  kr_step steps[] = {{.fn = scale, .scratch = scale_scratch, .f = two, .n_f = 1, .first = 0, .n_in = 1, .n_out = 1}};
  kr_array arrays[] = {floats(1, 1, 1), floats(1, 1, 1)};
  kr_place places[] = {{1, 0}, {2, 0}};
  float w = 1, kept = 0;
  char *slots[] = {NULL, (char *)&w, (char *)&kept};
  const int32_t swap[] = {1, 2}; /* made anew, each batch would double what the last one has made */
  rig g;
  set_up(&g, steps, 1, arrays, places, 2, slots, 1);
  g.p.n_kept = 1;
  g.r.batches = 3;
  g.r.swaps = swap;
  g.r.n_swaps = 1;
  CHECK(run_rig(&g) == KR_OK && g.r.done == 3, "runs");
  CHECK(w == 1 && kept == 2, "%g, %g", (double)w, (double)kept);
}

int main(void) {
  check_steps();
  check_kept(0);
  check_kept(1);
  check_kept_batches();
  check_blocks();
  check_reduction();
  check_batches();
  check_gathering(8);    /* too few bytes for a second buffer */
  check_gathering(300);  /* workers take it that are awake */
  check_gathering(4096); /* one is woken for it */
  check_runs_at_once();
  check_failure();
  return report();
}
