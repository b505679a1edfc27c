/*
 * The engine's readers. JavaScript can't ask the kernel who they are. And some of them can't connect again when the
 * engine ends: of these the intake keeps copies for the next engine.
 */
#pragma once

#include "system/guard.h"

/*
 * Looks at the descriptor `fd` of the process `pid` through a copy of it. Returns the peer's pid and uid: 0 and
 * UID_UNKNOWN where the kernel does not say, PID_GONE and UID_UNKNOWN if the other end is closed. Also limits what the
 * kernel buffers for that reader.
 */
struct ucred peer_of_reader(struct guard *guard, int pid, u32 fd);

/* Copies of the connections that engines asked to keep, by their places; -1: none. */
struct kept_readers {
  i64 descriptors_max; /* copies with this number and above are not kept: the intake needs those numbers */
  int fds[KEPT_READERS_MAX];
};

void kept_readers_reset(struct kept_readers *kept);
/* Keeps a copy of the descriptor `fd` of the process `pid`, if there can be one. False if the place is not a free one. */
bool kept_readers_add(struct kept_readers *kept, u64 place, int pid, u32 fd);
/* False if there is no such place. */
bool kept_readers_remove(struct kept_readers *kept, struct guard *guard, u32 place);
