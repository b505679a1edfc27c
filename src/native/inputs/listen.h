/* The sockets and devices that memlogd listens on: made, checked, removed. */
#pragma once

#include "start/config.h"
#include "system/text.h"

/* A socket file, or a link, that we made and will remove. */
struct bound_path {
  int directory;                      /* -1: nothing is bound */
  char name[UNIX_PATH_BYTES_MAX + 1]; /* in that directory */
  u64 ino;                            /* of what we made: another file of that name is not removed */
  u32 dev_major, dev_minor;
  bool is_new; /* made by this process; false: a takeover brought it */
};

enum { PATH_LOG, PATH_QUERY, PATH_LINK, PATH_SYSLOG, PATH_DOCKER, PATHS };

struct listeners {
  int log, query, syslog, udp, tcp, docker, kmsg; /* -1: none */
  u32 udp_address_bytes;
  struct bound_path paths[PATHS];
  u64 lock_until_ms; /* how long a start waits for another one, in all */
};

/* The exit status for a path or an address that no socket can have, as for any wrong command line. */
#define STATUS_USAGE 2

/* Nothing is bound. */
void listeners_reset(struct listeners *listeners);
/* Binds everything that the config names. False: `error` has reason and exit status, and nothing stays bound. */
bool listeners_open(struct listeners *listeners, const struct config *config, struct text *error);
/* Binds the inputs that the config names and that a takeover did not bring. Nothing is unbound if it fails. */
bool listeners_add(struct listeners *listeners, const struct config *config, struct text *error);
/* Listens again after the engine has, so that the kernel names this process, not the engine, as the listener. */
void listeners_own(struct listeners *listeners);
/* Removes the files that this process made, not those that a takeover brought: it has failed. */
void listeners_unlink_new(struct listeners *listeners);
/* Removes the files that are ours. */
void listeners_unlink(struct listeners *listeners);
