/* The kernel's log: one read, one record. */
#include "intake.h"

/* A record that does not fit is skipped by the kernel; its own limit for text and fields together is about so much. */
#define RECORD_BYTES_MAX 8192

static void unavailable(struct intake *intake, const char *path, int error) {
  event_count(intake, EVENT_KMSG_UNAVAILABLE, 1, (u32)-error, path, string_bytes(path));
}

void kmsg_start(struct intake *intake, const char *path) {
  if (path == NULL || intake->listeners.kmsg >= 0) return;
  int fd = sys_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) return unavailable(intake, path, fd);
  if (!source_claim(intake, SOURCE_KIND_KMSG, "kernel", 6, &intake->kmsg_slot)) {
    sys_close(fd);
    return;
  }
  intake->listeners.kmsg = fd;
}

/* One record. False if no more is there now. */
static bool read_record(struct intake *intake) {
  u8 *payload = queue_payload(&intake->queue, RECORD_BYTES_MAX);
  long got = sys_read(intake->listeners.kmsg, payload, RECORD_BYTES_MAX);
  /* Records were overwritten before they were read: the next one's number tells how many. */
  if (got == -EPIPE || got == -EINTR) return true;
  if (got == -EAGAIN) return false;
  if (got == -EINVAL) {
    event_count(intake, EVENT_KMSG_RECORD_TOO_LONG, 1, RECORD_BYTES_MAX, "", 0);
    return true;
  }
  u32 slot = intake->kmsg_slot;
  if (got <= 0) {
    sys_close(intake->listeners.kmsg);
    intake->listeners.kmsg = -1;
    source_end(intake, slot, (int)-got);
    return false;
  }
  struct frame frame = {FRAME_KIND_RECORD, slot, intake->sources[slot].id, 0, (u32)got};
  queue_commit(&intake->queue, &frame);
  return true;
}

void kmsg_read(struct intake *intake) {
  for (u32 turn = 0; turn < DATAGRAMS_PER_TURN && !intake_is_full(intake); turn++)
    if (!read_record(intake)) return;
}
