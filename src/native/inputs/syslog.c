/* Syslog; see syslog.h. */
#include "inputs/syslog.h"

#include "inputs/connections.h"
#include "system/unix-socket.h"

/* UDP's own limit; longer datagrams of the Unix socket are truncated. */
#define DATAGRAM_BYTES_MAX 65535
#define DATAGRAM_PREFIX_BYTES 16
/* What is received from one socket in one turn of the loop: batches of WORKER_BUFFERS datagrams, and connections. */
#define BATCHES_PER_TURN 16
#define DROPS_PER_TURN 1024
#define CONNECTIONS_PER_TURN 256
/* The room of so many reads is enough for the largest datagram. */
#define READS_PER_DATAGRAM 2
/* A sender's credentials, a count of drops, and as many descriptors as there can be: otherwise the kernel closes them. */
#define CONTROL_BYTES_MAX \
  (CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(4) + CMSG_SPACE(DESCRIPTORS_PER_DATAGRAM_MAX * sizeof(int)))
#define ACCEPT_PAUSE_MS 100

_Static_assert(DATAGRAM_PREFIX_BYTES + sizeof(struct sockaddr_in6) + DATAGRAM_BYTES_MAX <= QUEUE_PAYLOAD_BYTES_MAX,
               "a datagram fits a frame");

void syslog_start(struct syslog *syslog, const struct listeners *listeners, struct sources *sources) {
  syslog->own_uid = sys_geteuid();
  if (listeners->syslog >= 0 && !syslog->has_unix)
    syslog->has_unix = source_open(sources, SOURCE_KIND_SYSLOG_UNIX, "syslog", 6, &syslog->unix_slot);
  if (listeners->udp >= 0 && !syslog->has_udp)
    syslog->has_udp = source_open(sources, SOURCE_KIND_SYSLOG_UDP, "syslog-udp", 10, &syslog->udp_slot);
}

/* ---- datagrams ---- */

/* What the kernel says beside a datagram. */
struct beside {
  struct ucred sender;
  u32 dropped; /* datagrams dropped since the socket was made; 0 also if the kernel does not say */
  bool has_descriptors;
};

static struct beside read_control(const struct msghdr *message) {
  struct beside beside = {{0, 0, 0}, 0, false};
  struct control_messages messages;
  control_messages_start(&messages, message);
  while (control_messages_next(&messages)) {
    if (messages.level != SOL_SOCKET) continue;
    if (messages.type == SCM_CREDENTIALS && messages.payload_bytes >= sizeof beside.sender)
      copy_bytes(&beside.sender, messages.payload, sizeof beside.sender);
    if (messages.type == SO_RXQ_OVFL && messages.payload_bytes >= 4) beside.dropped = get_u32(messages.payload);
    if (messages.type == SCM_RIGHTS) beside.has_descriptors = true;
  }
  return beside;
}

static void count_kernel_drops(struct syslog *syslog, struct events *events, u32 dropped) {
  u32 more = dropped - syslog->udp_dropped;
  /* A datagram that was queued before the last count may come after it, with a smaller one. */
  if (dropped == 0 || (i32)more <= 0) return;
  syslog->udp_dropped = dropped;
  event_count(events, EVENT_DATAGRAMS_LOST, more, SOURCE_KIND_SYSLOG_UDP, "", 0);
}

void syslog_count_drops(struct syslog *syslog, const struct listeners *listeners, struct events *events) {
  u32 found[SK_MEMINFO_VARS] = {0}, bytes = sizeof found;
  if (listeners->udp < 0 || sys_getsockopt(listeners->udp, SO_MEMINFO, found, &bytes) < 0) return;
  if (bytes > SK_MEMINFO_DROPS * sizeof found[0]) count_kernel_drops(syslog, events, found[SK_MEMINFO_DROPS]);
}

/* A socket whose datagrams are read. */
struct datagrams {
  int fd;
  u32 kind, slot, address_bytes; /* of the sender's address, 0 if it has none */
};

/* Datagrams that are received at once. */
struct batch {
  struct operation operation;
  struct mmsghdr received[WORKER_BUFFERS];
  struct iovec parts[WORKER_BUFFERS];
  u8 control[WORKER_BUFFERS][CONTROL_BYTES_MAX] __attribute__((aligned(8)));
};

