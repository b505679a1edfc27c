/* Sources: descriptors that are read until their end. */
#include "intake.h"

_Static_assert(SOURCES_MAX <= 65536, "a slot's number is a u16");

void sources_start(struct intake *intake) {
  for (u32 slot = 0; slot < SOURCES_MAX; slot++) intake->free_slots[slot] = (u16)slot;
  intake->free_count = SOURCES_MAX;
  intake->next_id = 1;
}

static struct source *claim_slot(struct intake *intake, u32 *slot) {
  if (intake->free_count == 0) return NULL;
  *slot = intake->free_slots[intake->free_first];
  intake->free_first = (intake->free_first + 1) % SOURCES_MAX;
  intake->free_count--;
  return &intake->sources[*slot];
}

static void put_source_frame(struct intake *intake, u32 kind, u32 slot, u32 detail) {
  struct frame frame = {kind, slot, intake->sources[slot].id, detail, 0};
  queue_put(&intake->queue, &frame);
}

static struct source *open_slot(struct intake *intake, u32 kind, u32 token, const char *name, u32 name_bytes, u32 *slot) {
  struct source *source = claim_slot(intake, slot);
  if (source == NULL) return NULL;
  zero_bytes(source, sizeof *source);
  source->id = intake->next_id++;
  if (intake->next_id == 0) intake->next_id = 1;
  source->kind = (u16)kind;
  source->state = SOURCE_OPEN;
  source->way = WAY_NONE;
  source->fd = -1;
  queue_write_slot(&intake->queue, *slot, source->id, kind, token, name, name_bytes);
  put_source_frame(intake, FRAME_KIND_OPEN, *slot, token);
  return source;
}

bool source_claim(struct intake *intake, u32 kind, const char *name, u32 name_bytes, u32 *slot) {
  if (name_bytes > SOURCE_NAME_BYTES_MAX) name_bytes = SOURCE_NAME_BYTES_MAX;
  return open_slot(intake, kind, 0, name, name_bytes, slot) != NULL;
}

static void add_busy(struct intake *intake, struct source *source, u32 slot) {
  if (source->is_busy) return;
  source->is_busy = true;
  intake->busy_slots[intake->busy_count++] = (u16)slot;
}

static void remove_busy(struct intake *intake, struct source *source, u32 slot) {
  if (!source->is_busy) return;
  source->is_busy = false;
  u32 at = 0;
  while (intake->busy_slots[at] != slot) at++;
  intake->busy_slots[at] = intake->busy_slots[--intake->busy_count];
}

