/* From the kernel's stack to the first function. */
#ifndef MEMLOGD_HOSTED
#include "front.h"

/* Called by entry-<cpu>.S with the stack as the kernel (or the loader) left it; returns for the old entry. */
__attribute__((no_stack_protector)) void native_entry(long *stack) {
  int count = (int)stack[0];
  char **args = (char **)(stack + 1);
  char **environment = args + count + 1;
  char **end = environment;
  while (*end != NULL) end++;
  const char *path = NULL;
  /* The kernel's random bytes are the guard; without them, whatever is on the stack. */
  long guard = (long)(uintptr_t)stack;
  for (long *auxiliary = (long *)(end + 1); auxiliary[0] != AT_NULL; auxiliary += 2) {
    if (auxiliary[0] == AT_EXECFN) path = (const char *)auxiliary[1];
    if (auxiliary[0] == AT_RANDOM) guard = auxiliary[1];
  }
  long before = swap_stack_guard(guard);
  front(count, args, environment, path);
  swap_stack_guard(before);
}

/* The compiler calls it in a function that has written past its arrays, before that returns to anywhere. */
__attribute__((noreturn)) void __stack_chk_fail(void);
__attribute__((noreturn)) void __stack_chk_fail(void) {
  static const char message[] = "memlogd: the stack is damaged: a fault of memlogd\n";
  sys_write(2, message, sizeof message - 1);
  __builtin_trap();
}
#endif
typedef int entry_is_not_empty; /* ISO C wants something in every file. */
