/* Events of the intake itself: counted at once, written to the queue at most once a second each. */
#pragma once

#include "queue/queue.h"

/* Text of an event: a path or a name. What is longer is truncated. */
#define EVENT_TEXT_BYTES_MAX 512
/* Room for event codes; constants.h has the codes. */
#define EVENT_CODES 64
/* Lost datagrams are counted for each kind of source, most other events for each code. */
#define EVENT_LOSS_KINDS 8
/* What is refused of unprivileged users is counted for each of them; of more users at a time, together. */
#define EVENT_USERS 16
#define EVENT_SLOTS (EVENT_CODES + EVENT_LOSS_KINDS + EVENT_USERS)

struct event {
  u32 count, argument, text_bytes;
  u64 sent_ms;
  bool was_sent;
  char text[EVENT_TEXT_BYTES_MAX];
};

struct events {
  struct event slots[EVENT_SLOTS];
};

void event_count(struct events *events, u32 code, u32 count, u32 argument, const char *text, size_t text_bytes);
/*
 * Writes the events that are due, all of them if `is_last`. Returns in how many milliseconds the next one is due, or -1
 * if none is waiting.
 */
i64 events_flush(struct events *events, struct queue *queue, u64 now_ms, bool is_last);
