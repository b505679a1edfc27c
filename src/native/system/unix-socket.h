/* Unix sockets: addresses, and descriptors that travel with messages (SCM_RIGHTS; unix(7), cmsg(3)). */
#pragma once

#include "system/text.h"

/* Fills the address of a socket file. 0, or -ENAMETOOLONG for a path longer than UNIX_PATH_BYTES_MAX. */
int unix_address(struct sockaddr_un *address, const char *path);
/* Connects `fd` to the socket file at `path`. 0 or -errno. */
int unix_connect(int fd, const char *path);
/* Limits how long a send or a receive on `fd` may wait. */
void unix_set_timeouts(int fd, i64 ms);
/* Who made the other end of a connected socket. 0 or -errno; then `peer` is as it was. */
int unix_peer(int fd, struct ucred *peer);

/*
 * The socket receives no descriptors (Linux 6.16): the kernel would close what a sender passes along, and that may hang.
 */
void unix_refuse_descriptors(int fd);

/* Sends a message with at most DESCRIPTORS_PER_DATAGRAM_MAX descriptors. `flags` as for sendmsg(2). 0 or -errno. */
int send_descriptors(int to, const void *bytes, size_t byte_count, const int *fds, u32 fd_count, int flags);

/* The control messages that came with a message, one after the other. */
struct control_messages {
  const u8 *at, *end;
  int level, type; /* of the current one */
  const u8 *payload;
  size_t payload_bytes;
};

void control_messages_start(struct control_messages *messages, const struct msghdr *message);
/* Moves on to the next control message; false if there is none, or if its length makes no sense. */
bool control_messages_next(struct control_messages *messages);
/* Who sent the message, as the kernel knows it (SO_PASSCRED); pid 0 and UID_UNKNOWN if it does not. */
struct ucred received_sender(const struct msghdr *message);
/* Copies the descriptors of all control messages to `fds`, closes those above `max`. Returns how many there were. */
u32 received_descriptors(const struct msghdr *message, int *fds, u32 max);
