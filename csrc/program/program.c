/* Runs a planned Program: a list of kernel calls whose arrays lie in a few slots of memory, without Python and without
 * allocation.
 *
 * A slot is the start of one piece of memory: the arena, a variable's array, an input, a constant.  Before the steps
 * run, every array's pointer is slot + offset; so the same plan serves any number of callers, each with slots and a
 * table of arrays of its own.
 */
#define _GNU_SOURCE
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "../base/background.h"
#include "../base/watch.h"
#include "../kr.h"

enum {
  INLINE_BYTES = 1 << 17, /* copying less is not worth waking a worker */
  AHEAD_BYTES = 1 << 14   /* of a task beside a step: one or two microseconds; fewer are not worth a second buffer */
};

static int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }

/* ---- blocks ---------------------------------------------------------------------------------------------------- */

enum { TASKS_EACH = 4 }; /* of each thread, so that they come out even */

typedef struct {
  const kr_blocks *blocks;
  const kr_array *arrays;
  char *scratch;
  kr_failure *failure;
  kr_status status;
  int64_t failed;   /* the first task that failed */
  int64_t finer;    /* tasks that a block is divided into */
  atomic_flag lock; /* guards the two above and *failure */
} blocks_run;

/* Keeps the failure of the lowest task, so that what is reported does not depend on the threads. */
static void keep_failure(blocks_run *r, int64_t task, kr_status status, const kr_failure *f) {
  while (atomic_flag_test_and_set(&r->lock)) {
  }
  if (r->status == KR_OK || task < r->failed) {
    r->status = status;
    r->failed = task;
    *r->failure = *f;
  }
  atomic_flag_clear(&r->lock);
}

/* The call of a kernel within blocks; its arrays are views without data. */
static kr_call inner_call(const kr_inner *inner, kr_array *arrays, kr_error *error) {
  kr_call call = {.in = arrays,
                  .out = arrays + inner->n_in,
                  .i = inner->i,
                  .f = inner->f,
                  .error = error,
                  .n_in = inner->n_in,
                  .n_out = inner->n_out,
                  .n_i = inner->n_i,
                  .n_f = inner->n_f,
                  .threads = 1};
  for (int32_t j = 0; j < inner->n_in + inner->n_out; ++j) arrays[j] = inner->locals[j].view;
  return call;
}

size_t kr_blocks_scratch(const kr_blocks *b) {
  size_t most = 0;
  kr_array arrays[KR_BLOCK_ARRAYS];
  kr_error error;
  for (int32_t p = 0; p < b->n_parts; ++p)
    for (int32_t k = 0; k < b->parts[p].n_inner; ++k) {
      const kr_inner *inner = &b->parts[p].inner[k];
      if (!inner->scratch) continue;
      kr_call call = inner_call(inner, arrays, &error);
      for (int64_t rows = b->parts[p].block; rows > 0; --rows) { /* fewer may need more */
        for (int32_t j = 0; j < inner->n_in + inner->n_out; ++j)
          if (inner->locals[j].row_bytes > 0) arrays[j].shape[0] = rows;
        size_t need = inner->scratch(&call);
        if (need > most) most = need;
      }
    }
  return most;
}

static void run_block(void *arg, int64_t piece, int worker) {
  blocks_run *r = arg;
  const int64_t task = piece / r->finer, number = piece % r->finer;
  int32_t which = 0;
  while (task >= r->blocks->parts[which].first_task + r->blocks->parts[which].tasks) ++which;
  const kr_part *part = &r->blocks->parts[which];
  int64_t lo = (task - part->first_task) * part->block, rows = min64(part->block, part->rows - lo);
  if (part->fixed) {
    if (number > 0) return;
  } else {
    const int64_t step = (rows + r->finer - 1) / r->finer, first = number * step;
    if (first >= rows) return;
    lo += first;
    rows = min64(step, rows - first);
  }
  char *scratch = r->scratch + (size_t)worker * r->blocks->scratch;
  kr_array arrays[KR_BLOCK_ARRAYS];
  for (int32_t k = 0; k < part->n_inner; ++k) {
    const kr_inner *inner = &part->inner[k];
    kr_failure f = {.part = which, .inner = k};
    kr_call call = inner_call(inner, arrays, &f.error);
    call.scratch = scratch + r->blocks->temporaries;
    if (inner->packed) call.packed = r->arrays[inner->packed - 1].data;
    for (int32_t j = 0; j < inner->n_in + inner->n_out; ++j) {
      const kr_local *local = &inner->locals[j];
      if (local->row_bytes > 0) arrays[j].shape[0] = rows;
      if (local->array < 0) {
        arrays[j].data = scratch + local->offset;
      } else {
        arrays[j].data = (char *)r->arrays[local->array].data + lo * local->row_bytes +
                         (task - part->first_task) * local->block_bytes;
      }
    }
    kr_status status = inner->fn(&call);
    if (status != KR_OK) {
      const kr_array *bad = &arrays[f.error.input];
      int64_t per_row = 1;
      for (int d = 1; d < bad->ndim; ++d) per_row *= bad->shape[d];
      if (inner->locals[f.error.input].row_bytes > 0) f.error.position += lo * per_row;
      keep_failure(r, piece, status, &f);
      return;
    }
  }
}

