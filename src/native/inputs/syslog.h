/* Syslog: datagrams of this machine and of others, and connections of others. */
#pragma once

#include "inputs/listen.h"
#include "inputs/sources.h"
#include "inputs/user-rate.h"

struct syslog {
  u32 unix_slot, udp_slot; /* sources of the datagrams */
  bool has_unix, has_udp;  /* whether these slots are in use */
  u32 udp_dropped;         /* datagrams that the kernel has dropped so far for lack of buffer space */
  u64 accept_after_ms;     /* no descriptors were left: accept again then */
  struct user_rate user_rate;
  u32 own_uid;                 /* memlogd's own user, which has no limit */
  bool has_unread_descriptors; /* the next datagram of the Unix socket brings some, and none can be closed now */
};

/* Opens the sources of the sockets that `listeners` has, unless a takeover brought them. */
void syslog_start(struct syslog *syslog, const struct listeners *listeners, struct sources *sources);
/* Reads some datagrams of the Unix socket (SOURCE_KIND_SYSLOG_UNIX) or of the UDP socket. */
void syslog_read(struct syslog *syslog, const struct listeners *listeners, struct sources *sources, u32 kind);
/* Whether datagrams of the Unix socket wait until descriptors can be closed again. */
bool syslog_waits(const struct syslog *syslog, const struct guard *guard);
/* Discards some datagrams and counts them: the queue has been full for too long. */
void syslog_drop(struct syslog *syslog, const struct listeners *listeners, struct sources *sources, u32 kind);
/* Counts the datagrams that the kernel has dropped for lack of room, so far, and have not been counted. */
void syslog_count_drops(struct syslog *syslog, const struct listeners *listeners, struct events *events);
/* Accepts the connections that wait. */
void syslog_accept(struct syslog *syslog, int listener, struct sources *sources, u64 now_ms);
