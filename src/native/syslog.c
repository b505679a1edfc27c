/* Syslog; see syslog.h. */
#include "syslog.h"

#include "unix-socket.h"

/* UDP's own limit; longer datagrams of the Unix socket are truncated. */
#define DATAGRAM_BYTES_MAX 65535
#define DATAGRAM_PREFIX_BYTES 16
/* Datagrams and connections taken from one socket in one turn of the loop. */
#define DATAGRAMS_PER_TURN 256
#define DROPS_PER_TURN 1024
#define ACCEPT_PAUSE_MS 100

_Static_assert(DATAGRAM_PREFIX_BYTES + sizeof(struct sockaddr_in6) + DATAGRAM_BYTES_MAX <= QUEUE_PAYLOAD_BYTES_MAX,
               "a datagram fits a frame");

void syslog_start(struct syslog *syslog, const struct listeners *listeners, struct sources *sources) {
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
};

static struct beside read_control(const struct msghdr *message) {
  struct beside beside = {{0, 0, 0}, 0};
  struct control_messages messages;
  control_messages_start(&messages, message);
  while (control_messages_next(&messages)) {
    if (messages.level != SOL_SOCKET) continue;
    if (messages.type == SCM_CREDENTIALS && messages.payload_bytes >= sizeof beside.sender)
      copy_bytes(&beside.sender, messages.payload, sizeof beside.sender);
    if (messages.type == SO_RXQ_OVFL && messages.payload_bytes >= 4) beside.dropped = get_u32(messages.payload);
  }
  return beside;
}

static void count_kernel_drops(struct syslog *syslog, struct events *events, u32 dropped) {
  u32 more = dropped - syslog->udp_dropped;
  if (dropped == 0 || more == 0) return;
  syslog->udp_dropped = dropped;
  event_count(events, EVENT_DATAGRAMS_LOST, more, SOURCE_KIND_SYSLOG_UDP, "", 0);
}

/* A socket whose datagrams are read. */
struct datagrams {
  int fd;
  u32 kind, slot, address_bytes; /* of the sender's address, 0 if it has none */
};

/* Receives a datagram. Descriptors that a sender passes along are closed, by the kernel or here, and that may block. */
static long receive(struct guard *guard, int fd, u32 kind, struct msghdr *message) {
  struct operation operation = {.fd = fd, .event = EVENT_DATAGRAMS_LOST, .event_argument = kind};
  operation.counts_success = true;
  operation.finish = guard_report_once;
  guard_begin(guard, &operation);
  long got = sys_recvmsg(fd, message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got >= 0) received_descriptors(message, NULL, 0);
  return guard_end(guard, &operation, got);
}

/* Whether an unprivileged user has logged too much; then the datagram is not stored, but counted. */
static bool is_refused(struct syslog *syslog, struct events *events, u32 uid, const u8 *bytes, u32 byte_count,
                       u64 now_ms) {
  if (uid == 0 || uid == sys_geteuid()) return false;
  if (user_rate_allows(&syslog->user_rate, uid, bytes, byte_count, now_ms)) return false;
  event_count(events, EVENT_RATE_LIMITED, 1, uid, "", 0);
  return true;
}

/* Reads one datagram into the queue. False if none is there. */
static bool read_datagram(struct syslog *syslog, struct sources *sources, const struct datagrams *from, u64 now_ms) {
  u8 control[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(u32))] __attribute__((aligned(8)));
  u8 *payload = guard_buffer(sources->guard);
  u8 *address = payload + DATAGRAM_PREFIX_BYTES;
  struct iovec part = {address + from->address_bytes, DATAGRAM_BYTES_MAX};
  struct msghdr message = {NULL, 0, &part, 1, control, sizeof control, 0};
  if (from->address_bytes > 0) {
    message.name = address;
    message.name_bytes = (int)from->address_bytes;
  }
  long got = receive(sources->guard, from->fd, from->kind, &message);
  /* An error that an earlier packet caused (ICMP) is not the end of a socket that everybody sends to. */
  if (got < 0) return got != -EAGAIN && got != -EBADF;
  struct beside beside = read_control(&message);
  if (from->address_bytes > 0) count_kernel_drops(syslog, sources->events, beside.dropped);
  bool is_local = from->kind == SOURCE_KIND_SYSLOG_UNIX;
  if (is_local && is_refused(syslog, sources->events, beside.sender.uid, address, (u32)got, now_ms)) return true;
  put_u32(payload, beside.sender.pid);
  put_u32(payload + 4, beside.sender.uid);
  put_u32(payload + 8, beside.sender.gid);
  put_u32(payload + 12, from->address_bytes);
  bool is_truncated = (message.flags & MSG_TRUNC) != 0;
  struct frame frame = {FRAME_KIND_DATAGRAM, from->slot, sources->slots[from->slot].id, is_truncated, 0};
  frame.payload_bytes = DATAGRAM_PREFIX_BYTES + from->address_bytes + (u32)got;
  copy_bytes(queue_payload(sources->queue, frame.payload_bytes), payload, frame.payload_bytes);
  queue_commit(sources->queue, &frame);
  return true;
}

