/* The engine's readers; see peer.h. */
#include "engine/peer.h"

#include "system/unix-socket.h"

/* A copy of the other process's descriptor, or -errno. */
static int copy_descriptor(int pid, u32 fd) {
  int process = sys_pidfd_open(pid);
  if (process < 0) return process;
  int copy = sys_pidfd_getfd(process, (int)fd);
  sys_close(process);
  return copy;
}

struct ucred peer_of_reader(struct guard *guard, int pid, u32 fd) {
  struct ucred peer = {0, UID_UNKNOWN, 0};
  int copy = pid > 0 ? copy_descriptor(pid, fd) : -EBADF;
  if (copy < 0) return peer;
  unix_peer(copy, &peer);
  /* Closed, not only shut down for writing: a reader that still reads may do that. */
  struct pollfd look = {copy, 0, 0};
  if (sys_poll(&look, 1, 0) > 0 && (look.revents & POLLHUP) != 0) peer = (struct ucred){PID_GONE, UID_UNKNOWN, 0};
  /* What the kernel buffers for a reader that does not read counts as memlogd's memory. */
  sys_set_socket_number(copy, SO_SNDBUF, QUERY_SEND_BYTES);
  guard_close(guard, copy);
  return peer;
}

void kept_readers_reset(struct kept_readers *kept) {
  for (u32 place = 0; place < KEPT_READERS_MAX; place++) kept->fds[place] = -1;
}

bool kept_readers_add(struct kept_readers *kept, u64 place, int pid, u32 fd) {
  if (place >= KEPT_READERS_MAX || kept->fds[place] >= 0) return false;
  int copy = pid > 0 ? copy_descriptor(pid, fd) : -EBADF;
  if (copy >= 0 && copy < kept->descriptors_max) kept->fds[place] = copy;
  else if (copy >= 0) sys_close(copy);
  return true;
}

bool kept_readers_remove(struct kept_readers *kept, struct guard *guard, u32 place) {
  if (place >= KEPT_READERS_MAX) return false;
  if (kept->fds[place] >= 0) guard_close(guard, kept->fds[place]);
  kept->fds[place] = -1;
  return true;
}
