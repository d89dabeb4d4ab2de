/* Running sums and products of V_LANES rows at a time, for one width of real, where gemm/turn.h has both ways: columns come
 * to registers, meet the ones before, and go back.  The additions are those of a row alone, in its order. */

/* Columns of a block: a line of each row is read, and then written, as a whole, since rows may crowd one set of L1. */
enum { KR_FN(SCAN_BLOCK) = 64 / sizeof(real) };

/* `steps` columns from `at` on; `last` is the one before, where there is one (`more`). */
KR_INLINE void KR_FN(scan_columns)(const real *const *from, real *const *to, int64_t at, const int steps,
                                   const int reverse, const int product, int more, vreal *last) {
  vreal v[KR_FN(SCAN_BLOCK)];
#pragma GCC unroll 4
  for (int i = 0; i < steps; i += turn_steps) KR_FN(lanes_of_rows)(from, at + i, v + i);
#pragma GCC unroll 16
  for (int i = 0; i < steps; ++i) {
    vreal *here = &v[reverse ? steps - 1 - i : i];
    if (i > 0 || more) *here = product ? v_mul(*here, *last) : v_add(*last, *here);
    *last = *here;
  }
#pragma GCC unroll 4
  for (int i = 0; i < steps; i += turn_steps) KR_FN(rows_of_lanes)(v + i, to, at + i);
}

KR_INLINE void KR_FN(scan_rows)(const real *x, real *y, int64_t n, const int reverse, const int product) {
  const real *from[V_LANES];
  real *to[V_LANES];
  for (int64_t r = 0; r < V_LANES; ++r) from[r] = x + r * n, to[r] = y + r * n;
  vreal last = v_zero();
  int64_t done = 0;
  for (; done + KR_FN(SCAN_BLOCK) <= n; done += KR_FN(SCAN_BLOCK)) KR_FN(scan_columns)
  (from, to, reverse ? n - done - KR_FN(SCAN_BLOCK) : done, KR_FN(SCAN_BLOCK), reverse, product, done > 0, &last);
  for (; done + turn_steps <= n; done += turn_steps)
    KR_FN(scan_columns)(from, to, reverse ? n - done - turn_steps : done, turn_steps, reverse, product, done > 0,
                        &last);
  KR_ALIGNED real before[V_LANES];
  v_store(before, last);
  for (; done < n; ++done) {
    const int64_t at = reverse ? n - 1 - done : done;
    for (int64_t r = 0; r < V_LANES; ++r) {
      const real v = from[r][at];
      to[r][at] = before[r] = done == 0 ? v : product ? v * before[r] : before[r] + v;
    }
  }
}
