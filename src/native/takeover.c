/* One memlogd takes over from another; see takeover.h. */
#include "takeover.h"

/* How long either side waits for the other. The new one waits longer: the old one must know first that it goes on. */
#define SERVE_MS 2000
#define RECEIVE_MS 5000
/* Descriptors in one message; the kernel's limit is 253. */
#define BATCH 128

#define STATE_EVENTS 80
#define STATE_PATHS (STATE_EVENTS + 8 * EVENT_SLOTS)
#define PATH_BYTES 128
#define STATE_SOURCES (STATE_PATHS + PATH_BYTES * PATHS)
#define SOURCE_BYTES 40
/* Another version's may be longer: it is looked at far enough to say so. */
#define STATE_SIZE_MAX (64 * 1024 * 1024)
#define STATE_BYTES_MAX (STATE_SOURCES + SOURCE_BYTES * SOURCES_MAX)

_Static_assert(PATH_BYTES >= 16 + UNIX_PATH_BYTES_MAX + 1, "a path's name fits");

enum { SAY_STATE = 'S', SAY_MORE = 'D', SAY_READY = 'R', SAY_GO = 'G' };
/* Descriptors of the process itself come first, those that there are, in this order; then one for each bound path; then sources. */
enum { OWN_QUEUE, OWN_RING, OWN_LOG, OWN_QUERY, OWN_SYSLOG, OWN_UDP, OWN_TCP, OWN_DOCKER, OWN_KMSG, OWN_COUNT };

static void own_places(struct intake *intake, int *places[OWN_COUNT + PATHS]) {
  struct listeners *listeners = &intake->listeners;
  int *own[OWN_COUNT] = {&intake->queue.fd,  &intake->ring_fd, &listeners->log,    &listeners->query, &listeners->syslog,
                         &listeners->udp,    &listeners->tcp,  &listeners->docker, &listeners->kmsg};
  for (u32 at = 0; at < OWN_COUNT; at++) places[at] = own[at];
  for (u32 which = 0; which < PATHS; which++) places[OWN_COUNT + which] = &listeners->paths[which].folder;
}

