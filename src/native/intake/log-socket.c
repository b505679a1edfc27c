/* The log socket; see log-socket.h. */
#include "intake/log-socket.h"

#include "system/unix-socket.h"

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

/* A receive that may block: the kernel closes the descriptors for which there is no room. */
struct receive {
  struct operation operation;
  struct msghdr message;
};

static void close_received(struct worker *worker, long got) {
  const struct receive *receive = (const struct receive *)worker->operation;
  if (got >= 0) received_descriptors(&receive->message, NULL, 0);
  guard_report(worker, got >= 0 ? 1 : 0);
}

void log_socket_adopt(struct log_socket *socket, struct sources *sources) {
  while (socket->next < socket->count) {
    int fd = socket->fds[socket->next++];
    source_adopt(sources, fd, SOURCE_KIND_STREAM, 0, socket->name, socket->name_bytes);
  }
}

/* The descriptors of a takeover: a connection, and the proof. */
static void take_request(struct log_socket *socket, struct guard *guard, u32 uid, struct takeover_request *request) {
  *request = (struct takeover_request){socket->fds[0], socket->count > 1 ? socket->fds[1] : -1, uid};
  u32 count = socket->count;
  /* First: a worker that is abandoned in a close must not leave them to be adopted as sources. */
  socket->count = 0;
  for (u32 at = 2; at < count; at++) guard_close(guard, socket->fds[at]);
}

/* Reads one datagram. False if none is there, or if it is a `request`. */
static bool read_datagram(struct log_socket *socket, int fd, struct sources *sources,
                          struct takeover_request *request) {
  u8 control[CONTROL_BYTES_MAX] __attribute__((aligned(8)));
  struct iovec part = {socket->name, sizeof socket->name};
  struct receive receive = {.message = {NULL, 0, &part, 1, control, sizeof control, 0}};
  receive.operation = (struct operation){.fd = fd, .event = EVENT_DESCRIPTOR_REFUSED, .finish = close_received};
  receive.operation.counts_result = true;
  guard_begin(sources->guard, &receive.operation);
  long got = sys_recvmsg(fd, &receive.message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  got = guard_end(sources->guard, &receive.operation, got);
  if (got < 0) return false;
  u32 flags = receive.message.flags, name_bytes = (u32)got;
  bool is_cut = name_bytes > SOURCE_NAME_BYTES_MAX || (flags & MSG_TRUNC) != 0;
  socket->name_bytes = name_bytes = name_bytes > SOURCE_NAME_BYTES_MAX ? SOURCE_NAME_BYTES_MAX : name_bytes;
  socket->next = 0;
  socket->count = received_descriptors(&receive.message, socket->fds, DESCRIPTORS_PER_DATAGRAM_MAX);
  if (socket->count > 0 && is_takeover(socket->name, name_bytes)) {
    take_request(socket, sources->guard, received_sender(&receive.message).uid, request);
    return false;
  }
  struct events *events = sources->events;
  const char *name = socket->name;
  u32 count = socket->count;
  if ((flags & MSG_CTRUNC) != 0) event_count(events, EVENT_CONTROL_TRUNCATED, 1, count, name, name_bytes);
  else if (count == 0) event_count(events, EVENT_DATAGRAM_WITHOUT_DESCRIPTOR, 1, 0, name, name_bytes);
  if (is_cut && count > 0) event_count(events, EVENT_NAME_CUT, 1, 0, name, name_bytes);
  log_socket_adopt(socket, sources);
  return true;
}

struct takeover_request log_socket_read(struct log_socket *socket, int fd, struct sources *sources, bool may_wait) {
  struct takeover_request request = {-1, -1, UID_UNKNOWN};
  for (u32 turn = 0; turn < LOG_DATAGRAMS_PER_TURN; turn++)
    if ((may_wait && sources_await_slots(sources)) || !read_datagram(socket, fd, sources, &request)) break;
  return request;
}
