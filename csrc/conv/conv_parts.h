/* Adds the sums of the parts of a gradient to the kernel, in order, for one floating type. */

typedef struct {
  const real *from; /* parts of `size` elements */
  real *to;         /* may be the first of them */
  int64_t parts, size;
} KR_FN(parts_job);

/* A piece of the elements, part by part: what is read in a row comes by itself, one vector of each part would not. */
static void KR_FN(parts_task)(void *arg, int64_t task, KR_UNUSED int worker) {
  const KR_FN(parts_job) *j = arg;
  const int64_t from = task * PARTITION_SUM, to = kr_min(j->size, from + PARTITION_SUM);
  for (int64_t part = 1; part < j->parts; ++part) {
    const real *sum = part == 1 ? j->from : j->to, *next = j->from + part * j->size;
    int64_t i = from;
    for (; i + V_LANES <= to; i += V_LANES) v_store(j->to + i, v_add(v_load(sum + i), v_load(next + i)));
    if (i < to) v_store_n(j->to + i, v_add(v_load_n(sum + i, to - i), v_load_n(next + i, to - i)), to - i);
  }
}

static void KR_FN(add_parts)(const real *from, real *to, int64_t parts, int64_t size, int threads) {
  KR_FN(parts_job) j = {from, to, parts, size};
  if (parts > 1) kr_parallel(threads, kr_ceil_div(size, PARTITION_SUM), KR_FN(parts_task), &j);
}
