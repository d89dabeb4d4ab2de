/* One task of a scatter for the element type T: included by scatter.c once for each (U: T's unsigned type, where T is
 * an integer, so that sums and products wrap). */
#ifdef U
#define COMBINE(op, a, b) ((T)((U)(a)op(U)(b)))
#define LOWEST ((T)((U)1 << (8 * sizeof(T) - 1)))
#define HIGHEST ((T)~LOWEST)
#else
#define COMBINE(op, a, b) ((a)op(b))
#define LOWEST ((T) - INFINITY)
#define HIGHEST ((T)INFINITY)
#endif

static void NAME(scatter_task)(void *arg, int64_t task, int worker) {
  (void)worker;
  const scatter_job *j = arg;
  const int64_t a = task / j->parts, part = task % j->parts, n = j->inner;
  const int64_t lo = part_start(j, part), hi = part_start(j, part + 1);
  T *y = (T *)j->y + a * j->rows * n;
  if (j->clear) {
    const T start = j->mode == MAX ? LOWEST : j->mode == MIN ? HIGHEST : j->mode == MUL ? (T)1 : (T)0;
    if (start == 0) memset(y + lo * n, 0, (size_t)((hi - lo) * n) * sizeof(T)); /* writes without reading first */
    else
      for (int64_t k = lo * n; k < hi * n; ++k) y[k] = start;
  }
  for (int64_t q = j->from[part]; q < j->from[part + 1]; ++q) {
    const T *u = (const T *)j->u + (a * j->count + j->order[q]) * n;
    T *restrict row = y + j->at[j->order[q]] * n;
    switch (j->mode) {
      case ADD:
        for (int64_t b = 0; b < n; ++b) row[b] = COMBINE(+, row[b], u[b]);
        break;
      case MUL:
        for (int64_t b = 0; b < n; ++b) row[b] = COMBINE(*, row[b], u[b]);
        break;
      case MAX: /* x != x: a NaN wins */
        for (int64_t b = 0; b < n; ++b) row[b] = u[b] > row[b] || u[b] != u[b] ? u[b] : row[b];
        break;
      case MIN:
        for (int64_t b = 0; b < n; ++b) row[b] = u[b] < row[b] || u[b] != u[b] ? u[b] : row[b];
        break;
      default:
        for (int64_t b = 0; b < n; ++b) row[b] = u[b];
    }
  }
}
#undef COMBINE
#undef LOWEST
#undef HIGHEST
