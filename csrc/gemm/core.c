/* The engine of gemm/core.h, once for each ISA: tile sizes, and the body for float and for double. */
#include "gemm/core.h"

enum { MR = GEMM_MR };
#define NV GEMM_NV
#define NR GEMM_NR

/* A block of A and the part of C that it makes stay in L2 while panels of B, KC * NR each, pass through L1 or L2.  With
 * twice as many rows the block and what streams past it crowd each other out of 2 MB.  With half of KC every element of C
 * passes twice as often; tasks of whole rows, which are many, take twice of KC and half of the rows instead, so that
 * most products have all of k in one block and C is written once and never read. */
#define KC (GEMM_MAX_KC / 2 * 32 / KR_REAL)
#define LONG_KC (2 * KC)
enum {
  CHUNK_KC = 208,      /* of products whose sums are cut, see below */
  A_PANELS = 224 / MR, /* panels of A that a task packs or goes through at a time, of KC or shorter */
  B_PANELS = 4,        /* panels of B that a task packs at a time, where A is packed ahead */
  B_COLUMNS = 512,     /* columns of B that a task packs at a time, where it packs both */
  NEAR = 300000,       /* elements of A that stay in L2 from one panel of B to the next */
  PACK_PANELS = 4,     /* panels of A or B that a packing task packs */
  AHEAD = 4 << 20,     /* elements of A or B that are packed ahead for all tasks at a time */
  PACK_AHEAD = 12,     /* rows of B between the one that a tile packs and the one that it fetches */
  TURN_COLUMNS = 64,   /* of C that a sum turns at a time */
  TURN_LEAST_N = 24,   /* columns of products that are made turned */
  TURN_MOST_N = 64,
  PACK_ALONE = 1 << 14 /* elements that one thread has packed before another one has heard of it */
};

/* Work is cut into at most MAX_TASKS pieces of TASK_WORK flops or more.  Into how many chunks k is cut follows from the
 * shape alone, since it shows in the bits; rows and columns may be cut to suit the threads, since it does not. */
enum { MAX_TASKS = 64, TASK_WORK = 600000 };

/* Sums are cut where C, of every chunk, and the rows of a block of k, which those of the next one join meanwhile, stay in
 * L2.  With twice of CHUNK_KC two threads lose a tenth, since nobody has brought near what a chunk begins with; with
 * half of it C passes too often. */
enum { CHUNK_WORK = 4000000, CHUNK_K = 512, CHUNK_MOST = 1100 }; /* flops and k of a chunk at least, m + n at most */
#define CHUNK_C ((1 << 17) * 32 / KR_REAL)                       /* elements of C at most, */
#define CHUNK_FLOW ((1 << 17) * 32 / KR_REAL)                    /* and of both operands in a block */

/* How one product is cut up.  Rows are panels of nearly equal height, MR at most; columns are panels of NR, the last
 * one narrower; k is cut into blocks of kb. */
typedef struct {
  int64_t row_panels, col_panels, b_width; /* b_width: columns of all panels of B, with their padding */
  int64_t height, higher;                  /* rows of a panel, and how many panels have one more */
  int64_t kb, blocks;
  int64_t batch_tasks;                               /* > 0: each task computes whole products */
  int64_t row_tiles, col_tiles, chunks;              /* otherwise each task computes a tile of C, over one chunk of k */
  int share_a, share_b;                              /* that operand serves several times, so it is packed ahead */
  int64_t a_step, b_step;                            /* panels that a task goes through at a time */
  int64_t ahead;                                     /* blocks that are packed ahead at a time */
  int64_t a_shared, b_shared, a_own, b_own, partial; /* elements of scratch; own: of each worker */
} gemm_plan;

static int64_t clamp(int64_t x, int64_t low, int64_t high) { return kr_max(low, kr_min(x, high)); }

#define KR_REAL 32
#include "base/real.h"
#include "gemm/pack.h"
#include "core_body.h"
#include "columns_body.h"
#undef KR_REAL
#define KR_REAL 64
#include "base/real.h"
#include "gemm/pack.h"
#include "core_body.h"
#include "columns_body.h"

KR_TABLE(core) = {KR_TABLE_END}; /* an engine, no kernels of its own */
