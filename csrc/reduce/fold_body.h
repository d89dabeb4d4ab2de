/* Folding floating rows and columns in a fixed order, for one width of real; included for float and for double.
 * An includer has reduce_op from reduce/op.h. */

static const real KR_FN(lane)[16] KR_ALIGNED = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/* Loads and stores of the first w lanes, or of a whole vector where there are more. */
KR_INLINE vreal KR_FN(ld)(const real *p, int64_t w) { return w >= V_LANES ? v_load(p) : v_load_n(p, w); }

KR_INLINE void KR_FN(st)(real *p, vreal v, int64_t w) {
  if (w >= V_LANES) v_store(p, v);
  else v_store_n(p, v, w);
}

/* v in the first w lanes, zero in the others. */
KR_INLINE vreal KR_FN(keep)(vreal v, int64_t w) {
  return w >= V_LANES ? v : v_select(v_lt(v_load(KR_FN(lane)), v_set1((real)w)), v, v_zero());
}

KR_INLINE real KR_FN(identity)(enum reduce_op op) {
  switch (op) {
    case OP_PROD: return 1;
    case OP_MAX: return (real)-INFINITY;
    case OP_MIN: return (real)INFINITY;
    default: return 0;
  }
}

KR_INLINE vreal KR_FN(combine)(enum reduce_op op, vreal a, vreal b) {
  switch (op) {
    case OP_PROD: return v_mul(a, b);
    case OP_MAX: return v_max_nan(a, b);
    case OP_MIN: return v_min_nan(a, b);
    default: return v_add(a, b);
  }
}

KR_INLINE vreal KR_FN(mapped)(enum reduce_op op, vreal v) { return op == OP_SUM_SQUARE ? v_mul(v, v) : v; }

KR_INLINE vreal KR_FN(fetch)(enum reduce_op op, const real *x) { return KR_FN(mapped)(op, v_load(x)); }

/* The first n lanes of x, the identity in the others. */
KR_INLINE vreal KR_FN(fetch_n)(enum reduce_op op, const real *x, int64_t n) {
  if (op == OP_SUM || op == OP_SUM_SQUARE) return KR_FN(mapped)(op, v_load_n(x, n)); /* lanes past n are zero already */
  return v_load_or(x, n, v_set1(KR_FN(identity)(op)));
}

KR_INLINE real KR_FN(across)(enum reduce_op op, vreal v) {
  if (op == OP_MAX) return v_hmax(v);
  if (op == OP_MIN) return v_hmin(v);
  if (op != OP_PROD) return v_hsum(v);
  real KR_ALIGNED t[V_LANES];
  v_store(t, v);
  for (int half = V_LANES / 2; half > 0; half /= 2)
    for (int l = 0; l < half; ++l) t[l] *= t[l + half];
  return t[0];
}

/* One row: blocks of 128 vectors in four accumulators, the blocks combined as a balanced tree whose open branches
 * stand in `tree`, the lanes last.  For a sum: at most 31 + 2 + log2(n / (128 lanes)) + log2(lanes) roundings stand
 * between an element and the result. */
