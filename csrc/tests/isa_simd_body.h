/* The checks of isa_simd.c for one floating type. */

static int KR_FN(same)(real a, real b) { return (a != a && b != b) || memcmp(&a, &b, sizeof a) == 0; }

/* Bits of any kind, ordinary numbers, and the values at which rules change, in every combination of lanes. */
static real KR_FN(value)(uint64_t *state) {
  static const real special[] = {
      0,     (real)-0.0, 1,         -1,  (real)0.5,   (real)1.5,    (real)2.5,     (real)-0.5,
      -2.5f, INFINITY,   -INFINITY, NAN, (real)1e-42, (real)KR_BIG, (real)-KR_BIG, (real)123456.789};
  uint64_t bits = check_random(state);
  switch (bits >> 62) {
    case 0: return special[bits % (sizeof special / sizeof *special)];
    case 1: {
      ureal u = (ureal)bits;
      real x;
      memcpy(&x, &u, sizeof x);
      return x;
    }
    default: return (real)((double)(int64_t)(bits << 2) * 0x1p-63 * 1000);
  }
}

#define EACH(expected, vector_call)                                                                                  \
  do {                                                                                                               \
    v_store(got, vector_call);                                                                                       \
    for (int k = 0; k < V_LANES; ++k) {                                                                              \
      real want = (expected);                                                                                        \
      CHECK(KR_FN(same)(got[k], want), #vector_call ": %.17g for %.17g %.17g %.17g, expected %.17g", (double)got[k], \
            (double)a[k], (double)b[k], (double)c[k], (double)want);                                                 \
    }                                                                                                                \
  } while (0)

