/* The kernel's log; see kmsg.h. */
#include "inputs/kmsg.h"

#include "system/text.h"

/* The kernel skips a record that does not fit. Its own limit for text and fields together is about the same. */
#define RECORD_BYTES_MAX 8192
/* Records read in one turn of the loop. */
#define RECORDS_PER_TURN 256

static void report_unavailable(struct events *events, const char *path, int error) {
  event_count(events, EVENT_KMSG_UNAVAILABLE, 1, (u32)-error, path, string_bytes(path));
}

void kmsg_start(int *fd, const char *path, u32 *slot, struct sources *sources) {
  if (path == NULL || *fd >= 0) return;
  int opened = sys_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (opened < 0) return report_unavailable(sources->events, path, opened);
  if (source_open(sources, SOURCE_KIND_KMSG, "kernel", 6, slot)) *fd = opened;
  else sys_close(opened);
}

/* One record. False if no more is there now. */
static bool read_record(int *fd, u32 slot, struct sources *sources) {
  u8 *payload = queue_payload(sources->queue, RECORD_BYTES_MAX);
  long got = sys_read(*fd, payload, RECORD_BYTES_MAX);
  /* EPIPE: records were overwritten before they were read. The number of the next one tells how many. */
  if (got == -EPIPE || got == -EINTR) return true;
  if (got == -EAGAIN) return false;
  if (got == -EINVAL) {
    event_count(sources->events, EVENT_KMSG_RECORD_TOO_LONG, 1, RECORD_BYTES_MAX, "", 0);
    return true;
  }
  if (got <= 0) {
    sys_close(*fd);
    *fd = -1;
    source_end(sources, slot, (int)-got);
    return false;
  }
  struct frame frame = {FRAME_KIND_RECORD, slot, sources->slots[slot].id, 0, (u32)got};
  queue_commit(sources->queue, &frame);
  return true;
}

void kmsg_read(int *fd, u32 slot, struct sources *sources) {
  for (u32 turn = 0; turn < RECORDS_PER_TURN && !queue_is_full(sources->queue); turn++)
    if (!read_record(fd, slot, sources)) return;
}