/* Opens a pipe, FIFO or device anew, so that O_NONBLOCK is set on a description that nobody shares. */
static int open_anew(int fd, int mode) {
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
 * A descriptor to read without waiting, in place of `fd`, which is closed if another takes its place. A FIFO whose writers are
 * gone keeps its old description: a new one would wait for the next writer and never see the end. Asked twice,
 * because the last writer may leave in between. The master of a terminal can't be opened anew: that would make another terminal.
 */
static int make_nonblocking(int fd, u32 type, int flags) {
  u32 number = 0;
  bool is_master = type == S_IFCHR && sys_ioctl(fd, TIOCGPTN, &number) == 0;
  if (!is_master && !has_hung_up(fd)) {
    int anew = open_anew(fd, flags & O_ACCMODE);
    if (anew >= 0 && !has_hung_up(fd)) {
      sys_close(fd);
      return anew;
    }
    if (anew >= 0) sys_close(anew);
  }
  sys_fcntl(fd, F_SETFL, flags | O_NONBLOCK);
  return fd;
}

/* How the descriptor is to be read; WAY_NONE if it can't be. */
static enum source_way way_of(int fd, u32 *type, int *flags, bool *is_datagram) {
  struct statx status;
  *flags = sys_fcntl(fd, F_GETFL, 0);
  if (*flags < 0 || (*flags & O_ACCMODE) == O_WRONLY || (*flags & O_PATH) != 0) return WAY_NONE;
  if (sys_statx(fd, "", AT_EMPTY_PATH, &status) < 0) return WAY_NONE;
  *type = status.mode & S_IFMT;
  *is_datagram = false;
  if (*type == S_IFREG) return WAY_FILE;
  if (*type == S_IFIFO || *type == S_IFCHR) return WAY_READ;
  if (*type != S_IFSOCK || sys_socket_number(fd, SO_ACCEPTCONN) == 1) return WAY_NONE;
  int socket_type = sys_socket_number(fd, SO_TYPE);
  *is_datagram = socket_type == SOCK_DGRAM;
  return socket_type == SOCK_STREAM || socket_type == SOCK_DGRAM || socket_type == SOCK_SEQPACKET ? WAY_RECEIVE : WAY_NONE;
}

/* Has the kernel tell when the source is ready; what it can't tell about (files) is read in turn. */
static bool watch(struct intake *intake, struct source *source, u32 slot) {
  struct epoll_event event = {EPOLLIN, slot | (u64)source->id << 32};
  int result = sys_epoll_ctl(intake->epoll_fd, EPOLL_CTL_ADD, source->fd, &event);
  if (result == -EPERM) add_busy(intake, source, slot);
  return result == 0 || result == -EPERM;
}

bool source_take(struct intake *intake, u32 slot, const struct source *from) {
  struct source *source = &intake->sources[slot];
  *source = *from;
  source->is_busy = false;
  if (source->state == SOURCE_ENDED) {
    intake->ended_slots[intake->ended_count++] = (u16)slot;
    return true;
  }
  if (source->kind == SOURCE_KIND_SYSLOG_TCP) intake->connections++;
  if (source->way == WAY_NONE) return true;
  if (source->way != WAY_FILE && source->state == SOURCE_OPEN) return watch(intake, source, slot);
  add_busy(intake, source, slot);
  return true;
}

void sources_taken(struct intake *intake) {
  for (u32 slot = 0; slot < SOURCES_MAX; slot++)
    if (intake->sources[slot].state == SOURCE_FREE) intake->free_slots[intake->free_count++] = (u16)slot;
}

static bool refuse(struct intake *intake, int fd, u32 code, u32 argument, const char *name, u32 name_bytes) {
  sys_close(fd);
  event_count(intake, code, 1, argument, name, name_bytes);
  return false;
}

bool source_adopt(struct intake *intake, int fd, u32 kind, u32 token, const char *name, u32 name_bytes) {
  u32 type = 0, slot = 0;
  int flags = 0;
  bool is_datagram = false;
  enum source_way way = way_of(fd, &type, &flags, &is_datagram);
  if (way == WAY_NONE) return refuse(intake, fd, EVENT_DESCRIPTOR_REFUSED, type >> 12, name, name_bytes);
  bool is_short = fd >= intake->descriptors_max;
  struct source *source = is_short ? NULL : open_slot(intake, kind, token, name, name_bytes, &slot);
  if (source == NULL) return refuse(intake, fd, EVENT_SOURCES_FULL, kind, name, name_bytes);
  source->way = way;
  source->is_datagram = is_datagram;
  source->fd = way == WAY_READ ? make_nonblocking(fd, type, flags) : fd;
  if (kind == SOURCE_KIND_SYSLOG_TCP) intake->connections++;
  if (way == WAY_FILE) {
    i64 at = sys_lseek(fd, 0, SEEK_CUR);
    source->at = at > 0 ? (u64)at : 0;
    add_busy(intake, source, slot);
  } else if (!watch(intake, source, slot)) {
    source_end(intake, slot, ENOMEM);
  }
  return true;
}

void source_end(struct intake *intake, u32 slot, int error) {
  struct source *source = &intake->sources[slot];
  remove_busy(intake, source, slot);
  if (source->fd >= 0) {
    /* The description may live on in another process, and with it the kernel's interest in it. */
    struct epoll_event none = {0, 0};
    sys_epoll_ctl(intake->epoll_fd, EPOLL_CTL_DEL, source->fd, &none);
    sys_close(source->fd);
    source->fd = -1;
  }
  if (source->kind == SOURCE_KIND_SYSLOG_TCP) intake->connections--;
  put_source_frame(intake, FRAME_KIND_END, slot, (u32)error);
  source->state = SOURCE_ENDED;
  source->end_position = intake->queue.head;
  intake->ended_slots[(intake->ended_first + intake->ended_count++) % SOURCES_MAX] = (u16)slot;
}

void sources_acknowledged(struct intake *intake) {
  while (intake->ended_count > 0) {
    u32 slot = intake->ended_slots[intake->ended_first];
    struct source *source = &intake->sources[slot];
    if (source->end_position > intake->queue.tail) return;
    intake->ended_first = (intake->ended_first + 1) % SOURCES_MAX;
    intake->ended_count--;
    source->state = SOURCE_FREE;
    queue_clear_slot(&intake->queue, slot);
    intake->free_slots[(intake->free_first + intake->free_count++) % SOURCES_MAX] = (u16)slot;
  }
}

void source_close_when_read(struct intake *intake, u32 id) {
  for (u32 slot = 0; slot < SOURCES_MAX; slot++) {
    struct source *source = &intake->sources[slot];
    if (source->id != id || source->state != SOURCE_OPEN || source->way == WAY_NONE) continue;
    struct epoll_event none = {0, 0};
    sys_epoll_ctl(intake->epoll_fd, EPOLL_CTL_DEL, source->fd, &none);
    source->state = SOURCE_CLOSING;
    if (source->way != WAY_FILE) source->at = 0;
    add_busy(intake, source, slot);
    return;
  }
}

static long read_bytes(struct source *source, u8 *to) {
  if (source->way == WAY_RECEIVE) return sys_recv(source->fd, to, QUEUE_READ_BYTES_MAX, 0);
  if (source->way == WAY_FILE) return sys_pread(source->fd, to, QUEUE_READ_BYTES_MAX, source->at);
  return sys_read(source->fd, to, QUEUE_READ_BYTES_MAX);
}

/* One read, straight into the queue. The caller has made sure that there is room. */
static void read_source(struct intake *intake, u32 slot) {
  struct source *source = &intake->sources[slot];
  long got = read_bytes(source, queue_payload(&intake->queue, QUEUE_READ_BYTES_MAX));
  if (got > 0) {
    struct frame frame = {FRAME_KIND_DATA, slot, source->id, 0, (u32)got};
    queue_commit(&intake->queue, &frame);
    source->at += (u64)got;
    bool is_enough = source->state == SOURCE_CLOSING && source->way != WAY_FILE && source->at >= CLOSE_BYTES_MAX;
    if (is_enough) source_end(intake, slot, 0);
    return;
  }
  if (got == 0 && source->is_datagram && source->state == SOURCE_OPEN) return;
  if (got == -EINTR) return;
  if (got == -EAGAIN && source->state == SOURCE_OPEN) return;
  /* A terminal whose other side is closed says EIO. */
  source_end(intake, slot, got == -EIO || got == -EAGAIN ? 0 : (int)-got);
}

static void pause_if_little(struct intake *intake, u64 bytes, int reads) {
  bool is_soon = intake->now_us < intake->read_us + SOON_US;
  bool is_little = bytes < (u64)reads * LITTLE_BYTES;
  intake->pause_until_us = is_soon && is_little ? intake->now_us + PAUSE_US : 0;
  intake->read_us = intake->now_us;
}

void sources_read(struct intake *intake) {
  struct epoll_event events[READS_PER_TURN];
  /* The kernel takes those that it names to the end of its line: none is named that can't be read now. */
  u32 fitting = queue_fitting_reads(&intake->queue);
  if (fitting == 0) return; /* epoll_wait wants at least one */
  int ready = sys_epoll_ready(intake->epoll_fd, events, (int)(fitting < READS_PER_TURN ? fitting : READS_PER_TURN));
  u64 head = intake->queue.head;
  for (int at = 0; at < ready; at++) {
    u32 slot = (u32)events[at].data, id = (u32)(events[at].data >> 32);
    if (slot >= SOURCES_MAX || intake->sources[slot].id != id || intake->sources[slot].state != SOURCE_OPEN) continue;
    if (intake_is_full(intake)) return;
    read_source(intake, slot);
  }
  if (ready > 0) pause_if_little(intake, intake->queue.head - head, ready);
}

void sources_read_busy(struct intake *intake) {
  u32 turns = intake->busy_count < READS_PER_TURN ? intake->busy_count : READS_PER_TURN;
  for (; turns > 0 && intake->busy_count > 0 && !intake_is_full(intake); turns--) {
    intake->busy_next = (intake->busy_next + 1) % intake->busy_count;
    read_source(intake, intake->busy_slots[intake->busy_next]);
  }
}
