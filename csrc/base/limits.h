/* What the machine lets this process use.  `root` stands before /proc and /sys: "" on a real system, a folder in tests.
 */
#ifndef KR_LIMITS_H
#define KR_LIMITS_H
#include <stdint.h>

int kr_limit_affinity(void);                   /* CPUs the scheduler may use, at least 1 */
double kr_limit_cgroup_cpus(const char *root); /* CPUs of the tightest cgroup quota (v1 or v2); 0: no quota */
int64_t kr_limit_memory(const char *root);     /* bytes: physical memory or the tightest cgroup limit below it */

#endif
