/* Indices of any integer dtype, checked and made plain int64 positions before a kernel uses them. */
#ifndef KR_EMBEDDING_INDEX_H
#define KR_EMBEDDING_INDEX_H
#include "base/bytes.h"

/* A task moves at least this many elements; below, waking a thread costs more. */
#define INDEX_GRAIN 32768
enum { INDEX_STRICT, INDEX_WRAP, INDEX_DROP }; /* how an index outside [0, limit) is met */

/* Writes index[k] to at[k] for every k.  STRICT refuses what is outside [0, limit), WRAP lets -limit..-1 count from the
 * end, DROP writes -1.  The first offender is reported. */
static kr_status index_resolve(const kr_call *c, int input, int64_t limit, int mode, int64_t *at) {
  const kr_array *a = &c->in[input];
  if (!kr_is_index(a->dtype)) return KR_EINTERNAL;
  const int64_t n = kr_size(a);
  for (int64_t k = 0; k < n; ++k) {
    const int64_t value = kr_index(a->data, a->dtype, k);
    int64_t v = value;
    if (v < 0 && mode == INDEX_WRAP) v += limit;
    if (v < 0 || v >= limit) {
      if (mode != INDEX_DROP) return kr_index_error(c, input, k, value, limit);
      v = -1;
    }
    at[k] = v;
  }
  return KR_OK;
}

/* Row numbers from tuples: the last dimension of the index array, K long, addresses the first K dimensions of `whole`;
 * at[k] becomes the flat number of the addressed row. */
static kr_status index_resolve_nd(const kr_call *c, int input, const kr_array *whole, int mode, int64_t *at) {
  const kr_array *a = &c->in[input];
  if (!kr_is_index(a->dtype) || a->ndim < 1) return KR_EINTERNAL;
  const int64_t k = a->shape[a->ndim - 1], n = kr_span(a, 0, a->ndim - 1);
  if (k > whole->ndim) return KR_EINTERNAL;
  for (int64_t j = 0; j < n; ++j) {
    int64_t flat = 0;
    for (int64_t d = 0; d < k; ++d) {
      const int64_t limit = whole->shape[d], value = kr_index(a->data, a->dtype, j * k + d);
      const int64_t v = value < 0 && mode == INDEX_WRAP ? value + limit : value;
      if (v < 0 || v >= limit) return kr_index_error(c, input, j * k + d, value, limit);
      flat = flat * limit + v;
    }
    at[j] = flat;
  }
  return KR_OK;
}

#endif
