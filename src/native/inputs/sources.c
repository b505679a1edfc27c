/* Sources; see sources.h. */
#include "inputs/connections.h"

#include "system/descriptor.h"
#include "system/unix-socket.h"

/* Sources read in one turn of the loop. */
#define READS_PER_TURN 64
/*
 * Reading every line by itself costs ten times as much as reading many at once. So a turn that found little, soon after
 * another turn, is followed by a pause in which lines collect. An idle machine never pauses.
 */
#define PAUSE_US 300
#define SOON_US 1000
#define LITTLE_BYTES 4096
/* If no busy source has anything to read, they are read again after this. */
#define BUSY_RETRY_MS 50
/* After this, a source whose reads once blocked is read like others again. */
#define ALONE_MS 60000
/* A source that the engine closes is read up to this: the largest pipe that an unprivileged user may make (pipe(7)). */
#define CLOSE_BYTES_MAX (1024 * 1024)
/* When no more slots than these are free, datagram sockets that are silent make room. */
#define SPARE_SLOTS 32

_Static_assert(SOURCES_MAX <= 65536, "a slot's number is a u16");

/* ---- slots ---- */

static void push_slot(struct slot_queue *queue, u32 slot) {
  queue->slots[(queue->first + queue->count++) % SOURCES_MAX] = (u16)slot;
}

static u32 pop_slot(struct slot_queue *queue) {
  u32 slot = queue->slots[queue->first];
  queue->first = (queue->first + 1) % SOURCES_MAX;
  queue->count--;
  return slot;
}

u32 waiting_bytes(int fd) {
  int bytes = 0;
  return sys_ioctl(fd, FIONREAD, &bytes) == 0 && bytes > 0 ? (u32)bytes : 0;
}

void sources_start(struct sources *sources) {
  for (u32 slot = 0; slot < SOURCES_MAX; slot++) push_slot(&sources->free, slot);
  sources->next_id = 1;
}

static void put_source_frame(struct sources *sources, u32 kind, u32 slot, u32 detail) {
  struct frame frame = {kind, slot, sources->slots[slot].id, detail, 0};
  queue_put(sources->queue, &frame);
}

static struct source *open_slot(struct sources *sources, u32 kind, u32 token, const char *name, u32 name_bytes,
                                u32 *slot) {
  if (sources->free.count == 0) return NULL;
  *slot = pop_slot(&sources->free);
  struct source *source = &sources->slots[*slot];
  zero_bytes(source, sizeof *source);
  source->id = sources->next_id++;
  if (sources->next_id == 0) sources->next_id = 1;
  source->kind = (u16)kind;
  source->state = SOURCE_OPEN;
  source->way = WAY_NONE;
  source->fd = -1;
  queue_write_slot(sources->queue, *slot, source->id, kind, token, name, name_bytes);
  put_source_frame(sources, FRAME_KIND_OPEN, *slot, token);
  return source;
}

void source_report_unopened(struct sources *sources, u32 token, int error) {
  struct queue *queue = sources->queue;
  struct frame frame = {FRAME_KIND_OPEN, 0, 0, token, 4};
  if (!queue_has_room(queue, frame.payload_bytes, QUEUE_RESERVED_BYTES)) return;
  put_u32(queue_payload(queue, frame.payload_bytes), (u32)error);
  queue_commit(queue, &frame);
}

bool source_open(struct sources *sources, u32 kind, const char *name, u32 name_bytes, u32 *slot) {
  if (name_bytes > SOURCE_NAME_BYTES_MAX) name_bytes = SOURCE_NAME_BYTES_MAX;
  return open_slot(sources, kind, 0, name, name_bytes, slot) != NULL;
}

void sources_acknowledged(struct sources *sources) {
  while (sources->ended.count > 0) {
    u32 slot = sources->ended.slots[sources->ended.first];
    struct source *source = &sources->slots[slot];
    if (source->end_position > sources->queue->tail) return;
    pop_slot(&sources->ended);
    source->state = SOURCE_FREE;
    queue_clear_slot(sources->queue, slot);
    push_slot(&sources->free, slot);
  }
}

/* ---- busy sources ---- */

static void add_busy(struct sources *sources, struct source *source, u32 slot) {
  if (source->is_busy) return;
  source->is_busy = true;
  sources->busy_slots[sources->busy_count++] = (u16)slot;
}

static void remove_busy(struct sources *sources, struct source *source, u32 slot) {
  if (!source->is_busy) return;
  source->is_busy = false;
  u32 at = 0;
  while (sources->busy_slots[at] != slot) at++;
  sources->busy_slots[at] = sources->busy_slots[--sources->busy_count];
}