KR_INLINE vreal KR_FN(row_lanes)(enum reduce_op op, const real *x, int64_t n) {
  enum { BLOCK = 128 * V_LANES };
  vreal tree[48], total = v_set1(KR_FN(identity)(op));
  int top = 0;
  int64_t i = 0;
  for (int64_t block = 0; n - i >= BLOCK; ++block, i += BLOCK) {
    vreal a = KR_FN(fetch)(op, x + i), b = KR_FN(fetch)(op, x + i + V_LANES);
    vreal c = KR_FN(fetch)(op, x + i + 2 * V_LANES), d = KR_FN(fetch)(op, x + i + 3 * V_LANES);
    for (int64_t j = i + 4 * V_LANES; j < i + BLOCK; j += 4 * V_LANES) {
      a = KR_FN(combine)(op, a, KR_FN(fetch)(op, x + j));
      b = KR_FN(combine)(op, b, KR_FN(fetch)(op, x + j + V_LANES));
      c = KR_FN(combine)(op, c, KR_FN(fetch)(op, x + j + 2 * V_LANES));
      d = KR_FN(combine)(op, d, KR_FN(fetch)(op, x + j + 3 * V_LANES));
    }
    a = KR_FN(combine)(op, KR_FN(combine)(op, a, b), KR_FN(combine)(op, c, d));
    for (int64_t t = block; t & 1; t >>= 1) a = KR_FN(combine)(op, tree[--top], a);
    tree[top++] = a;
  }
  if (n - i >= 4 * V_LANES) {
    vreal a = total, b = total, c = total, d = total;
    for (; n - i >= 4 * V_LANES; i += 4 * V_LANES) {
      a = KR_FN(combine)(op, a, KR_FN(fetch)(op, x + i));
      b = KR_FN(combine)(op, b, KR_FN(fetch)(op, x + i + V_LANES));
      c = KR_FN(combine)(op, c, KR_FN(fetch)(op, x + i + 2 * V_LANES));
      d = KR_FN(combine)(op, d, KR_FN(fetch)(op, x + i + 3 * V_LANES));
    }
    total = KR_FN(combine)(op, KR_FN(combine)(op, a, b), KR_FN(combine)(op, c, d));
  }
  for (; n - i >= V_LANES; i += V_LANES) total = KR_FN(combine)(op, total, KR_FN(fetch)(op, x + i));
  if (n > i) total = KR_FN(combine)(op, total, KR_FN(fetch_n)(op, x + i, n - i));
  while (top > 0) total = KR_FN(combine)(op, tree[--top], total);
  return total;
}

KR_INLINE real KR_FN(row)(enum reduce_op op, const real *x, int64_t n) {
  return KR_FN(across)(op, KR_FN(row_lanes)(op, x, n));
}

/* Short rows spend their time across the lanes, so as many as a vector has lanes are folded there at once.  `whole`, a
 * constant, says how many vectors of a row are whole and not its last.  Sums come to the bits of row(). */
KR_INLINE void KR_FN(short_sums)(enum reduce_op op, const real *x, int64_t n, int whole, real *acc) {
  vreal part[V_LANES];
#pragma GCC unroll 16
  for (int64_t l = 0; l < V_LANES; ++l, x += n) {
    part[l] = v_zero();
#pragma GCC unroll 4
    for (int k = 0; k < whole; ++k) part[l] = v_add(part[l], KR_FN(fetch)(op, x + k * V_LANES));
    part[l] = v_add(part[l], KR_FN(fetch_n)(op, x + whole * V_LANES, n - whole * V_LANES));
  }
  v_store(acc, v_hsums(part));
}

/* The last vector of a short row, which may overlap the one before; or all of the row, and `none` in the lanes past it. */
KR_INLINE vreal KR_FN(short_end)(const real *x, int64_t n, int whole, vreal none) {
  return whole ? v_load(x + n - V_LANES) : v_load_or(x, n, none);
}

/* Extremes of count <= V_LANES rows, without regard for NaN.  Whether there may be one shows in the sum of all elements;
 * an infinity of each sign, which looks the same there, only costs the time of the search. */
KR_INLINE void KR_FN(short_extremes)(enum reduce_op op, const real *x, int64_t count, int64_t n, int whole, real *acc) {
  const vreal none = v_set1(KR_FN(identity)(op));
  vreal part[V_LANES], sum[4] = {v_zero(), v_zero(), v_zero(), v_zero()};
#pragma GCC unroll 16
  for (int64_t l = 0; l < count; ++l) {
    const real *p = x + l * n;
    part[l] = KR_FN(short_end)(p, n, whole, none);
    sum[l & 3] = v_add(sum[l & 3], part[l]);
#pragma GCC unroll 4
    for (int k = 0; k < whole; ++k) {
      const vreal v = v_load(p + k * V_LANES);
      sum[l & 3] = v_add(sum[l & 3], v);
      part[l] = op == OP_MAX ? v_max(part[l], v) : v_min(part[l], v);
    }
  }
  for (int64_t l = count; l < V_LANES; ++l) part[l] = none;
  const vreal best = op == OP_MAX ? v_hmaxs(part) : v_hmins(part);
  if (count == V_LANES) v_store(acc, best);
  else v_store_n(acc, best, count);
  if (m_any(v_isnan(v_add(v_add(sum[0], sum[1]), v_add(sum[2], sum[3])))))
    for (int64_t l = 0; l < count; ++l)
      for (int64_t i = 0; i < n; ++i)
        if (x[l * n + i] != x[l * n + i]) acc[l] = x[l * n + i];
}

