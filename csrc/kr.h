/* The whole C API of kerasish: types, status codes, the uniform kernel signature, the registry, threads, memory.
 *
 * The core is C11 and knows nothing of Python.  Every kernel has one signature, kr_fn, so that a planned Program can
 * call it without Python, and is found by (name, dtype, ISA) in one registry that dispatch, tests and benchmarks read.
 *
 * Arrays are C-contiguous and channels-last.  Data pointers are 64-byte aligned where they come from kr_alloc, and
 * kernels must not rely on that: views (a reshape, a slice of rows) and a caller's own memory are only aligned to
 * their element.  An array with a zero in its shape may have any data pointer, which is never read.
 */
#ifndef KR_H
#define KR_H
#include <stddef.h>
#include <stdint.h>

#define KR_MAX_NDIM 8

/* clang-format off */
typedef enum {
  KR_BOOL, KR_I8, KR_U8, KR_I16, KR_U16, KR_I32, KR_U32, KR_I64, KR_U64, KR_F16, KR_F32, KR_F64,
  KR_NUM_DTYPES
} kr_dtype;
/* clang-format on */

typedef enum {
  KR_OK = 0,
  KR_ENOMEM,     /* no memory; only kr_alloc, never a kernel */
  KR_EINDEX,     /* an index in the data is out of range: kr_error says where, what and the limit */
  KR_ECANCELLED, /* the caller asked the running Program to stop */
  KR_EINTERNAL   /* a precondition that infer should have refused: a bug, reported and never undefined behaviour */
} kr_status;

typedef struct {
  void *data;
  int32_t dtype;              /* kr_dtype */
  int32_t ndim;               /* 0 to KR_MAX_NDIM */
  int64_t shape[KR_MAX_NDIM]; /* elements; entries past ndim are 1 */
} kr_array;

typedef struct {
  int64_t position; /* flat position of the offending element in its input */
  int64_t value;    /* what stood there */
  int64_t limit;    /* valid values are 0 <= value < limit, or -limit <= value where a kernel says so */
  int32_t input;    /* which input of the call */
} kr_error;

/* One call of one kernel.  in and out never overlap unless the op declares the pair in `inplace`; then out[j].data may
 * equal in[i].data exactly (same dtype, same number of elements).  Attributes are flat numbers; each kernel documents
 * the layout of i[] and f[] above its table entry. */
typedef struct {
  const kr_array *in;
  kr_array *out;
  const int64_t *i;
  const double *f;
  void *scratch;   /* at least as many bytes as the kernel's scratch function says; 64-byte aligned, not cleared */
  kr_error *error; /* never NULL; filled when the status is KR_EINDEX */
  int32_t n_in, n_out, n_i, n_f;
  int32_t threads;    /* at most this many workers; scratch was sized with it.  Results must not depend on it */
  const void *packed; /* input 1 as the kernel's packing kernel has left it (kr_packing_fn), or NULL */
} kr_call;

typedef kr_status (*kr_fn)(const kr_call *call);
/* Bytes of scratch for a call: reads shapes, attributes and threads only (data pointers are NULL). */
typedef size_t (*kr_scratch_fn)(const kr_call *call);
/* Input 1 of some kernels, their weights, is rearranged before it is used.  Who calls with the same weights again may
 * have that done once: by the kernel "<name>_pack", which takes input 1 and the form, as its i[], and gives bytes.  This
 * function says which form a call of these shapes wants, and of how many bytes; 0: it reads input 1 as it is.  The form
 * stands in front of the bytes, and a call that wants another one pays no attention to them. */
#define KR_FORM 6
typedef size_t (*kr_packing_fn)(const kr_call *call, int64_t form[KR_FORM]);

typedef struct {
  const char *name; /* as the op declaration calls it */
  int32_t dtype;    /* the dtype it is registered for: that of the first floating input unless documented */
  kr_fn fn;
  kr_scratch_fn scratch; /* NULL: none */
  kr_packing_fn packing; /* NULL: none */
} kr_kernel;

/* ---- cpu ------------------------------------------------------------------------------------------------------- */
typedef enum { KR_ISA_SCALAR, KR_ISA_NEON, KR_ISA_AVX2, KR_ISA_AVX512, KR_NUM_ISAS } kr_isa;

