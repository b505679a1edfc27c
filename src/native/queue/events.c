/* Events of the intake; see events.h. */
#include "queue/events.h"

#include "system/text.h"

#define EVENT_INTERVAL_MS 1000

_Static_assert(EVENT_CLOSING_BLOCKED < EVENT_CODES, "every event code has a slot");
_Static_assert(SOURCE_KIND_ENGINE_OUTPUT < EVENT_LOSS_KINDS, "every kind of source has a slot for its losses");

#define FIRST_USER_SLOT (EVENT_CODES + EVENT_LOSS_KINDS)

/* The slot of this user, or one that has nothing to report. The last one is shared by all for whom there is none. */
static u32 user_slot(const struct events *events, u32 *uid) {
  u32 last = EVENT_SLOTS - 1, free = last;
  for (u32 slot = FIRST_USER_SLOT; slot < last; slot++) {
    const struct event *event = &events->slots[slot];
    if (event->count > 0 && event->argument == *uid) return slot;
    if (event->count == 0 && free == last) free = slot;
  }
  if (free == last) *uid = UID_UNKNOWN;
  return free;
}

/* May change the argument, where it can't be counted apart. */
static u32 event_slot(const struct events *events, u32 code, u32 *argument) {
  if (code == EVENT_DATAGRAMS_LOST) return EVENT_CODES + *argument % EVENT_LOSS_KINDS;
  if (code == EVENT_RATE_LIMITED) return user_slot(events, argument);
  return code % EVENT_CODES;
}

static u32 slot_code(u32 slot) {
  if (slot >= FIRST_USER_SLOT) return EVENT_RATE_LIMITED;
  return slot >= EVENT_CODES ? EVENT_DATAGRAMS_LOST : slot;
}

void event_count(struct events *events, u32 code, u32 count, u32 argument, const char *text, size_t text_bytes) {
  struct event *event = &events->slots[event_slot(events, code, &argument)];
  /* An engine's end carries the number of engines that have ended since the start. */
  event->count = code == EVENT_ENGINE_EXITED ? count : event->count + count;
  event->argument = argument;
  event->text_bytes = (u32)(text_bytes < EVENT_TEXT_BYTES_MAX ? text_bytes : EVENT_TEXT_BYTES_MAX);
  if (event->text_bytes > 0) copy_bytes(event->text, text, event->text_bytes);
}

static void write_event(struct queue *queue, struct event *event, u32 code) {
  u32 bytes = 8 + event->text_bytes;
  u8 *payload = queue_payload(queue, bytes);
  put_u32(payload, event->count);
  put_u32(payload + 4, event->argument);
  copy_bytes(payload + 8, event->text, event->text_bytes);
  struct frame frame = {FRAME_KIND_EVENT, 0, 0, code, bytes};
  queue_commit(queue, &frame);
  event->count = 0;
}

i64 events_flush(struct events *events, struct queue *queue, u64 now_ms, bool is_last) {
  i64 next = -1;
  for (u32 slot = 0; slot < EVENT_SLOTS; slot++) {
    struct event *event = &events->slots[slot];
    if (event->count == 0) continue;
    u64 due_ms = event->was_sent && !is_last ? event->sent_ms + EVENT_INTERVAL_MS : 0;
    if (due_ms > now_ms) {
      next = sooner(next, (i64)(due_ms - now_ms));
    } else if (queue_has_room(queue, 8 + event->text_bytes, QUEUE_RESERVED_BYTES)) {
      write_event(queue, event, slot_code(slot));
      event->was_sent = true;
      event->sent_ms = now_ms;
    }
  }
  return next;
}
