/* The moves of move.h: cut into planes, which are copied, transposed or gone through element by element. */
#include "move.h"
#include "gemm/turn.h"
#include "move_square.h"

/* Planes from which on none is cut: there are enough of them to share out, and whole ones are read in longer runs. */
#define MOVE_PLANES 32
/* Sets of L1 in which rows crowd each other when they meet in so many or fewer. */
#define MOVE_SETS 4

#define T uint8_t
#define NAME(x) x##_b1
#define SQUARE 16
#include "move_body.h"
#define T uint16_t
#define NAME(x) x##_b2
#define SQUARE 8
#include "move_body.h"
#define T uint32_t
#define NAME(x) x##_b4
#define SQUARE 8
#ifdef MOVE_SHUFFLE
#define SHUFFLED
#endif
#ifdef KR_HAS_TURN
#define TURNED 32
#endif
#include "move_body.h"
#define T uint64_t
#define NAME(x) x##_b8
#define SQUARE 4
#ifdef MOVE_SHUFFLE
#define SHUFFLED
#endif
#ifdef KR_HAS_TURN
#define TURNED 64
#endif
#include "move_body.h"

/* The two innermost loops. */
static void move_plane(const kr_move *m, char *dst, const char *src) {
  const int a = m->ndim - 2, b = m->ndim - 1;
  const int64_t n1 = m->shape[a], n0 = m->shape[b], s1 = m->src[a], s0 = m->src[b], d1 = m->dst[a], d0 = m->dst[b];
  const int64_t size = m->size;
  if (d0 == 1 && s0 == 1) {
    kr_copy_rows(dst, d1 * size, src, s1 * size, n0 * size, n1);
    return;
  }
  switch (size) {
    case 1: plane_b1((uint8_t *)dst, d1, d0, (const uint8_t *)src, s1, s0, n1, n0); break;
    case 2: plane_b2((uint16_t *)dst, d1, d0, (const uint16_t *)src, s1, s0, n1, n0); break;
    case 4: plane_b4((uint32_t *)dst, d1, d0, (const uint32_t *)src, s1, s0, n1, n0); break;
    case 8: plane_b8((uint64_t *)dst, d1, d0, (const uint64_t *)src, s1, s0, n1, n0); break;
    default: break;
  }
}

typedef struct {
  const kr_move *move;
  char *dst;
  const char *src;
  int64_t planes, group; /* planes in all, and in one task */
} move_job;

static void move_task(void *arg, int64_t task, int worker) {
  (void)worker;
  const move_job *job = arg;
  const kr_move *m = job->move;
  const int outer = m->ndim - 2;
  const int64_t first = task * job->group, last = kr_min(first + job->group, job->planes);
  int64_t at[MOVE_NDIM] = {0}, from = 0, to = 0, rest = first;
  for (int d = outer - 1; d >= 0; --d) {
    at[d] = rest % m->shape[d];
    rest /= m->shape[d];
    from += at[d] * m->src[d];
    to += at[d] * m->dst[d];
  }
  for (int64_t plane = first; plane < last; ++plane) {
    move_plane(m, job->dst + to * m->size, job->src + from * m->size);
    for (int d = outer - 1; d >= 0; --d) {
      from += m->src[d];
      to += m->dst[d];
      if (++at[d] < m->shape[d]) break;
      from -= at[d] * m->src[d];
      to -= at[d] * m->dst[d];
      at[d] = 0;
    }
  }
}

/* Drops dimensions of one element and merges neighbours that are one run in both layouts. */
static void move_merge(kr_move *m) {
  int n = 0;
  for (int d = 0; d < m->ndim; ++d) {
    if (m->shape[d] == 1) continue;
    if (n && m->src[n - 1] == m->src[d] * m->shape[d] && m->dst[n - 1] == m->dst[d] * m->shape[d]) {
      m->shape[n - 1] *= m->shape[d];
      m->src[n - 1] = m->src[d];
      m->dst[n - 1] = m->dst[d];
    } else {
      m->shape[n] = m->shape[d];
      m->src[n] = m->src[d];
      m->dst[n] = m->dst[d];
      ++n;
    }
  }
  m->ndim = n;
}