/* A datagram's payload in the queue, of which the prefix is still to be written. NULL: it is discarded. */
static void prepare(struct batch *batch, u32 at, const struct datagrams *from, u8 *payload) {
  struct iovec *part = &batch->parts[at];
  *part = (struct iovec){NULL, 0};
  batch->received[at] = (struct mmsghdr){{NULL, 0, part, 1, batch->control[at], CONTROL_BYTES_MAX, 0}, 0};
  if (payload == NULL) return;
  u8 *address = payload + DATAGRAM_PREFIX_BYTES;
  *part = (struct iovec){address + from->address_bytes, DATAGRAM_BYTES_MAX};
  if (from->address_bytes == 0) return;
  batch->received[at].message.name = address;
  batch->received[at].message.name_bytes = (int)from->address_bytes;
}

/* Whether an unprivileged user has logged too much; then the datagram is not stored, but counted. */
static bool is_refused(struct syslog *syslog, struct events *events, u32 uid, const u8 *bytes, u32 byte_count,
                       const struct stamp *stamp) {
  if (uid == 0 || uid == syslog->own_uid) return false;
  u64 now_ms = (u64)stamp->mono.seconds * 1000 + (u64)stamp->mono.nanos / 1000000;
  if (user_rate_allows(&syslog->user_rate, uid, bytes, byte_count, now_ms)) return false;
  event_count(events, EVENT_RATE_LIMITED, 1, uid, "", 0);
  return true;
}

/* Closes the descriptors that senders passed along. */
static void close_descriptors(struct guard *guard, const struct batch *batch, long count) {
  int fds[DESCRIPTORS_PER_DATAGRAM_MAX];
  for (long at = 0; at < count; at++) {
    u32 received = received_descriptors(&batch->received[at].message, fds, DESCRIPTORS_PER_DATAGRAM_MAX);
    for (u32 n = 0; n < received && n < DESCRIPTORS_PER_DATAGRAM_MAX; n++) guard_close(guard, fds[n]);
  }
}

static void discard(struct worker *worker, long got) {
  close_descriptors(worker->guard, (const struct batch *)worker->operation, got);
  guard_report(worker, got);
}