static kr_status run_blocks(const kr_blocks *b, const kr_array *arrays, void *scratch, int threads, kr_failure *f) {
  blocks_run r = {b, arrays, scratch, f, KR_OK, 0, 1, ATOMIC_FLAG_INIT};
  if (b->most == 1) threads = 1;
  while (threads > 1 && r.finer * b->tasks < TASKS_EACH * threads && 2 * r.finer * b->tasks <= b->most) r.finer *= 2;
  kr_parallel(threads, r.finer * b->tasks, run_block, &r);
  return r.status;
}

/* ---- steps ----------------------------------------------------------------------------------------------------- */

static kr_call call_of(const kr_step *s, kr_array *arrays, void *scratch, kr_error *error, int threads) {
  kr_call call = {.in = arrays + s->first,
                  .out = arrays + s->first + s->n_in,
                  .i = s->i,
                  .f = s->f,
                  .scratch = scratch,
                  .error = error,
                  .n_in = s->n_in,
                  .n_out = s->n_out,
                  .n_i = s->n_i,
                  .n_f = s->n_f,
                  .threads = threads,
                  .packed = s->packed ? arrays[s->first + s->packed - 1].data : NULL};
  return call;
}

size_t kr_program_scratch(const kr_program *p, int threads) {
  size_t most = 0;
  kr_error error;
  for (int32_t k = 0; k < p->n_steps; ++k) {
    const kr_step *s = &p->steps[k];
    size_t need = 0;
    if (s->blocks) {
      need = s->blocks->scratch * (size_t)threads;
    } else if (s->scratch) {
      kr_call call = call_of(s, p->arrays, NULL, &error, threads);
      need = s->scratch(&call);
    }
    if (need > most) most = need;
  }
  return most;
}

static void bind(const kr_program *p, kr_array *arrays, char *const *slots) {
  for (int32_t k = 0; k < p->n_arrays; ++k) arrays[k].data = slots[p->places[k].slot] + p->places[k].offset;
}

static kr_status run_steps(const kr_program *p, kr_run *r) {
  kr_status status = KR_OK;
  uint64_t ftz = kr_ftz_enable();
  for (int32_t k = 0; k < p->n_steps && status == KR_OK; ++k) {
    const kr_step *s = &p->steps[k];
    if (r->times) r->times[k] = kr_nanoseconds();
    if (k < p->n_kept && (r->done > 0 || (r->made && r->made[k]))) continue;
    memset(&r->failure, 0, sizeof r->failure);
    if (s->blocks) {
      status = run_blocks(s->blocks, r->arrays + s->first, r->scratch, r->threads, &r->failure);
    } else if (s->fn) {
      kr_call call = call_of(s, r->arrays, r->scratch, &r->failure.error, r->threads);
      status = s->fn(&call);
    } else {
      kr_ftz_restore(ftz); /* NumPy runs as the caller left the unit */
      status = r->host(r->user, k, r->arrays + s->first);
      ftz = kr_ftz_enable();
    }
    r->failure.step = k;
  }
  if (r->times) r->times[p->n_steps] = kr_nanoseconds();
  kr_ftz_restore(ftz);
  return status;
}

/* ---- batches --------------------------------------------------------------------------------------------------- */

/* The rows of one batch on their way from the caller's arrays, to the slots or to the second buffers. */
typedef struct {
  const kr_run *run;
  const int64_t *rows;
  int64_t per_task, tasks;
  int ahead;
} gather;

static void gather_rows(void *arg, int64_t task, int worker) {
  (void)worker;
  const gather *g = arg;
  int64_t lo = task * g->per_task, hi = min64(lo + g->per_task, g->run->batch_rows);
  for (int32_t k = 0; k < g->run->n_feeds; ++k) {
    const kr_feed *f = &g->run->feeds[k];
    char *to = (g->ahead ? f->ahead : g->run->slots[f->slot]) + lo * f->row_bytes;
    for (int64_t row = lo; row < hi; ++row, to += f->row_bytes)
      memcpy(to, f->source + g->rows[row] * f->row_bytes, (size_t)f->row_bytes);
  }
}

static int64_t row_bytes(const kr_run *r) {
  int64_t bytes = 0;
  for (int32_t k = 0; k < r->n_feeds; ++k) bytes += r->feeds[k].row_bytes;
  return bytes;
}