static void move_bring(kr_move *m, int from, int to) {
  const int64_t n = m->shape[from], s = m->src[from], t = m->dst[from];
  const int step = from < to ? 1 : -1;
  for (int d = from; d != to; d += step) {
    m->shape[d] = m->shape[d + step];
    m->src[d] = m->src[d + step];
    m->dst[d] = m->dst[d + step];
  }
  m->shape[to] = n;
  m->src[to] = s;
  m->dst[to] = t;
}

/* Cuts dimension d into chunks of `chunk`: the whole chunks become an outermost dimension and are run by the caller's
 * move; what remains is run here. */
static void move_cut(int threads, kr_move *m, int d, int64_t chunk, char *dst, const char *src);

static void move_planes(int threads, kr_move *m, char *dst, const char *src) {
  move_job job = {m, dst, src, 1, 1};
  for (int d = 0; d < m->ndim - 2; ++d) job.planes *= m->shape[d];
  if (job.planes < MOVE_PLANES) {
    if (m->shape[m->ndim - 1] >= 2 * MOVE_GRAIN) move_cut(threads, m, m->ndim - 1, MOVE_GRAIN, dst, src);
    const int64_t rows = kr_max(64, kr_round_up(MOVE_GRAIN / m->shape[m->ndim - 1], 64));
    if (m->shape[m->ndim - 2] >= 2 * rows) move_cut(threads, m, m->ndim - 2, rows, dst, src);
    job.planes = 1;
    for (int d = 0; d < m->ndim - 2; ++d) job.planes *= m->shape[d];
  }
  const int64_t plane = m->shape[m->ndim - 2] * m->shape[m->ndim - 1];
  job.group = kr_min(job.planes, kr_ceil_div(MOVE_GRAIN, plane));
  const int64_t tasks = kr_ceil_div(job.planes, job.group);
  if (tasks <= 1) move_task(&job, 0, 0);
  else kr_parallel(threads, tasks, move_task, &job);
}

static void move_cut(int threads, kr_move *m, int d, int64_t chunk, char *dst, const char *src) {
  const int64_t whole = m->shape[d] / chunk, rest = m->shape[d] % chunk;
  if (rest) {
    kr_move tail = *m;
    tail.shape[d] = rest;
    const int64_t skip = whole * chunk * m->size;
    move_planes(threads, &tail, dst + skip * m->dst[d], src + skip * m->src[d]);
  }
  m->shape[d] = chunk;
  const int64_t s = m->src[d] * chunk, t = m->dst[d] * chunk;
  move_push(m, whole, s, t);
  move_bring(m, m->ndim - 1, 0);
}

void move_run(int threads, kr_move *m, void *dst, const void *src) {
  for (int d = 0; d < m->ndim; ++d)
    if (m->shape[d] == 0) return;
  move_merge(m);
  while (m->ndim < 2) {
    move_push(m, 1, 1, 1);
    move_bring(m, m->ndim - 1, 0);
  }
  const int b = m->ndim - 1;
  /* The loop that walks the source's memory goes next to the innermost one, which walks the destination's: both then
   * run inside a tile. */
  if (m->src[b] != 1 && m->dst[b] == 1)
    for (int d = 0; d < b - 1; ++d)
      if (m->src[d] == 1) {
        move_bring(m, d, b - 1);
        break;
      }
  /* Rows that are copied whole want many of them in the second loop, which costs less to go round than others. */
  if (m->src[b] == 1 && m->dst[b] == 1 && m->shape[b - 1] < 8) {
    int longest = b - 1;
    for (int d = 0; d < b - 1; ++d)
      if (m->shape[d] > m->shape[longest]) longest = d;
    move_bring(m, longest, b - 1);
  }
  move_planes(threads, m, dst, src);
}

/* Contiguous planes are copied by memcpy, whatever their alignment. */
void move_bytes(int threads, void *dst, const void *src, int64_t bytes) {
  kr_move m = {.size = 1};
  if (bytes % 8 == 0) {
    m.size = 8;
    bytes /= 8;
  }
  move_push(&m, bytes, 1, 1);
  move_run(threads, &m, dst, src);
}

void move_turned(int64_t size, void *dst, int64_t dst1, const void *src, int64_t src0, int64_t n1, int64_t n0) {
  if (size == 4) plane_b4(dst, dst1, 1, src, 1, src0, n1, n0);
  else plane_b8(dst, dst1, 1, src, 1, src0, n1, n0);
}

KR_TABLE(move) = {KR_TABLE_END}; /* an engine, no kernels of its own */
