/*
 * `memlogd -takeover`: a new memlogd, maybe of another version, takes over everything from the running one. Layout in
 * docs/PROTOCOL.md, section 10. Until the last byte of the conversation either side may die or give up, and the running
 * one goes on.
 */
#pragma once

#include "holdings.h"

/* ---- the running one ---- */

/* Whether the process at the other end of `peer` may take over: only root and our own user may. */
bool takeover_is_allowed(int peer);
/* Hands everything over. True if the other side has confirmed it; then it is memlogd, and the caller must exit. */
bool takeover_send(struct holdings *holdings, int peer);

/* ---- the new one ---- */

/* Asks the memlogd at `path` and receives its holdings. The connection is `*peer`. False: `error` says why. */
bool takeover_receive(struct holdings *holdings, const char *path, int *peer, struct text *error);
/* Everything is in place: asks the running one to go. False: it goes on, and `error` says so. */
bool takeover_finish(int peer, struct text *error);
