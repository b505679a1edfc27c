/*
 * `memlogd -takeover`: a new memlogd, maybe of another version, takes over everything from the running one. Layout in
 * docs/PROTOCOL.md, section 10. Until the last byte of the conversation either side may die or give up, and the running
 * one goes on.
 */
#pragma once

#include "engine/holdings.h"

/* ---- the running one ---- */

/* Somebody asks to take over. */
struct takeover_request {
  int peer;  /* the connection, -1: nobody asks */
  int proof; /* an O_PATH descriptor of the query socket's file, -1: none */
  u32 uid;   /* of the sender */
};

/*
 * Only our own user may take over, and only who can open the query socket's file: a container that was given the log
 * socket alone can't.
 */
bool takeover_is_allowed(const struct takeover_request *request, const struct listeners *listeners);
/* Hands everything over. True if the other side has confirmed it; then it is memlogd, and the caller must exit. */
bool takeover_send(struct holdings *holdings, int peer);

/* ---- the new one ---- */

/* The running one. */
struct predecessor {
  int peer;  /* the connection */
  int pidfd; /* its process, -1: not known */
};

/* Asks the memlogd at `path`, whose query socket is `query`, and receives its holdings. False: `error` says why. */
bool takeover_receive(struct holdings *holdings, const char *path, const char *query, struct predecessor *from,
                      struct text *error);
/* Everything is in place: asks the running one to go. True also if it has been killed. False: it goes on, and `error` says so. */
bool takeover_finish(const struct predecessor *from, struct text *error);
