/* The log socket: datagrams that bring descriptors. */
#include "intake.h"

#include "takeover.h"

/* Datagrams taken in one turn; each may bring 253 descriptors. */
#define LOG_DATAGRAMS_PER_TURN 64
/* Room for the largest set of descriptors, and for other control messages that a socket given by the caller may be set to. */
#define CONTROL_BYTES_MAX 4096

_Static_assert(CONTROL_BYTES_MAX > CMSG_SPACE(DESCRIPTORS_PER_DATAGRAM_MAX * sizeof(int)) + 1024, "every descriptor fits");

/* Adopts every descriptor of the message; how many there were. */
static u32 adopt_all(struct intake *intake, const u8 *control, size_t bytes, const char *name, u32 name_bytes) {
  u32 count = 0;
  for (size_t at = 0; at + sizeof(struct cmsghdr) <= bytes;) {
    const struct cmsghdr *header = (const struct cmsghdr *)(const void *)(control + at);
    if (header->bytes < sizeof *header || header->bytes > bytes - at) break;
    bool is_rights = header->level == SOL_SOCKET && header->type == SCM_RIGHTS;
    size_t fds = is_rights ? (header->bytes - sizeof *header) / sizeof(int) : 0;
    for (size_t n = 0; n < fds; n++, count++) {
      int fd = (int)get_u32(control + at + sizeof *header + n * sizeof(int));
      source_adopt(intake, fd, SOURCE_KIND_STREAM, 0, name, name_bytes);
    }
    at += CMSG_ALIGN(header->bytes);
  }
  return count;
}

/* The only descriptor of the message, -1 if there are none or more. */
static int only_descriptor(const u8 *control, size_t bytes) {
  const struct cmsghdr *header = (const struct cmsghdr *)(const void *)control;
  bool is_one = bytes >= CMSG_LEN(sizeof(int)) && header->level == SOL_SOCKET && header->type == SCM_RIGHTS && header->bytes == CMSG_LEN(sizeof(int));
  return is_one ? (int)get_u32(control + sizeof *header) : -1;
}

static bool equal_bytes(const char *a, const char *b, u32 bytes) {
  while (bytes > 0 && *a == *b) a++, b++, bytes--;
  return bytes == 0;
}

/* A name that begins with NUL, as no container's does. */
static bool is_takeover(const char *name, u32 bytes) {
  return bytes == sizeof TAKEOVER_NAME && name[0] == 0 && equal_bytes(name + 1, TAKEOVER_NAME, sizeof TAKEOVER_NAME - 1);
}

static bool read_datagram(struct intake *intake) {
  char name[SOURCE_NAME_BYTES_MAX + 1];
  u8 control[CONTROL_BYTES_MAX] __attribute__((aligned(8)));
  struct iovec part = {name, sizeof name};
  struct msghdr message = {NULL, 0, &part, 1, control, sizeof control, 0};
  long got = sys_recvmsg(intake->listeners.log, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0) return false;
  u32 name_bytes = (u32)got;
  bool is_cut = name_bytes > SOURCE_NAME_BYTES_MAX || (message.flags & MSG_TRUNC) != 0;
  if (name_bytes > SOURCE_NAME_BYTES_MAX) name_bytes = SOURCE_NAME_BYTES_MAX;
  int asker = is_takeover(name, name_bytes) ? only_descriptor(control, message.control_bytes) : -1;
  if (asker >= 0) {
    takeover_serve(intake, asker);
    return false;
  }
  u32 count = adopt_all(intake, control, message.control_bytes, name, name_bytes);
  if ((message.flags & MSG_CTRUNC) != 0) event_count(intake, EVENT_CONTROL_TRUNCATED, 1, count, name, name_bytes);
  else if (count == 0) event_count(intake, EVENT_DATAGRAM_WITHOUT_DESCRIPTOR, 1, 0, name, name_bytes);
  if (is_cut && count > 0) event_count(intake, EVENT_NAME_CUT, 1, 0, name, name_bytes);
  return true;
}

void log_socket_read(struct intake *intake) {
  for (u32 turn = 0; turn < LOG_DATAGRAMS_PER_TURN; turn++)
    if (!read_datagram(intake)) return;
}
