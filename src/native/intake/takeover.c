/* One memlogd takes over from another; see takeover.h. */
#include "intake/takeover.h"

#include "system/unix-socket.h"

/* How long either side waits for the other. The new one waits longer: the old one must be the first to give up. */
#define SEND_MS 2000
#define RECEIVE_MS 5000
/* A process that has closed its connection because it was killed ends within this. */
#define DEATH_MS 100
/* Descriptors in one message; the kernel's limit is 253. */
#define BATCH 128

/* The kinds of messages: one byte each. */
enum { MESSAGE_STATE = 'S', MESSAGE_DESCRIPTORS = 'D', MESSAGE_READY = 'R', MESSAGE_GO = 'G' };

/* ---- the state's layout: docs/PROTOCOL.md, section 10. Both CPUs are little-endian ---- */

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the structures below are the bytes of the state");

/* Events that are handed over: the first codes, then the kinds of lost datagrams. */
#define STATE_EVENT_CODES 16
#define STATE_EVENTS (STATE_EVENT_CODES + EVENT_LOSS_KINDS)
#define STATE_PATH_NAME_BYTES (128 - 16)
/* A bit for each place of a kept reader. */
#define KEPT_READERS_WORDS ((KEPT_READERS_MAX + 31) / 32)

struct state_event {
  u32 count, argument;
};

struct state_path {
  u64 ino;
  u32 dev_major, dev_minor;
  char name[STATE_PATH_NAME_BYTES];
};

struct state_source {
  u32 slot, id;
  u16 kind;
  u8 state, way, is_datagram, has_descriptor;
  u16 reserved;
  u64 offset, end_position;
  u64 unused;
};

struct state {
  u32 magic, version, sources_max, queue_bytes, queue_version;
  u32 pid, next_id, present;
  u64 head, tail;
  u32 syslog_slot, udp_slot, kmsg_slot, udp_address_bytes, udp_dropped;
  u32 source_count, bytes, ring_format;
  struct state_event events[STATE_EVENTS];
  struct state_path paths[PATHS];
  u32 readers[KEPT_READERS_WORDS];
  struct state_source sources[SOURCES_MAX];
};

#define AT(structure, member, at) _Static_assert(offsetof(struct structure, member) == (at), "the layout is fixed")
AT(state, pid, 20);
AT(state, head, 32);
AT(state, syslog_slot, 48);
AT(state, source_count, 68);
AT(state, ring_format, 76);
AT(state, events, 80);
AT(state, paths, 272);
AT(state, readers, 912);
AT(state, sources, 928);
AT(state_path, name, 16);
AT(state_source, kind, 8);
AT(state_source, has_descriptor, 13);
AT(state_source, offset, 16);
AT(state_source, end_position, 24);
_Static_assert(sizeof(struct state_event) == 8 && sizeof(struct state_path) == 128 && sizeof(struct state_source) == 40,
               "the layout is fixed");
_Static_assert(STATE_PATH_NAME_BYTES > UNIX_PATH_BYTES_MAX, "the longest name and its NUL fit");

#define STATE_HEAD_BYTES offsetof(struct state, sources)
/* Another version's state may be longer: it is read far enough to report the version. */
#define STATE_BYTES_LIMIT (64 * 1024 * 1024)

/*
 * Descriptors of the process itself come first, those that there are, in this order; then a directory for each bound
 * path; then those of the kept readers; then those of the sources.
 */
enum { OWN_QUEUE, OWN_RING, OWN_LOG, OWN_QUERY, OWN_SYSLOG, OWN_UDP, OWN_TCP, OWN_DOCKER, OWN_KMSG, OWN_COUNT };

