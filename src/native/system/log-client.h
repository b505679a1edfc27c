/* A client of memlogd's log socket. */
#pragma once

#include "system/text.h"

/* Writes `name` and `suffix` to `to`, cuts the name so that both fit SOURCE_NAME_BYTES_MAX. Returns how long they are. */
u32 source_name(char *to, const char *name, const char *suffix);
/* A connection to the log socket at `path` whose sends wait at most `wait_ms`. The descriptor, or -errno. */
int log_client_connect(const char *path, i64 wait_ms);
/* Begins a message of `program` that says why the log socket can't be used. */
void log_client_failure(struct text *text, const char *program, const char *path, int error);
