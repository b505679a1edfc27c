/* Threads; see thread.h. */
#include "system/thread.h"

/* Only the pages that are used count. become_role needs 40 KiB. */
#define STACK_BYTES (128 * 1024)
#define THREAD_FLAGS \
  (CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM | CLONE_CHILD_CLEARTID)

#ifdef MEMLOGD_HOSTED
int pthread_create(unsigned long *thread, const void *attributes, void *(*run)(void *), void *argument);
int pthread_detach(unsigned long thread);

static void *pthread_main(void *argument) {
  const struct thread *thread = argument;
  thread->run(thread->argument);
  return NULL;
}

/* Sanitizers must know every thread. Each has its own stack. */
static bool start(struct thread *thread) {
  unsigned long id;
  return pthread_create(&id, NULL, pthread_main, thread) == 0 && pthread_detach(id) == 0;
}
#else
static bool start(struct thread *thread) {
  if (thread->stack == NULL) thread->stack = sys_memory(STACK_BYTES);
  if (thread->stack == NULL) return false;
  thread->is_alive = 1;
  bool is_started =
      clone_thread(THREAD_FLAGS, thread->stack + STACK_BYTES, thread->run, thread->argument, &thread->is_alive) > 0;
  if (!is_started) thread->is_alive = 0;
  return is_started;
}
#endif

bool thread_start(struct thread *thread, void (*run)(void *), void *argument) {
  thread->run = run;
  thread->argument = argument;
  return start(thread);
}

bool thread_has_ended(const struct thread *thread) { return __atomic_load_n(&thread->is_alive, __ATOMIC_ACQUIRE) == 0; }
