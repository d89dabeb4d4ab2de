/* A vector of which the caller knows, often as a constant, how many lanes count.  Include it after base/real.h. */

KR_INLINE vreal KR_FN(load)(const real *p, int64_t lanes) { return lanes < V_LANES ? v_load_n(p, lanes) : v_load(p); }

KR_INLINE void KR_FN(store)(real *p, vreal x, int64_t lanes) {
  if (lanes < V_LANES) v_store_n(p, x, lanes);
  else v_store(p, x);
}
