/* Rows of argmax and argmin, for one width of real: the extreme first, then the first place where it stands, both in
 * vectors.  A row is in cache for the second pass. */
#include "fold_body.h"

KR_INLINE int64_t KR_FN(arg_row)(enum reduce_op op, const real *x, int64_t n) {
  real best = KR_FN(row)(op, x, n);
  vreal wanted = v_set1(best);
  int64_t k = 0;
  for (; k + V_LANES <= n; k += V_LANES) {
    vreal v = v_load(x + k);
    if (m_any(best != best ? v_isnan(v) : v_eq(v, wanted))) break;
  }
  while (k < n - 1 && !(best != best ? x[k] != x[k] : x[k] == best)) ++k;
  return k;
}

static int64_t KR_PASTE(KR_FN(argmax), _row)(const real *x, int64_t n) { return KR_FN(arg_row)(OP_MAX, x, n); }
static int64_t KR_PASTE(KR_FN(argmin), _row)(const real *x, int64_t n) { return KR_FN(arg_row)(OP_MIN, x, n); }
