/* How conv/partition.h shares work out: counted in tasks, without a clock. */
#include "base/kernel.h"
#include "conv/partition.h"
#include "tests/check.h"

/* The most loaded thread's tasks against the mean. */
static double load(int64_t tasks, int threads) {
  return (double)(kr_ceil_div(tasks, threads) * threads) / (double)tasks;
}

int main(void) {
  static const int threads[] = {1, 2, 3, 4, 8, 12, 16, 24, 48, 64};
  for (int64_t most = 0; most < 200; ++most) {
    const int64_t parts = near_power(most);
    CHECK(parts >= 1 && parts <= PARTITION_MOST && (parts & (parts - 1)) == 0, "near_power(%d)", (int)most);
    CHECK(most < 1 || most > 64 || (parts <= most * 4 / 3 + 1 && 2 * parts * 3 > most * 4), "near_power(%d)",
          (int)most);
  }
  for (size_t t = 0; t < sizeof threads / sizeof *threads; ++t) {
    const int n = threads[t];
    for (int64_t tasks = 1; tasks < 200; ++tasks) { /* with room to cut: even; without: never more than there is */
      CHECK(load(even_tasks(tasks, n, 1 << 20), n) == 1, "%d tasks, %d threads", (int)tasks, n);
      CHECK(even_tasks(tasks, n, 5) <= 5, "%d tasks, %d threads", (int)tasks, n);
      CHECK(even_tasks(tasks, n, 0) == 1, "%d tasks, %d threads", (int)tasks, n);
    }
    for (int64_t parts = 1; parts <= PARTITION_MOST; parts *= 2)
      for (int64_t units = 1; units < 50; ++units) {
        const int64_t shares = even_shares(parts, units, n);
        CHECK(shares >= 1 && shares <= units, "%d parts, %d units, %d threads", (int)parts, (int)units, n);
        CHECK(n > 2 || parts < 2 || shares == 1, "%d parts cost %d threads shares", (int)parts, n);
        /* where there is enough to share, no thread has twice the mean */
        const double most = (double)(kr_ceil_div(parts * shares, n) * kr_ceil_div(units, shares));
        CHECK(parts * units < 4 * n || most * n < 2.0 * (double)(parts * units), "%d parts, %d units, %d threads: %g",
              (int)parts, (int)units, n, most);
      }
  }
  return report();
}