/* Whether the next datagram brings descriptors. There is room for its sender alone, and a look closes nothing. */
static bool next_has_descriptors(int fd) {
  u8 byte, control[CMSG_SPACE(sizeof(struct ucred))] __attribute__((aligned(8)));
  struct iovec part = {&byte, 1};
  struct msghdr message = {NULL, 0, &part, 1, control, sizeof control, 0};
  long got = sys_recvmsg(fd, &message, MSG_PEEK | MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  return got >= 0 && (message.flags & MSG_CTRUNC) != 0;
}

bool syslog_waits(const struct syslog *syslog, const struct guard *guard) {
  return guard->closer.is_stuck && syslog->has_unread_descriptors;
}

/*
 * Receives up to `count` datagrams, for which `batch` is prepared. While nothing can be closed, those that bring
 * descriptors are left unread, and those behind them too.
 */
static long receive(struct syslog *syslog, struct guard *guard, const struct datagrams *from, struct batch *batch,
                    u32 count) {
  bool is_careful = guard->closer.is_stuck && from->kind == SOURCE_KIND_SYSLOG_UNIX;
  syslog->has_unread_descriptors = is_careful && next_has_descriptors(from->fd);
  if (syslog->has_unread_descriptors) return -EAGAIN;
  if (is_careful) count = 1;
  struct operation *operation = &batch->operation;
  *operation = (struct operation){.fd = from->fd, .event = EVENT_DATAGRAMS_LOST, .event_argument = from->kind};
  operation->counts_result = true;
  operation->finish = discard;
  guard_begin(guard, operation);
  long got = sys_recvmmsg(from->fd, batch->received, count, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  return guard_end(guard, operation, got);
}

/* Writes a datagram's frame, unless it is refused. Returns whether descriptors came with it. */
static bool put_datagram(struct syslog *syslog, struct sources *sources, const struct datagrams *from, u8 *payload,
                         const struct mmsghdr *received, const struct stamp *stamp) {
  const u8 *text = payload + DATAGRAM_PREFIX_BYTES + from->address_bytes;
  struct beside beside = read_control(&received->message);
  if (from->address_bytes > 0) count_kernel_drops(syslog, sources->events, beside.dropped);
  bool is_refusable = from->kind == SOURCE_KIND_SYSLOG_UNIX;
  if (is_refusable && is_refused(syslog, sources->events, beside.sender.uid, text, received->bytes, stamp))
    return beside.has_descriptors;
  put_u32(payload, beside.sender.pid);
  put_u32(payload + 4, beside.sender.uid);
  put_u32(payload + 8, beside.sender.gid);
  put_u32(payload + 12, from->address_bytes);
  bool is_truncated = (received->message.flags & MSG_TRUNC) != 0;
  struct frame frame = {FRAME_KIND_DATAGRAM, from->slot, sources->slots[from->slot].id, is_truncated, 0};
  frame.payload_bytes = DATAGRAM_PREFIX_BYTES + from->address_bytes + received->bytes;
  copy_bytes(queue_payload(sources->queue, frame.payload_bytes), payload, frame.payload_bytes);
  queue_commit_at(sources->queue, &frame, stamp);
  return beside.has_descriptors;
}

/* Reads some datagrams into the queue. False if no more are there. */
static bool read_batch(struct syslog *syslog, struct sources *sources, const struct datagrams *from) {
  struct batch batch;
  u32 count, fitting = queue_fitting_reads(sources->queue) / READS_PER_DATAGRAM;
  u8 *buffers = guard_buffers(sources->guard, &count);
  if (count > fitting) count = fitting > 0 ? fitting : 1;
  for (u32 at = 0; at < count; at++) prepare(&batch, at, from, buffers + at * WORKER_BUFFER_BYTES);
  long got = receive(syslog, sources->guard, from, &batch, count);
  /* An error that an earlier packet caused (ICMP) is not the end of a socket that everybody sends to. */
  if (got < 0) return got != -EAGAIN && got != -EBADF;
  struct stamp stamp = queue_stamp();
  bool has_descriptors = false;
  for (long at = 0; at < got; at++) {
    u8 *payload = buffers + at * WORKER_BUFFER_BYTES;
    if (put_datagram(syslog, sources, from, payload, &batch.received[at], &stamp)) has_descriptors = true;
  }
  if (has_descriptors) close_descriptors(sources->guard, &batch, got);
  return got == count;
}

void syslog_read(struct syslog *syslog, const struct listeners *listeners, struct sources *sources, u32 kind) {
  struct datagrams from = {listeners->syslog, kind, syslog->unix_slot, 0};
  if (kind == SOURCE_KIND_SYSLOG_UDP)
    from = (struct datagrams){listeners->udp, kind, syslog->udp_slot, listeners->udp_address_bytes};
  for (u32 turn = 0; turn < BATCHES_PER_TURN && !queue_is_full(sources->queue); turn++)
    if (!read_batch(syslog, sources, &from)) break;
  /* The socket may be empty now: no other datagram will come soon and say how many were dropped before it. */
  if (kind == SOURCE_KIND_SYSLOG_UDP) syslog_count_drops(syslog, listeners, sources->events);
}

void syslog_drop(struct syslog *syslog, const struct listeners *listeners, struct sources *sources, u32 kind) {
  struct datagrams from = {kind == SOURCE_KIND_SYSLOG_UDP ? listeners->udp : listeners->syslog, kind, 0, 0};
  struct batch batch;
  for (u32 turn = 0; turn < DROPS_PER_TURN; turn += WORKER_BUFFERS) {
    for (u32 at = 0; at < WORKER_BUFFERS; at++) prepare(&batch, at, &from, NULL);
    long got = receive(syslog, sources->guard, &from, &batch, WORKER_BUFFERS);
    if (got < 0) break;
    event_count(sources->events, EVENT_DATAGRAMS_LOST, (u32)got, kind, "", 0);
    close_descriptors(sources->guard, &batch, got);
  }
  if (kind == SOURCE_KIND_SYSLOG_UDP) syslog_count_drops(syslog, listeners, sources->events);
}

/* ---- connections ---- */

static void add_ipv4(struct text *text, const u8 *address) {
  for (u32 n = 0; n < 4; n++) {
    if (n > 0) text_add(text, ".");
    text_number(text, address[n]);
  }
}

static void add_hex(struct text *text, u32 value) {
  bool has_begun = false;
  for (int shift = 12; shift >= 0; shift -= 4) {
    u32 digit = value >> shift & 15;
    has_begun = has_begun || digit != 0 || shift == 0;
    char c = (char)(digit < 10 ? '0' + digit : 'a' + digit - 10);
    if (has_begun) text_add_bytes(text, &c, 1);
  }
}

/* Whether the IPv6 address is ::ffff:a.b.c.d. */
static bool is_mapped_ipv4(const u8 *address) {
  for (u32 n = 0; n < 10; n++)
    if (address[n] != 0) return false;
  return address[10] == 0xff && address[11] == 0xff;
}

/* RFC 5952: the longest run of at least two zero groups is written as `::`. */
static void add_ipv6(struct text *text, const u8 *address) {
  u32 groups[8], best = 8, best_count = 1;
  for (u32 n = 0; n < 8; n++) groups[n] = (u32)address[2 * n] << 8 | address[2 * n + 1];
  for (u32 first = 0; first < 8; first++) {
    u32 count = 0;
    while (first + count < 8 && groups[first + count] == 0) count++;
    if (count > best_count) best = first, best_count = count;
  }
  for (u32 n = 0; n < 8; n++) {
    if (n == best) {
      text_add(text, "::");
      n += best_count - 1;
      continue;
    }
    if (n > 0 && n != best + best_count) text_add(text, ":");
    add_hex(text, groups[n]);
  }
}

/* The address and a colon: what the names of all connections of a host begin with. IPv6 is in brackets. */
static void host_text(struct text *text, const u8 *address) {
  u32 family = address[0] | (u32)address[1] << 8;
  bool is_ipv4 = family == AF_INET || (family == AF_INET6 && is_mapped_ipv4(address + 8));
  text_start(text, is_ipv4 ? "" : "[");
  if (family == AF_INET) add_ipv4(text, address + 4);
  else if (is_ipv4) add_ipv4(text, address + 20);
  else add_ipv6(text, address + 8);
  text_add(text, is_ipv4 ? ":" : "]:");
}

/* Whether another connection may be accepted. If all are in use, a silent one makes room: one in each turn. */
static bool has_room(struct sources *sources, u64 network, u64 now_ms, bool *may_end) {
  if (connections_of_network(sources, network) >= SYSLOG_CONNECTIONS_PER_PEER_MAX) return false;
  if (sources->connections < SYSLOG_CONNECTIONS_MAX) return true;
  bool has_ended = *may_end && connections_end_silent(sources, now_ms);
  *may_end = false;
  return has_ended;
}

void syslog_accept(struct syslog *syslog, int listener, struct sources *sources, u64 now_ms) {
  bool may_end = true;
  for (u32 turn = 0; turn < CONNECTIONS_PER_TURN; turn++) {
    u8 address[sizeof(struct sockaddr_in6)] __attribute__((aligned(8))) = {0};
    int address_bytes = sizeof address;
    int fd = sys_accept4(listener, address, &address_bytes, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd == -EAGAIN) return;
    if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM || fd == -ENOBUFS) {
      syslog->accept_after_ms = now_ms + ACCEPT_PAUSE_MS;
      return;
    }
    if (fd < 0) continue;
    struct text name;
    host_text(&name, address);
    if (!has_room(sources, network_of(address), now_ms, &may_end)) {
      sys_close(fd);
      event_count(sources->events, EVENT_SOURCES_FULL, 1, SOURCE_KIND_SYSLOG_TCP, name.at, name.bytes - 1);
      continue;
    }
    text_number(&name, (u32)address[2] << 8 | address[3]);
    sys_set_socket_number(fd, SO_KEEPALIVE, 1);
    source_adopt(sources, fd, SOURCE_KIND_SYSLOG_TCP, 0, name.at, name.bytes);
  }
}
