/* What the intake has to tell about itself: counted at once, written to the queue at most once a second each. */
#include "intake.h"

/* Losses of datagrams are told apart by the kind of source. */
static u32 event_slot(u32 code, u32 argument) { return code == EVENT_DATAGRAMS_LOST ? EVENT_CODES + argument % 8 : code % EVENT_CODES; }
static u32 slot_code(u32 slot) { return slot >= EVENT_CODES ? EVENT_DATAGRAMS_LOST : slot; }

void event_count(struct intake *intake, u32 code, u32 count, u32 argument, const char *text, size_t text_bytes) {
  struct event *event = &intake->events[event_slot(code, argument)];
  /* Engines that ended are counted from the beginning: the number itself is the news. */
  event->count = code == EVENT_ENGINE_EXITED ? count : event->count + count;
  event->argument = argument;
  event->text_bytes = (u32)(text_bytes < EVENT_TEXT_BYTES_MAX ? text_bytes : EVENT_TEXT_BYTES_MAX);
  copy_bytes(event->text, text, event->text_bytes);
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

i64 events_flush(struct intake *intake) {
  i64 next = -1;
  for (u32 slot = 0; slot < EVENT_SLOTS; slot++) {
    struct event *event = &intake->events[slot];
    if (event->count == 0) continue;
    u64 due = event->was_sent ? event->sent_ms + EVENT_EVERY_MS : 0;
    bool is_due = due <= intake->now_ms || intake->stop_at_ms != 0;
    if (is_due && queue_has_room(&intake->queue, 8 + event->text_bytes, QUEUE_RESERVED_BYTES)) {
      write_event(&intake->queue, event, slot_code(slot));
      event->was_sent = true;
      event->sent_ms = intake->now_ms;
    } else if (!is_due && (next < 0 || (i64)(due - intake->now_ms) < next)) {
      next = (i64)(due - intake->now_ms);
    }
  }
  return next;
}
