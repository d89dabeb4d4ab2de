/* How many tasks a pass is cut into.
 *
 * Sums over cells are cut into parts whose sums are added at the end.  That shows in the bits, so the parts follow from the
 * shape alone; a power of two of them comes out even on 2 to 64 threads.  What else there is to cut (cells of an output,
 * rows and columns of a gradient to a kernel) shows in none, and is cut for the threads at hand. */
#ifndef KR_CONV_PARTITION_H
#define KR_CONV_PARTITION_H

enum {
  PARTITION_MOST = 64,   /* parts at most */
  PARTITION_CELLS = 512, /* cells that each sums at least */
  PARTITION_FINER = 4,   /* tasks may be so much smaller than they should be, to be as many for each thread */
  PARTITION_SUM = 1024   /* elements of a task that adds parts */
};

/* A power of two near so many parts: nine, on two threads, would take as long as ten. */
static int64_t near_power(int64_t most) {
  int64_t parts = 1;
  while (parts < PARTITION_MOST && 2 * parts * 3 <= most * 4) parts *= 2;
  return parts;
}

/* About so many tasks, `most` at most, as many for each thread. */
static int64_t even_tasks(int64_t tasks, int threads, int64_t most) {
  return kr_max(1, kr_min(most, kr_round_up(tasks, threads)));
}

/* Shares of `units` of work, for each of so many parts: one where parts are enough for the threads, since shares read, and
 * transform, the same again. */
static int64_t even_shares(int64_t parts, int64_t units, int threads) {
  int64_t best = 1;
  double least = INFINITY;
  for (int64_t s = 1; s <= units && parts * (s - 1) < threads; ++s) {
    const double rounds = (double)kr_ceil_div(parts * s, threads) * (double)kr_ceil_div(units, s);
    const double cost = rounds * (1 + 0.05 * (double)(s - 1));
    if (cost >= least) continue;
    least = cost;
    best = s;
  }
  return best;
}

#endif
