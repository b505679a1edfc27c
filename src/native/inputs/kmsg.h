/* The kernel's log: each read returns one record (Documentation/ABI/testing/dev-kmsg). */
#pragma once

#include "inputs/sources.h"

/* Opens the device, unless a takeover brought it as `*fd`, and the source in `slot`. An event says why it can't. */
void kmsg_start(int *fd, const char *path, u32 *slot, struct sources *sources);
/* Reads some records. At the device's end, closes it and sets `*fd` to -1. */
void kmsg_read(int *fd, u32 slot, struct sources *sources);