void syslog_read(struct syslog *syslog, const struct listeners *listeners, struct sources *sources, u32 kind,
                 u64 now_ms) {
  struct datagrams from = {listeners->syslog, kind, syslog->unix_slot, 0};
  if (kind == SOURCE_KIND_SYSLOG_UDP)
    from = (struct datagrams){listeners->udp, kind, syslog->udp_slot, listeners->udp_address_bytes};
  for (u32 turn = 0; turn < DATAGRAMS_PER_TURN && !queue_is_full(sources->queue); turn++)
    if (!read_datagram(syslog, sources, &from, now_ms)) return;
}

void syslog_drop(const struct listeners *listeners, struct sources *sources, u32 kind) {
  int fd = kind == SOURCE_KIND_SYSLOG_UDP ? listeners->udp : listeners->syslog;
  struct iovec part = {NULL, 0};
  u32 count = 0;
  while (count < DROPS_PER_TURN) {
    struct msghdr message = {NULL, 0, &part, 1, NULL, 0, 0};
    if (receive(sources->guard, fd, kind, &message) < 0) break;
    count++;
  }
  if (count > 0) event_count(sources->events, EVENT_DATAGRAMS_LOST, count, kind, "", 0);
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

/* RFC 5952: the longest run of at least two zero groups is written as `::`. */
static void add_ipv6(struct text *text, const u8 *address) {
  u32 groups[8], best = 8, best_count = 1;
  for (u32 n = 0; n < 8; n++) groups[n] = (u32)address[2 * n] << 8 | address[2 * n + 1];
  for (u32 first = 0; first < 8; first++) {
    u32 count = 0;
    while (first + count < 8 && groups[first + count] == 0) count++;
    if (count > best_count) best = first, best_count = count;
  }
  if (best == 0 && best_count == 5 && groups[5] == 0xffff) return add_ipv4(text, address + 12);
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

static void peer_text(struct text *text, const u8 *address) {
  u32 family = address[0] | (u32)address[1] << 8;
  text_start(text, "");
  if (family == AF_INET) add_ipv4(text, address + 4);
  else if (family == AF_INET6) add_ipv6(text, address + 8);
  else text_add(text, "unknown");
}

/* Whether another connection would be too many, in all or of this peer. */
static bool has_too_many(const struct sources *sources, const struct text *peer) {
  return sources->connections >= SYSLOG_CONNECTIONS_MAX ||
         sources_named(sources, SOURCE_KIND_SYSLOG_TCP, peer->at, peer->bytes) >= SYSLOG_CONNECTIONS_PER_PEER_MAX;
}

void syslog_accept(struct syslog *syslog, int listener, struct sources *sources, u64 now_ms) {
  for (u32 turn = 0; turn < DATAGRAMS_PER_TURN; turn++) {
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
    peer_text(&name, address);
    if (has_too_many(sources, &name)) {
      sys_close(fd);
      event_count(sources->events, EVENT_SOURCES_FULL, 1, SOURCE_KIND_SYSLOG_TCP, name.at, name.bytes);
      continue;
    }
    sys_set_socket_number(fd, SO_KEEPALIVE, 1);
    source_adopt(sources, fd, SOURCE_KIND_SYSLOG_TCP, 0, name.at, name.bytes);
  }
}
