/* Limits of unprivileged users; see user-rate.h. */
#include "inputs/user-rate.h"

#include "constants.h"

/* An empty bucket is full again after this. */
#define USER_RATE_MS 60000
/* What a short message takes in the ring beside its text: header, source and fields. */
#define MESSAGE_OVERHEAD_BYTES 128

static u64 full_level(const struct user_rate *rate) { return rate->bytes_max * USER_RATE_MS; }

static void refill(const struct user_rate *rate, struct user_bucket *bucket, u64 now_ms) {
  u64 full = full_level(rate), passed_ms = now_ms - bucket->filled_ms;
  u64 added = passed_ms < USER_RATE_MS ? passed_ms * rate->bytes_max : full;
  bucket->filled_ms = now_ms;
  bucket->level = bucket->level + added < full ? bucket->level + added : full;
}

static struct user_bucket *begin(const struct user_rate *rate, struct user_bucket *bucket, u32 uid, u64 now_ms) {
  *bucket = (struct user_bucket){true, uid, full_level(rate), now_ms};
  return bucket;
}

/* The user's bucket. One that is full again says nothing about its user, and may serve another. */
static struct user_bucket *bucket_of(struct user_rate *rate, u32 uid, u64 now_ms) {
  struct user_bucket *reusable = NULL, *others = &rate->buckets[USER_BUCKETS];
  for (u32 n = 0; n < USER_BUCKETS; n++) {
    struct user_bucket *bucket = &rate->buckets[n];
    if (bucket->is_used) refill(rate, bucket, now_ms);
    if (bucket->is_used && bucket->uid == uid) return bucket;
    bool is_free = !bucket->is_used || bucket->level == full_level(rate);
    if (is_free && reusable == NULL) reusable = bucket;
  }
  if (reusable != NULL) return begin(rate, reusable, uid, now_ms);
  if (!others->is_used) return begin(rate, others, UID_UNKNOWN, now_ms);
  refill(rate, others, now_ms);
  return others;
}

/* A datagram holds one message, or several that end with NUL. */
static u64 datagram_cost(const struct user_rate *rate, const u8 *bytes, u32 byte_count) {
  u64 messages = 0;
  for (u32 at = 0; at < byte_count; at++) messages += bytes[at] != 0 && (at == 0 || bytes[at - 1] == 0);
  u64 in_bytes = byte_count + messages * MESSAGE_OVERHEAD_BYTES, in_lines = messages * rate->message_bytes;
  return in_bytes > in_lines ? in_bytes : in_lines;
}

bool user_rate_allows(struct user_rate *rate, u32 uid, const u8 *bytes, u32 byte_count, u64 now_ms) {
  if (rate->bytes_max == 0) return true;
  struct user_bucket *bucket = bucket_of(rate, uid, now_ms);
  u64 cost = datagram_cost(rate, bytes, byte_count) * USER_RATE_MS;
  if (cost > bucket->level) return false;
  bucket->level -= cost;
  return true;
}