#define EACH_MASK(expected, mask_call)                                                                      \
  do {                                                                                                      \
    vmask m = (mask_call);                                                                                  \
    v_store(got, v_select(m, v_set1(1), v_zero()));                                                         \
    int any = 0, all = 1;                                                                                   \
    for (int k = 0; k < V_LANES; ++k) {                                                                     \
      int want = (expected);                                                                                \
      any |= want;                                                                                          \
      all &= want;                                                                                          \
      CHECK(got[k] == want, #mask_call ": %g for %.17g %.17g", (double)got[k], (double)a[k], (double)b[k]); \
    }                                                                                                       \
    CHECK(!m_any(m) == !any && !m_all(m) == !all, #mask_call ": any %d, all %d", m_any(m), m_all(m));       \
  } while (0)

#define EACH_INT(expected, vector_call)                                                                               \
  do {                                                                                                                \
    vi_store(igot, vector_call);                                                                                      \
    for (int k = 0; k < V_LANES; ++k) {                                                                               \
      ireal want = (ireal)(expected);                                                                                 \
      CHECK(igot[k] == want, #vector_call ": %lld for %lld %lld, expected %lld", (long long)igot[k], (long long)i[k], \
            (long long)j[k], (long long)want);                                                                        \
    }                                                                                                                 \
  } while (0)

static void KR_FN(check_arithmetic)(uint64_t *state) {
  real a[V_LANES], b[V_LANES], c[V_LANES], got[V_LANES];
  for (int k = 0; k < V_LANES; ++k) {
    a[k] = KR_FN(value)(state);
    b[k] = KR_FN(value)(state);
    c[k] = KR_FN(value)(state);
  }
  vreal x = v_load(a), y = v_load(b), z = v_load(c);
  EACH(a[k] + b[k], v_add(x, y));
  EACH(a[k] - b[k], v_sub(x, y));
  EACH(a[k] * b[k], v_mul(x, y));
  EACH(a[k] / b[k], v_div(x, y));
#ifdef KR_FOR_SCALAR
  EACH(a[k] * b[k] + c[k], v_fma(x, y, z));
  EACH(c[k] - a[k] * b[k], v_fnma(x, y, z));
#else
  EACH(KR_LIBM(fma)(a[k], b[k], c[k]), v_fma(x, y, z));
  EACH(KR_LIBM(fma)(-a[k], b[k], c[k]), v_fnma(x, y, z));
#endif
  EACH(KR_LIBM(sqrt)(a[k]), v_sqrt(x));
  EACH(KR_LIBM(fabs)(a[k]), v_abs(x));
  EACH(-a[k], v_neg(x));
  EACH(KR_LIBM(copysign)(a[k], b[k]), v_copysign(x, y));
  EACH(KR_LIBM(rint)(a[k]), v_round(x));
  EACH(KR_LIBM(floor)(a[k]), v_floor(x));
  EACH(KR_LIBM(ceil)(a[k]), v_ceil(x));
  EACH(KR_LIBM(trunc)(a[k]), v_trunc(x));
  /* The sign of a zero that is the smaller or larger of two is left open; adding +0 takes it away. */
  EACH((a[k] != a[k] || b[k] != b[k] ? (real)NAN : a[k] < b[k] ? a[k] : b[k]) + 0, v_add(v_min_nan(x, y), v_zero()));
  EACH((a[k] != a[k] || b[k] != b[k] ? (real)NAN : a[k] > b[k] ? a[k] : b[k]) + 0, v_add(v_max_nan(x, y), v_zero()));
  vmask ordered = m_not(m_or(v_isnan(x), v_isnan(y)));
  vreal p = v_select(ordered, x, v_zero()), q = v_select(ordered, y, v_zero());
  EACH((a[k] != a[k] || b[k] != b[k] ? 0 : a[k] < b[k] ? a[k] : b[k]) + 0, v_add(v_min(p, q), v_zero()));
  EACH((a[k] != a[k] || b[k] != b[k] ? 0 : a[k] > b[k] ? a[k] : b[k]) + 0, v_add(v_max(p, q), v_zero()));
  EACH(a[0], v_set1(a[0]));

  EACH_MASK(a[k] < b[k], v_lt(x, y));
  EACH_MASK(a[k] <= b[k], v_le(x, y));
  EACH_MASK(a[k] > b[k], v_gt(x, y));
  EACH_MASK(a[k] >= b[k], v_ge(x, y));
  EACH_MASK(a[k] == b[k], v_eq(x, y));
  EACH_MASK(a[k] != b[k], v_ne(x, y));
  EACH_MASK(a[k] != a[k], v_isnan(x));
  EACH_MASK(a[k] != a[k] || b[k] != b[k], v_unordered(x, y));
  EACH_MASK(a[k] < b[k] && b[k] < c[k], m_and(v_lt(x, y), v_lt(y, z)));
  EACH_MASK(a[k] < b[k] || b[k] < c[k], m_or(v_lt(x, y), v_lt(y, z)));
  EACH_MASK(!(a[k] < b[k]), m_not(v_lt(x, y)));
  EACH_MASK(1, v_eq(v_zero(), v_zero()));
  EACH_MASK(0, v_lt(v_zero(), v_zero()));

  real lowest = a[0], highest = a[0];
  for (int k = 1; k < V_LANES; ++k) {
    lowest = lowest != lowest || a[k] != a[k] ? (real)NAN : a[k] < lowest ? a[k] : lowest;
    highest = highest != highest || a[k] != a[k] ? (real)NAN : a[k] > highest ? a[k] : highest;
  }
  CHECK(KR_FN(same)(v_hmin(x) + 0, lowest + 0), "hmin %.17g, expected %.17g", (double)v_hmin(x), (double)lowest);
  CHECK(KR_FN(same)(v_hmax(x) + 0, highest + 0), "hmax %.17g, expected %.17g", (double)v_hmax(x), (double)highest);
}

static void KR_FN(check_integers)(uint64_t *state) {
  ireal i[V_LANES], j[V_LANES], igot[V_LANES];
  real a[V_LANES], b[V_LANES], c[V_LANES], got[V_LANES];
  double sum = 0;
  for (int k = 0; k < V_LANES; ++k) {
    i[k] = (ireal)check_random(state);
    j[k] = (ireal)check_random(state);
    a[k] = (real)((double)(int64_t)check_random(state) * 0x1p-63 * (KR_REAL == 32 ? 0x1.fffffep30 : 0x1p51));
    if (k % 3 == 0) a[k] = (real)(i[k] % 1000) + (real)0.5; /* ties */
    b[k] = (real)(i[k] % 4096);
    c[k] = 0;
    sum += (double)b[k];
  }
  vint x = vi_load(i), y = vi_load(j);
  EACH_INT((ureal)i[k] + (ureal)j[k], vi_add(x, y));
  EACH_INT((ureal)i[k] - (ureal)j[k], vi_sub(x, y));
  EACH_INT(i[k] & j[k], vi_and(x, y));
  EACH_INT(i[k] | j[k], vi_or(x, y));
  EACH_INT(i[k] ^ j[k], vi_xor(x, y));
  EACH_INT((ureal)i[k] << 5, vi_shl(x, 5));
  EACH_INT((ureal)i[k] >> 5, vi_shr(x, 5));
  EACH_INT((ureal)i[k] << (KR_REAL - 1), vi_shl(x, KR_REAL - 1));
  EACH_INT((ureal)i[k] >> (KR_REAL - 1), vi_shr(x, KR_REAL - 1));
  EACH_INT(i[0], vi_set1(i[0]));
  EACH_INT((ureal)i[k] + (a[k] < b[k]), vi_count(x, v_lt(v_load(a), v_load(b))));
#if KR_REAL == 64
  EACH_INT((uint64_t)(uint32_t)i[k] * (uint32_t)j[k], f64_i_mul_u32(x, y));
  EACH_INT((uint64_t)i[k] >> 32, vi_and(f64_i_high(x), vi_set1(0xffffffff)));
  uint32_t low[2 * V_LANES];
  f64_i_store_low(low, x, y);
  for (int k = 0; k < V_LANES; ++k) CHECK(low[k] == (uint32_t)i[k] && low[V_LANES + k] == (uint32_t)j[k], "store_low");
#endif
  EACH_INT(KR_LIBM(llrint)(a[k]), v_to_int(v_load(a)));
  EACH((real)i[k], vi_to_real(x));
  EACH_INT(i[k], v_as_int(vi_as_real(x)));
  EACH(a[(ureal)i[k] % V_LANES], v_take(v_load(a), vi_and(x, vi_set1(V_LANES - 1))));
  vreal rows[V_LANES];
  for (int k = 0; k < V_LANES; ++k) {
    for (int l = 0; l < V_LANES; ++l) c[l] = a[l] / (real)(3 * k + 7); /* sums that round */
    rows[k] = v_load(c);
    b[k] = (real)(i[k] % 4096);
  }
  EACH(v_hsum(rows[k]), v_hsums(rows));
  EACH(v_hmax(rows[k]), v_hmaxs(rows));
  EACH(v_hmin(rows[k]), v_hmins(rows));
  real square[7 * V_LANES];
  vreal columns[4];
  for (int s = 4; s <= 7; ++s) {
    for (int k = 0; k < s * V_LANES; ++k) square[k] = (real)k;
    v_columns(square + s - 4, s, columns);
    for (int column = 0; column < 4; ++column) EACH(square[k * s + s - 4 + column], columns[column]);
  }
  CHECK((double)v_hsum(v_load(b)) == sum, "hsum %.17g, expected %.17g", (double)v_hsum(v_load(b)), sum);
}

/* The first n lanes against a page that may not be touched, on either side. */
static void KR_FN(check_parts)(char *page, size_t bytes) {
  real got[V_LANES];
  for (int n = 0; n <= V_LANES; ++n) {
    real *tail = (real *)(page + bytes) - n;
    for (int k = 0; k < n; ++k) tail[k] = (real)(k + 1);
    v_store(got, v_load_n(tail, n));
    for (int k = 0; k < V_LANES; ++k)
      CHECK(got[k] == (k < n ? k + 1 : 0), "load_n %d: lane %d is %g", n, k, (double)got[k]);
    v_store(got, v_load_or(tail, n, v_set1(-3)));
    for (int k = 0; k < V_LANES; ++k)
      CHECK(got[k] == (k < n ? k + 1 : -3), "load_or %d: lane %d is %g", n, k, (double)got[k]);
    v_store_n(tail, v_set1(7), n);
    for (int k = 0; k < n; ++k) CHECK(tail[k] == 7, "store_n %d: element %d is %g", n, k, (double)tail[k]);
    real *head = (real *)page;
    for (int k = 0; k < V_LANES; ++k) head[k] = 5;
    v_store_n(head, v_set1(7), n);
    for (int k = 0; k < V_LANES; ++k) CHECK(head[k] == (k < n ? 7 : 5), "store_n %d wrote element %d", n, k);
    uint8_t *end = (uint8_t *)(page + bytes) - n;
    for (int k = 0; k < n; ++k) end[k] = (uint8_t)(255 - k);
    v_store(got, v_load_u8(end, n));
    for (int k = 0; k < V_LANES; ++k)
      CHECK(got[k] == (k < n ? 255 - k : 0), "load_u8 %d: lane %d is %g", n, k, (double)got[k]);
    for (int b = 255; b > 253; --b) { /* the lane that has it; the bytes of lanes past n do not count */
      v_store(got, v_select(v_eq_u8(end, n, (uint8_t)b), v_set1(1), v_zero()));
      for (int k = 0; k < V_LANES; ++k)
        CHECK(got[k] == (k < n && k == 255 - b), "eq_u8 %d: lane %d is %g", n, k, (double)got[k]);
    }
    v_store(got, v_select(v_eq_u8(end, n, 0), v_set1(1), v_zero()));
    for (int k = 0; k < V_LANES; ++k) CHECK(got[k] == 0, "eq_u8 %d of 0: lane %d is %g", n, k, (double)got[k]);
    v_store_u8(end, v_set1(200), n);
    for (int k = 0; k < n; ++k) CHECK(end[k] == 200, "store_u8 %d: byte %d is %d", n, k, end[k]);
    memset(page, 5, 2 * V_LANES);
    v_store_u8((uint8_t *)page, v_set1(9), n);
    for (int k = 0; k < 2 * V_LANES; ++k) CHECK(page[k] == (k < n ? 9 : 5), "store_u8 %d wrote byte %d", n, k);
  }
  vreal four[4];
  for (int k = 0; k < 4 * V_LANES; ++k) ((real *)four)[k] = (real)(255 - 3 * k);
  memset(page, 5, 6 * V_LANES);
  v_stores_u8((uint8_t *)page, four);
  for (int k = 0; k < 6 * V_LANES; ++k) {
    const int want = k < 4 * V_LANES ? 255 - 3 * k : 5;
    CHECK((uint8_t)page[k] == want, "stores_u8: byte %d is %d", k, (uint8_t)page[k]);
  }
}
#undef EACH
#undef EACH_MASK
#undef EACH_INT
