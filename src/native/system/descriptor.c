/* Descriptors of somebody else; see descriptor.h. */
#include "system/descriptor.h"

#include "system/text.h"

u32 descriptor_type(int fd) {
  if (sys_socket_number(fd, SO_TYPE) >= 0) return S_IFSOCK;
  return sys_fcntl(fd, F_GETPIPE_SZ, 0) >= 0 ? S_IFIFO : 0;
}

int descriptor_reopen(int fd, int mode) {
  struct text path;
  u32 number = 0;
  /* The master of a terminal: that would make another terminal. */
  if (sys_ioctl(fd, TIOCGPTN, &number) == 0) return -EINVAL;
  text_descriptor_path(&path, fd);
  return sys_open(path.at, mode | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}
