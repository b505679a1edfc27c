/* The control stream; see control.h. */
#include "engine/control.h"

#include "engine/peer.h"

/* How long an engine may take until all of its readers are kept. */
#define KEEP_MS 500
#define OPEN_BYTES_MAX (4 + CONTROL_OPEN_BYTES_MAX)

/* ---- to the engine ---- */

/* False if the engine does not receive the message; then it is killed. */
static bool send_message(struct engine *engine, u32 type, u32 argument, u64 value) {
  u8 message[CONTROL_MESSAGE_BYTES];
  put_u32(message, type);
  put_u32(message + 4, argument);
  put_u64(message + 8, value);
  /* One DOORBELL, one STOP and some answers at most are under way: only a faulty engine lets the stream fill up. */
  if (sys_send(engine->control, message, sizeof message) == sizeof message) return true;
  engine_kill(engine);
  return false;
}

void control_notify(struct engine *engine, struct queue *queue, u64 now_ms) {
  bool is_waiting = engine->control >= 0 && engine->is_synced && !engine->is_notified;
  if (!is_waiting || queue->head == queue->tail) return;
  if (!send_message(engine, CONTROL_DOORBELL, 0, queue->head)) return;
  queue->announced = queue->head;
  engine->is_notified = true;
  engine->progress_ms = now_ms;
}

void control_stop(struct engine *engine, struct queue *queue) {
  if (engine->control < 0 || engine->is_stopping) return;
  if (!send_message(engine, CONTROL_STOP, 0, queue->head)) return;
  queue->announced = queue->head;
  engine->is_stopping = true;
}

/* ---- from the engine; each handler returns false if the message is invalid ---- */

static bool handle_ack(struct engine *engine, struct holdings *holdings, u64 position, u64 now_ms) {
  if (!queue_acknowledge(&holdings->queue, position)) return false;
  engine->is_synced = true;
  engine->is_notified = false;
  engine->progress_ms = now_ms;
  sources_acknowledged(&holdings->sources);
  return true;
}

/* A FIFO that is not there any more is the engine's to judge, and no fault. */
static bool report_open_failed(struct sources *sources, u32 token, int error, const char *path) {
  if (error != ENOENT) event_count(sources->events, EVENT_OPEN_FAILED, 1, (u32)error, path, string_bytes(path));
  source_report_unopened(sources, token, error);
  return true;
}

static void close_opened(struct worker *worker, long fd) {
  (void)worker;
  if (fd >= 0) sys_close((int)fd);
}

