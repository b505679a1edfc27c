/* Starts a command as a shell would: PATH, scripts without `#!`, the statuses 126 and 127. */
#pragma once

#include "daemonize.h"

struct run {
  int pid;
  int output[2]; /* its stdout and stderr, ours to read without waiting */
};

/* Becomes the command; says why and exits with 126 or 127 if that can't be. */
__attribute__((noreturn)) void exec_command(const struct process *process, char *const *command);
/* Starts the command as a child; says why and exits with 126 or 127 if that can't be. */
void run_command(struct run *run, const struct process *process, char *const *command);
