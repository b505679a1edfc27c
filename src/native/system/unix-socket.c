/* Unix sockets; see unix-socket.h. */
#include "system/unix-socket.h"

#include "constants.h"

int unix_address(struct sockaddr_un *address, const char *path) {
  size_t bytes = string_bytes(path);
  if (bytes > UNIX_PATH_BYTES_MAX) return -ENAMETOOLONG;
  zero_bytes(address, sizeof *address);
  address->family = AF_UNIX;
  copy_bytes(address->path, path, bytes);
  return 0;
}

int unix_connect(int fd, const char *path) {
  struct sockaddr_un address;
  int error = unix_address(&address, path);
  return error < 0 ? error : sys_connect(fd, &address, sizeof address);
}

void unix_set_timeouts(int fd, i64 ms) {
  struct timeval limit = {ms / 1000, ms % 1000 * 1000};
  sys_setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  sys_setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
}

int unix_peer(int fd, struct ucred *peer) {
  struct ucred found = {0, 0, 0};
  u32 bytes = sizeof found;
  int error = sys_getsockopt(fd, SO_PEERCRED, &found, &bytes);
  if (error == 0) *peer = found;
  return error;
}

void unix_refuse_descriptors(int fd) { sys_set_socket_number(fd, SO_PASSRIGHTS, 0); }

int send_descriptors(int to, const void *bytes, size_t byte_count, const int *fds, u32 fd_count, int flags) {
  u8 control[CMSG_SPACE(DESCRIPTORS_PER_DATAGRAM_MAX * sizeof(int))] __attribute__((aligned(8))) = {0};
  struct iovec part = {(void *)(uintptr_t)bytes, byte_count};
  struct msghdr message = {NULL, 0, &part, 1, NULL, 0, 0};
  if (fd_count > DESCRIPTORS_PER_DATAGRAM_MAX) return -EINVAL;
  if (fd_count > 0) {
    struct cmsghdr header = {CMSG_LEN(fd_count * sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    copy_bytes(control, &header, sizeof header);
    copy_bytes(control + sizeof header, fds, fd_count * sizeof(int));
    message.control = control;
    message.control_bytes = CMSG_SPACE(fd_count * sizeof(int));
  }
  long sent = UNINTERRUPTED(sys_sendmsg(to, &message, flags | MSG_NOSIGNAL));
  if (sent < 0) return (int)sent;
  return (size_t)sent == byte_count ? 0 : -EIO;
}

void control_messages_start(struct control_messages *messages, const struct msghdr *message) {
  messages->at = message->control;
  messages->end = messages->at + message->control_bytes;
}

bool control_messages_next(struct control_messages *messages) {
  struct cmsghdr header;
  size_t left = messages->at < messages->end ? (size_t)(messages->end - messages->at) : 0;
  if (left < sizeof header) return false;
  copy_bytes(&header, messages->at, sizeof header);
  if (header.bytes < sizeof header || header.bytes > left) return false;
  messages->level = header.level;
  messages->type = header.type;
  messages->payload = messages->at + sizeof header;
  messages->payload_bytes = header.bytes - sizeof header;
  messages->at += CMSG_ALIGN(header.bytes);
  return true;
}

struct ucred received_sender(const struct msghdr *message) {
  struct control_messages messages;
  struct ucred sender = {0, UID_UNKNOWN, UID_UNKNOWN};
  control_messages_start(&messages, message);
  while (control_messages_next(&messages)) {
    bool is_sender = messages.level == SOL_SOCKET && messages.type == SCM_CREDENTIALS;
    if (!is_sender || messages.payload_bytes < sizeof sender) continue;
    copy_bytes(&sender, messages.payload, sizeof sender);
    break;
  }
  return sender;
}

u32 received_descriptors(const struct msghdr *message, int *fds, u32 max) {
  struct control_messages messages;
  u32 count = 0;
  control_messages_start(&messages, message);
  while (control_messages_next(&messages)) {
    if (messages.level != SOL_SOCKET || messages.type != SCM_RIGHTS) continue;
    for (size_t at = 0; at + sizeof(int) <= messages.payload_bytes; at += sizeof(int), count++) {
      int fd = (int)get_u32(messages.payload + at);
      if (count < max) fds[count] = fd;
      else sys_close(fd);
    }
  }
  return count;
}
