/* Threads of this process: they share its memory and its descriptors. */
#pragma once

#include "system/sys.h"

struct thread {
  u8 *stack;    /* made when the thread is first started */
  u32 is_alive; /* the kernel clears it when the thread has ended, and its stack is free */
  void (*run)(void *argument);
  void *argument;
};

/* Runs `run(argument)`, which ends with sys_exit_thread(), in a thread. False if there can be none. */
bool thread_start(struct thread *thread, void (*run)(void *), void *argument);
/* Whether it has ended, or was never started; only then may it be started. */
bool thread_has_ended(const struct thread *thread);
