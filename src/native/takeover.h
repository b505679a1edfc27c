/*
 * `memlogd -takeover`: a new memlogd, maybe of another version, takes everything from the running one. Layout in
 * docs/PROTOCOL.md, section 10. Until the last byte of the conversation either side may die or give up, and the old one goes on.
 */
#pragma once

#include "intake.h"

/* ---- the running one: a datagram with the reserved name came, and this descriptor with it ---- */

/* Hands everything over and does not return; or goes on, with `peer` closed. */
void takeover_serve(struct intake *intake, int peer);

/* ---- the new one ---- */

/* Asks the memlogd at `path` and takes what it sends. False: `error` says why not. The connection is *peer. */
bool takeover_receive(struct intake *intake, const char *path, int *peer, struct text *error);
/* Everything is in place: tells the old one to go. False: it has not gone, and goes on. */
bool takeover_finish(int peer, struct text *error);