/* ---- descriptors ---- */

static bool has_hung_up(int fd) {
  struct pollfd look = {fd, 0, 0};
  return sys_poll(&look, 1, 0) > 0 && (look.revents & POLLHUP) != 0;
}

/*
 * Makes reads of a descriptor return at once. It keeps its number: high ones are reserved. A FIFO without writers
 * keeps its description: a new one would wait for the next writer and never see the end. That is checked twice, because
 * the last writer may close in between.
 */
static void make_nonblocking(int fd, int flags) {
  if (!has_hung_up(fd)) {
    int opened = descriptor_reopen(fd, flags & O_ACCMODE);
    bool is_replaced = opened >= 0 && !has_hung_up(fd) && sys_dup3(opened, fd, O_CLOEXEC) >= 0;
    if (opened >= 0) sys_close(opened);
    if (is_replaced) return;
  }
  sys_fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

/* What is known of a descriptor before it becomes a source. */
struct descriptor {
  int fd;
  enum source_way way;
  u32 type; /* S_IF..., 0 if it is not known */
  int flags;
  bool is_datagram, is_packet;
  u64 offset;
};

static void examine_socket(struct descriptor *found) {
  if (sys_socket_number(found->fd, SO_ACCEPTCONN) == 1) return;
  int type = sys_socket_number(found->fd, SO_TYPE);
  found->is_datagram = type == SOCK_DGRAM;
  found->is_packet = type != SOCK_STREAM;
  if (type == SOCK_STREAM || type == SOCK_DGRAM || type == SOCK_SEQPACKET) found->way = WAY_RECEIVE;
  unix_refuse_descriptors(found->fd);
}

static void examine(struct descriptor *found) {
  struct statx status;
  found->flags = sys_fcntl(found->fd, F_GETFL, 0);
  if (found->flags < 0 || (found->flags & O_ACCMODE) == O_WRONLY || (found->flags & O_PATH) != 0) return;
  found->type = descriptor_type(found->fd);
  /* What the kernel knows, without a question to the file system. */
  if (found->type == 0 && sys_statx(found->fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, &status) == 0)
    found->type = status.mode & S_IFMT;
  if (found->type == S_IFREG) {
    i64 offset = sys_lseek(found->fd, 0, SEEK_CUR);
    found->offset = offset > 0 ? (u64)offset : 0;
    found->way = WAY_FILE;
  }
  if (found->type == S_IFIFO || found->type == S_IFCHR) {
    make_nonblocking(found->fd, found->flags);
    found->way = WAY_READ;
  }
  if (found->type == S_IFSOCK) examine_socket(found);
}

static void close_abandoned(struct worker *worker, long fd) {
  (void)worker;
  sys_close((int)fd);
}

/* Examines a descriptor, and opens it again where that helps. All of this may block. */
static struct descriptor prepare(struct guard *guard, int fd, u32 token, const char *name, u32 name_bytes) {
  struct descriptor found = {fd, WAY_NONE, 0, 0, false, false, 0};
  struct operation operation = {.fd = fd, .event = EVENT_DESCRIPTOR_REFUSED, .text = name, .text_bytes = name_bytes};
  operation.token = token;
  operation.finish = close_abandoned;
  guard_begin(guard, &operation);
  examine(&found);
  found.fd = (int)guard_end(guard, &operation, found.fd);
  return found;
}

/* Adds the source to epoll. Files, which epoll refuses, are busy instead. */
static bool watch(struct sources *sources, struct source *source, u32 slot) {
  struct epoll_event event = {EPOLLIN, slot | (u64)source->id << 32};
  int result = sys_epoll_ctl(sources->epoll_fd, EPOLL_CTL_ADD, source->fd, &event);
  if (result == -EPERM) add_busy(sources, source, slot);
  return result == 0 || result == -EPERM;
}

static void unwatch(struct sources *sources, const struct source *source) {
  struct epoll_event none = {0, 0};
  sys_epoll_ctl(sources->epoll_fd, EPOLL_CTL_DEL, source->fd, &none);
}

/* ---- beginning and end ---- */

static bool refuse(struct sources *sources, int fd, u32 code, u32 argument, const char *name, u32 name_bytes) {
  event_count(sources->events, code, 1, argument, name, name_bytes);
  guard_close(sources->guard, fd);
  return false;
}

/* A datagram socket has no end, so the one that was silent for longest makes room. Its slot is free when END is stored. */
static void end_longest_idle(struct sources *sources) {
  u32 longest = SOURCES_MAX;
  for (u32 slot = 0; slot < SOURCES_MAX; slot++) {
    const struct source *source = &sources->slots[slot];
    if (source->state != SOURCE_OPEN || !source->is_datagram || source->is_alone) continue;
    if (longest == SOURCES_MAX || source->active_ms < sources->slots[longest].active_ms) longest = slot;
  }
  if (longest == SOURCES_MAX) return;
  u32 name_bytes = 0;
  const char *name = queue_slot_name(sources->queue, longest, &name_bytes);
  event_count(sources->events, EVENT_IDLE_ENDED, 1, 0, name, name_bytes);
  source_end(sources, longest, 0);
}

bool sources_await_slots(const struct sources *sources) { return sources->free.count == 0 && sources->ended.count > 0; }

bool source_adopt(struct sources *sources, int fd, u32 kind, u32 token, const char *name, u32 name_bytes) {
  u32 slot = 0;
  bool is_reserved = fd >= sources->descriptors_max;
  struct descriptor found = prepare(sources->guard, fd, token, name, name_bytes);
  if (found.way == WAY_NONE)
    return refuse(sources, found.fd, EVENT_DESCRIPTOR_REFUSED, found.type >> 12, name, name_bytes);
  if (is_reserved) return refuse(sources, found.fd, EVENT_NO_DESCRIPTORS, kind, name, name_bytes);
  if (sources->free.count <= SPARE_SLOTS) end_longest_idle(sources);
  struct source *source = open_slot(sources, kind, token, name, name_bytes, &slot);
  if (source == NULL) return refuse(sources, found.fd, EVENT_SOURCES_FULL, kind, name, name_bytes);
  source->way = (u8)found.way;
  source->is_datagram = found.is_datagram;
  source->is_packet = found.is_packet;
  source->active_ms = found.is_datagram ? clock_ms() : 0;
  source->fd = found.fd;
  source->offset = found.offset;
  if (kind == SOURCE_KIND_SYSLOG_TCP) connection_begin(sources, source);
  if (found.way == WAY_FILE) add_busy(sources, source, slot);
  else if (!watch(sources, source, slot)) source_end(sources, slot, ENOMEM);
  return true;
}

bool source_restore(struct sources *sources, u32 slot, const struct source *from) {
  struct source *source = &sources->slots[slot];
  *source = *from;
  source->is_busy = false;
  source->is_packet = source->way == WAY_RECEIVE && sys_socket_number(source->fd, SO_TYPE) != SOCK_STREAM;
  if (source->state == SOURCE_ENDED) {
    push_slot(&sources->ended, slot);
    return true;
  }
  if (source->kind == SOURCE_KIND_SYSLOG_TCP) connection_begin(sources, source);
  if (source->way == WAY_NONE) return true;
  if (source->way != WAY_FILE && source->state == SOURCE_OPEN) return watch(sources, source, slot);
  add_busy(sources, source, slot);
  return true;
}

void sources_restored(struct sources *sources) {
  for (u32 slot = 0; slot < SOURCES_MAX; slot++)
    if (sources->slots[slot].state == SOURCE_FREE) push_slot(&sources->free, slot);
}

void source_end(struct sources *sources, u32 slot, int error) {
  struct source *source = &sources->slots[slot];
  int fd = source->fd;
  remove_busy(sources, source, slot);
  /* Another process may have the description too, and then close() alone would not end epoll's interest in it. */
  if (fd >= 0 && !source->is_alone) unwatch(sources, source);
  source->fd = -1;
  if (source->kind == SOURCE_KIND_SYSLOG_TCP) sources->connections--;
  put_source_frame(sources, FRAME_KIND_END, slot, (u32)error);
  source->state = SOURCE_ENDED;
  source->end_position = sources->queue->head;
  push_slot(&sources->ended, slot);
  /* Last, because it may block. A worker that reads the source alone closes it by itself. */
  if (fd >= 0 && !source->is_alone) guard_close(sources->guard, fd);
}

void source_close_when_read(struct sources *sources, u32 id) {
  for (u32 slot = 0; slot < SOURCES_MAX; slot++) {
    struct source *source = &sources->slots[slot];
    if (source->id != id || source->state != SOURCE_OPEN || source->way == WAY_NONE) continue;
    /* Its reads block, so nothing can be read without waiting. */
    if (source->is_alone) return source_end(sources, slot, 0);
    unwatch(sources, source);
    source->state = SOURCE_CLOSING;
    if (source->way != WAY_FILE) source->offset = 0;
    add_busy(sources, source, slot);
    return;
  }
}

/* ---- reading ---- */

static long read_bytes(const struct operation *from, u8 *to) {
  /* Of a longer message the kernel says how long it was. */
  int flags = from->is_packet ? MSG_TRUNC : 0;
  if (from->way == WAY_RECEIVE) return sys_recv(from->fd, to, QUEUE_READ_BYTES_MAX, flags);
  if (from->way == WAY_FILE) return sys_pread(from->fd, to, QUEUE_READ_BYTES_MAX, from->offset);
  return sys_read(from->fd, to, QUEUE_READ_BYTES_MAX);
}

/* An abandoned worker reads its source until nobody wants more of it. */
static void read_alone(struct worker *worker, long got) {
  struct operation from = *worker->operation;
  while (guard_report(worker, got) == WORKER_ALONE) {
    struct pollfd readable = {from.fd, POLLIN, 0};
    if (got > 0) from.offset += (u64)got;
    if (from.way != WAY_FILE) sys_poll(&readable, 1, -1);
    got = read_bytes(&from, worker->buffer);
  }
  if (worker->state == WORKER_CLOSES) sys_close(from.fd);
}

static bool was_shut_down(int fd) {
  struct pollfd shut = {fd, POLLRDHUP, 0};
  return sys_poll(&shut, 1, 0) > 0 && (shut.revents & POLLRDHUP) != 0;
}

/* Whether a read that returned no bytes means that no more will come. */
static bool is_end(const struct source *source, long got) {
  if (got == -EINTR) return false;
  bool is_sequence = source->is_packet && !source->is_datagram;
  if (is_sequence && got == 0 && waiting_bytes(source->fd) > 0) return false;
  if (source->state == SOURCE_CLOSING) return true;
  if (is_sequence && got == 0) return was_shut_down(source->fd);
  /* A datagram socket has no end: its errors are those of single packets, and a datagram may be empty. */
  if (source->is_datagram && (got == 0 || got == -EAGAIN)) return was_shut_down(source->fd);
  if (source->is_datagram) return got == -EBADF || got == -ENOTSOCK;
  return got != -EAGAIN;
}

/* Handles the result of a read. Returns whether the source had anything: bytes, or its end. */
static bool handle_read(struct sources *sources, u32 slot, const u8 *bytes, long got) {
  struct source *source = &sources->slots[slot];
  if (got > 0) {
    u32 kept = got < QUEUE_READ_BYTES_MAX ? (u32)got : QUEUE_READ_BYTES_MAX;
    struct frame frame = {FRAME_KIND_DATA, slot, source->id, (u32)got - kept, kept};
    copy_bytes(queue_payload(sources->queue, kept), bytes, kept);
    queue_commit(sources->queue, &frame);
    if (source->is_datagram || source->kind == SOURCE_KIND_SYSLOG_TCP) source->active_ms = clock_ms();
    source->offset += (u64)got;
    bool is_closing = source->state == SOURCE_CLOSING && source->way != WAY_FILE;
    if (is_closing && source->offset >= CLOSE_BYTES_MAX) source_end(sources, slot, 0);
    return true;
  }
  if (!is_end(source, got)) return false;
  /* A terminal whose other side is closed returns EIO. */
  bool is_hang_up = got == -EIO && source->way == WAY_READ;
  source_end(sources, slot, is_hang_up || got == -EAGAIN ? 0 : (int)-got);
  return true;
}

/* One read. The caller has checked that there is room. */
static bool read_source(struct sources *sources, u32 slot) {
  struct source *source = &sources->slots[slot];
  u8 *buffer = guard_buffer(sources->guard);
  struct operation operation = {.fd = source->fd, .slot = slot, .id = source->id, .way = source->way};
  operation.offset = source->offset;
  operation.is_packet = source->is_packet;
  operation.finish = read_alone;
  guard_begin(sources->guard, &operation);
  long got = guard_end(sources->guard, &operation, read_bytes(&operation, buffer));
  return handle_read(sources, slot, buffer, got);
}

static void pause_if_little(struct pacing *pacing, u64 now_us, u64 bytes, int reads) {
  bool is_soon = now_us < pacing->read_us + SOON_US;
  bool is_little = bytes < (u64)reads * LITTLE_BYTES;
  pacing->pause_until_us = is_soon && is_little ? now_us + PAUSE_US : 0;
  pacing->read_us = now_us;
}

void sources_read(struct sources *sources, u64 now_us) {
  struct epoll_event events[READS_PER_TURN];
  /* epoll moves what it reports to the end of its list, so it is asked for no more than can be read now. */
  u32 fitting = queue_fitting_reads(sources->queue);
  if (fitting == 0) return;
  int ready = sys_epoll_ready(sources->epoll_fd, events, (int)(fitting < READS_PER_TURN ? fitting : READS_PER_TURN));
  u64 head = sources->queue->head;
  for (int at = 0; at < ready; at++) {
    u32 slot = (u32)events[at].data, id = (u32)(events[at].data >> 32);
    if (slot >= SOURCES_MAX || sources->slots[slot].id != id || sources->slots[slot].state != SOURCE_OPEN) continue;
    if (queue_is_full(sources->queue)) return;
    read_source(sources, slot);
  }
  if (ready > 0) pause_if_little(&sources->pacing, now_us, sources->queue->head - head, ready);
}

void sources_read_busy(struct sources *sources, u64 now_ms) {
  u32 turns = sources->busy_count < READS_PER_TURN ? sources->busy_count : READS_PER_TURN;
  u32 half = (queue_fitting_reads(sources->queue) + 1) / 2;
  if (turns == 0 || now_ms < sources->pacing.busy_after_ms) return;
  if (turns > half) turns = half;
  bool had_any = queue_is_full(sources->queue);
  for (; turns > 0 && sources->busy_count > 0 && !queue_is_full(sources->queue); turns--) {
    sources->busy_next = (sources->busy_next + 1) % sources->busy_count;
    had_any = read_source(sources, sources->busy_slots[sources->busy_next]) || had_any;
  }
  sources->pacing.busy_after_ms = had_any ? 0 : now_ms + BUSY_RETRY_MS;
}

/* ---- at the end ---- */

bool sources_count_unread(struct sources *sources, struct unread *unread) {
  while (unread->next_slot < SOURCES_MAX) {
    u32 slot = unread->next_slot++, name_bytes = 0;
    const struct source *source = &sources->slots[slot];
    bool is_open = source->state == SOURCE_OPEN || source->state == SOURCE_CLOSING;
    if (!is_open || source->is_alone || source->way == WAY_FILE || source->way == WAY_NONE) continue;
    struct operation operation = {.fd = source->fd};
    guard_begin(sources->guard, &operation);
    u32 bytes = (u32)guard_end(sources->guard, &operation, waiting_bytes(source->fd));
    if (bytes == 0) continue;
    unread->bytes += bytes;
    text_add(&unread->names, unread->sources++ == 0 ? "" : ", ");
    const char *name = queue_slot_name(sources->queue, slot, &name_bytes);
    text_add_bytes(&unread->names, name, name_bytes);
    text_add(&unread->names, " ");
    text_number(&unread->names, bytes);
  }
  return unread->bytes > 0;
}

/* ---- sources whose reads block ---- */

void source_leave_alone(struct sources *sources, const struct operation *operation) {
  struct source *source = &sources->slots[operation->slot];
  u32 name_bytes = 0;
  if (operation->id == 0) return;
  const char *name = queue_slot_name(sources->queue, operation->slot, &name_bytes);
  remove_busy(sources, source, operation->slot);
  unwatch(sources, source);
  source->is_alone = true;
  event_count(sources->events, EVENT_SOURCE_BLOCKED, 1, source->kind, name, name_bytes);
}

static enum worker_state handle_report(struct sources *sources, struct worker *worker, u64 now_ms) {
  const struct operation *operation = worker->operation;
  u32 slot = operation->slot;
  if (operation->counts_result && worker->result > 0)
    event_count(sources->events, operation->event, (u32)worker->result, operation->event_argument, "", 0);
  if (operation->id == 0) return WORKER_LEAVES;
  struct source *source = &sources->slots[slot];
  bool is_open = source->state == SOURCE_OPEN || source->state == SOURCE_CLOSING;
  if (!is_open || source->id != operation->id) return WORKER_CLOSES;
  handle_read(sources, slot, worker->buffer, worker->result);
  if (source->state == SOURCE_ENDED) return WORKER_CLOSES;
  if (now_ms < worker->since_ms + ALONE_MS) return WORKER_ALONE;
  source->is_alone = false;
  if (source->way == WAY_FILE) add_busy(sources, source, slot);
  else if (!watch(sources, source, slot)) source_end(sources, slot, ENOMEM);
  return WORKER_LEAVES;
}

void sources_handle_reports(struct sources *sources, u64 now_ms) {
  struct guard *guard = sources->guard;
  if (!guard->has_reports) return;
  guard->has_reports = false;
  for (u32 n = 0; n < WORKERS_MAX; n++) {
    struct worker *worker = &guard->workers[n];
    if (__atomic_load_n(&worker->state, __ATOMIC_ACQUIRE) != WORKER_REPORTS) continue;
    if (queue_is_full(sources->queue)) guard->has_reports = true;
    else guard_answer(worker, handle_report(sources, worker, now_ms));
  }
}
