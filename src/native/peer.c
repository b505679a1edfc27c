/* Who a reader is. The engine has the connection, JavaScript can't ask: this process looks at it through a descriptor of the engine's. */
#include "intake.h"

/* The engine's descriptor as one of ours, or -errno. */
static int borrow(const struct intake *intake, u32 descriptor) {
  int engine = sys_pidfd_open(intake->engine.pid);
  if (engine < 0) return engine;
  int fd = sys_pidfd_getfd(engine, (int)descriptor);
  sys_close(engine);
  return fd;
}

bool peer_tell(struct intake *intake, u32 descriptor, u64 token) {
  struct ucred peer = {0, UID_UNKNOWN, 0};
  u32 bytes = sizeof peer;
  int fd = intake->engine.pid > 0 ? borrow(intake, descriptor) : -EBADF;
  if (fd >= 0) {
    if (sys_getsockopt(fd, SO_PEERCRED, &peer, &bytes) < 0) peer.pid = 0, peer.uid = UID_UNKNOWN;
    /* Closed, not only shut for writing: that makes no difference to whoever reads. */
    struct pollfd look = {fd, 0, 0};
    if (sys_poll(&look, 1, 0) > 0 && (look.revents & POLLHUP) != 0) peer.pid = PID_GONE, peer.uid = UID_UNKNOWN;
    /* What the kernel holds for a reader that does not read counts as memory of memlogd. */
    sys_set_socket_number(fd, SO_SNDBUF, QUERY_SEND_BYTES);
    sys_close(fd);
  }
  return control_send(intake, CONTROL_PEER, peer.uid, token << 32 | peer.pid);
}