/* Opens a FIFO, and nothing else: to open a device can have effects. The descriptor, or -errno. */
static int open_fifo(const char *path) {
  struct text again;
  struct statx found;
  int fd = sys_open(path, O_PATH | O_CLOEXEC);
  if (fd < 0) return fd;
  int result = sys_statx(fd, "", AT_EMPTY_PATH, &found);
  if (result == 0 && (found.mode & S_IFMT) != S_IFIFO) result = -EINVAL;
  text_descriptor_path(&again, fd);
  if (result == 0) result = sys_open(again.at, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  sys_close(fd);
  return result;
}

/* u32 token, path, NUL, name. Only FIFOs are opened: anything else at that path is not what the engine means. */
static bool handle_open(struct sources *sources, u32 kind, const u8 *body, u32 bytes) {
  const char *path = (const char *)body + 4;
  u32 end = 4;
  while (end < bytes && body[end] != 0) end++;
  if (end == bytes || end == 4) return false;
  const char *name = (const char *)body + end + 1;
  u32 name_bytes = bytes - end - 1;
  if (name_bytes > SOURCE_NAME_BYTES_MAX) return false;
  if (kind != SOURCE_KIND_DOCKER && kind != SOURCE_KIND_STREAM) return false;
  u32 token = get_u32(body);
  struct operation operation = {.event = EVENT_OPEN_FAILED, .event_argument = ETIMEDOUT, .finish = close_opened};
  operation.token = token;
  operation.text = path;
  operation.text_bytes = end - 4;
  guard_begin(sources->guard, &operation);
  int fd = (int)guard_end(sources->guard, &operation, open_fifo(path));
  if (fd < 0) return report_open_failed(sources, token, -fd, path);
  bool is_source = source_adopt(sources, fd, kind, token, name, name_bytes);
  return is_source || report_open_failed(sources, token, ENFILE, path);
}

static bool handle_peer(struct engine *engine, struct guard *guard, u32 descriptor, u64 token) {
  struct ucred peer = peer_of_reader(guard, engine->pid, descriptor);
  return send_message(engine, CONTROL_PEER, peer.uid, token << 32 | peer.pid);
}

/* The readers that were kept come first: they have their places before others are accepted. */
static bool handle_sync(struct engine *engine, const struct holdings *holdings) {
  for (u32 place = 0; place < KEPT_READERS_MAX; place++)
    if (holdings->readers.fds[place] >= 0 && !send_message(engine, CONTROL_KEEP, place, 0)) return true;
  return send_message(engine, CONTROL_SYNC, 0, holdings->queue.head);
}

static bool handle_hand_over(struct engine *engine) {
  bool was_asked = engine->hands_over;
  engine->hands_over = false;
  return was_asked;
}

static bool handle_ready(struct engine *engine, struct listeners *listeners) {
  engine->wait_ms = ENGINE_RESTART_MS;
  listeners_own(listeners);
  return true;
}

/* The size of the first message of the buffer, 0 if it is not complete, -1 if it is invalid. */
static int message_bytes(const u8 *at, u32 bytes) {
  if (bytes < CONTROL_MESSAGE_BYTES) return 0;
  if (get_u32(at) != CONTROL_OPEN) return CONTROL_MESSAGE_BYTES;
  u64 body_bytes = get_u64(at + 8);
  if (body_bytes < 6 || body_bytes > OPEN_BYTES_MAX) return -1;
  int size = CONTROL_MESSAGE_BYTES + (int)body_bytes;
  return bytes < (u32)size ? 0 : size;
}

static bool handle_message(struct engine *engine, struct holdings *holdings, const u8 *message, u64 now_ms) {
  u32 type = get_u32(message), argument = get_u32(message + 4);
  u64 value = get_u64(message + 8);
  switch (type) {
    case CONTROL_OPEN: return handle_open(&holdings->sources, argument, message + CONTROL_MESSAGE_BYTES, (u32)value);
    case CONTROL_ACK: return handle_ack(engine, holdings, value, now_ms);
    case CONTROL_CLOSE: source_close_when_read(&holdings->sources, argument); return true;
    case CONTROL_READY: return handle_ready(engine, &holdings->listeners);
    case CONTROL_SYNC: return handle_sync(engine, holdings);
    case CONTROL_PEER: return handle_peer(engine, holdings->sources.guard, argument, value);
    case CONTROL_KEEP: return kept_readers_add(&holdings->readers, value, engine->pid, argument);
    case CONTROL_RELEASE: return kept_readers_remove(&holdings->readers, holdings->sources.guard, argument);
    case CONTROL_HAND_OVER: return handle_hand_over(engine);
    default: return false;
  }
}

void control_read(struct engine *engine, struct holdings *holdings, u64 now_ms) {
  u8 message[CONTROL_MESSAGE_BYTES + OPEN_BYTES_MAX];
  if (engine->control < 0) return;
  long got = sys_recv(engine->control, engine->buffer + engine->bytes, sizeof engine->buffer - engine->bytes, 0);
  if (got == -EAGAIN || got == -EINTR) return;
  if (got <= 0) return engine_disconnect(engine);
  engine->bytes += (u32)got;
  int size;
  while ((size = message_bytes(engine->buffer, engine->bytes)) > 0) {
    /* Out of the buffer first: a worker that is abandoned in it must not leave it to its successor. */
    copy_bytes(message, engine->buffer, (size_t)size);
    engine->bytes -= (u32)size;
    for (u32 at = 0; at < engine->bytes; at++) engine->buffer[at] = engine->buffer[at + (u32)size];
    if (!handle_message(engine, holdings, message, now_ms)) return engine_kill(engine);
    if (engine->control < 0) return;
  }
  if (size < 0) engine_kill(engine);
}

void control_hand_over(struct engine *engine, struct holdings *holdings, u64 now_ms) {
  u64 now = clock_ms(), limit = now + KEEP_MS;
  control_read(engine, holdings, now_ms);
  /* Before that it has accepted none. */
  if (engine->control < 0 || !engine->is_synced) return;
  engine->hands_over = send_message(engine, CONTROL_HAND_OVER, 0, 0);
  while (engine->control >= 0 && engine->hands_over && now < limit) {
    struct pollfd answer = {engine->control, POLLIN, 0};
    sys_poll(&answer, 1, (int)(limit - now));
    control_read(engine, holdings, now_ms);
    now = clock_ms();
  }
}
