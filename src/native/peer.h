/* Who a reader is. The engine has the connection, but JavaScript can't ask the kernel about it. */
#pragma once

#include "guard.h"

/*
 * Looks at the descriptor `fd` of the process `pid` through a copy of it. Returns the peer's pid and uid: 0 and
 * UID_UNKNOWN where the kernel does not say, PID_GONE and UID_UNKNOWN if the other end is closed. Also limits what the
 * kernel buffers for that reader.
 */
struct ucred peer_of_reader(struct guard *guard, int pid, u32 fd);
