/* The control stream: 16-byte messages between the intake and its engine. Layout in docs/PROTOCOL.md, section 5. */
#include "intake.h"

#define OPEN_BYTES_MAX (4 + CONTROL_OPEN_BYTES_MAX)

bool control_send(struct intake *intake, u32 type, u32 argument, u64 value) {
  u8 message[CONTROL_MESSAGE_BYTES];
  put_u32(message, type);
  put_u32(message + 4, argument);
  put_u64(message + 8, value);
  /* One DOORBELL, one STOP and what the engine asks for are under way: a stream that is full belongs to one gone wrong. */
  if (sys_send(intake->engine.control, message, sizeof message) == sizeof message) return true;
  engine_kill(intake);
  return false;
}

void control_ring(struct intake *intake) {
  struct engine *engine = &intake->engine;
  if (engine->control < 0 || !engine->is_synced || engine->is_rung || intake->queue.head == intake->queue.tail) return;
  if (!control_send(intake, CONTROL_DOORBELL, 0, intake->queue.head)) return;
  intake->queue.announced = intake->queue.head;
  engine->is_rung = true;
  engine->progress_ms = intake->now_ms;
}

void control_stop(struct intake *intake) {
  struct engine *engine = &intake->engine;
  if (engine->control < 0 || engine->is_stopping) return;
  if (!control_send(intake, CONTROL_STOP, 0, intake->queue.head)) return;
  intake->queue.announced = intake->queue.head;
  engine->is_stopping = true;
}

static bool handle_ack(struct intake *intake, u64 position) {
  if (!queue_acknowledge(&intake->queue, position)) return false;
  intake->engine.is_synced = true;
  intake->engine.is_rung = false;
  intake->engine.progress_ms = intake->now_ms;
  sources_acknowledged(intake);
  return true;
}

static void open_failed(struct intake *intake, int error, const char *path) {
  event_count(intake, EVENT_OPEN_FAILED, 1, (u32)error, path, string_bytes(path));
}

/* u32 token, path, NUL, name. Only FIFOs are opened: whatever else is there is not what was meant. */
static bool handle_open(struct intake *intake, u32 kind, const u8 *body, u32 bytes) {
  const char *path = (const char *)body + 4;
  u32 end = 4;
  while (end < bytes && body[end] != 0) end++;
  if (end == bytes || end == 4) return false;
  const char *name = (const char *)body + end + 1;
  u32 name_bytes = bytes - end - 1;
  if (name_bytes > SOURCE_NAME_BYTES_MAX) return false;
  if (kind != SOURCE_KIND_DOCKER && kind != SOURCE_KIND_STREAM) return false;
  struct statx found;
  int fd = sys_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0) return open_failed(intake, -fd, path), true;
  if (sys_statx(fd, "", AT_EMPTY_PATH, &found) < 0 || (found.mode & S_IFMT) != S_IFIFO) {
    sys_close(fd);
    return open_failed(intake, EINVAL, path), true;
  }
  if (!source_adopt(intake, fd, kind, get_u32(body), name, name_bytes)) open_failed(intake, ENFILE, path);
  return true;
}

/* Takes one whole message off the buffer: its bytes, 0 if more must come first, -1 if it is not valid. */
static int handle_message(struct intake *intake, const u8 *at, u32 bytes) {
  if (bytes < CONTROL_MESSAGE_BYTES) return 0;
  u32 type = get_u32(at), argument = get_u32(at + 4);
  u64 value = get_u64(at + 8);
  if (type == CONTROL_OPEN) {
    if (value < 6 || value > OPEN_BYTES_MAX) return -1;
    if (bytes - CONTROL_MESSAGE_BYTES < value) return 0;
    bool ok = handle_open(intake, argument, at + CONTROL_MESSAGE_BYTES, (u32)value);
    return ok ? CONTROL_MESSAGE_BYTES + (int)value : -1;
  }
  if (type == CONTROL_ACK) return handle_ack(intake, value) ? CONTROL_MESSAGE_BYTES : -1;
  if (type == CONTROL_CLOSE) return source_close_when_read(intake, argument), CONTROL_MESSAGE_BYTES;
  if (type == CONTROL_READY) {
    intake->engine.wait_ms = ENGINE_RESTART_MS;
    listeners_own(&intake->listeners);
    return CONTROL_MESSAGE_BYTES;
  }
  if (type == CONTROL_PEER) return peer_tell(intake, argument, value) ? CONTROL_MESSAGE_BYTES : -1;
  return -1;
}

void control_read(struct intake *intake) {
  struct engine *engine = &intake->engine;
  long got = sys_recv(engine->control, engine->buffer + engine->bytes, sizeof engine->buffer - engine->bytes, 0);
  if (got == -EAGAIN || got == -EINTR) return;
  if (got <= 0) return engine_ends(intake);
  engine->bytes += (u32)got;
  u32 done = 0;
  for (;;) {
    int took = handle_message(intake, engine->buffer + done, engine->bytes - done);
    if (took < 0) return engine_kill(intake);
    if (took == 0) break;
    done += (u32)took;
  }
  for (u32 at = done; at < engine->bytes; at++) engine->buffer[at - done] = engine->buffer[at];
  engine->bytes -= done;
}
