/* What must hold after each turn of the loop. Checked where the tests run; the shipped blob has no room for doubt. */
#include "intake.h"

#ifdef MEMLOGD_HOSTED
#define CHECK(condition) check((condition), #condition)

static void check(bool holds, const char *what) {
  if (holds) return;
  struct text text;
  text_start(&text, "memlogd: invariant broken: ");
  text_add(&text, what);
  text_say(&text, 2);
  sys_exit(101);
}

static void check_queue(const struct queue *queue) {
  CHECK(queue->tail <= queue->announced && queue->announced <= queue->head);
  CHECK(queue->head - queue->tail <= QUEUE_BYTES_DEFAULT);
  CHECK(queue->head % 8 == 0 && queue->tail % 8 == 0);
  CHECK(get_u32(queue->map) == QUEUE_MAGIC);
  CHECK(queue_has_room(queue, 0, 0));
  CHECK(queue_fitting_reads(queue) == 0 || queue_has_room(queue, QUEUE_PAYLOAD_BYTES_MAX, QUEUE_RESERVED_BYTES));
}

void intake_check(const struct intake *intake) {
  u32 states[SOURCE_ENDED + 1] = {0}, connections = 0, busy = 0;
  check_queue(&intake->queue);
  for (u32 slot = 0; slot < SOURCES_MAX; slot++) {
    const struct source *source = &intake->sources[slot];
    CHECK(source->state <= SOURCE_ENDED);
    states[source->state]++;
    bool is_open = source->state == SOURCE_OPEN || source->state == SOURCE_CLOSING;
    if (is_open && source->kind == SOURCE_KIND_SYSLOG_TCP) connections++;
    if (source->is_busy) busy++;
    CHECK(is_open || source->fd <= 0 || source->state == SOURCE_FREE);
    CHECK(!source->is_busy || is_open);
  }
  CHECK(states[SOURCE_FREE] == intake->free_count);
  CHECK(states[SOURCE_ENDED] == intake->ended_count);
  CHECK(connections == intake->connections && connections <= SYSLOG_CONNECTIONS_MAX);
  CHECK(busy == intake->busy_count);
  for (u32 at = 0; at < intake->busy_count; at++) CHECK(intake->sources[intake->busy_slots[at]].is_busy);
  CHECK(intake->engine.bytes <= sizeof intake->engine.buffer);
  CHECK(!intake->engine.is_rung || intake->engine.is_synced);
}
#else
void intake_check(const struct intake *intake) { (void)intake; }
#endif
