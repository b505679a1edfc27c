/* Starts a command as a shell would: PATH, scripts without `#!`, exit statuses 126 and 127. */
#pragma once

#include "start/config.h"
#include "system/text.h"

struct run {
  int pid;
  int output[2]; /* its stdout and stderr; reading them never waits */
};

/* Becomes the command. If that fails, prints why and exits with 126 or 127. */
__attribute__((noreturn)) void exec_command(const struct process *process, char *const *command);
/* Starts the command as a child. 0, or -errno if it could not be started: command_failure puts that into words. */
int run_command(struct run *run, const struct process *process, char *const *command);
/* Why the command could not be started, with the exit status, 126 or 127. */
void command_failure(struct text *text, const char *name, int error);
