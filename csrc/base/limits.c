/* What the machine lets this process use: CPUs by affinity and cgroup quota, memory by size and cgroup limit. */
#define _GNU_SOURCE
#include "limits.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_SIZE = 1024 };

/* Reads the first line of dir/file; returns 0 where there is none. */
static int read_line(const char *dir, const char *file, char *line, int size) {
  char path[2 * PATH_SIZE];
  if (snprintf(path, sizeof path, "%s/%s", dir, file) >= (int)sizeof path) return 0;
  FILE *f = fopen(path, "re");
  if (!f) return 0;
  int ok = fgets(line, size, f) != NULL;
  fclose(f);
  return ok;
}

/* One cgroup's own limit; 0 where it sets none. */
static double cpus_v2(const char *dir) {
  char line[64];
  double quota, period;
  if (!read_line(dir, "cpu.max", line, sizeof line) || sscanf(line, "%lf %lf", &quota, &period) != 2) return 0;
  return period > 0 ? quota / period : 0;
}

static double cpus_v1(const char *dir) {
  char quota[64], period[64];
  if (!read_line(dir, "cpu.cfs_quota_us", quota, sizeof quota)) return 0;
  if (!read_line(dir, "cpu.cfs_period_us", period, sizeof period) || atof(period) <= 0) return 0;
  return atof(quota) > 0 ? atof(quota) / atof(period) : 0;
}

static double memory_v2(const char *dir) {
  char line[64];
  return read_line(dir, "memory.max", line, sizeof line) ? atof(line) : 0; /* "max" reads as 0 */
}

static double memory_v1(const char *dir) {
  char line[64];
  return read_line(dir, "memory.limit_in_bytes", line, sizeof line) ? atof(line) : 0;
}

typedef double (*read_fn)(const char *dir);

/* A limit holds for all cgroups below, so the tightest on the way up to the mount counts.  Inside a container the path
 * may be one of the host that does not exist here: the walk then finds its first files further up. */
static double tightest(const char *root, const char *mount, const char *group, read_fn read, double best) {
  char dir[PATH_SIZE];
  int stem = snprintf(dir, sizeof dir, "%s/sys/fs/cgroup%s", root, mount);
  int length = stem + snprintf(dir + stem, sizeof dir - (size_t)stem, "%s", group);
  if (length >= (int)sizeof dir) return best;
  for (;;) {
    double limit = read(dir);
    if (limit > 0 && (best <= 0 || limit < best)) best = limit;
    char *slash = strrchr(dir + stem, '/');
    if (!slash) return best;
    *slash = 0;
  }
}

/* /proc/self/cgroup has lines id:controllers:path; v2 is the line "0::path". */
static double cgroup_limit(const char *root, const char *controller, read_fn v1, read_fn v2) {
  char path[PATH_SIZE], line[PATH_SIZE];
  double best = 0;
  snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
  FILE *f = fopen(path, "re");
  if (!f) return 0;
  while (fgets(line, sizeof line, f)) {
    line[strcspn(line, "\n")] = 0;
    char *names = strchr(line, ':');
    char *group = names ? strchr(names + 1, ':') : NULL;
    if (!group) continue;
    *names++ = 0;
    *group++ = 0;
    if (!*names) {
      best = tightest(root, "", group, v2, best);
      best = tightest(root, "/unified", group, v2, best);
      continue;
    }
    char mount[PATH_SIZE];
    snprintf(mount, sizeof mount, "/%s", names);
    for (char *save, *name = strtok_r(names, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
      if (strcmp(name, controller) != 0) continue;
      best = tightest(root, mount, group, v1, best); /* mounted as "cpu,cpuacct"... */
      snprintf(mount, sizeof mount, "/%s", controller);
      best = tightest(root, mount, group, v1, best); /* ...or as "cpu" */
    }
  }
  fclose(f);
  return best;
}

int kr_limit_affinity(void) {
  cpu_set_t set;
  int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : (int)sysconf(_SC_NPROCESSORS_ONLN);
  return n > 0 ? n : 1;
}

double kr_limit_cgroup_cpus(const char *root) { return cgroup_limit(root, "cpu", cpus_v1, cpus_v2); }

int64_t kr_limit_memory(const char *root) {
  double physical = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
  double limit = cgroup_limit(root, "memory", memory_v1, memory_v2);
  return (int64_t)(limit > 0 && limit < physical ? limit : physical);
}