static void set_waits(int fd, i64 ms) {
  struct timeval limit = {ms / 1000, ms % 1000 * 1000};
  sys_setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  sys_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

/* One message: bytes, and descriptors with them. */
static bool send_descriptors(int to, const void *bytes, size_t count, const int *fds, u32 fd_count) {
  u8 control[CMSG_SPACE(BATCH * sizeof(int))] __attribute__((aligned(8)));
  struct iovec part = {(void *)(uintptr_t)bytes, count};
  struct msghdr message = {NULL, 0, &part, 1, NULL, 0, 0};
  if (fd_count > 0) {
    struct cmsghdr header = {CMSG_LEN(fd_count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    copy_bytes(control, &header, sizeof header);
    copy_bytes(control + sizeof header, fds, fd_count * sizeof(int));
    message.control = control;
    message.control_bytes = CMSG_SPACE(fd_count * sizeof(int));
  }
  return sys_sendmsg(to, &message, MSG_NOSIGNAL) == (long)count;
}

/* One message of one byte, `wanted`. Its descriptors go to `fds`; how many, -1 if anything is wrong. */
static int receive_descriptors(int from, u8 wanted, int *fds, u32 max) {
  u8 control[CMSG_SPACE(BATCH * sizeof(int))] __attribute__((aligned(8)));
  u8 said = 0;
  u32 count = 0;
  bool is_wrong = false;
  struct iovec part = {&said, 1};
  struct msghdr message = {NULL, 0, &part, 1, control, sizeof control, 0};
  if (sys_recvmsg(from, &message, MSG_CMSG_CLOEXEC) != 1) return -1;
  for (size_t at = 0; at + sizeof(struct cmsghdr) <= message.control_bytes;) {
    const struct cmsghdr *header = (const struct cmsghdr *)(const void *)(control + at);
    if (header->bytes < sizeof *header || header->bytes > message.control_bytes - at) break;
    size_t bytes = header->level == SOL_SOCKET && header->type == SCM_RIGHTS ? header->bytes - sizeof *header : 0;
    for (size_t n = 0; n + sizeof(int) <= bytes; n += sizeof(int)) {
      int fd = (int)get_u32(control + at + sizeof *header + n);
      if (count < max) fds[count++] = fd;
      else sys_close(fd), is_wrong = true;
    }
    at += CMSG_ALIGN(header->bytes);
  }
  if (said == wanted && !is_wrong && (message.flags & (MSG_CTRUNC | MSG_TRUNC)) == 0) return (int)count;
  for (u32 n = 0; n < count; n++) sys_close(fds[n]);
  return -1;
}

/* ---- the running one ---- */

static void write_head(struct intake *intake, u8 *at, u32 present) {
  const struct queue *queue = &intake->queue;
  u32 words[] = {TAKEOVER_MAGIC, TAKEOVER_VERSION, SOURCES_MAX, QUEUE_BYTES_DEFAULT, QUEUE_VERSION, (u32)sys_getpid(), intake->next_id, present};
  u64 positions[] = {queue->head, queue->tail};
  u32 slots[] = {intake->syslog_slot, intake->udp_slot, intake->kmsg_slot, intake->listeners.udp_address_bytes, intake->udp_dropped};
  for (u32 n = 0; n < 8; n++) put_u32(at + 4 * n, words[n]);
  for (u32 n = 0; n < 2; n++) put_u64(at + 32 + 8 * n, positions[n]);
  for (u32 n = 0; n < 5; n++) put_u32(at + 48 + 4 * n, slots[n]);
  /* 68: number of sources, written last; 72: end of the state. */
  for (u32 slot = 0; slot < EVENT_SLOTS; slot++) {
    put_u32(at + STATE_EVENTS + 8 * slot, intake->events[slot].count);
    put_u32(at + STATE_EVENTS + 8 * slot + 4, intake->events[slot].argument);
  }
  for (u32 which = 0; which < PATHS; which++) {
    const struct bound_path *bound = &intake->listeners.paths[which];
    u8 *to = at + STATE_PATHS + PATH_BYTES * which;
    if (bound->folder < 0) continue;
    put_u64(to, bound->ino);
    put_u32(to + 8, bound->dev_major);
    put_u32(to + 12, bound->dev_minor);
    copy_bytes(to + 16, bound->name, string_bytes(bound->name));
  }
}

static void write_source(const struct intake *intake, u32 slot, u8 *at) {
  const struct source *source = &intake->sources[slot];
  put_u32(at, slot);
  put_u32(at + 4, source->id);
  put_u16(at + 8, source->kind);
  at[10] = source->state;
  at[11] = source->way;
  at[12] = source->is_datagram;
  at[13] = source->fd >= 0;
  put_u64(at + 16, source->at);
  put_u64(at + 24, source->end_position);
}

/* Sources that have ended come first, in the order of their ends: so their slots become free again. Returns how many there are. */
static u32 write_sources(const struct intake *intake, u8 *at) {
  u32 count = 0;
  for (u32 n = 0; n < intake->ended_count; n++) write_source(intake, intake->ended_slots[(intake->ended_first + n) % SOURCES_MAX], at + SOURCE_BYTES * count++);
  for (u32 slot = 0; slot < SOURCES_MAX; slot++) {
    u8 state = intake->sources[slot].state;
    if (state == SOURCE_OPEN || state == SOURCE_CLOSING) write_source(intake, slot, at + SOURCE_BYTES * count++);
  }
  return count;
}

/* Descriptors on their way, sent when there are enough for a message. */
struct batch {
  int to;
  u32 count;
  bool is_broken;
  int fds[BATCH];
};

static void batch_flush(struct batch *batch) {
  u8 byte = SAY_MORE;
  if (batch->count > 0 && !batch->is_broken) batch->is_broken = !send_descriptors(batch->to, &byte, 1, batch->fds, batch->count);
  batch->count = 0;
}

static void batch_add(struct batch *batch, int fd) {
  if (fd < 0) return;
  batch->fds[batch->count++] = fd;
  if (batch->count == BATCH) batch_flush(batch);
}

static bool send_everything(struct intake *intake, int peer, int state_fd, u8 *state) {
  int *places[OWN_COUNT + PATHS];
  u32 present = 0;
  struct batch batch;
  own_places(intake, places);
  for (u32 n = 0; n < OWN_COUNT + PATHS; n++) present |= *places[n] >= 0 ? 1u << n : 0;
  write_head(intake, state, present);
  u32 count = write_sources(intake, state + STATE_SOURCES);
  put_u32(state + 68, count);
  put_u32(state + 72, STATE_SOURCES + SOURCE_BYTES * count);
  u8 byte = SAY_STATE;
  if (!send_descriptors(peer, &byte, 1, &state_fd, 1)) return false;
  batch.to = peer;
  batch.count = 0;
  batch.is_broken = false;
  for (u32 n = 0; n < OWN_COUNT + PATHS; n++) batch_add(&batch, *places[n]);
  for (u32 n = 0; n < count; n++) batch_add(&batch, intake->sources[get_u32(state + STATE_SOURCES + SOURCE_BYTES * n)].fd);
  batch_flush(&batch);
  return !batch.is_broken;
}

/* True if the other side has everything and was told that it is memlogd now. */
static bool hand_over(struct intake *intake, int peer) {
  int state_fd = sys_memfd_create("memlogd-takeover", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  u8 byte = SAY_GO;
  bool done = false;
  if (state_fd < 0) return false;
  u8 *state = sys_ftruncate(state_fd, STATE_BYTES_MAX) == 0 ? sys_mmap(STATE_BYTES_MAX, MAP_SHARED, state_fd) : NULL;
  if (state != NULL) {
    sys_fcntl(state_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    done = send_everything(intake, peer, state_fd, state) && receive_descriptors(peer, SAY_READY, NULL, 0) == 0 && send_descriptors(peer, &byte, 1, NULL, 0);
    sys_munmap(state, STATE_BYTES_MAX);
  }
  sys_close(state_fd);
  return done;
}

static bool may_take_over(int peer) {
  struct ucred asker = {0, 0, 0};
  u32 bytes = sizeof asker;
  if (sys_socket_number(peer, SO_TYPE) != SOCK_SEQPACKET || sys_socket_number(peer, SO_DOMAIN) != AF_UNIX) return false;
  if (sys_getsockopt(peer, SO_PEERCRED, &asker, &bytes) < 0) return false;
  return asker.uid == 0 || asker.uid == sys_geteuid();
}

void takeover_serve(struct intake *intake, int peer) {
  bool may = may_take_over(peer) && intake->stop_at_ms == 0;
  if (may) {
    set_waits(peer, SERVE_MS);
    /* Readers are cut off as by a death, not told that memlogd stops: they come back by cursor. */
    if (engine_end_now(intake) && hand_over(intake, peer)) sys_exit(0);
  }
  sys_close(peer);
  event_count(intake, EVENT_TAKEOVER_FAILED, 1, may, "", 0);
}

/* ---- the new one ---- */

static bool fail(struct text *error, const char *path, const char *what, int number) {
  text_start(error, "memlogd: takeover: ");
  text_add(error, path);
  text_add(error, ": ");
  text_add(error, what);
  if (number < 0) text_add(error, error_text(number));
  return false;
}

/* Sends one end of a pair to the log socket. The other end, or -errno. */
static int ask(const char *path) {
  static const char name[] = TAKEOVER_NAME;
  struct sockaddr_un address;
  int ends[2];
  size_t bytes = string_bytes(path);
  if (bytes > UNIX_PATH_BYTES_MAX) return -ENAMETOOLONG;
  zero_bytes(&address, sizeof address);
  address.family = AF_UNIX;
  copy_bytes(address.path, path, bytes);
  int log = sys_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC);
  if (log < 0) return log;
  set_waits(log, RECEIVE_MS);
  int result = sys_connect(log, &address, sizeof address);
  if (result == 0) result = sys_socketpair(SOCK_SEQPACKET | SOCK_CLOEXEC, ends);
  if (result == 0) {
    /* The name begins with a NUL byte, which no container's has. */
    u8 datagram[sizeof name];
    datagram[0] = 0;
    copy_bytes(datagram + 1, name, sizeof name - 1);
    result = send_descriptors(log, datagram, sizeof datagram, &ends[1], 1) ? 0 : -EAGAIN;
    sys_close(ends[1]);
    if (result < 0) sys_close(ends[0]);
    else set_waits(ends[0], RECEIVE_MS);
  }
  sys_close(log);
  return result < 0 ? result : ends[0];
}

/* What the state says must make sense before any of it is believed. NULL, or what is wrong. */
static const char *state_fault(const u8 *state, u64 bytes) {
  if (bytes < STATE_SOURCES || get_u32(state) != TAKEOVER_MAGIC) return "the answer is none";
  bool is_same = get_u32(state + 4) == TAKEOVER_VERSION && get_u32(state + 8) == SOURCES_MAX && get_u32(state + 12) == QUEUE_BYTES_DEFAULT && get_u32(state + 16) == QUEUE_VERSION;
  if (!is_same) return "the running memlogd is of a version that this one cannot follow";
  u64 head = get_u64(state + 32), tail = get_u64(state + 40);
  if (tail > head || head - tail > QUEUE_BYTES_DEFAULT || head % 8 != 0 || tail % 8 != 0) return "its queue makes no sense";
  u32 count = get_u32(state + 68), present = get_u32(state + 28), needed = 1u << OWN_QUEUE | 1u << OWN_RING | 1u << OWN_LOG | 1u << OWN_QUERY;
  if (count > SOURCES_MAX || STATE_SOURCES + (u64)SOURCE_BYTES * count > bytes) return "its sources make no sense";
  if ((present & needed) != needed || present >> (OWN_COUNT + PATHS) != 0) return "its descriptors make no sense";
  if (get_u32(state + 24) == 0 || get_u32(state + 60) > sizeof(struct sockaddr_in6)) return "its numbers make no sense";
  for (u32 n = 0; n < 3; n++)
    if (get_u32(state + 48 + 4 * n) >= SOURCES_MAX) return "its inputs make no sense";
  for (u32 which = 0; which < PATHS; which++)
    if (state[STATE_PATHS + PATH_BYTES * which + 16 + UNIX_PATH_BYTES_MAX] != 0) return "its paths make no sense";
  return NULL;
}

static bool take_source(struct intake *intake, const u8 *at, int fd) {
  struct source source;
  zero_bytes(&source, sizeof source);
  u32 slot = get_u32(at);
  source.id = get_u32(at + 4);
  source.kind = get_u16(at + 8);
  source.state = at[10];
  source.way = at[11];
  source.is_datagram = at[12] != 0;
  source.fd = fd;
  source.at = get_u64(at + 16);
  source.end_position = get_u64(at + 24);
  bool is_open = source.state == SOURCE_OPEN || source.state == SOURCE_CLOSING;
  bool is_sound = slot < SOURCES_MAX && source.id != 0 && source.way <= WAY_NONE && intake->sources[slot].state == SOURCE_FREE &&
                  (is_open ? (fd >= 0) == (source.way != WAY_NONE) : source.state == SOURCE_ENDED && fd < 0);
  return is_sound && source_take(intake, slot, &source);
}

static void take_numbers(struct intake *intake, const u8 *state) {
  struct listeners *listeners = &intake->listeners;
  intake->next_id = get_u32(state + 24);
  intake->taken_from = get_u32(state + 20);
  intake->syslog_slot = get_u32(state + 48);
  intake->udp_slot = get_u32(state + 52);
  intake->kmsg_slot = get_u32(state + 56);
  listeners->udp_address_bytes = get_u32(state + 60);
  intake->udp_dropped = get_u32(state + 64);
  for (u32 slot = 0; slot < EVENT_SLOTS; slot++) {
    intake->events[slot].count = get_u32(state + STATE_EVENTS + 8 * slot);
    intake->events[slot].argument = get_u32(state + STATE_EVENTS + 8 * slot + 4);
  }
  for (u32 which = 0; which < PATHS; which++) {
    struct bound_path *bound = &listeners->paths[which];
    const u8 *from = state + STATE_PATHS + PATH_BYTES * which;
    bound->ino = get_u64(from);
    bound->dev_major = get_u32(from + 8);
    bound->dev_minor = get_u32(from + 12);
    copy_bytes(intake->taken_names[which], from + 16, UNIX_PATH_BYTES_MAX + 1);
    bound->name = intake->taken_names[which];
  }
}

/* The next descriptor of those that come in batches, or -1. */
static int batch_next(struct batch *batch, u32 *used) {
  if (*used == batch->count) {
    int count = receive_descriptors(batch->to, SAY_MORE, batch->fds, BATCH);
    batch->count = count > 0 ? (u32)count : 0;
    *used = 0;
  }
  return *used < batch->count ? batch->fds[(*used)++] : -1;
}

static const char *take_descriptors(struct intake *intake, int peer, const u8 *state) {
  int *places[OWN_COUNT + PATHS];
  struct batch batch;
  u32 used = 0, present = get_u32(state + 28), count = get_u32(state + 68);
  own_places(intake, places);
  batch.to = peer;
  batch.count = 0;
  for (u32 n = 0; n < OWN_COUNT + PATHS; n++) *places[n] = -1;
  for (u32 n = 0; n < OWN_COUNT + PATHS; n++) {
    if ((present >> n & 1) == 0) continue;
    *places[n] = batch_next(&batch, &used);
    if (*places[n] < 0) return "descriptors are missing";
  }
  if (!queue_take(&intake->queue, get_u64(state + 32), get_u64(state + 40))) return "its queue can't be used";
  for (u32 n = 0; n < count; n++) {
    const u8 *at = state + STATE_SOURCES + SOURCE_BYTES * n;
    int fd = at[13] != 0 ? batch_next(&batch, &used) : -1;
    if (at[13] != 0 && fd < 0) return "descriptors of sources are missing";
    if (!take_source(intake, at, fd)) return "a source makes no sense";
  }
  sources_taken(intake);
  intake->has_syslog = intake->listeners.syslog >= 0;
  intake->has_udp = intake->listeners.udp >= 0;
  return NULL;
}

bool takeover_receive(struct intake *intake, const char *path, int *peer, struct text *error) {
  int state_fd = -1;
  *peer = ask(path);
  if (*peer < 0) return fail(error, path, "no memlogd can be asked: ", *peer);
  if (receive_descriptors(*peer, SAY_STATE, &state_fd, 1) != 1) return fail(error, path, "the running memlogd does not hand over", 0);
  struct statx status;
  zero_bytes(&status, sizeof status);
  sys_statx(state_fd, "", AT_EMPTY_PATH, &status);
  /* Sealed, so that nobody can take the memory away while it is looked at. */
  bool is_sealed = (sys_fcntl(state_fd, F_GET_SEALS, 0) & F_SEAL_SHRINK) != 0 && status.size >= STATE_SOURCES && status.size <= STATE_SIZE_MAX;
  u8 *state = is_sealed ? sys_mmap(status.size, MAP_PRIVATE, state_fd) : NULL;
  sys_close(state_fd);
  if (state == NULL) return fail(error, path, "the answer can't be used", 0);
  const char *fault = state_fault(state, status.size);
  if (fault == NULL) take_numbers(intake, state);
  if (fault == NULL) fault = take_descriptors(intake, *peer, state);
  sys_munmap(state, status.size);
  return fault == NULL || fail(error, path, fault, 0);
}

bool takeover_finish(int peer, struct text *error) {
  u8 byte = SAY_READY;
  bool done = send_descriptors(peer, &byte, 1, NULL, 0) && receive_descriptors(peer, SAY_GO, NULL, 0) == 0;
  sys_close(peer);
  return done || fail(error, "the running memlogd", "has not gone, and goes on", 0);
}
