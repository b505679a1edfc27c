/* How much each unprivileged user may log through the local syslog socket: a token bucket for each uid. */
#pragma once

#include "system/sys.h"

/* Users with a bucket of their own. All others share one. */
#define USER_BUCKETS 64

struct user_bucket {
  bool is_used;
  u32 uid;
  u64 level;     /* bytes that are left, in units of 1 / USER_RATE_MS */
  u64 filled_ms; /* when the level was last raised */
};

struct user_rate {
  u64 bytes_max;     /* what a full bucket holds, and is refilled with in a minute; 0: no limit */
  u32 message_bytes; /* what a message counts at least: its share of a ring that lines fill */
  struct user_bucket buckets[USER_BUCKETS + 1];
};

/* Whether a datagram of this user fits; then it is charged. A new bucket is full. */
bool user_rate_allows(struct user_rate *rate, u32 uid, const u8 *bytes, u32 byte_count, u64 now_ms);
