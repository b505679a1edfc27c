/* What the engine's process gives up before JavaScript starts: docs/SECURITY.md says why. */
#pragma once

#include "constants.h"
#include "system/sys.h"

/*
 * Changes to `user`, "UID:GID" in decimal, if this process is root and may do so and kill that user's processes; gives
 * up groups, capabilities and core dumps; dies with the intake; and installs the filter for system calls. Whatever the
 * kernel refuses is left out: an engine with more rights than it needs is better than none.
 */
void confine_engine(const char *user);
/* Refuses every system call that the engine has no use for. 0, or -errno: then nothing is refused. */
int filter_system_calls(void);
/* Whether the kernel knows such filters. */
bool filters_are_known(void);
