/* Syslog: datagrams of this machine and of others, and connections of others. */
#include "intake.h"

/* Longest datagram that is taken whole; UDP's own limit. */
#define DATAGRAM_BYTES_MAX 65535
#define DATAGRAM_PREFIX_BYTES 16
#define ACCEPT_PAUSE_MS 100

_Static_assert(DATAGRAM_PREFIX_BYTES + sizeof(struct sockaddr_in6) + DATAGRAM_BYTES_MAX <= QUEUE_PAYLOAD_BYTES_MAX, "a datagram fits a frame");

void syslog_start(struct intake *intake) {
  if (intake->listeners.syslog >= 0 && !intake->has_syslog)
    intake->has_syslog = source_claim(intake, SOURCE_KIND_SYSLOG_UNIX, "syslog", 6, &intake->syslog_slot);
  if (intake->listeners.udp >= 0 && !intake->has_udp)
    intake->has_udp = source_claim(intake, SOURCE_KIND_SYSLOG_UDP, "syslog-udp", 10, &intake->udp_slot);
}

/* What comes beside a datagram. */
struct beside {
  struct ucred sender;
  u32 dropped; /* by the kernel, since the socket was made; 0 also if it does not say */
};

/* Descriptors that somebody sends along are closed. */
static void read_control(const u8 *control, size_t bytes, struct beside *beside) {
  for (size_t at = 0; at + sizeof(struct cmsghdr) <= bytes;) {
    const struct cmsghdr *header = (const struct cmsghdr *)(const void *)(control + at);
    if (header->bytes < sizeof *header || header->bytes > bytes - at) return;
    size_t payload = header->bytes - sizeof *header;
    const u8 *from = control + at + sizeof *header;
    if (header->level == SOL_SOCKET && header->type == SCM_CREDENTIALS && payload >= sizeof beside->sender) copy_bytes(&beside->sender, from, sizeof beside->sender);
    if (header->level == SOL_SOCKET && header->type == SO_RXQ_OVFL && payload >= 4) beside->dropped = get_u32(from);
    if (header->level == SOL_SOCKET && header->type == SCM_RIGHTS)
      for (size_t n = 0; n + sizeof(int) <= payload; n += sizeof(int)) sys_close((int)get_u32(from + n));
    at += CMSG_ALIGN(header->bytes);
  }
}

static void count_kernel_drops(struct intake *intake, u32 dropped) {
  u32 more = dropped - intake->udp_dropped;
  if (dropped == 0 || more == 0) return;
  intake->udp_dropped = dropped;
  event_count(intake, EVENT_DATAGRAMS_LOST, more, SOURCE_KIND_SYSLOG_UDP, "", 0);
}

/* One datagram, straight into the queue. False if none is there. */
static bool read_datagram(struct intake *intake, int fd, u32 slot, u32 address_bytes) {
  u8 control[CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(u32))] __attribute__((aligned(8)));
  u8 *payload = queue_payload(&intake->queue, QUEUE_PAYLOAD_BYTES_MAX);
  u8 *address = payload + DATAGRAM_PREFIX_BYTES;
  struct iovec part = {address + address_bytes, DATAGRAM_BYTES_MAX};
  struct msghdr message = {address_bytes > 0 ? address : NULL, (int)address_bytes, &part, 1, control, sizeof control, 0};
  long got = sys_recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  /* An error that an earlier packet brought back is not the end of a socket that everybody sends to. */
  if (got < 0) return got != -EAGAIN && got != -EBADF;
  struct beside beside = {{0, 0, 0}, 0};
  read_control(control, message.control_bytes, &beside);
  if (address_bytes > 0) count_kernel_drops(intake, beside.dropped);
  put_u32(payload, beside.sender.pid);
  put_u32(payload + 4, beside.sender.uid);
  put_u32(payload + 8, beside.sender.gid);
  put_u32(payload + 12, address_bytes);
  struct frame frame = {FRAME_KIND_DATAGRAM, slot, intake->sources[slot].id, (message.flags & MSG_TRUNC) != 0, 0};
  frame.payload_bytes = DATAGRAM_PREFIX_BYTES + address_bytes + (u32)got;
  queue_commit(&intake->queue, &frame);
  return true;
}

void syslog_read(struct intake *intake, int fd, u32 slot, u32 kind) {
  u32 address_bytes = kind == SOURCE_KIND_SYSLOG_UDP ? intake->listeners.udp_address_bytes : 0;
  for (u32 turn = 0; turn < DATAGRAMS_PER_TURN && !intake_is_full(intake); turn++)
    if (!read_datagram(intake, fd, slot, address_bytes)) return;
}

void syslog_drop(struct intake *intake, int fd, u32 kind) {
  u32 count = 0;
  u8 byte;
  while (count < DROPS_PER_TURN && sys_recv(fd, &byte, 1, MSG_TRUNC) >= 0) count++;
  if (count > 0) event_count(intake, EVENT_DATAGRAMS_LOST, count, kind, "", 0);
}

static void add_ipv4(struct text *text, const u8 *address) {
  for (u32 n = 0; n < 4; n++) {
    if (n > 0) text_add(text, ".");
    text_number(text, address[n]);
  }
}

static void add_hex(struct text *text, u32 value) {
  bool begun = false;
  for (int shift = 12; shift >= 0; shift -= 4) {
    u32 digit = value >> shift & 15;
    begun = begun || digit != 0 || shift == 0;
    char c = (char)(digit < 10 ? '0' + digit : 'a' + digit - 10);
    if (begun) text_add_bytes(text, &c, 1);
  }
}

/* As RFC 5952 wants it: the longest run of two or more zero groups as `::`. */
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

void syslog_accept(struct intake *intake) {
  for (u32 turn = 0; turn < DATAGRAMS_PER_TURN; turn++) {
    u8 address[sizeof(struct sockaddr_in6)] __attribute__((aligned(8))) = {0};
    int address_bytes = sizeof address;
    int fd = sys_accept4(intake->listeners.tcp, address, &address_bytes, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd == -EAGAIN) return;
    if (fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM || fd == -ENOBUFS) {
      intake->accept_after_ms = intake->now_ms + ACCEPT_PAUSE_MS;
      return;
    }
    if (fd < 0) continue;
    struct text name;
    peer_text(&name, address);
    if (intake->connections >= SYSLOG_CONNECTIONS_MAX) {
      sys_close(fd);
      event_count(intake, EVENT_SOURCES_FULL, 1, SOURCE_KIND_SYSLOG_TCP, name.at, name.bytes);
      continue;
    }
    sys_set_socket_number(fd, SO_KEEPALIVE, 1);
    source_adopt(intake, fd, SOURCE_KIND_SYSLOG_TCP, 0, name.at, name.bytes);
  }
}
