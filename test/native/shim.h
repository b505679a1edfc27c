/* Included first in the test's builds: every system call of the native half goes through the test. */
#pragma once

#if defined(__x86_64__)
#include "system/syscall-x86_64.h"
#else
#include "system/syscall-aarch64.h"
#endif

/* The kernel's own call, for the shim. */
static inline long kernel_call(long number, long a, long b, long c, long d, long e, long f) {
  return syscall6(number, a, b, c, d, e, f);
}
/* The native half calls this. Its result is the kernel's, or what the test wants. */
long shim_syscall(long number, long a, long b, long c, long d, long e, long f);
#define syscall6 shim_syscall