/* Rows of `whole` vectors and a part or all of one more.  Which zero is the larger of two depends on where they stand, so
 * all rows go the same way. */
KR_INLINE void KR_FN(short_rows_of)(enum reduce_op op, const real *x, int64_t rows, int64_t n, int whole, real *acc) {
  const int extreme = op == OP_MAX || op == OP_MIN;
  int64_t r = 0;
  for (; r + V_LANES <= rows; r += V_LANES) {
    if (extreme) KR_FN(short_extremes)(op, x + r * n, V_LANES, n, whole, acc + r);
    else KR_FN(short_sums)(op, x + r * n, n, whole, acc + r);
  }
  if (extreme && r < rows) KR_FN(short_extremes)(op, x + r * n, rows - r, n, whole, acc + r);
  for (; !extreme && r < rows; ++r) acc[r] = KR_FN(row)(op, x + r * n, n);
}

KR_INLINE void KR_FN(rows)(enum reduce_op op, const real *x, int64_t rows, int64_t n, real *acc) {
  switch (op == OP_PROD || n == 0 ? -1 : (n - 1) / V_LANES) {
    case 0: KR_FN(short_rows_of)(op, x, rows, n, 0, acc); return;
    case 1: KR_FN(short_rows_of)(op, x, rows, n, 1, acc); return;
    case 2: KR_FN(short_rows_of)(op, x, rows, n, 2, acc); return;
    case 3: KR_FN(short_rows_of)(op, x, rows, n, 3, acc); return;
    default:
      for (int64_t r = 0; r < rows; ++r) acc[r] = KR_FN(row)(op, x + r * n, n);
  }
}

/* Eight rows at a time, combined as a tree before they meet the accumulators, which are thus read and written once for
 * eight loads and take n / 8 roundings. */
KR_INLINE void KR_FN(cols)(enum reduce_op op, const real *x, int64_t n, int64_t s, int64_t m, real *acc) {
  if (n == 0)
    for (int64_t j = 0; j < m; ++j) acc[j] = KR_FN(identity)(op);
  for (int64_t r = 0; r < n; r += 8) {
    const real *p = x + r * s;
    int64_t left = kr_min(8, n - r);
    for (int64_t j = 0; j < m; j += V_LANES) {
      int64_t w = m - j;
      int whole = w >= V_LANES;
#define AT(row) (whole ? KR_FN(fetch)(op, p + (row) * s + j) : KR_FN(mapped)(op, v_load_n(p + (row) * s + j, w)))
      vreal a = AT(0);
      if (left == 8) {
        a = KR_FN(combine)(op, a, AT(1));
        vreal b = KR_FN(combine)(op, AT(2), AT(3));
        vreal c = KR_FN(combine)(op, AT(4), AT(5));
        vreal d = KR_FN(combine)(op, AT(6), AT(7));
        a = KR_FN(combine)(op, KR_FN(combine)(op, a, b), KR_FN(combine)(op, c, d));
      } else {
        for (int64_t q = 1; q < left; ++q) a = KR_FN(combine)(op, a, AT(q));
      }
#undef AT
      if (whole) {
        v_store(acc + j, r ? KR_FN(combine)(op, v_load(acc + j), a) : a);
      } else {
        v_store_n(acc + j, r ? KR_FN(combine)(op, v_load_n(acc + j, w), a) : a, w);
      }
    }
  }
}