const char *kr_isa_name(kr_isa isa); /* "scalar", "neon", "avx2", "avx512" */
int kr_isa_supported(kr_isa isa);    /* compiled in, and the CPU and the OS can run it */
kr_isa kr_isa_active(void);          /* best supported one, or what KERASISH_ISA or kr_isa_set chose */
int kr_isa_set(kr_isa isa);          /* 0, or -1 where unsupported; for tests and benchmarks */
int kr_isa_parse(const char *name);  /* a kr_isa, or -1 */
/* What the environment variable KERASISH_ISA named, where that could not be obeyed; NULL otherwise. */
const char *kr_isa_rejected(void);

typedef struct {
  int64_t l1d, l2, l3;
} kr_caches; /* bytes, of one core's view; documented defaults where unknown */
const kr_caches *kr_cpu_caches(void);

/* ---- registry -------------------------------------------------------------------------------------------------- */
/* The kernel for exactly this ISA, or NULL.  Names and tables come from families.def. */
const kr_kernel *kr_find_isa(const char *name, kr_dtype dtype, kr_isa isa);
/* The kernel for the active ISA, or NULL. */
const kr_kernel *kr_find(const char *name, kr_dtype dtype);
/* Enumerates the active ISA's kernels: index from 0 until NULL. */
const kr_kernel *kr_kernel_at(int64_t index);
/* Enumerates the files of families.def: index from 0 until NULL.  Gives the folder, and in *kernels how many kernels
 * the file has for the active ISA. */
const char *kr_family_at(int64_t index, int64_t *kernels);

/* ---- threads --------------------------------------------------------------------------------------------------- */
/* Runs fn(arg, task, worker) for every task in [0, tasks), with worker in [0, threads).  Which worker runs which task
 * is not fixed, so a task may depend on its number only; split work by the problem's shape, and by `threads` only what
 * is computed alike in any piece, such as columns side by side.
 * Nested calls, and calls while another thread of the process holds the pool, run on the calling thread (worker 0). */
typedef void (*kr_task_fn)(void *arg, int64_t task, int worker);
void kr_parallel(int threads, int64_t tasks, kr_task_fn fn, void *arg);
int kr_num_threads(void);      /* min(affinity, cgroup quota, KERASISH_NUM_THREADS), at least 1 */
int kr_set_num_threads(int n); /* n < 1 restores the default; returns what is in force */
#define KR_MAX_THREADS 256
/* Where the default comes from; 0: this one sets no limit.  automatic is the smallest of the others. */
typedef struct {
  int affinity, cgroup, environment, automatic;
} kr_thread_limits;
kr_thread_limits kr_get_thread_limits(void);

/* ---- memory ---------------------------------------------------------------------------------------------------- */
typedef struct {
  int64_t live_bytes;   /* handed out, rounded up to the size class */
  int64_t cached_bytes; /* freed and kept for the next call */
  int64_t peak_bytes;   /* the most that live_bytes has been */
  int64_t system_calls; /* blocks taken from the system or given back: stands still in a steady training loop */
} kr_memory;
void *kr_alloc(size_t bytes); /* 64-byte aligned, not cleared; NULL when there is no memory */
void kr_free(void *p);        /* NULL is allowed */
void kr_trim(void);           /* give the cached blocks back to the system */
kr_memory kr_memory_stats(void);

/* ---- programs -------------------------------------------------------------------------------------------------- */
/* A Program is a list of steps over a table of arrays.  A step is a kernel call, a host kernel (called back), or
 * blocks: a chain of kernels that runs on a block of rows at a time, so that what is between them stays in cache. */

#define KR_BLOCK_ARRAYS 32 /* inputs and outputs of a kernel within blocks */

/* An operand of a kernel within blocks.  With row_bytes, view.shape[0] is the number of rows of the block, and the
 * operand starts at the block's first row; with block_bytes it is what a reduction makes of the block, the next one
 * starting so many bytes behind; without either, it is read whole. */
typedef struct {
  int32_t array;     /* which of the step's arrays; -1: a temporary in the worker's scratch, at offset */
  int64_t row_bytes; /* of a temporary: any positive number */
  int64_t block_bytes;
  int64_t offset;
  kr_array view;
} kr_local;