static void own_descriptors(struct holdings *holdings, int *fds[OWN_COUNT + PATHS]) {
  struct listeners *listeners = &holdings->listeners;
  int *own[OWN_COUNT] = {
      [OWN_QUEUE] = &holdings->queue.fd, [OWN_RING] = &holdings->ring_fd,   [OWN_LOG] = &listeners->log,
      [OWN_QUERY] = &listeners->query,   [OWN_SYSLOG] = &listeners->syslog, [OWN_UDP] = &listeners->udp,
      [OWN_TCP] = &listeners->tcp,       [OWN_DOCKER] = &listeners->docker, [OWN_KMSG] = &listeners->kmsg,
  };
  for (u32 at = 0; at < OWN_COUNT; at++) fds[at] = own[at];
  for (u32 which = 0; which < PATHS; which++) fds[OWN_COUNT + which] = &listeners->paths[which].directory;
}

/* The slot of an event in the state. */
static struct event *state_event_slot(struct events *events, u32 at) {
  return &events->slots[at < STATE_EVENT_CODES ? at : EVENT_CODES + at - STATE_EVENT_CODES];
}

/* ---- messages ---- */

static bool send_message(int to, u8 type, const int *fds, u32 count) {
  return send_descriptors(to, &type, 1, fds, count, 0) == 0;
}

/* A message's control messages: descriptors, and who has sent it, where the socket asks for that. */
#define CONTROL_BYTES_MAX (CMSG_SPACE(BATCH * sizeof(int)) + CMSG_SPACE(sizeof(struct ucred)))

/*
 * Receives one message, which must be of the type. Returns the number of its descriptors, -1 if anything is wrong.
 * `sender`, if not NULL, is who sent it.
 */