static gather gather_of(const kr_run *r, int64_t batch, int ahead) {
  gather g = {.run = r, .rows = r->rows + batch * r->batch_rows, .per_task = r->batch_rows, .tasks = 1, .ahead = ahead};
  const int64_t bytes = row_bytes(r), most = ahead ? AHEAD_BYTES : INLINE_BYTES;
  if (bytes * r->batch_rows > most) {
    g.per_task = (ahead ? most : most / 2) / bytes + 1;
    g.tasks = (r->batch_rows + g.per_task - 1) / g.per_task;
  }
  return g;
}

/* Puts a batch into the slots of the inputs: rows in order lie where they may be read, others are copied. */
static void bring_batch(const kr_run *r, int64_t batch) {
  if (!r->rows) {
    for (int32_t k = 0; k < r->n_feeds; ++k) {
      const kr_feed *f = &r->feeds[k];
      r->slots[f->slot] = (char *)f->source + batch * r->batch_rows * f->row_bytes;
    }
  } else if (r->n_feeds > 0) {
    gather g = gather_of(r, batch, 0);
    kr_parallel(r->threads, g.tasks, gather_rows, &g);
  }
}

static size_t second_buffer(const kr_run *r, const kr_feed *f) {
  return ((size_t)(r->batch_rows * f->row_bytes) + 63) & ~(size_t)63;
}

size_t kr_program_ahead(const kr_run *r) {
  if (!r->rows || r->batches < 2 || r->threads < 2 || row_bytes(r) * r->batch_rows < AHEAD_BYTES) return 0;
  size_t bytes = 0;
  for (int32_t k = 0; k < r->n_feeds; ++k) bytes += second_buffer(r, &r->feeds[k]);
  return bytes;
}

static void place_ahead(const kr_run *r) {
  char *at = r->ahead;
  for (int32_t k = 0; k < r->n_feeds; ++k) {
    r->feeds[k].ahead = at;
    at += second_buffer(r, &r->feeds[k]);
  }
}

/* Offers the next batch to workers that have nothing to do; whether there are any. */
static int offer_batch(const kr_run *r, int64_t batch, gather *g) {
  if (!r->ahead || batch >= r->batches) return 0;
  *g = gather_of(r, batch, 1);
  return kr_background_start(r->threads, g->tasks, gather_rows, g, row_bytes(r) * r->batch_rows > INLINE_BYTES);
}

/* What has been brought beside a step is what the next one reads. */
static void change_places(const kr_run *r) {
  for (int32_t k = 0; k < r->n_feeds; ++k) {
    char **slot = &r->slots[r->feeds[k].slot], *read = *slot;
    *slot = r->feeds[k].ahead;
    r->feeds[k].ahead = read;
  }
}

static double half(uint16_t h) {
  int exponent = h >> 10 & 31, digits = h & 1023;
  double size = exponent == 31 ? (digits ? NAN : INFINITY)
                : exponent     ? ldexp(digits + 1024, exponent - 25)
                               : ldexp(digits, -24);
  return h >> 15 ? -size : size;
}

static double number(const kr_array *a) {
  switch (a->dtype) {
    case KR_BOOL:
    case KR_U8: return *(const uint8_t *)a->data;
    case KR_I8: return *(const int8_t *)a->data;
    case KR_I16: return *(const int16_t *)a->data;
    case KR_U16: return *(const uint16_t *)a->data;
    case KR_I32: return *(const int32_t *)a->data;
    case KR_U32: return *(const uint32_t *)a->data;
    case KR_I64: return (double)*(const int64_t *)a->data;
    case KR_U64: return (double)*(const uint64_t *)a->data;
    case KR_F16: return half(*(const uint16_t *)a->data);
    case KR_F32: return *(const float *)a->data;
    default: return *(const double *)a->data;
  }
}

kr_status kr_program_run(const kr_program *p, kr_run *r) {
  int brought = 0;
  if (r->ahead) place_ahead(r);
  for (r->done = 0; r->done < r->batches; ++r->done) {
    if (brought) change_places(r);
    else bring_batch(r, r->done);
    gather next;
    brought = offer_batch(r, r->done + 1, &next);
    bind(p, r->arrays, r->slots);
    kr_status status = run_steps(p, r);
    if (brought) kr_background_finish();
    if (status != KR_OK) return status;
    for (int32_t k = 0; k < r->n_taps; ++k) r->log[r->done * r->n_taps + k] = number(&r->arrays[r->taps[k]]);
    /* The step is done: what it has computed for the variables becomes their value. */
    for (int32_t k = 0; k < r->n_swaps; ++k) {
      char *old = r->slots[r->swaps[2 * k]];
      r->slots[r->swaps[2 * k]] = r->slots[r->swaps[2 * k + 1]];
      r->slots[r->swaps[2 * k + 1]] = old;
    }
  }
  return KR_OK;
}