typedef struct {
  kr_fn fn;
  kr_scratch_fn scratch; /* asked once, for blocks of any number of rows up to a full one */
  const kr_local *locals;
  const int64_t *i;
  const double *f;
  int32_t n_in, n_out, n_i, n_f;
  int32_t packed; /* 1 + which of the step's arrays is input 1 packed; 0: none */
} kr_inner;

typedef struct {
  int64_t rows, block; /* rows in all, and rows of a block */
  int64_t first_task, tasks;
  const kr_inner *inner;
  int32_t n_inner;
  int32_t fixed; /* its blocks must not be divided: a reduction makes something of each */
} kr_part;

typedef struct {
  const kr_part *parts; /* independent of each other */
  int64_t tasks;
  size_t scratch;     /* bytes for each worker: temporaries, then what kernels ask for */
  size_t temporaries; /* bytes, a multiple of 64 */
  int32_t n_parts;
  int64_t most; /* tasks that there is work for: blocks are divided into up to so many where threads would be idle */
} kr_blocks;

typedef struct {
  kr_fn fn; /* NULL: a host kernel, or blocks */
  const kr_blocks *blocks;
  kr_scratch_fn scratch;
  const int64_t *i;
  const double *f;
  int32_t first, n_in, n_out; /* arrays [first, first + n_in) are the inputs, the outputs follow */
  int32_t n_i, n_f;
  int32_t packed; /* of a kernel: 1 + which array, from the first, is input 1 packed; 0: none */
} kr_step;

typedef struct {
  int32_t slot;
  int64_t offset;
} kr_place;

typedef struct {
  const kr_step *steps;
  kr_array *arrays; /* shapes and dtypes; a run has a copy with pointers */
  const kr_place *places;
  int32_t n_steps, n_arrays;
  int32_t n_kept; /* the first steps, whose results may be kept from one run to the next */
} kr_program;

/* Rows of a caller's array that become an input, batch by batch. */
typedef struct {
  const char *source;
  char *ahead; /* the runner's own: where the next batch is copied while a step reads this one from the slot */
  int64_t row_bytes;
  int32_t slot;
} kr_feed;

typedef struct {
  int32_t step, part, inner; /* where */
  kr_error error;
} kr_failure;

/* Runs host kernel number `step`; its arrays begin at `arrays`. */
typedef kr_status (*kr_host_fn)(void *user, int32_t step, kr_array *arrays);

typedef struct {
  kr_array *arrays; /* a copy of the program's */
  char **slots;
  void *scratch; /* kr_program_scratch bytes */
  kr_host_fn host;
  void *user;
  int64_t *times;   /* n_steps + 1 clock readings in ns, or NULL */
  const char *made; /* of each of the n_kept first steps, whether its results are there already; NULL: none are */
  /* Batches: before each, or beside the one before, the rows of the feeds are copied to their slots (rows NULL: in
   * order, and read where they lie); after each, the scalars `taps` are written to log[batch][tap] and pairs of slots
   * are exchanged. */
  kr_feed *feeds;
  void *ahead;         /* kr_program_ahead bytes, or NULL: each batch is copied when the one before is done */
  const int64_t *rows; /* batches x batch_rows */
  const int32_t *taps; /* arrays */
  const int32_t *swaps;
  double *log;
  int64_t batches, batch_rows;
  int32_t n_feeds, n_taps, n_swaps;
  int32_t threads;
  int64_t done;       /* batches that are finished */
  kr_failure failure; /* where the status is not KR_OK */
} kr_run;

/* Bytes of scratch that the kernels within blocks ask for at most. */
size_t kr_blocks_scratch(const kr_blocks *b);
size_t kr_program_scratch(const kr_program *p, int threads);
/* Bytes of the second buffers that pay for the feeds, batches and threads of a run; 0 where none do. */
size_t kr_program_ahead(const kr_run *r);
/* Runs all batches, or stops at the first that fails.  Uses no memory but what the caller brings. */
kr_status kr_program_run(const kr_program *p, kr_run *r);

/* Flush-to-zero / denormals-are-zero of the calling thread; returns the former state for kr_ftz_restore. */
uint64_t kr_ftz_enable(void);
void kr_ftz_restore(uint64_t state);

#endif
