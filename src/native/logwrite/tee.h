/* logwrite: runs a command and copies its output to its own and to memlogd. */
#pragma once

#include "start/config.h"

__attribute__((noreturn)) void tee(const struct process *process, char *const *args);