static int receive_message(int from, u8 type, int *fds, u32 max, struct ucred *sender) {
  u8 control[CONTROL_BYTES_MAX] __attribute__((aligned(8)));
  u8 received = 0;
  struct iovec part = {&received, 1};
  struct msghdr message = {NULL, 0, &part, 1, control, sizeof control, 0};
  long got = UNINTERRUPTED(sys_recvmsg(from, &message, MSG_CMSG_CLOEXEC));
  /* This process may have been stopped while the answer came. */
  if (got == -EAGAIN) got = sys_recvmsg(from, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (got != 1) return -1;
  if (sender != NULL) *sender = received_sender(&message);
  u32 count = received_descriptors(&message, fds, max);
  bool is_whole = (message.flags & (MSG_CTRUNC | MSG_TRUNC)) == 0;
  if (received == type && count <= max && is_whole) return (int)count;
  for (u32 at = 0; at < count && at < max; at++) sys_close(fds[at]);
  return -1;
}

/* Descriptors on their way: sent, or received, a message's worth at a time. */
struct batch {
  int peer;
  u32 count, used;
  bool has_failed;
  int fds[BATCH];
};

static void batch_flush(struct batch *batch) {
  if (batch->count > 0 && !batch->has_failed)
    batch->has_failed = !send_message(batch->peer, MESSAGE_DESCRIPTORS, batch->fds, batch->count);
  batch->count = 0;
}

static void batch_add(struct batch *batch, int fd) {
  if (fd < 0) return;
  batch->fds[batch->count++] = fd;
  if (batch->count == BATCH) batch_flush(batch);
}

/* The next descriptor that the peer sends, or -1. */
static int batch_next(struct batch *batch) {
  if (batch->used == batch->count) {
    int count = receive_message(batch->peer, MESSAGE_DESCRIPTORS, batch->fds, BATCH, NULL);
    batch->count = count > 0 ? (u32)count : 0;
    batch->used = 0;
  }
  return batch->used < batch->count ? batch->fds[batch->used++] : -1;
}

/* ---- the running one ---- */

static void write_events(struct events *events, struct state *state) {
  for (u32 at = 0; at < STATE_EVENTS; at++) {
    const struct event *event = state_event_slot(events, at);
    state->events[at] = (struct state_event){event->count, event->argument};
  }
}

static void write_paths(const struct listeners *listeners, struct state *state) {
  for (u32 which = 0; which < PATHS; which++) {
    const struct bound_path *bound = &listeners->paths[which];
    struct state_path *to = &state->paths[which];
    if (bound->directory < 0) continue;
    to->ino = bound->ino;
    to->dev_major = bound->dev_major;
    to->dev_minor = bound->dev_minor;
    copy_bytes(to->name, bound->name, string_bytes(bound->name));
  }
}

static void write_source(const struct sources *sources, u32 slot, struct state *state) {
  const struct source *source = &sources->slots[slot];
  state->sources[state->source_count++] = (struct state_source){
      .slot = slot,
      .id = source->id,
      .kind = source->kind,
      .state = source->state,
      .way = source->way,
      .is_datagram = source->is_datagram,
      .has_descriptor = source->fd >= 0,
      .offset = source->offset,
      .end_position = source->end_position,
  };
}

/* Sources that have ended come first, in the order of their ends, so that their slots become free in that order. */
static void write_sources(const struct sources *sources, struct state *state) {
  const struct slot_queue *ended = &sources->ended;
  for (u32 n = 0; n < ended->count; n++) write_source(sources, ended->slots[(ended->first + n) % SOURCES_MAX], state);
  for (u32 slot = 0; slot < SOURCES_MAX; slot++) {
    u8 source_state = sources->slots[slot].state;
    if (source_state == SOURCE_OPEN || source_state == SOURCE_CLOSING) write_source(sources, slot, state);
  }
}

static bool has_reader(const struct state *state, u32 place) {
  return (state->readers[place / 32] >> place % 32 & 1) != 0;
}

static void write_readers(const struct kept_readers *kept, struct state *state) {
  for (u32 place = 0; place < KEPT_READERS_MAX; place++)
    if (kept->fds[place] >= 0) state->readers[place / 32] |= 1u << place % 32;
}

static void write_state(struct holdings *holdings, struct state *state) {
  int *own[OWN_COUNT + PATHS];
  own_descriptors(holdings, own);
  state->magic = TAKEOVER_MAGIC;
  state->version = TAKEOVER_VERSION;
  state->sources_max = SOURCES_MAX;
  state->queue_bytes = QUEUE_BYTES_DEFAULT;
  state->queue_version = QUEUE_VERSION;
  state->ring_format = RING_FORMAT_VERSION;
  state->pid = (u32)sys_getpid();
  state->next_id = holdings->sources.next_id;
  for (u32 n = 0; n < OWN_COUNT + PATHS; n++) state->present |= *own[n] >= 0 ? 1u << n : 0;
  state->head = holdings->queue.head;
  state->tail = holdings->queue.tail;
  state->syslog_slot = holdings->syslog.unix_slot;
  state->udp_slot = holdings->syslog.udp_slot;
  state->kmsg_slot = holdings->kmsg_slot;
  state->udp_address_bytes = holdings->listeners.udp_address_bytes;
  state->udp_dropped = holdings->syslog.udp_dropped;
  write_events(&holdings->events, state);
  write_paths(&holdings->listeners, state);
  write_readers(&holdings->readers, state);
  write_sources(&holdings->sources, state);
  state->bytes = (u32)(STATE_HEAD_BYTES + sizeof(struct state_source) * state->source_count);
}

static bool send_all_descriptors(struct holdings *holdings, int peer, const struct state *state) {
  int *own[OWN_COUNT + PATHS];
  struct batch batch = {.peer = peer};
  own_descriptors(holdings, own);
  for (u32 n = 0; n < OWN_COUNT + PATHS; n++) batch_add(&batch, *own[n]);
  for (u32 place = 0; place < KEPT_READERS_MAX; place++) batch_add(&batch, holdings->readers.fds[place]);
  for (u32 n = 0; n < state->source_count; n++) batch_add(&batch, holdings->sources.slots[state->sources[n].slot].fd);
  batch_flush(&batch);
  return !batch.has_failed;
}

/* A file with the state that nobody can change or shrink. The descriptor, or -errno. */
static int write_state_file(const struct state *state) {
  int fd = sys_memfd_create("memlogd-takeover", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (fd < 0) return fd;
  const u8 *from = (const u8 *)state;
  u64 done = 0;
  int error = sys_ftruncate(fd, sizeof *state);
  while (error == 0 && done < state->bytes) {
    long put = UNINTERRUPTED(sys_write(fd, from + done, state->bytes - done));
    if (put > 0) done += (u64)put;
    else error = put < 0 ? (int)put : -EIO;
  }
  if (error == 0) error = sys_fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
  if (error == 0) return fd;
  sys_close(fd);
  return error;
}

static bool send_state(struct holdings *holdings, int peer, const struct state *state) {
  int fd = write_state_file(state);
  if (fd < 0) return false;
  bool is_sent = send_message(peer, MESSAGE_STATE, &fd, 1);
  sys_close(fd);
  return is_sent && send_all_descriptors(holdings, peer, state) &&
         receive_message(peer, MESSAGE_READY, NULL, 0, NULL) == 0 && send_message(peer, MESSAGE_GO, NULL, 0);
}

bool takeover_send(struct holdings *holdings, int peer) {
  /* In memory of our own: the peer has the file. */
  struct state *state = sys_memory(sizeof *state);
  if (state == NULL) return false;
  unix_set_timeouts(peer, SEND_MS);
  write_state(holdings, state);
  bool is_done = send_state(holdings, peer, state);
  sys_munmap(state, sizeof *state);
  return is_done;
}

/* The file of the query socket, also of one that our caller bound. */
static bool find_query_file(const struct listeners *listeners, struct statx *file) {
  const struct bound_path *bound = &listeners->paths[PATH_QUERY];
  struct sockaddr_un address;
  u32 bytes = sizeof address;
  zero_bytes(&address, sizeof address);
  if (bound->directory >= 0) return sys_statx(bound->directory, bound->name, AT_SYMLINK_NOFOLLOW, file) == 0;
  if (sys_getsockname(listeners->query, &address, &bytes) < 0 || address.path[0] != '/') return false;
  address.path[UNIX_PATH_BYTES_MAX] = 0;
  return sys_statx(AT_FDCWD, address.path, 0, file) == 0;
}

bool takeover_is_allowed(const struct takeover_request *request, const struct listeners *listeners) {
  struct statx query, proof;
  int peer = request->peer;
  if (request->uid != sys_geteuid() || request->proof < 0) return false;
  if (sys_socket_number(peer, SO_TYPE) != SOCK_SEQPACKET || sys_socket_number(peer, SO_DOMAIN) != AF_UNIX) return false;
  if (!find_query_file(listeners, &query)) return false;
  /* What the kernel has in memory: the descriptor may be of a file system that never answers. */
  if (sys_statx(request->proof, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, &proof) < 0) return false;
  return (proof.mode & S_IFMT) == S_IFSOCK && proof.ino == query.ino && proof.dev_major == query.dev_major &&
         proof.dev_minor == query.dev_minor;
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

/*
 * Sends one end of a socketpair, and the proof, to the log socket. Returns the other end, or -errno; then `*at` is the
 * path that it is about.
 */
static int ask(const char *path, const char *query, const char **at) {
  /* The name begins with a NUL byte, which no container's does. */
  static const char name[] = "\0" TAKEOVER_NAME;
  int ends[2], fds[2];
  int log = sys_socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC);
  *at = path;
  if (log < 0) return log;
  unix_set_timeouts(log, RECEIVE_MS);
  int result = unix_connect(log, path);
  int proof = result < 0 ? -1 : sys_open(query, O_PATH | O_CLOEXEC);
  if (result == 0 && proof < 0) *at = query, result = proof;
  if (result == 0) result = sys_socketpair(SOCK_SEQPACKET | SOCK_CLOEXEC, ends);
  if (result == 0) {
    fds[0] = ends[1], fds[1] = proof;
    result = send_descriptors(log, name, sizeof name - 1, fds, 2, 0);
    sys_close(ends[1]);
    if (result < 0) sys_close(ends[0]);
    else unix_set_timeouts(ends[0], RECEIVE_MS);
    /* Before the first answer: its sender is the process that hands over. */
    sys_set_socket_number(ends[0], SO_PASSCRED, 1);
  }
  if (proof >= 0) sys_close(proof);
  sys_close(log);
  return result < 0 ? result : ends[0];
}

/* Checks the state before anything of it is used. NULL, or what is wrong with it. */
static const char *state_fault(const struct state *state, u64 bytes) {
  const u32 needed = 1u << OWN_QUEUE | 1u << OWN_RING | 1u << OWN_LOG | 1u << OWN_QUERY;
  if (bytes < STATE_HEAD_BYTES || state->magic != TAKEOVER_MAGIC) return "its answer is not a takeover's";
  bool is_same = state->version == TAKEOVER_VERSION && state->sources_max == SOURCES_MAX &&
                 state->queue_bytes == QUEUE_BYTES_DEFAULT && state->queue_version == QUEUE_VERSION &&
                 state->ring_format >= RING_FORMAT_OLDEST && state->ring_format <= RING_FORMAT_VERSION;
  if (!is_same) return "the running memlogd is of a version that this one cannot follow";
  u64 head = state->head, tail = state->tail;
  if (tail > head || head - tail > QUEUE_BYTES_DEFAULT || head % 8 != 0 || tail % 8 != 0)
    return "the positions of its queue are invalid";
  if (state->source_count > SOURCES_MAX ||
      STATE_HEAD_BYTES + sizeof(struct state_source) * (u64)state->source_count > bytes)
    return "its number of sources is invalid";
  if ((state->present & needed) != needed || state->present >> (OWN_COUNT + PATHS) != 0)
    return "its set of descriptors is invalid";
  if (state->next_id == 0 || state->udp_address_bytes > sizeof(struct sockaddr_in6)) return "its numbers are invalid";
  if (state->syslog_slot >= SOURCES_MAX || state->udp_slot >= SOURCES_MAX || state->kmsg_slot >= SOURCES_MAX)
    return "its inputs are invalid";
  for (u32 which = 0; which < PATHS; which++)
    if (state->paths[which].name[UNIX_PATH_BYTES_MAX] != 0) return "its paths are invalid";
  return NULL;
}

static bool restore_source(struct sources *sources, const struct state_source *from, int fd) {
  struct source source = {
      .id = from->id,
      .kind = from->kind,
      .state = from->state,
      .way = from->way,
      .is_datagram = from->is_datagram != 0,
      .fd = fd,
      .offset = from->offset,
      .end_position = from->end_position,
  };
  if (from->slot >= SOURCES_MAX || source.id == 0 || source.way > WAY_NONE) return false;
  if (sources->slots[from->slot].state != SOURCE_FREE) return false;
  bool is_open = source.state == SOURCE_OPEN || source.state == SOURCE_CLOSING;
  bool is_sound = is_open ? (fd >= 0) == (source.way != WAY_NONE) : source.state == SOURCE_ENDED && fd < 0;
  return is_sound && source_restore(sources, from->slot, &source);
}

static void restore_numbers(struct holdings *holdings, const struct state *state) {
  struct listeners *listeners = &holdings->listeners;
  holdings->sources.next_id = state->next_id;
  holdings->taken_from = state->pid;
  holdings->syslog.unix_slot = state->syslog_slot;
  holdings->syslog.udp_slot = state->udp_slot;
  holdings->kmsg_slot = state->kmsg_slot;
  listeners->udp_address_bytes = state->udp_address_bytes;
  holdings->syslog.udp_dropped = state->udp_dropped;
  for (u32 at = 0; at < STATE_EVENTS; at++) {
    struct event *event = state_event_slot(&holdings->events, at);
    event->count = state->events[at].count;
    event->argument = state->events[at].argument;
  }
  for (u32 which = 0; which < PATHS; which++) {
    struct bound_path *bound = &listeners->paths[which];
    const struct state_path *from = &state->paths[which];
    bound->ino = from->ino;
    bound->dev_major = from->dev_major;
    bound->dev_minor = from->dev_minor;
    copy_bytes(bound->name, from->name, sizeof bound->name);
  }
}

/* NULL, or what is wrong. */
static const char *restore_descriptors(struct holdings *holdings, int peer, const struct state *state) {
  int *own[OWN_COUNT + PATHS];
  struct batch batch = {.peer = peer};
  own_descriptors(holdings, own);
  for (u32 n = 0; n < OWN_COUNT + PATHS; n++) *own[n] = -1;
  for (u32 n = 0; n < OWN_COUNT + PATHS; n++) {
    if ((state->present >> n & 1) == 0) continue;
    *own[n] = batch_next(&batch);
    if (*own[n] < 0) return "descriptors are missing";
  }
  for (u32 place = 0; place < KEPT_READERS_MAX; place++)
    if (has_reader(state, place)) holdings->readers.fds[place] = batch_next(&batch);
  if (!queue_adopt(&holdings->queue, state->head, state->tail)) return "its queue can't be used";
  for (u32 n = 0; n < state->source_count; n++) {
    const struct state_source *from = &state->sources[n];
    int fd = from->has_descriptor != 0 ? batch_next(&batch) : -1;
    if (from->has_descriptor != 0 && fd < 0) return "descriptors of sources are missing";
    if (!restore_source(&holdings->sources, from, fd)) return "one of its sources is invalid";
  }
  sources_restored(&holdings->sources);
  holdings->syslog.has_unix = holdings->listeners.syslog >= 0;
  holdings->syslog.has_udp = holdings->listeners.udp >= 0;
  return NULL;
}

/* A private copy: the other side can still write into its file, after it has been checked. NULL if it can't be had. */
static void *copy_file(int fd, u64 bytes) {
  u8 *copy = sys_memory(bytes);
  u64 done = 0;
  while (copy != NULL && done < bytes) {
    long got = UNINTERRUPTED(sys_pread(fd, copy + done, bytes - done, done));
    if (got <= 0) break;
    done += (u64)got;
  }
  if (copy == NULL || done == bytes) return copy;
  sys_munmap(copy, bytes);
  return NULL;
}

bool takeover_receive(struct holdings *holdings, const char *path, const char *query, struct predecessor *from,
                      struct text *error) {
  int state_fd = -1;
  const char *at;
  struct ucred sender;
  from->pidfd = -1;
  from->peer = ask(path, query, &at);
  if (from->peer < 0) return fail(error, at, "no memlogd can be asked: ", from->peer);
  if (receive_message(from->peer, MESSAGE_STATE, &state_fd, 1, &sender) != 1)
    return fail(error, path, "the running memlogd does not hand over", 0);
  if (sender.pid != 0) from->pidfd = sys_pidfd_open((int)sender.pid);
  struct statx status;
  zero_bytes(&status, sizeof status);
  sys_statx(state_fd, "", AT_EMPTY_PATH, &status);
  /* Without the seal the file could shrink while it is mapped, which would kill this process. */
  bool has_size = status.size >= STATE_HEAD_BYTES && status.size <= STATE_BYTES_LIMIT;
  struct state *state = sys_is_sealed(state_fd) && has_size ? copy_file(state_fd, status.size) : NULL;
  sys_close(state_fd);
  if (state == NULL) return fail(error, path, "the answer can't be used", 0);
  const char *fault = state_fault(state, status.size);
  if (fault == NULL) restore_numbers(holdings, state);
  if (fault == NULL) fault = restore_descriptors(holdings, from->peer, state);
  sys_munmap(state, status.size);
  return fault == NULL || fail(error, path, fault, 0);
}

/* Whether the process has ended. While its number was learnt, it was waiting for our answer, or it is dead now. */
static bool is_dead(const struct predecessor *from) {
  struct pollfd ended = {from->pidfd, POLLIN, 0};
  return from->pidfd == -ESRCH || (from->pidfd >= 0 && sys_poll(&ended, 1, DEATH_MS) > 0);
}

bool takeover_finish(const struct predecessor *from, struct text *error) {
  bool is_done =
      send_message(from->peer, MESSAGE_READY, NULL, 0) && receive_message(from->peer, MESSAGE_GO, NULL, 0, NULL) == 0;
  /* Killed in between, it can't go on: what it has handed over is all there is. */
  if (!is_done) is_done = is_dead(from);
  sys_close(from->peer);
  if (from->pidfd >= 0) sys_close(from->pidfd);
  return is_done || fail(error, "the running memlogd", "has not handed over, and goes on", 0);
}
