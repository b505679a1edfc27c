/* From the kernel's stack to the first function. */
#ifndef MEMLOGD_HOSTED
#include "front.h"

/* Called by entry-<cpu>.S with the stack as the kernel (or the loader) left it; returns for the old entry. */
void native_entry(long *stack) {
  int count = (int)stack[0];
  char **args = (char **)(stack + 1);
  char **environment = args + count + 1;
  char **end = environment;
  while (*end != NULL) end++;
  const char *path = NULL;
  for (long *auxiliary = (long *)(end + 1); auxiliary[0] != AT_NULL; auxiliary += 2)
    if (auxiliary[0] == AT_EXECFN) path = (const char *)auxiliary[1];
  front(count, args, environment, path);
}
#endif
typedef int entry_is_not_empty; /* ISO C wants something in every file. */
