/* The sockets and devices that memlogd listens on: made, checked, removed. */
#pragma once

#include "config.h"
#include "text.h"

/* A socket file, or a link, that is ours to remove. */
struct bound_path {
  int folder;       /* -1: nothing bound */
  const char *name; /* in that folder */
  u64 ino;          /* what we made: another's is not removed */
  u32 dev_major, dev_minor;
};

enum { PATH_LOG, PATH_QUERY, PATH_LINK, PATH_SYSLOG, PATH_DOCKER, PATHS };

struct listeners {
  int log, query, syslog, udp, tcp, docker, kmsg; /* -1: none */
  u32 udp_address_bytes;
  struct bound_path paths[PATHS];
};

/* The exit status where a path or an address is one that no socket can have, as for any wrong command line. */
#define STATUS_USAGE 2

/* Binds everything that the config names. False: `error` says why not, with the exit status, and nothing stays bound. */
bool listeners_open(struct listeners *listeners, const struct config *config, struct text *error);
/* Binds the inputs that the config names and that are not there yet. */
bool listeners_add(struct listeners *listeners, const struct config *config, struct text *error);
/* After the engine has begun to listen: whoever asks the kernel who listens is told this process again. */
void listeners_own(struct listeners *listeners);
/* Removes the files that are ours. */
void listeners_unlink(struct listeners *listeners);
/* Decodes hex digits; the number of bytes, 0 if they are none. */
u32 parse_hex(const char *digits, u8 *to, u32 max);
