/* The log socket; see log-socket.h. */
#include "log-socket.h"

#include "unix-socket.h"

/* Datagrams read in one turn of the loop; each may bring 253 descriptors. */
#define LOG_DATAGRAMS_PER_TURN 64
/* Room for the largest set of descriptors, and for other control messages, if the caller's socket asks for them. */
#define CONTROL_BYTES_MAX 4096

_Static_assert(CONTROL_BYTES_MAX > CMSG_SPACE(DESCRIPTORS_PER_DATAGRAM_MAX * sizeof(int)) + 1024,
               "every descriptor fits");

/* A takeover's name begins with NUL, which no container's does. */
static bool is_takeover(const char *name, u32 bytes) {
  return bytes == sizeof TAKEOVER_NAME && name[0] == 0 &&
         equal_bytes(name + 1, TAKEOVER_NAME, sizeof TAKEOVER_NAME - 1);
}

/* Reads one datagram. False if none is there, or if it asks to take over: then its descriptor is in `*asker`. */
static bool read_datagram(int socket, struct sources *sources, int *asker) {
  char name[SOURCE_NAME_BYTES_MAX + 1];
  u8 control[CONTROL_BYTES_MAX] __attribute__((aligned(8)));
  int fds[DESCRIPTORS_PER_DATAGRAM_MAX];
  struct iovec part = {name, sizeof name};
  struct msghdr message = {NULL, 0, &part, 1, control, sizeof control, 0};
  long got = sys_recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0) return false;
  u32 name_bytes = (u32)got;
  bool is_cut = name_bytes > SOURCE_NAME_BYTES_MAX || (message.flags & MSG_TRUNC) != 0;
  if (name_bytes > SOURCE_NAME_BYTES_MAX) name_bytes = SOURCE_NAME_BYTES_MAX;
  u32 count = received_descriptors(&message, fds, DESCRIPTORS_PER_DATAGRAM_MAX);
  if (count == 1 && is_takeover(name, name_bytes)) {
    *asker = fds[0];
    return false;
  }
  for (u32 at = 0; at < count; at++) source_adopt(sources, fds[at], SOURCE_KIND_STREAM, 0, name, name_bytes);
  struct events *events = sources->events;
  if ((message.flags & MSG_CTRUNC) != 0) event_count(events, EVENT_CONTROL_TRUNCATED, 1, count, name, name_bytes);
  else if (count == 0) event_count(events, EVENT_DATAGRAM_WITHOUT_DESCRIPTOR, 1, 0, name, name_bytes);
  if (is_cut && count > 0) event_count(events, EVENT_NAME_CUT, 1, 0, name, name_bytes);
  return true;
}

int log_socket_read(int fd, struct sources *sources) {
  int asker = -1;
  for (u32 turn = 0; turn < LOG_DATAGRAMS_PER_TURN; turn++)
    if (!read_datagram(fd, sources, &asker)) return asker;
  return -1;
}
