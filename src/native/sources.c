/* Sources; see sources.h. */
#include "sources.h"

#include "text.h"

/* Sources read in one turn of the loop. */
#define READS_PER_TURN 64
/*
 * Reading every line by itself costs ten times as much as reading many at once. So a turn that found little, soon after
 * another turn, is followed by a pause in which lines collect. An idle machine never pauses.
 */
#define PAUSE_US 300
#define SOON_US 1000
#define LITTLE_BYTES 4096
/* A source that the engine closes is read up to this: the largest pipe that an unprivileged user may make (pipe(7)). */
#define CLOSE_BYTES_MAX (1024 * 1024)

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

/* Opens a pipe, FIFO or device again, so that O_NONBLOCK is set on a description that nobody else uses. */
static int reopen(int fd, int mode) {
  struct text path;
  text_start(&path, "/proc/self/fd/");
  text_number(&path, fd);
  return sys_open(path.at, mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static bool has_hung_up(int fd) {
  struct pollfd look = {fd, 0, 0};
  return sys_poll(&look, 1, 0) > 0 && (look.revents & POLLHUP) != 0;
}

/*
 * Returns a descriptor that never waits; it replaces `fd`, which is closed if it is another one. A FIFO without writers
 * keeps its description: a new one would wait for the next writer and never see the end. That is checked twice, because
 * the last writer may close in between. The master of a terminal can't be opened again: that makes another terminal.
 */
static int make_nonblocking(int fd, u32 type, int flags) {
  u32 number = 0;
  bool is_master = type == S_IFCHR && sys_ioctl(fd, TIOCGPTN, &number) == 0;
  if (!is_master && !has_hung_up(fd)) {
    int opened = reopen(fd, flags & O_ACCMODE);
    if (opened >= 0 && !has_hung_up(fd)) {
      sys_close(fd);
      return opened;
    }
    if (opened >= 0) sys_close(opened);
  }
  sys_fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  return fd;
}

/* What is known of a descriptor before it is adopted. */
struct descriptor {
  enum source_way way;
  u32 type; /* S_IF..., 0 if it is not known */
  int flags;
  bool is_datagram;
};

static struct descriptor examine(int fd) {
  struct descriptor found = {WAY_NONE, 0, 0, false};
  struct statx status;
  found.flags = sys_fcntl(fd, F_GETFL, 0);
  if (found.flags < 0 || (found.flags & O_ACCMODE) == O_WRONLY || (found.flags & O_PATH) != 0) return found;
  if (sys_statx(fd, "", AT_EMPTY_PATH, &status) < 0) return found;
  found.type = status.mode & S_IFMT;
  if (found.type == S_IFREG) found.way = WAY_FILE;
  if (found.type == S_IFIFO || found.type == S_IFCHR) found.way = WAY_READ;
  if (found.type == S_IFSOCK && sys_socket_number(fd, SO_ACCEPTCONN) != 1) {
    int type = sys_socket_number(fd, SO_TYPE);
    found.is_datagram = type == SOCK_DGRAM;
    if (type == SOCK_STREAM || type == SOCK_DGRAM || type == SOCK_SEQPACKET) found.way = WAY_RECEIVE;
  }
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
  sys_close(fd);
  event_count(sources->events, code, 1, argument, name, name_bytes);
  return false;
}

bool source_adopt(struct sources *sources, int fd, u32 kind, u32 token, const char *name, u32 name_bytes) {
  u32 slot = 0;
  struct descriptor found = examine(fd);
  if (found.way == WAY_NONE) return refuse(sources, fd, EVENT_DESCRIPTOR_REFUSED, found.type >> 12, name, name_bytes);
  bool is_reserved = fd >= sources->descriptors_max;
  struct source *source = is_reserved ? NULL : open_slot(sources, kind, token, name, name_bytes, &slot);
  if (source == NULL) return refuse(sources, fd, EVENT_SOURCES_FULL, kind, name, name_bytes);
  source->way = (u8)found.way;
  source->is_datagram = found.is_datagram;
  source->fd = found.way == WAY_READ ? make_nonblocking(fd, found.type, found.flags) : fd;
  if (kind == SOURCE_KIND_SYSLOG_TCP) sources->connections++;
  if (found.way == WAY_FILE) {
    i64 offset = sys_lseek(fd, 0, SEEK_CUR);
    source->offset = offset > 0 ? (u64)offset : 0;
    add_busy(sources, source, slot);
  } else if (!watch(sources, source, slot)) {
    source_end(sources, slot, ENOMEM);
  }
  return true;
}

bool source_restore(struct sources *sources, u32 slot, const struct source *from) {
  struct source *source = &sources->slots[slot];
  *source = *from;
  source->is_busy = false;
  if (source->state == SOURCE_ENDED) {
    push_slot(&sources->ended, slot);
    return true;
  }
  if (source->kind == SOURCE_KIND_SYSLOG_TCP) sources->connections++;
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
  remove_busy(sources, source, slot);
  if (source->fd >= 0) {
    /* Another process may have the description too, and then close() alone would not end epoll's interest in it. */
    unwatch(sources, source);
    sys_close(source->fd);
    source->fd = -1;
  }
  if (source->kind == SOURCE_KIND_SYSLOG_TCP) sources->connections--;
  put_source_frame(sources, FRAME_KIND_END, slot, (u32)error);
  source->state = SOURCE_ENDED;
  source->end_position = sources->queue->head;
  push_slot(&sources->ended, slot);
}

void source_close_when_read(struct sources *sources, u32 id) {
  for (u32 slot = 0; slot < SOURCES_MAX; slot++) {
    struct source *source = &sources->slots[slot];
    if (source->id != id || source->state != SOURCE_OPEN || source->way == WAY_NONE) continue;
    unwatch(sources, source);
    source->state = SOURCE_CLOSING;
    if (source->way != WAY_FILE) source->offset = 0;
    add_busy(sources, source, slot);
    return;
  }
}

/* ---- reading ---- */

static long read_bytes(struct source *source, u8 *to) {
  if (source->way == WAY_RECEIVE) return sys_recv(source->fd, to, QUEUE_READ_BYTES_MAX, 0);
  if (source->way == WAY_FILE) return sys_pread(source->fd, to, QUEUE_READ_BYTES_MAX, source->offset);
  return sys_read(source->fd, to, QUEUE_READ_BYTES_MAX);
}

/* One read, straight into the queue. The caller has checked that there is room. */
static void read_source(struct sources *sources, u32 slot) {
  struct source *source = &sources->slots[slot];
  long got = read_bytes(source, queue_payload(sources->queue, QUEUE_READ_BYTES_MAX));
  if (got > 0) {
    struct frame frame = {FRAME_KIND_DATA, slot, source->id, 0, (u32)got};
    queue_commit(sources->queue, &frame);
    source->offset += (u64)got;
    bool is_closing = source->state == SOURCE_CLOSING && source->way != WAY_FILE;
    if (is_closing && source->offset >= CLOSE_BYTES_MAX) source_end(sources, slot, 0);
    return;
  }
  if (got == 0 && source->is_datagram && source->state == SOURCE_OPEN) return;
  if (got == -EINTR) return;
  if (got == -EAGAIN && source->state == SOURCE_OPEN) return;
  /* A terminal whose other side is closed returns EIO. */
  source_end(sources, slot, got == -EIO || got == -EAGAIN ? 0 : (int)-got);
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

void sources_read_busy(struct sources *sources) {
  u32 turns = sources->busy_count < READS_PER_TURN ? sources->busy_count : READS_PER_TURN;
  for (; turns > 0 && sources->busy_count > 0 && !queue_is_full(sources->queue); turns--) {
    sources->busy_next = (sources->busy_next + 1) % sources->busy_count;
    read_source(sources, sources->busy_slots[sources->busy_next]);
  }
}
