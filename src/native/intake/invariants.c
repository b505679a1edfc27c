/* Invariants; see invariants.h. */
#include "intake/invariants.h"

#ifdef MEMLOGD_HOSTED
#define CHECK(condition) check((condition), #condition)

static void check(bool holds, const char *what) {
  if (holds) return;
  struct text text;
  text_start(&text, "memlogd: invariant broken: ");
  text_add(&text, what);
  text_print(&text, 2);
  sys_exit(101);
}

static void check_queue(const struct queue *queue) {
  CHECK(queue->tail <= queue->announced && queue->announced <= queue->head);
  CHECK(queue->head - queue->tail <= QUEUE_BYTES_DEFAULT);
  CHECK(queue->head % 8 == 0 && queue->tail % 8 == 0);
  CHECK(get_u32(queue->map) == QUEUE_MAGIC);
  CHECK(queue_has_room(queue, 0, 0));
  CHECK(queue_is_full(queue) || queue_has_room(queue, QUEUE_PAYLOAD_BYTES_MAX, QUEUE_RESERVED_BYTES));
}

static void check_sources(const struct sources *sources) {
  u32 states[SOURCE_ENDED + 1] = {0}, connections = 0, busy = 0;
  for (u32 slot = 0; slot < SOURCES_MAX; slot++) {
    const struct source *source = &sources->slots[slot];
    CHECK(source->state <= SOURCE_ENDED);
    states[source->state]++;
    bool is_open = source->state == SOURCE_OPEN || source->state == SOURCE_CLOSING;
    if (is_open && source->kind == SOURCE_KIND_SYSLOG_TCP) connections++;
    if (source->is_busy) busy++;
    CHECK(is_open || source->fd <= 0 || source->state == SOURCE_FREE);
    CHECK(!source->is_busy || is_open);
  }
  CHECK(states[SOURCE_FREE] == sources->free.count);
  CHECK(states[SOURCE_ENDED] == sources->ended.count);
  CHECK(connections == sources->connections && connections <= SYSLOG_CONNECTIONS_MAX);
  CHECK(busy == sources->busy_count);
  for (u32 at = 0; at < sources->busy_count; at++) CHECK(sources->slots[sources->busy_slots[at]].is_busy);
}

void check_invariants(const struct holdings *holdings, const struct engine *engine) {
  check_queue(&holdings->queue);
  check_sources(&holdings->sources);
  CHECK(engine->bytes <= sizeof engine->buffer);
  CHECK(!engine->is_notified || engine->is_synced);
}
#else
void check_invariants(const struct holdings *holdings, const struct engine *engine) { (void)holdings, (void)engine; }
#endif
